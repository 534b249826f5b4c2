"""Is a picture a frontal chest radiograph that the network can judge? A guess before the answer.

A network scores anything. So a much smaller one looks at the picture first: 16×16 block means and
8×8 block contrasts of what the network would see, one hidden layer, and one output for a radiograph
as it should be and for each kind of what it should not be. It was taught with radiographs, with
radiographs spoilt on purpose, and with drawn clutter, and its limits are those that few held-out
radiographs exceed (`python -m train input-check`). It takes some hundredths of a millisecond
in numpy, and knows nothing of the network: the weights of both can change apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRIDS: Final = (16, 14)
"""Block means a side: the first that divides the network's side; contrasts have half as many."""

MAX_HIDDEN: Final = 128

BLANK_RANGE: Final = 8
"""Gray levels between the darkest and brightest pixel below which a picture shows nothing."""

NO_CHECK: Final = "none: any picture is scored, also what is no chest radiograph"
"""What is said of a model without one."""

NO_QUALITY: Final = "picture quality is not checked: blurred or tilted films are scored too"

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
}
"""What the small network tells apart from a radiograph as it should be, and what such a one is.

The names of the last two are those of model files, and say nothing of the exposure: a film that was
exposed too much is black. They were taught with gray levels times 3 and 0.15, of which the latter
are also close together.
"""

BLANK: Final = "blank"
ASPECT: Final = "aspect"


class InputCheckResult(NamedTuple):
    """What the check makes of one picture.

    Attributes:
        score: log-odds of the likeliest of `KINDS` over a radiograph, less that kind's limit;
            above 0 the picture is flagged.
        kind: why it is flagged: one of `KINDS`, `BLANK` or `ASPECT`; None where it is not.
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
    """Block means a side for a network of this side, or None where there can be no check."""
    return next((grid for grid in GRIDS if side % grid == 0), None)


def feature_count(grid: int) -> int:
    return grid * grid + (grid // 2) ** 2


class Features:
    """Pictures of one size → what the check looks at.

    Args:
        side: of the pictures, a multiple of `grid`.
        grid: one of `GRIDS`.
    """

    def __init__(self, side: int, grid: int) -> None:
        self._fine, self._coarse = _averages(side, grid), _averages(side, grid // 2)
        self._pairs = _averages(grid, grid // 2)  # what is averaged already need not be again

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """side×side uint8 → (`feature_count`,) float32: block means, then log block contrasts."""
        # Products with matrices: several times faster than numpy's mean over reshaped axes.
        gray = pixels.astype(np.float32)
        means = self._fine @ gray @ self._fine.T
        middle = self._pairs @ means @ self._pairs.T
        squares = self._coarse @ (gray * gray) @ self._coarse.T
        contrast = np.sqrt(np.maximum(squares - middle * middle, 0))
        parts = (means.ravel() / 64 - 2, np.log(contrast.ravel() + 1) - 2.5)
        return np.concatenate(parts, dtype=np.float32)


def _averages(side: int, blocks: int) -> NDArray[np.float32]:
    """The blocks×side matrix whose product with a picture averages its rows by blocks."""
    width = side // blocks
    return np.kron(np.eye(blocks), np.full((1, width), 1 / width)).astype(np.float32)


class Weights(NamedTuple):
    """Of the small network; C is the number of `KINDS`.

    Attributes:
        hidden: `feature_count`×H, and hidden_bias: H.
        output: H×(1 + C), and output_bias: 1 + C; a radiograph as it should be comes first.
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
    def from_bytes(cls, data: bytes, grid: int, hidden: int) -> Weights:
        """What `to_bytes` made.

        Raises:
            ValueError: another number of bytes, or a number that is none.
        """
        inputs, outputs = feature_count(grid), 1 + len(KINDS)
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
    """Judges pictures before the network does.

    Args:
        side: of the pictures, as the network gets them.
        grid: see `GRIDS`.
        weights: of the small network.
        limits: C, on the margins.
    """

    def __init__(self, side: int, grid: int, weights: Weights, limits: NDArray[np.float32]) -> None:
        self._features = Features(side, grid)
        self._weights, self._limits = weights, limits

    def judge(
        self, pixels: NDArray[np.uint8], shape: tuple[int, ...] | None = None
    ) -> InputCheckResult:
        """A side×side uint8 picture, and its height and width before it was made square."""
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
        kind, what = list(KINDS.items())[worst]
        likeness = f"; if it is one, it may be {what}" if what else ""
        return InputCheckResult(
            score, kind, f"does not look like an upright frontal chest radiograph{likeness}"
        )
