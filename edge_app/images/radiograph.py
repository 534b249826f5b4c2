"""What every decoder makes of a file, and the limits that each keeps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from edge_app.core.advice import MAX_PIXELS
from edge_app.core.errors import ImageError, ImageTooLargeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Picture: TypeAlias = "Image.Image | NDArray[np.uint8]"
"""8-bit gray, 0 is air and 255 the densest: an image of mode L, or H×W."""

MAX_SIDE = 65_535
"""DICOM's and JPEG's own limit; the cost of resampling grows with the longer side alone."""

DISPLAY_GAMMA = 2.2
NOTICED = 8
"""A viewer that uses more than the pixels may move a gray by less than this without a report."""


class Limits(NamedTuple):
    """What is refused unread: bytes of the file, pixels of the image."""

    max_bytes: int = 128 << 20
    max_pixels: int = 25_000_000


class Radiograph:
    """An 8-bit grayscale image and how it came about.

    Attributes:
        picture: as its decoder left it.
        facts: what a result needs to be trusted later (format, size, window, polarity, digest).
        warnings: one line each; the pixels are usable but something about them is unusual.
    """

    def __init__(
        self, picture: Picture, facts: dict[str, Any], warnings: tuple[str, ...] = ()
    ) -> None:
        self.picture, self.facts, self.warnings = picture, facts, warnings

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """H×W, uint8, C-contiguous. Copied when first asked for: what only resizes needs none."""
        import numpy as np

        return np.ascontiguousarray(self.picture, np.uint8)

    def without_picture(self) -> Radiograph:
        """What is known of it, for where many are held."""
        import numpy as np

        return Radiograph(np.zeros((0, 0), np.uint8), self.facts, self.warnings)


Source = TypeVar("Source")

Reader = Callable[[Source, Limits], Radiograph]
"""Makes a radiograph of a source, or raises an ImageError that says why it cannot."""


def require_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse an image by its declared size, before anything is decoded.

    Raises:
        ImageError: no pixels, or a side longer than `MAX_SIDE`.
        ImageTooLargeError: more than `limits.max_pixels`.
    """
    if width < 1 or height < 1:
        raise ImageError(f"declares {width}x{height} pixels: there is no image in it")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"declares {width}x{height} pixels: no side may exceed {MAX_SIDE}")
    if width * height > limits.max_pixels:
        raise ImageTooLargeError(
            f"declares {width}x{height} pixels, more than {limits.max_pixels}: "
            f"raise {MAX_PIXELS} if it is really a radiograph"
        )
