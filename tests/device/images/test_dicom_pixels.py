"""Samples as they are stored: where they lie in their words, and what their codecs make of them."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_app.images import dicom_pixels, jpeg, jpeg_scans
from edge_app.images.phantom import synthetic_radiograph

from ..pictures import attempt, encoded, radiograph, read, refusal
from .dicom_writer import (
    ATTRIBUTES,
    BIG_ENDIAN,
    EXPLICIT,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    Written,
    fragments,
    jpeg_extended,
    meta,
    part10,
    written,
)

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

PICTURE = radiograph()
WIDE = PICTURE.astype(np.uint16)
TWELVE = WIDE << 4
FULL = {"WindowCenter": "2048", "WindowWidth": "4096"}
BEYOND = "holds values beyond its {} bits"


def near(data: bytes, margin: int = 0) -> tuple[str, ...]:
    """That the picture is shown within a margin of gray levels; its warnings."""
    image = read(data)
    assert np.abs(image.pixels.astype(int) - PICTURE).max() <= margin
    return image.warnings


# Words


@pytest.mark.parametrize("window", [{}, FULL])
@pytest.mark.parametrize("bits", [8, 9, 10, 11])
def test_samples_that_reach_beyond_their_bits_are_told(bits: int, window: dict[str, str]) -> None:
    assert refusal(written(TWELVE, bits, **window)) == BEYOND.format(bits)
    signed = TWELVE.astype(np.int16)
    assert refusal(written(signed, bits, **window)) == BEYOND.format(bits)
    assert refusal(written(signed - 2048, bits, **window)) == BEYOND.format(bits)


def test_samples_too_large_for_their_sign_are_told() -> None:
    """0..4095 in 12 signed bits would wrap round: its upper half would be black."""
    assert refusal(written(TWELVE.astype(np.int16), 12)) == BEYOND.format(12)
    mixed = TWELVE.astype(np.int16)
    mixed[5, 5] = -7
    assert refusal(written(mixed, 12)) == BEYOND.format(12)


def test_signs_that_are_cut_to_the_bits_stored_are_read() -> None:
    signed = TWELVE.astype(np.int16) - 2048
    for window in ({}, FULL | {"WindowCenter": "0"}):
        assert near(written((signed & 0xFFF).astype(np.int16), 12, **window)) == ()


@pytest.mark.parametrize("position", [12, 13, 15])
def test_an_overlay_in_the_unused_bits_is_no_picture(position: int) -> None:
    with_overlay = TWELVE.copy()
    with_overlay[::2] |= 1 << position
    overlay = {"OverlayBitsAllocated": 16, "OverlayBitPosition": position}
    assert near(written(with_overlay, 12, **overlay)) == ()
    assert refusal(written(with_overlay, 12)) == BEYOND.format(12)
    of_its_own = {"OverlayBitsAllocated": 1, "OverlayBitPosition": position}
    assert refusal(written(with_overlay, 12, **of_its_own)) == BEYOND.format(12)


@pytest.mark.parametrize("window", [{}, FULL])
@pytest.mark.parametrize("high", [12, 13, 15])
def test_samples_that_do_not_begin_at_bit_0(high: int, window: dict[str, str]) -> None:
    shift = high - 11
    assert near(written(TWELVE << shift, 12, HighBit=high, **window)) == ()
    signed = (TWELVE.astype(np.int16) - 2048) << shift
    if window:
        window = window | {"WindowCenter": "0"}
    assert near(written(signed, 12, HighBit=high, **window)) == ()


def test_an_overlay_below_the_samples() -> None:
    with_overlay = (TWELVE << 4) | 1
    overlay = {"OverlayBitsAllocated": 16, "OverlayBitPosition": 0}
    assert near(written(with_overlay, 12, HighBit=15, **overlay)) == ()


def test_a_high_bit_that_the_samples_contradict_is_told() -> None:
    line = refusal(written(TWELVE + 5, 12, HighBit=15))
    assert line == "says High Bit 15 of 12 Bits Stored, but uses the 4 bits below them"


def test_pixel_data_of_another_size_than_declared() -> None:
    assert "truncated" in refusal(written(TWELVE, 12, PixelData=TWELVE.tobytes()[:-2]))
    assert near(written(TWELVE, 12, PixelData=TWELVE.tobytes() + bytes(600))) == ()
    bytes_called_words = written(TWELVE, 8, BitsAllocated=8)
    assert "its pixel data has 6240 bytes, the 65x48 pixels of 8 bits" in refusal(
        bytes_called_words
    )


@pytest.mark.parametrize(("rows", "columns"), [(-12, 0), (-1, 0), (0, -1)])
def test_pixels_that_no_row_or_column_declares_are_told(rows: int, columns: int) -> None:
    """PS3.5 8.1.1: Pixel Data holds Rows times Columns samples, and nothing else but padding.

    A file that declares too few rows loses the lower lungs, one of a wrong width is sheared.
    """
    height, width = TWELVE.shape[0] + rows, TWELVE.shape[1] + columns
    image = read(written(TWELVE, 12, Rows=height, Columns=width))
    assert image.pixels.shape == (height, width)
    assert image.warnings == (
        f"has {TWELVE.nbytes} bytes of pixels, and its Rows and Columns take {2 * height * width}: "
        "they may be wrong, and a part of the picture missing",
    )


def test_an_odd_number_of_bytes() -> None:
    tag_and_representation = struct.pack("<HH2sH", 0x7FE0, 0x0010, b"OW", 0)
    head, longer = (
        tag_and_representation + struct.pack("<I", TWELVE.nbytes + more) for more in (0, 1)
    )
    assert near(written(TWELVE, 12).replace(head, longer) + b"\0") == ()


def test_8_bits_in_big_endian_words() -> None:
    """PS3.5 A.3: two samples of 8 bits to a word, the first one in its lower byte."""
    swapped = np.pad(PICTURE.ravel(), (0, PICTURE.size % 2)).reshape(-1, 2)[:, ::-1].tobytes()
    assert near(written(PICTURE, 8, BIG_ENDIAN, PixelData=swapped)) == ()
    assert near(written(PICTURE, 8, BIG_ENDIAN, PixelData=("OB", PICTURE.tobytes()))) == ()


@pytest.mark.parametrize("value", [b"", None])
def test_no_pixels(value: bytes | None) -> None:
    assert "holds no pixel data" in refusal(written(TWELVE, 12, PixelData=value))


# Codestreams


def compressed(
    stored: np.ndarray[Any, Any], bits: int, syntax: str, *parts: bytes, **values: Any
) -> bytes:
    return written(stored, bits, syntax, PixelData=fragments(*parts), **values)


def wavelets(picture: np.ndarray[Any, Any] = TWELVE, **options: Any) -> bytes:
    return encoded(picture, "JPEG2000", no_jp2=True, irreversible=False, **options)


def without_length(frame: bytes) -> bytes:
    """Its last tile-part's length is 0: it ends where the codestream does."""
    place = frame.rindex(b"\xff\x90\0\x0a")
    return frame[: place + 6] + bytes(4) + frame[place + 10 :]


