"""One DICOM object → one 8-bit radiograph, by the grayscale pipeline of the standard.

Sections are those of DICOM PS3.3:

- C.7.6.3 Image Pixel: stored values are `Bits Stored` wide, signed where Pixel Representation is
  1; C.7.6.3.1.2: the lowest value is white in MONOCHROME1, black in MONOCHROME2.
- C.11.1 Modality LUT: stored values → modality values, by a table or by rescale slope, intercept.
- C.11.2 VOI LUT: modality values → what is shown, by a table (C.11.2.1.1) or a window
  (C.11.2.1.2; LINEAR, LINEAR_EXACT and SIGMOID in C.11.2.1.2.1 and C.11.2.1.3).
- C.8.11.3 DX Image: Presentation LUT Shape is INVERSE in MONOCHROME1 and IDENTITY in MONOCHROME2,
  so it repeats the Photometric Interpretation: acting on both would invert twice.

All steps run over the at most 65536 values a sample can have; the image passes through the
resulting table once. pydicom parses and decodes. Its `apply_voi` wraps 8-bit tables of more than
256 entries and its `apply_windowing` shows a negative rescale slope upside down: hence the steps
are written out below.
"""

from __future__ import annotations

import logging
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_app.errors import EdgeCxrError, ImageError
from edge_app.image import Limits, Radiograph, jpeg_segments, require_pixels
from edge_app.windowing import to_8bit

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

EXTRA = "install the dicom extra: pip install 'edge-cxr[dicom]'"

RADIOGRAPHY = frozenset(("", "CR", "DX", "DR", "RG", "RF", "OT", "SC"))
"""Modalities that can hold a chest film. A CT slice scored as one would look like an answer."""

LATERAL = frozenset(("LL", "RL", "LLD", "RLD", "LAT", "LATERAL"))

KEYWORDS = (
    "SOPClassUID Modality BodyPartExamined ViewPosition SamplesPerPixel PhotometricInterpretation "
    "NumberOfFrames Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation "
    "WindowCenter WindowWidth VOILUTFunction RescaleIntercept RescaleSlope "
    "ModalityLUTSequence VOILUTSequence PixelData"
).split()
"""All that is parsed; who the patient is never is."""

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
UNDEFINED_LENGTH = 0xFFFFFFFF
MAX_READS = 50_000
MAX_VALUE = 1 << 20
MAX_TEXT = 1 << 12

_one_at_a_time = threading.Lock()


def decode(data: bytes, limits: Limits) -> Radiograph:
    """Decode a DICOM file's bytes to the picture its maker meant to be seen.

    Raises:
        ImageError: it is not one readable radiograph, or pydicom or a codec is not installed.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError:
        raise ImageError(f"is DICOM: {EXTRA}") from None
    try:
        with _quietly():
            dataset, syntax = _parse(data)
            notes = _require_radiograph(dataset)
            require_pixels(dataset.Columns, dataset.Rows, limits)
            stored = _stored_values(dataset, syntax)
            return _shown(dataset, stored, syntax, notes)
    except EdgeCxrError:
        raise
    except MemoryError:
        raise ImageError("does not fit into memory: lower --max-pixels") from None
    # pydicom and its codecs raise almost anything on a broken file.
    except Exception as error:  # noqa: BLE001
        raise ImageError(f"is a damaged DICOM file: {_line(error)}") from None


@contextmanager
def _quietly() -> Iterator[None]:
    """pydicom warns and logs about what is answered here in one line.

    Silencing is process-wide, so one file at a time; that also keeps memory to one picture's.
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


def _line(value: object, longest: int = 120) -> str:
    text = " ".join(str(value).split()) or type(value).__name__
    return re.sub(r"[^ -~]", "?", text)[:longest]


class _Metered(BytesIO):
    """Counts the short reads that each element, item and fragment costs.

    pydicom builds an object of over 1 KB for an item of 8 bytes, without bound.
    """

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += size is not None and 0 <= size <= 8
        if self.reads > MAX_READS:
            raise ImageError(f"is DICOM of more than {MAX_READS} elements")
        return super().read(size)


