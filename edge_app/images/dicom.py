"""One DICOM file → one 8-bit radiograph, by the grayscale pipeline of the standard.

Sections of DICOM PS3.3 that the code follows:

- C.7.6.3 Image Pixel: samples are `Bits Stored` wide, signed where Pixel Representation is 1;
  C.7.6.3.1.2: the lowest value shows white in MONOCHROME1, black in MONOCHROME2.
- C.11.1 Modality LUT: stored values → modality values, by a table or by slope and intercept.
- C.11.2 VOI LUT: modality values → display, by a table (C.11.2.1.1) or a window (C.11.2.1.2;
  C.11.2.1.3 for LINEAR_EXACT and SIGMOID).
- C.8.11.3 DX Image: Presentation LUT Shape is INVERSE for MONOCHROME1, IDENTITY for MONOCHROME2.
  It only repeats the Photometric Interpretation; acting on both would invert twice.

These steps run over the at most 65536 values a sample can take; the picture then passes through
one table. pydicom parses and decodes; its `apply_voi` wraps 8-bit tables of more than 256 entries
and its `apply_windowing` turns a negative rescale slope upside down, hence the steps are here.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError, not_loaded
from edge_app.images.dicom_pixels import CODECS, EXTRA, line, lowest, samples, text
from edge_app.images.radiograph import Limits, Radiograph, require_pixels
from edge_app.images.windowing import significant_bits, to_8bit

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

RADIOGRAPHY = ("", "CR", "DX", "DR", "RG", "RF", "OT", "SC")
"""Modalities that may hold a chest film. A CT slice scored as one would look like an answer."""

LATERAL = ("LL", "RL", "LLD", "RLD", "LAT", "LATERAL")

KEYWORDS = (
    *("SOPClassUID", "Modality", "BodyPartExamined", "ViewPosition", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "RescaleSlope", "RescaleIntercept"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "ModalityLUTSequence", "VOILUTSequence"),
    "PixelData",
)
"""All that is parsed. Who the patient is never is."""

REQUIRED = (
    *("SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored"),
    "PixelRepresentation",
)

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
LUT_SEQUENCES = (0x00283000, 0x00283010)
UNDEFINED_LENGTH = 0xFFFFFFFF
MAX_ELEMENTS = 50_000
MAX_LUT_BYTES = 1 << 20
MAX_VALUE_BYTES = 1 << 12

_one_at_a_time = threading.Lock()


def decode(data: bytes, limits: Limits) -> Radiograph:
    """Decode a DICOM file's bytes to the picture its maker meant to be seen.

    Raises:
        ImageError: it is not one readable radiograph, or pydicom or a codec is not installed.
    """
    if importlib.util.find_spec("pydicom") is None:
        raise ImageError(f"is DICOM: {EXTRA}")
    try:
        with _quietly():
            dataset, syntax = _parse(data)
            notes = _require_radiograph(dataset)
            require_pixels(dataset.Columns, dataset.Rows, limits)
            return _shown(dataset, syntax, samples(dataset, syntax), notes)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("does not fit into memory: lower --max-pixels") from None
    except ImportError as error:
        raise ImageError(not_loaded(error)) from None
    # pydicom raises almost anything on a broken file.
    except Exception as error:
        raise ImageError(f"is a damaged DICOM file: {line(error)}") from None


@contextmanager
def _quietly() -> Iterator[None]:
    """pydicom warns and logs about what is answered here in one line.

    Silencing it is process-wide, so one file at a time; memory stays that of one picture.
    """
    logger = logging.getLogger("pydicom")
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


class _Metered(BytesIO):
    """Counts the short reads that each element, item and fragment costs.

    pydicom makes an object of over 1 KB for an item of 8 bytes, as many as there are.
    """

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += size is not None and 0 <= size <= 8
        if self.reads > MAX_ELEMENTS:
            raise ImageError(f"is DICOM of more than {MAX_ELEMENTS} elements")
        return super().read(size)


def _parse(data: bytes) -> tuple[Dataset, UID]:
    """The elements of `KEYWORDS`. Not by `dcmread`, which inflates a deflated file unboundedly."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    wanted = [tag_for_keyword(keyword) for keyword in KEYWORDS]
    begun = False

    def stop_when(tag: int, _vr: str | None, length: int) -> bool:
        nonlocal begun
        if tag in FLOAT_PIXEL_DATA:
            raise ImageError("holds floating-point pixels: export it as 16-bit integers")
        if tag == PIXEL_DATA:
            begun = True
            fits = not syntax.is_encapsulated or length == UNDEFINED_LENGTH
        elif tag in LUT_SEQUENCES:
            fits = length <= MAX_LUT_BYTES or length == UNDEFINED_LENGTH
        else:
            fits = length <= MAX_VALUE_BYTES or tag not in wanted
        if not fits:
            raise ImageError(f"is a damaged DICOM file: element {tag} has {length} bytes")
        return tag > PIXEL_DATA

    file = _Metered(data)
    file.seek(132)
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    syntax = UID(text(meta, "TransferSyntaxUID"))
    if not syntax.is_transfer_syntax:
        raise ImageError(f"is DICOM of an unknown transfer syntax, '{syntax}'")
    if syntax.is_deflated or (syntax.is_encapsulated and syntax not in CODECS):
        raise ImageError(f"is DICOM in {syntax.name}, which is not read: export it uncompressed")
    implicit, little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    dataset = read_dataset(file, implicit, little_endian, stop_when=stop_when, specific_tags=wanted)
    if begun and "PixelData" not in dataset:
        raise ImageError("is a truncated DICOM file: its pixel data has no end")
    dataset.file_meta = meta
    return dataset, syntax


