"""Samples of a TIFF that Pillow mistakes or does not take, decoded plane by plane.

Pillow reads one plane of gray rightly whatever its compression. So a directory that says no more
than that is appended to the file for each plane, and the planes are put together here: signed
samples, planes stored one after the other, gray with an opacity, and 16-bit colour, of which Pillow
would keep the upper byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.images import tiff
from edge_app.images.sample_range import windowed
from edge_app.images.tiff import Page

Samples = NDArray[Any]
"""Height×width×samples or height×width, uint8 or uint16."""

Gray = NDArray[np.uint8]

COLOURS: Final = {tiff.WHITE_IS_ZERO: 1, tiff.BLACK_IS_ZERO: 1, tiff.RGB: 3}
MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

OF_BYTES: Final = (1, 5, 8, 32946, 32773, 34925, 50000)
"""Compressions that know nothing of the picture: none, LZW, Deflate, PackBits, LZMA, Zstandard."""

DIFFERENCES: Final = 2
PREDICTED: Final = (5, 8, 32946, 34925, 50000)
"""Compressions that heed a predictor of `DIFFERENCES`: samples less the one to the left."""

ASSOCIATED, UNASSOCIATED = 1, 2
"""Kinds of an extra sample that is an opacity; with the first, the others are multiplied by it."""

LUMA: Final = (19595, 38470, 7471)
"""Parts of red, green and blue in 65536 of gray (ITU-R BT.601), as Pillow has them."""

COLOUR_TOLERANCE: Final = 8 / 255


def is_needed(page: Page) -> bool:
    """Whether a page's samples are of a kind that is decoded here."""
    photometric, samples = page.value(tiff.PHOTOMETRIC, -1), page.samples
    colours = COLOURS.get(photometric, 0)
    if (
        page.bits not in (8, 16)
        or page.value(tiff.COMPRESSION, 1) not in OF_BYTES
        or page.predictor not in (1, DIFFERENCES)
        or not colours <= samples <= colours + 1
        or not colours
    ):
        return False
    if page.format == tiff.SIGNED:
        return samples == 1
    if page.format != tiff.UNSIGNED:
        return False
    if samples == 1:
        reversed_bits = page.value(tiff.FILL_ORDER, 1) != 1
        return reversed_bits or (page.is_big and page.order == ">")
    planar = page.value(tiff.PLANAR, 1) == tiff.SEPARATE_PLANES
    return planar or page.bits == 16 or colours == 1


def is_unread(page: Page) -> bool:
    """Whether it is of a kind that Pillow mistakes and that is not decoded here either."""
    compression = page.value(tiff.COMPRESSION, 1)
    if compression in OF_BYTES and compression not in PREDICTED and page.predictor != 1:
        return True  # libtiff passes over such a predictor, tifffile heeds it
    if is_needed(page):
        return False
    planar = page.value(tiff.PLANAR, 1) == tiff.SEPARATE_PLANES
    return (page.format != tiff.UNSIGNED and page.bits < 32) or (
        planar and page.samples > 1 and (page.bits != 8 or tiff.EXTRA_SAMPLES in page.tags)
    )


def decode(
    page: Page,
    data: bytes,
    plane: Callable[[bytes], NDArray[Any]],
    facts: dict[str, Any],
    notes: list[str],
) -> Gray:
    """The picture, height×width, upright, 0 is black.

    Args:
        page: for which `is_needed`.
        data: of the file.
        plane: decodes the first page of a TIFF of one plane of unsigned samples.
        facts: are told mode, bits, window, polarity and colour.
        notes: get a line for what is unusual.
    """
    samples = _joined(page, [plane(file) for file in _gray_files(page, data)])
    signed = page.format == tiff.SIGNED
    deep = page.bits == 16
    facts["mode"] = MODES[page.samples] + (";16" if deep else "") + ("S" if signed else "")
    if signed:
        samples = _unsigned(samples, notes)
    facts["inverted"] = page.value(tiff.PHOTOMETRIC) == tiff.WHITE_IS_ZERO
    if facts["inverted"]:
        samples = np.invert(samples)
    gray = _on_black(page, _gray(page, samples, facts, notes), samples, notes)
    if gray.dtype == np.uint16:
        colours = samples[:, :, :3] if facts.get("colour") else gray
        return windowed(gray, facts, notes, colours)
    facts.update(bits=8, window="0..255")
    return gray.astype(np.uint8, copy=False)


