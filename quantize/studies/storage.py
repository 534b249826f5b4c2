"""Forms in which clinics and data sets store a radiograph: one function each, picture → file.

A form is a function of an H×W uint8 picture, air dark, and one line of `FORMS`. Sections of DICOM
PS3.3: C.7.6.3 pixels and their signs, C.7.5.1.1.2 padding, C.11.1 and C.11.2 tables and windows.
TIFF: revision 6.0 (Adobe, 1992), sections 8 (NewSubfileType) and 15 (PlanarConfiguration).
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quantize.errors import ConversionError

Picture = NDArray[np.uint8]
Samples = NDArray[Any]

EXPLICIT: Final = "1.2.840.10008.1.2.1"
IMPLICIT: Final = "1.2.840.10008.1.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
JPEG_2000: Final = "1.2.840.10008.1.2.4.90"
RLE: Final = "1.2.840.10008.1.2.5"

WINDOW: Final[dict[str, Any]] = {"WindowCenter": 2048, "WindowWidth": 4096}
"""The whole of 12 bits."""

MARGIN: Final = 1 / 16
"""Width of the padding around the picture, as a share of its side."""


class Form(NamedTuple):
    """A way to store a picture.

    Attributes:
        name: for people.
        store: H×W uint8 → a file's bytes.
        exact: whether it must be read back as the picture, because the file loses nothing and says
            how it is to be shown, or stores a usual depth. Others may also be refused, or read
            with a warning.
        seen: the picture that the file is meant to show, if it is not the whole one.
    """

    name: str
    store: Callable[[Picture], bytes]
    exact: bool = True
    seen: Callable[[Picture], Picture] = lambda picture: picture


def encoded(picture: Samples, kind: str, **options: Any) -> bytes:
    """An image file written by Pillow."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def plain(picture: Picture) -> bytes:
    """An 8-bit PNG, which every form is compared with."""
    return encoded(picture, "PNG", compress_level=1)


def deep(picture: Picture, bits: int) -> NDArray[np.uint16]:
    """A picture in 9 to 16 bits: its gray levels in the upper 8, a detector's noise in the rest."""
    further = bits - 8
    noise = np.random.default_rng(0).integers(0, 1 << further, picture.shape, np.uint16)
    return (picture.astype(np.uint16) << further) + noise


# DICOM


def dataset(stored: Samples, bits: int, **elements: Any) -> Any:
    """A DICOM object in Explicit VR Little Endian.

    Args:
        stored: H×W, (u)int8 or (u)int16.
        bits: of them in use.
        elements: further ones, by keyword; they win.
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    tags = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
        "SOPInstanceUID": "2.25.1",
        "Modality": "CR",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 8 * stored.itemsize,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": stored.tobytes() + b"\0" * (stored.nbytes % 2),
    } | elements
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    made["PixelData"].VR = "OB" if stored.itemsize == 1 else "OW"
    return made


def written(made: Any) -> bytes:
    """The bytes of a DICOM object's file."""
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def dicom(stored: Samples, bits: int, **elements: Any) -> bytes:
    """A DICOM file; see `dataset` for the arguments."""
    return written(dataset(stored, bits, **elements))


def unsigned(picture: Picture, bits: int = 12, **elements: Any) -> bytes:
    """MONOCHROME2 with `bits` bits."""
    return dicom(picture if bits == 8 else deep(picture, bits), bits, **elements)


def inverted(picture: Picture, bits: int = 12, **elements: Any) -> bytes:
    """MONOCHROME1: the lowest value is white."""
    stored = (1 << bits) - 1 - deep(picture, bits)
    return dicom(stored, bits, PhotometricInterpretation="MONOCHROME1", **elements)


def signed(picture: Picture, used: int, stored: int, first: int, **elements: Any) -> bytes:
    """`used` bits from the value `first` on, in signed samples of `stored` bits."""
    return dicom((deep(picture, used).astype(int) + first).astype(np.int16), stored, **elements)


def at_the_top(picture: Picture) -> bytes:
    """12 bits in the upper part of 16, as older objects have them: High Bit is 15."""
    return dicom(deep(picture, 12) << np.uint16(4), 12, HighBit=15, **WINDOW)


def falling(picture: Picture) -> bytes:
    """Upside down, and said so by the rescale slope."""
    elements = {"RescaleSlope": -1, "RescaleIntercept": 4095, **WINDOW}
    return dicom(4095 - deep(picture, 12), 12, **elements)


