"""TIFF: which page holds the picture, and every way in which its samples may lie."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ..pictures import DATA, encoded, lying, radiograph, read, refusal, tiff, tiff_of

PICTURE = radiograph()
DEEP = PICTURE.astype(np.uint16) * 257
HEIGHT, WIDTH = PICTURE.shape
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, MASK = 0, 1, 2, 4
ASSOCIATED, UNASSOCIATED = 1, 2
SEVERAL = "has more than one page or frame: only the first was read"

Tags = dict[int, Any]


def directory(order: str, place: int, tags: Tags, following: int) -> bytes:
    """A directory at a place, its longer values behind it."""
    entries, values = b"", b""
    after = place + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        numbers = value if isinstance(value, (list, tuple)) else [value]
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers))
        entries += packed if len(numbers) == 1 else struct.pack(f"{order}I", after + len(values))
        values += packed if len(numbers) > 1 else b""
    head = struct.pack(f"{order}H", len(tags))
    return head + entries + struct.pack(f"{order}I", following) + values


def pages_of(*pages: tuple[NDArray[Any], Tags], order: str = "<", below: int = 0) -> bytes:
    """An uncompressed gray TIFF; the last `below` pages are children of the first."""
    body = bytearray((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 0))
    strips = []
    for samples, _ in pages:
        strips.append(len(body))
        body += samples.astype(samples.dtype.newbyteorder(order)).tobytes()
        body += bytes(len(body) % 2)
    following, children = 0, []
    for index in reversed(range(len(pages))):
        samples, extra = pages[index]
        height, width = samples.shape
        tags = {256: width, 257: height, 258: 8 * samples.itemsize, 259: 1, 262: 1, 277: 1}
        tags |= {273: strips[index], 278: height, 279: samples.nbytes} | extra
        is_child = index >= len(pages) - below
        if index == 0 and children:
            tags[330] = children[::-1]
        place = len(body)
        body += directory(order, place, tags, 0 if is_child else following)
        if is_child:
            children.append(place)
        else:
            following = place
    struct.pack_into(f"{order}I", body, 4, following)
    return bytes(body)


def reduced(by: int, samples: NDArray[Any] = PICTURE) -> NDArray[Any]:
    return np.ascontiguousarray(samples[::by, ::by])


# Pages


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "tags", [{254: 1}, {255: 2}, {254: 0}, {}], ids=["tag 254", "tag 255", "full", "untold"]
)
def test_a_reduced_copy_before_the_picture_is_passed_over(tags: Tags, order: str) -> None:
    image = read(pages_of((reduced(4), tags), (DEEP, {}), order=order))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert (image.facts["width"], image.facts["height"]) == (WIDTH, HEIGHT)
    assert image.warnings == (
        "has smaller copies or masks on other pages: page 2 of 2, the full size, was read",
    )


def test_a_reduced_copy_may_be_as_large_as_it_likes() -> None:
    """What says of itself that it is a copy is none, whatever its size."""
    other = np.full_like(PICTURE, 9)
    image = read(pages_of((np.tile(other, (2, 2)), {254: 1}), (PICTURE, {})))
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_copies_behind_the_picture_change_nothing() -> None:
    pyramid = [(reduced(by), {254: 1}) for by in (2, 4, 8)]
    image = read(pages_of((PICTURE, {}), *pyramid))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert "page 1 of 4, the full size" in image.warnings[0]


@pytest.mark.parametrize("below", [1, 2])
def test_a_picture_in_a_sub_directory_is_found(below: int) -> None:
    image = read(
        pages_of((reduced(8), {254: 1}), (PICTURE, {254: 0}), (reduced(2), {254: 1}), below=below)
    )
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_a_mask_is_no_picture() -> None:
    mask = np.full_like(PICTURE, 255)
    for tags in ({254: 4}, {262: MASK}):
        image = read(pages_of((mask, tags), (PICTURE, {})))
        np.testing.assert_array_equal(image.pixels, PICTURE)
    assert "transparency mask" in refusal(pages_of((mask, {254: 4})))


def test_a_lone_page_is_read_whatever_it_says_of_itself() -> None:
    image = read(pages_of((PICTURE, {254: 1})))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ()


def test_a_thumbnail_of_another_shape_is_passed_over() -> None:
    square = np.zeros((16, 16), np.uint8)
    full = np.tile(PICTURE, (2, 2))
    np.testing.assert_array_equal(read(pages_of((square, {}), (full, {}))).pixels, full)


@pytest.mark.parametrize("other", [PICTURE, np.zeros((HEIGHT + 9, WIDTH), np.uint8), DEEP])
def test_of_several_pictures_the_first_is_read_and_told(other: NDArray[Any]) -> None:
    image = read(pages_of((PICTURE, {}), (other, {})))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == (SEVERAL,)


def test_of_several_pictures_behind_a_copy_the_number_is_told() -> None:
    image = read(pages_of((reduced(4), {254: 1}), (PICTURE, {}), (PICTURE, {})))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ("has more than one page or frame: only page 2 was read",)


def test_directories_in_a_circle_end() -> None:
    data = bytearray(tiff(PICTURE))
    place = struct.unpack_from("<I", data, 4)[0]
    end = place + 2 + 12 * struct.unpack_from("<H", data, place)[0]
    struct.pack_into("<I", data, end, place)
    np.testing.assert_array_equal(read(bytes(data)).pixels, PICTURE)


# Samples


def strips_of(
    samples: NDArray[Any], tags: Tags, order: str, packed: bool, planar: bool, predictor: bool
) -> bytes:
    """Samples height×width×channels in strips of 20 rows, interleaved or plane by plane."""
    height, width, channels = samples.shape
    planes = [samples[..., c : c + 1] for c in range(channels)] if planar else [samples]
    strips = []
    for plane in planes:
        stored = plane
        if predictor:
            stored = np.diff(plane, axis=1, prepend=plane.dtype.type(0))
        for row in range(0, height, 20):
            part = stored[row : row + 20]
            raw = part.astype(part.dtype.newbyteorder(order)).tobytes()
            strips.append(zlib.compress(raw) if packed else raw)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    tags = {256: width, 257: height, 258: [8 * samples.itemsize] * channels, 277: channels} | tags
    tags |= {259: 8 if packed else 1, 278: 20, 284: 2 if planar else 1}
    tags |= {317: 2} if predictor else {}
    tags |= {273: [0] * len(strips), 279: [len(strip) for strip in strips]}
    start = 8 + len(directory(order, 8, tags, 0))
    tags[273] = [start + sum(map(len, strips[:index])) for index in range(len(strips))]
    return head + directory(order, 8, tags, 0) + b"".join(strips)


LAYOUTS = pytest.mark.parametrize(
    ("order", "packed", "planar", "predictor"),
    [
        (order, packed, planar, predictor)
        for order in "<>"
        for planar in (False, True)
        for packed, predictor in ((False, False), (True, False), (True, True))
    ],
)


@LAYOUTS
@pytest.mark.parametrize("samples", [PICTURE, DEEP], ids=["8-bit", "16-bit"])
@pytest.mark.parametrize(
    ("photometric", "channels", "opacity"),
    [
        (RGB, 3, None),
        (RGB, 4, 0),
        (RGB, 4, ASSOCIATED),
        (RGB, 4, UNASSOCIATED),
        (BLACK_IS_ZERO, 2, 0),
        (BLACK_IS_ZERO, 2, ASSOCIATED),
        (BLACK_IS_ZERO, 2, UNASSOCIATED),
        (WHITE_IS_ZERO, 2, UNASSOCIATED),
    ],
)
def test_opaque_colour_and_gray_of_every_layout(
    order: str,
    packed: bool,
    planar: bool,
    predictor: bool,
    samples: NDArray[Any],
    photometric: int,
    channels: int,
    opacity: int | None,
) -> None:
    full = np.iinfo(samples.dtype).max
    colours = channels - (opacity is not None)
    stored = full - samples if photometric == WHITE_IS_ZERO else samples
    planes = [stored] * colours + [np.full_like(samples, full)] * (channels - colours)
    tags: Tags = {262: photometric} | ({} if opacity is None else {338: opacity})
    image = read(strips_of(np.stack(planes, -1), tags, order, packed, planar, predictor))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ()
    assert image.facts["bits"] == 8 * samples.itemsize


@LAYOUTS
def test_16_bit_colour_keeps_its_bits(
    order: str, packed: bool, planar: bool, predictor: bool
) -> None:
    """Of 12 bits in 16 the upper byte would leave 16 grays."""
    samples = np.stack([PICTURE.astype(np.uint16) * 16 + 5] * 3, -1)
    image = read(strips_of(samples, {262: RGB}, order, packed, planar, predictor))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert (image.facts["bits"], image.facts["window"]) == (12, "0..4095")


@LAYOUTS
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, WHITE_IS_ZERO])
@pytest.mark.parametrize(
    ("kind", "values", "black"),
    [
        (np.int8, PICTURE.astype(int) - 128, -128),
        (np.int16, PICTURE.astype(int) * 16 - 2048, -2048),
        (np.int16, PICTURE.astype(int) * 256 - 32_768, -32_768),
    ],
    ids=["8-bit", "12 of 16 bits", "16-bit"],
)
def test_signed_samples_count_from_their_lowest(
    order: str,
    packed: bool,
    planar: bool,
    predictor: bool,
    photometric: int,
    kind: Any,
    values: NDArray[Any],
    black: int,
) -> None:
    stored = (-1 - values if photometric == WHITE_IS_ZERO else values).astype(kind)
    tags = {262: photometric, 339: 2}
    image = read(strips_of(stored[..., None], tags, order, packed, planar, predictor))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert f"{black} was taken for black" in image.warnings[0]


def test_signed_samples_without_a_negative_one_are_as_they_are() -> None:
    deep = (PICTURE.astype(np.int16) * 16)[..., None]
    image = read(strips_of(deep, {262: 1, 339: 2}, "<", False, False, False))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ("uses 12 of 16 bits: windowed to them",)


@pytest.mark.parametrize("kind", [ASSOCIATED, UNASSOCIATED])
@pytest.mark.parametrize("samples", [PICTURE, DEEP], ids=["8-bit", "16-bit"])
@pytest.mark.parametrize("planar", [False, True])
def test_what_is_transparent_is_laid_on_black(
    kind: int, samples: NDArray[Any], planar: bool
) -> None:
    full = np.iinfo(samples.dtype).max
    opacity = np.full_like(samples, full)
    opacity[:, 40:] = 0
    gray = np.where(opacity == 0, 0, samples) if kind == ASSOCIATED else samples
    tags = {262: BLACK_IS_ZERO, 338: kind}
    image = read(strips_of(np.stack([gray, opacity], -1), tags, "<", False, planar, False))
    assert (image.pixels[:, 40:] == 0).all()
    np.testing.assert_array_equal(image.pixels[:, :40], PICTURE[:, :40])
    assert image.warnings == ("is partly transparent: it was laid on black",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_decoded_by_planes_is_turned_upright(orientation: int) -> None:
    stored = np.stack([lying(DEEP, orientation)] * 3, -1)
    image = read(strips_of(stored, {262: RGB, 274: orientation}, "<", False, True, False))
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_colour_decoded_by_planes_is_told() -> None:
    red = np.zeros((*DEEP.shape, 3), np.uint16)
    red[..., 0] = DEEP
    image = read(strips_of(red, {262: RGB}, "<", False, True, False))
    assert image.facts["colour"] is True
    assert "is a colour picture: its brightness was used" in image.warnings
    assert np.abs(image.pixels - 0.299 * PICTURE).max() <= 1  # though its luma uses 15 bits


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, WHITE_IS_ZERO])
def test_bits_in_reversed_order_are_read(order: str, photometric: int) -> None:
    stored = np.packbits(np.unpackbits(PICTURE).reshape(-1, 8)[:, ::-1]).reshape(PICTURE.shape)
    data = stored.tobytes()
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: photometric, 266: 2}
    tags |= {273: DATA, 277: 1, 278: HEIGHT, 279: len(data)}
    expected = PICTURE if photometric else 255 - PICTURE
    np.testing.assert_array_equal(read(tiff_of(tags, data, order)).pixels, expected)


def big_tiff(samples: NDArray[Any], order: str) -> bytes:
    """A BigTIFF of one strip."""
    height, width = samples.shape[:2]
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    tags = {256: width, 257: height, 258: 8 * samples.itemsize, 259: 1, 262: 1, 277: 1}
    tags |= {273: 16, 278: height, 279: len(data), 339: 2 if samples.dtype.kind == "i" else 1}
    entries = b"".join(
        struct.pack(f"{order}HHQ", tag, 4, 1) + struct.pack(f"{order}IHH", value, 0, 0)
        for tag, value in sorted(tags.items())
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(
        f"{order}HHHQ", 43, 8, 0, 16 + len(data)
    )
    return head + data + struct.pack(f"{order}Q", len(tags)) + entries + bytes(8)


@pytest.mark.parametrize("order", "<>")
def test_a_big_tiff_is_read_in_every_way(order: str) -> None:
    np.testing.assert_array_equal(read(big_tiff(PICTURE, order)).pixels, PICTURE)
    signed = (PICTURE.astype(int) - 128).astype(np.int8)
    np.testing.assert_array_equal(read(big_tiff(signed, order)).pixels, PICTURE)


# Refusals


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_every_float_is_refused_by_its_kind(kind: Any) -> None:
    samples = PICTURE.astype(kind)
    tags = {256: WIDTH, 257: HEIGHT, 258: 8 * samples.itemsize, 259: 1, 262: 1, 339: 3}
    tags |= {273: DATA, 277: 1, 278: HEIGHT, 279: samples.nbytes}
    assert "floating-point" in refusal(tiff_of(tags, samples.tobytes()))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({258: 14}, "1 samples of 14 bits"),
        ({259: 34_712}, "compression JPEG 2000"),
        ({259: 4711}, "compression method 4711"),
        ({317: 2}, "compression none with predictor 2"),
        ({259: 32_773, 317: 2}, "compression PackBits with predictor 2"),
        ({259: 32_773, 317: 2, 339: 2}, "compression PackBits with predictor 2"),
        ({277: 2, 339: 2, 258: 8}, "2 signed samples of 8 bits"),
        ({262: 8}, "photometric 8"),
    ],
)
def test_an_unread_kind_is_told_in_words(tags: Tags, words: str) -> None:
    base = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1, 277: 1, 273: DATA, 278: HEIGHT}
    line = refusal(tiff_of(base | {279: 2 * PICTURE.size} | tags, bytes(2 * PICTURE.size)))
    assert words in line
    assert "kind" in line


@pytest.mark.parametrize("samples", [PICTURE, DEEP], ids=["8-bit", "16-bit"])
def test_a_tiff_that_does_not_say_which_end_is_white_is_refused(samples: NDArray[Any]) -> None:
    """Pillow shows one of 8 bits inverted, and one of 16 not."""
    tags = {256: WIDTH, 257: HEIGHT, 258: 8 * samples.itemsize, 259: 1, 277: 1, 273: DATA}
    data = tiff_of(tags | {278: HEIGHT, 279: samples.nbytes}, samples.tobytes())
    assert refusal(data).startswith("is a TIFF that does not say whether 0 is black or white")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("scale", [1, 256, 257])
def test_a_palette_of_8_or_16_bits_is_read(scale: int, order: str) -> None:
    """As OpenCV's libtiff reads it."""
    opencv = pytest.importorskip("cv2", reason="pip install 'edge-cxr[opencv]'")
    colours = (np.arange(255, -1, -1) * scale).tolist() * 3
    data = pages_of((PICTURE, {262: 3, 320: colours}), order=order)
    shown = opencv.imdecode(np.frombuffer(data, np.uint8), opencv.IMREAD_GRAYSCALE)
    assert (shown == 255 - PICTURE).all()
    assert (read(data).pixels == shown).all()


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_strips_beyond_the_file_are_counted(compression: str) -> None:
    """Pillow fills a missing strip of some compressions with black, and says nothing."""
    data = pages_of((PICTURE, {}))
    if compression != "raw":
        data = encoded(PICTURE, "TIFF", compression=compression)
    image = Image.open(io.BytesIO(data))
    offsets = image.tag_v2[273]  # type: ignore[attr-defined]
    cut = data if compression != "raw" else data[: len(data)]
    changed = cut.replace(struct.pack("<I", offsets[-1]), struct.pack("<I", len(data) - 10))
    assert "1 of its" in refusal(changed)
    assert "end beyond the file" in refusal(changed)


