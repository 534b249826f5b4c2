"""PNG, JPEG, TIFF, BMP and WebP → 8-bit grayscale, through Pillow.

Only these formats are tried, sizes are bounded before anything is decoded, and checksums are
checked where the format has them.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Iterator
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_app.core import native_stderr
from edge_app.core.errors import ImageError, MachineError, not_loaded
from edge_app.core.shortage import blamed, shortage_of
from edge_app.images.radiograph import (
    DISPLAY_GAMMA,
    NOTICED,
    Limits,
    Radiograph,
    require_pixels,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image, ImageFile

    from edge_app.images import tiff

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")

JPEG_FORMATS = ("JPEG", "MPO")
JPEG_IN_TIFF = ("jpeg", "tiff_jpeg")
MAX_PLACES = 500
"""How many JPEGs of a TIFF are decoded again, at most, to see whether they are whole."""

"""What Pillow calls them."""

EXIF_ORIENTATION = 0x0112
TIFF_PHOTOMETRIC = 262
TIFF_COLOUR_MAP = 320
TIFF_ROWS_PER_STRIP = 278
TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT = 322, 323
WHITE_IS_ZERO = 0
BMP_HEADER, LARGEST_BMP_HEADER = 14, 124
DEEP_BITS = 16

TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What turns a picture of each orientation upright (Exif 2.32, 4.6.4 A)."""

STRIP_PIXELS = 1 << 20
"""Pixels of colour made gray, or compared, at once: each needs many bytes on its way."""

GRAY_MODES = ("1", "L", "LA", "La")

ON_BLACK = "is partly transparent: it was laid on black"

BY_VIEWERS = "by which viewers may brighten or darken it: scored as it is stored"

MIDDLE = 128
"""A gray level, which a viewer that heeds a PNG's gamma moves."""

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


def decode(data: bytes, limits: Limits, min_side: int | None = None) -> Radiograph:
    """Decode a PNG, JPEG, TIFF, BMP or WebP to 8-bit grayscale.

    Args:
        data: of the file.
        limits: what is refused by its declared size.
        min_side: shrink a JPEG to 1/2, 1/4 or 1/8 while it is decoded, as far as both sides keep so
            many pixels and are divided without rest, so that nothing is shifted. `facts` tell the
            file's own size, and `shrunk` by how much it was.

    Raises:
        ImageError: it is none of these, is damaged, or is larger than `limits`.
        MachineError: memory or descriptors do not suffice, or a package does not load.
    """
    # Pillow warns on standard error about files that are refused, or read, here in one line.
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
    try:
        return _decoded(data, limits, min_side)
    except ImageError:
        raise
    except _UnidentifiedError as error:
        raise blamed(error, _unidentified(data)) from None
    except ImportError as error:
        raise MachineError(not_loaded(error)) from None
    # A decoder given a broken file raises almost anything (struct.error, KeyError, zlib.error …);
    # all of it means the same to whoever has the file.
    except Exception as error:
        raise blamed(error, "is damaged or truncated: its pixels cannot be decoded") from None


def _decoded(data: bytes, limits: Limits, min_side: int | None) -> Radiograph:
    if _kind(data) == "TIFF":
        return _tiff(data, limits)
    notes: list[str] = []
    image = _open(data, limits)
    if getattr(image, "is_animated", False):
        notes.append("has more than one page or frame: only the first was read")
    shrunk = _shrink(image, min_side) if min_side else 1
    radiograph = _loaded(image, notes, data)
    if shrunk > 1:
        radiograph.facts["shrunk"] = shrunk
        for side in ("width", "height"):
            radiograph.facts[side] *= shrunk
    return radiograph