def _parse(data: bytes) -> tuple[Dataset, UID]:
    """The elements named in `KEYWORDS`. Not by dcmread, which would inflate without bound."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset
    from pydicom.tag import BaseTag
    from pydicom.uid import UID

    wanted = [BaseTag(tag_for_keyword(keyword) or 0) for keyword in KEYWORDS]
    found_pixels = False

    def stop_when(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal found_pixels
        found_pixels |= tag == PIXEL_DATA
        if tag in FLOAT_PIXEL_DATA:
            raise ImageError("holds floating-point pixels: export it as 16-bit integers")
        if tag == PIXEL_DATA and syntax.is_encapsulated and length != UNDEFINED_LENGTH:
            raise ImageError("is a damaged DICOM file: its compressed pixels have a fixed length")
        if tag in wanted and tag != PIXEL_DATA:
            sequence = (tag & 0xFF00) == 0x3000
            if length > (MAX_VALUE if sequence else MAX_TEXT) and not (
                sequence and length == UNDEFINED_LENGTH
            ):
                raise ImageError(f"is a damaged DICOM file: element {tag} has {length} bytes")
        return tag > PIXEL_DATA

    file = _Metered(data)
    file.seek(132)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    syntax = UID(str(meta.get("TransferSyntaxUID", "")))
    if not syntax.is_transfer_syntax:
        raise ImageError(f"is DICOM of an unknown transfer syntax: '{_line(str(syntax), 64)}'")
    if syntax.is_deflated:
        raise ImageError(f"is DICOM in {syntax.name}, which is not read: export it uncompressed")
    dataset = read_dataset(
        file,
        syntax.is_implicit_VR,
        syntax.is_little_endian,
        stop_when=stop_when,
        specific_tags=list(wanted),
    )
    if found_pixels and "PixelData" not in dataset:
        raise ImageError("is a truncated DICOM file: its pixel data has no end")
    return dataset, syntax


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else _line(str(value), 64).strip().upper()


def _sop_class(dataset: Dataset) -> str:
    uid = dataset.get("SOPClassUID")
    return _line(uid.name, 64) if uid else "object of unknown class"


def _require_radiograph(dataset: Dataset) -> list[str]:
    """Refuse what is not one grayscale radiograph; notes on what may not be a frontal chest.

    Raises:
        ImageError: naming what it is instead.
    """
    if "PixelData" not in dataset:
        raise ImageError(f"is a DICOM {_sop_class(dataset)}: it holds no pixel data")
    modality = _text(dataset, "Modality")
    if modality not in RADIOGRAPHY:
        raise ImageError(f"is a DICOM image of modality {modality}, not a radiograph")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(f"is a DICOM image of {frames} frames: export the one to be read")
    photometric = _text(dataset, "PhotometricInterpretation")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ImageError(f"is a DICOM image in {photometric or 'no colour space'}, not grayscale")
    if dataset.SamplesPerPixel != 1:
        raise ImageError(f"is a DICOM image of {dataset.SamplesPerPixel} samples a pixel, not 1")
    allocated, stored = dataset.BitsAllocated, dataset.BitsStored
    if allocated not in (8, 16) or not 8 <= stored <= allocated:
        raise ImageError(f"stores {stored} bits in {allocated} a sample: 8 to 16 are read")
    if dataset.get("HighBit", stored - 1) != stored - 1:
        raise ImageError(f"stores {stored} bits a sample from bit {dataset.HighBit} downwards")
    notes = []
    part = _text(dataset, "BodyPartExamined")
    if part and "CHEST" not in part and "THORAX" not in part:
        notes.append(f"says it shows {part}, not CHEST")
    if _text(dataset, "ViewPosition") in LATERAL:
        notes.append("is a lateral view: the networks know frontal ones")
    return notes


def _stored_values(dataset: Dataset, syntax: UID) -> NDArray[np.integer[Any]]:
    """Rows×Columns in the machine's byte order, each within Bits Stored."""
    from pydicom.encaps import get_frame
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise ImageError(f"is compressed as {syntax.name}: export it uncompressed") from None
    if not decoder.is_available:
        raise ImageError(f"is compressed as {syntax.name}, for which there is no codec: {EXTRA}")
    dataset.file_meta = _file_meta(syntax)
    if syntax.is_encapsulated:
        if int.from_bytes(dataset.PixelData[4:8], "little") > 4:
            raise ImageError("is a DICOM image of several frames: export the one to be read")
        _require_honest(get_frame(dataset.PixelData, 0, number_of_frames=1), syntax, dataset)
        _silence_gdcm()
    try:
        values, _ = decoder.as_array(dataset, index=0, raw=True)
    except RuntimeError as error:  # pydicom's list of what each codec said
        reason = _line(str(error).split("plugins:")[-1])
        raise ImageError(f"its {syntax.name} pixels cannot be decoded: {reason}") from None
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    lowest = _lowest(dataset)
    if values.min() < lowest or values.max() - lowest >> dataset.BitsStored:
        raise ImageError(f"holds values beyond its {dataset.BitsStored} bits")
    return values


