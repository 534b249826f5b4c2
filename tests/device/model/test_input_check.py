"""Images unlike chest radiographs are reported, and their findings are withheld."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from edge_app import DISCLAIMER
from edge_app.clinic import statements
from edge_app.core.errors import ModelError
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model import archive, model_file
from edge_app.model.input_check import (
    ASPECT,
    BLANK,
    KINDS,
    UNCHECKED,
    Features,
    InputCheck,
    Weights,
    details_of,
    feature_count,
    grid_of,
)
from edge_app.model.model_file import ModelFile, read, shipped_models
from edge_app.model.preprocess import resize
from tests.device.conftest import Run
from train.labels import LABELS

Picture = NDArray[np.uint8]

RADIOGRAPH = synthetic_radiograph(256, seed=3)


def stretched(left: float, right: float) -> Picture:
    side = RADIOGRAPH.shape[0]
    box = (left * side, 0, right * side, side)
    image = Image.fromarray(RADIOGRAPH)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=box))


def framed(level: int) -> Picture:
    return np.pad(RADIOGRAPH, 128, constant_values=level)


def soft(sigma: float) -> Picture:
    """Blurred by a Gaussian of so many of 128 pixels a side."""
    radius = sigma * RADIOGRAPH.shape[0] / 128
    margin = int(3 * radius)
    image = Image.fromarray(np.pad(RADIOGRAPH, margin, mode="edge"))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)))
    return np.ascontiguousarray(blurred[margin:-margin, margin:-margin])


def tilted(degrees: float) -> Picture:
    return np.asarray(Image.fromarray(RADIOGRAPH).rotate(degrees, Image.Resampling.BILINEAR))


def page() -> Picture:
    """A letter."""
    image = Image.new("L", (595, 842), 250)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for line in range(30):
        text = "The quick brown fox jumps over the lazy dog, again and again."
        draw.text((60, 80 + 22 * line), text[: 30 + 7 * (line % 5)], 20, font)
    return np.asarray(image)


def windows() -> Picture:
    """A screenshot."""
    image = Image.new("L", (1280, 800), 60)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for x, y, w, h in ((40, 60, 700, 500), (600, 250, 620, 480)):
        draw.rectangle((x, y, x + w, y + h), 245, 0)
        draw.rectangle((x, y, x + w, y + 28), 120)
        for line in range(15):
            draw.text((x + 15, y + 45 + 24 * line), "def main(): return 0  # nothing", 10, font)
    return np.asarray(image)


def noise() -> Picture:
    return np.random.default_rng(1).integers(0, 256, (200, 200), np.uint8)


def gradient() -> Picture:
    return np.tile(np.linspace(0, 255, 256).astype(np.uint8), (256, 1))


REFUSED: dict[str, tuple[Callable[[], Picture], set[str]]] = {
    "a page of text": (page, set(KINDS)),
    "a screenshot": (windows, set(KINDS)),
    "noise": (noise, set(KINDS)),
    "a gradient": (gradient, set(KINDS)),
    "one gray level": (lambda: np.full((256, 256), 90, np.uint8), {BLANK}),
    "a strip": (lambda: RADIOGRAPH[:100], {ASPECT}),
    "inverted": (lambda: 255 - RADIOGRAPH, {"inverted"}),
    "turned clockwise": (lambda: np.rot90(RADIOGRAPH, -1), {"turned-clockwise"}),
    "turned counter-clockwise": (lambda: np.rot90(RADIOGRAPH), {"turned-counter-clockwise"}),
    "turned by 180°": (lambda: np.rot90(RADIOGRAPH, 2), {"upside-down"}),
    "flipped": (lambda: RADIOGRAPH[::-1], {"upside-down"}),
    "one lung": (lambda: stretched(0.0, 0.5), {"cropped"}),
    "the other lung": (lambda: stretched(0.5, 1.0), {"cropped"}),
    "the mediastinum alone": (lambda: stretched(1 / 3, 2 / 3), {"cropped"}),
    "wide black borders": (lambda: framed(0), {"framed"}),
    "wide white borders": (lambda: framed(255), {"framed"}),
    "too bright": (lambda: np.clip(RADIOGRAPH * 4.0, 0, 255).astype(np.uint8), {"over-exposed"}),
    "too dark": (lambda: (RADIOGRAPH * 0.15).astype(np.uint8), {"under-exposed"}),
    "too flat": (lambda: (94 + RADIOGRAPH / 9).astype(np.uint8), {"under-exposed"}),
    "tilted to the left": (lambda: tilted(30), {"askew"}),
    "tilted to the right": (lambda: tilted(-30), {"askew"}),
}


@pytest.fixture(scope="module", params=[path.stem for path in shipped_models()])
def shipped(request: pytest.FixtureRequest) -> ModelFile:
    model = read(model_file.locate(request.param))
    if model.input_check is None:
        pytest.fail(f"no input check in it: python -m train input-check {model.name} DATA")
    return model


def judge(model: ModelFile, picture: Picture) -> Any:
    assert model.input_check is not None
    picture = np.ascontiguousarray(picture)
    return model.input_check.judge(resize(picture, model.input_spec), picture.shape)


def test_upright_radiographs_pass(shipped: ModelFile) -> None:
    for seed in range(6):
        verdict = judge(shipped, synthetic_radiograph(256, seed))
        assert verdict.score < 0
        assert verdict.kind is verdict.reason is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_none_is_flagged_with_the_reason(shipped: ModelFile, name: str) -> None:
    draw, kinds = REFUSED[name]
    verdict = judge(shipped, draw())
    assert verdict.flagged
    assert verdict.kind in kinds
    assert verdict.reason
    if verdict.kind in KINDS:
        assert verdict.score > 0
        assert KINDS[verdict.kind] in verdict.reason


FINE = [path for path in shipped_models() if read(path).input_spec.height >= 128]
"""Models that see enough pixels to tell a soft film from another."""


@pytest.mark.parametrize("path", FINE, ids=lambda path: path.stem)
@pytest.mark.parametrize("sigma", [6, 8, 12, 16])
def test_a_film_so_soft_that_no_rib_is_left_is_flagged(path: Path, sigma: float) -> None:
    verdict = judge(read(path), soft(sigma))
    assert verdict.kind == "blurred"
    assert verdict.reason.endswith("if it is one, it may be blurred: give a sharper one")


def test_a_little_softness_and_tilt_pass(shipped: ModelFile) -> None:
    for picture in (soft(1), tilted(2), tilted(-2)):
        assert not judge(shipped, picture).flagged


def test_gray_levels_are_no_word_of_the_exposure(shipped: ModelFile) -> None:
    """A film that was exposed too much is black: more of a dose would be the wrong answer."""
    said = {name: str(judge(shipped, REFUSED[name][0]()).reason) for name in REFUSED}
    assert said["too bright"].endswith("it may be too bright")
    assert said["too dark"].endswith("it may be too dark or too flat")
    assert said["too flat"] == said["too dark"]
    assert not any("expos" in reason or "black" in reason for reason in said.values())


def test_a_real_radiograph_passes_and_spoilt_it_does_not(shipped: ModelFile, nih: Path) -> None:
    from edge_app.images.read import read_image

    names = (nih / "test_list.txt").read_text().split()[::50]
    pictures = [read_image(nih / "images" / name).pixels for name in names]
    assert np.mean([judge(shipped, p).flagged for p in pictures]) <= 0.05
    for spoil in (lambda p: 255 - p, np.rot90, lambda p: np.pad(p, p.shape[0] // 2)):
        assert np.mean([judge(shipped, spoil(p)).flagged for p in pictures]) >= 0.95


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.png"
    Image.fromarray(page()).save(path)
    return path


def test_findings_are_withheld_and_the_others_answered(
    run: Run, letter: Path, picture: Path
) -> None:
    done = run("classify", "--json", letter, picture)
    withheld, answered = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 3
    assert withheld["findings"] == []
    assert withheld["input_check"]["flagged"] is True
    assert withheld["input_check"]["score"] > 0
    assert withheld["input_check"]["reason"] in done.stderr
    assert "--force" in done.stderr
    assert "2 answered (1 scored, 1 not), 0 refused" in done.stderr
    assert len(answered["findings"]) == len(LABELS)
    assert answered["input_check"]["flagged"] is False
    assert answered["input_check"]["reason"] is None


def test_tables_and_rows_say_so_too(run: Run, letter: Path) -> None:
    table = run("classify", letter)
    assert table.returncode == 3
    assert "not scored: the picture does not look like" in table.stdout
    assert not any(label in table.stdout for label in LABELS)
    assert DISCLAIMER in table.stdout
    row = next(csv.DictReader(io.StringIO(run("classify", "--csv", letter).stdout)))
    assert [row[label] for label in LABELS] == [""] * len(LABELS)
    assert "does not look like" in row["error"]


def test_force_scores_it_and_warns(run: Run, letter: Path) -> None:
    done = run("classify", "--json", "--force", letter)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(answer["findings"]) == len(LABELS)
    assert answer["input_check"]["flagged"] is True
    (warning,) = (each for each in answer["warnings"] if "does not look like" in each)
    assert warning.endswith("; its scores mean nothing")


def test_a_model_without_a_check_scores_anything_and_says_that_it_has_none(
    run: Run, letter: Path, tmp_path: Path, cnn28: Path
) -> None:
    model = read(cnn28)
    rest = {key: value for key, value in model.manifest.items() if key != "input_check"}
    bare = model.replace(manifest=rest, check_weights=None).save(tmp_path / "bare.tflite")
    done = run("classify", "--json", "--model", bare.path, letter)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["input_check"] is None
    assert UNCHECKED in answer["warnings"]
    assert UNCHECKED in statements.stated(answer, bare.labels).remarks
    assert len(answer["findings"]) == len(LABELS)
    page = tmp_path / "page.html"
    for form in ((), ("--csv",), ("--html", page)):
        assert UNCHECKED in run("classify", *form, "--model", bare.path, letter).stdout
    assert UNCHECKED in page.read_text()


# --- the arithmetic ------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([(28, 14), (128, 16), (224, 16)]))
def test_features_are_block_means_and_contrasts(seed: int, size: tuple[int, int]) -> None:
    """Those of model files that know no details."""
    side, grid = size
    picture = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    block, half = side // grid, grid // 2
    means = picture.reshape(grid, block, grid, block).mean((1, 3))
    contrasts = picture.reshape(half, 2 * block, half, 2 * block).std((1, 3))
    expected = np.r_[means.ravel() / 64 - 2, np.log(contrasts.ravel() + 1) - 2.5]
    got = Features(side, grid)(picture)
    assert got.dtype == np.float32
    assert got.shape == (feature_count(grid),)
    np.testing.assert_allclose(got, expected, atol=2e-3)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(28, 14, 2), (64, 16, 3), (128, 16, 3)]))
def test_details_are_contrasts_between_blocks_of_two_sizes(
    seed: int, size: tuple[int, int, int]
) -> None:
    side, grid, details = size
    assert details_of(side, grid) == details
    picture = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    half = grid // 2

    def means(blocks: int) -> NDArray[np.float64]:
        width = side // blocks
        return picture.reshape(blocks, width, blocks, width).mean((1, 3))

    got = Features(side, grid, details)(picture)
    assert got.shape == (feature_count(grid, details),)
    np.testing.assert_array_equal(got[: feature_count(grid)], Features(side, grid)(picture))
    for place in range(details):
        blocks, width = half * 2 ** (1 + place), 2 ** (1 + place)
        finer, coarser = means(blocks), np.kron(means(blocks // 2), np.ones((2, 2)))
        spread = ((finer - coarser) ** 2).reshape(half, width, half, width).mean((1, 3))
        seen = got[feature_count(grid) + place * half**2 :][: half**2]
        np.testing.assert_allclose(
            np.exp(2 * seen + 1), spread.ravel() + 0.05, rtol=0.05, atol=0.02
        )


def test_details_are_the_same_at_any_side() -> None:
    """So a shipped check serves networks of other sides, also where blocks are no whole pixels."""
    large = resize(synthetic_radiograph(1024, 2), replace_side(448))
    area = large.reshape(224, 2, 224, 2).mean((1, 3))
    half = large.reshape(64, 7, 64, 7).mean((1, 3))
    first = feature_count(16)
    seen = Features(224, 16, 3)(np.rint(area).astype(np.uint8))[first:]
    other = Features(64, 16, 3)(np.rint(half).astype(np.uint8))[first:]
    np.testing.assert_allclose(seen, other, atol=0.35)
    assert np.abs(seen - other).mean() < 0.05


@pytest.mark.parametrize("side", [28, 128, 224, 512])
def test_no_product_is_so_large_that_blas_takes_the_networks_processors(side: int) -> None:
    """OpenBLAS wakes threads for more than 2^18 multiplications; these go on beside the network."""
    sizes: list[int] = []

    class Spy(np.ndarray[Any, Any]):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
            plain = [np.asarray(each) for each in inputs]
            if ufunc is np.matmul:
                sizes.append(plain[0].size * plain[1].shape[1])
            return getattr(ufunc, method)(*plain, **options)

    grid = grid_of(side)
    assert grid is not None
    picture = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    features = Features(side, grid, details_of(side, grid))
    expected = features(picture)
    for name, value in vars(features).items():
        spied = [each.view(Spy) for each in value] if isinstance(value, list) else value.view(Spy)
        setattr(features, name, spied)
    np.testing.assert_array_equal(features(picture), expected)
    assert len(sizes) > 8
    assert max(sizes) <= 1 << 18


OLDER: Final = list(KINDS)[:10]
"""What the checks of the first model files tell apart."""


def weights(grid: int = 14, hidden: int = 3, seed: int = 0, kinds: int = len(KINDS)) -> Weights:
    generator = np.random.default_rng(seed)
    shapes = ((feature_count(grid), hidden), (hidden,), (hidden, 1 + kinds), (1 + kinds,))
    return Weights(*(generator.normal(size=shape).astype(np.float32) for shape in shapes))


def stated(limits: Sequence[float] | NDArray[np.float32], kinds: Sequence[str] = ()) -> Any:
    """What a manifest says of `weights`."""
    return {
        "grid": 14,
        "hidden": 3,
        "kinds": list(kinds or KINDS),
        "limits": [float(limit) for limit in limits],
        "fitted_on": "nothing",
        "limits_from": "nothing",
        "flagged": 0.0,
    }


def test_a_picture_is_flagged_where_a_kind_exceeds_its_limit() -> None:
    picture = resize(RADIOGRAPH, replace_side(28))
    margins = weights().margins(Features(28, 14)(picture))
    for place, kind in enumerate(KINDS):
        limits = margins + 1
        limits[place] = margins[place] - 0.5
        verdict = InputCheck(28, stated(limits), weights()).judge(picture)
        assert verdict.kind == kind
        assert verdict.score == pytest.approx(0.5, abs=1e-5)
    assert not InputCheck(28, stated(margins), weights()).judge(picture).flagged


def replace_side(side: int) -> Any:
    return read(shipped_models()[0]).input_spec._replace(height=side, width=side)


def test_there_is_a_grid_for_every_size_of_network() -> None:
    assert [grid_of(side) for side in (28, 64, 128, 224, 31)] == [14, 16, 16, 16, None]


# --- in the model file ---------------------------------------------------------------------------


@pytest.fixture
def with_check(cnn28: Path, tmp_path: Path) -> ModelFile:
    model, facts = read(cnn28), stated([1.0] * len(KINDS))
    manifest = {**model.manifest, "input_check": facts}
    made = model.replace(manifest=manifest, check_weights=weights().to_bytes())
    return made.save(tmp_path / "with.tflite")


def rewritten(model: ModelFile, **changed: bytes | None) -> Path:
    """The same file with other members; None leaves one out."""
    names = {"weights": archive.CHECK, "manifest": "manifest.json"}
    members = {names[key]: data for key, data in changed.items()}
    with zipfile.ZipFile(model.path) as file:
        parts = {name: file.read(name) for name in file.namelist()} | members
    buffer = io.BytesIO(model.flatbuffer)
    with zipfile.ZipFile(buffer, "a") as file:
        for name, data in parts.items():
            if data is not None:
                file.writestr(name, data)
    path = model.path.with_name("rewritten.tflite")
    path.write_bytes(buffer.getvalue())
    return path


def test_a_check_is_read_back_and_the_rest_is_as_before(with_check: ModelFile, cnn28: Path) -> None:
    again, before = read(with_check.path), read(cnn28)
    assert again.flatbuffer == before.flatbuffer
    np.testing.assert_array_equal(again.golden.maps, before.golden.maps)
    rest = {key: value for key, value in again.manifest.items() if key != "input_check"}
    assert rest == {key: value for key, value in before.manifest.items() if key != "input_check"}
    assert again.check_weights == weights().to_bytes()
    assert again.input_check is not None


def test_a_damaged_or_missing_part_is_refused_by_name(with_check: ModelFile) -> None:
    data = with_check.check_weights or b""
    for changed, words in (
        (data[:-4] + b"\0\0\0\1", "is not the manifest's"),
        (None, "ZIP is without input_check.bin"),
        (bytes(200_001), "unpacks to more than 200000 bytes"),
    ):
        with pytest.raises(ModelError, match=words):
            read(rewritten(with_check, weights=changed))
    without = {**with_check.manifest}
    del without["input_check"]
    with pytest.raises(ModelError, match="manifest is without it"):
        read(rewritten(with_check, manifest=json.dumps(without).encode()))


def test_a_check_of_before_that_knows_fewer_kinds_is_read(cnn28: Path, tmp_path: Path) -> None:
    model, few = read(cnn28), weights(kinds=len(OLDER))
    picture = resize(RADIOGRAPH, model.input_spec)
    margins = few.margins(Features(28, 14)(picture))
    limits = margins + 1
    limits[-1] = margins[-1] - 0.5
    manifest = {**model.manifest, "input_check": stated(limits, OLDER)}
    made = model.replace(manifest=manifest, check_weights=few.to_bytes())
    check = read(made.save(tmp_path / "older.tflite").path).input_check
    assert check is not None
    verdict = check.judge(picture)
    assert verdict.kind == "under-exposed"
    assert verdict.score == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kinds": ["cat"]}, "knows 'cat', which this version does not: update edge-cxr to use it"),
        ({"kinds": ["askew"] * len(KINDS)}, "one limit for each of its kinds"),
        ({"limits": [0.0]}, "one limit for each of its kinds"),
        ({"details": 1}, "bytes, not"),
        ({"details": 3}, "smaller than a pixel"),
        ({"details": 4}, "bad manifest"),
        ({"limits": [1e9] * len(KINDS)}, "bad manifest"),
        ({"grid": 16}, "does not divide"),
        ({"grid": 14.0}, "grid must be integer"),
        ({"hidden": 3.0}, "hidden must be integer"),
        ({"details": 0.0}, "details must be integer"),
        ({"hidden": 4}, "bytes, not"),
        ({"hidden": 4000}, "bad manifest"),
    ],
)
def test_a_check_that_does_not_fit_is_refused(
    with_check: ModelFile, change: dict[str, Any], words: str
) -> None:
    manifest = {**with_check.manifest}
    manifest["input_check"] = {**manifest["input_check"], **change}
    with pytest.raises(ModelError, match=words):
        read(rewritten(with_check, manifest=json.dumps(manifest).encode()))


def test_weights_that_are_no_numbers_are_refused(with_check: ModelFile) -> None:
    bad = weights()._replace(output_bias=np.full(1 + len(KINDS), np.nan, np.float32))
    with pytest.raises(ModelError, match="no weights"):
        with_check.replace(check_weights=bad.to_bytes())
