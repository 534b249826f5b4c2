"""The cache of decoded images: reused, rebuilt, whole or not there, exact, and flat in memory.

Run as a program, this file measures the memory of decoding a data set and iterating it once:

    PYTHONPATH=. python tests/train/test_cache.py DATA [IMAGES-A-SPLIT] [SIZE]
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edge_app.classifier import Classifier
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image
from edge_app.model.model_file import locate, read
from edge_app.model.preprocess import INT8, InputSpec, ToTensor, normalised, quantized, resize
from edge_app.pipeline.batch import classify_all
from edge_app.pipeline.reader import read_source
from edge_app.pipeline.writers import CsvWriter
from train.cache import Cached, open_cache
from train.datasets.dataset import Dataset, Pixels
from train.datasets.registry import load
from train.errors import DatasetError

REPOSITORY = Path(__file__).resolve().parents[2]
QUIET = Console(quiet=True)
SPEC = InputSpec.square(28)


class Decoded(Exception):
    """Raised by a data set that must not be decoded."""


def poisoned(dataset: Dataset) -> Dataset:
    """The same data set, which cannot be decoded any more."""

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        raise Decoded
        yield

    return replace(dataset, pixels=pixels)


def images_of(cached: Cached) -> np.ndarray:
    return np.array(cached.images[cached.rows])


# --- used again, made again -----------------------------------------------------------------


def test_a_second_opening_decodes_nothing(tmp_path: Path, tiny_nih: Path) -> None:
    first, _ = open_cache(load(tiny_nih), SPEC, tmp_path, QUIET)
    second, _ = open_cache(poisoned(load(tiny_nih)), SPEC, tmp_path, QUIET)
    assert np.array_equal(images_of(first), images_of(second))
    assert first.table.equals(second.table)
    assert np.array_equal(first.targets, second.targets)
    assert first.digest == second.digest


def test_the_cache_serves_when_the_pictures_are_unreadable_by_now(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    root = make_nih(tmp_path / "nih", [(f"{i}.png", "Mass", i) for i in range(9)])
    first, _ = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    for path in (root / "images").iterdir():
        before = path.stat()
        path.write_bytes(b"\0" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second, problems = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    assert problems == []
    assert np.array_equal(images_of(first), images_of(second))


def test_other_pictures_of_the_same_names_sizes_and_dates_are_not_taken_for_them(
    tmp_path: Path,
) -> None:
    """Two versions of a data set in a format without compression, unpacked with the same dates."""
    for folder, gray in (("one", 10), ("two", 200)):
        (tmp_path / folder).mkdir()
        for n in range(20):
            path = tmp_path / folder / f"{n}.bmp"
            Image.fromarray(np.full((28, 28), gray, np.uint8)).save(path)
            os.utime(path, ns=(0, 0))
        lines = [f"{n}.bmp,p{n},{'Scar' if n % 2 else 'none'}\n" for n in range(20)]
        (tmp_path / folder / "labels.csv").write_text("image,patient,labels\n" + "".join(lines))
    one, two = (
        open_cache(load(tmp_path / folder), SPEC, tmp_path / "cache", QUIET)[0]
        for folder in ("one", "two")
    )
    assert (images_of(one) == 10).all()
    assert (images_of(two) == 200).all()


def test_a_changed_picture_is_decoded_again(tmp_path: Path, make_nih: Callable[..., Path]) -> None:
    root = make_nih(tmp_path / "nih", [(f"{i}.png", "Mass", i) for i in range(9)])
    first, _ = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    Image.fromarray(np.full((28, 28), 77, np.uint8)).save(root / "images" / "4.png")
    second, _ = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    changed = [
        image
        for image, one, other in zip(
            first.table["image"], images_of(first), images_of(second), strict=True
        )
        if not np.array_equal(one, other)
    ]
    assert changed == ["4.png"]
    assert np.all(images_of(second)[4] == 77)
    assert first.digest != second.digest


def test_pictures_that_are_called_alike_in_other_folders_keep_their_places(tmp_path: Path) -> None:
    """Of one size and one time, as an archive leaves them: only their folders tell them apart."""
    for folder, level in (("a", 10), ("b", 200)):
        path = tmp_path / "data" / folder / "x.bmp"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((28, 28), level, np.uint8)).save(path)
        os.utime(path, (10**9, 10**9))
    for order in ("ab", "ba"):
        lines = [f"{folder}/x.bmp,{'Mass' if folder == 'a' else 'Edema'}" for folder in order]
        (tmp_path / "data" / "labels.csv").write_text("\n".join(["image,labels", *lines]))
        cached, _ = open_cache(load(tmp_path / "data"), SPEC, tmp_path / "cache", QUIET)
        mass = cached.labels.names.index("Mass")
        levels = images_of(cached)[:, 0, 0].tolist()
        assert dict(zip(cached.targets[:, mass].tolist(), levels, strict=True)) == {1: 10, 0: 200}


def test_another_size_is_decoded_again_and_does_not_replace_the_first(
    tmp_path: Path, tiny_nih: Path
) -> None:
    dataset = load(tiny_nih)
    open_cache(dataset, SPEC, tmp_path, QUIET)
    with pytest.raises(Decoded):
        open_cache(poisoned(dataset), InputSpec.square(64), tmp_path, QUIET)
    larger, _ = open_cache(dataset, InputSpec.square(64), tmp_path, QUIET)
    assert larger.images.shape == (60, 64, 64)
    open_cache(poisoned(dataset), SPEC, tmp_path, QUIET)


def test_changed_labels_count_without_decoding(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    root = make_nih(tmp_path / "nih", [(f"{i}.png", "Mass", i) for i in range(9)])
    first, _ = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    table = root / "Data_Entry_2017_v2020.csv"
    table.write_text(table.read_text().replace("4.png,Mass", "4.png,Edema"))
    second, _ = open_cache(poisoned(load(root)), SPEC, tmp_path / "cache", QUIET)
    assert np.array_equal(np.flatnonzero((first.targets != second.targets).any(axis=1)), [4])


def test_large_jpegs_are_prepared_as_the_device_prepares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "folder"
    root.mkdir()
    rng = np.random.default_rng(0)
    rows = ["image,patient,labels"]
    for i in range(9):
        Image.fromarray(rng.integers(0, 256, (512, 512), np.uint8)).save(root / f"{i}.jpg")
        rows.append(f"{i}.jpg,{i},Mass")
    (root / "labels.csv").write_text("\n".join(rows))
    cached, _ = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    paths = [str(root / name) for name in cached.table["image"]]

    classifier = Classifier(read(locate("cxr-cnn28")), force=True)  # of noise
    seen, compute = [], classifier.session.run
    monkeypatch.setattr(classifier.session, "run", lambda x: (seen.append(x), compute(x))[1])
    read_one = partial(read_source, min_side=classifier.model.input_spec.min_side)
    writer = CsvWriter(classifier, io.StringIO())
    classify_all(paths, classifier, writer, Limits(), read=read_one)
    assert np.array_equal(np.concatenate(seen)[..., 0], quantized(images_of(cached)))

    whole = np.stack([resize(read_image(path).pixels, SPEC) for path in paths])
    assert not np.array_equal(images_of(cached), whole)  # else nothing was shrunk


# --- whole or not there ---------------------------------------------------------------------


def test_an_interrupted_build_leaves_no_half_cache(tmp_path: Path, tiny_nih: Path) -> None:
    dataset = load(tiny_nih)
    whole, _ = open_cache(dataset, SPEC, tmp_path / "whole", QUIET)

    def half(min_side: int | None = None) -> Iterator[Pixels]:
        for item in dataset.pixels():
            if item[0] == 30:
                raise KeyboardInterrupt
            yield item

    for _ in range(2):  # the leftovers of one interruption do not disturb the next build
        with pytest.raises(KeyboardInterrupt):
            open_cache(replace(dataset, pixels=half), SPEC, tmp_path / "cache", QUIET)
        with pytest.raises(Decoded):
            open_cache(poisoned(dataset), SPEC, tmp_path / "cache", QUIET)
    cached, _ = open_cache(dataset, SPEC, tmp_path / "cache", QUIET)
    assert np.array_equal(images_of(cached), images_of(whole))


def test_two_runs_that_start_together_make_one_cache(tmp_path: Path, tiny_nih: Path) -> None:
    dataset = load(tiny_nih)
    builds, results = [], []
    both_started = threading.Barrier(2, timeout=10)

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        builds.append(threading.get_ident())
        for item in dataset.pixels():
            threading.Event().wait(0.005)  # long enough for the other to arrive
            yield item

    def open_it() -> None:
        both_started.wait()
        results.append(open_cache(replace(dataset, pixels=pixels), SPEC, tmp_path, QUIET)[0])

    threads = [threading.Thread(target=open_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert len(builds) == 1
    assert np.array_equal(images_of(results[0]), images_of(results[1]))


# --- unreadable images ----------------------------------------------------------------------


def many(make_nih: Callable[..., Path], root: Path, count: int) -> Path:
    rows = [(f"{i:03d}.png", ("Mass", "Edema")[i % 2], i) for i in range(count)]
    return make_nih(root, rows)


def test_an_unreadable_image_is_named_and_left_out(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    root = many(make_nih, tmp_path / "nih", 200)
    (root / "images" / "013.png").write_bytes(b"not a picture")
    content = (root / "images" / "150.png").read_bytes()
    (root / "images" / "150.png").write_bytes(content[:-30])
    for dataset in (load(root), poisoned(load(root))):  # from the files, then from the cache
        cached, problems = open_cache(dataset, SPEC, tmp_path / "cache", QUIET)
        assert [name for name, _ in problems] == ["013.png", "150.png"]
        assert "not a PNG" in problems[0][1]
        assert "truncated" in problems[1][1]
        assert len(cached) == len(cached.table) == len(cached.targets) == 198
        assert not set(cached.table["image"]) & {"013.png", "150.png"}
        for image, row, target in zip(
            cached.table["image"], cached.rows, cached.targets, strict=True
        ):
            expected = np.asarray(Image.open(root / "images" / image))
            assert np.array_equal(cached.images[row], expected)
            assert target[13] == (int(image[:3]) % 2 == 0)  # Mass


def test_the_unreadable_are_left_out_of_each_split(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    root = many(make_nih, tmp_path / "nih", 200)
    (root / "images" / "013.png").write_bytes(b"not a picture")
    cached, _ = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    parts = [cached.split(name) for name in ("train", "validation", "test")]
    assert sum(len(part) for part in parts) == 199
    for part in parts:
        for image, picture in zip(part.table["image"], images_of(part), strict=True):
            assert np.array_equal(picture, np.asarray(Image.open(root / "images" / image)))


def test_more_than_one_percent_unreadable_is_an_error_that_can_be_repaired(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    root = many(make_nih, tmp_path / "nih", 200)
    kept = {}
    for name in ("013.png", "014.png", "150.png"):
        path = root / "images" / name
        kept[path] = (path.read_bytes(), path.stat())
        path.write_bytes(b"\0" * path.stat().st_size)
        os.utime(path, ns=(0, kept[path][1].st_mtime_ns))
    message = r"3 of 200 images cannot be read, first 013\.png"
    with pytest.raises(DatasetError, match=message):
        open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    # Repaired so that size and time are the same (a disk that is back, say): tried anew.
    for path, (content, status) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(0, status.st_mtime_ns))
    cached, problems = open_cache(load(root), SPEC, tmp_path / "cache", QUIET)
    assert (len(cached), problems) == (200, [])


def test_a_bad_csv_pixel_is_reported_like_an_unreadable_image(
    tmp_path: Path, make_pixel_csv: Callable[..., Path]
) -> None:
    pixels = np.full((120, 784), "7", dtype="U4")
    pixels[64, 3] = "256"
    path = make_pixel_csv(tmp_path / "x.csv", ["Mass", "Edema"] * 60, pixels)
    cached, problems = open_cache(load(path), SPEC, tmp_path / "cache", QUIET)
    assert [name for name, _ in problems] == ["row_000064"]
    assert len(cached) == 119


# --- one code path with the device ----------------------------------------------------------


@pytest.fixture(scope="module")
def odd_pictures(
    tmp_path_factory: pytest.TempPathFactory, make_nih: Callable[..., Path]
) -> list[Path]:
    """Pictures of other sizes, aspects and modes than the network's."""
    root = tmp_path_factory.mktemp("odd") / "nih"
    make_nih(root, [(f"{i}.png", ("Mass", "Edema")[i % 2], i) for i in range(40)])
    rng = np.random.default_rng(5)
    paths = sorted((root / "images").iterdir())
    for index, path in enumerate(paths):
        width, height = rng.integers(20, 300, 2)
        deep = index % 4 == 0
        shape = (height, width, 3) if index % 4 == 1 else (height, width)
        values = rng.integers(0, 4096 if deep else 256, shape)
        Image.fromarray(values.astype(np.uint16 if deep else np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("size", [28, 64])
def test_training_sees_what_the_device_sees(
    tmp_path: Path, odd_pictures: list[Path], size: int
) -> None:
    from train.augment import NONE
    from train.batches import batches
    from train.recipes import Recipe

    spec = InputSpec.square(size)
    root = odd_pictures[0].parent.parent
    cached, _ = open_cache(load(root), spec, tmp_path, QUIET)
    assert len(cached) == len(odd_pictures)
    by_name = dict(zip(cached.table["image"], cached.rows, strict=True))
    device = {}
    for path in odd_pictures:
        pixels = read_image(path).pixels
        assert np.array_equal(cached.images[by_name[path.name]], resize(pixels, spec))
        integer = ToTensor(spec, INT8)(pixels)
        assert integer.dtype == np.int8
        device[(integer[0].astype(np.float32) / np.float32(128)).tobytes()] = path.name

    recipe = Recipe(network="cnn28", size=size, batch=8, epochs=1, augmentation=NONE)
    target_of = dict(zip(cached.table["image"], cached.targets, strict=True))
    seen = []
    for images, targets in batches(cached, cached.targets.astype(np.float32), recipe, range(1)):
        for image, target in zip(images.numpy(), targets, strict=True):
            assert image.dtype == np.float32
            name = device[image.tobytes()]  # bit for bit one of the device's tensors
            assert np.array_equal(target, target_of[name])
            seen.append(name)
    assert sorted(seen) == sorted(device.values())


def test_training_sees_what_the_device_sees_in_real_images(tmp_path: Path, nih: Path) -> None:
    spec = InputSpec.square(128)
    cached, _ = open_cache(load(nih, limit=30), spec, tmp_path, QUIET)
    for image, row in zip(cached.table["image"], cached.rows, strict=True):
        pixels = read_image(nih / "images" / image).pixels
        integer = ToTensor(spec, INT8)(pixels)[0, :, :, 0]
        training = normalised(cached.images[row])
        assert training.tobytes() == (integer.astype(np.float32) / np.float32(128)).tobytes()


# --- memory ---------------------------------------------------------------------------------


def measure_memory(data: Path, limit: int | None = None, size: int = 128) -> dict[str, int]:
    """Anonymous memory of a child process that decodes `data` and iterates it once, in bytes.

    Args:
        data: what `datasets.load` reads.
        limit: images a split, at most.
        size: side the images are decoded to.

    Returns:
        `images` in the cache, `before` the data set was opened, and `peak` up to the last batch.
    """
    command = [sys.executable, __file__, str(data), str(limit or 0), str(size)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def anonymous_memory() -> int:
    """RssAnon of this process in bytes: what is really its own; mapped files do not count."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def decode_and_iterate(data: Path, limit: int | None, size: int) -> dict[str, int]:
    """See `measure_memory`; runs in the child."""
    from train.augment import NONE
    from train.batches import batches
    from train.recipes import Recipe

    recipe = Recipe(network="cnn28", size=size, epochs=1, augmentation=NONE)
    samples, finished = [anonymous_memory()], threading.Event()

    def sample() -> None:
        while not finished.wait(0.005):
            samples.append(anonymous_memory())

    sampler = threading.Thread(target=sample)
    sampler.start()
    with tempfile.TemporaryDirectory() as folder:
        dataset = load(data, limit=limit)
        cached, _ = open_cache(dataset, InputSpec.square(size), Path(folder), Console(quiet=True))
        for _ in batches(cached, cached.targets.astype(np.float32), recipe, range(1)):
            pass
    finished.set()
    sampler.join()
    return {"images": len(cached), "before": samples[0], "peak": max(samples)}


@pytest.fixture(scope="module")
def many_links(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """An NIH folder of any number of images, which are one 128×128 picture many times linked."""

    def make(count: int) -> Path:
        root = tmp_path_factory.mktemp("links")
        (root / "images").mkdir()
        picture = np.add.outer(np.arange(128), np.arange(128))
        Image.fromarray(picture.astype(np.uint8)).save(root / "picture.png")
        lines = ["Image Index,Finding Labels,Patient ID"]
        for index in range(count):
            os.link(root / "picture.png", root / "images" / f"{index}.png")
            lines.append(f"{index}.png,Mass,{index}")
        (root / "Data_Entry_2017.csv").write_text("\n".join(lines))
        return root

    return make


def test_memory_is_flat_in_the_number_of_images(many_links: Callable[[int], Path]) -> None:
    few, lots = measure_memory(many_links(1000)), measure_memory(many_links(6000))
    print(f"1,000 images: {few}, 6,000 images: {lots}")
    assert (few["images"], lots["images"]) == (1000, 6000)
    assert lots["peak"] < 1.3 * few["peak"]
    # The additional pixels are 82 MB as bytes, 328 MB as floats: none of it may stay.
    assert lots["peak"] - few["peak"] < 0.5 * 5000 * 128 * 128


if __name__ == "__main__":
    path, limit, size = [*sys.argv[1:], *("", "0", "128")[len(sys.argv) - 1 :]]
    print(json.dumps(decode_and_iterate(Path(path), int(limit) or None, int(size))))
