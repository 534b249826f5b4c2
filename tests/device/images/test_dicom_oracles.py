"""DICOM files beside what other programs make of them: pydicom, pylibjpeg and dcmtk."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from ..pictures import radiograph, read
from .dicom_writer import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    Written,
    data_set,
    fragments,
    jpeg_extended,
    meta,
    written,
)

pydicom = pytest.importorskip("pydicom", reason="the dicom extra is not installed")

from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array  # noqa: E402

PICTURE = radiograph()
WIDE = PICTURE.astype(np.uint16)
TWELVE = (WIDE << 4) + 8
SIGNED = TWELVE.astype(np.int16) - 2048
FULL = {"WindowCenter": "2048", "WindowWidth": "4096"}
W = Written()
RAMP = np.arange(4096)
BENT = (RAMP.astype(float) ** 1.5 / 64).astype(int)


# pydicom


def by_pydicom(data: bytes, plugin: str = "") -> NDArray[np.uint8]:
    """What its grayscale functions make of a file, as 8 bits."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    stored = pixel_array(dataset, decoding_plugin=plugin)
    with np.errstate(over="ignore"):  # in its sigmoid
        values = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    low, high = float(values.min()), float(values.max())
    if "VOILUTSequence" in dataset:
        low, high = 0, (1 << dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
    elif "WindowWidth" in dataset:
        slope = float(dataset.get("RescaleSlope", 1))
        low = dataset.get("RescaleIntercept", 0) + slope * (
            -(1 << dataset.BitsStored - 1) if dataset.PixelRepresentation else 0
        )
        high = low + slope * ((1 << dataset.BitsStored) - 1)
    shares = (np.asarray(values, np.float64) - low) / (high - low)
    grays = np.clip(np.floor(shares * 256), 0, 255).astype(np.uint8)
    return 255 - grays if dataset.PhotometricInterpretation == "MONOCHROME1" else grays


@settings(deadline=None, max_examples=60)
@given(
    st.floats(-3000, 5000),
    st.floats(2, 5000),
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.sampled_from([("1", "0"), ("2", "-1000"), ("0.5", "17.5")]),
    st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    st.booleans(),
)
def test_windows_are_pydicoms(
    center: float,
    width: float,
    function: str,
    rescale: tuple[str, str],
    photometric: str,
    signed: bool,
) -> None:
    slope, intercept = rescale
    data = written(
        SIGNED if signed else TWELVE,
        12,
        PhotometricInterpretation=photometric,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=f"{center:.3f}",
        WindowWidth=f"{width:.3f}",
        VOILUTFunction=function,
    )
    expected = by_pydicom(data).astype(int)
    middle = np.percentile(expected, (1, 99))
    if np.ptp(middle) < 16:  # such a window is refused
        return
    assert np.abs(read(data).pixels - expected).max() <= 1


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize(("stored", "first"), [(TWELVE, 0), (SIGNED, -2048)])
@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("window", [True, False])
def test_tables_are_pydicoms(
    window: bool, bits: int, stored: NDArray[Any], first: int, syntax: str
) -> None:
    w = Written(syntax)
    vr = "SS" if first < 0 else "US"
    voi = w.table([4096, 0, bits], BENT << (bits - 12))
    modality = w.table(np.array([4096, first, 16]).astype(w.order + "u2").tobytes(), RAMP, vr)
    window_of_it = {"VOILUTSequence": [voi]} if window else {}
    data = written(stored, 12, syntax, ModalityLUTSequence=[modality], **window_of_it)
    if not window:
        data = written(stored, 12, syntax, ModalityLUTSequence=[modality], **FULL)
    expected = by_pydicom(data) if window else (TWELVE >> 4).astype(np.uint8)
    assert np.abs(read(data).pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["8-bit JPEG", "12-bit JPEG", "JPEG 2000", "signed JPEG 2000"])
def test_codestreams_are_pylibjpegs(kind: str) -> None:
    openjpeg = pytest.importorskip("openjpeg.utils", reason="pylibjpeg-openjpeg is not installed")
    if "2000" not in kind:
        pytest.importorskip("libjpeg", reason="pylibjpeg-libjpeg is not installed")
    wavelets = bytearray(openjpeg.encode_array(SIGNED if "signed" in kind else TWELVE))
    stored, bits, syntax, frame = {
        "8-bit JPEG": (PICTURE, 8, JPEG_BASELINE, jpeg_of(PICTURE)),
        "12-bit JPEG": (TWELVE, 12, JPEG_EXTENDED, jpeg_extended(TWELVE)),
        "JPEG 2000": (TWELVE, 16, JPEG_2000, bytes(wavelets)),
        "signed JPEG 2000": (SIGNED, 16, JPEG_2000, bytes(wavelets)),
    }[kind]
    window = FULL if bits == 16 else {}
    if "signed" in kind:
        window = window | {"WindowCenter": "0"}
    data = written(stored, bits, syntax, PixelData=fragments(frame), **window)
    decoded = pixel_array(pydicom.dcmread(io.BytesIO(data)), decoding_plugin="pylibjpeg")
    plain = written(decoded.astype(stored.dtype), bits, **window)
    ours, theirs = read(data).pixels.astype(int), read(plain).pixels
    assert np.abs(ours - theirs).max() <= (0 if "2000" in kind else 1)


def jpeg_of(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95)
    return file.getvalue()


# dcmtk


def by_dcmtk(data: bytes, folder: Path, *options: str) -> NDArray[np.uint8]:
    """What its viewer's library makes of a file."""
    if shutil.which("dcm2pnm") is None:
        pytest.skip("dcmtk is not installed: apt-get install dcmtk")
    source, target = folder / "file.dcm", folder / "file.pgm"
    source.write_bytes(data)
    command = ["dcm2pnm", "--write-raw-pnm", *options, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(target))


WINDOW = ("+Wi", "1")
TABLE = ("+Wl", "1")


def of(stored: NDArray[Any] = TWELVE, bits: int = 12, **values: Any) -> Callable[[], bytes]:
    return lambda: written(stored, bits, **values)


def table(*arguments: Any, stored: NDArray[Any] = TWELVE, bits: int = 12) -> Callable[[], bytes]:
    return of(stored, bits, VOILUTSequence=[W.table(*arguments)])


LEFT_ALIGNED = TWELVE << 4
CASES: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "a window": (of(**FULL), WINDOW),
    "a narrow window": (of(WindowCenter="1800", WindowWidth="900"), WINDOW),
    "MONOCHROME1": (of(**FULL, PhotometricInterpretation="MONOCHROME1"), WINDOW),
    "lower case": (of(**FULL, PhotometricInterpretation="monochrome1"), WINDOW),
    "a slope": (
        of(RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="3096", WindowWidth="8191"),
        WINDOW,
    ),
    "a falling slope": (of(**FULL, RescaleSlope="-1", RescaleIntercept="4095"), WINDOW),
    "signed": (of(SIGNED, **FULL | {"WindowCenter": "0"}), WINDOW),
    "signs cut off": (
        of((SIGNED & 0xFFF).astype(np.int16), **FULL | {"WindowCenter": "0"}),
        WINDOW,
    ),
    "a decimal comma": (of(WindowCenter="2048,0", WindowWidth="4096,0"), WINDOW),
    "left-aligned": (of(LEFT_ALIGNED, HighBit=15, **FULL), WINDOW),
    "no header": (lambda: data_set(TWELVE, 12, IMPLICIT, **FULL), WINDOW),
    "no header, explicit": (lambda: data_set(TWELVE, 12, **FULL), WINDOW),
    "no preamble": (lambda: meta(EXPLICIT) + data_set(TWELVE, 12, **FULL), WINDOW),
    "zeros at the end": (lambda: written(TWELVE, 12, **FULL) + bytes(5000), WINDOW),
    "a VOI LUT": (table([4096, 0, 12], BENT), TABLE),
    "a VOI LUT called 0 bits": (table([4096, 0, 0], BENT), TABLE),
    "a VOI LUT of one entry more": (table([4097, 0, 12], BENT), TABLE),
    "a VOI LUT of signed pixels called unsigned": (
        table([4096, 63_488, 12], BENT, stored=SIGNED),
        TABLE,
    ),
    "8-bit entries in words": (table([4096, 0, 8], RAMP >> 4), TABLE),
    "8-bit entries packed": (table([4096, 0, 8], (RAMP >> 4).astype("u1").tobytes()), TABLE),
    "a blank item beside a window": (of(**FULL, VOILUTSequence=[b""]), WINDOW),
}


@pytest.mark.parametrize("kind", CASES)
def test_pictures_are_dcmtks(kind: str, tmp_path: Path) -> None:
    made, options = CASES[kind]
    data = made()
    expected = by_dcmtk(data, tmp_path, *options).astype(int)
    assert np.abs(read(data).pixels - expected).max() <= 1
