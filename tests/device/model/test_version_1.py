"""Model files of version 1: read as what they would be today."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.backends.edgetpu import EdgeTpu
from edge_app.core.errors import ModelError
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.model_file import ModelFile, read
from edge_app.model.preprocess import resize

OLD = Path(__file__).parents[2] / "models" / "version-1.tflite"
COMPILED = b"\x1c\0\0\0TFL3 a stand-in, made by a test"


def stated() -> dict[str, Any]:
    with zipfile.ZipFile(OLD) as file:
        return json.loads(file.read("manifest.json"))


def rewritten(tmp_path: Path, more: dict[str, bytes], **changes: Any) -> Path:
    """The old file with a changed manifest and further members."""
    with zipfile.ZipFile(OLD) as file:
        parts = {name: file.read(name) for name in file.namelist()} | more
    manifest = stated() | changes
    parts["manifest.json"] = json.dumps(manifest).encode()
    buffer = BytesIO(OLD.read_bytes()[: manifest["flatbuffer"]["bytes"]])
    with zipfile.ZipFile(buffer, "a") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    path = tmp_path / "old.tflite"
    path.write_bytes(buffer.getvalue())
    return path


def without_labels(model: ModelFile) -> dict[str, Any]:
    later = {"labels", "overall", "reference", "prevalence", "metrics", "input_check"}
    rest = {key: value for key, value in model.manifest.items() if key not in later}
    training = {key: value for key, value in rest["training"].items() if key != "input_check"}
    return rest | {"training": training}


def test_the_manifest_is_todays(cnn28: Path) -> None:
    old, new = read(OLD), read(cnn28)
    assert stated()["schema_version"] == 1
    assert without_labels(old) == without_labels(new)
    metrics = new.manifest["metrics"]
    assert {name: metrics[name] for name in old.manifest["metrics"]} == old.manifest["metrics"]
    assert [each[:2] for each in old.labels] == [each[:2] for each in new.labels]
    assert old.labels.names[old.labels.normal or 0] == "No Finding"
    assert old.head == "independent"


def test_the_shipped_file_holds_the_same_network_to_the_byte(cnn28: Path) -> None:
    old, new = read(OLD), read(cnn28)
    assert old.flatbuffer == new.flatbuffer
    assert old.golden.maps is not None
    for before, after in zip(old.golden[:3], new.golden[:3], strict=True):
        np.testing.assert_array_equal(before, after)


def test_its_input_check_still_judges_by_the_kinds_that_it_knows() -> None:
    old = read(OLD)
    assert old.input_check is not None
    assert not {"blurred", "askew"} & {*old.manifest["input_check"]["kinds"]}
    picture = resize(synthetic_radiograph(256, 0), old.input_spec)
    assert not old.input_check.judge(picture).flagged
    assert old.input_check.judge(255 - picture).kind == "inverted"
    assert old.input_check.judge(np.ascontiguousarray(picture[::-1])).kind == "upside-down"


def test_it_is_saved_as_version_2(tmp_path: Path) -> None:
    new = read(OLD).save(tmp_path / "new.tflite")
    with zipfile.ZipFile(new.path) as file:
        assert json.loads(file.read("manifest.json"))["schema_version"] == 2
    assert read(new.path).manifest == read(OLD).manifest


def test_its_one_compiled_network_is_found_under_its_backends_name(tmp_path: Path) -> None:
    import hashlib

    account = {
        "bytes": len(COMPILED),
        "sha256": hashlib.sha256(COMPILED).hexdigest(),
        "compiled_from": stated()["flatbuffer"]["sha256"],
        "compiler": "16.0",
        "operations": {EdgeTpu.name: 10, "cpu": 1},
        "memory": {"on_chip": 1, "on_chip_free": 2, "off_chip": 3},
        "operators": [],
    }
    path = rewritten(tmp_path, {f"{EdgeTpu.name}.tflite": COMPILED}, **{EdgeTpu.name: account})
    model = read(path)
    assert model.compiled == {EdgeTpu.name: COMPILED}
    operations = {"accelerator": 10, "cpu": 1}
    assert model.manifest["compiled"] == {EdgeTpu.name: account | {"operations": operations}}
    assert read(model.save().path).compiled == {EdgeTpu.name: COMPILED}
    with zipfile.ZipFile(path) as file:
        assert f"compiled/{EdgeTpu.name}.tflite" in file.namelist()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head": "independent"}, "head"),
        ({"labels": stated()["labels"][:14]}, "15"),
        ({"labels": [{"name": str(i), "kind": "finding"} for i in range(15)]}, "string"),
        ({"labels": "a" * 15}, "list of 15"),
        ({"labels": stated()["labels"][::-1]}, "labels.txt"),
        ({"default_operating_point": "none"}, "default operating point"),
        ({EdgeTpu.name: None}, EdgeTpu.name),
        ({EdgeTpu.name: []}, "operations"),
        ({EdgeTpu.name: {"operations": {EdgeTpu.name: 1}}}, "operations"),
        ({EdgeTpu.name: {"operations": {EdgeTpu.name: 1, "cpu": 1}}}, "compiled"),
        ({"calibration": 7}, "calibration"),
    ],
)
def test_it_is_held_to_what_version_1_was(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        read(rewritten(tmp_path, {}, **changes))
