"""PNG, JPEG, TIFF, BMP and WebP → 8-bit grayscale, through Pillow.

Only these formats are tried, sizes are bounded before anything is decoded, and checksums are
checked where the format has them.
"""

from __future__ import annotations

import struct
import warnings
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_app.core.errors import ImageError, not_loaded
from edge_app.images import jpeg
from edge_app.images.radiograph import Limits, Radiograph, require_pixels
from edge_app.images.sample_range import windowed

if TYPE_CHECKING:
    from PIL import Image, ImageFile

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")

EXIF_ORIENTATION = 0x0112
TIFF_PHOTOMETRIC = 262
TIFF_TILE_WIDTH = 322
TIFF_TILE_LENGTH = 323
WHITE_IS_ZERO = 0

PLUGINS = {"PNG": "PngImagePlugin", "JPEG": "JpegImagePlugin"}
"""Pillow's modules; `Image.open` would import those of Bmp, Gif, Ppm and these at once."""

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}


def decode(data: bytes, limits: Limits, least: int | None = None) -> Radiograph:
    """Decode a PNG, JPEG, TIFF, BMP or WebP to 8-bit grayscale.

    Args:
        data: of the file.
        limits: what is refused by its declared size.
        least: shrink a JPEG to 1/2, 1/4 or 1/8 while it is decoded, as far as both sides keep so
            many pixels and are divided without rest, so that nothing is shifted. `facts` tell the
            file's own size, and `shrunk` by how much it was.

    Raises:
        ImageError: it is none of these, is damaged, or is larger than `limits`.
    """
    # Pillow warns on standard error about files that are refused, or read, here in one line.
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
    notes: list[str] = []
    try:
        image = _open(data, limits)
        if getattr(image, "is_animated", False):  # counting them all would take hours
            notes.append("has more than one page or frame: only the first was read")
        facts: dict[str, Any] = {"format": image.format, "mode": image.mode}
        shrunk = _shrink(image, least) if least else 1
        deep_colour = _is_deep_colour(image)
        image.load()
        picture = _grayscale(_upright(image, facts, notes), facts, notes)
        if deep_colour:
            facts.update(bits=16, window="0..65535")
            _require_full_range(picture)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("does not fit into memory: lower --max-pixels") from None
    except ImportError as error:
        raise ImageError(not_loaded(error)) from None
    # A decoder given a broken file raises almost anything (struct.error, KeyError, zlib.error …);
    # all of it means the same to whoever has the file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"is damaged or truncated: {reason[:120]}") from None
    facts["width"], facts["height"] = (side * shrunk for side in picture.size)
    if shrunk > 1:
        facts["shrunk"] = shrunk
    return Radiograph(picture, facts, tuple(notes))


def _open(data: bytes, limits: Limits) -> Image.Image:
    """The image with its header read and found harmless, nothing decoded yet."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before decoding
    if data.startswith(b"MM\0*"):
        _read_big_endian_white_is_zero()
    try:
        image = _identified(data)
        require_pixels(*image.size, limits)
    except UnidentifiedImageError:
        raise ImageError(_unidentified(data)) from None
    if image.format in ("JPEG", "MPO"):
        for _ in jpeg.segments(data):
            pass
    tags = getattr(image, "tag_v2", {})
    if TIFF_TILE_WIDTH in tags:  # one tile is decoded whole, however small the picture is
        require_pixels(tags[TIFF_TILE_WIDTH], tags.get(TIFF_TILE_LENGTH, 0), limits)
    return image


def _identified(data: bytes) -> ImageFile.ImageFile:
    """`Image.open`, with no more modules imported than the commonest two formats need.

    Raises:
        UnidentifiedImageError: it is none of `FORMATS`.
    """
    from PIL import Image, UnidentifiedImageError

    name = _kind(data)
    if name not in PLUGINS:
        return Image.open(BytesIO(data), formats=FORMATS)
    import_module(f"PIL.{PLUGINS[name]}")
    factory, _ = Image.OPEN[name]
    try:
        if name == "PNG":
            from edge_app.images import png

            image = factory(png.inflated(data), "")
            image.decodermaxblock = png.AT_ONCE
            return image
        return factory(BytesIO(data), "")
    except (SyntaxError, IndexError, TypeError, struct.error):
        raise UnidentifiedImageError from None


def _kind(data: bytes) -> str | None:
    """The format that a file's first bytes promise."""
    return next((name for sign, name in SIGNATURES.items() if data.startswith(sign)), None)


