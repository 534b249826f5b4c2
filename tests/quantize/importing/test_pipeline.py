"""From a foreign file to a classified picture, in two commands, and what the files then say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import edge_app
from edge_app.cli.app import application
from edge_app.comparison.gates import GateResult, Outcome
from edge_app.core.errors import EXIT_DONE, EXIT_GATE
from edge_app.evaluation.report import interval_text
from edge_app.evaluation.report import read as read_report
from edge_app.model.model_file import ModelFile, read
from quantize.cli import app
from quantize.importing.convert import Converted
from quantize.importing.data import decoded_images
from quantize.importing.pipeline import OWN_SCORES, UNCONFIRMED, _notes


class Done(NamedTuple):
    """An import: its exit code, what it said, what of that is no remark, and the model file."""

    code: int
    said: str
    results: str
    out: Path

    @property
    def model(self) -> ModelFile:
        return read(self.out)


def imported(out: Path, *arguments: object) -> Done:
    line = ["import", *map(str, arguments), "--out", str(out)]
    done = CliRunner().invoke(app, line, catch_exceptions=False)
    said, results = (" ".join(text.split()) for text in (done.output, done.stdout))
    return Done(done.exit_code, said, results, out)


@pytest.fixture(scope="module")
def done(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    out = tmp_path_factory.mktemp("import") / "tb.tflite"
    return imported(
        *(out, own / "own.keras", own / "data", "--labels", own / "labels.txt"),
        *("--trained-on", "pictures of the tests"),
    )


def keras_scores(own: Path, picture: Path) -> np.ndarray:
    model = keras.models.load_model(own / "own.keras")
    gray = np.asarray(Image.open(picture), np.float32)
    return np.asarray(model(gray[np.newaxis, ..., np.newaxis]))[0]


CHANCE = {"agreement_over_noise", "agreement_over_noise_low"}
"""Of a decision or two among few images; which way depends on the processor's last digits."""


def test_int8_keeps_its_ranking_and_the_exit_code_is_the_gates(done: Done) -> None:
    gates = done.model.manifest["quantization"]["gates"]
    broken = {name for name, gate in gates["gates"].items() if not gate["passed"]}
    assert broken <= CHANCE, done.said
    assert done.code == (EXIT_GATE if broken else EXIT_DONE)
    assert gates["passed"] == (not broken)


def test_what_is_packaged_as_it_came_loses_nothing(own: Path, tmp_path: Path) -> None:
    model = keras.models.load_model(own / "own.keras")
    network = tmp_path / "network.tflite"
    network.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    done = imported(
        *(tmp_path / "out.tflite", network, own / "data", "--labels", own / "labels.txt"),
        *("--mean", "0", "--std", "1"),
    )
    gates = done.model.manifest["quantization"]["gates"]["gates"]
    unseen = {"macro_auroc_low"}  # what is the same on few images may differ on others
    broken = {name for name, gate in gates.items() if not gate["passed"]}
    assert broken <= CHANCE | unseen, done.said
    assert gates["agreement"]["value"] == 1
    assert OWN_SCORES in done.said
    assert done.model.manifest["quantization"]["gates"]["note"] == OWN_SCORES
    assert OWN_SCORES in (tmp_path / "out-reports" / "MODEL_CARD.md").read_text()
    answers = [read_report(tmp_path / "out-reports" / f"{x}.json") for x in ("float", "int8")]
    float_logits, logits = (each.evaluated.logits for each in answers)
    np.testing.assert_allclose(logits, float_logits, atol=1e-3)


def test_what_it_leaves_is_the_model_and_its_reports(done: Done) -> None:
    assert sorted(path.name for path in done.out.parent.iterdir()) == ["tb-reports", "tb.tflite"]


def test_decoded_images_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    kept, out = tmp_path / "kept", tmp_path / "made" / "tb.tflite"
    with decoded_images(kept, out) as folder:
        assert folder == kept
    out.parent.mkdir()
    with decoded_images(None, out) as folder:
        assert folder.parent == out.parent
        (folder / "images").touch()
    assert list(out.parent.iterdir()) == []


def test_it_says_what_it_found(done: Done) -> None:
    for words in (
        "Keras file",
        "takes 32x32x1, (gray - 127.5) / 127.5",
        "its sigmoid is undone",
        "off the original's at most",
        "next: edge-cxr classify --model",
    ):
        assert words in done.said


