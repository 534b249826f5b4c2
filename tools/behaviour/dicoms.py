"""The input files that are DICOM."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tools.behaviour.pictures import Files, chest, deep, saved
from tools.behaviour.settings import Pixels

# DICOM


def module(name: str) -> Any | None:
    """A package that need not be installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
JPEG_8, JPEG_2000, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"


def dicom(stored: Pixels, bits: int, syntax: str = EXPLICIT, **values: Any) -> bytes:
    """A DICOM file; `values` are elements by keyword, None to leave one out."""
    pydicom, uid = importlib.import_module("pydicom"), importlib.import_module("pydicom.uid").UID
    raw = stored.astype(stored.dtype.newbyteorder(">" if syntax == BIG else "<")).tobytes()
    elements: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.1",
        "PatientName": "Doe^Jane",
        "PatientID": "4711",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 8 * stored.itemsize,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": raw + b"\0" * (len(raw) % 2),
    } | values
    dataset = pydicom.Dataset()
    dataset.file_meta = importlib.import_module("pydicom.dataset").FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid(syntax)
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        packed = uid(syntax).is_encapsulated
        dataset["PixelData"].VR = "OB" if packed or stored.itemsize == 1 else "OW"
        dataset["PixelData"].is_undefined_length = packed
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dicom_rle(stored: Pixels, bits: int) -> bytes:
    dataset = importlib.import_module("pydicom").dcmread(io.BytesIO(dicom(stored, bits)))
    dataset.compress(RLE, encoding_plugin="pydicom", generate_instance_uid=False)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def lut(entries: Sequence[int], first: int, bits: int) -> Any:
    item = importlib.import_module("pydicom").Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", list(entries))
    item.ModalityLUTType = "US"
    return item


def dicom_files() -> Files:
    """Empty where pydicom is not installed."""
    if module("pydicom") is None:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are wrong on purpose
        return {f"dicom-{name}.dcm": data for name, data in _dicoms().items()}


def _dicoms() -> Files:
    return {**_encodings(), **_grays(), **_compressed(), **_refused()}


def _encodings() -> Files:
    """Depths, signs, byte orders and both photometric interpretations."""
    picture = chest(200, 256)
    twelve, sixteen = deep(picture, 12), deep(picture, 16)
    signed = (twelve.astype(int) - 2048).astype(np.int16)
    of_twelve = partial(dicom, twelve, 12)
    return {
        "8": dicom(picture, 8),
        "12": of_twelve(),
        "16": dicom(sixteen, 16),
        "10-of-16": dicom(deep(picture, 10), 16),
        "monochrome1": dicom(4095 - twelve, 12, PhotometricInterpretation="MONOCHROME1"),
        "monochrome1-of-bright": of_twelve(PhotometricInterpretation="MONOCHROME1"),
        "implicit": dicom(twelve, 12, IMPLICIT),
        "big-endian": dicom(twelve, 12, BIG),
        "signed-12": dicom(signed, 12),
        "signed-8": dicom((picture.astype(int) - 128).astype(np.int8), 8),
    }


def _grays() -> Files:
    """Windows, rescaling and look-up tables."""
    picture = chest(200, 256)
    twelve = deep(picture, 12)
    of_twelve = partial(dicom, twelve, 12)
    full: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096}
    ramp, negative = list(range(4096)), list(range(4095, -1, -1))
    return {
        "window": of_twelve(**full),
        "window-narrow": of_twelve(WindowCenter=1800, WindowWidth=900),
        "window-exact": of_twelve(
            WindowCenter=1800, WindowWidth=900, VOILUTFunction="LINEAR_EXACT"
        ),
        "window-sigmoid": of_twelve(WindowCenter=1800, WindowWidth=900, VOILUTFunction="SIGMOID"),
        "window-cubic": of_twelve(WindowCenter=1800, WindowWidth=900, VOILUTFunction="CUBIC"),
        "window-0": of_twelve(WindowCenter=100, WindowWidth=0),
        "windows-2": of_twelve(WindowCenter=[2048, 100], WindowWidth=[4096, 10]),
        "rescaled": of_twelve(RescaleSlope=2, RescaleIntercept=-1000),
        "rescale-negative": dicom(4095 - twelve, 12, RescaleSlope=-1, RescaleIntercept=4095),
        "rescale-0": of_twelve(RescaleSlope=0, RescaleIntercept=0),
        "voi-lut": of_twelve(VOILUTSequence=[lut(ramp, 0, 12)]),
        "voi-luts-2": of_twelve(VOILUTSequence=[lut(ramp, 0, 12), lut(negative, 0, 12)]),
        "voi-lut-short": of_twelve(VOILUTSequence=[lut([0, 4096], 0, 12)]),
        "modality-lut": dicom(4095 - twelve, 12, ModalityLUTSequence=[lut(negative, 0, 12)]),
        "faint": dicom(picture.astype(np.uint16) + 3000, 14),
    }


