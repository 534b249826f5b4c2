"""`classify --heatmap`: pictures a user can look at, under names that never collide."""

from __future__ import annotations

import json
import math
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from edge_app.classifier import Findings
from edge_app.heatmap.draw import MAX_SIDE, MIN_SIDE, borders, draw
from edge_app.heatmap.maps import (
    FULL,
    MARKED,
    OF_SEVERAL,
    OUTLINED,
    POINTING,
    POINTING_BEYOND,
    POINTING_OF_MIDDLE,
    EvidenceScale,
)
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.calibration import calibrated
from edge_app.model.cautions import Cautions
from edge_app.model.decisions import RAISED, RAISED_MEANS, Finding, mark
from edge_app.model.model_file import locate
from edge_app.model.model_file import read as model_file
from edge_app.model.overall import Overall
from edge_app.model.preprocess import CROP, InputSpec
from edge_app.pipeline.heatmaps import file_name
from tests.device.conftest import Run
from tests.device.pictures import hazy
from train.labels import LABELS

MASS = LABELS.index("Mass")
FLAT = {"slope": [1.0] * len(LABELS), "intercept": [0.0] * len(LABELS)}
SCALE = EvidenceScale({"calibration": FLAT, "prevalence": [0.5] * len(LABELS)})  # type: ignore[typeddict-item]
"""A cell of n logits raises the odds e^n times above the usual ones."""


def found(row: int = 1, column: int = 2, warnings: tuple[str, ...] = ()) -> Findings:
    """Mass alone above its threshold, seen in one cell of four by four."""
    cells = np.zeros((4, 4, len(LABELS)), np.float32)
    cells[row, column, MASS] = math.log(FULL)
    made = tuple(
        Finding(label, 0.0, 0.3 if label == "Mass" else 0.01, 0.2, label == "Mass")
        for label in LABELS
    )
    return Findings(made, cells, warnings, False)


def test_the_colours_are_where_the_map_is_high_and_nowhere_else() -> None:
    pixels = np.full((800, 600), 100, np.uint8)
    heatmap = draw(pixels, found(row=0, column=3), SCALE, ["model"])
    assert heatmap.size == (600, 800)
    assert heatmap.image.width == 600
    assert heatmap.image.height > 800
    colours = np.asarray(heatmap.image)[:800].astype(int)
    tinted = np.ptp(colours, axis=-1) > 20
    assert tinted[:150, 500:].mean() > 0.5
    assert not tinted[300:, :300].any()
    (mass,) = heatmap.peaks
    assert mass["label"] == "Mass"
    assert abs(mass["peak"]["x"] - 525) < 6
    assert abs(mass["peak"]["y"] - 100) < 6


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((64, 64), (MIN_SIDE, MIN_SIDE)), ((3000, 1500), (1024, MAX_SIDE)), ((1, 3000), (2048, 1))],
)
def test_small_ones_are_enlarged_and_enormous_ones_bounded(
    shape: tuple[int, int], drawn: tuple[int, int]
) -> None:
    heatmap = draw(np.zeros(shape, np.uint8), found(), SCALE, ["model"])
    assert heatmap.size == drawn
    at = heatmap.peaks[0]["peak"]
    assert abs(at["x"] - 0.625 * shape[1]) <= 1 + 0.02 * shape[1]
    assert abs(at["y"] - 0.375 * shape[0]) <= 1 + 0.02 * shape[0]


def test_a_flat_map_is_drawn_without_a_peak() -> None:
    flat = Findings(found().findings, np.zeros((4, 4, 15), np.float32), (), False)
    heatmap = draw(np.full((600, 600), 90, np.uint8), flat, SCALE, ["model"])
    assert heatmap.peaks == [{"label": "Mass", "peak": None, "cell": None}]
    inside = np.asarray(heatmap.image)[10:140, 10:140]
    assert (inside == 90).all()


def flagged(evidence: float, label: str = "Mass") -> Findings:
    """Mass the most probable finding of a flagged image, with so much evidence in one cell."""
    cells = np.zeros((4, 4, len(LABELS)), np.float32)
    cells[1, 2, LABELS.index(label)] = evidence
    overall = Overall(0.8, 0.4, 0.95, 0.5, True)
    return Findings(found().findings, cells, (), False, overall=overall)


