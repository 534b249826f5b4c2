"""DICOM → the picture its maker meant to be seen, or one line that says why not."""

from __future__ import annotations

import io
import json
import logging
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from edge_app.core.errors import ImageError
from edge_app.images.radiograph import Limits

from ..pictures import answers, attempt, dicom, encoded, radiograph, read, refusal

pydicom = pytest.importorskip("pydicom", reason="the dicom extra is not installed")

from pydicom import DataElement, Dataset, dcmread, uid  # noqa: E402
from pydicom.encaps import encapsulate, get_frame  # noqa: E402

PICTURE = radiograph()
WIDE = PICTURE.astype(np.uint16)
TWELVE = WIDE << 4

PLAIN = dicom(PICTURE, 8)

FULL_12 = {"WindowCenter": 2048, "WindowWidth": 4096}

NATIVE = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)


def lut(entries: list[int], first: int, bits: int, vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    if vr == "US":
        item.add_new("LUTData", "US", entries)
    else:
        dtype = "<u1" if vr == "packed" else "<u2"
        item.add_new("LUTData", "OW", np.array(entries, dtype).tobytes())
    return item


# Grays


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_picture_stored_losslessly_comes_back_exactly(
    bits: int, windowed: bool, photometric: str, syntax: uid.UID
) -> None:
    stored = WIDE << (bits - 8)
    if photometric == "MONOCHROME1":
        stored = ((1 << bits) - 1 - stored.astype(int)).astype(np.uint16)
    if bits == 8:
        stored = stored.astype(np.uint8)
    window = {"WindowCenter": 1 << (bits - 1), "WindowWidth": 1 << bits} if windowed else {}
    image = read(dicom(stored, bits, syntax, PhotometricInterpretation=photometric, **window))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    assert image.warnings == ()
    assert image.facts["inverted"] == (photometric == "MONOCHROME1")
    assert (image.facts["bits"], image.facts["transfer_syntax"]) == (bits, syntax.name)


def test_the_window_need_not_fill_the_bits() -> None:
    """An 8-bit picture in 16 bits, with the window that shows all of it."""
    image = read(dicom(WIDE, 16, WindowCenter=128, WindowWidth=256))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["window"] == "center 128, width 256, LINEAR"


def test_what_is_outside_the_window_is_black_or_white() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = read(dicom(ramp, 8, WindowCenter=128, WindowWidth=64)).pixels.ravel()
    assert (pixels[:97] == 0).all()
    assert (pixels[159:] == 255).all()
    assert (np.diff(pixels[96:160].astype(int)) > 0).all()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # PS3.3 C.11.2.1.2.1 and C.11.2.1.3, worked out by hand for center 100 and width 50
        ("LINEAR", {75: 0, 100: 130, 124: 255}),
        ("LINEAR_EXACT", {75: 0, 100: 128, 124: 250, 125: 255}),
        ("SIGMOID", {0: 0, 75: 30, 100: 128, 125: 225, 255: 255}),
    ],
)
def test_each_window_function_follows_the_standard(function: str, expected: dict[int, int]) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = dicom(ramp, 8, WindowCenter=100, WindowWidth=50, VOILUTFunction=function)
    pixels = read(data).pixels.ravel()
    assert {value: pixels[value] for value in expected} == expected


def test_a_window_of_width_one_is_a_threshold() -> None:
    image = read(dicom(PICTURE, 8, WindowCenter=100.5, WindowWidth=1))
    np.testing.assert_array_equal(image.pixels, np.where(PICTURE > 100, 255, 0))


@pytest.mark.parametrize("width", [0, 0.5, -20])
def test_an_impossible_window_is_told_and_not_used(width: float) -> None:
    image = read(dicom(TWELVE, 12, WindowCenter=100, WindowWidth=width))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert f"window of width {width:g}" in image.warnings[0]


