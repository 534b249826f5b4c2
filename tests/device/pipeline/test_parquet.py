"""Answers as rows of Parquet files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import validate

from edge_app.core.errors import ReportError
from edge_app.pipeline import parquet

from ..conftest import Run
from ..parquet_rows import answer_of, encoded

pa = pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")


@pytest.fixture
def answers(run: Run, picture: Path) -> list[dict]:
    done = run("classify", picture, picture.parent / "absent.png", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert "findings" in found[0]
    assert "error" in found[1]
    assert found[0]["overall"].pop("caution")  # is not repeated in every row
    return found


def test_a_row_is_the_answer_key_by_key(
    answers: list[dict], tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "part-0.parquet"
    path.write_bytes(encoded(answers))
    found = list(map(answer_of, parquet.read([path], parquet.schema().names)))
    assert found == answers
    schema = json.loads((repository / "edge_app/pipeline/answer.schema.json").read_text())
    for answer in found:
        validate(answer, schema)
    assert encoded(answers) == path.read_bytes()


def test_a_row_does_without_what_a_decision_and_a_threshold_are_worth(
    answers: list[dict], tmp_path: Path
) -> None:
    of_site = json.loads(json.dumps(answers[:1]))
    of_site[0]["overall"]["caution"] = "'flagged' does not mean ill"
    of_site[0]["findings"][0]["ppv"] = {"value": 0.5, "low": 0.4, "high": 0.6}
    path = tmp_path / "part-0.parquet"
    path.write_bytes(encoded(of_site))
    assert encoded(answers[:1]) == path.read_bytes()


def test_every_key_of_the_answers_schema_has_a_column(repository: Path) -> None:
    schema = json.loads((repository / "edge_app/pipeline/answer.schema.json").read_text())
    assert set(parquet.schema().names) == schema["properties"].keys() - {"heatmap"}


def test_answers_from_before_raised_findings_are_read(answers: list[dict], tmp_path: Path) -> None:
    import pyarrow.parquet

    path = tmp_path / "part-0.parquet"
    path.write_bytes(encoded(answers))
    kept = [pa.field(each.name, _without_raised(each.type)) for each in parquet.schema()]
    before = pa.Table.from_pylist(pyarrow.parquet.read_table(path).to_pylist(), pa.schema(kept))
    pyarrow.parquet.write_table(before, path)
    found = list(map(answer_of, parquet.read([path], parquet.schema().names)))
    for finding in answers[0]["findings"]:
        del finding["raised"]
    assert found == answers


def _without_raised(kind: pa.DataType) -> pa.DataType:
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return kind
    return pa.list_(pa.struct([each for each in kind.value_type if each.name != "raised"]))


def test_damaged_and_foreign_files_are_refused(answers: list[dict], tmp_path: Path) -> None:
    path = tmp_path / "part-0.parquet"
    good = encoded(answers)
    for data in (b"", b"PAR1", good[: len(good) // 2], good[:40] + bytes(200) + good[240:]):
        path.write_bytes(data)
        with pytest.raises(ReportError, match=r"part-0\.parquet: cannot be read, is damaged or no"):
            list(parquet.read([path], parquet.schema().names))
    pa.parquet.write_table(pa.table({"file": [1, 2]}), path)
    with pytest.raises(ReportError, match="is no Parquet file of edge-cxr archive: file"):
        list(parquet.read([path], ["file"]))
    with pytest.raises(ReportError, match="no such file"):
        parquet.count(tmp_path / "absent.parquet")