@pytest.mark.parametrize("padding", [0, 1, 2, 9])
@pytest.mark.parametrize("open_end", [False, True])
def test_a_codestream_that_is_padded(open_end: bool, padding: int) -> None:
    frame = without_length(wavelets()) if open_end else wavelets()
    near(compressed(TWELVE, 16, JPEG_2000, frame + bytes(padding), **FULL))


def test_a_codestream_of_several_tiles_without_length() -> None:
    frame = without_length(wavelets(PICTURE, tile_size=(32, 32)))
    assert near(compressed(PICTURE, 8, JPEG_2000, frame + b"\0")) == ()


@pytest.mark.parametrize("padding", [0, 1])
def test_a_codestream_without_its_end_mark_is_read_if_it_is_whole(padding: int) -> None:
    frame = wavelets()
    assert frame.endswith(b"\xff\xd9")
    near(compressed(TWELVE, 16, JPEG_2000, frame[:-2] + bytes(padding), **FULL))
    for end in (-3, -40, len(frame) // 2):
        assert "damaged or truncated" in refusal(
            compressed(TWELVE, 16, JPEG_2000, frame[:end], **FULL)
        )


def box(kind: bytes, content: bytes, length: int | None = None, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8 if length is None else length, kind) + content


@pytest.mark.parametrize("end", ["its length", "the end of the file", "a large length"])
def test_a_jp2_file_for_a_codestream(end: str) -> None:
    jp2 = encoded(TWELVE, "JPEG2000", irreversible=False)
    near(compressed(TWELVE, 16, JPEG_2000, jp2, **FULL))
    start = jp2.index(b"jp2c") - 4
    frame = wavelets()
    last = {
        "its length": box(b"jp2c", frame) + box(b"xml ", b"<a/>"),
        "the end of the file": box(b"jp2c", frame, length=0),
        "a large length": box(b"jp2c", frame, large=True),
    }[end]
    near(compressed(TWELVE, 16, JPEG_2000, jp2[:start] + last, **FULL))


def test_a_jp2_file_without_codestream() -> None:
    jp2 = encoded(TWELVE, "JPEG2000", irreversible=False)
    for end in (jp2.index(b"jp2c") - 4, 12, 20):
        line = refusal(compressed(TWELVE, 16, JPEG_2000, jp2[:end], **FULL))
        assert "its JP2 file holds no codestream" in line


@pytest.mark.parametrize("allocated", [8, 16])
def test_8_bit_jpeg_in_8_or_16_bits(allocated: int) -> None:
    frame = encoded(PICTURE, "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(frame)))
    for syntax in (JPEG_BASELINE, JPEG_EXTENDED):
        data = compressed(PICTURE, 8, syntax, frame, BitsAllocated=allocated)
        np.testing.assert_array_equal(read(data).pixels, expected)


@pytest.mark.parametrize("allocated", [8, 16])
def test_8_bit_jpeg_whose_end_is_missing_is_told(allocated: int) -> None:
    frame = encoded(PICTURE, "JPEG", quality=95)
    cut = frame[: len(frame) * 3 // 4] + b"\xff\xd9"
    image = read(compressed(PICTURE, 8, JPEG_BASELINE, cut, BitsAllocated=allocated))
    assert image.warnings == (jpeg.ENDS_EARLY,)


def test_bytes_that_are_missing_or_too_many_in_an_8_bit_jpeg_are_told() -> None:
    picture = synthetic_radiograph(256, 3)
    frame = encoded(picture, "JPEG", quality=90)
    middle = len(frame) // 2
    for other, warnings in (
        (frame, ()),
        (frame + bytes(40), ()),
        (frame[:middle] + frame[middle + 200 :], (jpeg.ENDS_EARLY,)),
        (frame[:middle] + frame[middle - 200 :], (jpeg.ENDS_LATE,)),
    ):
        assert read(compressed(picture, 8, JPEG_BASELINE, other)).warnings == warnings


def test_a_whole_jpeg_that_ends_in_the_filling_gray_is_not_told() -> None:
    picture = PICTURE.copy()
    picture[-9:] = jpeg.FILLING
    frame = encoded(picture, "JPEG", quality=95)
    assert read(compressed(picture, 8, JPEG_BASELINE, frame)).warnings == ()
    cut = frame[: len(frame) * 3 // 4] + b"\xff\xd9"
    assert read(compressed(picture, 8, JPEG_BASELINE, cut)).warnings == (jpeg.ENDS_EARLY,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"progressive": True}, jpeg_scans.LACKS_SCANS),
        ({"restart_marker_blocks": 3}, jpeg_scans.LACKS_INTERVALS),
    ],
)
def test_a_jpeg_that_lacks_scans_or_restart_intervals_is_told(
    options: dict[str, Any], message: str
) -> None:
    frame = encoded(PICTURE, "JPEG", quality=95, **options)
    assert read(compressed(PICTURE, 8, JPEG_BASELINE, frame)).warnings == ()
    if "progressive" in options:
        lacking = frame[: frame.rindex(b"\xff\xda")] + b"\xff\xd9"
    else:
        lacking = frame[: frame.index(b"\xff\xd2")] + frame[frame.index(b"\xff\xd4") :]
    assert read(compressed(PICTURE, 8, JPEG_BASELINE, lacking)).warnings == (message,)


@pytest.mark.parametrize("coder", ["JPEGLosslessProcess14_1", "JPEGLSLossless"])
def test_a_lossless_jpeg_that_ends_in_that_gray_is_not_told_and_a_cut_one_refused(
    coder: str, tmp_path: Path
) -> None:
    gdcm = pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    picture = PICTURE.copy()
    picture[-9:] = jpeg.FILLING
    data = recompressed(gdcm, picture, getattr(gdcm.TransferSyntax, coder), tmp_path)
    image = read(data)
    np.testing.assert_array_equal(image.pixels, picture)
    assert image.warnings == ()
    start = data.rindex(b"\xff\xd8\xff")
    (length,) = struct.unpack("<I", data[start - 4 : start])
    kept = length * 3 // 4 // 2 * 2
    frame = data[start : start + kept] + b"\xff\xd9"
    cut = data[: start - 4] + struct.pack("<I", len(frame)) + frame + data[start + length :]
    assert "damaged or truncated" in refusal(cut)


def recompressed(gdcm: Any, picture: Any, syntax: int, folder: Path) -> bytes:
    """A DICOM file of a picture whose pixels gdcm has compressed."""
    plain, packed = folder / "plain.dcm", folder / "packed.dcm"
    plain.write_bytes(written(picture, 8))
    reader, change, writer = (
        gdcm.ImageReader(),
        gdcm.ImageChangeTransferSyntax(),
        gdcm.ImageWriter(),
    )
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(packed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return packed.read_bytes()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_a_gray_picture_saved_in_colour(subsampling: str) -> None:
    colour = Image.fromarray(PICTURE).convert("RGB")
    frame = encoded(colour, "JPEG", quality=95, subsampling=subsampling)
    expected = np.asarray(Image.open(io.BytesIO(frame)).convert("L")).astype(int)
    image = read(compressed(PICTURE, 8, JPEG_BASELINE, frame))
    assert np.abs(image.pixels - expected).max() <= 1
    lossless = encoded(colour, "JPEG2000", no_jp2=True, irreversible=False)
    assert near(compressed(PICTURE, 8, JPEG_2000, lossless)) == ()


def test_colour_that_is_called_gray_is_told() -> None:
    colour = Image.fromarray(np.dstack([PICTURE, PICTURE[::-1], PICTURE]))
    for syntax, frame in (
        (JPEG_BASELINE, encoded(colour, "JPEG", quality=95)),
        (JPEG_2000, encoded(colour, "JPEG2000", no_jp2=True)),
    ):
        line = refusal(compressed(PICTURE, 8, syntax, frame))
        assert line.startswith("has three components of colour in its compressed pixels")


@pytest.mark.parametrize(("bits", "allocated"), [(8, 8), (8, 16), (16, 16)])
def test_signed_jpeg_2000(bits: int, allocated: int) -> None:
    """A codestream that says that its samples are signed: their middle is 0."""
    frame = bytearray(wavelets(PICTURE if bits == 8 else WIDE << 8))
    frame[42] = 0x80 | bits - 1
    stored = np.zeros(PICTURE.shape, np.int8 if allocated == 8 else np.int16)
    assert near(compressed(stored, bits, JPEG_2000, bytes(frame))) == ()


@pytest.mark.parametrize("window", [{}, FULL])
def test_signed_jpeg_2000_that_is_called_unsigned_is_told(window: dict[str, str]) -> None:
    """Its darker half would be brighter than white, as pydicom has it."""
    frame = bytearray(wavelets(WIDE << 8))
    frame[42] = 0x8F
    line = refusal(compressed(WIDE, 16, JPEG_2000, bytes(frame), **window))
    assert line.startswith("has signed samples in its JPEG 2000 codestream")
    # An encoder may call words signed that are none.
    frame = bytearray(wavelets((WIDE << 8) ^ 0x8000))
    frame[42] = 0x8F
    assert near(compressed(WIDE, 16, JPEG_2000, bytes(frame))) == ()


@pytest.mark.parametrize("window", [{}, FULL | {"WindowCenter": "0"}])
def test_a_codestream_without_signs_that_is_called_signed_is_told(window: dict[str, str]) -> None:
    """Its brighter half would be black, as pydicom has it."""
    stored = np.zeros(PICTURE.shape, np.int16)
    assert refusal(compressed(stored, 16, JPEG_2000, wavelets(WIDE << 8))) == BEYOND.format(16)
    frame = bytearray(wavelets(TWELVE << 4))
    assert refusal(compressed(stored, 16, JPEG_2000, bytes(frame), **window)) == BEYOND.format(16)
    cut = wavelets((WIDE << 8) ^ 0x8000)  # negative ones, whose signs are cut off
    assert near(compressed(stored, 16, JPEG_2000, cut)) == ()


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("bits", [12, 16])
def test_padding_below_a_signed_picture_is_no_reason_to_refuse_it(
    bits: int, declared: bool
) -> None:
    """As unsigned it would lie nearer to the picture."""
    window = {"WindowCenter": "1024", "WindowWidth": "2048"}
    stored = (WIDE << 3).astype(np.int16)
    padding = -(1 << bits - 1) + (48 if declared else 0)
    stored[:, :20] = stored[:30] = padding
    values = window | ({"PixelPaddingValue": padding & 0xFFFF} if declared else {})
    shown = read(written(stored, bits, **values)).pixels  # signs repeated in the unused bits
    cut = stored.view(np.uint16) & (1 << bits) - 1
    frame = wavelets(cut)  # by a codec that knows of no signs
    for data in (
        written(cut.view(np.int16), bits, **values),
        compressed(stored, bits, JPEG_2000, frame, **values),
    ):
        np.testing.assert_array_equal(read(data).pixels, shown)


def test_much_deep_colour_that_is_called_gray_is_refused_undecoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """gdcm would take 800 MB for the largest of them."""
    monkeypatch.setattr(dicom_pixels, "DEEP_COLOUR_PIXELS", PICTURE.size - 1)
    frame = bytearray(wavelets())
    frame[40:42] = struct.pack(">H", 3)
    line = refusal(compressed(TWELVE, 16, JPEG_2000, bytes(frame)))
    assert line.startswith("is compressed as colour of 16 bits and more than ")


def test_12_bit_jpeg_extended() -> None:
    pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    for window in ({}, FULL):
        data = compressed(TWELVE, 12, JPEG_EXTENDED, jpeg_extended(TWELVE), **window)
        assert near(data, margin=1) == ()


def test_half_a_12_bit_jpeg_is_refused() -> None:
    pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    frame = jpeg_extended(TWELVE)
    line = refusal(compressed(TWELVE, 12, JPEG_EXTENDED, frame[: len(frame) // 2]))
    assert line == "its JPEG Extended pixels are damaged or truncated"


def test_12_bit_jpeg_names_its_codec_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdcm", None)
    line = refusal(compressed(TWELVE, 12, JPEG_EXTENDED, jpeg_extended(TWELVE)))
    assert line == (
        "is compressed as JPEG Extended: install the dicom extra with this environment's pip: "
        "pip install 'edge-cxr[dicom]'"
    )


# Fragments


def in_parts(frame: bytes, count: int) -> list[bytes]:
    step = -(-len(frame) // count // 2) * 2
    return [frame[at : at + step] for at in range(0, len(frame), step)]


@pytest.mark.parametrize("frames", [None, "1", "1 ", ""])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("table", ["empty", "one a frame", "one a fragment"])
def test_a_frame_in_fragments(table: str, count: int, frames: str | None) -> None:
    for syntax, frame, stored, bits in (
        (JPEG_2000, wavelets(), TWELVE, 16),
        (JPEG_BASELINE, encoded(PICTURE, "JPEG", quality=95), PICTURE, 8),
    ):
        parts = in_parts(frame, count)
        offsets = [0, *np.cumsum([8 + len(part) for part in parts[:-1]]).tolist()]
        offsets = {"empty": [], "one a frame": [0], "one a fragment": offsets}[table]
        pixels = fragments(*parts, table=struct.pack(f"<{len(offsets)}I", *offsets))
        window = FULL if bits == 16 else {}
        data = written(stored, bits, syntax, PixelData=pixels, NumberOfFrames=frames, **window)
        assert np.abs(read(data).pixels.astype(int) - PICTURE).max() <= (0 if bits == 16 else 8)


@pytest.mark.parametrize("table", [b"", struct.pack("<2I", 0, 500)])
def test_two_frames_that_are_called_one(table: bytes) -> None:
    frame = encoded(PICTURE, "JPEG", quality=95)
    pixels = fragments(frame, frame, table=table)
    line = refusal(written(PICTURE, 8, JPEG_BASELINE, PixelData=pixels, NumberOfFrames="1"))
    assert line == "is a DICOM image of several frames: export the one to be read"


def test_fragments_without_an_offset_table() -> None:
    vr, pixels, length = fragments(wavelets())
    data = written(TWELVE, 16, JPEG_2000, PixelData=(vr, pixels[8:], length), **FULL)
    near(data)


def test_empty_fragments() -> None:
    for parts in ((), (b"",), (b"", b"")):
        assert "holds no pixel data" in refusal(compressed(PICTURE, 8, JPEG_BASELINE, *parts))


def test_compressed_pixels_without_a_transfer_syntax_are_told_by_their_codestream() -> None:
    frame = wavelets()
    pixels = fragments(frame)
    body = written(TWELVE, 16, EXPLICIT, PixelData=pixels, **FULL)
    near(body)
    near(body.replace(meta(EXPLICIT), meta(None)))


def test_uncompressed_pixels_under_a_compressed_syntax_are_told() -> None:
    data = written(TWELVE, 12, JPEG_BASELINE)
    line = refusal(data)
    assert "its pixels are not in fragments, as JPEG Baseline" in line


@pytest.mark.parametrize("syntax", [JPEG_BASELINE, JPEG_2000])
def test_anything_in_the_place_of_a_codestream(syntax: str) -> None:
    for frame in (b"\0\0", b"anything", b"\xff\xd8\xff\xd9", b"\xff\x4f\xff\x51", bytes(1000)):
        assert "neither one JPEG nor one JPEG 2000" in refusal(
            compressed(PICTURE, 8, syntax, frame)
        )


PYTHON = (
    "NoneType",
    "object",
    "attribute",
    "convert",
    "broadcast",
    "argument",
    "unpack",
    "literal",
    "Error",
    "operand",
    "shape",
    "index",
)
"""Words of exceptions that no operator should meet."""


ANY_VALUE = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"", b"\\", b"1\\2\\3", b"-1", b"1e400", b"0", b"NaN", b"\xff\xff", b"abc "]),
)


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(
            sorted(
                keyword
                for keyword, (_, vr) in ATTRIBUTES.items()
                if vr != "SQ" and keyword != "PixelData"
            )
        ),
        st.tuples(
            st.sampled_from(["US", "SS", "DS", "IS", "CS", "UN", "FD", "OW", "UI"]), ANY_VALUE
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_value_brings_a_word_of_python_to_the_user(values: dict[str, Any]) -> None:
    data = written(TWELVE[:20, :30], 12, **values)
    image = attempt(data)
    for message in image.warnings if image else (refusal(data),):
        assert not any(word in message for word in PYTHON)


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=10), st.binary(max_size=20), st.sampled_from(["US", "SS", "OW", "UN"]))
def test_no_table_does(descriptor: bytes, entries: bytes, vr: str) -> None:
    item = Written().table(descriptor, entries, vr=vr, data_vr=vr)
    for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        attempt(written(TWELVE[:20, :30], 12, **{keyword: [item]}))


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=400), st.sampled_from([JPEG_BASELINE, JPEG_2000, "1.2.840.10008.1.2.5"]))
def test_no_codestream_does(pixels: bytes, syntax: str) -> None:
    body = written(TWELVE[:8, :8], 12, syntax, PixelData=("OB", pixels, 0xFFFFFFFF))
    attempt(body)
    attempt(part10(body[132:], None))
