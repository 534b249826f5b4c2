"""Files are values that a phrase of the manual can name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.manual.sources import content

SHIPPED = Path(__file__).resolve().parents[2] / "edge_app" / "model" / "shipped"
CODE = """
from elsewhere import MISSING

LARGEST: Final = 36 << 20
LEAST = -0.5
FIRST, SECOND = 0.1, 2 * LARGEST
RULES = {"rule-in": "specificity of at least 0.95"}
UNKNOWN = MISSING + 1
TUPLE: Final = (1, 2)


class Limits(NamedTuple):
    most: int = 25_000_000


def run(folder, seconds: float = 20.0, *, volume: float = 15.5) -> None:
    inner = 7
    print(table.get("port", 4242, most=65535))
"""


def test_code_is_its_constants_and_defaults_and_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    found: dict[str, Any] = content(tmp_path / "code.py")
    assert found["LARGEST"] == 36 * 2**20
    assert found["LEAST"] == -0.5
    assert (found["FIRST"], found["SECOND"]) == (0.1, 72 * 2**20)
    assert found["RULES"]["rule-in"] == "specificity of at least 0.95"
    assert found["TUPLE"] == [1, 2]
    assert found["Limits"] == {"most": 25_000_000}
    called = {"port": {0: "port", 1: 4242, "most": 65535}}
    assert found["run"] == {"seconds": 20.0, "volume": 15.5} | called


def test_what_code_computes_elsewhere_is_no_value(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    assert content(tmp_path / "code.py")["UNKNOWN"] is None


def test_elements_of_a_list_are_found_by_name(tmp_path: Path) -> None:
    report = {"b": [{"label": "Mass", "n": 1}, {"label": "Edema", "n": 2012}], "c": [1]}
    (tmp_path / "r.json").write_text(json.dumps(report))
    found = content(tmp_path / "r.json")
    assert found["b"]["Edema"]["n"] == 2012
    assert found["c"] == [1]


def test_findings_of_a_model_file_are_its_labels_but_the_normal_one() -> None:
    found = content(SHIPPED / "cxr-lite0-128.tflite")
    assert set(found["labels"]) - set(found["findings"]) == {"No Finding"}


def test_a_line_of_text_is_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("285MB .venv/check/\n| wall | 1,020 | −0.5 |\n")
    found = content(tmp_path / "a.txt")
    assert found[".venv/check/"] == [285]
    assert found["wall"] == [1020, -0.5]


@pytest.mark.parametrize("words", ["absent", "a"])
def test_words_of_no_line_or_of_several_are_an_error(tmp_path: Path, words: str) -> None:
    (tmp_path / "a.txt").write_text("a 1\nalso a 2\n")
    with pytest.raises(KeyError, match="lines have"):
        content(tmp_path / "a.txt")[words]