def _loaded(image: Image.Image, notes: list[str], data: bytes) -> Radiograph:
    """The pixels decoded, of a file of these bytes."""
    facts: dict[str, Any] = {"format": image.format, "mode": image.mode}
    deep_colour = _is_deep_colour(image)
    if deep_colour and "transparency" in image.info:  # of 16 bits, and Pillow keeps 8 of a pixel
        raise ImageError("is 16-bit colour with a transparent one: save it as 16-bit gray")
    stored_as = (getattr(image, "tag_v2", None) or {}).get(EXIF_ORIENTATION)  # gone once loaded
    source = getattr(image, "fp", None)  # gone once loaded, too
    notes += _left_of_bmp(image, data) if image.format == "BMP" else []
    image.load()
    _widen_colour_map(image)
    notes += _notes_of_tones(image, data)
    if image.format != "TIFF":
        is_gray = image.mode in GRAY_MODES or image.mode.startswith("I")
        notes += _notes_of(image.info.get("icc_profile"), is_gray)
    turn = _turn(image, facts, notes)
    picture = _grayscale(image, facts, notes)
    if image.format in JPEG_FORMATS or image.info.get("compression") in JPEG_IN_TIFF:
        notes += _missing_of_jpeg(image, source, _turned_back(picture, stored_as), data)
    if turn is not None:  # gray, a quarter of the bytes
        picture = picture.transpose(turn)
    if deep_colour:
        facts.update(bits=16, window="0..65535")
        _require_full_range(picture, notes)
    facts["width"], facts["height"] = picture.size
    return Radiograph(picture, facts, tuple(notes))


def _notes_of_tones(image: Image.Image, data: bytes) -> list[str]:
    """A line on each chunk of a PNG by which viewers show its grays otherwise than it is stored."""
    said = []
    if _is_of_another_gamma(image.info):
        said.append(f"a gamma of {image.info['gamma']:g}")
    if image.format == "PNG":
        from edge_app.images import png

        if tones := png.other_tones(data):
            said.append(f"that its grays are {tones} (cICP)")
    return [f"says {each}, {BY_VIEWERS}" for each in said]


def _left_of_bmp(image: Any, data: bytes) -> list[str]:
    """A line where a row or more is left behind a BMP's picture, as of a height that is damaged.

    The last header's kind, of 124 bytes, may have a colour profile there.
    """
    (decoder, _, start, how), *_ = image.tile
    if decoder != "raw" or data[BMP_HEADER] == LARGEST_BMP_HEADER:
        return []
    row, left = how[1], data[start + how[1] * image.height :]
    if len(left) < row or not left.strip(b"\0"):
        return []
    return [
        f"has {len(left)} bytes more than its rows and columns take: they may be wrong, and a part "
        "of the picture missing"
    ]


def _notes_of(colours: Any, is_gray: bool) -> list[str]:
    """See `profile.notes`."""
    if not colours:
        return []
    from edge_app.images import profile

    return profile.notes(colours, is_gray=is_gray)


def _missing_of_jpeg(
    image: Image.Image, source: Any, stored: Image.Image, data: bytes
) -> list[str]:
    """A line on each sign that a JPEG lacks something; of a TIFF, its last rows alone show one.

    Args:
        image: of the file.
        source: what it was decoded from.
        stored: its gray picture, before it is turned.
        data: of the file.
    """
    from edge_app.images import jpeg, jpeg_scans

    missing = jpeg_scans.missing(data) if image.format in JPEG_FORMATS else None
    notes = [missing] if missing else []
    if isinstance(source, jpeg.Watched) and source.ends_late:
        notes.append(jpeg.ENDS_LATE)
    filling = 255 - jpeg.FILLING if _is_white_zero(image) else jpeg.FILLING
    ends = [
        jpeg.ends_early(np.asarray(stored.crop(box)), filling) for box in _ends(image, *stored.size)
    ]
    places = np.flatnonzero(ends).tolist()
    if places and (missing or not _is_whole(image, data, places, len(ends))):
        notes.append(jpeg.ENDS_EARLY)
    return notes


def _missing_of_strips(strips: Iterable[bytes]) -> list[str]:
    """A line on each sign that strips or tiles lack something, each of them a JPEG."""
    from edge_app.images import jpeg, jpeg_scans

    notes: dict[str | None, None] = {}  # as a set, in the order in which they are seen
    for strip in strips:
        notes[jpeg_scans.missing(strip)] = None
        notes[None if jpeg.has_end(strip) else jpeg.LACKS_END] = None
    return [note for note in notes if note]


