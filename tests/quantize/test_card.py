"""Model cards and tables: every number from a report, every gap in words."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edge_app import DISCLAIMER
from edge_app.core.errors import ReportError
from edge_app.evaluation import report
from edge_app.evaluation.report import interval_text
from edge_app.model.model_file import ModelFile, read
from quantize.card import CARD, model_card
from quantize.errors import ConversionError
from quantize.model_table import side_by_side
from quantize.pipeline import quantize_run
from quantize.reproduce import write_card
from train.cache import Cached
from train.finished_run import NOT_SHOWN, TRAINED_ON, images_to_judge, open_run
from train.float_report import evaluate, write_all
from train.labels import LABELS
from train.options import read_data

QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="module")
def cached(finished_run: Path, small_nih: Path) -> Cached:
    return read_data(small_nih, 28, finished_run.parent / "cache")


@pytest.fixture(scope="module")
def shipped(
    finished_run: Path, cached: Cached, tmp_path_factory: pytest.TempPathFactory
) -> ModelFile:
    run = open_run(finished_run)
    judged = evaluate(run, cached.split("validation"), "validation", "cxr-tiny")
    write_all(judged, finished_run / "reports", "float-validation")
    path = tmp_path_factory.mktemp("card") / "cxr-tiny.tflite"
    quantize_run(run, cached, "cxr-tiny", path, 10, 0, QUIET)
    model = read(path)
    write_card(model, finished_run / "reports", cached)
    return model


@pytest.fixture
def folder(shipped: ModelFile, finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the reports, which a test may change."""
    del shipped  # whose making writes the last of them
    return Path(shutil.copytree(finished_run / "reports", tmp_path / "reports"))


def test_the_cards_numbers_are_the_reports(shipped: ModelFile, finished_run: Path) -> None:
    folder = finished_run / "reports"
    card = (folder / CARD).read_text()
    assert DISCLAIMER in card
    assert shipped.sha256 in card
    for stem in ("float", "int8", "float-validation"):
        content = report.read(folder / f"{stem}.json").content
        assert interval_text(content["macro"]["auroc"]) in card
        for row in content["labels"]:
            assert interval_text(row["auroc"]) in card
    for label in LABELS:
        assert card.count(f"| {label} |") >= 2


def test_every_row_of_a_table_has_its_headers_cells(shipped: ModelFile, finished_run: Path) -> None:
    card = (finished_run / "reports" / CARD).read_text()
    tables = re.findall(r"(?:^\|.*\|\n)+", card, re.MULTILINE)
    assert len(tables) >= 8
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_an_input_check_that_saw_no_radiograph_is_said_to_have_seen_none(
    shipped: ModelFile, finished_run: Path
) -> None:
    tried = {"drawn": {"pictures": 150, "flagged": 0.96}, "as_in": "other", "why": "few patients"}
    manifest = shipped.manifest | {
        "input_check": {"fitted_on": "as in other"},
        "training": shipped.manifest["training"] | {"input_check": tried},
    }
    sentence = "as in other; flags 96% of 150 drawn pictures, tried on no radiograph (few patients)"
    folder = finished_run / "reports"
    assert sentence in model_card(shipped._replace(manifest=manifest), folder)
    tried["radiographs"] = {"on": "validation, 9 images", "flagged": 0.01}
    assert "drawn pictures, 1.00% of validation, 9 images" in model_card(
        shipped._replace(manifest=manifest), folder
    )


def test_a_gap_between_subgroups_is_said_in_words(shipped: ModelFile, finished_run: Path) -> None:
    folder = finished_run / "reports"
    before = (folder / "subgroups.json").read_text()
    content = json.loads(before)

    def macro(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.1, "high": value + 0.1}

    groups = {
        name: {"images": 9, "patients": 3, "macro_auroc": macro(value)}
        for name, value in (("female", 0.61), ("male", 0.72))
    }
    try:
        for gap, said in ((0.11, True), (0.04, False)):
            content["by"] = {"sex": {"over": ["Mass"], "gap": gap, "groups": groups}}
            (folder / "subgroups.json").write_text(json.dumps(content))
            card = model_card(shipped, folder)
            words = "By sex the gap is 0.110: it ranks worst for female and best for male"
            assert (words in card) is said
        # With too few images of a finding, or a single group, nothing was compared.
        bare = {name: {**groups[name], "macro_auroc": dict.fromkeys(macro(0))} for name in groups}
        alone = {"over": ["Mass"], "gap": 0.0, "groups": {"PA": groups["male"]}}
        content["by"] = {"sex": {"over": [], "gap": None, "groups": bare}, "view": alone}
        (folder / "subgroups.json").write_text(json.dumps(content))
        card = model_card(shipped, folder)
        assert "By sex and view nothing could be compared" in card
        assert "No gap" not in card
    finally:
        (folder / "subgroups.json").write_text(before)


@pytest.mark.parametrize(
    ("test_patients", "words"),
    [
        ("not known", "a test patient who is spoils the test"),
        ("not seen", "none of the test patients is among these"),
    ],
)
def test_a_card_says_what_the_network_was_started_from(
    shipped: ModelFile, finished_run: Path, test_patients: str, words: str
) -> None:
    training = shipped.manifest["training"]
    facts = {"images": 7, "patients": 5, "name": "elsewhere", "split": "train"}
    start = {
        "name": "cxr-else",
        "network": "cnn28",
        "dataset": {"train": facts},
        "test_patients": test_patients,
    }
    dataset = {**training["dataset"], "started_from": start}
    tuned = shipped._replace(
        manifest={**shipped.manifest, "training": {**training, "dataset": dataset}}
    )
    card = model_card(tuned, finished_run / "reports")
    sentence = "Started from cxr-else, cnn28 trained on 7 images of 5 patients (elsewhere, train)"
    assert sentence in card
    assert words in card
    assert sentence not in model_card(shipped, finished_run / "reports")


