"""What a model's maker says of it, and that nothing is said in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.model.model_file import SHIPPED, read
from quantize.about import NIH, NOT_STATED, UNSTATED, about_model, read_about
from train.errors import DatasetError


def test_what_is_left_out_is_not_stated(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"licence": "MIT", "limits": ["No children."]}')
    found = read_about(tmp_path / "a.json")
    assert found == UNSTATED._replace(licence="MIT", limits=("No children.",))
    assert found.intended_use == found.data == NOT_STATED


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", 'license = "MIT"', "'license' is unknown: there are licence, intended_use"),
        ("a.toml", "licence = 3", "licence is a text of 1 to 200 printable letters"),
        ("a.toml", 'data = "\\u001b[2J"', "data is a text"),
        ("a.toml", 'limits = "none"', "limits is a list"),
        ("a.toml", "licence = ", "is no TOML"),
        ("a.json", '["MIT"]', "write it as .toml or .json"),
        ("a.txt", "MIT", "write it as .toml or .json"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=words.replace(".", r"\.")) as caught:
        read_about(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_only_the_shipped_models_are_of_nihs_data() -> None:
    shipped = read(SHIPPED / "cxr-cnn28.tflite").manifest
    assert about_model(shipped) == NIH
    own = {**shipped, "licence": "MIT", "intended_use": "Tests.", "training": {}}
    assert about_model(own) == UNSTATED._replace(licence="MIT", intended_use="Tests.")
