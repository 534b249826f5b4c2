"""Decoding elsewhere: the same pictures, and what a decoder that is taken over cannot do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.cli.options import at_once
from edge_app.core.errors import ImageError, ImageTooLargeError, MachineError
from edge_app.images import gdcm_process, isolated
from edge_app.images.gdcm_process import Job
from edge_app.images.isolated import Decoders
from edge_app.images.radiograph import Limits
from edge_app.images.read import Decoder, decode

from ..conftest import Run
from ..pictures import png, radiograph

pytest.importorskip("gdcm", reason="python-gdcm is not installed")

from .corpus import corpus

pytest.importorskip("pydicom", reason="the dicom extra is not installed")
pytest.importorskip("gdcm", reason="python-gdcm is not installed")

GOOD = png(radiograph())

HOSTILE = (
    "import sys; sys.path[:] = sys.argv[2:]\n"
    "import edge_app.images.decoder_process as process\n"
    "right = process.decode\n"
    "def decode(data, *more, **named):\n"
    "    if not data.startswith(b'#'):\n"
    "        return right(data, *more, **named)\n"
    "    known = {'process': process, 'image': right(data[data.index(b'\\x89PNG'):], *more)}\n"
    "    exec(data[:data.index(b'\\x89PNG')].decode(), known)\n"
    "    return known['image']\n"
    "process.decode = decode\n"
    "process.main(sys.argv[1])\n"
)
"""A process whose decoder a picture takes over: it runs what stands before a PNG."""


def taken_over(code: str) -> bytes:
    return f"#\n{code}\n".encode() + GOOD


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def decoders(said: list[str]) -> Iterator[Decoders]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolated, "BOOTSTRAP", HOSTILE)
        patch.setattr(isolated, "PROCESSOR_SECONDS", 1)
        with Decoders(1, Limits(), said.append) as opened:
            yield opened


@pytest.mark.parametrize("name", sorted(corpus()))
def test_a_picture_comes_out_as_it_does_here(name: str, decoders: Decoders) -> None:
    data = corpus()[name]
    here, there = (_outcome(each, data) for each in (decode, decoders.decode))
    assert there == here


def _outcome(decoder: Decoder, data: bytes) -> tuple[Any, ...]:
    try:
        image = decoder(data, Limits())
    except ImageError as error:
        return type(error), str(error)
    return image.pixels.tobytes(), image.pixels.shape, image.facts, image.warnings


def test_a_jpeg_is_shrunk_and_limits_are_kept_there_too(decoders: Decoders) -> None:
    data = corpus()["gray.jpg"]
    assert decoders.decode(data, Limits(), 8).facts == decode(data, Limits(), 8).facts
    with pytest.raises(ImageTooLargeError, match="more than 100: raise --max-pixels"):
        decoders.decode(data, Limits(max_pixels=100))


FORBIDDEN = {
    "read a file of this user": "open({secret!r}).read()",
    "list a folder": "import os; os.listdir({folder!r})",
    "write a file": "open({folder!r} + '/new', 'w')",
    "remove a file": "import os; os.unlink({secret!r})",
    "reach the network": "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
    "send a datagram": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "start a process": "import os; os.fork()",
    "start a program": "import os; os.execv('/bin/true', ['true'])",
    "start a thread": "import threading; threading.Thread(target=int).start()",
    "kill its parent": "import os; os.kill(os.getppid(), 15)",
    "look into its parent": "open('/proc/%d/environ' % __import__('os').getppid()).read()",
    "have other limits": "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 40,) * 2)",
    "shrink what it shares": "import os; [os.ftruncate(n, 0) for n in range(3, 10)]",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_decoder_that_is_taken_over_cannot(
    what: str, decoders: Decoders, said: list[str], tmp_path: Path
) -> None:
    decoders.decode(GOOD, Limits())
    if said:
        pytest.skip(said[0])
    secret = tmp_path / "secret"
    secret.write_text("4711")
    with socket.create_server(("127.0.0.1", 0)) as server:
        named = {"secret": str(secret), "folder": str(tmp_path), "port": server.getsockname()[1]}
        attempt = FORBIDDEN[what].format(**named)
        code = (
            "done = True\n"
            f"try:\n    {attempt}\n"
            "except (OSError, RuntimeError, ValueError):\n    done = False\n"
            "image.warnings = ('did it',) if done else ()"
        )
        assert decoders.decode(taken_over(code), Limits()).warnings == ()
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


ENDS = {
    "crashes": ("import os; os.kill(os.getpid(), 11)", None),
    "crashes in native code": ("import ctypes; ctypes.string_at(0)", "(SIGSEGV)"),
    "leaves": ("import os; os._exit(0)", "ends the process that decodes it (code 0)"),
    "goes on for ever": ("while True: pass", "took more than 1 s of the processor to decode"),
    "takes all memory": ("x = [bytes(1 << 24) for _ in range(1000)]", "takes more memory to"),
    "says something else": ("import os; os.write(process_connection(), b'x' * 100)", "nonsense"),
    "tells another size": ("image.facts['width'] = 7", "nonsense"),
    "tells a fact that is none": ("image.facts['format'] = ['PNG']", "nonsense"),
    "tells a fact of a strange name": ("image.facts['a b'] = 1", "nonsense"),
    "tells too much": ("image.warnings = ('x',) * 100", "nonsense"),
    "gives no picture": ("import numpy; image.picture = numpy.zeros((0, 0), 'u1')", "nonsense"),
}
CONNECTION = (
    "def process_connection():\n"
    "    import os, stat\n"
    "    for number in range(3, 1000):\n"
    "        try:\n"
    "            if stat.S_ISSOCK(os.fstat(number).st_mode):\n"
    "                return number\n"
    "        except OSError:\n"
    "            pass\n"
)


@pytest.mark.parametrize("how", ENDS)
def test_the_next_picture_is_decoded_where_one_ends_its_decoder(
    how: str, decoders: Decoders
) -> None:
    code, words = ENDS[how]
    hostile = taken_over(CONNECTION + code)
    if words is None:  # a signal that it may not send
        decoders.decode(taken_over(f"try:\n    {code}\nexcept OSError: pass"), Limits())
    else:
        with pytest.raises(ImageError) as raised:
            decoders.decode(hostile, Limits())
        assert words in str(raised.value)
        assert type(raised.value) is ImageError
    image = decoders.decode(GOOD, Limits())
    np.testing.assert_array_equal(image.pixels, radiograph())


def test_what_it_says_steers_no_terminal(decoders: Decoders) -> None:
    code = "image.warnings = ('\\x1b[2J' + 'x' * 1000,)"
    (warning,) = decoders.decode(taken_over(code), Limits()).warnings
    assert warning.isprintable()
    assert len(warning) <= isolated.LONGEST_FACT


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "BOOTSTRAP", HOSTILE)
    monkeypatch.setattr(isolated, "SECONDS", 0.5)
    with Decoders(1, Limits(), pytest.fail) as decoders:
        with pytest.raises(ImageError, match=r"took more than 0\.5 s to decode"):
            decoders.decode(taken_over("import time; time.sleep(1000)"), Limits())
        monkeypatch.setattr(isolated, "SECONDS", 60)
        assert decoders.decode(GOOD, Limits()).facts["format"] == "PNG"


def test_where_none_can_be_started_it_is_no_fault_of_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with (
        Decoders(1, Limits(), pytest.fail) as decoders,
        pytest.raises(MachineError, match="no decoder starts"),
    ):
        decoders.decode(GOOD, Limits())


def test_one_that_was_killed_while_idle_is_replaced_without_a_word() -> None:
    with Decoders(1, Limits(), pytest.fail) as decoders:
        decoders.decode(GOOD, Limits())
        decoders._processes[0].kill()
        decoders._processes[0].wait()
        assert decoders.decode(GOOD, Limits()).facts["format"] == "PNG"


def test_it_is_no_fault_of_the_picture_where_somebody_kills_its_decoder(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel does that is out of memory."""
    decoders.decode(GOOD, Limits())
    right = isolated._Decoder._answered

    def answered(self: Any, *args: Any) -> Any:
        self.process.kill()
        return right(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(isolated._Decoder, "_answered", answered)
        with pytest.raises(MachineError, match=r"is killed from outside \(SIGKILL\)"):
            decoders.decode(taken_over("import time; time.sleep(60)"), Limits())
    np.testing.assert_array_equal(decoders.decode(GOOD, Limits()).pixels, radiograph())


def test_a_system_that_is_out_of_memory_kills_the_decoder_before_who_asks_it(
    decoders: Decoders,
) -> None:
    decoders.decode(GOOD, Limits())
    process = decoders._processes[-1]
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == "1000\n"


def test_nor_is_it_where_somebody_kills_gdcm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nprintf gdcm\nkill -KILL $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    job = Job("JPEGLSLossless", "MONOCHROME2", 1, 1, 1, 8, 8)
    with pytest.raises(MachineError, match=r"is killed from outside \(SIGKILL\)"):
        gdcm_process.decoded(b"", job, "JPEG-LS")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_picture_in_hand_is_read_though_all_processes_are_told_to_end(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """As by a service manager: who asks finishes what is in hand, and then ends its decoders."""
    decoders.decode(GOOD, Limits())
    right = isolated._Decoder._answered

    def answered(self: Any, *args: Any) -> Any:
        self.process.send_signal(number)
        return right(self, *args)

    monkeypatch.setattr(isolated._Decoder, "_answered", answered)
    seen = decoders.decode(taken_over("import time; time.sleep(0.3)"), Limits())
    np.testing.assert_array_equal(seen.pixels, decode(GOOD, Limits()).pixels)


def test_an_answer_that_nobody_waited_for_is_nobody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = png(255 - radiograph())
    with Decoders(1, Limits(), pytest.fail) as decoders:
        decoders.decode(GOOD, Limits())
        with monkeypatch.context() as patch:

            def interrupted(*args: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(isolated._Decoder, "_answered", interrupted)
            with pytest.raises(KeyboardInterrupt):
                decoders.decode(GOOD, Limits())
        np.testing.assert_array_equal(
            decoders.decode(other, Limits()).pixels, decode(other, Limits()).pixels
        )


def test_a_kernel_without_means_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    without = HOSTILE.replace(
        "process.main(", "process.sandbox._restrict_files = lambda paths: False\nprocess.main("
    )
    monkeypatch.setattr(isolated, "BOOTSTRAP", without)
    lines: list[str] = []
    with Decoders(2, Limits(), lines.append) as decoders:
        for _ in range(3):
            decoders.decode(GOOD, Limits())
    assert lines == [
        "isolation is incomplete, this kernel has no Landlock: what decodes pictures can read "
        "this user's files"
    ]


PARENT = """
import sys, time
from edge_app.images.isolated import Decoders
from edge_app.images.radiograph import Limits
decoders = Decoders(2, Limits(), print)
for each in decoders._processes:
    print(each.pid, flush=True)
decoders.decode(sys.stdin.buffer.read(), Limits())
print("decoded", flush=True)
time.sleep(1000)
"""


def test_they_die_with_who_started_them(repository: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=repository,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(GOOD)
        parent.stdin.close()
        children = [int(parent.stdout.readline()) for _ in range(2)]
        assert parent.stdout.readline() == b"decoded\n"
        parent.kill()
        parent.wait()
    end = time.monotonic() + 30
    while any(map(_runs, children)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(map(_runs, children))


def _runs(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def test_classify_and_evaluate_answer_as_without_it(
    run: Run, picture: Path, tmp_path: Path, cnn28: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(GOOD[:200])
    (tmp_path / "labels.csv").write_text("image,labels\npicture.png,Mass\nbroken.png,Mass\n")
    line = ("classify", "--csv", picture, tmp_path / "broken.png")
    assert run(*line, "--isolate").stdout == run(*line).stdout
    reports = []
    for options in ((), ("--isolate",)):
        out = tmp_path / "report.json"
        done = run("evaluate", "--model", cnn28, tmp_path, "--out", out, *options)
        assert done.returncode == 3
        reports.append(out.read_text())
    assert reports[0] == reports[1]
    assert os.listdir(tmp_path).count("report.json") == 1


def test_while_workers_wait_for_decoders_another_picture_is_decoded() -> None:
    assert [at_once(workers, isolate=True) for workers in (1, 2, 4)] == [1, 3, 5]
    assert at_once(4, isolate=False) == 4
