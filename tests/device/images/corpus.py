"""Small valid files of every kind that is read: what mutations start from."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from edge_app.images.phantom import synthetic_radiograph

from ..pictures import PNG_GRAY_ALPHA, PNG_RGB, dicom, encoded, exif, png, tiff

PICTURE: Final = synthetic_radiograph(48, seed=2)
WIDE: Final = PICTURE.astype(np.uint16)
TWELVE: Final = WIDE << 4
COLOUR: Final = np.stack([PICTURE] * 3, axis=-1)
WINDOW: Final = {"WindowCenter": 2048, "WindowWidth": 4096}

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
GDCM: Final = (
    *("JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"),
)


def corpus() -> dict[str, bytes]:
    """Every file by a name that ends in its format: png, jpg, tif, bmp, webp or dcm."""
    return dict([*_pngs(), *_jpegs(), *_tiffs(), *_others(), *_dicoms(), *_compressed_dicoms()])


def _pngs() -> Iterator[tuple[str, bytes]]:
    palette = Image.fromarray(PICTURE).convert("P")
    yield "gray.png", encoded(PICTURE, "PNG")
    yield "interlaced.png", png(PICTURE, interlaced=True)
    yield "deep.png", png(WIDE << 8)
    yield "deep-interlaced.png", png(WIDE << 6, interlaced=True)
    yield "rgb.png", png(COLOUR, PNG_RGB)
    yield "deep-rgb.png", png(COLOUR.astype(np.uint16) << 8, PNG_RGB)
    yield "alpha.png", png(np.stack([PICTURE, 255 - PICTURE // 4], -1), PNG_GRAY_ALPHA)
    yield "palette.png", encoded(palette, "PNG")
    yield "clear.png", encoded(palette, "PNG", transparency=3)
    yield "one-bit.png", encoded(Image.fromarray(PICTURE).convert("1"), "PNG")
    yield "exif.png", encoded(PICTURE, "PNG", exif=exif(b"\x06"))


def _jpegs() -> Iterator[tuple[str, bytes]]:
    yield "gray.jpg", encoded(PICTURE, "JPEG")
    yield "colour.jpg", encoded(COLOUR, "JPEG", subsampling=2)
    yield "progressive.jpg", encoded(COLOUR, "JPEG", progressive=True)
    yield "restarts.jpg", encoded(PICTURE, "JPEG", restart_marker_blocks=4)
    yield "turned.jpg", encoded(PICTURE, "JPEG", exif=exif(b"\x06"))
    yield "cmyk.jpg", encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG")


def _tiffs() -> Iterator[tuple[str, bytes]]:
    picture, deep = Image.fromarray(PICTURE), Image.fromarray(TWELVE)
    yield "gray.tif", tiff(PICTURE)
    yield "deep.tif", tiff(TWELVE)
    yield "deep-big-endian.tif", tiff(TWELVE, ">")
    yield "white-is-zero.tif", tiff(TWELVE, photometric=0)
    yield "turned.tif", tiff(PICTURE, turn=6)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{compression}.tif", encoded(picture, "TIFF", compression=compression)
    yield "deep-lzw.tif", encoded(deep, "TIFF", compression="tiff_lzw")
    yield "one-bit-group4.tif", encoded(picture.convert("1"), "TIFF", compression="group4")
    yield "colour.tif", encoded(COLOUR, "TIFF")
    yield "palette.tif", encoded(picture.convert("P"), "TIFF")
    pages = {"save_all": True, "append_images": [picture.resize((12, 12))]}
    yield "pages.tif", encoded(picture, "TIFF", **pages)


def _others() -> Iterator[tuple[str, bytes]]:
    picture = Image.fromarray(PICTURE)
    yield "gray.bmp", encoded(PICTURE, "BMP")
    yield "colour.bmp", encoded(COLOUR, "BMP")
    yield "one-bit.bmp", encoded(picture.convert("1"), "BMP")
    yield "lossy.webp", encoded(COLOUR, "WEBP")
    yield "lossless.webp", encoded(COLOUR, "WEBP", lossless=True)
    pages = {"save_all": True, "append_images": [picture.rotate(9)]}
    yield "animated.webp", encoded(picture, "WEBP", **pages)


def _dicoms() -> Iterator[tuple[str, bytes]]:
    signed = TWELVE.astype(np.int16)
    padding = signed.copy()
    padding[:, :4] = -2000
    yield "plain.dcm", dicom(PICTURE, 8)
    yield "window.dcm", dicom(TWELVE, 12, **WINDOW)
    yield "implicit.dcm", dicom(TWELVE, 12, IMPLICIT, **WINDOW)
    yield "big-endian.dcm", dicom(TWELVE, 12, BIG_ENDIAN, **WINDOW)
    yield "inverted.dcm", _inverted()
    yield "rescaled.dcm", _rescaled()
    yield "signed.dcm", dicom(signed, 16)
    yield "shifted.dcm", dicom(signed - 2048, 12, WindowCenter=0, WindowWidth=4096)
    yield "padding.dcm", dicom(padding, 16, PixelPaddingValue=-2000, **WINDOW)
    yield "padding-range.dcm", _padding_range()
    yield "voi-lut.dcm", dicom(TWELVE, 12, VOILUTSequence=[_table(4)])
    yield "voi-lut-implicit.dcm", dicom(TWELVE, 12, IMPLICIT, VOILUTSequence=[_table(4)])
    yield "modality-lut.dcm", _modality_lut()
    yield "sigmoid.dcm", dicom(TWELVE, 12, **WINDOW, VOILUTFunction="SIGMOID")
    yield "deflated.dcm", dicom(TWELVE, 12, DEFLATED, **WINDOW)
    body = dicom(TWELVE, 12, IMPLICIT, **WINDOW)
    yield "no-preamble.dcm", body[body.index(b"\x08\0\x16\0") :]


def _inverted() -> bytes:
    return dicom(4095 - TWELVE, 12, PhotometricInterpretation="MONOCHROME1", **WINDOW)


def _rescaled() -> bytes:
    window = {"WindowCenter": [1048, 40], "WindowWidth": [4096, 400]}
    return dicom(TWELVE, 12, RescaleSlope="1.0", RescaleIntercept="-1000", **window)


def _padding_range() -> bytes:
    stored = TWELVE + np.uint16(16)
    stored[:4] = 0
    padding = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 8}
    return dicom(stored, 13, **padding, **WINDOW)


def _table(shift: int) -> Any:
    """256 values of 4096, so that a file stays small."""
    from pydicom import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12 + shift])
    item.add_new("LUTData", "OW", (np.arange(4096, dtype="<u2") << shift).tobytes())
    return item


def _modality_lut() -> bytes:
    item = _table(0)
    item.ModalityLUTType = "US"
    return dicom(TWELVE, 12, ModalityLUTSequence=[item], **WINDOW)


def _compressed_dicoms() -> Iterator[tuple[str, bytes]]:
    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

    file, dataset = io.BytesIO(), dcmread(io.BytesIO(dicom(TWELVE, 12, **WINDOW)))
    dataset.compress(RLELossless, encoding_plugin="pydicom")
    dataset.save_as(file)
    yield "rle.dcm", file.getvalue()
    frame = encoded(PICTURE, "JPEG", quality=90)
    yield "jpeg.dcm", dicom(PICTURE, 8, JPEGBaseline8Bit, PixelData=encapsulate([frame]))
    pieces = encapsulate([frame], fragments_per_frame=3)
    yield "jpeg-fragments.dcm", dicom(PICTURE, 8, JPEGBaseline8Bit, PixelData=pieces)
    deep = encapsulate([encoded(TWELVE, "JPEG2000", no_jp2=True, irreversible=False)])
    yield "jpeg-2000.dcm", dicom(TWELVE, 16, JPEG2000Lossless, PixelData=deep, **WINDOW)
    for syntax in GDCM:
        yield f"{syntax}.dcm", by_gdcm(dicom(TWELVE, 12, **WINDOW), syntax)


def by_gdcm(data: bytes, syntax: str) -> bytes:
    """The file compressed as gdcm names the syntax."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        source, target = str(Path(folder, "source.dcm")), str(Path(folder, "target.dcm"))
        Path(source).write_bytes(data)
        reader, change = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax()
        writer = gdcm.ImageWriter()
        reader.SetFileName(source)
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(target)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return Path(target).read_bytes()