def test_what_is_weak_looks_weak_and_has_no_outline() -> None:
    pixels = np.full((600, 600), 90, np.uint8)
    drawn = {
        odds: draw(pixels, flagged(math.log(odds)), SCALE, ["model"])
        for odds in (1.5, 0.9 * MARKED, 1.1 * MARKED, FULL, 10 * FULL)
    }
    place = (225, 350)  # within the cell, off its outline
    tint = [int(np.ptp(np.asarray(d.image)[place].astype(int))) for d in drawn.values()]
    assert tint[0] < tint[1] < tint[2]
    outlined = [each.peaks[0]["cell"] is not None for each in drawn.values()]
    assert outlined == [False, False, True, True, True]


def test_all_findings_have_one_scale() -> None:
    pixels = np.full((600, 600), 90, np.uint8)
    weak = np.asarray(draw(pixels, flagged(math.log(MARKED)), SCALE, ["model"]).image)[:600]
    strong = np.asarray(draw(pixels, flagged(math.log(FULL)), SCALE, ["model"]).image)[:600]
    other = LABELS.index("Edema")
    both = flagged(math.log(MARKED))
    assert both.map is not None
    both.map[3, 0, other] = math.log(FULL)
    seen = np.asarray(draw(pixels, both, SCALE, ["model"]).image)[:600]
    cell = np.s_[200:290, 310:440]  # of Mass, off its number
    np.testing.assert_array_equal(seen[cell], weak[cell])
    assert (weak[cell] != strong[cell]).any()


