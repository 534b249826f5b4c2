"""Models of other labels, heads and inputs go through every command that the shipped ones do.

`tests/models/make.py` tells what they are.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import edge_app
from edge_app.classifier import Classifier
from edge_app.core.errors import DatasetError
from edge_app.evaluation.report import read as read_report
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.read import read_image
from edge_app.model.input_check import UNCHECKED
from edge_app.model.model_file import read

from ..conftest import Run
from ..pictures import dicom

MODELS = Path(__file__).parents[2] / "models"


class Case(NamedTuple):
    """What is known of a model; `findings` is what its macro is taken over."""

    name: str
    labels: int
    head: str
    mapped: bool
    findings: str

    @property
    def path(self) -> Path:
        return MODELS / f"{self.name}.tflite"


CASES = (
    Case("one-label", 1, "independent", True, "the one finding, if computable"),
    Case("three-exclusive", 3, "exclusive", True, "the 2 findings that are computable"),
    Case("forty-labels", 40, "independent", False, "the 40 findings that are computable"),
)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A radiograph twice as wide as high."""
    path = tmp_path / "wide.png"
    Image.fromarray(synthetic_radiograph(200, 3)[50:150]).save(path)
    return path


def test_its_table_has_its_labels(run: Run, picture: Path, case: Case) -> None:
    done = run("classify", "--model", case.path, picture)
    assert done.returncode == 0
    labels = read(case.path).labels
    names = [labels.names[channel] for channel in labels.findings]
    lines = done.stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("  finding ")) + 1
    rows = lines[first : first + len(names)]
    assert sorted(row[2:].split("  ")[0].strip() for row in rows) == sorted(names)
    assert lines[first + len(names) + 1].startswith(f"{case.name}, ")


def test_its_json_has_its_labels_in_their_order(run: Run, picture: Path, case: Case) -> None:
    done = run("classify", "--json", "--model", case.path, picture)
    answer = json.loads(done.stdout)
    assert [row["label"] for row in answer["findings"]] == list(read(case.path).labels.names)
    assert answer["preprocessing"] == read(case.path).input_spec.as_dict() | {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in read(case.path).input_spec.as_dict().items()
    }
    scores = [row["score"] for row in answer["findings"]]
    if case.head == "exclusive":
        assert sum(scores) == pytest.approx(1, abs=1e-5)
    above = [row for row in answer["findings"] if row["above"]]
    assert len({row["kind"] for row in above}) <= 1  # never a finding beside the normal label
    for row in answer["findings"]:
        reached = None if row["threshold"] is None else row["score"] >= row["threshold"]
        assert row["above"] is reached or row["kind"] == "normal"


def test_its_csv_has_a_column_a_label(run: Run, picture: Path, case: Case) -> None:
    done = run("classify", "--csv", "--model", case.path, picture, picture.with_name("none.png"))
    good, bad = csv.DictReader(io.StringIO(done.stdout))
    for name in read(case.path).labels.names:
        assert 0 <= float(good[name]) <= 1
        assert bad[name] == ""
    assert bad["error"]


def test_the_first_labels_can_be_more_than_fifteen(run: Run, picture: Path) -> None:
    path = MODELS / "forty-labels.tflite"
    done = run("classify", "--json", "--top", 20, "--model", path, picture)
    assert len(json.loads(done.stdout)["findings"]) == 20


def test_a_heatmap_is_drawn_or_refused_before_the_first_image(
    run: Run, wide: Path, tmp_path: Path, case: Case
) -> None:
    maps = tmp_path / "maps"
    done = run("classify", "--heatmap", maps, "--model", case.path, wide)
    if case.mapped:
        assert done.returncode == 0
        assert len(list(maps.glob("*.png"))) == 1
        return
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"edge-cxr: --heatmap: {case.name} has no map of where its findings are seen: "
        "leave --heatmap out, or take a model that has one\n"
    )
    assert not maps.exists()


