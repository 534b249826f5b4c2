"""Fixtures of all test folders: the real data where it is, builders of tiny data sets, a run."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from tests import markers, skipped

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow starts talking
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as train.start sets it, for the same numbers

# A job in the background ignores Ctrl-C, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no fault of the code: nothing here is judged by the time it takes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parent.parent

NIH_HEADER = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
    "OriginalImage[Width,Height]",
    "OriginalImagePixelSpacing[x,y]",
)

Row = tuple[str, str, int]
"""Image name, its findings joined by `|`, patient."""


def pytest_configure(config: pytest.Config) -> None:
    markers.configure(config)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses among them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            markers.mark(item)
    # Slow files first: of two processes none is left alone with one of them at the end.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    skipped.summary(terminalreporter, config)


@pytest.fixture(scope="session")
def nih() -> Path:
    """The NIH subset: `EDGE_CXR_DATA`, or where it lies beside the repository."""
    neighbour = REPOSITORY.parent / "shared" / "data" / "nih-chestxray14-subset"
    folder = Path(os.environ.get("EDGE_CXR_DATA") or neighbour)
    if not (folder / "images").is_dir():
        pytest.skip(f"the NIH subset is not at {folder}: set EDGE_CXR_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


def write_nih(
    root: Path,
    rows: Sequence[Row],
    *,
    size: tuple[int, int] = (28, 28),
    folder: Callable[[int], str] = lambda index: "images",
    missing: Iterable[str] = (),
    test: Iterable[str] | None = None,
    listed: Iterable[str] | None = None,
    seed: int = 0,
) -> Path:
    """An NIH-layout folder of random pictures.

    Args:
        root: where; made if need be.
        rows: the lines of the CSV; every image is drawn but the `missing` ones.
        size: width and height of the pictures.
        folder: of the picture with this index, below `root`.
        missing: images of `rows` that get no file.
        test: the official test list, if there is to be one.
        listed: the official train-and-validation list, if there is to be one.
        seed: of the pictures.
    """
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    missing = set(missing)
    with (root / "Data_Entry_2017_v2020.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NIH_HEADER)
        for image, findings, patient in rows:
            writer.writerow([image, findings, 0, patient, 50, "F", "PA", 2500, 2048])
    for index, (image, _, _) in enumerate(rows):
        pixels = rng.integers(0, 256, size[::-1], np.uint8)
        if image not in missing:
            (root / folder(index)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / folder(index) / image)
    for name, images in (("test_list.txt", test), ("train_val_list.txt", listed)):
        if images is not None:
            (root / name).write_text("\n".join(images))
    return root


@pytest.fixture(scope="session")
def make_nih() -> Callable[..., Path]:
    return write_nih


@pytest.fixture(scope="session")
def tiny_nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures of 30 patients with one or two findings each, no official lists."""
    rng = np.random.default_rng(1)
    choices = ("Mass", "Edema", "Effusion|Mass", "Hernia", "No Finding", "Nodule|Edema")
    rows = [
        (f"{patient:08d}_{visit:03d}.png", str(rng.choice(choices)), patient)
        for patient in range(1, 31)
        for visit in range(2)
    ]
    return write_nih(tmp_path_factory.mktemp("data") / "nih", rows)


@pytest.fixture(scope="session")
def make_chestmnist() -> Callable[..., Path]:
    def write(
        path: Path, counts: Sequence[int] = (9, 4, 5), side: int = 28, **replaced: object
    ) -> Path:
        """A ChestMNIST `.npz` of random pictures; `replaced` members win, None leaves one out."""
        rng = np.random.default_rng(2)
        members: dict[str, object] = {}
        for split, count in zip(("train", "val", "test"), counts, strict=True):
            members[f"{split}_images"] = rng.integers(0, 256, (count, side, side), np.uint8)
            members[f"{split}_labels"] = rng.integers(0, 2, (count, 14)).astype(np.uint8)
        members |= replaced
        with path.open("wb") as file:
            np.savez(file, **{k: v for k, v in members.items() if v is not None})
        return path

    return write


@pytest.fixture(scope="session")
def make_pixel_csv() -> Callable[..., Path]:
    def write(path: Path, labels: Sequence[str], pixels: np.ndarray | None = None) -> Path:
        """A CSV of `label` and 784 pixel columns, one row a label; random pixels if none given."""
        if pixels is None:
            pixels = np.random.default_rng(3).integers(0, 256, (len(labels), 784))
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["label", *(f"pixel_{i}" for i in range(784))])
            writer.writerows([label, *row] for label, row in zip(labels, pixels, strict=True))
        return path

    return write


@pytest.fixture(scope="session")
def small_nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 pictures of 80 patients: enough for every split to have every second finding."""
    rng = np.random.default_rng(4)
    choices = ("Mass", "Edema", "Effusion|Mass", "No Finding", "Nodule|Edema", "Infiltration")
    rows = [
        (f"{patient:08d}_{visit:03d}.png", str(rng.choice(choices)), patient)
        for patient in range(1, 81)
        for visit in range(3)
    ]
    return write_nih(tmp_path_factory.mktemp("data") / "nih", rows, size=(52, 40), seed=5)


@pytest.fixture(scope="session")
def finished_run(small_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the small network, trained for two epochs; its cache lies beside it."""
    from rich.console import Console

    from train.options import read_data
    from train.recipes import Recipe
    from train.run import train

    folder = tmp_path_factory.mktemp("runs")
    recipe = Recipe(network="cnn28", epochs=2, batch=16)
    cached = read_data(small_nih, recipe.side, folder / "cache")
    train(recipe, cached, folder / "tiny", Console(file=io.StringIO()))
    return folder / "tiny"