def rescaled(picture: Picture) -> bytes:
    """The window is that of the rescaled values."""
    elements = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    return unsigned(picture, **elements, WindowCenter=4096 - 1000, WindowWidth=8192)


def table(
    entries: Sequence[int] | NDArray[Any], first: int, bits: int, count: int | None = None
) -> list[Any]:
    """A sequence of one LUT, whose descriptor may contradict its entries."""
    from pydicom import Dataset

    item = Dataset()
    vr = "SS" if first < 0 else "US"
    item.add_new("LUTDescriptor", vr, [len(entries) if count is None else count, first, bits])
    item.add_new("LUTData", "OW", np.asarray(entries).astype("<u2").tobytes())
    return [item]


def voi_lut(picture: Picture, bits: int, called: int, missing: int = 0) -> bytes:
    """12 bits through a table whose descriptor may state another depth.

    Args:
        picture: H×W.
        bits: of the table's entries.
        called: bits that its descriptor states.
        missing: how many entries its descriptor counts beyond the real ones.
    """
    entries = np.arange(4096) << (bits - 12)
    return unsigned(picture, VOILUTSequence=table(entries, 0, called, 4096 + missing))


def voi_lut_first(picture: Picture, is_signed: bool) -> bytes:
    """A table whose first stored value has the wrong sign."""
    entries = np.arange(4096) << 4
    if is_signed:
        return signed(picture, 12, 12, -2048, VOILUTSequence=table(entries, 65536 - 2048, 16))
    stored = deep(picture, 12) + np.uint16(40_000)
    return dicom(stored, 16, VOILUTSequence=table(entries, 40_000 - 65536, 16))


def modality_lut(picture: Picture) -> bytes:
    """Upside down, and turned by the modality's table."""
    (item,) = table(np.arange(4096)[::-1], 0, 12)
    item.ModalityLUTType = "US"
    return dicom(4095 - deep(picture, 12), 12, ModalityLUTSequence=[item], **WINDOW)


def margins(picture: Picture) -> NDArray[np.bool_]:
    """Where padding surrounds the picture."""
    width = max(1, round(picture.shape[1] * MARGIN))
    outside = np.zeros(picture.shape, bool)
    outside[:, :width] = outside[:, -width:] = True
    return outside


def in_black(picture: Picture) -> Picture:
    """The picture with black margins, as padding must look (C.7.5.1.1.2)."""
    return np.where(margins(picture), np.uint8(0), picture)


def padded(
    stored: Samples, outside: NDArray[np.bool_], made: Any, last: int | None = None
) -> bytes:
    """`stored` as pixels, padded by the lowest value of its type, or by those from it to `last`.

    Args:
        stored: H×W.
        outside: H×W, where the padding is.
        made: the object that they belong to.
        last: Pixel Padding Range Limit; None for a single value.
    """
    first = int(np.iinfo(stored.dtype).min)
    values = np.arange(first, (first if last is None else last) + 1)
    stored = stored.copy()
    stored[outside] = np.resize(values, int(outside.sum()))
    vr = "SS" if first < 0 else "US"
    made.add_new("PixelPaddingValue", vr, first)
    if last is not None:
        made.add_new("PixelPaddingRangeLimit", vr, last)
    made.PixelData = stored.tobytes()
    return written(made)


def padded_signed(picture: Picture, last: int | None = None) -> bytes:
    stored = deep(picture, 12).astype(np.int16)
    return padded(stored, margins(picture), dataset(stored, 16), last)


def padded_inverted(picture: Picture) -> bytes:
    """Padding that would be white: its value is not at the dark end, where the standard has it."""
    stored = 4095 - deep(picture, 12)
    made = dataset(stored, 12, PhotometricInterpretation="MONOCHROME1", **WINDOW)
    return padded(stored, margins(picture), made)


def in_syntax(picture: Picture, syntax: str) -> bytes:
    """12 bits, uncompressed in another transfer syntax."""
    from pydicom.uid import UID

    stored = deep(picture, 12)
    made = dataset(stored.byteswap() if syntax == BIG_ENDIAN else stored, 12, **WINDOW)
    made.file_meta.TransferSyntaxUID = UID(syntax)
    return written(made)