def test_a_heatmap_without_colours_is_told_in_the_words_of_the_answer(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    one_label = MODELS / "one-label.tflite"
    done = run("classify", "--heatmap", tmp_path, "--model", one_label, picture)
    assert "\n  nothing is above its threshold\n" in done.stdout
    assert ".png (nothing is above its threshold: no colours)\n" in done.stdout
    assert "raised" not in done.stdout


def test_a_heatmap_of_padded_input_peaks_inside_the_picture(
    run: Run, wide: Path, tmp_path: Path
) -> None:
    done = run(
        *("classify", "--json", "--heatmap", tmp_path / "maps"),
        *("--model", MODELS / "three-exclusive.tflite", wide),
    )
    (shown,) = json.loads(done.stdout)["heatmap"]["findings"]
    assert shown["label"] != "Healthy"
    if shown["peak"] is not None:
        assert 0 <= shown["peak"]["x"] < 200
        assert 0 <= shown["peak"]["y"] < 100


def test_its_warning_about_a_long_picture_is_of_what_is_done_with_it(run: Run, wide: Path) -> None:
    said = {
        name: json.loads(
            run("classify", "--json", "--model", MODELS / f"{name}.tflite", wide).stdout
        )
        for name in ("one-label", "three-exclusive", "forty-labels")
    }
    warnings = {name: " ".join(answer["warnings"]) for name, answer in said.items()}
    assert "stretched to a square" in warnings["one-label"]
    assert warnings["three-exclusive"] == UNCHECKED
    assert "middle part alone" in warnings["forty-labels"]


@pytest.mark.parametrize(
    ("stated", "warned"),
    [
        ({"PixelAspectRatio": ["2", "1"]}, True),
        ({"PixelSpacing": ["0.28", "0.14"]}, True),
        ({"ImagerPixelSpacing": ["0.14", "0.07"]}, True),
        ({"PixelSpacing": ["0.14", "0.14"]}, False),
        ({"PixelAspectRatio": ["1000", "1"]}, False),
        ({}, False),
    ],
)
def test_pixels_that_are_not_square_are_told_by_a_network_that_keeps_proportions(
    stated: dict[str, list[str]], warned: bool
) -> None:
    """One that stretches sees the same of a picture, whatever its pixels are."""
    half = np.asarray(Image.fromarray(synthetic_radiograph(128)).resize((128, 64)))
    pytest.importorskip("pydicom", reason="the dicom extra is not installed")
    image = read_image(io.BytesIO(dicom(half, 8, **stated)))
    for name, keeps in (("one-label", False), ("three-exclusive", True), ("forty-labels", True)):
        found = Classifier(read(MODELS / f"{name}.tflite")).classify(image).warnings
        told = [each for each in found if each.startswith("has pixels 2 times as high as wide")]
        assert len(told) == (warned and keeps)


def test_it_is_verified_and_inspected(run: Run, case: Case) -> None:
    done = run("models verify", case.path)
    assert done.returncode == 0, done.stderr
    assert "2 golden vectors off by at most" in done.stdout
    words = run("models inspect", case.path).stdout
    assert all(name in words for name in read(case.path).labels.names)
    assert ("exclusive: just one" in words) == (case.head == "exclusive")
    stated = json.loads(run("models inspect", "--json", case.path).stdout)
    assert stated["schema_version"] == 2
    assert len(stated["labels"]) == case.labels


def test_findings_in_python_have_kinds_and_perhaps_a_map(picture: Path, case: Case) -> None:
    from edge_app.images.read import read_image

    findings = Classifier(read(case.path)).classify(read_image(picture))
    assert (findings.map is not None) == case.mapped
    kinds = [finding.kind for finding in findings.findings]
    assert kinds == [label.kind for label in read(case.path).labels]


# --- evaluation and comparison ------------------------------------------------------------------


@pytest.fixture
def clinic(tmp_path: Path, case: Case) -> Path:
    """24 pictures of 12 patients that bear the model's labels, or none of them."""
    names = read(case.path).labels.names
    folder = tmp_path / "clinic"
    folder.mkdir()
    lines = ["image,labels,patient"]
    for index in range(24):
        names_of_image = "none" if index % 3 == 0 else names[index % len(names)]
        if index == 5 and case.head == "independent" and len(names) > 1:
            names_of_image = "|".join(names[:2])
        lines.append(f"{index}.png,{names_of_image},{index // 2}")
        Image.fromarray(synthetic_radiograph(96, index)).save(folder / f"{index}.png")
    (folder / "labels.csv").write_text("\n".join([*lines, ""]))
    return folder


def evaluated(run: Run, clinic: Path, case: Case) -> tuple[Path, str]:
    out = clinic.parent / f"{case.name}.json"
    done = run("evaluate", clinic, "--model", case.path, "--out", out, "--retest")
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def row(content: dict[str, Any], label: str) -> dict[str, Any]:
    return next(row for row in content["labels"] if row["label"] == label)


def test_it_is_evaluated_and_compared(run: Run, clinic: Path, case: Case) -> None:
    out, words = evaluated(run, clinic, case)
    labels = read(case.path).labels
    made = read_report(out)
    assert [each[:2] for each in made.labels] == [each[:2] for each in labels]
    assert made.head == case.head
    assert made.content["macro"]["over"] == case.findings
    assert all(name in words for name in labels.names)
    first = row(made.content, labels.names[labels.findings[0]])
    assert first["support"] > 0
    assert first["auroc"]["value"] is not None

    page = out.with_suffix(".html")
    done = run("compare", out, out, "--html", page, "--json", "--resamples", 100)
    content = json.loads(done.stdout)
    assert done.returncode == 5  # a report is no better than itself under noise
    assert content["macro"]["over"] == f"{case.findings} in both"
    assert content["macro"]["auroc"]["difference"]["value"] == 0
    assert [each["label"] for each in content["labels"]] == list(labels.names)
    assert all(f"<b>{name}</b>" in page.read_text() for name in labels.names)
    text = run("compare", out, out, "--resamples", 100).stdout
    assert all(name in text for name in labels.names)


def test_the_macro_is_the_mean_of_its_findings(run: Run, clinic: Path, case: Case) -> None:
    made = read_report(evaluated(run, clinic, case)[0])
    values = [
        row["auroc"]["value"]
        for row in made.content["labels"]
        if row["kind"] == "finding" and row["auroc"]["value"] is not None
    ]
    assert made.content["macro"]["auroc"]["value"] == pytest.approx(np.mean(values), abs=2e-6)


def test_reports_of_different_labels_are_not_compared(run: Run, tmp_path: Path) -> None:
    reports = []
    for case in CASES[:2]:
        folder = tmp_path / case.name
        folder.mkdir()
        name = read(case.path).labels.names[0]
        Image.fromarray(synthetic_radiograph(96, 1)).save(folder / "a.png")
        (folder / "labels.csv").write_text(f"image,labels\na.png,{name}\n")
        reports.append(folder / "report.json")
        done = run("evaluate", folder, "--model", case.path, "--out", reports[-1])
        assert done.returncode == 0, done.stderr
    done = run("compare", *reports)
    assert done.returncode != 0
    assert "of different labels (Cavity and Healthy, Bacterial, Viral)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_none_of_exclusive_labels_counts_as_the_normal_one(run: Run, tmp_path: Path) -> None:
    for place, name in enumerate("abc"):
        Image.fromarray(synthetic_radiograph(96, place)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image,labels\na.png,none\nb.png,healthy\nc.png,Viral\n")
    place = tmp_path / "report.json"
    done = run("evaluate", tmp_path, "--model", MODELS / "three-exclusive.tflite", "--out", place)
    assert done.returncode == 0, done.stderr
    assert [row["support"] for row in read_report(place).content["labels"]] == [2, 0, 1]
    made = edge_app.evaluate(tmp_path, MODELS / "three-exclusive.tflite", out=place)
    assert made.evaluated.targets.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_an_image_without_any_of_exclusive_labels_is_refused(run: Run, tmp_path: Path) -> None:
    """It would count as not normal, and no finding of it could be right."""
    for place, name in enumerate("ab"):
        Image.fromarray(synthetic_radiograph(96, place)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text(
        "image,Healthy,Bacterial,Viral\na.png,0,0,0\nb.png,0,1,0\n"
    )
    place = tmp_path / "report.json"
    done = run("evaluate", tmp_path, "--model", MODELS / "three-exclusive.tflite", "--out", place)
    assert done.returncode == 3
    assert "1 of 2 images do not bear just one label, first a.png" in done.stderr
    with pytest.raises(DatasetError, match="1 of 2 images do not bear just one label"):
        edge_app.evaluate(tmp_path, MODELS / "three-exclusive.tflite", out=place)


def test_an_unknown_label_is_refused_with_the_known_ones(run: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,labels\na.png,Fracture\n")
    done = run("evaluate", tmp_path, "--model", MODELS / "three-exclusive.tflite")
    assert "'Fracture' is not one of the labels Healthy, Bacterial, Viral" in done.stderr