def _gray_files(page: Page, data: bytes) -> Iterator[bytes]:
    """The file once for each separate plane, or once with interleaved samples side by side."""
    planes = page.samples if page.value(tiff.PLANAR, 1) == tiff.SEPARATE_PLANES else 1
    interleaved = page.samples // planes
    width, height = page.size
    kept = (tiff.COMPRESSION, tiff.FILL_ORDER, tiff.ROWS_PER_STRIP, tiff.TILE_HEIGHT)
    tags = {tag: page.tags[tag] for tag in kept if tag in page.tags} | {
        tiff.WIDTH: (interleaved * width,),
        tiff.HEIGHT: (height,),
        tiff.BITS: (page.bits,),
        tiff.PHOTOMETRIC: (tiff.BLACK_IS_ZERO,),
        tiff.SAMPLES: (1,),
    }
    keys = (tiff.STRIP_OFFSETS, tiff.STRIP_SIZES)
    if page.is_tiled:
        tags[tiff.TILE_WIDTH] = (interleaved * page.value(tiff.TILE_WIDTH),)
        keys = (tiff.TILE_OFFSETS, tiff.TILE_SIZES)
    offsets, sizes = page.pieces
    each = len(offsets) // planes
    if not each:
        raise ImageError("is damaged or truncated: it does not say where its pixels are")
    for plane in range(planes):
        part = slice(plane * each, (plane + 1) * each)
        places = {keys[0]: offsets[part]} | ({keys[1]: sizes[part]} if sizes else {})
        yield _with_directory(page.order, tags | places, data)


def _with_directory(order: str, tags: dict[int, tuple[int, ...]], data: bytes) -> bytes:
    """`data` with a classic directory more at its end, and a head that leads there."""
    place = len(data) + len(data) % 2
    after = place + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, numbers in sorted(tags.items()):
        if max(after, *numbers) >= 1 << 31:
            raise ImageError("is a TIFF of 2 GiB or more, of a kind that is read only below that")
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers))
        entries += packed if len(numbers) == 1 else struct.pack(f"{order}I", after + len(values))
        values += packed if len(numbers) > 1 else b""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, place)
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return head + data[8:] + bytes(len(data) % 2) + directory + values


def _joined(page: Page, planes: Sequence[NDArray[Any]]) -> Samples:
    """Height×width×samples of what `_gray_files` hold; signed ones stay as their bits are."""
    width, height = page.size
    kind = np.uint16 if page.bits == 16 else np.uint8
    arrays = [plane.astype(kind, copy=False).reshape(height, width, -1) for plane in planes]
    samples = np.concatenate(arrays, axis=2)
    heeded = page.value(tiff.COMPRESSION, 1) in PREDICTED
    if heeded and page.predictor == DIFFERENCES:
        step = page.value(tiff.TILE_WIDTH) if page.is_tiled else width
        for start in range(0, width, step):
            part = samples[:, start : start + step]
            part[:] = np.cumsum(part, axis=1, dtype=kind)
    return upright(samples, page.value(tiff.ORIENTATION, 1))


def upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The picture as it is to be seen, of one stored as tag 274 says (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _unsigned(samples: Samples, notes: list[str]) -> Samples:
    """Signed samples, counted from 0 on: from the lowest value of the bits that they use."""
    bits = 8 * samples.itemsize
    values = samples.view(f"i{samples.itemsize}").astype(np.int32)
    low, high = int(values.min()), int(values.max())
    if low >= 0:
        if bits == 8:
            notes.append("uses 7 of its 8 bits, for it is signed: windowed to them")
            values *= 2
        return values.astype(samples.dtype)
    used = bits if bits == 8 else 1 + max(7, high.bit_length(), (~low).bit_length())
    notes.append(f"holds signed samples, {low}..{high}: {-1 << used - 1} was taken for black")
    return (values + (1 << used - 1)).astype(samples.dtype)


def _gray(page: Page, samples: Samples, facts: dict[str, Any], notes: list[str]) -> Samples:
    if page.value(tiff.PHOTOMETRIC) != tiff.RGB:
        return samples[:, :, 0]
    red, green, blue = (samples[:, :, channel] for channel in range(3))
    furthest = max(
        int((np.maximum(one, green) - np.minimum(one, green)).max()) for one in (red, blue)
    )
    facts["colour"] = furthest > COLOUR_TOLERANCE * float(np.iinfo(samples.dtype).max)
    if facts["colour"]:
        notes.append("is a colour picture: its brightness was used")
    luma = np.full(red.shape, 1 << 15, np.uint32)
    for channel, weight in zip((red, green, blue), LUMA, strict=True):
        luma += np.multiply(channel, weight, dtype=np.uint32)
    return (luma >> 16).astype(samples.dtype)


def _on_black(page: Page, gray: Samples, samples: Samples, notes: list[str]) -> Samples:
    """The picture laid on black where an extra sample is its opacity."""
    kind = page.value(tiff.EXTRA_SAMPLES)
    if samples.shape[2] in (1, 3) or kind not in (ASSOCIATED, UNASSOCIATED):
        return gray
    opacity, full = samples[:, :, -1], int(np.iinfo(samples.dtype).max)
    if page.value(tiff.PHOTOMETRIC) == tiff.WHITE_IS_ZERO:
        opacity = np.invert(opacity)
    if opacity.min() == opacity.max():
        if opacity.flat[0] != full:
            notes.append("has the same opacity everywhere: it was left out")
        return gray
    if page.value(tiff.PHOTOMETRIC) == tiff.WHITE_IS_ZERO and kind == ASSOCIATED:
        raise ImageError("is a partly transparent TIFF with white as 0: save it without opacity")
    notes.append("is partly transparent: it was laid on black")
    if kind == ASSOCIATED:
        return gray
    return ((gray.astype(np.uint32) * opacity + full // 2) // full).astype(samples.dtype)