def test_of_several_windows_the_first_is_used_and_told() -> None:
    data = dicom(TWELVE, 12, WindowCenter=[2048, 100], WindowWidth=[4096, 10])
    image = read(data)
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ("offers 2 windows: the first was used",)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_samples_are_read_by_their_offset(bits: int) -> None:
    dtype = np.int8 if bits == 8 else np.int16
    stored = ((WIDE.astype(int) << (bits - 8)) - (1 << (bits - 1))).astype(dtype)
    np.testing.assert_array_equal(read(dicom(stored, bits)).pixels, PICTURE)
    windowed = dicom(stored, bits, WindowCenter=0, WindowWidth=1 << bits)
    np.testing.assert_array_equal(read(windowed).pixels, PICTURE)


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_negative_rescale_slope_inverts(windowed: bool, photometric: str) -> None:
    """Stored upside down, and said so by the slope; MONOCHROME1 inverts once more."""
    stored = TWELVE if photometric == "MONOCHROME1" else 4095 - TWELVE
    image = read(
        dicom(
            stored,
            12,
            PhotometricInterpretation=photometric,
            RescaleSlope=-1,
            RescaleIntercept=4095,
            **(FULL_12 if windowed else {}),
        )
    )
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_the_window_applies_to_rescaled_values() -> None:
    values = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    data = dicom(TWELVE, 12, **values, WindowCenter=4096 - 1000, WindowWidth=8191)
    assert np.abs(read(data).pixels.astype(int) - PICTURE).max() <= 1


@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE", None])
def test_the_presentation_lut_shape_does_not_invert_a_second_time(shape: str | None) -> None:
    data = dicom(
        4095 - TWELVE, 12, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape=shape
    )
    np.testing.assert_array_equal(read(data).pixels, PICTURE)


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    "item",
    [
        lambda: lut(list(range(4096)), 0, 12),
        lambda: lut([value * 16 for value in range(4096)], 0, 16),
        lambda: lut([value >> 4 for value in range(4096)], 0, 8),
    ],
    ids=["12 bits", "16 bits", "8 bits"],
)
def test_a_voi_lut_that_changes_nothing_changes_nothing(
    item: Callable[[], Dataset], syntax: uid.UID
) -> None:
    image = read(dicom(TWELVE, 12, syntax, VOILUTSequence=[item()], WindowCenter=9, WindowWidth=2))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["window"].startswith("VOI LUT of")


@pytest.mark.parametrize("vr", ["US", "OW", "packed"])
def test_8_bit_luts_are_read_however_they_are_packed(vr: str) -> None:
    data = dicom(TWELVE, 12, VOILUTSequence=[lut([value >> 4 for value in range(4096)], 0, 8, vr)])
    np.testing.assert_array_equal(read(data).pixels, PICTURE)


def test_lut_data_in_big_endian_words() -> None:
    item = lut(list(range(4096)), 0, 12)
    item["LUTData"] = DataElement("LUTData", "OW", np.arange(4096, dtype=">u2").tobytes())
    data = dicom(TWELVE, 12, uid.ExplicitVRBigEndian, VOILUTSequence=[item])
    np.testing.assert_array_equal(read(data).pixels, PICTURE)


def test_a_voi_lut_is_held_at_its_ends() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = dicom(ramp, 8, VOILUTSequence=[lut([10, 80, 150], 100, 8), lut([0], 0, 8)])
    image = read(data)
    assert (image.pixels.ravel()[:101] == 10).all()
    assert image.pixels.ravel()[101] == 80
    assert (image.pixels.ravel()[102:] == 150).all()
    assert image.warnings[0] == "offers 2 windows: the first was used"


@pytest.mark.parametrize("window", [{}, FULL_12], ids=["no window", "window"])
def test_a_modality_lut_comes_before_the_window(window: dict[str, int]) -> None:
    inverse = lut([4095 - value for value in range(4096)], 0, 12)
    inverse.ModalityLUTType = "US"
    image = read(dicom(4095 - TWELVE, 12, ModalityLUTSequence=[inverse], **window))
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_a_modality_lut_of_signed_values() -> None:
    stored = (TWELVE.astype(int) - 2048).astype(np.int16)
    shift = lut(list(range(4096)), -2048, 12)
    shift.ModalityLUTType = "US"
    image = read(dicom(stored, 12, ModalityLUTSequence=[shift], **FULL_12))
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_a_faint_picture_without_window_is_stretched_and_told() -> None:
    image = read(dicom(WIDE + 3000, 14))
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)
    assert "uses 12 of its 14 bits" in image.warnings[0]
    assert "little contrast" in image.warnings[1]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([8, 10, 12, 14, 16]).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            arrays.arrays(
                np.uint16,
                st.tuples(st.integers(1, 20), st.integers(1, 20)),
                elements=st.integers(0, (1 << bits) - 1),
            ),
        )
    ),
    st.sampled_from([{}, {"WindowCenter": 300, "WindowWidth": 77}, {"RescaleSlope": 0.1}]),
    st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
)
def test_any_size_gives_rows_by_columns_in_monotone_grays(
    case: tuple[int, np.ndarray[Any, Any]], grayscale: dict[str, Any], photometric: str
) -> None:
    bits, stored = case
    data = dicom(stored, bits, PhotometricInterpretation=photometric, **grayscale)
    image = attempt(data)
    if image is None:
        assert "its window shows one gray" in refusal(data)
        return
    pixels = image.pixels
    assert pixels.shape == stored.shape
    steps = np.diff(pixels.flat[np.argsort(stored, axis=None)].astype(int))
    assert (steps <= 0 if photometric == "MONOCHROME1" else steps >= 0).all()


# Compression


def by_gdcm(data: bytes, syntax: str, folder: Path) -> bytes:
    """The file compressed as gdcm names the syntax."""
    gdcm = pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    source, target = str(folder / "source.dcm"), str(folder / "target.dcm")
    Path(source).write_bytes(data)
    reader, change, writer = (
        gdcm.ImageReader(),
        gdcm.ImageChangeTransferSyntax(),
        gdcm.ImageWriter(),
    )
    reader.SetFileName(source)
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(target)
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return Path(target).read_bytes()


LOSSLESS = (
    "JPEGLosslessProcess14",
    "JPEGLosslessProcess14_1",
    "JPEGLSLossless",
    "JPEG2000Lossless",
)


@pytest.mark.parametrize("stored", ["8 bits", "12 bits", "16 bits", "12 bits signed"])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_compression_changes_nothing(syntax: str, stored: str, tmp_path: Path) -> None:
    samples, bits = {
        "8 bits": (PICTURE, 8),
        "12 bits": (TWELVE, 12),
        "16 bits": (WIDE << 8, 16),
        "12 bits signed": (TWELVE.astype(np.int16) - 2048, 12),
    }[stored]
    image = read(by_gdcm(dicom(samples, bits), syntax, tmp_path))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["transfer_syntax"].startswith("JPEG")


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_rle_changes_nothing(bits: int) -> None:
    stored = PICTURE if bits == 8 else WIDE << (bits - 8)
    dataset = dcmread(io.BytesIO(dicom(stored, bits)))
    dataset.compress(uid.RLELossless, encoding_plugin="pydicom")
    file = io.BytesIO()
    dataset.save_as(file)
    image = read(file.getvalue())
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["transfer_syntax"] == "RLE Lossless"


def test_nothing_is_imported_from_the_folder_of_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = by_gdcm(dicom(TWELVE, 12), "JPEGLSLossless", tmp_path)
    for module in ("gdcm", "json", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read(data).pixels, PICTURE)


def jpeg_baseline(frame: bytes, **values: Any) -> bytes:
    return dicom(PICTURE, 8, uid.JPEGBaseline8Bit, PixelData=encapsulate([frame]), **values)


def test_jpeg_baseline_is_what_pillow_makes_of_the_frame() -> None:
    frame = encoded(PICTURE, "JPEG", quality=90)
    image = read(jpeg_baseline(frame))
    np.testing.assert_array_equal(image.pixels, np.asarray(Image.open(io.BytesIO(frame))))


def test_a_frame_in_several_fragments_is_put_together() -> None:
    frame = encoded(PICTURE, "JPEG", quality=90)
    pieces = encapsulate([frame], fragments_per_frame=5)
    whole = read(jpeg_baseline(frame)).pixels
    data = dicom(PICTURE, 8, uid.JPEGBaseline8Bit, PixelData=pieces)
    np.testing.assert_array_equal(read(data).pixels, whole)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_damaged_frame_is_refused_and_takes_nothing_down(syntax: str, tmp_path: Path) -> None:
    """gdcm answers some of these with a crash of its process."""
    data = by_gdcm(dicom(TWELVE, 12), syntax, tmp_path)
    start = data.rindex(b"\xfe\xff\x00\xe0") + 8
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(4):
        broken = bytearray(data)
        for place in random.integers(start + 60, len(data) - 12, 40):
            broken[place] ^= random.integers(1, 256)
        try:
            read(bytes(broken))
        except ImageError as error:
            refused += "damaged" in str(error) or "beyond" in str(error) or "decoded" in str(error)
    assert refused >= 2


def edited(data: bytes, frame: Callable[[bytes], bytes] = bytes, **values: Any) -> bytes:
    """The compressed file with its frame or some of its elements replaced."""
    dataset = dcmread(io.BytesIO(data))
    dataset.PixelData = encapsulate([frame(get_frame(dataset.PixelData, 0, number_of_frames=1))])
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_half_a_frame_is_not_passed_off_as_a_picture(syntax: str, tmp_path: Path) -> None:
    data = by_gdcm(dicom(TWELVE, 12), syntax, tmp_path)
    line = refusal(edited(data, lambda frame: frame[: len(frame) // 2] + b"\xff\xd9"))
    assert "damaged" in line or "decoded" in line


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_8_bit_codestreams_may_stand_for_16_bit_samples(syntax: str, tmp_path: Path) -> None:
    data = by_gdcm(dicom(PICTURE, 8), syntax, tmp_path)
    np.testing.assert_array_equal(read(edited(data, BitsAllocated=16)).pixels, PICTURE)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_samples_narrower_than_declared_are_read(syntax: str, tmp_path: Path) -> None:
    data = by_gdcm(dicom(TWELVE, 12), syntax, tmp_path)
    image = read(edited(data, BitsStored=16, HighBit=15, WindowCenter=2048, WindowWidth=4096))
    np.testing.assert_array_equal(image.pixels, PICTURE)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_samples_wider_than_declared_are_refused(syntax: str, tmp_path: Path) -> None:
    data = by_gdcm(dicom(WIDE << 8, 16), syntax, tmp_path)
    assert refusal(edited(data, BitsStored=12, HighBit=11)) == "holds values beyond its 12 bits"


def test_codecs_that_are_not_installed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = by_gdcm(dicom(TWELVE, 12), "JPEGLosslessProcess14_1", tmp_path)
    monkeypatch.setitem(sys.modules, "gdcm", None)
    line = refusal(data)
    assert "JPEG Lossless" in line
    assert "pip install 'edge-cxr[dicom]'" in line


def test_without_pydicom_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    extra = "install the dicom extra with this environment's pip: pip install 'edge-cxr[dicom]'"
    assert refusal(PLAIN) == f"is DICOM: {extra}"


# Refused by name


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11", "PixelData": None, "Modality": "SR"},
            "is a DICOM Basic Text SR Storage: it holds no pixel data",
        ),
        ({"NumberOfFrames": 30}, "of 30 frames"),
        ({"Modality": "CT"}, "modality CT, not a radiograph"),
        ({"Modality": "MR"}, "modality MR"),
        ({"Modality": "US"}, "modality US"),
        ({"Modality": "MG"}, "modality MG"),
        ({"Modality": "XA"}, "modality XA"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "in RGB, not grayscale"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "in PALETTE COLOR"),
        ({"PhotometricInterpretation": None}, "in no colour space"),
        ({"SamplesPerPixel": 3}, "3 samples a pixel"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits of 32"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "1 bits of 1"),
        ({"BitsStored": 20}, "20 bits of 16"),
        ({"HighBit": 10}, "its 12 bits up to bit 10"),
        ({"HighBit": 16}, "its 12 bits up to bit 16"),
        ({"Rows": None}, "has no Rows"),
        ({"BitsStored": None}, "has no BitsStored"),
        ({"Rows": 0}, "there is no image in it"),
        ({"Rows": 49}, "truncated DICOM file: its pixel data has 6240 bytes, not the 6370"),
        ({"Rows": 24}, "damaged DICOM file: its pixel data has 6240 bytes"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale slope is 0"),
        (
            {"WindowCenter": 1, "WindowWidth": 2, "VOILUTFunction": "CUBIC"},
            "unknown VOI LUT",
        ),
        ({"VOILUTSequence": [lut([0, 1], 0, 20)]}, "its VOI LUT shows one gray"),
        ({"PixelData": None, "FloatPixelData": bytes(4 * PICTURE.size)}, "floating-point"),
        ({"PixelData": None, "DoubleFloatPixelData": bytes(8 * PICTURE.size)}, "floating-point"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_not_one_gray_radiograph_is_named(values: dict[str, Any], expected: str) -> None:
    assert expected in refusal(dicom(TWELVE, 12, **values))


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "RF", "OT", "SC", "", None])
def test_modalities_that_may_hold_a_chest_film_are_read(modality: str | None) -> None:
    image = read(dicom(TWELVE, 12, Modality=modality))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["modality"] == (modality or "")


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"BodyPartExamined": "HAND"}, "says it shows HAND, not CHEST"),
        ({"ViewPosition": "LL"}, "is a lateral view: the networks know frontal ones"),
        ({"ViewPosition": "LATERAL"}, "is a lateral view: the networks know frontal ones"),
        (
            {"BodyPartExamined": "THORAX", "ViewPosition": "AP"},
            "is an AP view, mostly taken at the bedside: normal ones may be flagged more often, "
            "and heart size is not reliable",
        ),
        ({"BodyPartExamined": "THORAX", "ViewPosition": "PA"}, None),
        ({"BodyPartExamined": None, "ViewPosition": None}, None),
    ],
)
def test_another_body_part_or_a_lateral_view_is_told(
    values: dict[str, Any], warning: str | None
) -> None:
    image = read(dicom(TWELVE, 12, **values))
    assert image.warnings == ((warning,) if warning else ())


@pytest.mark.parametrize(
    ("orientation", "warned"),
    [
        ("R\\F", True),  # mirrored, as a detector behind the patient sees it
        ("L\\H", True),
        ("F\\R", True),
        ("A\\F", True),  # from the side
        ("L\\F", False),
        ("LF\\FR", False),
        ("", False),
        ("L", False),
        ("X\\Y", False),
    ],
)
def test_a_picture_that_is_stored_mirrored_or_turned_is_told(
    orientation: str, warned: bool
) -> None:
    image = read(dicom(TWELVE, 12, PatientOrientation=orientation))
    assert bool(image.warnings) == warned
    assert all("it is scored as it is stored" in each for each in image.warnings)
    np.testing.assert_array_equal(image.pixels, PICTURE)


@pytest.mark.parametrize(
    ("shutter", "warned"),
    [
        ({}, False),
        ({"Shape": ""}, False),
        ({"Shape": "RECTANGULAR"}, False),
        ({"Shape": "RECTANGULAR", "LeftVerticalEdge": 1, "RightVerticalEdge": 65}, False),
        ({"Shape": "RECTANGULAR", "UpperHorizontalEdge": 0, "LowerHorizontalEdge": 48}, False),
        ({"Shape": "RECTANGULAR", "LeftVerticalEdge": 8}, True),
        ({"Shape": "RECTANGULAR", "RightVerticalEdge": 60}, True),
        ({"Shape": "RECTANGULAR", "LowerHorizontalEdge": 40}, True),
        ({"Shape": "CIRCULAR"}, True),
        ({"Shape": ["RECTANGULAR", "POLYGONAL"]}, True),
    ],
)
def test_a_shutter_that_hides_a_part_is_told(shutter: dict[str, Any], warned: bool) -> None:
    """PS3.3 C.7.6.11: what lies outside of it is replaced by a single gray for display."""
    tags = {f"Shutter{name}": value for name, value in shutter.items()}
    image = read(dicom(TWELVE, 12, **FULL_12, **tags))
    assert bool(image.warnings) == warned
    assert all("has a Display Shutter" in each for each in image.warnings)
    np.testing.assert_array_equal(image.pixels, PICTURE)


def test_facts_tell_how_it_was_read_and_not_who_the_patient_is() -> None:
    image = read(dicom(TWELVE, 12, **FULL_12, PatientBirthDate="19500101", AccessionNumber="A-17"))
    digest = image.facts.pop("sha256")
    assert len(digest) == 64
    assert image.facts == {
        "format": "DICOM",
        "width": 65,
        "height": 48,
        "bits": 12,
        "window": "center 2048, width 4096, LINEAR",
        "inverted": False,
        "photometric": "MONOCHROME2",
        "transfer_syntax": "Explicit VR Little Endian",
        "modality": "CR",
        "sop_class": "Computed Radiography Image Storage",
    }
    json.dumps(image.facts)


# Hostile files


def with_syntax(data: bytes, syntax: str) -> bytes:
    """`data` under another transfer syntax of the same length, its content left as it is."""
    explicit = uid.ExplicitVRLittleEndian
    padded = syntax.ljust(len(explicit) + len(explicit) % 2, "\0").encode()
    place = data.index(b"\2\0\x10\0UI")
    length = struct.unpack_from("<H", data, place + 6)[0]
    return data[: place + 6] + struct.pack("<H", len(padded)) + padded + data[place + 8 + length :]


def test_a_deflated_file_is_inflated_no_further_than_its_pixels(tmp_path: Path) -> None:
    plain = with_syntax(dicom(TWELVE, 12), uid.DeflatedExplicitVRLittleEndian)
    place = plain.index(b"\x08\0\x16\0UI")
    deflate = zlib.compressobj(1, wbits=-15)
    body = plain[place:] + bytes(200 << 20)
    path = tmp_path / "bomb.dcm"
    path.write_bytes(plain[:place] + deflate.compress(body) + deflate.flush())
    [(line, megabytes, seconds)] = answers(path)
    assert line == "(48, 65)"
    assert megabytes < 64
    assert seconds < 10


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [
        ("1.2.3.4", "unknown transfer syntax, '1.2.3.4'"),
        (uid.MPEG2MPML, "MPEG2"),
        (uid.HTJ2KLossless, "High-Throughput JPEG 2000"),
    ],
)
def test_a_transfer_syntax_that_is_not_read_is_named(syntax: str, expected: str) -> None:
    assert expected in refusal(with_syntax(dicom(TWELVE, 12), syntax))


def test_the_pixel_limit_holds_before_decoding() -> None:
    data = dicom(TWELVE, 12)
    assert "65x48" in refusal(data, Limits(max_pixels=65 * 48 - 1))
    assert read(data, Limits(max_pixels=65 * 48)).pixels.shape == PICTURE.shape
    assert "65535x65535" in refusal(dicom(TWELVE, 12, Rows=65535, Columns=65535))


def jpeg_of_another_size() -> bytes:
    return jpeg_baseline(encoded(Image.new("L", (6000, 6000)), "JPEG"))


def jpeg_2000_of_another_size() -> bytes:
    siz = struct.pack(
        ">HHHH8IH", 0xFF4F, 0xFF51, 41, 0, 60000, 60000, *[0] * 2, 60000, 60000, 0, 0, 1
    )
    frame = siz + bytes([7, 1, 1]) + bytes(200)
    return dicom(PICTURE, 8, uid.JPEG2000Lossless, PixelData=encapsulate([frame]))


def rle_of_no_ops(starts: tuple[int, int]) -> bytes:
    """A run that stands for nothing, 15 million times over, in segments that begin here."""
    frame = struct.pack("<16L", 2, *starts, *[0] * 13) + b"\x80" * 15_000_000
    return dicom(TWELVE, 12, uid.RLELossless, PixelData=encapsulate([frame]))


def jpeg_2000_cut(tile: int, block: int = 4, precincts: bytes = b"", comment: int = 0) -> bytes:
    """A header of 5000×5000 pixels in tiles of this side and code-blocks of 2**(block + 2)."""
    siz = struct.pack(">HHHH8IH", 0xFF4F, 0xFF51, 41, 0, 5000, 5000, 0, 0, tile, tile, 0, 0, 1)
    style = bytes([bool(precincts), 0, 0, 1, 0, 5, block, block, 0, 1]) + precincts
    cod = struct.pack(">HH", 0xFF52, 2 + len(style)) + style
    frame = siz + bytes([7, 1, 1]) + cod + b"\xff\x90" + bytes(200 + comment)
    return dicom(PICTURE, 8, uid.JPEG2000Lossless, PixelData=encapsulate([frame]))


def rle_without_end() -> bytes:
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * 2_000_000
    return dicom(PICTURE, 8, uid.RLELossless, PixelData=encapsulate([frame]))


def sequence_of_empty_items() -> bytes:
    """Each takes 8 bytes here and above 1 KB as pydicom's object."""
    data = dicom(TWELVE, 12, Modality=None)
    place = data.index(b"\x08\0\x16\0UI")
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 1_000_000
    sequence = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff" + items
    return data[:place] + sequence + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) + data[place:]


def window_of_a_million_values() -> bytes:
    values = dicom(TWELVE, 12, uid.ImplicitVRLittleEndian)
    place = values.index(struct.pack("<HHI", 0x7FE0, 0x0010, TWELVE.nbytes))
    text = b"1\\" * 1_000_000
    return values[:place] + struct.pack("<HHI", 0x0028, 0x1050, len(text)) + text + values[place:]


def many_fragments() -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    return dicom(PICTURE, 8, uid.JPEGBaseline8Bit, PixelData=item * 1_000_000)


def deflated_pixels_without_end() -> bytes:
    plain = with_syntax(dicom(TWELVE, 12), uid.DeflatedExplicitVRLittleEndian)
    place = plain.index(b"\x08\0\x16\0UI")
    body = plain[place : plain.index(struct.pack("<HH", 0x7FE0, 0x0010))]
    body += struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFF0) + bytes(200 << 20)
    deflate = zlib.compressobj(1, wbits=-15)
    return plain[:place] + deflate.compress(body) + deflate.flush()


