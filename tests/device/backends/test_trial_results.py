"""What a trial found is found once, and again when anything it depends on changes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.backends import trial, trial_results
from edge_app.backends.choice import result_of
from edge_app.backends.delegate import Delegate
from edge_app.backends.fault import ABSENT, CRASH, HANG, NO_DEVICE, Fault
from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.package import Package
from edge_app.backends.trial_results import TrialResult, remember, remembered, subject
from edge_app.model.model_file import SHIPPED, ModelFile, read

pytestmark = pytest.mark.usefixtures("cache")

RUNTIME = find_interpreter()
WORKS = TrialResult(None, 1.0, {1: 1.8, 2: 1.0})


@pytest.fixture
def model(cnn28: Path) -> ModelFile:
    return read(cnn28)


@pytest.fixture
def library(tmp_path: Path) -> Delegate:
    path = tmp_path / "delegate.so"
    path.write_bytes(b"first")
    return Delegate(path, RUNTIME)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[TrialResult]:
    """What the coming trials find; the list shrinks by one with each."""
    coming: list[TrialResult] = []
    monkeypatch.setattr(trial, "run", lambda *what: coming.pop(0))
    return coming


def test_it_is_tried_once(model: ModelFile, trials: list[TrialResult]) -> None:
    trials += [WORKS]
    assert result_of(model, RUNTIME) == WORKS
    assert result_of(model, RUNTIME) == WORKS
    assert trials == []


def replace_library(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    library.library.write_bytes(b"second")


def touch_library(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(library.library, ns=(0, 0))  # a clock that starts in 1970


def install_a_library(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = library.library.with_name("ld.so.cache")
    cache.write_bytes(b"")
    monkeypatch.setattr("edge_app.backends.delegate.LINKER_CACHE", cache)


def update_the_runtime(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Package, "version", "99.0")


def update_numpy(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", "99.0")


def update_the_application(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_results, "__version__", "99.0")


def move_the_card(library: Delegate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_results, "_processor", lambda: ["aarch64", 4, {}])


@pytest.mark.parametrize(
    "change",
    [
        replace_library,
        touch_library,
        install_a_library,
        update_the_runtime,
        update_numpy,
        update_the_application,
        move_the_card,
    ],
)
def test_what_changes_is_tried_again(
    model: ModelFile,
    library: Delegate,
    trials: list[TrialResult],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Delegate, pytest.MonkeyPatch], None],
) -> None:
    crash = TrialResult(Fault(CRASH, "crashes"))
    trials += [crash, WORKS]
    assert result_of(model, library) == crash
    assert result_of(model, library) == crash
    change(library, monkeypatch)
    assert result_of(model, library) == WORKS


def test_another_model_is_tried_for_itself(model: ModelFile, trials: list[TrialResult]) -> None:
    trials += [WORKS, TrialResult(None)]
    assert result_of(model, RUNTIME) == WORKS
    assert result_of(read(SHIPPED / "cxr-lite0-128.tflite"), RUNTIME) == TrialResult(None)


def test_a_fault_is_forgotten_at_the_next_start_of_the_machine_and_success_is_not(
    model: ModelFile,
    library: Delegate,
    trials: list[TrialResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials += [TrialResult(Fault(HANG, "hangs")), WORKS]
    for boot, expected in (("a", HANG), ("a", HANG), ("b", None), ("c", None)):
        monkeypatch.setattr(trial_results, "_boot", lambda boot=boot: boot)
        fault = result_of(model, library).fault
        assert (fault.kind if fault else None) == expected


@pytest.mark.parametrize("kind", [ABSENT, NO_DEVICE])
def test_what_passes_is_not_remembered(
    model: ModelFile, library: Delegate, trials: list[TrialResult], kind: str
) -> None:
    """A device is plugged in, a library installed: nothing to be waited for."""
    trials += [TrialResult(Fault(kind, "not there")), WORKS]
    assert result_of(model, library).fault is not None
    assert result_of(model, library) == WORKS


def test_doctor_can_ask_again(model: ModelFile, trials: list[TrialResult]) -> None:
    trials += [WORKS, TrialResult(None, 0.0, {1: 9.0})]
    result_of(model, RUNTIME)
    assert result_of(model, RUNTIME, again=True).milliseconds == {1: 9.0}
    assert result_of(model, RUNTIME).milliseconds == {1: 9.0}


@pytest.mark.parametrize("place", ["/dev/null", "/proc", "relative", ""])
def test_without_a_place_to_keep_it_it_is_tried_each_time(
    model: ModelFile, trials: list[TrialResult], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.setenv("HOME", "/dev/null")
    trials += [WORKS, WORKS]
    for _ in range(2):
        assert result_of(model, RUNTIME) == WORKS
    assert trials == []
    assert trial_results.folder() is None or place == "/proc"  # which only a write can tell


def test_memory_stands_in_for_a_read_only_disk(
    model: ModelFile, trials: list[TrialResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "memory"))
    trials += [WORKS]
    for _ in range(2):
        assert result_of(model, RUNTIME) == WORKS
    assert trial_results.folder() == tmp_path / "memory/edge-cxr/verdicts"


def test_a_home_that_nobody_knows_is_no_relative_folder(
    monkeypatch: pytest.MonkeyPatch, model: ModelFile, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 12345678)
    monkeypatch.chdir(tmp_path)
    assert remember(subject(model, RUNTIME), WORKS) is None
    assert list(tmp_path.iterdir()) == []


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_verdict_is_none(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    about = {"what": "anything"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        path = remember(about, WORKS)
        assert path is not None
        whole = path.read_bytes()
        changed = bytearray(whole)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
            changed[place] = data.draw(st.integers(0, 255))
        path.write_bytes(changed[: data.draw(st.integers(0, len(changed)))])
        found = remembered(about)
        assert found is None or (found.fault is None and found.threads >= 1)


@pytest.mark.parametrize(
    "record",
    [
        [],
        None,
        {"subject": {}},
        {"subject": {}, "boot": None, "verdict": None},
        {"subject": {}, "boot": None, "verdict": {"fault": "x", "off": 0, "milliseconds": {}}},
        {"subject": {}, "boot": 1, "verdict": {"fault": None, "off": 0, "milliseconds": {"0": 1}}},
        {"subject": {}, "boot": 1, "verdict": {"fault": None, "off": [], "milliseconds": {}}},
        {"subject": {"x": 1}, "boot": 1, "verdict": {"fault": None, "off": 0, "milliseconds": {}}},
    ],
)
def test_a_record_of_something_else_is_no_verdict(record: object) -> None:
    path = remember({}, WORKS)
    assert path is not None
    path.write_text(json.dumps(record))
    assert remembered({}) is None


def test_what_nests_without_end_is_no_verdict() -> None:
    path = remember({}, WORKS)
    assert path is not None
    path.write_text("[" * 20_000)
    assert remembered({}) is None


def test_a_planted_verdict_neither_takes_all_threads_nor_steers_a_terminal() -> None:
    path = remember({}, WORKS)
    assert path is not None
    record = json.loads(path.read_text())
    verdict = {"fault": None, "off": 0, "milliseconds": {"1": 9, "4096": 1}}
    path.write_text(json.dumps({**record, "verdict": verdict}))
    assert remembered({}) is None
    fault = {"kind": "crash", "message": "\x1b[2J\nevil"}
    path.write_text(
        json.dumps({**record, "verdict": {**verdict, "fault": fault, "milliseconds": {}}})
    )
    found = remembered({})
    assert found is not None
    assert found.fault is not None
    assert found.fault.message.isprintable()


def test_a_folder_that_others_can_write_to_is_not_believed() -> None:
    path = remember({}, WORKS)
    assert path is not None
    path.parent.chmod(0o777)
    assert remembered({}) is None
    assert remember({}, WORKS) is None
    path.parent.chmod(0o700)
    assert remembered({}) == WORKS


def test_what_is_used_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_results, "KEPT", 5)
    for number in range(20):
        assert remember({"number": number}, WORKS)
        assert remembered({"number": 0}) == WORKS


def test_the_folder_does_not_grow_without_end() -> None:
    for number in range(trial_results.KEPT + 20):
        path = remember({"number": number}, WORKS)
    assert path is not None
    assert len(list(path.parent.iterdir())) == trial_results.KEPT
    assert remembered({"number": trial_results.KEPT + 19}) == WORKS


@pytest.mark.parametrize(
    ("milliseconds", "threads"),
    [
        ({}, 1),
        ({1: 5.0}, 1),
        ({1: 1.83, 2: 1.06}, 2),
        ({1: 1.0, 2: 0.95}, 1),
        ({1: 30.0, 2: 16.0, 4: 9.0}, 4),
        ({1: 30.0, 2: 16.0, 4: 15.5}, 2),
        ({1: 1.0, 2: 9.0}, 1),
    ],
)
def test_threads_are_as_many_as_clearly_help(milliseconds: dict[int, float], threads: int) -> None:
    assert TrialResult(None, 0.0, milliseconds).threads == threads