def _compressed() -> Files:
    """Pixel data of other transfer syntaxes, whole and cut off."""
    encapsulate = importlib.import_module("pydicom.encaps").encapsulate
    picture = chest(200, 256)
    frame = saved(picture, "JPEG", quality=90)
    wavelets = saved(picture, "JPEG2000", no_jp2=True)
    jpeg = partial(dicom, picture, 8, JPEG_8)
    return {
        "rle": dicom_rle(deep(picture, 12), 12),
        "rle-8": dicom_rle(picture, 8),
        "jpeg": jpeg(PixelData=encapsulate([frame])),
        "jpeg-fragments": jpeg(PixelData=encapsulate([frame], fragments_per_frame=5)),
        "jpeg-of-another-size": jpeg(
            PixelData=encapsulate([saved(chest(64, 64), "JPEG", quality=90)])
        ),
        "jpeg-half": jpeg(PixelData=encapsulate([frame[: len(frame) // 2]])),
        "jpeg2000": dicom(picture, 8, JPEG_2000, PixelData=encapsulate([wavelets])),
        "jpeg2000-half": dicom(
            picture, 8, JPEG_2000, PixelData=encapsulate([wavelets[: len(wavelets) // 2]])
        ),
    }


def _refused() -> Files:
    """Other modalities and objects, and headers that contradict the pixel data."""
    picture = chest(200, 256)
    twelve = deep(picture, 12)
    of_twelve = partial(dicom, twelve, 12)
    return {
        "frames-3": dicom(
            picture, 8, NumberOfFrames=3, PixelData=np.stack([picture] * 3).tobytes()
        ),
        "frames-30-promised": of_twelve(NumberOfFrames=30),
        "ct": of_twelve(Modality="CT"),
        "mr": of_twelve(Modality="MR"),
        "mg": of_twelve(Modality="MG"),
        "dx": of_twelve(Modality="DX"),
        "no-modality": of_twelve(Modality=None),
        "hand": of_twelve(BodyPartExamined="HAND"),
        "lateral": of_twelve(ViewPosition="LL"),
        "hostile-text": of_twelve(BodyPartExamined="\x1b[31mHAND"),
        "report": of_twelve(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None, Modality="SR"
        ),
        "rgb": dicom(
            np.dstack([picture] * 3), 8, PhotometricInterpretation="RGB", SamplesPerPixel=3
        ),
        "palette": of_twelve(PhotometricInterpretation="PALETTE COLOR"),
        "no-photometric": of_twelve(PhotometricInterpretation=None),
        "no-rows": of_twelve(Rows=None),
        "no-bits-stored": of_twelve(BitsStored=None),
        "no-pixels": of_twelve(PixelData=None),
        "rows-0": of_twelve(Rows=0),
        "rows-too-many": of_twelve(Rows=257),
        "rows-vast": of_twelve(Rows=65535, Columns=65535),
        "bits-20": of_twelve(BitsStored=20),
        "high-bit": of_twelve(HighBit=15),
        "bits-32": of_twelve(BitsAllocated=32, BitsStored=32, HighBit=31),
        "unknown-syntax": dicom(twelve, 12).replace(
            EXPLICIT.encode(), b"1.2.3.4".ljust(len(EXPLICIT), b"\0")
        ),
        "deflated": dicom(twelve, 12, f"{EXPLICIT}.99"),
    }
