"""The stored values of a DICOM image, whatever their compression.

Codecs allocate what the codestream declares and some crash on a damaged one, so a frame's own
sizes are held to the header's first, and gdcm runs in a process of its own.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import json
import re
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.images import jpeg

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

EXTRA = "install the dicom extra: pip install 'edge-cxr[dicom]'"

CODECS = {
    "1.2.840.10008.1.2.4.50": "pillow",  # JPEG Baseline
    "1.2.840.10008.1.2.4.51": "pillow",  # JPEG Extended
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70": "gdcm",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": "gdcm",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": "gdcm",  # JPEG-LS Near-Lossless
    "1.2.840.10008.1.2.4.90": "pillow",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91": "pillow",  # JPEG 2000
    "1.2.840.10008.1.2.5": "pydicom",  # RLE
}
CODEC_SECONDS = 120

JPEG_LOSSLESS, JPEG_LS = 0xC3, 0xF7
NOT_FRAMES = (0xC4, 0xC8, 0xCC)
"""Markers 0xC0 to 0xCF begin a frame, but for these."""


def line(value: object, longest: int = 120) -> str:
    """Anything as one bounded line of printable ASCII: it may come from the file."""
    text = " ".join(str(value).split()) or type(value).__name__
    return re.sub(r"[^ -~]", "?", text)[:longest]


def text(dataset: Dataset, keyword: str) -> str:
    """An element's value in upper case, "" where it is absent or empty."""
    value = dataset.get(keyword)
    return line(value, 64).strip().upper() if value else ""


def lowest(dataset: Dataset) -> int:
    """The smallest value that Bits Stored and Pixel Representation allow."""
    return -(1 << dataset.BitsStored - 1) if dataset.PixelRepresentation else 0


def samples(dataset: Dataset, syntax: UID) -> NDArray[Any]:
    """Rows×Columns stored values, (u)int8 or (u)int16, each within Bits Stored."""
    codec = CODECS.get(syntax, "")
    if codec == "gdcm" and importlib.util.find_spec("gdcm") is None:
        raise ImageError(f"is compressed as {syntax.name}: {EXTRA}")
    if codec:
        frame = _frame(dataset)
        _require_honest(frame, syntax, dataset)
    if codec == "gdcm":
        values = _isolated(frame, syntax, dataset)
    else:
        values = _by_pydicom(dataset, syntax, codec)
    least = lowest(dataset)
    if values.min() < least or int(values.max()) - least >> dataset.BitsStored:
        raise ImageError(f"holds values beyond its {dataset.BitsStored} bits")
    return values


def _frame(dataset: Dataset) -> bytes:
    from pydicom.encaps import get_frame

    if int.from_bytes(dataset.PixelData[4:8], "little") > 4:  # bytes of the offset table
        raise ImageError("is a DICOM image of several frames: export the one to be read")
    return bytes(get_frame(dataset.PixelData, 0, number_of_frames=1))


def _by_pydicom(dataset: Dataset, syntax: UID, codec: str) -> NDArray[Any]:
    from pydicom.pixels import get_decoder

    try:
        values, _ = get_decoder(syntax).as_array(dataset, index=0, raw=True, decoding_plugin=codec)
    except RuntimeError as error:  # "… plugins:" and what the codec said
        reason = line(str(error).split("plugins:")[-1])
        raise ImageError(f"its {syntax.name} pixels cannot be decoded: {reason}") from None
    return np.asarray(values.astype(values.dtype.newbyteorder("="), copy=False))