def _sop_class(dataset: Dataset) -> str:
    uid = dataset.get("SOPClassUID")
    return line(uid.name, 64) if uid else "object of no class"


def _require_radiograph(dataset: Dataset) -> list[str]:
    """Refuse what is not one grayscale radiograph; notes on what may not be a frontal chest.

    Raises:
        ImageError: naming what it is instead.
    """
    if "PixelData" not in dataset:
        raise ImageError(f"is a DICOM {_sop_class(dataset)}: it holds no pixel data")
    modality = text(dataset, "Modality")
    if modality not in RADIOGRAPHY:
        raise ImageError(f"is a DICOM image of modality {modality}, not a radiograph")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(f"is a DICOM image of {frames} frames: export the one to be read")
    photometric = text(dataset, "PhotometricInterpretation")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ImageError(f"is a DICOM image in {photometric or 'no colour space'}, not grayscale")
    for keyword in REQUIRED:
        if dataset.get(keyword) is None:
            raise ImageError(f"is a damaged DICOM file: it has no {keyword}")
    if dataset.SamplesPerPixel != 1:
        raise ImageError(f"is a DICOM image of {dataset.SamplesPerPixel} samples a pixel, not 1")
    allocated, stored = dataset.BitsAllocated, dataset.BitsStored
    if allocated not in (8, 16) or not 8 <= stored <= allocated:
        raise ImageError(f"stores {stored} bits of {allocated} a sample: 8 to 16 are read")
    if dataset.get("HighBit", stored - 1) != stored - 1:
        raise ImageError(f"stores its {stored} bits up to bit {dataset.HighBit}, not {stored - 1}")
    notes = []
    part = text(dataset, "BodyPartExamined")
    if part and "CHEST" not in part and "THORAX" not in part:
        notes.append(f"says it shows {part}, not CHEST")
    if text(dataset, "ViewPosition") in LATERAL:
        notes.append("is a lateral view: the networks know frontal ones")
    return notes


def _shown(dataset: Dataset, syntax: UID, samples: NDArray[Any], notes: list[str]) -> Radiograph:
    """Modality LUT, VOI LUT and polarity: stored values → 8 bits, air dark."""
    least, bits = lowest(dataset), int(dataset.BitsStored)
    values, levels, depth = _modality(dataset, np.arange(1 << bits) + least)
    # Each sample's place in that table; unsigned overflow turns `- least` into what is meant.
    unsigned = np.dtype(f"u{samples.itemsize}")
    place = samples.view(unsigned) - unsigned.type(least % (1 << 8 * unsigned.itemsize))
    shares, window = _voi(dataset, values, notes)
    if shares is None:
        used = levels[place]
        guessed = min(depth, significant_bits(int(used.max())))
        if guessed < depth:
            notes.append(f"uses {guessed} of its {depth} bits: windowed to them")
        pixels, window = to_8bit(used, guessed)
        if "narrowed" in window:
            notes.append(f"has little contrast at {depth} bits: windowed to {window}")
    else:
        # 256 equal parts of the display range: 8-bit pictures stored wider come back exactly.
        pixels = np.clip(np.floor(shares * 256), 0, 255).astype(np.uint8)[place]
    photometric = text(dataset, "PhotometricInterpretation")
    inverted = photometric == "MONOCHROME1"
    facts = {
        "format": "DICOM",
        "width": int(dataset.Columns),
        "height": int(dataset.Rows),
        "bits": bits,
        "window": window,
        "inverted": inverted,
        "photometric": photometric,
        "transfer_syntax": syntax.name,
        "modality": text(dataset, "Modality"),
        "sop_class": _sop_class(dataset),
    }
    return Radiograph(255 - pixels if inverted else pixels, facts, tuple(notes))