def test_a_picture_is_classified_as_by_the_original(done: Done, own: Path) -> None:
    model = edge_app.open_model(done.out)
    calibration = done.model.manifest["calibration"]
    for picture in sorted((own / "data" / "images").iterdir())[:5]:
        findings = model.classify(picture)
        expected = keras_scores(own, picture)
        logits = np.log(expected / (1 - expected))
        odds = np.array(calibration["slope"]) * logits + calibration["intercept"]
        scores = [findings[name].score for name in model.labels]
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-odds)), atol=0.05)
        assert findings.heatmap("Effusion").shape == (16, 16)
        assert findings["Effusion"].threshold is not None


def test_its_files_claim_nothing_that_nobody_said(done: Done) -> None:
    manifest = done.model.manifest
    assert manifest["licence"] == manifest["intended_use"] == "not stated"
    assert manifest["training"]["trained_on"] == "pictures of the tests"
    folder = done.out.with_name("tb-reports")
    card = (folder / "MODEL_CARD.md").read_text()
    for words in ("own.keras", "pictures of the tests", "no input check"):
        assert words in card
    for words in ("NIH", "Apache", "64×64"):
        assert words not in card
    one, other = (read_report(folder / f"{kind}.json") for kind in ("float", "int8"))
    assert one.content["dataset"]["digest"] == other.content["dataset"]["digest"]
    assert one.content["model"]["format"] == "float32"
    assert other.content["model"]["sha256"] == done.model.sha256


def test_without_data_it_is_float_and_proves_nothing(own: Path, tmp_path: Path) -> None:
    done = imported(
        *(tmp_path / "plain.tflite", own / "own.keras", "--labels", own / "labels.txt"),
        *("--input-check", "none"),
    )
    assert done.code == EXIT_GATE
    assert "input check: none, as asked for: it scores any picture" in done.said
    assert "decides nothing and proves nothing" in done.said
    assert "labelled images" in done.said
    assert done.model.manifest["input"]["dtype"] == "float32"
    picture = next((own / "data" / "images").iterdir())
    findings = edge_app.open_model(done.out).classify(picture)
    scores = [each.score for each in findings.values()]
    np.testing.assert_allclose(scores, keras_scores(own, picture), atol=1e-5)
    assert all(each.above is None for each in findings.values())


def test_a_shipped_input_check_comes_along_where_the_network_sees_its_detail(
    own: Path, tmp_path: Path, done: Done
) -> None:
    """In 32×32 pixels it would miss the finest: there it is left out, and said."""
    from .conftest import own_network

    assert "an import teaches none, and no shipped one fits 32 pixels" in done.said
    assert "it scores any picture" in done.said
    assert done.model.input_check is None
    own_network(side=64).save(tmp_path / "wide.keras")
    plain = imported(
        tmp_path / "plain.tflite", tmp_path / "wide.keras", "--labels", own / "labels.txt"
    )
    assert "input check: that of cxr-lite0-128, since an import teaches none; flags" in plain.said
    assert plain.model.manifest["input_check"]["fitted_on"].startswith("as in cxr-lite0-128: ")
    assert plain.model.manifest["training"]["input_check"]["drawn"]["flagged"] >= 0.9
    picture = next((own / "data" / "images").iterdir())
    line = ["classify", "--model", str(plain.out), str(picture)]
    assert (
        "not scored: the picture does not look like"
        in CliRunner().invoke(application("classify"), line).output
    )
    line[2] = str(done.out)
    said = CliRunner().invoke(application("classify"), line).output
    assert "withheld" not in said
    assert "warning: the picture was seen by no input check" in said


