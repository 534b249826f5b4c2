"""DICOM files byte by byte: what toolkits would not write, and devices do.

`pictures.dicom` writes what pydicom takes for valid; here any element can hold any bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE, JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
JPEG_2000 = "1.2.840.10008.1.2.4.90"

CR, DX, DX_RAW = (
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1.1",
)

LONG = ("OB", "OW", "SQ", "UN", "UT")
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "FD": "d", "OW": "H"}

ATTRIBUTES = {
    "SOPClassUID": (0x00080016, "UI"),
    "Modality": (0x00080060, "CS"),
    "PresentationIntentType": (0x00080068, "CS"),
    "BodyPartExamined": (0x00180015, "CS"),
    "ViewPosition": (0x00185101, "CS"),
    "PatientOrientation": (0x00200020, "CS"),
    "SamplesPerPixel": (0x00280002, "US"),
    "PhotometricInterpretation": (0x00280004, "CS"),
    "NumberOfFrames": (0x00280008, "IS"),
    "Rows": (0x00280010, "US"),
    "Columns": (0x00280011, "US"),
    "BitsAllocated": (0x00280100, "US"),
    "BitsStored": (0x00280101, "US"),
    "HighBit": (0x00280102, "US"),
    "PixelRepresentation": (0x00280103, "US"),
    "PixelPaddingValue": (0x00280120, "US"),
    "PixelPaddingRangeLimit": (0x00280121, "US"),
    "WindowCenter": (0x00281050, "DS"),
    "WindowWidth": (0x00281051, "DS"),
    "RescaleIntercept": (0x00281052, "DS"),
    "RescaleSlope": (0x00281053, "DS"),
    "VOILUTFunction": (0x00281056, "CS"),
    "ModalityLUTSequence": (0x00283000, "SQ"),
    "VOILUTSequence": (0x00283010, "SQ"),
    "PresentationLUTShape": (0x20500020, "CS"),
    "OverlayBitsAllocated": (0x60000100, "US"),
    "OverlayBitPosition": (0x60000102, "US"),
    "SharedFunctionalGroupsSequence": (0x52009229, "SQ"),
    "PerFrameFunctionalGroupsSequence": (0x52009230, "SQ"),
    "PixelData": (0x7FE00010, "OW"),
}
LUT_DESCRIPTOR, LUT_DATA, LUT_EXPLANATION = 0x00283002, 0x00283006, 0x00283003


class Written:
    """How elements are written.

    Args:
        syntax: the transfer syntax.
    """

    def __init__(self, syntax: str = EXPLICIT) -> None:
        self.implicit, self.order = syntax == IMPLICIT, ">" if syntax == BIG_ENDIAN else "<"

    def element(self, tag: int, vr: str, value: Any, length: int | None = None) -> bytes:
        """An element; a value is bytes, text, or numbers of the representation's size."""
        data = self.value(vr, value)
        length = len(data) if length is None else length
        head = struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return head + struct.pack(f"{self.order}I", length) + data
        if vr in LONG:
            return head + vr.encode() + struct.pack(f"{self.order}HI", 0, length) + data
        return head + vr.encode() + struct.pack(f"{self.order}H", length) + data

    def value(self, vr: str, value: Any) -> bytes:
        if isinstance(value, bytes):
            data = value
        elif isinstance(value, str):
            data = value.encode("latin-1")
        elif vr in NUMBERS:
            numbers = np.ravel(value)
            data = struct.pack(f"{self.order}{len(numbers)}{NUMBERS[vr]}", *numbers.tolist())
        elif vr == "SQ":
            data = b"".join(self.item(0xFFFEE000, item) for item in value)
        else:
            data = "\\".join(map(str, np.ravel(value).tolist())).encode()
        return data + (b"\0" if vr in ("UI", "OB", "OW", "UN") else b" ") * (len(data) % 2)

    def item(self, tag: int, value: bytes) -> bytes:
        return struct.pack(f"{self.order}HHI", tag >> 16, tag & 0xFFFF, len(value)) + value

    def sequence(self, tag: int, items: Sequence[bytes], undefined: bool = False) -> bytes:
        """A sequence of defined length, or one that ends with a delimiter."""
        data = b"".join(self.item(0xFFFEE000, item) for item in items)
        if not undefined:
            return self.element(tag, "SQ", data)
        return self.element(tag, "SQ", data + self.item(0xFFFEE0DD, b""), length=0xFFFFFFFF)

    def table(
        self, descriptor: Any, data: Any, vr: str = "US", data_vr: str = "OW", more: bytes = b""
    ) -> bytes:
        """An item of a LUT sequence; descriptor and data are as for `element`."""
        return (
            self.element(LUT_DESCRIPTOR, vr, descriptor)
            + more
            + self.element(LUT_DATA, data_vr, data)
        )


