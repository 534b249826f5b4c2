"""Small files of every kind, made in memory from one synthetic picture, and reading them."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_app.core.errors import EXIT_INPUT, ImageError
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.images.read import read_image

PNG_GRAY, PNG_RGB, PNG_GRAY_ALPHA = 0, 2, 4
ADAM7 = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""First row, first column, row step and column step of each pass (PNG specification, 8.2)."""

DATA = -1


def radiograph(height: int = 48, width: int = 65) -> NDArray[np.uint8]:
    """Grays from 0 to 255 and no symmetry: any flip, turn or shift of it shows."""
    rows, columns = np.mgrid[:height, :width]
    picture = (rows * 3 + columns * 2) % 128 + 64
    picture[height // 8 : height // 3, width // 6 : width // 2] = 255
    picture[height // 2 :, width // 2 : width // 2 + 5] = 8
    picture[-3:, : width // 4] = 0
    picture[0, : min(width, 256)] = np.arange(min(width, 256)) * 255 // max(width - 1, 1)
    return picture.astype(np.uint8)


def hazy(*, flagged: bool = True) -> NDArray[np.uint8]:
    """A drawn radiograph with a bright patch, in which cxr-lite0-128 raises effusion, and flags
    it or not."""
    seed, gray, patch = 4, 220, np.s_[128:218, 26:115]
    if not flagged:
        seed, gray, patch = 3, 180, np.s_[90:218, 77:192]
    drawn = synthetic_radiograph(256, seed).copy()
    drawn[patch] = np.maximum(drawn[patch], gray)
    return drawn


def encoded(picture: Image.Image | NDArray[Any], format: str, **options: Any) -> bytes:
    """The bytes Pillow writes."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_packed(
    packed: bytes,
    width: int,
    height: int,
    *,
    bits: int,
    colour: int,
    interlaced: bool = False,
    extra: bytes = b"",
) -> bytes:
    """A PNG of deflated rows, with `extra` chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    chunks = (
        png_chunk(b"IHDR", header),
        extra,
        png_chunk(b"IDAT", packed),
        png_chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png(
    samples: NDArray[Any], colour: int = PNG_GRAY, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """An H×W or H×W×channels array of uint8 or uint16 as a PNG of that depth, unfiltered."""
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    passes = (
        [big_endian[top::down, left::right] for top, left, down, right in ADAM7]
        if interlaced
        else [big_endian]
    )
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    height, width = samples.shape[:2]
    return png_packed(
        zlib.compress(rows),
        width,
        height,
        bits=8 * samples.itemsize,
        colour=colour,
        interlaced=interlaced,
        extra=extra,
    )


def tiff(samples: NDArray[Any], order: str = "<", *, photometric: int = 1, turn: int = 1) -> bytes:
    """An uncompressed gray TIFF of one strip; photometric 0 is WhiteIsZero."""
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    height, width = samples.shape
    return tiff_of(
        {256: width, 257: height, 258: 8 * samples.itemsize, 259: 1, 262: photometric, 274: turn}
        | {273: DATA, 277: 1, 278: height, 279: len(data)},
        data,
        order,
    )


def tiff_of(tags: dict[int, int], data: bytes, order: str = "<", following: int = 0) -> bytes:
    """A TIFF of one directory and its data, whose offset stands where `tags` say `DATA`."""
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, start if value == DATA else value)
        for tag, value in sorted(tags.items())
    )
    magic = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return magic + entries + struct.pack(f"{order}I", following) + data


def exif(value: bytes, kind: int = 3) -> bytes:
    """An EXIF block whose orientation has this value, of TIFF type `kind` (3 is the right one)."""
    entry = struct.pack("<HHI", 0x0112, kind, 1) + value.ljust(4, b"\0")
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


def dicom(
    stored: NDArray[Any], bits: int, syntax: str = "1.2.840.10008.1.2.1", **values: Any
) -> bytes:
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


def read(data: bytes, limits: Limits | None = None, min_side: int | None = None) -> Radiograph:
    return read_image(io.BytesIO(data), limits, min_side)


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, limits)
    line = str(caught.value)
    assert line.isprintable()  # one line, no control characters
    assert caught.value.exit_code == EXIT_INPUT
    return line


def attempt(data: bytes) -> Radiograph | None:
    """The picture, or None where it was refused; anything else fails the test."""
    try:
        return read(data, Limits(max_pixels=1_000_000))
    except ImageError as error:
        line = str(error)
    assert line.isprintable()
    return None


CHILD = """
import json, os, sys, time
from edge_app.core.errors import ImageError
from edge_app.images.read import read_image

def megabytes():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

warm, user, *paths = sys.argv[1:]
read_image(warm)
if user:
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
for path in paths:
    before, start = megabytes(), time.monotonic()
    try:
        line = repr(read_image(path).pixels.shape)
    except ImageError as error:
        line = str(error)
    print(json.dumps([line, megabytes() - before, time.monotonic() - start]))
"""


def answers(*paths: Path | str, user: str = "") -> list[tuple[str, float, float]]:
    """What reading each path says, how many megabytes more it took, and how many seconds.

    In a process of its own: a hang ends with its time limit, its memory can be measured, and it
    can give up its rights to those of `user`.
    """
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder, "warm.png")
        warm.write_bytes(png(radiograph()))
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(warm), user, *map(str, paths)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    assert done.stderr == ""  # nothing but the line: no warning of a library, no traceback
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]
