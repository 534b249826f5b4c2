"""What runs of the fuzzer did is added up in a file that is kept."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from . import fuzzed

DONE = {"tried": 1000, "processor": 600.04, "faults": 0}


def line(kept: Path, kind: str) -> list[str]:
    return next(each.split() for each in fuzzed.table(kept).splitlines() if each.startswith(kind))


def test_runs_of_several_commits_are_added_up(tmp_path: Path) -> None:
    kept = tmp_path / "fuzz.json"
    for of in ("aaa", "aaa", "bbb"):
        fuzzed.add("labels", of, DONE, kept)
    fuzzed.add("labels", "bbb", {"tried": 7, "processor": 0.4, "faults": 1}, kept)
    ledger = json.loads(kept.read_text())
    assert ledger["labels"]["aaa"] == {"tried": 2000, "processor": 1200.0, "faults": 0}
    assert ledger["labels"]["bbb"] == {"tried": 1007, "processor": 600.4, "faults": 1}
    assert line(kept, "labels") == ["labels", "3,007", "1,800", "1"]


def test_a_kind_that_nobody_searched_is_said(tmp_path: Path) -> None:
    kept = tmp_path / "fuzz.json"
    fuzzed.add("labels", "aaa", DONE, kept)
    assert line(kept, "picture") == ["picture", "0", "0", "0"]


def test_runs_side_by_side_lose_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "fuzz.json"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: fuzzed.add("labels", "aaa", DONE, kept), range(40)))
    assert json.loads(kept.read_text())["labels"]["aaa"]["tried"] == 40_000


def test_a_write_that_fails_loses_nothing_and_an_empty_file_is_no_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "fuzz.json"
    fuzzed.add("labels", "aaa", DONE, kept)
    before = kept.read_text()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(fuzzed, "write_whole", full)
        with pytest.raises(OSError, match="No space"):
            fuzzed.add("labels", "aaa", DONE, kept)
    assert kept.read_text() == before
    kept.write_text("")
    with pytest.raises(json.JSONDecodeError):
        fuzzed.add("labels", "aaa", DONE, kept)


def test_the_commit_is_one_of_this_checkout() -> None:
    assert len(fuzzed.commit().rstrip("+")) == 12
