"""Some damaged files of each kind; `python -m tests.device.damage` tries as many as are wanted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_app.core.errors import ModelError

from . import damage

NUMBER = 30


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", damage.KINDS)
def test_a_damaged_file_is_taken_or_refused_in_words(
    name: str, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.chdir(repository)
    if name == "message":
        pytest.importorskip("pydicom", reason="the dicom extra is not installed")
        pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    sorts, faults = damage.run(name, seed=1, number=NUMBER)
    assert not faults
    assert sorts["refused"] + sorts["taken"] == NUMBER


@pytest.mark.parametrize(
    ("read", "sort", "words"),
    [
        (lambda *_: None, "taken", None),
        (lambda *_: print("\x1b[2J"), "taken", "prints '\\x1b'"),
        (lambda *_: {}["x"], "broken", "KeyError: 'x'"),
        (lambda *_: _refuse("is damaged: copy it again"), "refused", None),
        (lambda *_: _refuse("two\nlines"), "refused", "is not one line"),
        (lambda *_: _refuse("int object has no attribute x"), "refused", "speaks Python"),
    ],
)
def test_what_a_reader_must_not_do_is_a_fault(
    read: damage.Reader, sort: str, words: str | None
) -> None:
    found, fault = damage.outcome(damage.Kind({}, read), b"", seconds=1)
    assert found == sort
    assert fault is None if words is None else words in (fault or "")


def test_a_reader_that_takes_too_long_is_a_fault(repository: Path) -> None:
    """In a process of its own: what other tests have loaded may not bear being interrupted."""
    code = (
        "from tests.device import damage\n"
        "kind = damage.Kind({}, lambda *_: all(True for _ in iter(int, 1)))\n"
        "print(damage.outcome(kind, b'', seconds=1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.stdout == "('too slow', 'takes more than 1 s')\n", done.stderr


def _refuse(line: str) -> None:
    raise ModelError(line)


def test_a_seed_and_a_number_make_the_same_file_whenever_they_are_asked() -> None:
    kind = damage.Kind({"a": b'{"a": [1, 2]}', "b": b"x,y\n1,2\n"}, print, damage.JSON)
    made = [damage.damaged(kind, 3, number) for number in range(50)]
    assert made == [damage.damaged(kind, 3, number) for number in range(50)]
    assert made != [damage.damaged(kind, 4, number) for number in range(50)]
    assert len(set(made)) > 30