def _is_whole(image: Image.Image, data: bytes, places: list[int], count: int) -> bool:
    """See `jpeg.is_whole`; of a TIFF, the JPEGs at these of so many places."""
    from edge_app.images import jpeg, tiff

    def is_as_shown(other: bytes) -> bool:
        again = _identified(other)
        again.draft(None, image.size)
        return _are_same(image, again)

    if image.format in JPEG_FORMATS:
        return jpeg.is_whole(data, is_as_shown)
    page = tiff.pages(data)[0]
    limits = page.value(tiff.TILE_WIDTH, page.size[0]), page.value(tiff.TILE_HEIGHT, page.size[1])
    if len(places) > MAX_PLACES:
        return False
    pieces = [*tiff.jpegs_at(page, data, places, count)]
    return bool(pieces) and all(_is_whole_piece(each, limits) for each in pieces)


def _is_whole_piece(piece: bytes, limits: tuple[int, int]) -> bool:
    """See `jpeg.is_whole`; one that is larger than a strip or tile may be is not tried."""
    from edge_app.images import jpeg

    def is_same(other: bytes) -> bool:
        one, again = _identified(piece), _identified(other)
        fits = one.width <= limits[0] and one.height <= limits[1]
        return fits and _are_same(one, again)

    return jpeg.is_whole(piece, is_same)


def _are_same(image: Image.Image, again: Image.Image) -> bool:
    return image.size == again.size and all(
        image.crop(box).tobytes() == again.crop(box).tobytes() for box in _strips(image)
    )


def _widen_colour_map(image: Image.Image) -> None:
    """Read a TIFF's palette of 8-bit colours as libtiff does; Pillow takes it for 16 bits."""
    colours = (getattr(image, "tag_v2", None) or {}).get(TIFF_COLOUR_MAP, ())
    if image.mode == "P" and colours and max(colours) < 256:
        image.putpalette(np.reshape(np.array(colours, np.uint8), (3, -1)).T.tobytes())


def _turned_back(picture: Image.Image, orientation: int | None) -> Image.Image:
    """A TIFF's picture as it is stored, which Pillow turned upright."""
    from PIL.Image import Transpose

    name = TURNS.get({6: 8, 8: 6}.get(orientation, orientation)) if orientation else None
    return picture if name is None else picture.transpose(Transpose[name])