def data_set(stored: NDArray[Any], bits: int, syntax: str = EXPLICIT, **values: Any) -> bytes:
    """A data set without a header.

    Args:
        stored: rows×columns, as in the file.
        bits: Bits Stored.
        syntax: how it is written.
        values: elements by keyword: None to leave one out, a tuple of VR and value for another
            representation than usual, a list of items for a sequence.
    """
    written = Written(syntax)
    elements: dict[str, Any] = {
        "SOPClassUID": CR,
        "Modality": "CR",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 8 * stored.itemsize,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": stored.astype(stored.dtype.newbyteorder(written.order)).tobytes(),
    } | values
    parts = []
    for keyword, value in sorted(elements.items(), key=lambda pair: ATTRIBUTES[pair[0]][0]):
        tag, vr = ATTRIBUTES[keyword]
        if value is None:
            continue
        if vr == "SQ":
            parts.append(written.sequence(tag, value))
        elif isinstance(value, tuple):
            parts.append(written.element(tag, *value))
        else:
            parts.append(written.element(tag, vr, value))
    return b"".join(parts)


def meta(syntax: str | None) -> bytes:
    """A meta header; None leaves the transfer syntax out of it."""
    written = Written()
    elements = written.element(0x00020002, "UI", CR)
    if syntax is not None:
        elements += written.element(0x00020010, "UI", syntax)
    return written.element(0x00020000, "UL", len(elements)) + elements


PREAMBLE = bytes(128) + b"DICM"


def part10(body: bytes, syntax: str | None = EXPLICIT) -> bytes:
    """A file as PS3.10 has it."""
    return PREAMBLE + meta(syntax) + body


def written(stored: NDArray[Any], bits: int, syntax: str = EXPLICIT, **values: Any) -> bytes:
    """A file with a data set in it, see `data_set`."""
    return part10(data_set(stored, bits, syntax, **values), syntax)


def fragments(*parts: bytes, table: bytes = b"") -> tuple[str, bytes, int]:
    """An encapsulated Pixel Data: an offset table, and fragments of even length."""
    items = Written()
    data = items.item(0xFFFEE000, table)
    for part in parts:
        data += items.item(0xFFFEE000, part + b"\0" * (len(part) % 2))
    return "OB", data + items.item(0xFFFEE0DD, b""), 0xFFFFFFFF


# Extended JPEG of 12 bits

ZIGZAG = sorted(
    ((row, column) for row in range(8) for column in range(8)),
    key=lambda place: (
        sum(place),
        place[0] if sum(place) % 2 else place[1],
    ),
)
DC_SYMBOLS = range(16)
AC_SYMBOLS = [0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 15))]
DC_BITS, AC_BITS = 5, 8


def jpeg_extended(picture: NDArray[np.uint16]) -> bytes:
    """A gray picture of 12 bits as JPEG process 4 (ITU-T T.81), quantized by 1.

    All Huffman codes of a table have as many bits: each is its symbol's place in the table.
    """
    rows, columns = picture.shape
    place = np.arange(8)
    basis = np.sqrt(np.where(place == 0, 1, 2) / 8)[:, None] * np.cos(
        (2 * place[None, :] + 1) * place[:, None] * np.pi / 16
    )
    padded = np.pad(picture.astype(float), ((0, -rows % 8), (0, -columns % 8)), mode="edge") - 2048
    bits, previous = [], 0

    def put(code: str, value: int = 0, size: int = 0) -> None:
        bits.append(code)
        if size:
            bits.append(f"{value if value >= 0 else value + (1 << size) - 1:0{size}b}")

    def ac(symbol: int) -> str:
        return f"{AC_SYMBOLS.index(symbol):0{AC_BITS}b}"

    for top in range(0, padded.shape[0], 8):
        for left in range(0, padded.shape[1], 8):
            block = basis @ padded[top : top + 8, left : left + 8] @ basis.T
            values = [round(block[at]) for at in ZIGZAG]
            difference, previous = values[0] - previous, values[0]
            size = abs(difference).bit_length()
            put(f"{size:0{DC_BITS}b}", difference, size)
            run = 0
            for value in values[1:]:
                if not value:
                    run += 1
                    continue
                while run > 15:
                    put(ac(0xF0))
                    run -= 16
                size = abs(value).bit_length()
                put(ac(run << 4 | size), value, size)
                run = 0
            if run:
                put(ac(0x00))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    coded = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    tables = b""
    for kind, length, symbols in ((0x00, DC_BITS, DC_SYMBOLS), (0x10, AC_BITS, AC_SYMBOLS)):
        counts = [len(symbols) if size == length else 0 for size in range(1, 17)]
        tables += bytes([kind, *counts, *symbols])
    return (
        b"\xff\xd8"
        + segment(0xDB, bytes([0] + [1] * 64))
        + segment(0xC1, struct.pack(">BHHBBBB", 12, rows, columns, 1, 1, 0x11, 0))
        + segment(0xC4, tables)
        + segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0]))
        + coded
        + b"\xff\xd9"
    )
