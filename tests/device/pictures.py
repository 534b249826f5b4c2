"""Small files of every kind, made in memory from one synthetic picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_GRAY, PNG_RGB, PNG_GRAY_ALPHA = 0, 2, 4
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row, first column, row step and column step of each pass (PNG specification, 8.2)."""


def radiograph(height: int = 48, width: int = 65) -> NDArray[np.uint8]:
    """Every gray from 0 to 255, and no symmetry: any flip, turn or shift of it shows."""
    rows, columns = np.mgrid[:height, :width]
    picture = (rows * 3 + columns * 2) % 128 + 64
    picture[height // 8 : height // 3, width // 6 : width // 2] = 255
    picture[height // 2 :, width // 2 : width // 2 + 5] = 8
    picture[-3:, : width // 4] = 0
    picture[0, : min(width, 256)] = np.arange(min(width, 256)) * 255 // max(width - 1, 1)
    return picture.astype(np.uint8)


def encoded(picture: Image.Image | NDArray[Any], format: str, **options: Any) -> bytes:
    """The bytes Pillow writes."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, rows: bytes, *, bits: int, colour: int, interlaced: bool = False,
    extra: bytes = b"",
) -> bytes:
    """A PNG of filtered `rows`, with `extra` chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows, 9))
        + png_chunk(b"IEND", b"")
    )


def png_of(samples: NDArray[Any], colour: int, interlaced: bool = False) -> bytes:
    """An H×W or H×W×channels array of uint8 or uint16 as a PNG of that depth."""
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    passes = (
        [big_endian[top::down, left::right] for top, left, down, right in ADAM7]
        if interlaced
        else [big_endian]
    )
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    height, width = samples.shape[:2]
    bits = 8 * samples.itemsize
    return png(width, height, rows, bits=bits, colour=colour, interlaced=interlaced)


def png_bomb(side: int) -> bytes:
    """A gray PNG of side×side black pixels: deflate makes a thousandth of it, twice over."""
    row = zlib.compressobj(9)
    packed = b"".join(row.compress(bytes(side + 1)) for _ in range(side)) + row.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, PNG_GRAY, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", packed)
        + png_chunk(b"IEND", b"")
    )


def tiff(samples: NDArray[Any], order: str = "<", **tags: int) -> bytes:
    """An uncompressed gray TIFF of one strip; `tags` are added or replaced, as t259=5."""
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    height, width = samples.shape
    entries = {
        256: width, 257: height, 258: 8 * samples.itemsize, 259: 1, 262: 1, 273: 0, 277: 1,
        278: height, 279: len(data),
    }  # fmt: skip
    entries |= {int(name[1:]): value for name, value in tags.items()}
    if 273 in entries:
        entries[273] = 8 + 2 + 12 * len(entries) + 4
    directory = b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())
    )
    magic = b"II" if order == "<" else b"MM"
    start = magic + struct.pack(f"{order}HIH", 42, 8, len(entries))
    return start + directory + bytes(4) + data


def exif(orientation: int, kind: int = 3) -> bytes:
    """An EXIF block with this orientation, stored as TIFF type `kind` (3: as it should be)."""
    value = struct.pack("<HH", orientation, 0) if kind == 3 else bytes([orientation, 0, 0, 0])
    entry = struct.pack("<HHI", 0x0112, kind, 1) + value
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def lying(picture: NDArray[Any], orientation: int) -> NDArray[Any]:
    """How a camera held as `orientation` (1 to 8) says stores the upright `picture`."""
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(turns[orientation](picture))


def dicom(stored: NDArray[Any], bits: int, syntax: str = "1.2.840.10008.1.2.1", **values: Any) -> bytes:
    """A Part 10 file of `stored`; `values` are elements by keyword, None to leave one out."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, generate_uid

    little_endian = UID(syntax).is_little_endian
    raw = stored.astype(stored.dtype.newbyteorder("<" if little_endian else ">")).tobytes()
    elements = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "SOPInstanceUID": generate_uid(),
        "PatientName": "Doe^Jane",
        "PatientID": "SECRET-4711",
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
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        encapsulated = UID(syntax).is_encapsulated
        dataset["PixelData"].VR = "OB" if encapsulated or stored.itemsize == 1 else "OW"
        dataset["PixelData"].is_undefined_length = encapsulated
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