# Beside the pictures of another program


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("tile", [None, (32, 32)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_what_tifffile_writes_is_read_as_it_is(
    compression: str | None, tile: tuple[int, int] | None, planar: str, kind: str
) -> None:
    tifffile = pytest.importorskip("tifffile", reason="tifffile is in the extra `test`")
    pytest.importorskip("imagecodecs", reason="imagecodecs is in the extra `test`")
    samples = PICTURE if kind == "u1" else DEEP
    axis = -1 if planar == "contig" else 0
    for order in "<>":
        for predictor in (False, True) if compression in ("lzw", "deflate") else (False,):
            file = io.BytesIO()
            tifffile.imwrite(
                file,
                np.stack([samples] * 3, axis),
                photometric="rgb",
                planarconfig=planar,
                compression=compression,
                predictor=predictor or None,
                tile=tile,
                byteorder=order,
            )
            np.testing.assert_array_equal(read(file.getvalue()).pixels, PICTURE)


# Damage and bombs


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_deflated_strip_is_refused(seed: int) -> None:
    """Pillow's decoder lets some of these pass without a word."""
    data = bytearray(strips_of(PICTURE[..., None], {262: 1}, "<", True, False, False))
    generator = np.random.default_rng(seed)
    start = data.index(b"\x78\x9c") + 10
    at = int(generator.integers(start, len(data) - 40))
    if seed % 2:
        data[at : at + 20] = bytes(20)
    else:
        data[at] ^= 1 << int(generator.integers(8))
    assert "damaged" in refusal(bytes(data))


def test_strips_that_all_lie_in_one_place_take_no_longer() -> None:
    packed = zlib.compress(bytes(64 << 20))
    count = 40_000
    tags: Tags = {256: 8, 257: count, 258: 8, 259: 8, 262: 1, 277: 1, 278: 1}
    tags |= {273: [0] * count, 279: [len(packed)] * count}
    start = 8 + len(directory("<", 8, tags, 0))
    tags[273] = [start] * count
    head = b"II" + struct.pack("<HI", 42, 8)
    read(head + directory("<", 8, tags, 0) + packed)


def test_numbers_without_end_are_refused() -> None:
    tags: Tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 277: 1, 273: [1] * 2_000_001}
    head = b"II" + struct.pack("<HI", 42, 8)
    assert "more than 2000000 numbers" in refusal(head + directory("<", 8, tags, 0))