def _file_meta(syntax: UID) -> Any:
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    return meta


def _silence_gdcm() -> None:
    try:
        import gdcm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()


def _require_honest(frame: bytes, syntax: UID, dataset: Dataset) -> None:
    """The codestream must be the size its header promised: codecs allocate what *it* declares."""
    from pydicom.uid import JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

    rows, columns = dataset.Rows, dataset.Columns
    if syntax == RLELossless:
        _require_rle_size(frame, rows * columns)
        return
    sizes = []
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        if frame.startswith(b"\xff\xd8"):
            for marker, at in jpeg_segments(frame):
                if marker == 0xF7 or (marker >> 4 == 0xC and marker not in (0xC4, 0xC8, 0xCC)):
                    sizes.append(struct.unpack_from(">HHB", frame, at + 3))
    elif frame.startswith(b"\xff\x4f\xff\x51"):  # JPEG 2000: SOC, SIZ
        right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
        sizes.append((bottom - top, right - left, *struct.unpack_from(">H", frame, 40)))
    if sizes != [(rows, columns, 1)]:
        raise ImageError(
            f"is a damaged DICOM file: declares {rows} rows, {columns} columns and 1 sample, "
            f"compressed are {_line(sizes[:1] or 'none')}"
        )


def _require_rle_size(frame: bytes, pixels: int) -> None:
    """Walk the runs (PS3.5 G.3.1): two bytes may stand for 128, and pydicom unpacks them all."""
    count, *offsets = struct.unpack_from("<16L", frame)
    bounds = [*offsets[:count], len(frame)]
    padded = pixels + 128
    for at, end in zip(bounds, bounds[1:], strict=False):
        size = 0
        while at < min(end, len(frame)) and size <= padded:
            run = frame[at]
            size += run + 1 if run < 128 else (257 - run) % 129
            at += run + 2 if run < 128 else 2 - (run == 128)
        if size > padded:
            raise ImageError("is a damaged DICOM file: its RLE runs are longer than the picture")


def _lowest(dataset: Dataset) -> int:
    return -(1 << dataset.BitsStored - 1) if dataset.PixelRepresentation else 0


