"""The input check: whether a picture is a frontal chest radiograph that the network can judge.

A network scores anything. So a much smaller one looks at the picture first, at the network's size.
It sees 16×16 block means and 8×8 block contrasts, of all detail and of detail of three sizes, and
has one hidden layer, an output for a proper radiograph, and one for each kind of other picture. It
was trained on radiographs, on radiographs spoilt on purpose, and on drawn clutter; its limits are
exceeded by few held-out radiographs (`python -m train input-check`). It takes some tenths of a
millisecond in numpy, and does not depend on the network's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import InputCheckFacts

GRIDS: Final = (16, 14)
"""Block means a side: the first that divides the network's side. Contrasts have half as many."""

DETAILS: Final = 3
"""The most sizes of detail whose contrasts a new check sees; see `details_of`."""

ALONE: Final = 1 << 18
"""Multiplications of a matrix product that OpenBLAS computes in the calling thread. For larger ones
it wakes threads that then spin for a while, on the processors that the network needs."""

MIN_SPREAD: Final = 0.05
"""Variance of gray levels below which there is no detail of a size."""

BLANK_RANGE: Final = 8
"""Gray levels between the darkest and brightest pixel below which a picture shows nothing."""

NO_CHECK: Final = "none: any picture is scored, also what is no chest radiograph"
"""The words for a model without an input check."""

UNCHECKED: Final = (
    "was seen by no input check, for the model has none: any picture is scored, also what is no "
    "chest radiograph"
)
"""Said of each picture that a model without an input check scores."""

NO_QUALITY: Final = "picture quality is hardly checked: blur or tilt can lose a flag"

REFUSED_ASPECT: Final = 2.0
"""Longer side over shorter one; the radiographs trained on were stretched from 1.0 to about 1.3."""

KINDS: Final = {
    "foreign": "",
    "inverted": "inverted: bone must be bright",
    "turned-clockwise": "turned by 90° clockwise: turn it upright",
    "turned-counter-clockwise": "turned by 90° counter-clockwise: turn it upright",
    "upside-down": "upside down (turned by 180°, or top and bottom exchanged): turn it upright",
    "mirrored": "mirrored: left and right must not be exchanged",
    "cropped": "cropped to a part of the chest: give all of it",
    "framed": "surrounded by wide empty borders: crop them off",
    "over-exposed": "too bright",
    "under-exposed": "too dark or too flat",
    "blurred": "blurred: give a sharper one",
    "askew": "tilted: turn it upright",
}
"""The kinds of improper pictures that checks distinguish → their description.

A model file names the kinds that its check knows: older ones lack the last two. The names
over-exposed and under-exposed do not mean the exposure: an over-exposed film is black. They were
trained with gray levels times 3 and times 0.15, which also brings the levels close together.
"""

BLANK: Final = "blank"
ASPECT: Final = "aspect"


class InputCheckResult(NamedTuple):
    """The check's result for one picture.

    Attributes:
        score: log-odds of the most probable kind over a radiograph, less that kind's limit; above
            0 the picture is flagged.
        kind: why it is flagged: one of `KINDS`, `BLANK` or `ASPECT`; None if it is not.
        reason: the same in words, as the end of a sentence that begins with the picture's name.
    """

    score: float
    kind: str | None
    reason: str | None

    @property
    def flagged(self) -> bool:
        return self.kind is not None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "score": round(self.score, 4),
            "flagged": self.flagged,
            "kind": self.kind,
            "reason": self.reason,
        }


def grid_of(side: int) -> int | None:
    """Block means a side for a network of this side; None if there can be no check."""
    return next((grid for grid in GRIDS if side % grid == 0), None)


