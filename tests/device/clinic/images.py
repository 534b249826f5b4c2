"""DICOM radiographs of nobody, made in memory."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np

from edge_app.images.phantom import synthetic_radiograph

CR = "1.2.840.10008.5.1.4.1.1.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
SC = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT = "1.2.840.10008.1.2.1"

PATIENT = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Jürgen",
    "PatientID": "P-4711",
    "PatientBirthDate": "19501231",
    "PatientSex": "M",
    "StudyDate": "20240102",
    "StudyTime": "101112",
    "StudyID": "S1",
    "AccessionNumber": "A-77",
    "Modality": "CR",
}
SECRETS = ("ller", "P-4711", "19501231", "A-77", "1.2.276.0.9701")
"""Of `PATIENT` and of the UIDs: none of these belongs into a log."""


@cache
def phantom(side: int = 256) -> Any:
    return synthetic_radiograph(side, seed=1)


def dicom(number: int = 1, pixels: Any = None, sop_class: str = CR, **elements: Any) -> bytes:
    """A file with one image; `number` makes its UID, other elements are put in or, None, left out.

    Args:
        number: another one is another instance of the same series.
        pixels: H×W uint8 or uint16; a synthetic radiograph if None.
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    picture = phantom() if pixels is None else pixels
    made = Dataset()
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = f"1.2.276.0.9701.1.1.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.276.0.9701.1", "1.2.276.0.9701.1.1"
    made.Rows, made.Columns = picture.shape
    made.BitsAllocated = made.BitsStored = 8 * picture.itemsize
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = made.BitsStored - 1, 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    for keyword, value in {**PATIENT, **elements}.items():
        if value is None:
            made.pop(keyword, None)
        else:
            setattr(made, keyword, value)
    made.PixelData = np.ascontiguousarray(picture).tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = EXPLICIT
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def miscoded(declared: str | None, number: int = 1, **elements: Any) -> bytes:
    """A file whose texts are of ISO_IR 100, and which declares another character set, or none."""
    file = dicom(number, PatientID="P-\xc44711", **elements)
    element = b"\x08\0\x05\0CS\x0a\0ISO_IR 100"
    assert file.count(element) == 1
    if declared is None:
        return file.replace(element, b"")
    other = declared.encode() + b" " * (len(declared) % 2)
    return file.replace(element, element[:6] + len(other).to_bytes(2, "little") + other)
