"""The wheel alone, in an empty environment: what an operator installs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
MAX_WHEEL_BYTES = 8_000_000
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""This checkout, named in `PYTHONPATH`, would stand in for what the wheel holds."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves folders behind."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    shutil.copytree(
        REPOSITORY / "edge_app", source / "edge_app", ignore=shutil.ignore_patterns("__pycache__")
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", target, source], check=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`edge-cxr` of an environment that holds the wheel and what it asks for."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place]
    line = [*pip, "install", "-q", "--no-compile", f"{wheel}[dicom]"]
    subprocess.run(line, check=True, env=CLEAN)
    return place / "bin" / "edge-cxr"


def test_it_holds_the_device_package_and_its_models_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edge_app"}
    for needed in ("py.typed", "model/shipped/cxr-lite0-128.tflite"):
        assert f"edge_app/{needed}" in names
    for kind in ("*.py", "*.schema.json", "*.css", "*.js", "*.svg", "*.html", "*.toml"):
        for path in (REPOSITORY / "edge_app").rglob(kind):
            assert path.relative_to(REPOSITORY).as_posix() in names
    print(f"wheel: {wheel.stat().st_size} bytes")
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def lossless_copies(source: Path, folder: Path) -> list[Path]:
    """The same pixels in every lossless format that an operator may have."""
    gray = Image.open(source).convert("L")
    pixels = np.asarray(gray)
    gray.save(folder / "copy.bmp")
    gray.save(folder / "copy.tiff", compression="tiff_lzw")
    gray.save(folder / "copy.webp", lossless=True)
    Image.fromarray(pixels.astype(np.uint16) * 257).save(folder / "copy16.png")
    for name, photometric, stored in (
        ("mono2.dcm", "MONOCHROME2", pixels),
        ("mono1.dcm", "MONOCHROME1", 255 - pixels),
    ):
        save_dicom(folder / name, photometric, stored)
    return sorted(folder.iterdir())


def save_dicom(path: Path, photometric: str, pixels: np.ndarray) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality = "DX"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)


def findings(command: Path, *arguments: object) -> list[Any]:
    done = subprocess.run(
        [command, "classify", "--json", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=CLEAN,
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    answers = [json.loads(text)] if text.startswith("{\n") else map(json.loads, text.splitlines())
    return [answer["findings"] for answer in answers]


@pytest.fixture(params=["synthetic", "real"])
def radiograph(request: pytest.FixtureRequest) -> Path:
    if request.param == "synthetic":
        return REPOSITORY / "examples" / "synthetic-radiograph.png"
    images = request.getfixturevalue("nih") / "images"
    return sorted(images.iterdir())[5000]


@pytest.mark.parametrize("model", ["cxr-lite0-128", "cxr-lite0-fine", "cxr-cnn28"])
def test_a_radiograph_scores_the_same_in_every_lossless_format(
    command: Path, radiograph: Path, tmp_path: Path, model: str
) -> None:
    pytest.importorskip("pydicom", reason="DICOM copies are made with pydicom")
    copies = lossless_copies(radiograph, tmp_path)
    assert len(copies) == 6
    (expected,) = findings(command, "--model", model, radiograph)
    for copy, got in zip(copies, findings(command, "--model", model, *copies), strict=True):
        assert got == expected, copy.name

    jpeg = tmp_path / "copy.jpg"
    Image.open(radiograph).convert("L").save(jpeg, quality=90)
    (lossy,) = findings(command, "--model", model, jpeg)
    largest = max(abs(a["score"] - b["score"]) for a, b in zip(lossy, expected, strict=True))
    print(f"{model}, {radiograph.name}: JPEG quality 90 moves a score by at most {largest:.4f}")
    assert 0 < largest < 0.5
