"""What kind of DICOM object this is: one grayscale radiograph made for reading, or another kind.

A CT slice, raw detector data or a panoramic view of teeth scored as a chest film would look like
an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge_app.core.errors import ImageError
from edge_app.images.dicom_file import DicomFile
from edge_app.images.dicom_pixels import Form, is_read
from edge_app.images.dicom_terms import BODY_PARTS, COLOUR_SPACES, UID_FORM, known
from edge_app.images.dicom_values import LONGEST_TEXT, Values, damaged, line, spoken

if TYPE_CHECKING:
    from pydicom.uid import UID

RADIOGRAPHY = ("CR", "DX", "RG", "RF", "DR")
"""Modalities of chest films (PS3.3 C.7.3.1.1.1); DR is not in the standard, but common."""

UNSPECIFIC = ("", "OT", "SC")
"""Modalities that may hold anything, a digitised film among it: the SOP class decides."""

OTHERS = (
    "AR", "AS", "BI", "BMD", "CD", "CFM", "CP", "CS", "CT", "CTPROTOCOL", "DD", "DF", "DG",
    "DM", "DMS", "DOC", "DS", "EC", "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "FA", "FID", "FS",
    "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS", "KER", "KO", "LEN", "LP", "LS", "M3D", "MA",
    "MG", "MR", "MS", "NM", "OAM", "OCT", "OP", "OPM", "OPR", "OPT", "OPTBSV", "OPTENF", "OPV",
    "OSS", "PA", "PLAN", "POS", "PR", "PT", "PX", "REG", "RESP", "RTDOSE", "RTIMAGE",
    "RTINTENT", "RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SM",
    "SMR", "SR", "SRF", "ST", "STAIN", "TEXTUREMAP", "TG", "US", "VA", "VF", "XA", "XC",
    "XAPROTOCOL",
)  # fmt: skip
"""The other defined terms of the standard, retired ones included."""

RADIOGRAPH_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, for presentation
)
UNSPECIFIC_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.2",  # Multi-frame Grayscale Byte Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.3",  # Multi-frame Grayscale Word Secondary Capture
    "1.2.840.10008.5.1.4.1.1.12.2",  # X-Ray Radiofluoroscopic
)

FOR_PROCESSING = "FOR PROCESSING"

UPRIGHT = ("L", "F")
"""Where the rows and the columns of a frontal radiograph lead as it is read: to the patient's left,
and to the feet (PS3.3 C.7.6.1.1.1)."""

HEIGHT_AND_WIDTH = (
    *("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"),
    "NominalScannedPixelSpacing",
)
SQUARE = 1.02
NO_PIXEL = 10
"""A pixel's longer side over its shorter one: up to the first it counts as square, and from the
second on the file means something else."""

LATERAL = ("LL", "RL", "LLD", "RLD", "LAT", "LATERAL")

REQUIRED = (
    *("SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored"),
    "PixelRepresentation",
)


def photometric_interpretation(header: Values) -> str:
    """MONOCHROME1 or MONOCHROME2 in whatever spelling, as dcmtk reads them; others as written."""
    text = header.text("PhotometricInterpretation")
    plain = re.sub(r"[^A-Z0-9]", "", text)
    return plain if plain in ("MONOCHROME1", "MONOCHROME2") else text


def sop_class(header: Values) -> str:
    """The SOP class's name, its UID where that is none of the standard's."""
    uid = _sop_class_uid(header)
    if uid.name == uid and not UID_FORM.fullmatch(uid):
        return "object of a class without a UID" if uid else "object of no class"
    return line(uid.name, 64)


def known_modality(header: Values) -> str:
    """The modality where it is a term of the standard; "" where it is absent or another text."""
    return known(header.text("Modality"), (*RADIOGRAPHY, *UNSPECIFIC, *OTHERS), "")


def _sop_class_uid(header: Values) -> UID:
    from pydicom.uid import UID

    return UID(header.text("SOPClassUID"))


def require_radiograph(file: DicomFile, notes: list[str]) -> Form:
    """Refuse what is not one grayscale radiograph; notes on what may not be a frontal chest.

    Returns:
        How its samples lie in their words.

    Raises:
        ImageError: naming what it is instead.
    """
    header, syntax = file.header, file.syntax
    if syntax.is_encapsulated and not is_read(syntax):
        raise ImageError(f"is DICOM in {syntax.name}, which is not read: export it uncompressed")
    if not file.pixels:
        raise ImageError(f"is a DICOM {sop_class(header)}: it holds no pixel data")
    _require_modality(header, notes)
    _require_for_presentation(header)
    frames = header.integer("NumberOfFrames") or 1
    if frames != 1:
        raise ImageError(f"is a DICOM image of {frames} frames: export the one to be read")
    photometric = photometric_interpretation(header)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        space = known(photometric, COLOUR_SPACES, "an unknown colour space")
        raise ImageError(
            f"is a DICOM image in {space if photometric else 'no colour space'}, not grayscale"
        )
    form = _form(file)
    part = header.text("BodyPartExamined")
    if part and "CHEST" not in part and "THORAX" not in part:
        shown = known(part, BODY_PARTS, "a part of the body that DICOM does not know")
        notes.append(f"says it shows {shown}, not CHEST")
    view = header.text("ViewPosition")
    if view in LATERAL:
        notes.append("is a lateral view: the networks know frontal ones")
    if view == "AP":
        notes.append(
            "is an AP view, mostly taken at the bedside: normal ones may be flagged more often, "
            "and heart size is not reliable"
        )
    _compare_orientation(header, notes)
    if _is_shuttered(header):
        notes.append(
            "has a Display Shutter, behind which viewers may show nothing: it is scored with what "
            "is there"
        )
    return form


def _compare_orientation(header: Values, notes: list[str]) -> None:
    """A note where the file says that its picture is mirrored, turned, or from another side.

    Viewers turn it, and it is scored as it is stored: many files say what they are not.
    """
    stated = header.texts("PatientOrientation")
    if len(stated) != len(UPRIGHT) or any(each[:1] not in tuple("LRAPHF") for each in stated):
        return
    if tuple(each[:1] for each in stated) != UPRIGHT:
        shown = line(" and ".join(stated), LONGEST_TEXT)
        notes.append(
            f"says that its rows and columns lead to {shown}, not to L and F: mirrored, turned or "
            "no frontal view; it is scored as it is stored"
        )


def pixel_aspect(header: Values) -> float | None:
    """The height of a pixel over its width, where the file says that they differ noticeably.

    PS3.3 C.7.6.3.1.7 and 10.7.1: each attribute has the distance down first.
    """
    for keyword in HEIGHT_AND_WIDTH:
        down, across = [*header.numbers(keyword), None, None][:2]
        if down and across and min(down, across) > 0:
            longer = max(down, across) / min(down, across)
            return round(down / across, 3) if SQUARE < longer < NO_PIXEL else None
    return None


def _is_shuttered(header: Values) -> bool:
    """Whether a Display Shutter hides a part of the picture (PS3.3 C.7.6.11).

    A rectangular one that reaches from the first row and column to the last ones hides nothing.
    """
    shapes = {shape.upper() for shape in header.texts("ShutterShape") if shape}
    if shapes != {"RECTANGULAR"}:
        return bool(shapes)
    left, right, upper, lower = (
        next(iter(header.numbers(f"Shutter{edge}Edge")), None)
        for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
    )
    rows, columns = header.number("Rows", 0), header.number("Columns", 0)
    return not (
        (left or 0) <= 1
        and (upper or 0) <= 1
        and (columns if right is None else right) >= columns
        and (rows if lower is None else lower) >= rows
    )


def _require_modality(header: Values, notes: list[str]) -> None:
    stated, uid = header.text("Modality"), _sop_class_uid(header)
    if stated in RADIOGRAPHY:
        return
    if stated in UNSPECIFIC:
        if uid.name != uid and uid not in (*RADIOGRAPH_CLASSES, *UNSPECIFIC_CLASSES):
            _require_no_processing_class(uid)
            raise ImageError(f"is a DICOM {sop_class(header)}, not a radiograph of the chest")
        return
    named = f"modality {stated}" if stated in OTHERS else "a modality that DICOM does not know"
    if stated in OTHERS or uid not in RADIOGRAPH_CLASSES:
        raise ImageError(f"is a DICOM image of {named}, not a radiograph of the chest")
    notes.append(f"is of {named}: read as {uid.name}")


def _require_for_presentation(header: Values) -> None:
    """Refuse raw detector data: the network was taught with pictures made for the eye."""
    intent = header.text("PresentationIntentType").replace("_", " ")
    if intent == FOR_PROCESSING:
        raise ImageError(
            "is FOR PROCESSING by its Presentation Intent Type, raw data of the detector: "
            "give the image FOR PRESENTATION"
        )
    _require_no_processing_class(_sop_class_uid(header))


def _require_no_processing_class(uid: UID) -> None:
    if FOR_PROCESSING in uid.name.upper():
        raise ImageError(
            f"is a {line(uid.name)} by its SOP Class UID, raw data of the detector: "
            "give the image FOR PRESENTATION"
        )


def _form(file: DicomFile) -> Form:
    header = file.header
    found = {keyword: header.integer(keyword) for keyword in REQUIRED}
    for keyword, value in found.items():
        if value is None:
            damaged(f"it has no {keyword}")
        if value < 0:
            damaged(f"its {spoken(keyword)} is {value}")
    samples, allocated, stored = (
        found[keyword] or 0 for keyword in ("SamplesPerPixel", "BitsAllocated", "BitsStored")
    )
    if samples != 1:
        raise ImageError(f"is a DICOM image of {samples} samples a pixel, not 1")
    if allocated not in (8, 16) or not 8 <= stored <= allocated:
        raise ImageError(f"stores {stored} bits of {allocated} a sample: 8 to 16 are read")
    high = header.integer("HighBit")
    high = stored - 1 if high is None else high
    if not stored - 1 <= high < allocated:
        raise ImageError(f"stores its {stored} bits up to bit {high}, not {stored - 1}")
    return Form(allocated, stored, high, bool(found["PixelRepresentation"]), file.overlay_bits)