def test_exclusive_labels_and_three_channels(tmp_path: Path) -> None:
    from .conftest import labelled, named, own_network

    model, names = own_network(3, "softmax", 3), ("Bacterial", "Viral", "Healthy")
    model.save(tmp_path / "three.h5")
    data = labelled(tmp_path / "data", model, names, exclusive=True, count=240)
    labels = named(tmp_path / "labels.txt", "Bacterial", "Viral", "Healthy, normal")
    done = imported(tmp_path / "three.tflite", tmp_path / "three.h5", data, "--labels", labels)
    assert done.code == EXIT_GATE  # too few images for a label of 50 positives
    assert "no label has 50 positives" in done.said
    assert "label_auroc not proven" in done.said
    assert done.model.head == "exclusive"
    opened, agreed = edge_app.open_model(done.out), 0
    for picture in sorted((data / "images").iterdir())[:10]:
        gray = np.asarray(Image.open(picture), np.float32)
        expected = np.asarray(model(np.repeat(gray[np.newaxis, ..., np.newaxis], 3, -1)))[0]
        scores = [each.score for each in opened.classify(picture).values()]
        assert sum(scores) == pytest.approx(1)
        agreed += int(np.argmax(scores) == expected.argmax())
    assert agreed >= 9
    made = read_report(tmp_path / "three-reports" / "float.json")
    pictures = [np.asarray(Image.open(data / "images" / n)) for n in made.evaluated.images]
    grays = np.repeat(np.stack(pictures).astype(np.float32)[..., np.newaxis], 3, -1)
    own = np.asarray(model(grays))
    card = (tmp_path / "three-reports" / "MODEL_CARD.md").read_text()
    gates = done.model.manifest["quantization"]["gates"]
    assert f"{gates['verdict'].upper()}: " in done.said
    assert f"**{gates['verdict'].upper()}**: of {len(gates['gates'])} gates " in card
    for name, gate in gates["gates"].items():  # the words of the terminal
        (line,) = (each for each in card.splitlines() if each.startswith(f"| {name} |"))
        word = "met" if gate["passed"] else f"**{gate['outcome'].upper()}**"
        assert line.endswith(f" | {word} |")
    assert "| not computable | -0.01 | **NOT PROVEN** |" in card
    for channel, row in enumerate(made.content["labels"]):
        found = row["auroc_before_fitting"]
        expected = roc_auc_score(made.evaluated.targets[:, channel], own[:, channel])
        assert found["value"] == pytest.approx(expected, abs=1e-3)
        assert f"| {names[channel]} | {row['support']} | {interval_text(found)} | " in card
        assert f"{names[channel]} {row['support']} {interval_text(found)} " in done.results


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The import of a network that int8 as a whole spoils."""
    from .conftest import LABELS, far_reaching, labelled, named

    folder, model = tmp_path_factory.mktemp("far"), far_reaching()
    model.save(folder / "far.keras")
    data = labelled(folder / "data", model)
    labels = named(folder / "labels.txt", *LABELS)
    return imported(
        *(folder / "far.tflite", folder / "far.keras", data, "--labels", labels),
        *("--input-check", "none"),
    )


def test_where_int8_does_not_pass_what_loses_most_stays_in_float32(helped: Done) -> None:
    facts = helped.model.manifest["quantization"]
    broken = {name for name, gate in facts["gates"]["gates"].items() if not gate["passed"]}
    assert broken <= CHANCE, helped.said
    assert helped.code == (EXIT_GATE if broken else EXIT_DONE)
    unconfirmed = facts["chosen"]["passed"] and bool(broken)
    assert ("the test images do not confirm it" in helped.said) == unconfirmed
    kept = facts["in_float32"]
    assert any("far" in name for name in kept["operators"])
    assert 0 < len(kept["operators"]) < kept["of"]
    assert f"{len(kept['operators'])} of {kept['of']} operators in float32" in facts["scheme"]
    assert helped.model.manifest["input"]["dtype"] == "int8"
    picture = next((helped.out.parent / "data" / "images").iterdir())
    assert len(edge_app.open_model(helped.out).classify(picture)) == 2


def test_what_float32_costs_is_said_and_stands_in_the_card(helped: Done) -> None:
    assert "attempt 1: int8 as a whole: NOT PASSED" in helped.said
    card = (helped.out.with_name("far-reports") / "MODEL_CARD.md").read_text()
    times = helped.model.manifest["quantization"]["in_float32"]["times_as_long_as_int8"]
    for words in (f"{times} times as long", "in int8 alone"):
        assert words in helped.said
        assert words in card


def test_its_precision_is_chosen_on_images_that_do_not_judge_it(helped: Done) -> None:
    facts = helped.model.manifest["quantization"]
    found, on = facts["chosen"], facts["chosen"]["on"]
    dataset = read_report(helped.out.with_name("far-reports") / "int8.json").content["dataset"]
    assert on["split"] == "validation and train"
    assert on["images"] == dataset["images"]
    assert on["digest"] != dataset["digest"]
    assert found["attempts"][0]["in_float32"] == 0
    assert found["attempts"][0]["not_met"]
    taken = found["attempts"][found["attempt"] - 1]
    assert taken["in_float32"] == len(facts["in_float32"]["operators"])
    assert helped.said.count("reference_support met") == 1  # one table: that of the test images
    card = (helped.out.with_name("far-reports") / "MODEL_CARD.md").read_text()
    assert f"on {on['images']} images of {on['patients']} patients of validation and train" in card


def test_where_test_images_do_not_confirm_the_choice_that_is_said() -> None:
    met, lost = (GateResult("agreement", x, 1.0, 0.0, "", "", "", "") for x in OUTCOMES)
    made = Converted(b"", {}, {}, None, {"chosen": {"passed": True}})
    opened: Any = None
    assert list(_notes(opened, opened, made, [met, lost])) == [UNCONFIRMED]
    assert list(_notes(opened, opened, made, [met])) == []
    assert list(_notes(opened, opened, made._replace(facts={}), [lost])) == []


OUTCOMES: tuple[Outcome, Outcome] = ("met", "not met")