def _require_honest(frame: bytes, syntax: UID, dataset: Dataset) -> None:
    """The codestream must be the size its header promised: codecs allocate what *it* declares."""
    rows, columns = dataset.Rows, dataset.Columns
    if CODECS[syntax] == "pydicom":
        _require_rle_size(frame, rows * columns)
        return
    sizes = []
    if syntax.name.startswith("JPEG 2000"):
        if frame.startswith(b"\xff\x4f\xff\x51"):  # SOC, SIZ
            right, bottom, left, top = struct.unpack_from(">4I", frame, 8)
            sizes.append((bottom - top, right - left, *struct.unpack_from(">H", frame, 40)))
    elif frame.startswith(b"\xff\xd8"):
        for marker, at in jpeg.segments(frame):
            if marker == JPEG_LS or (marker >> 4 == 0xC and marker not in NOT_FRAMES):
                sizes.append(struct.unpack_from(">HHB", frame, at + 3))
    if sizes != [(rows, columns, 1)]:
        raise ImageError(
            f"is a damaged DICOM file: declares {(rows, columns, 1)} rows, columns and samples, "
            f"its compressed pixels {sizes[0] if sizes else 'none'}"
        )


def _require_rle_size(frame: bytes, pixels: int) -> None:
    """Walk the runs (PS3.5 G.3.1): two bytes may stand for 128, and pydicom unpacks them all."""
    count, *offsets = struct.unpack_from("<16L", frame)
    padded = pixels + 128
    for at, end in itertools.pairwise([*offsets[:count], len(frame)]):
        size = 0
        while at < min(end, len(frame)) and size <= padded:
            run = frame[at]
            size += run + 1 if run < 128 else (257 - run) % 129
            at += run + 2 if run < 128 else 2 - (run == 128)
        if size > padded:
            raise ImageError("is a damaged DICOM file: its RLE runs are longer than the picture")


def _isolated(frame: bytes, syntax: UID, dataset: Dataset) -> NDArray[Any]:
    """Decode with gdcm in a process of its own: a damaged frame makes it crash, not complain."""
    rows, columns, signed = dataset.Rows, dataset.Columns, dataset.PixelRepresentation
    allocated, stored = dataset.BitsAllocated, dataset.BitsStored
    for marker, at in jpeg.segments(frame):
        if marker in (JPEG_LOSSLESS, JPEG_LS):  # with fewer bits gdcm would cut the samples
            stored = frame[at + 2]
        if marker == JPEG_LS:  # of which gdcm gives bytes where they suffice
            allocated = 8 if stored <= 8 else 16
    photometric = text(dataset, "PhotometricInterpretation")
    job = [sys.path, str(syntax), photometric, columns, rows, allocated, stored, signed]
    program = f"{inspect.getsource(_gdcm_main)}\n_gdcm_main()"
    # -I, and this process's path: nothing is imported from the folder the pictures are in.
    command = [sys.executable, "-I", "-S", "-c", program, json.dumps(job)]
    try:
        done = subprocess.run(
            command, input=frame, capture_output=True, timeout=CODEC_SECONDS, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise ImageError(f"took more than {CODEC_SECONDS} s to decode as {syntax.name}") from None
    # The last line of what it said: of a traceback, the error.
    complaint = (done.stderr.decode("latin-1").strip().splitlines() or [""])[-1]
    if done.returncode or complaint or len(done.stdout) != rows * columns * allocated // 8:
        raise ImageError(f"its {syntax.name} pixels are damaged: {line(complaint or 'no pixels')}")
    values = np.frombuffer(done.stdout, f"<u{allocated // 8}").reshape(rows, columns)
    values = values.astype(f"u{dataset.BitsAllocated // 8}", copy=False)
    if not signed:
        return values
    unused = dataset.BitsAllocated - dataset.BitsStored
    return np.asarray((values << unused).view(f"i{values.itemsize}") >> unused)


def _gdcm_main() -> None:
    """What the process of `_isolated` runs; it sees no other line of this file."""
    import json
    import sys

    sys.path[:], syntax, photometric, columns, rows, *bits, signed = json.loads(sys.argv[1])
    import gdcm  # type: ignore[import-untyped, import-not-found, unused-ignore]

    gdcm.Trace.WarningOff()
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(sys.stdin.buffer.read())
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(1, *bits, bits[1] - 1, signed))
    # gdcm hands its bytes over as text
    sys.stdout.buffer.write(image.GetBuffer().encode("utf-8", "surrogateescape"))
