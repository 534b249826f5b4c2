"""One file → one 8-bit grayscale radiograph, air dark and bone bright, or a clear refusal.

Every file is read as if an enemy had made it: sizes are bounded before anything is decoded, only
named formats are tried, checksums are checked where the format has them.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_app.errors import ImageError
from edge_app.windowing import significant_bits, to_8bit

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom", ".dic")
)
"""File names a folder is searched for; what a file *is* is decided by its content."""

EXIF_ORIENTATION = 0x0112
TIFF_PHOTOMETRIC = 262
WHITE_IS_ZERO = 0


@dataclass(frozen=True)
class Limits:
    """What is refused unread: bytes of the file, pixels of the image."""

    max_bytes: int = 128 << 20
    max_pixels: int = 50_000_000


@dataclass(frozen=True)
class Radiograph:
    """An 8-bit grayscale image and how it came about.

    Attributes:
        pixels: H×W, uint8, C-contiguous; 0 is air, 255 the densest.
        facts: what a result needs to be trusted later (format, size, window, polarity, digest).
        warnings: one line each; the pixels are usable but something about them is unusual.
    """

    pixels: NDArray[np.uint8]
    facts: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())


def read_image(source: str | os.PathLike[str] | IO[bytes], limits: Limits | None = None) -> Radiograph:
    """Read a radiograph from a file or an open binary stream.

    Raises:
        ImageError: whatever is wrong with the file, in one line.
    """
    limits = limits or Limits()
    data = _read_bounded(source, limits.max_bytes)
    if data[128:132] == b"DICM":
        from edge_app import dicom

        image = dicom.decode(data, limits)
    else:
        image = _decode(data, limits)
    image.facts["sha256"] = hashlib.sha256(data).hexdigest()
    return image


def _read_bounded(source: str | os.PathLike[str] | IO[bytes], max_bytes: int) -> bytes:
    try:
        if not isinstance(source, (str, os.PathLike)):
            data = source.read(max_bytes + 1)
        else:
            # Without O_NONBLOCK, opening a FIFO that nobody writes to never returns.
            descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                _require_regular(os.fstat(descriptor), max_bytes)
                data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except PermissionError:
        raise ImageError("no permission to read it: check its owner and mode") from None
    except IsADirectoryError:
        raise ImageError("is a folder, not an image") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"cannot be read: {reason}") from None
    if not data:
        raise ImageError("is empty")
    if len(data) > max_bytes:
        raise ImageError(_too_many_bytes(max_bytes))
    return data


def _require_regular(status: os.stat_result, max_bytes: int) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a device file",
        stat.S_IFBLK: "a device file",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(status.st_mode))
    if kind:
        raise ImageError(f"is {kind}, not an image")
    if status.st_size > max_bytes:
        raise ImageError(_too_many_bytes(max_bytes))


def _too_many_bytes(max_bytes: int) -> str:
    return f"is larger than {max_bytes} bytes: raise --max-bytes if it is really an image"


def require_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuse an image by its declared size, before anything is decoded.

    Raises:
        ImageError: no pixels, or more than `limits.max_pixels`.
    """
    if width < 1 or height < 1:
        raise ImageError(f"declares {width}x{height} pixels: there is no image in it")
    if width * height > limits.max_pixels:
        raise ImageError(
            f"declares {width}x{height} pixels, more than {limits.max_pixels}: "
            "raise --max-pixels if it is really a radiograph"
        )


def _decode(data: bytes, limits: Limits) -> Radiograph:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before decoding
    warnings: list[str] = []
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
        require_pixels(*image.size, limits)
        if image.format == "PNG":
            image.verify()  # Pillow checks no checksum of the pixel data otherwise
            image = Image.open(BytesIO(data), formats=("PNG",))
        frames = getattr(image, "n_frames", 1)
        image.load()
        facts: dict[str, Any] = {
            "format": image.format,
            "width": image.width,
            "height": image.height,
            "mode": image.mode,
        }
        if frames > 1:
            warnings.append(f"has {frames} pages or frames: only the first was read")
        pixels = _grayscale(_upright(image, facts), facts, warnings)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"is not a PNG, JPEG, TIFF, BMP, WebP or DICOM image (it begins {_beginning(data)})"
        ) from None
    except MemoryError:
        raise ImageError("does not fit into memory: lower --max-pixels") from None
    # A decoder given a broken file raises almost anything (struct.error, KeyError, zlib.error …);
    # all of it means the same to whoever has the file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"is damaged or truncated: {reason[:120]}") from None
    return Radiograph(np.ascontiguousarray(pixels), facts, tuple(warnings))


def _beginning(data: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in data[:4])


def _upright(image: Image.Image, facts: dict[str, Any]) -> Image.Image:
    from PIL import ImageOps

    orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    facts["exif_orientation"] = orientation
    return ImageOps.exif_transpose(image) if orientation != 1 else image


def _grayscale(
    image: Image.Image, facts: dict[str, Any], warnings: list[str]
) -> NDArray[np.uint8]:
    """Any mode Pillow decodes → H×W uint8; deep samples are windowed, never cut to a byte."""
    if image.mode.startswith("I"):
        return _deep(image, facts, warnings)
    if image.mode == "F":
        raise ImageError("holds floating-point pixels without a display range: save it as 16-bit")
    facts.update(bits=8, window="0..255", inverted=False)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = _opaque(image, warnings)
    if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        facts["colour"] = _is_colour(image)
        if facts["colour"]:
            warnings.append("is a colour picture: its luma was used")
    return np.asarray(image.convert("L"))


def _opaque(image: Image.Image, warnings: list[str]) -> Image.Image:
    from PIL import Image

    image = image.convert("RGBA")
    if image.getextrema()[3] == (255, 255):
        return image.convert("RGB")
    warnings.append("is partly transparent: it was laid on black")
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")


def _is_colour(image: Image.Image) -> bool:
    from PIL import ImageChops

    red, green, blue = image.split()
    tolerance = 8  # JPEG's chroma noise on a gray picture stays below this
    differences = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return any(difference.getextrema()[1] > tolerance for difference in differences)


def _deep(image: Image.Image, facts: dict[str, Any], warnings: list[str]) -> NDArray[np.uint8]:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ImageError("holds samples outside 0..65535: save it as 16-bit unsigned")
    bits = significant_bits(int(values.max()))
    pixels, facts["window"] = to_8bit(values.astype(np.uint16, copy=False), bits)
    facts["bits"] = bits
    # Pillow turns an 8-bit TIFF with WhiteIsZero the right way round, a 16-bit one not.
    tags = getattr(image, "tag_v2", None) or {}
    facts["inverted"] = image.format == "TIFF" and tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO
    if "narrowed" in facts["window"]:
        warnings.append(f"has little contrast at {bits} bits: windowed to {facts['window']}")
    return 255 - pixels if facts["inverted"] else pixels


def is_image_name(path: Path) -> bool:
    """Whether a folder's entry looks like a radiograph by its name."""
    return path.suffix.lower() in SUFFIXES