def _shrink(image: Image.Image, least: int) -> int:
    """Have the decoder of a JPEG average its blocks; answers by how much each side shrinks."""
    if image.format != "JPEG":
        return 1
    width, height = image.size
    for scale in (8, 4, 2):
        if width % scale == height % scale == 0 and min(width, height) >= scale * least:
            image.draft(None, (width // scale, height // scale))
            return scale
    return 1


def _read_big_endian_white_is_zero() -> None:
    """Teach Pillow the one kind of 16-bit gray TIFF that its table lacks; `_deep` inverts it."""
    from PIL import TiffImagePlugin

    key = (TiffImagePlugin.MM, WHITE_IS_ZERO, (1,), 1, (16,), ())
    TiffImagePlugin.OPEN_INFO.setdefault(key, ("I;16B", "I;16B"))


def _unidentified(data: bytes) -> str:
    name = _kind(data)
    if name:
        return f"is a {name} that is damaged, truncated or of an unsupported kind"
    beginning = " ".join(f"{byte:02x}" for byte in data[:4])
    return f"is not a PNG, JPEG, TIFF, BMP, WebP or DICOM image (it begins {beginning})"


def _upright(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Image:
    if image.format == "TIFF":  # Pillow turned it as it loaded; before 10 it kept the tag
        facts["exif_orientation"] = 1
        return image
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # camera software writes EXIF that no parser takes; the pixels are fine
        orientation = 1
        notes.append("has unreadable EXIF data: it was taken to be upright")
    facts["exif_orientation"] = int(orientation) if orientation in range(1, 9) else 1
    if facts["exif_orientation"] == 1:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _is_deep_colour(image: Image.Image) -> bool:
    tiles = getattr(image, "tile", ())
    return not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in tiles)


def _require_full_range(picture: Image.Image) -> None:
    # Pillow keeps the upper byte of 16-bit colour, too few grays of a 14-bit picture stored so.
    if np.asarray(picture).max() < 1 << 6:
        raise ImageError("is 16-bit colour with 14 bits or fewer in use: save it as 16-bit gray")


def _grayscale(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Image:
    """Any mode Pillow decodes → L; deep samples are windowed, never cut to a byte."""
    if image.mode.startswith("I"):
        return _deep(image, facts, notes)
    if image.mode == "F":
        raise ImageError("holds floating-point pixels without a display range: save it as 16-bit")
    facts.update(bits=8, window="0..255", inverted=False)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = _opaque(image, notes)
    if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        facts["colour"] = _is_colour(image)
        if facts["colour"]:
            notes.append("is a colour picture: its luma was used")
    return image if image.mode == "L" else image.convert("L")


def _opaque(image: Image.Image, notes: list[str]) -> Image.Image:
    from PIL import Image

    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    notes.append("is partly transparent: it was laid on black")
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert(
        "RGB"
    )


def _is_colour(image: Image.Image) -> bool:
    from PIL import ImageChops

    red, green, blue = image.split()
    tolerance = 8  # JPEG's chroma noise on a gray picture stays below this
    differences = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return any(np.asarray(difference).max() > tolerance for difference in differences)


def _deep(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Image:
    from PIL import Image

    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ImageError("holds samples outside 0..65535: save it as 16-bit unsigned")
    pixels = windowed(values.astype(np.uint16, copy=False), facts, notes)
    # Pillow turns an 8-bit TIFF with WhiteIsZero the right way round, a 16-bit one not.
    tags = getattr(image, "tag_v2", None) or {}
    facts["inverted"] = image.format == "TIFF" and tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO
    return Image.fromarray(255 - pixels if facts["inverted"] else pixels)