def test_a_card_says_that_gates_are_not_proven(shipped: ModelFile, finished_run: Path) -> None:
    quantization = shipped.manifest["quantization"]
    assert quantization["gates"]["passed"] is False  # ten test images prove nothing
    card = model_card(shipped, finished_run / "reports")
    verdict = quantization["gates"]["verdict"].upper()
    assert f"| gates against the float network | {verdict} |" in card


def test_tables_of_other_commands_come_along_if_they_are_of_this_model(
    shipped: ModelFile, folder: Path
) -> None:
    assert "Not measured: `python -m quantize localise` does." in model_card(shipped, folder)
    content = {"model": {"name": shipped.name, "sha256": shipped.sha256}}
    (folder / "localisation.json").write_text(json.dumps(content))
    (folder / "localisation.md").write_text(f"| a table |\n\n{DISCLAIMER}\n")
    assert "## Where the maps point\n\n| a table |\n\n## Photographs of films" in model_card(
        shipped, folder
    )
    content["model"]["sha256"] = "0" * 64
    (folder / "localisation.json").write_text(json.dumps(content))
    with pytest.raises(ConversionError, match=r"localisation\.json is not of"):
        model_card(shipped, folder)


def test_a_missing_report_is_named(shipped: ModelFile, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"float\.json"):
        model_card(shipped, tmp_path)


def test_reports_of_another_model_or_without_retest_make_no_card(
    shipped: ModelFile, finished_run: Path, folder: Path
) -> None:
    changed = {**shipped.manifest, "flatbuffer": {"bytes": 1, "sha256": "0" * 64}}
    other = shipped._replace(manifest=changed)
    with pytest.raises(ConversionError, match="evaluate this model again"):
        model_card(other, folder)
    judged = report.read(folder / "float-validation.json")
    bare = replace(judged, content={**judged.content, "retest": {}})
    report.write(replace(bare, evaluated=replace(bare.evaluated, retest={})), folder / "float.json")
    with pytest.raises(ConversionError, match="same images"):
        model_card(shipped, folder)
    shutil.copy(finished_run / "reports" / "float.json", folder)
    shutil.copy(finished_run / "reports" / "float.npz", folder)
    stem = folder / "float-validation.json"
    report.write(replace(bare, evaluated=replace(bare.evaluated, retest={})), stem)
    with pytest.raises(ConversionError, match="no retest"):
        model_card(shipped, folder)


@pytest.mark.parametrize("stem", ["float", "float-validation"])
def test_float_figures_of_another_network_make_no_card(
    stem: str, shipped: ModelFile, folder: Path
) -> None:
    found = report.read(folder / f"{stem}.json")
    slope = [1.5 * each for each in found.content["calibration"]["slope"]]
    calibration = {**found.content["calibration"], "slope": slope}
    other = replace(found, content={**found.content, "calibration": calibration})
    report.write(other, folder / f"{stem}.json")
    with pytest.raises(ConversionError, match=rf"{stem}\.json is of another network"):
        model_card(shipped, folder)


def test_a_refit_is_not_judged_by_the_validation_patients_that_trained_it(
    shipped: ModelFile, finished_run: Path, cached: Cached, folder: Path
) -> None:
    run = open_run(finished_run)
    trained = {"train": {"digest": cached.split("train", "validation").digest}}
    config = replace(run.config, content=run.config.content | {"dataset": trained})
    refitted = replace(run, config=config)
    judged = evaluate(
        refitted, images_to_judge(refitted, cached, "validation"), "validation", "x", ["noise"]
    )
    write_all(judged, folder, "float-validation")
    assert f"note: {TRAINED_ON}" in (folder / "float-validation.txt").read_text()
    with pytest.raises(ConversionError, match=r"trained on these patients: .* --out REPORTS"):
        model_card(shipped, folder)


def test_where_the_data_have_changed_nothing_is_said_to_be_apart(
    shipped: ModelFile, finished_run: Path, cached: Cached, folder: Path
) -> None:
    """As where patients are added, and one who trained is drawn to test."""
    card = model_card(shipped, folder)
    assert "No patient is in two of the splits" in card
    assert NOT_SHOWN not in card

    moved = cached.table["split"].mask(
        cached.table["patient"] == cached.split("train").table["patient"][0], "test"
    )
    changed = replace(cached, table=cached.table.assign(split=moved))
    later = images_to_judge(open_run(finished_run), changed, "test")
    assert len(later) == len(cached.split("test")) + 3
    facts = evaluate(open_run(finished_run), later, "test", "x", ()).content["dataset"]
    assert facts["notes"] == [NOT_SHOWN]
    found = report.read(folder / "int8.json")
    noted = {**found.content["dataset"], "notes": facts["notes"]}
    report.write(replace(found, content={**found.content, "dataset": noted}), folder / "int8.json")
    card = model_card(shipped, folder)
    assert "No patient is in two of the splits" not in card
    assert NOT_SHOWN in card


def test_models_are_compared_on_the_same_images_only(
    shipped: ModelFile, finished_run: Path, cached: Cached, tmp_path: Path
) -> None:
    folder = finished_run / "reports"
    table = side_by_side([folder, folder])
    content = report.read(folder / "int8.json").content
    assert table.count(interval_text(content["macro"]["auroc"])) >= 2
    run = open_run(finished_run)
    for stem in ("float", "int8"):
        other = evaluate(run, cached.split("validation"), "validation", "other")
        write_all(other, tmp_path, stem)
    assert "not kept" in side_by_side([tmp_path])
    with pytest.raises(ConversionError, match="same images"):
        side_by_side([folder, tmp_path])
