"""A shortage of the machine: never a damaged file, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_app.core import files
from edge_app.core.errors import MachineError
from edge_app.core.shortage import FAILING, NO_FILES, NO_MEMORY, NO_PROCESSES, blamed, shortage_of
from edge_app.images import raster
from edge_app.images.radiograph import Limits
from edge_app.images.read import decode

from ..conftest import Run
from ..images.corpus import corpus
from ..pictures import png, radiograph

Refuse = Callable[..., None]


@pytest.fixture
def no_descriptor(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Has opening files of such a name fail, as where too many are open."""
    real = os.open

    def refuse(name: str, times: int = 1000) -> None:
        left = [times]

        def opened(path: Any, *more: Any, **named: Any) -> int:
            if str(path).endswith(name) and left[0]:
                left[0] -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
            return real(path, *more, **named)

        monkeypatch.setattr(files.os, "open", opened)

    return refuse


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (MemoryError(), NO_MEMORY),
        (OSError(errno.EMFILE, "x"), NO_FILES),
        (OSError(errno.ENFILE, "x"), NO_FILES),
        (OSError(errno.ENOMEM, "x"), NO_MEMORY),
        (BlockingIOError(errno.EAGAIN, "x"), NO_PROCESSES),
        (OSError("out of memory error when reading image file"), NO_MEMORY),
        (RuntimeError("can't start new thread"), NO_PROCESSES),
        (OSError(errno.EIO, "x"), FAILING),
        (OSError(errno.EISDIR, "x"), None),
        (ValueError("bad"), None),
    ],
)
def test_a_shortage_is_found_behind_what_libraries_make_of_it(
    error: Exception, shortage: str | None
) -> None:
    assert shortage_of(error) == shortage
    covered = KeyError("of a library")
    covered.__context__ = error
    assert shortage_of(covered) == shortage
    assert isinstance(blamed(covered, "is damaged"), MachineError) == bool(shortage)


CHILD = """
import json, os, resource, sys
from pathlib import Path
from edge_app.core.errors import ImageError
from edge_app.images.radiograph import Limits
from edge_app.images.read import decode
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
data = [Path(path).read_bytes() for path in sys.argv[1:]]
def answers():
    for each in data:
        try:
            yield decode(each, Limits()).facts["format"]
        except ImageError as error:
            yield f"{error.kind}: {error}"
held = []
while True:
    try:
        held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        break
first = [*answers()]
for each in held:
    os.close(each)
print(json.dumps([first, [*answers()]]))
"""


def test_without_descriptors_no_file_is_called_damaged(tmp_path: Path, repository: Path) -> None:
    """Decoders are loaded when they are first needed, and say of that what they like."""
    paths = []
    for name, data in corpus().items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)],
        capture_output=True,
        text=True,
        cwd=repository,
    )
    assert done.stderr == ""
    without, then = json.loads(done.stdout)
    for path, first, second in zip(paths, without, then, strict=True):
        assert first == second or first.startswith("machine: "), path.name
        assert not second.startswith("machine: "), path.name
    assert sum(first.startswith("machine: ") for first in without) > len(paths) / 2


def test_little_memory_is_noticed_without_taking_it(repository: Path) -> None:
    code = (
        "import resource, mmap\n"
        "from edge_app.core.shortage import PROBE, blamed, shortage_now\n"
        "assert shortage_now() is None\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "peak = int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + PROBE // 2,) * 2)\n"
        "print(blamed(ValueError('x'), 'is damaged').kind, peak < PROBE >> 10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=repository
    )
    assert (done.stdout, done.stderr) == ("machine True\n", "")


def test_no_memory_for_its_pixels_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError("decoder error -9") from MemoryError()

    monkeypatch.setattr(raster, "_loaded", fail)
    with pytest.raises(MachineError, match="out of memory"):
        decode(png(radiograph()), Limits())


