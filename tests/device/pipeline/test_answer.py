"""Answers in JSON, held to the schema that their readers rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from edge_app import DISCLAIMER
from edge_app.classifier import Findings
from edge_app.images.radiograph import Radiograph
from edge_app.model.decisions import Finding
from edge_app.model.overall import Overall
from edge_app.pipeline import answer as module
from edge_app.pipeline.json_answer import answered

from ..conftest import Run

SCHEMA = json.loads(Path(module.__file__).with_name("answer.schema.json").read_text())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, phantom: np.ndarray) -> Path:
    """One radiograph, one picture that is none, one file that is no picture."""
    folder = tmp_path_factory.mktemp("files")
    Image.fromarray(phantom).save(folder / "1-good.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(folder / "2-noise.png")
    (folder / "3-text.png").write_text("no picture")
    return folder


def answers(text: str) -> list[dict[str, Any]]:
    """What was printed, each held to the schema."""
    found = (
        [json.loads(text)] if text.startswith("{\n") else list(map(json.loads, text.splitlines()))
    )
    for each in found:
        jsonschema.validate(each, SCHEMA, jsonschema.Draft7Validator)
    return found


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_answers_withheld_findings_and_refusals_are_as_the_schema_says(
    run: Run, files: Path
) -> None:
    good, noise, text = answers(run("classify", "--json", files).stdout)
    assert len(good["findings"]) == 15
    assert noise["findings"] == []
    assert noise["input_check"]["flagged"]
    assert text["error"]["kind"] == "image"
    assert {each["disclaimer"] for each in (good, noise, text)} == {DISCLAIMER}


def test_a_heatmap_and_a_single_answer_are_too(run: Run, files: Path, tmp_path: Path) -> None:
    done = run("classify", "--json", "--heatmap", tmp_path / "maps", files / "1-good.png")
    (answer,) = answers(done.stdout)
    assert Path(answer["heatmap"]["file"]).is_file()
    done = run("classify", "--json", "--top", 2, files / "1-good.png")
    assert len(answers(done.stdout)[0]["findings"]) == 2


@pytest.mark.parametrize(
    "change", [{"error": {"kind": "image", "message": "x"}}, {"blank": None}, {"more": 1}]
)
def test_an_invalid_answer_is_refused(run: Run, files: Path, change: dict[str, Any]) -> None:
    (answer,) = answers(run("classify", "--json", files / "1-good.png").stdout)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer | change, SCHEMA, jsonschema.Draft7Validator)


def test_the_types_name_the_keys_of_the_schema() -> None:
    known = module.Answer.__annotations__.keys() | module.Refusal.__annotations__.keys()
    assert known == SCHEMA["properties"].keys()
    for typed, at in (
        (module.OverallAnswer, SCHEMA["properties"]["overall"]),
        (module.FindingAnswer, SCHEMA["properties"]["findings"]["items"]),
        (module.InputCheckAnswer, SCHEMA["properties"]["input_check"]),
        (module.HeatmapAnswer, SCHEMA["properties"]["heatmap"]),
        (module.ModelAnswer, SCHEMA["properties"]["model"]),
        (module.Fault, SCHEMA["properties"]["error"]),
    ):
        assert typed.__annotations__.keys() == at["properties"].keys()


def test_a_probability_exactly_at_its_threshold_is_not_called_less() -> None:
    """As of an int8 network whose threshold was chosen among its own few scores."""
    at = 0.1234564
    found = Findings(
        (Finding("Mass", -2.0, at, at, True),), None, (), False, None, None,
        Overall(at, None, None, at, True),
    )  # fmt: skip
    by: Any = {}
    content: Any = answered("x", Radiograph(np.zeros((2, 2), np.uint8), {}), found, by)
    assert content["findings"][0]["probability"] >= content["findings"][0]["threshold"]
    assert content["overall"]["probability"] >= content["overall"]["threshold"]


@pytest.mark.parametrize(("share", "kept"), [(3e-7, 1e-6), (1 - 3e-7, 0.999999), (0, 0), (1, 1)])
def test_no_digit_too_few_makes_a_probability_none_or_certain(share: float, kept: float) -> None:
    found = Findings(
        (Finding("Mass", -15.0, share, share, True),), None, (), False, None, None,
        Overall(share, None, None, share, True),
    )  # fmt: skip
    by: Any = {}
    content: Any = answered("x", Radiograph(np.zeros((2, 2), np.uint8), {}), found, by)
    finding, overall = content["findings"][0], content["overall"]
    assert {finding["probability"], finding["score"], overall["probability"]} == {kept}
    assert {finding["threshold"], overall["threshold"]} == {kept}