def details_of(side: int, grid: int) -> int:
    """How many sizes of detail a network of this side shows: down to a pixel, at most `DETAILS`."""
    return min(DETAILS, (2 * side // grid).bit_length() - 1)


def feature_count(grid: int, details: int = 0) -> int:
    return grid * grid + (1 + details) * (grid // 2) ** 2


class Features:
    """Pictures of one size → the features that the check sees.

    Args:
        side: of the pictures, a multiple of `grid`.
        grid: one of `GRIDS`.
        details: how many sizes of detail have contrasts of their own, from the largest: those
            between the means of 2×2, 4×4 and 8×8 parts of each block of the contrasts. They are the
            same for pictures of any side; still finer detail, such as noise, has none of its own.
    """

    def __init__(self, side: int, grid: int, details: int = 0) -> None:
        half = grid // 2
        sides = [half * 2**place for place in range(max(details, 1) + 1)]
        self._coarse, self._finest = _averages(side, half), _averages(side, sides[-1])
        self._pairs = [_averages(2 * n, n) for n in reversed(sides[:-1])]
        self._pools = [_averages(n, half) for n in sides[1 : 1 + details]]

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """side×side uint8 → (`feature_count`,) float32: block means, then log block contrasts."""
        # Matrix products are several times faster than numpy's mean over reshaped axes, and larger
        # blocks are averaged from smaller ones.
        gray = pixels.astype(np.float32)
        blocks = [_averaged(self._finest, gray)]
        for pairs in self._pairs:
            blocks.append(_averaged(pairs, blocks[-1]))
        middle, means, *_ = reversed(blocks)
        coarser = middle * middle
        squares = _averaged(self._coarse, gray * gray)
        contrast = np.sqrt(np.maximum(squares - coarser, 0))
        parts = [means.ravel() / 64 - 2, np.log(contrast.ravel() + 1) - 2.5]
        for pool, fine in zip(self._pools, reversed(blocks[:-1]), strict=False):
            finer = _averaged(pool, fine * fine)
            spread = np.maximum(finer - coarser, 0)
            parts.append(np.log(spread.ravel() + MIN_SPREAD) / 2 - 0.5)
            coarser = finer
        return np.concatenate(parts, dtype=np.float32)


def _averages(side: int, blocks: int) -> NDArray[np.float32]:
    """The blocks×side matrix whose product with a picture averages its rows by blocks."""
    ends, places = np.arange(blocks + 1) * side / blocks, np.arange(side)
    shared = np.minimum(ends[1:, np.newaxis], places + 1) - np.maximum(
        ends[:-1, np.newaxis], places
    )
    return (np.maximum(shared, 0) * blocks / side).astype(np.float32)


def _averaged(averages: NDArray[np.float32], picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """A side×side picture by the blocks×side matrix of `_averages` → blocks×blocks."""
    return _product(_product(averages, picture), averages.T)


def _product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """left @ right, in parts that OpenBLAS computes in this thread; see `ALONE`."""
    rows = max(1, ALONE // right.size)
    return np.concatenate([left[at : at + rows] @ right for at in range(0, len(left), rows)])


class Weights(NamedTuple):
    """The weights of the small network, which distinguishes C kinds.

    Attributes:
        hidden: `feature_count`×H, and hidden_bias: H.
        output: H×(1 + C), and output_bias: 1 + C; a proper radiograph comes first.
    """

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    def margins(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(…, `feature_count`) → (…, C): log-odds of each kind over a radiograph."""
        logits = np.maximum(features @ self.hidden + self.hidden_bias, 0) @ self.output
        logits += self.output_bias
        return logits[..., 1:] - logits[..., :1]

    def to_bytes(self) -> bytes:
        """All numbers as little-endian float32, in the order of the attributes."""
        parts = (self.hidden, self.hidden_bias, self.output, self.output_bias)
        return b"".join(part.astype("<f4").tobytes() for part in parts)

    @classmethod
    def from_bytes(cls, data: bytes, stated: InputCheckFacts) -> Weights:
        """The weights that `to_bytes` packed, in the shapes that the manifest states.

        Raises:
            ValueError: there is another number of bytes, or a number is not finite.
        """
        hidden, outputs = stated["hidden"], 1 + len(stated["kinds"])
        inputs = feature_count(stated["grid"], stated.get("details", 0))
        shapes = ((inputs, hidden), (hidden,), (hidden, outputs), (outputs,))
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        if len(data) != 4 * ends[-1]:
            raise ValueError(f"holds {len(data)} bytes, not {4 * ends[-1]}")
        numbers = np.frombuffer(data, "<f4").astype(np.float32)
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e6:
            raise ValueError("holds numbers that are no weights")
        parts = np.split(numbers, ends[:-1])
        return cls(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


class InputCheck:
    """Judges pictures before the network scores them.

    Args:
        side: of the pictures, as the network gets them.
        stated: in the manifest: the grid, the kinds and their limits on the margins.
        weights: of the small network.
    """

    def __init__(self, side: int, stated: InputCheckFacts, weights: Weights) -> None:
        self._features = Features(side, stated["grid"], stated.get("details", 0))
        self._weights, self._kinds = weights, stated["kinds"]
        self._limits = np.array(stated["limits"], np.float32)

    def judge(
        self, pixels: NDArray[np.uint8], shape: tuple[int, ...] | None = None
    ) -> InputCheckResult:
        """Judge a side×side uint8 picture; `shape` is its height and width before resizing."""
        over = self._weights.margins(self._features(pixels)) - self._limits
        worst = int(over.argmax())
        score = float(over[worst])
        height, width = shape or pixels.shape
        if int(pixels.max()) - int(pixels.min()) < BLANK_RANGE:
            return InputCheckResult(score, BLANK, "is blank (nearly one gray level)")
        if max(height, width) > REFUSED_ASPECT * min(height, width):
            return InputCheckResult(score, ASPECT, f"is {width}x{height}: no radiograph is so long")
        if score <= 0:
            return InputCheckResult(score, None, None)
        kind = self._kinds[worst]
        what = KINDS[kind]
        likeness = f"; if it is one, it may be {what}" if what else ""
        return InputCheckResult(
            score, kind, f"does not look like an upright frontal chest radiograph{likeness}"
        )
