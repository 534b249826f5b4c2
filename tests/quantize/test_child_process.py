"""A command that native code ends, as its user sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_app.core.errors import EXIT_GATE, EXIT_MODEL

COMMAND = """
import os, signal, sys, time
from quantize.child_process import doing, run_in_child

def command():
    doing("opening it", "save it again")
    doing("converting it\\nto int8", "try another")
    print("begun", os.getpid(), flush=True)
    {what}

run_in_child(command)
"""


def started(repository: Path, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(what=what)],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(repository: Path, what: str) -> tuple[int, str, str]:
    with started(repository, what) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGFPE"])
def test_a_crash_is_one_line_of_what_was_done_and_what_to_do(repository: Path, name: str) -> None:
    code, _, said = ended(repository, f"os.kill(os.getpid(), signal.{name})")
    assert code == EXIT_MODEL
    assert said == f"error: the process ended ({name}) while converting it to int8: try another\n"


def test_a_process_that_the_system_killed_hints_at_memory(repository: Path) -> None:
    code, _, said = ended(repository, "os.kill(os.getpid(), signal.SIGKILL)")
    assert code == EXIT_MODEL
    assert "memory" in said
    assert said.count("\n") == 1


def test_what_ends_by_itself_ends_as_it_did(repository: Path) -> None:
    assert ended(repository, "print('done')")[0] == 0
    assert ended(repository, f"raise SystemExit({EXIT_GATE})")[0::2] == (EXIT_GATE, "")


def test_with_other_threads_it_runs_in_this_process(repository: Path) -> None:
    """A child would have none of them: so is a notebook's cell."""
    line = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=[5], daemon=True).start()"
    )
    command = line + COMMAND.format(what="print(os.getppid())")
    done = subprocess.run([sys.executable, "-c", command], cwd=repository, capture_output=True)
    assert done.stdout.split()[-1] == str(os.getpid()).encode()


def test_an_exit_code_is_kept_where_ends_of_children_are_ignored(repository: Path) -> None:
    line = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    command = line + COMMAND.format(what=f"raise SystemExit({EXIT_GATE})")
    done = subprocess.run([sys.executable, "-c", command], cwd=repository, capture_output=True)
    assert (done.returncode, done.stderr) == (EXIT_GATE, b"")


def test_an_interrupt_of_the_parent_alone_ends_both(repository: Path) -> None:
    with started(repository, "time.sleep(600)") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline().split()[1])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert not _lives(child)


def test_a_signal_from_outside_ends_both(repository: Path) -> None:
    with started(repository, "time.sleep(600)") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline().split()[1])
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (-signal.SIGTERM, "")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_nothing_goes_on_without_its_parent(repository: Path) -> None:
    with started(repository, "time.sleep(600)") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline().split()[1])
        process.kill()
        process.wait(60)
        deadline = time.monotonic() + 60
        while _lives(child) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not _lives(child)


def _lives(process: int) -> bool:
    """Whether it runs; one that ended may wait for somebody to ask how."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