def without_preamble(picture: Picture) -> bytes:
    """The object alone in Implicit VR Little Endian, as older archives and toolkits keep it."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    made = dataset(deep(picture, 12), 12, **WINDOW)
    del made.file_meta
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = True, True
    write_dataset(file, made)
    return bytes(file.getvalue())


def rle(picture: Picture) -> bytes:
    made = dataset(deep(picture, 12), 12, **WINDOW)
    made.compress(RLE, encoding_plugin="pydicom", generate_instance_uid=False)
    return written(made)


def jpeg_2000(picture: Picture) -> bytes:
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    stored = deep(picture, 12)
    made = dataset(stored, 16, **WINDOW)
    frame = encoded(stored, "JPEG2000", no_jp2=True, irreversible=False)
    made.file_meta.TransferSyntaxUID = UID(JPEG_2000)
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    return written(made)


def by_gdcm(picture: Picture, syntax: str) -> bytes:
    """12 bits, compressed as gdcm names the syntax.

    Raises:
        ConversionError: gdcm does not compress it.
    """
    import gdcm  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.dcm"), Path(folder, "target.dcm")
        source.write_bytes(unsigned(picture, **WINDOW))
        reader, change = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax()
        reader.SetFileName(str(source))
        read = reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        writer = gdcm.ImageWriter()
        if not (read and change.Change()):
            raise ConversionError(f"gdcm does not compress as {syntax}: install another version")
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()
        return target.read_bytes()


# PNG and TIFF


def deep_png(picture: Picture, bits: int, first: int = 0) -> bytes:
    """Values of `bits` bits, from `first` on, in 16 bits."""
    return encoded(deep(picture, bits) + np.uint16(first), "PNG", compress_level=1)


def widened_png(picture: Picture, factor: int) -> bytes:
    """8 bits in 16, as programs that know no detector write them."""
    return encoded(picture.astype(np.uint16) * np.uint16(factor), "PNG", compress_level=1)


def corner(picture: Picture) -> NDArray[np.bool_]:
    """Where a marker is burned in."""
    marked = np.zeros(picture.shape, bool)
    height, width = (max(1, side // 24) for side in picture.shape)
    marked[height : 2 * height, width : 2 * width] = True
    return marked


def with_marker(picture: Picture) -> Picture:
    """The picture with a white marker."""
    return np.where(corner(picture), np.uint8(255), picture)


def marked(picture: Picture, kind: str, bits: int) -> bytes:
    """Values of `bits` bits in 16, and a marker of the highest 16-bit value."""
    return encoded(np.where(corner(picture), np.uint16(65_535), deep(picture, bits)), kind)


class Page(NamedTuple):
    """A page of a TIFF: H×W or planes×H×W samples, and tags that win over the usual ones."""

    samples: Samples
    tags: dict[int, list[int]] = {}  # noqa: RUF012 - a default that nobody changes


def tiff(*pages: Page) -> bytes:
    """An uncompressed TIFF, one strip a plane."""
    out = bytearray(b"II*\0" + bytes(4))
    link = 4
    for samples, tags in pages:
        planes = samples.reshape(-1, *samples.shape[-2:])
        count, height, width = planes.shape
        fields = {
            256: [width], 257: [height], 258: [8 * planes.itemsize] * count, 259: [1],
            262: [1 if count == 1 else 2], 273: [], 277: [count], 278: [height],
            279: [planes[0].nbytes] * count, 284: [1 if count == 1 else 2],
        } | tags  # fmt: skip
        for plane in planes:
            fields[273].append(len(out))
            out += plane.tobytes()
        entries = b""
        for tag, values in sorted(fields.items()):
            packed = struct.pack(f"<{len(values)}I", *values)
            if len(values) > 1:
                packed, place = struct.pack("<I", len(out)), packed
                out += place
            entries += struct.pack("<HHI", tag, 4, len(values)) + packed
        struct.pack_into("<I", out, link, len(out))
        out += struct.pack("<H", len(fields)) + entries
        link = len(out)
        out += bytes(4)
    return bytes(out)


def white_is_zero(picture: Picture) -> bytes:
    return tiff(Page(65_535 - deep(picture, 16), {262: [0]}))


def planar(picture: Picture) -> bytes:
    return tiff(Page(np.stack([deep(picture, 16)] * 3)))


def thumbnail_first(picture: Picture) -> bytes:
    """The first page says by NewSubfileType that it is a reduced copy of another."""
    return tiff(Page(np.ascontiguousarray(picture[::4, ::4]), {254: [1]}), Page(deep(picture, 16)))


FORMS: Final = (
    Form("DICOM, 8 bits", partial(unsigned, bits=8)),
    Form("DICOM, 12 bits", unsigned),
    Form("DICOM, 12 bits, window", partial(unsigned, **WINDOW)),
    Form("DICOM, 14 bits", partial(unsigned, bits=14)),
    Form("DICOM, 16 bits", partial(unsigned, bits=16)),
    Form("DICOM, implicit VR", partial(in_syntax, syntax=IMPLICIT)),
    Form("DICOM, big endian", partial(in_syntax, syntax=BIG_ENDIAN)),
    Form("DICOM, deflated", partial(in_syntax, syntax=DEFLATED)),
    Form("DICOM without preamble", without_preamble),
    Form("MONOCHROME1, 12 bits", inverted),
    Form("MONOCHROME1, 12 bits, window", partial(inverted, **WINDOW)),
    Form("DICOM, 12 bits at the top of 16", at_the_top, exact=False),
    Form("rescale and window", rescaled),
    Form("rescale slope -1", falling),
    Form("signed 12 bits, -2048 to 2047", partial(signed, used=12, stored=12, first=-2048)),
    Form("signed 13 bits, 0 to 4095", partial(signed, used=12, stored=13, first=0)),
    Form("signed 16 bits, 0 to 16383", partial(signed, used=14, stored=16, first=0)),
    Form(
        "signed 16 bits, -1024 to 3071",
        partial(signed, used=12, stored=16, first=-1024),
        exact=False,
    ),
    Form("padding -32768, signed 16 bits", padded_signed, seen=in_black),
    Form("padding -32768 to -32763", partial(padded_signed, last=-32763), seen=in_black),
    Form("padding 0, MONOCHROME1", padded_inverted, seen=in_black),
    Form("VOI LUT of 12 bits", partial(voi_lut, bits=12, called=12)),
    Form("VOI LUT of 16 bits", partial(voi_lut, bits=16, called=16)),
    Form("VOI LUT of 12 bits called 16", partial(voi_lut, bits=12, called=16)),
    Form("VOI LUT of 14 bits called 16", partial(voi_lut, bits=14, called=16)),
    Form("VOI LUT of 12 bits called 8", partial(voi_lut, bits=12, called=8), exact=False),
    Form("VOI LUT, one entry missing", partial(voi_lut, bits=16, called=16, missing=1)),
    Form("VOI LUT, first value not signed", partial(voi_lut_first, is_signed=True)),
    Form("VOI LUT, first value signed", partial(voi_lut_first, is_signed=False)),
    Form("modality LUT and window", modality_lut),
    Form("RLE Lossless", rle),
    Form("JPEG 2000 Lossless", jpeg_2000),
    Form("JPEG Lossless", partial(by_gdcm, syntax="JPEGLosslessProcess14_1")),
    Form("JPEG-LS Lossless", partial(by_gdcm, syntax="JPEGLSLossless")),
    Form("PNG, 8 bits twice in 16", partial(widened_png, factor=257)),
    Form("PNG, 8 bits times 16", partial(widened_png, factor=16)),
    Form("PNG, 8 of 16 bits", partial(widened_png, factor=1)),
    Form("PNG, 16 bits", partial(deep_png, bits=16)),
    Form("PNG, 12 of 16 bits", partial(deep_png, bits=12)),
    Form("PNG, 13 of 16 bits", partial(deep_png, bits=13), exact=False),
    Form("PNG, 14 of 16 bits", partial(deep_png, bits=14)),
    Form("PNG, 15 of 16 bits", partial(deep_png, bits=15), exact=False),
    Form("PNG, 14 bits from 32768", partial(deep_png, bits=14, first=1 << 15), exact=False),
    *(
        Form(
            f"{kind}, marker 65535 over {bits} bits",
            partial(marked, kind=kind, bits=bits),
            exact=False,
            seen=with_marker,
        )
        for kind in ("PNG", "TIFF")
        for bits in (12, 13, 14, 15)
    ),
    Form("TIFF, 8 bits", lambda picture: tiff(Page(picture))),
    Form("TIFF, 16 bits", lambda picture: tiff(Page(deep(picture, 16)))),
    Form("TIFF, 16 bits, white is zero", white_is_zero),
    Form("TIFF, 16 bits, colour in planes", planar),
    Form("TIFF, thumbnail first", thumbnail_first),
)  # fmt: skip
