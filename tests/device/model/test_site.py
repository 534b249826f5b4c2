"""Site files: found, held to what they must be, and in force."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import edge_app
from edge_app.core.errors import ModelError, ReportError
from edge_app.core.site_place import site_place
from edge_app.model import site as sites
from edge_app.model.model_file import SHIPPED
from edge_app.model.model_file import read as read_model
from edge_app.model.overall import OverallScore
from edge_app.site.calibrate import calibrate
from edge_app.site.labelled_set import pooled
from edge_app.site.target import Target

from ..conftest import Run
from ..site.made import evaluated, model, report

SCHEMA = Path(edge_app.__file__).parent / "model" / "site.schema.json"


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    labelled = pooled([report(evaluated())], model())
    return dict(calibrate(labelled, model(), Target("sensitivity", 0.9)))


@pytest.fixture
def place(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(content))
    return path


def test_it_is_as_its_schema_says(content: dict[str, Any]) -> None:
    jsonschema.validate(content, json.loads(SCHEMA.read_text()))


def test_what_it_states_decides(place: Path, content: dict[str, Any]) -> None:
    at_site = sites.read(place).applied(model())
    assert at_site.manifest["overall"] == content["decisions"]["overall"]
    assert list(at_site.manifest["operating_points"]) == ["site"]
    assert at_site.flatbuffer == model().flatbuffer


def test_a_file_of_an_earlier_version_decides_as_it_was_fitted(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    """No finding bounded the image's probability then."""
    overall = {k: v for k, v in content["decisions"]["overall"].items() if k != "bounded_by"}
    decisions = {**content["decisions"], "overall": overall}
    stated = {**content, "schema_version": 1, "decisions": decisions}
    path = tmp_path / "site.json"
    path.write_text(json.dumps(sites.sealed(stated)))
    at_site = sites.read(path).applied(model())
    score = OverallScore.of(at_site.manifest, at_site.labels)
    certain = np.full(len(at_site.labels.names), 0.5)
    certain[at_site.labels.findings[0]] = 1.0
    assert score is not None
    assert score.probability(certain) < 1.0


def changed(**parts: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """With other parts, and the digest of what it then states."""
    return lambda content: dict(sites.sealed({**content, **parts}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: {**content, "created": "2020"}, "was changed after it was made"),
        (changed(kind="a letter"), "is no edge-cxr site file"),
        (changed(schema_version=3), "update edge-cxr"),
        (changed(overall={}), "is damaged"),
        (lambda content: [], "is no edge-cxr site file"),
    ],
)
def test_what_is_not_as_it_was_made_is_refused(
    place: Path, content: dict[str, Any], change: Callable[..., Any], message: str
) -> None:
    place.write_text(json.dumps(change(content)))
    with pytest.raises(ModelError, match=message) as refused:
        sites.read(place)
    assert str(place) in str(refused.value)


def test_decisions_that_do_not_fit_the_model_are_refused(
    place: Path, content: dict[str, Any]
) -> None:
    decisions = {**content["decisions"], "prevalence": [0.1]}
    place.write_text(json.dumps(changed(decisions=decisions)(content)))
    with pytest.raises(ModelError, match="its prevalence is not for its labels"):
        sites.read(place).applied(model())


def test_another_models_is_refused(place: Path) -> None:
    other = read_model(SHIPPED / "cxr-lite0-128.tflite")
    with pytest.raises(ModelError, match=r"is for cxr-cnn28 .* not for cxr-lite0-128"):
        sites.read(place).applied(other)


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("EDGE_CXR_SITE", raising=False)
    monkeypatch.setattr("edge_app.core.site_place.SYSTEM", str(tmp_path / "system.json"))
    assert site_place() is None
    (tmp_path / "system.json").touch()
    assert site_place() == tmp_path / "system.json"
    own = tmp_path / "edge-cxr" / "site.json"
    own.parent.mkdir()
    own.touch()
    assert site_place() == own
    monkeypatch.setenv("EDGE_CXR_SITE", "/site.json")
    assert site_place() == Path("/site.json")
    assert site_place("/named.json") == Path("/named.json")
    assert site_place("none") is None
    monkeypatch.setenv("EDGE_CXR_SITE", "none")
    assert site_place() is None


