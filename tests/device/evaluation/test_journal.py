"""What a journal keeps when the power fails, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.core.errors import OutputError
from edge_app.evaluation.journal import Journal

SUBJECT = {"model": {"name": "m"}, "data set": "1", "retest": False}
RECORDS: list[dict[str, Any]] = [{"image": f"{i}.png", "logits": "00ff" * i} for i in range(6)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.json.journal"


def begun(path: Path) -> bytes:
    path.unlink(missing_ok=True)
    with Journal(path, SUBJECT) as journal:
        assert journal.records == []
        for record in RECORDS:
            journal.append(record)
    return path.read_bytes()


def test_records_are_there_again_and_more_are_added(path: Path) -> None:
    begun(path)
    with Journal(path, SUBJECT) as journal:
        assert journal.records == RECORDS
        journal.append({"image": "more"})
    with Journal(path, SUBJECT) as journal:
        assert journal.records == [*RECORDS, {"image": "more"}]
        journal.remove()
    assert not path.exists()


def test_a_record_is_in_the_file_as_soon_as_it_is_appended(path: Path) -> None:
    with Journal(path, SUBJECT) as journal:
        journal.append(RECORDS[1])
        assert b"1.png" in path.read_bytes()


@given(st.data())
def test_wherever_the_power_failed_whole_records_stay_and_the_rest_can_be_done_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "torn.journal"
    whole = begun(path)
    place = data.draw(st.integers(0, len(whole)))
    tail = data.draw(st.sampled_from((b"", b"\0" * 700, b"\0\0\n\0", whole[-20:])))
    path.write_bytes(whole[:place] + tail)
    if place < len(whole.splitlines(keepends=True)[0]) and tail.strip(b"\0"):
        path.write_bytes(whole[:place])  # with more behind it, it could be anybody's
    with Journal(path, SUBJECT) as journal:
        kept = journal.records
        assert kept == RECORDS[: len(kept)]
        complete = whole[:place].count(b"\n") - 1
        assert len(kept) >= complete
        for record in RECORDS[len(kept) :]:
            journal.append(record)
    assert path.read_bytes() == whole


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_never_changes_a_record(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.journal"
    content = bytearray(begun(path))
    content[place % len(content)] ^= change
    path.write_bytes(content)
    if place % len(content) <= content.index(b"\n"):
        with pytest.raises(OutputError, match="is no journal"):
            Journal(path, SUBJECT)
    else:
        with Journal(path, SUBJECT) as journal:
            assert journal.records == RECORDS[: len(journal.records)]
            assert len(journal.records) < len(RECORDS)


def test_a_journal_of_something_else_is_left_as_it_is(path: Path) -> None:
    before = begun(path)
    with pytest.raises(OutputError, match="was begun with another data set, retest: finish it"):
        Journal(path, {**SUBJECT, "data set": "2", "retest": True})
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"Dear diary,\n", b"Dear diary", b"00000000 {}\n", b"\n"])
def test_what_is_no_journal_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(OutputError, match="is no journal"):
        Journal(path, SUBJECT)
    assert path.read_bytes() == content


def test_two_cannot_write_to_one(path: Path) -> None:
    with Journal(path, SUBJECT), pytest.raises(OutputError, match="another evaluation is writing"):
        Journal(path, SUBJECT)
    with Journal(path, SUBJECT):
        pass


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder", "nowhere/r.journal"):
        with pytest.raises(OutputError, match=r"cannot be written: .*--out"):
            Journal(tmp_path / name, SUBJECT)
    assert not (tmp_path / "elsewhere").exists()