def _shown(
    dataset: Dataset, stored: NDArray[np.integer[Any]], syntax: UID, notes: list[str]
) -> Radiograph:
    """Modality LUT, VOI LUT and polarity: stored values → 8 bits, air dark."""
    bits = int(dataset.BitsStored)
    domain = np.arange(1 << bits) + _lowest(dataset)
    values, levels, depth = _modality(dataset, domain)
    # The place of each sample in `domain`: an offset modulo 2**16 turns signed into unsigned.
    place = stored.view(f"u{stored.itemsize}") - np.array(
        _lowest(dataset) % (1 << 8 * stored.itemsize), dtype=f"u{stored.itemsize}"
    )
    shares, window = _voi(dataset, values, notes)
    if shares is None:
        pixels, window = to_8bit(levels[place], depth)
        if "narrowed" in window:
            notes.append(f"has little contrast at {depth} bits: windowed to {window}")
    else:
        # 256 equal parts of the display range: an 8-bit picture stored with 8, 10, 12 or 16 bits
        # comes back exactly.
        grays = np.clip(np.floor(shares * 256), 0, 255).astype(np.uint8)
        pixels = grays[place]
    inverted = _text(dataset, "PhotometricInterpretation") == "MONOCHROME1"
    facts = {
        "format": "DICOM",
        "width": int(dataset.Columns),
        "height": int(dataset.Rows),
        "bits": bits,
        "window": window,
        "inverted": inverted,
        "photometric": _text(dataset, "PhotometricInterpretation"),
        "transfer_syntax": syntax.name,
        "modality": _text(dataset, "Modality"),
        "sop_class": _sop_class(dataset),
    }
    return Radiograph(255 - pixels if inverted else pixels, facts, tuple(notes))


def _table(item: Dataset) -> tuple[NDArray[np.uint16], int, int]:
    """A LUT's entries, the value its first one stands for, and its bits (C.11.1.1.1)."""
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
    table = table[:entries]
    if len(table) < entries or not 8 <= depth <= 16 or table.max() >> depth:
        raise ImageError(f"is a damaged DICOM file: a LUT of {entries} entries of {depth} bits")
    return table, first, depth


def _looked_up(table: NDArray[np.uint16], first: int, values: NDArray[Any]) -> NDArray[np.uint16]:
    return table[np.clip(np.rint(values) - first, 0, len(table) - 1).astype(np.intp)]


def _modality(
    dataset: Dataset, domain: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.uint16], int]:
    """Each stored value's modality value, and its level from 0 with the bits that holds it."""
    sequence = dataset.get("ModalityLUTSequence")
    if sequence:
        table, first, depth = _table(sequence[0])
        values = _looked_up(table, first, domain)
        return values, values, depth
    slope = _first_number(dataset, "RescaleSlope", 1.0)
    levels = np.arange(len(domain), dtype=np.uint16)
    if slope == 0:
        raise ImageError("is a damaged DICOM file: its rescale slope is 0")
    values = domain * slope + _first_number(dataset, "RescaleIntercept", 0.0)
    return values, levels if slope > 0 else levels[::-1], int(dataset.BitsStored)


def _first_number(dataset: Dataset, keyword: str, default: float) -> float:
    value = dataset.get(keyword)
    if value is None or value == "":
        return default
    number = float(value if isinstance(value, (int, float)) else value[0])
    if not np.isfinite(number):
        raise ImageError(f"is a damaged DICOM file: its {keyword} is {number}")
    return number


def _voi(
    dataset: Dataset, values: NDArray[Any], notes: list[str]
) -> tuple[NDArray[np.float64] | None, str]:
    """Each modality value's place in the display range, 0 to 1, by the first LUT or window."""
    sequence = dataset.get("VOILUTSequence")
    centers = dataset.get("WindowCenter")
    views = len(sequence) if sequence else dataset["WindowCenter"].VM if centers is not None else 0
    if views > 1:
        notes.append(f"offers {views} windows: the first was used")
    if sequence:
        table, first, depth = _table(sequence[0])
        shares = _looked_up(table, first, values) / ((1 << depth) - 1)
        return shares, f"VOI LUT of {depth} bits"
    if not views:
        return None, ""
    center = _first_number(dataset, "WindowCenter", 0.0)
    width = _first_number(dataset, "WindowWidth", 0.0)
    function = _text(dataset, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise ImageError(f"is a DICOM image with the unknown VOI LUT function {function}")
    if width < 1 if function == "LINEAR" else width <= 0:
        notes.append(f"gives a window of width {width:g}: the full range was used")
        return None, ""
    window = f"center {center:g}, width {width:g}, {function}"
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500))), window
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    return np.clip((values - center + width / 2) / max(width, 1e-9), 0, 1), window
