"""A delegate that misbehaves costs the delegate: never the application, nor the answer."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.backends.edgetpu import VARIABLE as EDGETPU_VARIABLE
from edge_app.backends.trial import SECONDS_VARIABLE
from train.labels import LABELS

from ..conftest import Run
from .conftest import Build

FAULTS = [
    ("REFUSES", "refused", "refuses: no stub today"),
    ("REFUSES_WITHOUT_A_WORD", "refused", "refuses and does not say why"),
    ("REFUSES_THE_MODEL", "refused", "refuses the model"),
    ("CRASHES_AT_ONCE", "crash", r"crashes \(SIGSEGV\) while making the delegate, with "),
    ("CRASHES_WHEN_IT_COMPUTES", "crash", r"crashes \(SIGSEGV\) while computing"),
    ("CRASHES_WHEN_CLOSED", "crash", r"crashes \(SIGSEGV\) while closing"),
    ("ABORTS", "crash", r'crashes \(SIGABRT\) .* it said "stub: terrible things"'),
    ("EXITS", "crash", "ends the process with code 3"),
    ("COMPUTES_NOTHING", "wrong answers", r"off by \d+ \(logits\) and \d+ \(map\) steps"),
]
"""Behaviour, kind, what is said of it."""

HANGS = [
    ("HANGS", "hang", "hangs: after 3 s it is still making the delegate"),
    ("HANGS_WHEN_IT_COMPUTES", "hang", "hangs: after 3 s it is still computing"),
]


def shorten(behaviour: str, monkeypatch: pytest.MonkeyPatch, run: Run, picture: Path) -> None:
    """A short time limit for what takes all of it; the CPU has been tried before."""
    if behaviour.startswith("HANGS"):
        assert run("classify", picture).returncode == 0
        monkeypatch.setenv(SECONDS_VARIABLE, "3")


@pytest.mark.parametrize(("behaviour", "kind", "words"), FAULTS + HANGS)
def test_a_delegate_requested_by_its_path_that_fails_is_named_and_nothing_is_answered(
    run: Run,
    picture: Path,
    delegate: Build,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    kind: str,
    words: str,
) -> None:
    shorten(behaviour, monkeypatch, run, picture)
    library = delegate(behaviour)
    done = run("classify", "--backend", library, picture)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert str(library) in done.stderr
    assert re.search(words, done.stderr)


@pytest.mark.parametrize(("behaviour", "kind", "words"), FAULTS + HANGS)
def test_found_by_itself_it_is_named_and_the_cpu_answers(
    run: Run,
    picture: Path,
    delegate: Build,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    kind: str,
    words: str,
) -> None:
    shorten(behaviour, monkeypatch, run, picture)
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate(behaviour)))
    done = run("classify", "--json", picture)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("; answering on the CPU\n")
    assert answer["runtime"]["delegate"] == "cpu"
    (refused,) = answer["runtime"]["not_used"]
    assert f"{refused['message']}; answering" in done.stderr
    if behaviour.startswith("REFUSES") and behaviour != "REFUSES_THE_MODEL":
        assert refused["kind"] == "no device"  # why libedgetpu refuses on a machine without one
    else:
        assert refused["kind"] == kind
        assert re.search(words, done.stderr)
    monkeypatch.delenv(EDGETPU_VARIABLE)
    assert json.loads(run("classify", "--json", picture).stdout)["findings"] == answer["findings"]


@pytest.mark.parametrize("behaviour", ["WORKS", "PRINTS"])
def test_one_that_works_is_used_and_nothing_that_it_prints_is_seen(
    run: Run, picture: Path, cnn28: Path, delegate: Build, behaviour: str
) -> None:
    library = delegate(behaviour)
    done = run("classify", "--json", "--backend", library, picture)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert done.stderr == ""
    assert answer["runtime"]["delegate"] == "external"
    assert answer["runtime"]["library"] == str(library)
    assert answer["runtime"]["why"]["delegate"] == "asked for"
    assert len(answer["findings"]) == len(LABELS)
    cpu = json.loads(run("classify", "--json", "--backend", "cpu", picture).stdout)
    assert answer["findings"] == cpu["findings"]
    verified = run("models verify", "--backend", library, cnn28)
    assert verified.returncode == 0
    assert f"and delegate {library}" in verified.stdout


def test_an_edge_tpu_without_a_compiled_network_is_said_to_do_nothing(
    run: Run, picture: Path, delegate: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate("WORKS")))
    for options in ([], ["--backend", "edgetpu"]):
        done = run("classify", "--json", *options, picture)
        assert done.returncode == 0
        assert json.loads(done.stdout)["runtime"]["delegate"] == "edgetpu"
        assert "holds no network compiled for the Edge TPU" in done.stderr
        assert done.stderr.count("\n") == 1


def test_without_the_library_auto_is_silent_and_a_wish_is_refused(run: Run, picture: Path) -> None:
    done = run("classify", "--json", picture)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert answer["runtime"]["why"]["delegate"] == "no Edge TPU's library"
    assert answer["runtime"]["not_used"] == []
    done = run("classify", "--backend", "edgetpu", picture)
    assert done.returncode == 4
    assert "libedgetpu.so.1 is not installed: install libedgetpu1-std" in done.stderr


def not_a_delegate(delegate: Build, gcc: str, folder: Path) -> Path:
    return delegate("WORKS", "-Dtflite_plugin_create_delegate=other", name="other.so")


def of_another_version(delegate: Build, gcc: str, folder: Path) -> Path:
    return delegate("WORKS", "-DWITHOUT_A_SYMBOL", name="version.so")


def for_another_processor(delegate: Build, gcc: str, folder: Path) -> Path:
    data = bytearray(delegate("WORKS").read_bytes())
    data[18:20] = (243).to_bytes(2, "little")
    path = folder / "riscv.so"
    path.write_bytes(data)
    return path


def without_what_it_needs(delegate: Build, gcc: str, folder: Path) -> Path:
    usb = delegate("WORKS", "-Wl,-soname,libusb-stub.so.0", name="libusb-stub.so")
    library = delegate("WORKS", "-Wl,--no-as-needed", str(usb), name="needs.so")
    usb.unlink()
    return library


def no_library(delegate: Build, gcc: str, folder: Path) -> Path:
    path = folder / "text.so"
    path.write_text("I am no library")
    return path


def absent(delegate: Build, gcc: str, folder: Path) -> Path:
    return folder / "absent.so"


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (not_a_delegate, "is no TensorFlow Lite delegate"),
        (of_another_version, "undefined symbol: a_function_of_another_version"),
        (for_another_processor, "is built for RISC-V, this Python for"),
        (without_what_it_needs, "needs libusb-stub.so.0, which is not installed"),
        (no_library, "is no shared library"),
        (absent, "no such file"),
    ],
)
def test_an_unfit_library_is_refused_with_the_reason(
    run: Run,
    picture: Path,
    delegate: Build,
    gcc: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: Callable[[Build, str, Path], Path],
    words: str,
) -> None:
    library = stage(delegate, gcc, tmp_path)
    done = run("classify", "--backend", library, picture)
    assert done.returncode == 4
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    monkeypatch.setenv(EDGETPU_VARIABLE, str(library))
    done = run("classify", picture)
    assert done.returncode == 0
    assert words in done.stderr
    assert "Edge TPU" in done.stderr or str(library) in done.stderr


@pytest.mark.parametrize("option", ["--backend", "--delegate", "--runtime"])
def test_what_is_no_name_and_no_path_is_wrong_usage(run: Run, picture: Path, option: str) -> None:
    for command, *target in (("classify", picture), ("models verify",), ("doctor",)):
        done = run(command, option, "edgtpu", *target)
        assert done.returncode == 2
        assert f"{option} edgtpu: there are auto" in done.stderr


def test_a_verdict_that_no_longer_holds_is_met_too(
    run: Run, picture: Path, delegate: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It worked when it was tried; the device has been unplugged since."""
    library = tmp_path / "device.so"
    library.write_bytes(delegate("WORKS").read_bytes())
    monkeypatch.setenv(EDGETPU_VARIABLE, str(library))
    assert json.loads(run("classify", "--json", picture).stdout)["runtime"]["delegate"] == "edgetpu"
    status = library.stat()
    broken = delegate("REFUSES").read_bytes()
    with library.open("r+b") as file:  # the same file to the eye: size, time and inode
        file.write(broken[: status.st_size].ljust(status.st_size, b"\0"))
    os.utime(library, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = run("classify", "--json", picture)
    assert done.returncode == 0
    assert json.loads(done.stdout)["runtime"]["delegate"] == "cpu"
    assert "no device is seen" in done.stderr


def test_a_batch_announces_the_cpu_once(
    run: Run, picture: Path, delegate: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate("CRASHES_AT_ONCE")))
    done = run("classify", "--csv", picture, picture, picture)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr.count("answering on the CPU") == 1