def _ends(image: Image.Image, width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """The end of the last row of a JPEG, and of each strip or tile of a TIFF."""
    from edge_app.images.jpeg import BLOCK

    tags = getattr(image, "tag_v2", None) or {}
    across = tags.get(TIFF_TILE_WIDTH) or width
    down = tags.get(TIFF_TILE_HEIGHT) or tags.get(TIFF_ROWS_PER_STRIP) or height
    for bottom in (*range(down, height, down), height):
        for left in range(0, width, across):
            right = min(left + across, width)
            yield max(left, right - BLOCK), bottom - 1, right, bottom


def _is_of_another_gamma(info: dict[Any, Any]) -> bool:
    """Whether a PNG's gAMA chunk has another gray shown than is stored (W3C, 11.3.2.2)."""
    gamma = info.get("gamma")
    if not gamma or "srgb" in info or info.get("icc_profile"):  # each of them overrides it
        return False
    shown = 255 * (MIDDLE / 255) ** (1 / (DISPLAY_GAMMA * gamma))
    return abs(shown - MIDDLE) > NOTICED


def _tiff(data: bytes, limits: Limits) -> Radiograph:
    """The page of a TIFF that holds its picture, decoded whole or sample by sample."""
    from edge_app.images import tiff, tiff_samples

    found = tiff.pages(data)
    number, note = tiff.full_size(found)
    notes = [note] if note else []
    page = found[number]
    _require_readable(page, data, limits)
    is_gray = page.value(tiff.PHOTOMETRIC, -1) in (tiff.WHITE_IS_ZERO, tiff.BLACK_IS_ZERO)
    notes += _notes_of(tiff.profile(page, data), is_gray)
    notes += _missing_of_strips(tiff.jpegs(page, data))
    if number:
        data = tiff.starting_at(page, data)
    with native_stderr.silenced():  # libtiff and Pillow print what they think of damaged tags
        if tiff_samples.is_needed(page):
            facts: dict[str, Any] = {"format": "TIFF", "exif_orientation": 1}
            pixels = tiff_samples.decode(page, data, _plane, facts, notes)
            facts["height"], facts["width"] = pixels.shape
            return Radiograph(pixels, facts, tuple(notes))
        try:
            return _loaded(_open(data, limits), notes, data)
        except OSError as error:
            if shortage_of(error) or page.value(tiff.COMPRESSION, 1) in tiff.COMMON_COMPRESSIONS:
                raise
        except _UnidentifiedError:
            pass
    raise ImageError(f"{_unidentified(data)}: {page}")


def _require_readable(page: tiff.Page, data: bytes, limits: Limits) -> None:
    from edge_app.images import tiff, tiff_samples

    require_pixels(*page.size, limits)
    if tiff.PHOTOMETRIC not in page.tags:
        raise ImageError(
            "is a TIFF that does not say whether 0 is black or white (tag 262): save it anew with "
            "another program"
        )
    if page.is_tiled:  # one tile is decoded whole, however small the picture is
        require_pixels(page.value(tiff.TILE_WIDTH), page.value(tiff.TILE_HEIGHT), limits)
    tiff.require_pieces(page, data)
    if page.format == tiff.FLOAT:
        raise ImageError("holds floating-point pixels without a display range: save it as 16-bit")
    tiff.require_sound(page, data)
    if tiff_samples.is_unread(page):
        raise ImageError(f"is a TIFF of a kind that is not read: {page}: save it as 16-bit gray")


def _plane(data: bytes) -> NDArray[Any]:
    """A gray TIFF's samples, height×width, as they are stored."""
    return np.asarray(_identified(data))


def _open(data: bytes, limits: Limits) -> Image.Image:
    """The image with its header read and found harmless, nothing decoded yet."""
    if data.startswith(b"MM\0*"):
        _read_big_endian_white_is_zero()
    image = _identified(data)
    require_pixels(*image.size, limits)
    if image.format in JPEG_FORMATS:
        from edge_app.images import jpeg

        image.fp = jpeg.Watched(data)
    return image


class _UnidentifiedError(Exception):
    """It is no image of `FORMATS`, or of a kind that Pillow does not know."""


def _identified(data: bytes) -> ImageFile.ImageFile:
    """`Image.open`, with no more modules imported than the commonest two formats need.

    Raises:
        _UnidentifiedError: it is none of `FORMATS`.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked by the declared size
    name = _kind(data)
    try:
        if name not in PLUGINS:
            return Image.open(BytesIO(data), formats=FORMATS)
        import_module(f"PIL.{PLUGINS[name]}")
        factory, _ = Image.OPEN[name]
        if name == "PNG":
            from edge_app.images import png

            image = factory(png.inflated(data), "")
            image.decodermaxblock = png.AT_ONCE
            if image.mode in ("1", "L") and "transparency" in image.info:
                image.info["transparency"] = png.clear_gray(data)
            return image
        return factory(BytesIO(data), "")
    except (UnidentifiedImageError, SyntaxError, IndexError, TypeError, struct.error) as error:
        raise _UnidentifiedError from error


def _kind(data: bytes) -> str | None:
    """The format that a file's first bytes promise."""
    return next((name for sign, name in SIGNATURES.items() if data.startswith(sign)), None)


def _shrink(image: Image.Image, min_side: int) -> int:
    """Have the decoder of a JPEG average its blocks; answers by how much each side shrinks."""
    if image.format != "JPEG":
        return 1
    width, height = image.size
    for scale in (8, 4, 2):
        if width % scale == height % scale == 0 and min(width, height) >= scale * min_side:
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


def _turn(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Transpose | None:
    """What turns the pixels upright; None where they are."""
    from PIL.Image import Transpose

    if image.format == "TIFF":  # Pillow turned it as it loaded; before 10 it kept the tag
        facts["exif_orientation"] = 1
        return None
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # camera software writes EXIF that no parser takes; the pixels are fine
        orientation = 1
        notes.append("has unreadable EXIF data: it was taken to be upright")
    facts["exif_orientation"] = int(orientation) if orientation in range(1, 9) else 1
    name = TURNS.get(facts["exif_orientation"])
    return None if name is None else Transpose[name]


def _is_deep_colour(image: Image.Image) -> bool:
    tiles = getattr(image, "tile", ())
    return not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in tiles)


def _require_full_range(picture: Image.Image, notes: list[str]) -> None:
    """Refuse 16-bit colour of few bits: Pillow keeps the upper byte, and with it too few grays."""
    from edge_app.images.sample_range import histogram_of, range_of

    upper = np.asarray(picture).astype(np.uint16) * np.uint16(256)
    bits = range_of(histogram_of(upper), whole=False).bits
    if bits < DEEP_BITS - 1:
        raise ImageError("is 16-bit colour with 14 bits or fewer in use: save it as 16-bit gray")
    if bits < DEEP_BITS:
        notes.append("is 16-bit colour with perhaps 15 bits in use: save it as 16-bit gray")


def _grayscale(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Image:
    """Any mode Pillow decodes → L; deep samples are windowed, never cut to a byte."""
    from PIL import Image

    if image.mode.startswith("I"):
        return _deep(image, facts, notes)
    if image.mode == "F":
        raise ImageError("holds floating-point pixels without a display range: save it as 16-bit")
    facts.update(bits=8, window="0..255", inverted=_is_white_zero(image))
    if image.mode == "L" and "transparency" not in image.info:
        return image
    seen = _Seen()
    boxes = list(_strips(image))
    if len(boxes) == 1:
        gray = _gray_strip(image, seen)
    else:
        gray = Image.new("L", image.size)
        for box in boxes:
            gray.paste(_gray_strip(image.crop(box), seen), box)
    if seen.transparent:
        notes.append(ON_BLACK)
    if seen.colour is not None:
        facts["colour"] = seen.colour
    if seen.colour:
        notes.append("is a colour picture: its brightness was used")
    return gray


class _Seen:
    """What strips have shown; `colour` is None where none has more than one channel."""

    transparent = False
    colour: bool | None = None


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of `STRIP_PIXELS`, or of one row, that make up a picture."""
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield 0, top, image.width, min(top + rows, image.height)


def _gray_strip(image: Image.Image, seen: _Seen) -> Image.Image:
    from PIL import Image

    if image.mode == "La":  # multiplied by its opacity already, which lays it on black
        image = Image.fromarray(np.asarray(image)[:, :, 0])
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        image = _opaque(image, seen)
    if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        seen.colour = bool(seen.colour) or _is_colour(image)
    return image if image.mode == "L" else image.convert("L")


def _opaque(image: Image.Image, seen: _Seen) -> Image.Image:
    from PIL import Image

    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    seen.transparent = True
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

    from edge_app.images.sample_range import windowed

    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ImageError("holds samples outside 0..65535: save it as 16-bit unsigned")
    values = counted = values.astype(np.uint16, copy=False)
    clear = values == image.info["transparency"] if "transparency" in image.info else np.False_
    if clear.any():
        notes.append(ON_BLACK)
        values = np.where(clear, np.uint16(0), values)
        counted = values if clear.all() else counted[~clear]
    pixels = windowed(values, facts, notes, counted)
    # Pillow turns an 8-bit TIFF with WhiteIsZero the right way round, a 16-bit one not.
    facts["inverted"] = _is_white_zero(image)
    return Image.fromarray(255 - pixels if facts["inverted"] else pixels)


def _is_white_zero(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", None) or {}
    return image.format == "TIFF" and tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO
