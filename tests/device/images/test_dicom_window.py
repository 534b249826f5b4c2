"""Windows as devices write them, and pictures without any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..pictures import radiograph, read, refusal
from .dicom_writer import BIG_ENDIAN, EXPLICIT, IMPLICIT, Written, written

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

PICTURE = radiograph()
WIDE = PICTURE.astype(np.uint16)
TWELVE = WIDE << 4


def shown(data: bytes) -> tuple[str, ...]:
    """That the picture is shown to a gray level; its warnings."""
    image = read(data)
    assert np.abs(image.pixels.astype(int) - PICTURE).max() <= 1
    return image.warnings


# The picture of 8 bits stored at 4 times its values in 12 bits shows which window was used.


@pytest.mark.parametrize(
    ("center", "width"),
    [
        ("2048", "4096"),
        ("2048,0", "4096,0"),
        (" 2048 ", "+4096 "),
        ("2.048E+03", "4.096e3"),
        ("2048.", "4096.000000"),
        ("2048\0", "4096\0"),
        ("\\2048", "\\4096"),
        ("\\\\2048", "\\\\4096"),
        ("none\\2048", "none\\4096"),
        ("NaN\\2048", "4096\\4096"),
        ("100\\2048", "0\\4096"),
        ("1e999\\2048", "10\\4096"),
        (("FD", [2048]), ("FD", [4096])),
        (("US", [2048]), ("US", [4096])),
        (("UN", b"2048"), ("UN", b"4096")),
        (("LO", "2048"), ("LO", "4096")),
    ],
)
def test_the_first_window_that_is_one(center: Any, width: Any) -> None:
    assert shown(written(TWELVE, 16, WindowCenter=center, WindowWidth=width)) == ()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("where", ["Shared", "PerFrame"])
def test_a_window_and_a_slope_in_functional_groups_are_the_files(where: str, syntax: str) -> None:
    """PS3.3 C.7.6.16.2.9 and C.7.6.16.2.10, of a Secondary Capture that may have more frames."""
    w = Written(syntax)
    window = w.element(0x00281050, "DS", "1948") + w.element(0x00281051, "DS", "8192")
    scale = w.element(0x00281052, "DS", "-100") + w.element(0x00281053, "DS", "2")
    group = w.sequence(0x00289132, [window]) + w.sequence(0x00289145, [scale])
    groups: dict[str, Any] = {f"{where}FunctionalGroupsSequence": [group]}
    kind = "1.2.840.10008.5.1.4.1.1.7.3"
    data = written(TWELVE >> 1, 12, syntax, SOPClassUID=kind, NumberOfFrames="1", **groups)
    image = read(data)
    assert image.facts["window"] == "center 1948, width 8192, LINEAR"
    shares = (TWELVE.astype(float) - 100 - 1947.5 + 8191 / 2) / 8191
    expected = np.clip(np.floor(shares * 256), 0, 255)
    assert np.abs(image.pixels - expected).max() <= 1


def test_more_windows_are_told() -> None:
    data = written(TWELVE, 16, WindowCenter="\\2048\\40", WindowWidth="\\4096\\80")
    assert shown(data) == ("offers 2 windows: the first was used",)


@pytest.mark.parametrize(
    ("center", "width", "expected"),
    [
        ("2048", "", "gives a Window Center and a Window Width that are no window"),
        ("", "4096", "gives a Window Center and a Window Width that are no window"),
        ("soft", "tissue", "gives a Window Center and a Window Width that are no window"),
        ("2048", "-5", "gives a window of width -5"),
        ("NaN", "4096", "gives a Window Center and a Window Width that are no"),
    ],
)
def test_what_is_no_window_is_told(center: str, width: str, expected: str) -> None:
    (warning,) = shown(written(TWELVE, 12, WindowCenter=center, WindowWidth=width))
    assert warning.startswith(expected)
    assert warning.endswith("the full range was used")


@pytest.mark.parametrize("value", ["", "\\", " ", "\\ \\"])
def test_an_empty_window_is_none(value: str) -> None:
    assert shown(written(TWELVE, 12, WindowCenter=value, WindowWidth=value)) == ()


@pytest.mark.parametrize("function", ["linear", "LINEAR EXACT", "Linear_Exact", " SIGMOID "])
def test_a_function_in_another_spelling(function: str) -> None:
    window = {"WindowCenter": "2048", "WindowWidth": "4096"}
    image = read(written(TWELVE, 12, **window, VOILUTFunction=function))
    assert image.facts["window"].endswith(function.strip().upper().replace(" ", "_"))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("center", "width"), [("3174", "2426"), ("60000", "1000"), ("-500", "100"), ("2,048", "4,096")]
)
def test_a_window_outside_of_the_picture_is_told(center: str, width: str, photometric: str) -> None:
    stored = WIDE * 100 + 12_000
    window = {"WindowCenter": center, "WindowWidth": width}
    line = refusal(written(stored, 16, **window, PhotometricInterpretation=photometric))
    number, extent = (float(text.replace(",", ".")) for text in (center, width))
    expected = f"its window shows one gray: center {number:g}, width {extent:g}, LINEAR, of values "
    assert line.startswith(f"{expected}from 12000 to 37500")


def test_a_window_that_is_far_too_wide_is_told() -> None:
    image = read(written(TWELVE, 16, WindowCenter="32768", WindowWidth="65536"))
    (warning,) = image.warnings
    assert warning == (
        "shows no more than 16 grays by its window: center 32768, width 65536, LINEAR, "
        "of values from 0 to 4080"
    )


@pytest.mark.parametrize(("width", "grays"), [("1", 2), ("10", 10), ("60", 60)])
def test_a_window_that_is_far_too_narrow_is_told(width: str, grays: int) -> None:
    """It shows black and white, and next to nothing between them."""
    stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    image = read(written(stored, 12, WindowCenter="2048", WindowWidth=width))
    told = (
        f"shows no more than {grays} grays by its window: center 2048, width {width}, LINEAR, of "
        "values from 0 to 4095"
    )
    assert image.warnings == ((told,) if grays < 32 else ())


def test_few_values_are_not_their_windows_fault() -> None:
    stored = np.tile(np.arange(8, dtype=np.uint16) * 500, (40, 5))
    assert read(written(stored, 12, WindowCenter="2048", WindowWidth="4096")).warnings == ()


def test_letters_do_not_hide_that_a_window_lies_outside() -> None:
    stored = WIDE * 100 + 12_000
    stored[0, :10] = 3000
    assert "its window shows one gray" in refusal(
        written(stored, 16, WindowCenter="3174", WindowWidth="2426")
    )


def test_a_blank_picture_is_not_its_windows_fault() -> None:
    blank = np.full((40, 40), 2000, np.uint16)
    assert len(np.unique(read(written(blank, 12, WindowCenter="9", WindowWidth="9")).pixels)) == 1


# Without a window


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("used", [15, 14, 12, 10, 8])
def test_unsigned_pixels_that_leave_bits_unused(used: int, photometric: str) -> None:
    """As a 16-bit PNG of the same samples is read; 15 bits were shown at half their brightness."""
    stored = WIDE << (used - 8)
    if photometric == "MONOCHROME1":
        stored = np.uint16((1 << used) - 1) - stored
    data = written(stored, 16, PhotometricInterpretation=photometric)
    assert shown(data) == (f"uses {used} of its 16 bits: windowed to them",)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("bits", "used"),
    [(16, 15), (16, 14), (16, 12), (16, 10), (16, 8), (15, 14), (13, 12), (12, 10)],
)
def test_signed_pixels_from_0_up(bits: int, used: int, photometric: str) -> None:
    stored = (WIDE << (used - 8)).astype(np.int16)
    if photometric == "MONOCHROME1":
        stored = (1 << used) - 1 - stored
    data = written(stored, bits, PhotometricInterpretation=photometric)
    (warning,) = shown(data)
    assert warning == f"uses {used} of its {bits} bits: windowed to 0..{(1 << used) - 1}"


@pytest.mark.parametrize(
    ("bits", "used"),
    [(16, 16), (16, 15), (16, 14), (16, 12), (16, 10), (16, 8), (13, 12), (12, 12), (10, 10)],
)
def test_signed_pixels_about_0(bits: int, used: int) -> None:
    stored = (WIDE.astype(int) << (used - 8)) - (1 << used - 1)
    warnings = shown(written(stored.astype(np.int16), bits))
    half = 1 << used - 1
    expected = f"uses {used} of its {bits} bits: windowed to {-half}..{half - 1}"
    assert warnings == (() if used == bits else (expected,))


def test_signed_pixels_in_hounsfield_units() -> None:
    stored = TWELVE.astype(np.int16) - 1024
    assert shown(written(stored, 16)) == ("uses 12 of its 16 bits: windowed to -1024..3071",)


def test_a_little_noise_below_0_does_not_make_a_picture_signed() -> None:
    stored = TWELVE.astype(np.int16)
    stored[0, 0], stored[-1, 0] = -3, -20  # where the picture is black
    assert shown(written(stored, 16)) == ("uses 12 of its 16 bits: windowed to 0..4095",)


@pytest.mark.parametrize("bits", [13, 16])
@pytest.mark.parametrize(("slope", "intercept"), [("1", "1024"), ("2", "2048"), ("0.5", "512")])
def test_the_intercept_tells_where_the_range_begins(slope: str, intercept: str, bits: int) -> None:
    stored = TWELVE.astype(np.int16) - 1024
    data = written(stored, bits, RescaleSlope=slope, RescaleIntercept=intercept)
    assert shown(data) == (f"uses 12 of its {bits} bits: windowed to -1024..3071",)


def test_a_falling_slope() -> None:
    stored = 4095 - TWELVE
    assert shown(written(stored, 12, RescaleSlope="-1", RescaleIntercept="4095")) == ()
    assert shown(written(stored, 16, RescaleSlope="-1", RescaleIntercept="4095")) == (
        "uses 12 of its 16 bits: windowed to them",
    )
    signed = stored.astype(np.int16) - 1000
    data = written(signed, 16, RescaleSlope="-1", RescaleIntercept="3095")
    assert shown(data) == ("uses 12 of its 16 bits: windowed to -1000..3095",)


@pytest.mark.parametrize("offset", [-1000, -3000, 5000, -20_000])
def test_signed_pixels_about_an_odd_place_are_stretched_and_told(offset: int) -> None:
    stored = (WIDE.astype(int) * 5 + offset).astype(np.int16)
    image = read(written(stored, 16))
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)
    if offset < 0:
        assert any("windowed to" in warning for warning in image.warnings)
        assert np.ptp(np.percentile(image.pixels, (1, 99))) > 200


@pytest.mark.parametrize("used", [15, 14, 12, 10])
def test_signed_pixels_moved_into_unsigned_ones(used: int) -> None:
    stored = (WIDE << (used - 8)) + np.uint16(32_768)
    (warning,) = shown(written(stored, 16))
    assert f"uses {used} of its 16 bits: windowed to 32768.." in warning


@pytest.mark.parametrize(
    ("marker", "kind"), [(65_535, np.uint16), (32_767, np.int16), (-32_768, np.int16)]
)
@pytest.mark.parametrize("used", [15, 14, 12])
def test_markers_at_the_end_of_the_range_do_not_count(
    used: int, marker: int, kind: type[np.integer[Any]]
) -> None:
    stored = (WIDE << (used - 8)).astype(kind)
    stored[1:4, 1:6] = marker
    if used == 15 and marker == 32_767:
        return  # the end of its own range
    image = read(written(stored, 16))
    expected = PICTURE.copy()
    expected[1:4, 1:6] = 255 if marker > 0 else 0
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.warnings[0].startswith(f"has pixels of {marker} that stand apart from 0..")