def offset_table_of_a_million() -> bytes:
    table = bytes(4_000_000)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table
    frame = encoded(PICTURE, "JPEG")
    frame += b"\0" * (len(frame) % 2)
    item += struct.pack("<HHI", 0xFFFE, 0xE000, len(frame)) + frame
    return dicom(PICTURE, 8, uid.JPEGBaseline8Bit, PixelData=item)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "JPEG larger than declared": (jpeg_of_another_size, "(6000, 6000, 1)"),
    "JPEG 2000 larger than declared": (jpeg_2000_of_another_size, "(60000, 60000, 1)"),
    "RLE of no-ops": (lambda: rle_of_no_ops((64, 10_000_000)), "RLE runs end before"),
    "RLE of one segment twice": (lambda: rle_of_no_ops((64, 64)), "RLE segments overlap"),
    "RLE of segments that overlap": (lambda: rle_of_no_ops((90, 64)), "RLE segments overlap"),
    "JPEG 2000 of small tiles": (lambda: jpeg_2000_cut(20), "cut into 62500 tiles"),
    "JPEG 2000 of small blocks": (lambda: jpeg_2000_cut(5000, 0), "more than 500000 pieces"),
    "JPEG 2000 of small precincts": (
        lambda: jpeg_2000_cut(5000, 2, b"\x44" * 6),
        "more than 500000 pieces",
    ),
    "JPEG 2000 of no compression": (lambda: jpeg_2000_cut(5000, comment=40 << 20), "of 40 MiB"),
    "RLE without end": (rle_without_end, "RLE runs are longer"),
    "sequence of empty items": (sequence_of_empty_items, "more than 50000 elements"),
    "window of a million values": (window_of_a_million_values, "2000000 bytes"),
    "many fragments": (many_fragments, "more than 50000 elements"),
    "offset table of a million": (offset_table_of_a_million, "(48, 65)"),
    "deflated pixels without end": (
        deflated_pixels_without_end,
        "is a deflated DICOM file of more than",
    ),
}


@pytest.fixture(scope="module")
def blasts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    folder = tmp_path_factory.mktemp("bombs")
    paths = [folder / "plain.dcm"]
    paths[0].write_bytes(PLAIN)  # what importing pydicom takes is not theirs
    for index, (made, _) in enumerate(BOMBS.values()):
        paths.append(folder / str(index))
        paths[-1].write_bytes(made())
    return dict(zip(BOMBS, answers(*paths)[1:], strict=True))


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_costs_neither_memory_nor_time(
    kind: str, blasts: dict[str, tuple[str, float, float]]
) -> None:
    line, megabytes, seconds = blasts[kind]
    assert BOMBS[kind][1] in line
    assert megabytes < 100
    assert seconds < 10


@settings(deadline=None, max_examples=100)
@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_cut_file_is_refused_or_complete(share: float, compressed: bool) -> None:
    data = jpeg_baseline(encoded(PICTURE, "JPEG")) if compressed else PLAIN
    image = attempt(data[: int(share * len(data))])
    if image:  # only the end mark is missing
        np.testing.assert_array_equal(image.pixels, read(data).pixels)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_damage_raises_anything_but_an_image_error(draw: st.DataObject) -> None:
    header = PLAIN.index(struct.pack("<HH", 0x7FE0, 0x0010)) + 12
    data = bytearray(PLAIN)
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(132, header - 1))] = draw.draw(st.integers(0, 255))
    image = attempt(bytes(data))
    if image:
        assert "".join(image.warnings).isprintable()
        json.dumps(image.facts)


def test_a_hostile_text_cannot_reach_the_terminal() -> None:
    data = dicom(TWELVE, 12, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="ABCDEF")
    line = refusal(data.replace(b"ABCDEF", b"\x1b[2J\x07X"))
    assert line.isprintable()
    assert "[2J" not in line


def test_pydicom_neither_warns_nor_logs(caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("pydicom").level
    data = dicom(TWELVE, 12, PixelData=TWELVE.tobytes() + bytes(64))  # pydicom warns of the padding
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        image = read(data)
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert caplog.records == []
    assert logging.getLogger("pydicom").level == level


def test_threads_read_at_the_same_time_without_mixing_up() -> None:
    files = [dicom(np.full((64, 64), value, np.uint8), 8) for value in range(40, 48)]
    seen: list[tuple[int, set[int]]] = []
    threads = [
        threading.Thread(
            target=lambda index=index: seen.extend(
                (index, set(np.unique(read(files[index]).pixels).tolist())) for _ in range(5)
            )
        )
        for index in range(len(files))
    ]
    level, filters = logging.getLogger("pydicom").level, list(warnings.filters)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 40
    assert all(grays == {40 + index} for index, grays in seen)
    assert logging.getLogger("pydicom").level == level
    assert list(warnings.filters) == filters