def test_every_answer_names_it(run: Run, place: Path, picture: Path) -> None:
    digest = json.loads(place.read_text())["digest"]
    answer = json.loads(run("classify", "--json", "--site", place, picture).stdout)
    assert answer["site"] == digest
    assert answer["operating_point"] == "site"
    assert digest in run("classify", "--csv", "--site", place, picture).stdout
    table = run("classify", "--site", place, picture)
    assert f"site file {digest[:16]}" in table.stdout
    assert table.stderr == ""  # no note about a site that the user named
    assert json.loads(run("classify", "--json", picture).stdout)["site"] is None


def test_one_that_nobody_named_is_announced(
    run: Run, place: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_CXR_SITE", str(place))
    done = run("classify", picture)
    assert f"{place} decides" in done.stderr
    assert "at least 90 % of images with a finding are flagged" in done.stdout
    opened = edge_app.open_model("cxr-cnn28")
    assert any(str(place) in note for note in opened.notes)
    assert opened.site == json.loads(place.read_text())["digest"]
    without = edge_app.open_model("cxr-cnn28", site="none")
    assert without.site is None
    assert without.operating_point == "one-in-ten"


def test_a_file_that_is_not_there_or_of_another_model_ends_with_4(
    run: Run, place: Path, picture: Path, tmp_path: Path
) -> None:
    missing = run("classify", "--site", tmp_path / "missing.json", picture)
    assert missing.returncode == 4
    assert "no such file" in missing.stderr
    other = run("classify", "--model", "cxr-lite0-128", "--site", place, picture)
    assert other.returncode == 4
    way_out = "answer with that model, calibrate this one, or go without a site file"
    assert way_out in other.stderr
    assert other.stdout == ""


@pytest.fixture
def eager(tmp_path: Path, content: dict[str, Any]) -> Path:
    """A site file at which all is above its threshold, and two findings have predictive values."""
    decisions = json.loads(json.dumps(content["decisions"]))
    decisions["overall"]["operating_points"]["site"]["threshold"] = 0.001
    count = len(content["labels"])
    decisions["operating_points"]["site"]["thresholds"] = [0.0001] * count
    known = next(each["performance"] for each in content["labels"] if each["performance"])
    ppv = {"Mass": (0.25, 0.1, 0.4), "Edema": (0.5, 0.4, 0.6), "Nodule": (None, None, None)}
    labels = [
        {
            **each,
            "performance": {
                **known,
                "ppv": dict(zip(("value", "low", "high"), ppv[each["label"]], strict=True)),
            }
            if each["label"] in ppv
            else None,
        }
        for each in content["labels"]
    ]
    path = tmp_path / "eager.json"
    path.write_text(json.dumps(sites.sealed({**content, "decisions": decisions, "labels": labels})))
    return path


def test_predictive_values_stand_where_the_site_knows_them_and_nowhere_else(
    run: Run, picture: Path, eager: Path
) -> None:
    ask = ("classify", "--model", "cxr-cnn28", picture)
    answer = json.loads(run(*ask, "--json", "--site", eager).stdout)
    schema = Path(edge_app.__file__).parent / "pipeline" / "answer.schema.json"
    jsonschema.validate(answer, json.loads(schema.read_text()))
    known = {each["label"]: each["ppv"] for each in answer["findings"] if "ppv" in each}
    assert known == {
        "Mass": {"value": 0.25, "low": 0.1, "high": 0.4},
        "Edema": {"value": 0.5, "low": 0.4, "high": 0.6},
    }
    table = run(*ask, "--site", eager).stdout
    lines = [line for line in table.splitlines() if line.startswith("  of images at this site")]
    assert sorted(lines) == [
        "  of images at this site with Edema at < 0.1 % or more, 50.0 % (40.0 % to 60.0 %) bear it",
        "  of images at this site with Mass at < 0.1 % or more, 25.0 % (10.0 % to 40.0 %) bear it",
    ]
    without = json.loads(run(*ask, "--json", "--site", "none").stdout)
    assert not any("ppv" in each for each in without["findings"])
    assert "at this site" not in run(*ask, "--site", "none").stdout


def test_the_csv_has_predictive_values_in_the_order_of_what_is_above(
    run: Run, picture: Path, eager: Path
) -> None:
    ask = ("classify", "--model", "cxr-cnn28", "--csv", picture, "--site")
    (row,) = csv.DictReader(run(*ask, eager).stdout.splitlines())
    values = dict(zip(row["above"].split("|"), row["above_ppv"].split("|"), strict=True))
    assert {label: ppv for label, ppv in values.items() if ppv} == {
        "Mass": "0.250000",
        "Edema": "0.500000",
    }
    (row,) = csv.DictReader(run(*ask, "none").stdout.splitlines())
    assert row["above_ppv"] == ""


def test_what_is_usual_is_said_to_be_so_at_the_site(
    run: Run, picture: Path, place: Path, content: dict[str, Any]
) -> None:
    ask = ("classify", "--model", "cxr-cnn28", picture, "--site")
    lines = run(*ask, place).stdout.splitlines()
    assert lines[2].endswith(" of 100 normal images of this site")
    assert lines[3] == (
        "  'not flagged' does not mean normal: at this site 3 % to 6 % of images that are not "
        "flagged are not normal"
    )
    rule = "at least 90 % of images with a finding are flagged (95 % certain)"
    flags = "flags 34.0 % of normal images at this site and misses 7.0 % of the others"
    assert f"operating point 'site': {flags}; rule: {rule}" in lines
    normal = "higher than: at least so many of the 843 normal images"
    assert f"probability, usually: at this site (1200 images of 400 patients); {normal}" in lines
    stated = {**content["prevalence"], "value": 0.05, "low": None, "high": None, "stated": True}
    overall = {**content["decisions"]["overall"], "usually": 0.05}
    decisions = {**content["decisions"], "overall": overall}
    site = sites.sealed({**content, "prevalence": stated, "decisions": decisions})
    place.write_text(json.dumps(site))
    said = "probability, usually: at this site, where 5.0 % of images are said to be not normal"
    assert f"{said}; {normal}" in run(*ask, place).stdout.splitlines()


def packaged(**parts: Any) -> Any:
    """The model with other parts of its manifest, and the same network."""
    return model()._replace(manifest={**model().manifest, **parts})


OTHERWISE = {**model().manifest["input"], "mean": [120.0]}
SPANS = {"slope": [1.0] * 15, "intercept": [0.0] * 15}


@pytest.mark.parametrize("parts", [{"input": OTHERWISE}, {"spans": SPANS}])
def test_that_of_the_same_network_which_scores_otherwise_is_refused(
    place: Path, parts: dict[str, Any]
) -> None:
    other = packaged(**parts)
    assert other.sha256 == model().sha256
    with pytest.raises(ModelError, match="packaged otherwise"):
        sites.read(place).applied(other)


def test_other_facts_of_the_same_network_keep_it_in_force(place: Path) -> None:
    sites.read(place).applied(packaged(licence="CC0"))


def test_one_of_an_earlier_version_is_that_of_a_network_unless_it_was_imported(
    place: Path, content: dict[str, Any]
) -> None:
    stated = {key: content["model"][key] for key in ("name", "sha256")}
    place.write_text(json.dumps(changed(model=stated)(content)))
    sites.read(place).applied(model())
    with pytest.raises(ModelError, match="calibrate it again"):
        sites.read(place).applied(packaged(training={"imported_from": {}}))


def test_a_report_of_the_same_network_that_scored_otherwise_calibrates_nothing() -> None:
    source = report(evaluated())
    source.content["model"]["scoring"] = packaged(input=OTHERWISE).scoring
    with pytest.raises(ReportError, match="packaged otherwise"):
        pooled([source], model())
