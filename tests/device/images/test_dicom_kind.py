"""Which DICOM objects are radiographs made for reading, and what the others are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_app.core.errors import ImageError

from ..pictures import radiograph, read, refusal
from .dicom_writer import CR, DX, DX_RAW, written

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

PICTURE = radiograph()
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT = "1.2.840.10008.5.1.4.1.1.2"
MAMMOGRAPHY_RAW, INTRA_ORAL_RAW = "1.2.840.10008.5.1.4.1.1.1.2.1", "1.2.840.10008.5.1.4.1.1.1.3.1"


def of(**values: Any) -> bytes:
    return written(PICTURE, 8, **values)


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "RF", "DR", "OT", "SC", "", "dx", "CR "])
@pytest.mark.parametrize("sop_class", [CR, DX, SECONDARY_CAPTURE, None, "1.2.3.4"])
def test_radiographs_under_all_their_names(sop_class: str | None, modality: str) -> None:
    image = read(of(SOPClassUID=sop_class, Modality=modality))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ()


@pytest.mark.parametrize("modality", ["CT", "MR", "MG", "PX", "IO", "XC", "XA", "US", "NM", "HC"])
def test_other_modalities_are_named(modality: str) -> None:
    for sop_class in (CR, SECONDARY_CAPTURE, None):
        line = refusal(of(SOPClassUID=sop_class, Modality=modality))
        assert f"of modality {modality}, not a radiograph of the chest" in line


@pytest.mark.parametrize("modality", ["", "OT", "SC", None])
def test_where_the_modality_says_nothing_the_class_does(modality: str | None) -> None:
    line = refusal(of(SOPClassUID=CT, Modality=modality))
    assert line == "is a DICOM CT Image Storage, not a radiograph of the chest"


def test_a_modality_that_dicom_does_not_know() -> None:
    (warning,) = read(of(Modality="XR", SOPClassUID=DX)).warnings
    assert warning.startswith("is of a modality that DICOM does not know: read as Digital X-Ray")
    for sop_class in (SECONDARY_CAPTURE, None, CT):
        assert "a modality that DICOM does not know" in refusal(
            of(Modality="XR", SOPClassUID=sop_class)
        )


@pytest.mark.parametrize("intent", ["FOR PROCESSING", "for processing", " FOR PROCESSING "])
@pytest.mark.parametrize("modality", ["DX", "CR", "OT"])
def test_raw_data_of_the_detector_is_refused_by_its_tag(modality: str, intent: str) -> None:
    line = refusal(of(SOPClassUID=DX, Modality=modality, PresentationIntentType=intent))
    assert line == (
        "is FOR PROCESSING by its Presentation Intent Type, raw data of the detector: "
        "give the image FOR PRESENTATION"
    )


@pytest.mark.parametrize("sop_class", [DX_RAW, MAMMOGRAPHY_RAW, INTRA_ORAL_RAW])
@pytest.mark.parametrize("intent", [None, "FOR PRESENTATION"])
@pytest.mark.parametrize("modality", ["DX", "OT"])
def test_raw_data_of_the_detector_is_refused_by_its_class(
    modality: str, intent: str | None, sop_class: str
) -> None:
    values = {"Modality": modality, "PresentationIntentType": intent}
    line = refusal(of(SOPClassUID=sop_class, **values))
    assert "For Processing by its SOP Class UID, raw data of the detector" in line


def test_what_is_for_presentation_is_read() -> None:
    data = of(SOPClassUID=DX, Modality="DX", PresentationIntentType="FOR PRESENTATION")
    assert read(data).warnings == ()


@pytest.mark.parametrize("spelling", ["{}", "{} ", " {}", "{}\0", "{}\0\0"])
@pytest.mark.parametrize(
    "photometric", ["MONOCHROME1", "MONOCHROME2", "monochrome1", "Monochrome2", "MONOCHROME_2"]
)
def test_photometric_interpretations_in_any_spelling(photometric: str, spelling: str) -> None:
    inverted = photometric.endswith("1")
    stored = 255 - PICTURE if inverted else PICTURE
    data = written(stored, 8, PhotometricInterpretation=spelling.format(photometric))
    image = read(data)
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["photometric"] == ("MONOCHROME1" if inverted else "MONOCHROME2")


@pytest.mark.parametrize(
    ("photometric", "shape", "warned"),
    [
        ("MONOCHROME1", "INVERSE", False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", "", False),
        ("MONOCHROME2", "LIN OD", False),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "inverse ", True),
    ],
)
def test_a_presentation_lut_shape_that_contradicts_is_told(
    photometric: str, shape: str, warned: bool
) -> None:
    stored = 255 - PICTURE if photometric == "MONOCHROME1" else PICTURE
    data = written(stored, 8, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    image = read(data)
    np.testing.assert_array_equal(image.pixels, PICTURE)
    warning = (
        f"says Photometric Interpretation {photometric} and Presentation LUT Shape "
        f"{shape.strip().upper()}, which contradict each other: shown by the first"
    )
    assert image.warnings == ((warning,) if warned else ())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"Rows": ("IS", "abc")}, "its Rows is no number"),
        ({"Rows": ("DS", "4.5")}, "its Rows is 4.5, which is no whole number"),
        ({"BitsStored": ("SS", -12)}, "its Bits Stored is -12"),
        ({"RescaleSlope": "one"}, "its Rescale Slope is no number"),
        ({"RescaleIntercept": "1e999"}, "its Rescale Intercept is no number"),
        ({"NumberOfFrames": "many"}, "its Number Of Frames is no number"),
        ({"HighBit": ("CS", "x")}, "its High Bit is no number"),
    ],
)
def test_values_that_are_no_numbers_are_named(values: dict[str, Any], expected: str) -> None:
    assert refusal(of(**values)) == f"is a damaged DICOM file: {expected}"


def test_numbers_may_be_written_as_text() -> None:
    rows, columns = PICTURE.shape
    data = of(Rows=("IS", str(rows)), Columns=("DS", f"{columns},0"), BitsStored=("UN", b"\x08\0"))
    np.testing.assert_array_equal(read(data).pixels, PICTURE)


NAME = "MUSTER^ERIKA"


@pytest.mark.parametrize(
    "values",
    [
        {"BodyPartExamined": NAME},
        {"Modality": NAME},
        {"Modality": NAME, "SOPClassUID": DX},
        {"PhotometricInterpretation": NAME},
        {"SOPClassUID": NAME},
        {"SOPClassUID": NAME, "PixelData": None},
        {"PresentationIntentType": NAME},
        {"PresentationLUTShape": NAME},
        {"ViewPosition": NAME},
        {"VOILUTFunction": NAME, "WindowCenter": 100, "WindowWidth": 100},
        {"WindowCenter": NAME, "WindowWidth": NAME},
        {"RescaleSlope": NAME},
        {"RescaleIntercept": NAME},
        {"NumberOfFrames": NAME},
        {"Rows": ("CS", NAME)},
        {"PixelPaddingValue": ("LO", NAME)},
    ],
    ids=str,
)
def test_a_name_that_was_typed_into_a_tag_does_not_get_out(values: dict[str, Any]) -> None:
    data = of(**values)
    try:
        image = read(data)
    except ImageError as error:
        text = str(error)
    else:
        text = str((image.warnings, image.facts))
    assert "MUSTER" not in text.upper()
    assert "ERIKA" not in text.upper()