def _modality(
    dataset: Dataset, stored: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.uint16], int]:
    """Each stored value's modality value; and as a level from 0 up, with the bits it needs."""
    if dataset.get("ModalityLUTSequence"):
        table, first, depth = _table(dataset.ModalityLUTSequence[0])
        values = _looked_up(table, first, stored)
        return values, values, depth
    slope = _number(dataset, "RescaleSlope", 1)
    if slope == 0:
        raise ImageError("is a damaged DICOM file: its rescale slope is 0")
    levels = np.arange(len(stored), dtype=np.uint16)[:: 1 if slope > 0 else -1]
    return stored * slope + _number(dataset, "RescaleIntercept", 0), levels, dataset.BitsStored


def _voi(
    dataset: Dataset, values: NDArray[Any], notes: list[str]
) -> tuple[NDArray[np.float64] | None, str]:
    """Each modality value's share of the display range, 0 to 1, by the first LUT or window."""
    tables, centers = dataset.get("VOILUTSequence"), dataset.get("WindowCenter")
    views = len(tables) if tables else 0 if centers is None else dataset["WindowCenter"].VM
    if views > 1:
        notes.append(f"offers {views} windows: the first was used")
    if tables:
        table, first, depth = _table(tables[0])
        return _looked_up(table, first, values) / ((1 << depth) - 1), f"VOI LUT of {depth} bits"
    if not views:
        return None, ""
    center, width = _number(dataset, "WindowCenter", 0), _number(dataset, "WindowWidth", 0)
    function = text(dataset, "VOILUTFunction") or "LINEAR"
    window = f"center {center:g}, width {width:g}, {function}"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise ImageError(f"is a DICOM image with the unknown VOI LUT function {function}")
    if width < 1 if function == "LINEAR" else width <= 0:
        notes.append(f"gives a window of width {width:g}: the full range was used")
        return None, ""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500))), window
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    return np.clip((values - center + width / 2) / max(width, 1e-9), 0, 1), window


def _number(dataset: Dataset, keyword: str, default: float) -> float:
    """The first value of a numeric element, `default` where it is absent or empty."""
    if keyword not in dataset or not (element := dataset[keyword]).VM:
        return default
    number = float(element.value if element.VM == 1 else element.value[0])
    if not np.isfinite(number):
        raise ImageError(f"is a damaged DICOM file: its {keyword} is {number}")
    return number


def _table(item: Dataset) -> tuple[NDArray[np.uint16], int, int]:
    """A LUT's entries, the value that the first one stands for, and its bits (C.11.1.1.1)."""
    entries, first, depth = (int(number) for number in item.LUTDescriptor)
    entries = entries or 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        endian = "<" if item.original_encoding[1] else ">"
        words = np.frombuffer(data[: len(data) & ~1], f"{endian}u2").astype("<u2")
    else:
        words = np.atleast_1d(np.asarray(data)).astype("<u2")
    # 8-bit entries are packed two to a word, but some makers give each a word of its own.
    table = words if len(words) >= entries else words.view(np.uint8).astype(np.uint16)
    if len(table) < entries or not 8 <= depth <= 16 or table[:entries].max() >> depth:
        raise ImageError(f"is a damaged DICOM file: a LUT of {entries} entries of {depth} bits")
    return table[:entries], first, depth


def _looked_up(table: NDArray[np.uint16], first: int, values: NDArray[Any]) -> NDArray[np.uint16]:
    """`table` at `values`, held at its ends outside it (C.11.2.1.1)."""
    place = np.clip(np.rint(values) - first, 0, len(table) - 1)
    return np.asarray(table[place.astype(np.intp)])