def test_classify_names_the_shortage_and_answers_the_others(
    run: Run, picture: Path, tmp_path: Path, no_descriptor: Refuse
) -> None:
    (tmp_path / "another.png").write_bytes(picture.read_bytes())
    no_descriptor("another.png")
    done = run("classify", "--json", "--workers", "1", picture, tmp_path / "another.png")
    assert done.returncode == 4
    right, wrong = map(json.loads, done.stdout.splitlines())
    assert right["findings"]
    assert wrong["error"] == {"kind": "machine", "message": f"could not be read: {NO_FILES}"}
    assert done.stderr.splitlines()[0].endswith(f"another.png: could not be read: {NO_FILES}")


def test_a_picture_that_lacked_something_is_tried_again_in_its_turn(
    run: Run, picture: Path, tmp_path: Path, no_descriptor: Refuse
) -> None:
    (tmp_path / "another.png").write_bytes(picture.read_bytes())
    no_descriptor("another.png", times=1)
    done = run("classify", "--csv", "--workers", "2", picture, tmp_path / "another.png")
    assert (done.returncode, done.stderr) == (0, "")


def test_evaluate_stops_without_a_report_and_goes_on_later(
    run: Run, tmp_path: Path, make_nih: Callable[..., Path], no_descriptor: Refuse, cnn28: Path
) -> None:
    listed = [(f"{i:03d}.png", "Mass" if i % 2 else "No Finding", i) for i in range(8)]
    folder = make_nih(tmp_path / "nih", listed, size=(40, 36))
    line = ("evaluate", "--model", cnn28, "--workers", "1", folder, "--out")
    (tmp_path / "whole").mkdir()
    assert run(*line, tmp_path / "whole/report.json").returncode == 0
    no_descriptor("005.png", times=1)
    out = tmp_path / "report.json"
    stopped = run(*line, out)
    assert stopped.returncode == 4
    assert not out.exists()
    assert "005.png: could not be read: too many files are open" in stopped.stderr
    assert "the same command goes on where it stopped" in stopped.stderr
    done = run(*line, out)
    assert done.returncode == 0
    assert "going on: 5 of 8 images are answered already" in done.stderr
    assert out.read_text() == (tmp_path / "whole/report.json").read_text()


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(
    run: Run, tmp_path: Path, make_nih: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_nih(tmp_path / "nih", [("000.png", "Mass", 1), ("001.png", "Mass", 2)])
    real = Path.iterdir

    def listed(path: Path) -> Iterator[Path]:
        if path.name == "images":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", listed)
    done = run("evaluate", folder, "--out", tmp_path / "report.json")
    assert done.returncode == 3
    assert "nih/images: cannot be read: Too many open files" in done.stderr


def test_where_no_thread_can_be_started_images_are_answered_one_by_one(
    run: Run, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(picture.read_bytes())
    expected = run("classify", "--csv", "--workers", "3", tmp_path)

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    done = run("classify", "--csv", "--workers", "3", tmp_path)
    assert (done.returncode, done.stdout) == (0, expected.stdout)
    assert done.stderr == (f"edge-cxr: images are worked on one after the other: {NO_PROCESSES}\n")


@pytest.mark.parametrize("stream", ["full", "closed"])
def test_answers_are_kept_where_errors_cannot_be_reported(
    picture: Path, tmp_path: Path, stream: str, cnn28: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    line = [sys.executable, "-m", "edge_app", "classify", "--csv", "--model", str(cnn28)]
    line += [str(tmp_path / "broken.png"), str(picture)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            line,
            stdout=subprocess.PIPE,
            stderr=full,
            preexec_fn=(lambda: os.close(2)) if stream == "closed" else None,
        )
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 3


def test_too_little_memory_for_numpy_is_said_in_one_line(run_process: Run, picture: Path) -> None:
    limit = 192 << 20

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = run_process("classify", picture, preexec_fn=limited)
    assert done.returncode == 4
    assert done.stderr == (
        "edge-cxr: out of memory: 192 MiB are allowed (ulimit -v), 256 are the least\n"
    )