@pytest.mark.parametrize("grid", [(4, 4), (7, 7), (16, 16), (5, 8)])
@pytest.mark.parametrize("ground", [0, 90, 255])
def test_a_map_looks_as_coarse_as_it_is(grid: tuple[int, int], ground: int) -> None:
    """Each cell is of one colour up to a line that is seen on a dark and on a light ground."""
    rows, columns = grid
    cells = np.zeros((rows, columns, len(LABELS)), np.float32)
    evidence = np.random.default_rng(0).uniform(-2, 0.9 * math.log(MARKED), grid)
    cells[..., MASS] = evidence
    heatmap = draw(
        np.full((800, 800), ground, np.uint8), found()._replace(map=cells), SCALE, ["model"]
    )
    picture = np.asarray(heatmap.image)[:800].astype(int)
    bounds = [[round(800 * place / count) for place in range(count + 1)] for count in grid]
    values = []
    for top, bottom in pairwise(bounds[0]):
        for left, right in pairwise(bounds[1]):
            inside = picture[top + 3 : bottom - 3, left + 3 : right - 3].reshape(-1, 3)
            assert (inside == inside[0]).all()
            values.append(tuple(inside[0]))
    assert len(set(values)) > 5
    middle = picture[(bounds[0][0] + bounds[0][1]) // 2]
    for edge in bounds[1][1:-1]:  # the line between two cells is none of their two colours
        near = middle[edge - 3 : edge + 3]
        assert np.abs(near - middle[edge - 5]).sum(axis=1).max() > 20
        assert np.abs(near - middle[edge + 5]).sum(axis=1).max() > 20


def test_cells_finer_than_their_lines_have_none() -> None:
    cells = np.zeros((128, 128, len(LABELS)), np.float32)
    heatmap = draw(np.full((600, 600), 90, np.uint8), found()._replace(map=cells), SCALE, ["model"])
    assert (np.asarray(heatmap.image)[:600] == 90).all()


@pytest.mark.parametrize("width", range(1989, 2001))
def test_borders_of_a_cropped_picture_stay_in_it(width: int) -> None:
    """Two pixels thick, at the edge of what the network sees, which may be the last pixel."""
    seen = InputSpec(128, 128, resize=CROP).seen(width, 2000)
    drawn = borders((4, 4), 2000, width, seen)
    assert drawn[:, width // 4 - 8 : width // 4 + 8].any()
    assert drawn[996:1004].any()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn."""
    texts: list[str] = []
    plain = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, at: tuple[float, float], said: str, *more: object) -> None:
        texts.append(said)
        plain(self, at, said, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return texts


WIDE = np.full((600, 1400), 90, np.uint8)
"""No line of its strip is broken."""


def test_the_strip_says_what_no_square_shows_and_how_many_findings_there_are(
    written: list[str],
) -> None:
    draw(WIDE, flagged(math.log(FULL)), SCALE, ["usually: at this site (9 images)", "model"])
    assert "1 of 15 findings shown: the most probable" in written
    assert OUTLINED in written
    assert not [text for text in written if text.startswith(OF_SEVERAL)]
    assert {"none", "weak", "strong"} <= set(written)
    assert not [text for text in written if "x10" in text]  # of what, nobody would know
    assert "the finding may be anywhere, in colour or not" in written
    assert "usually: at this site (9 images)" in written
    assert "a mirrored picture may go unnoticed: trust the film's own marker" in written
    written.clear()
    above = found()._replace(overall=None)
    draw(WIDE, above, SCALE, ["model"])
    assert "1 of 15 findings shown: what is above its threshold" in written
    written.clear()
    few = above._replace(findings=above.findings[:1], map=np.zeros((4, 4, 1), np.float32))
    draw(WIDE, few, SCALE, ["model"])
    assert not [text for text in written if "shown" in text]


def test_the_strip_marks_findings_by_the_tables_words(written: list[str]) -> None:
    usual = tuple(
        each._replace(usually={"Mass": 0.05, "Edema": 0.0101}.get(each.label, 0.2))
        for each in found().findings
    )
    draw(WIDE, flagged(0.0)._replace(findings=usual), SCALE, ["model"])
    lines = [text for text in written if text[:3] in ("1  ", "2  ", "3  ")]
    assert lines[0] == "1  Mass 30.0 %, usually 5.0 %, raised; no square stands out"
    assert RAISED_MEANS in " ".join(written)
    assert not any("raised" in line for line in lines[1:])
    written.clear()
    draw(WIDE, found()._replace(findings=usual), SCALE, ["model"])
    assert "1  Mass 30.0 %, usually 5.0 %, above" in written
    assert RAISED_MEANS not in written


def test_findings_of_one_cell_share_its_outline(written: list[str]) -> None:
    rare = {"Mass": 0.3, "Edema": 0.2, "Nodule": 0.1}  # all of them raised
    rows = tuple(
        each._replace(score=rare.get(each.label, 0.01), usually=0.01) for each in found().findings
    )
    both = flagged(math.log(FULL))._replace(findings=rows)
    assert both.map is not None
    both.map[1, 2, LABELS.index("Edema")] = math.log(FULL)
    heatmap = draw(WIDE[:600, :600], both, SCALE, ["model"])
    assert "1, 2" in written
    assert f"{OF_SEVERAL}, but for those outlined" in written
    first, other, third = heatmap.peaks
    assert first["cell"] == other["cell"] == {"left": 300, "top": 150, "right": 450, "bottom": 300}
    assert third["cell"] is None


def test_where_nothing_is_raised_no_colour_is_drawn_and_the_legend_says_so(
    written: list[str],
) -> None:
    usual = tuple(each._replace(usually=0.2) for each in found().findings)
    pixels = np.full((600, 1400), 90, np.uint8)
    strong = flagged(math.log(FULL))._replace(findings=usual)
    heatmap = draw(pixels, strong, SCALE, ["model"])
    assert (np.asarray(heatmap.image)[:600] == 90).all()
    assert heatmap.peaks == []
    assert written[:2] == ["nothing is raised: no map", "flagged; nothing is raised"]
    assert not {"none", "weak", "strong"} & set(written)
    assert not [text for text in written if "square" in text]


def test_the_strip_says_the_verdict_in_the_tables_words(written: list[str]) -> None:
    usual = tuple(each._replace(usually=0.05) for each in found().findings)
    worth = Cautions.of(
        {  # type: ignore[typeddict-item]
            "sensitivity": 0.4,
            "specificity": 0.9,
            "test": {"sensitivity": {"value": 0.6}, "specificity": {"value": 0.5}},
        }
    )
    overall = Overall(0.8, 0.4, 0.95, 0.5, True, worth)
    draw(WIDE, flagged(0.0)._replace(findings=usual, overall=overall), SCALE, ["model"])
    start = written.index("flagged; raised: Mass")
    below = " ".join(written[start + 1 :])  # long lines are wrapped
    assert below.startswith(f"{overall.in_words()} {worth.flagged}")


def test_without_usual_odds_the_maps_mean_takes_their_place() -> None:
    scale = EvidenceScale({"calibration": FLAT})  # type: ignore[typeddict-item]
    assert not scale.usual
    cells = np.arange(16, dtype=np.float32).reshape(4, 4)
    of_labels = np.repeat(cells[..., np.newaxis], len(LABELS), axis=-1)
    np.testing.assert_allclose(scale.weighed(of_labels, 0), cells - 7.5)
    np.testing.assert_allclose(SCALE.weighed(of_labels, 0), cells)


def test_what_a_map_is_worth_is_the_first_line_under_the_picture(written: list[str]) -> None:
    on = "72 boxes that radiologists drew on test images"
    shares = {
        name: {"value": value, "low": 0.01, "high": 0.5, "on": on}
        for name, value in ((POINTING, 0.4), (POINTING_OF_MIDDLE, 0.25), (POINTING_BEYOND, 0.15))
    }
    stated = {"calibration": FLAT, "prevalence": [0.5] * len(LABELS), "metrics": shares}
    said = f"of {on}, the map's peak hit 40.0 %, the middle of the picture 25.0 %"
    better = draw(WIDE, flagged(math.log(FULL)), EvidenceScale(stated), ["model"])  # type: ignore[arg-type]
    assert next(text for text in written if text != "1") == said  # the number is in the picture
    assert OUTLINED in written
    assert "1" in written
    written.clear()
    shares[POINTING_BEYOND]["low"] = -0.01
    as_good = draw(WIDE, flagged(math.log(FULL)), EvidenceScale(stated), ["model"])  # type: ignore[arg-type]
    assert said not in written
    assert written[0] == (
        "this map does not show where, do not aim by it: its peak lies in radiologists' boxes "
        "about as often as the picture's middle does"
    )
    assert OUTLINED not in written
    assert "1" not in written
    assert better.peaks[0]["cell"] is not None
    assert as_good.peaks == [{"label": "Mass", "peak": None, "cell": None}]
    written.clear()
    draw(WIDE, flagged(0.0), SCALE, ["model"])
    assert not any("radiologists" in line or "to find a place" in line for line in written)


def test_of_exclusive_labels_a_square_has_the_odds_that_the_answer_would_have() -> None:
    """All of a picture like one square, as the classifier's own softmax judges it."""
    calibration = {"slope": [0.7, 0.7, 0.7], "intercept": [0.2, -1.0, 0.4]}
    usually = np.array([0.2, 0.1, 0.7])
    scale = EvidenceScale(
        {"calibration": calibration, "prevalence": usually.tolist(), "head": "exclusive"}  # type: ignore[typeddict-item]
    )
    cells = np.random.default_rng(0).normal(0, 3, (4, 4, 3)).astype(np.float32)
    share = calibrated(cells, calibration, "exclusive")
    expected = np.log(share / (1 - share) / (usually / (1 - usually)))
    for channel in range(3):
        for shift in (0, 5):  # which changes no answer
            found = scale.weighed(cells + np.float32(shift), channel)
            np.testing.assert_allclose(found, expected[..., channel], atol=1e-4)


def test_every_line_of_text_takes_its_place_in_the_strip() -> None:
    pixels = np.zeros((600, 600), np.uint8)
    plain = draw(pixels, found(), SCALE, ["model"]).image
    warned = draw(pixels, found(warnings=("is odd " * 60,)), SCALE, ["model"]).image
    assert warned.height > plain.height
    assert warned.width == plain.width


@given(st.text(max_size=300), st.from_regex("[0-9a-f]{64}", fullmatch=True))
def test_a_heatmaps_name_is_one_plain_file(name: str, digest: str) -> None:
    made = file_name(name, digest)
    assert Path(made).name == made
    assert "/" not in made
    assert "\0" not in made
    assert not made.startswith((".", "-"))
    assert made.endswith(f"{digest[:12]}.png")
    assert len(made.encode()) <= 255


# --- the command ---------------------------------------------------------------------------------


def test_one_picture_an_answer_and_none_for_a_refusal(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    Image.fromarray(hazy()).save(picture)
    model = ("--model", "cxr-lite0-128")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    done = run("classify", *model, "--json", "--heatmap", tmp_path / "out/maps", picture, broken)
    answer, refusal = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 3
    assert "heatmap" not in refusal
    (file,) = (tmp_path / "out" / "maps").iterdir()
    assert answer["heatmap"]["file"] == str(file)
    with Image.open(file) as image:
        assert image.format == "PNG"
        assert image.width == answer["heatmap"]["width"] == 512
        assert image.height > answer["heatmap"]["height"] == 512
    labels = [each["label"] for each in answer["heatmap"]["findings"]]
    assert 1 <= len(labels) <= 3
    assert set(labels) <= set(LABELS) - {"No Finding"}
    assert "does not show where" in answer["heatmap"]["worth"]
    assert all(each["peak"] is each["cell"] is None for each in answer["heatmap"]["findings"])
    ranked = sorted(answer["findings"], key=lambda row: row["rank"] or len(LABELS))
    raised = [
        row["label"]
        for row in ranked
        if mark(row["probability"], row["prevalence"], row["above"], by_label=False) == RAISED
    ]
    assert labels == raised[:3]


def test_a_model_of_whose_places_nothing_is_known_tells_peak_and_square(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    Image.fromarray(hazy()).save(picture)
    shipped = model_file(locate("cxr-lite0-128"))
    kept = {k: v for k, v in shipped.manifest["metrics"].items() if not k.startswith("pointing")}
    path = tmp_path / "model.tflite"
    shipped.replace(path=path, manifest={**shipped.manifest, "metrics": kept}).save()
    ask = ("classify", "--json", "--heatmap", tmp_path / "maps", "--model", path)
    (answer,) = map(json.loads, run(*ask, picture, picture).stdout.splitlines()[:1])
    assert answer["heatmap"]["worth"] is None
    size = answer["image"]["width"], answer["image"]["height"]
    shown = [each for each in answer["heatmap"]["findings"] if each["peak"]]
    assert shown
    for each in shown:
        assert 0 <= each["peak"]["x"] < size[0]
        assert 0 <= each["peak"]["y"] < size[1]
        cell = each["cell"]
        sides = cell["right"] - cell["left"], cell["bottom"] - cell["top"]
        assert sides == pytest.approx((size[0] / 4, size[1] / 4), abs=1)


def test_images_of_one_name_do_not_collide(run: Run, tmp_path: Path) -> None:
    for seed, place in enumerate(("a/x.png", "b/x.png", "b/x.bmp")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.fromarray(synthetic_radiograph(128, seed)).save(tmp_path / place)
    shutil.copy(tmp_path / "a/x.png", tmp_path / "b/y.png")
    done = run("classify", "-r", "--heatmap", tmp_path / "maps", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0
    names = sorted(path.name.split("-")[0] for path in (tmp_path / "maps").iterdir())
    assert names == ["x", "x", "x", "y"]


def test_the_same_image_named_twice_is_one_heatmap(run: Run, picture: Path, tmp_path: Path) -> None:
    assert run("classify", "--heatmap", tmp_path / "maps", picture, picture).returncode == 0
    assert len(list((tmp_path / "maps").iterdir())) == 1


def test_an_existing_file_stays_unless_it_may_be_overwritten(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "maps"
    assert run("classify", "--heatmap", folder, picture).returncode == 0
    (file,) = folder.iterdir()
    file.write_bytes(b"precious")
    done = run("classify", "--heatmap", folder, picture)
    assert done.returncode == 4
    assert "--overwrite" in done.stderr
    assert "Cardiomegaly" in done.stdout  # the answer is printed all the same
    assert file.read_bytes() == b"precious"
    assert run("classify", "--heatmap", folder, "--overwrite", picture).returncode == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_link_to_nowhere_is_not_followed(run: Run, picture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    assert run("classify", "--heatmap", folder, picture).returncode == 0
    (file,) = folder.iterdir()
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert run("classify", "--heatmap", folder, picture).returncode == 4
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_is_said_at_once(run: Run, picture: Path) -> None:
    done = run("classify", "--heatmap", picture, picture)
    assert done.returncode == 4
    assert "cannot hold heatmaps" in done.stderr
    assert not done.stdout


def test_what_is_withheld_has_no_heatmap_unless_forced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "blank.png"
    Image.new("L", (200, 200), 90).save(path)
    done = run("classify", "--heatmap", tmp_path / "maps", path)
    assert done.returncode == 3
    assert "no heatmap of 1 image: not scored" in done.stderr
    assert not (tmp_path / "maps").exists()
    forced = run("classify", "--heatmap", tmp_path / "maps", "--force", "--json", path)
    assert "heatmap" in json.loads(forced.stdout)
    assert len(list((tmp_path / "maps").iterdir())) == 1


def test_a_folder_that_is_named_like_a_picture_is_refused(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    done = run("classify", "--heatmap", tmp_path / "out.png", picture)
    assert done.returncode != 0
    assert "a folder is wanted: leave the ending off" in done.stderr
    assert not list(tmp_path.glob("out*"))
