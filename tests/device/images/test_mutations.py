"""Damaged files of every kind through the command: each is answered, in words, and none ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .mutations import OF_FORMAT, Mutant, mutant

pytest.importorskip("pydicom", reason="the dicom extra is not installed")
pytest.importorskip("gdcm", reason="python-gdcm is not installed")

from . import mutate
from .corpus import corpus
from .mutate import answered, judged

NUMBER = 1_500


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return corpus()


def test_every_damaged_file_is_answered_in_words(repository: Path) -> None:
    """In a process of its own, small itself: the memory of what it starts is then theirs alone."""
    command = [sys.executable, "-m", "tests.device.images.mutate", "--number", str(NUMBER)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NUMBER} answers, 0 faults" in done.stdout
    print(done.stdout)


def test_every_file_of_the_corpus_is_read_when_it_is_whole(files: dict[str, bytes]) -> None:
    for name, outcome in answered(files):
        assert outcome.fault is None, name
        assert outcome.kind.startswith(("scored", "withheld: turned", "withheld: inverted")), name


def test_a_seed_and_a_number_make_the_same_file_whenever_they_are_asked(
    files: dict[str, bytes],
) -> None:
    names = sorted(files)
    made = [mutant(7, number, names) for number in range(300)]
    assert [each.data(files) for each in made[:40]] == [
        mutant(7, number, names).data(files) for number in range(40)
    ]
    changed = sum(each.data(files) != files[each.origin] for each in made)
    assert changed > 270
    assert made != [mutant(8, number, names) for number in range(300)]


def test_every_format_is_among_the_damaged(files: dict[str, bytes]) -> None:
    made: list[Mutant] = [mutant(0, number, sorted(files)) for number in range(NUMBER)]
    formats = {each.origin.rsplit(".", 1)[1] for each in made}
    assert formats == {"png", "jpg", "tif", "bmp", "webp", "dcm"}
    done = {step.mutation for each in made for step in each.steps}
    assert done >= {mutation for mutations in OF_FORMAT.values() for mutation in mutations}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Segmentation fault", "no JSON"),
        ('{"error": {"kind": "image", "message": ""}}', "no kind and message"),
        ('{"error": {"kind": "image", "message": "two\\nlines"}}', "printable"),
        ('{"error": {"kind": "image", "message": "KeyError"}}', "Python"),
        ('{"warnings": []}', "neither findings nor an error"),
        ('{"findings": [{}], "warnings": ["a NoneType was used"]}', "Python"),
    ],
)
def test_what_is_no_answer_is_a_fault(line: str, expected: str) -> None:
    fault = judged(line).fault
    assert fault is not None
    assert expected in fault


STAND_IN = """
import os, sys
for name in sorted(os.listdir(sys.argv[1])):
    exec(open(os.path.join(sys.argv[1], name)).read())
"""
GOOD = """print('{"findings": [1], "warnings": []}', flush=True)"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (GOOD, None),
        ("os.abort()", "ends the command (exit code -6)"),
        ("sys.exit('out of words')", "ends the command (exit code 1): out of words"),
        ("import time; time.sleep(60)", "takes more than 5 s"),
        (f"import time; time.sleep(0.3); held = b'1' * (700 << 20); {GOOD}", "take 7"),
        (f"sys.stderr.write('a codec speaks'); {GOOD}", "prints: a codec speaks"),
        ("print('KeyError', flush=True)", "is no JSON: KeyError"),
    ],
)
def test_a_command_that_fails_is_told_with_its_file_and_goes_on(
    what: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that does what stands in each file takes the command's place."""
    monkeypatch.setattr(mutate, "COMMAND", (sys.executable, "-c", STAND_IN))
    monkeypatch.setattr(mutate, "SECONDS", 5 if "60" in what else 60)
    outcomes = list(answered({"a": GOOD.encode(), "b": what.encode(), "c": GOOD.encode()}))
    faults = [(name, outcome.fault) for name, outcome in outcomes if outcome.fault]
    assert {name for name, _ in outcomes} == {"a", "b", "c"}
    if expected is None:
        assert faults == []
        return
    [(name, fault)] = faults
    assert name == "b"
    assert expected in fault


def test_a_plain_refusal_is_no_fault() -> None:
    line = "declares 3x0 pixels: there is no image in it"
    outcome = judged(f'{{"error": {{"kind": "image", "message": "{line}"}}}}')
    assert outcome.fault is None
    assert outcome.kind == "refused: declares NxN pixels: there is no image in it"
