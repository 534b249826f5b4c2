"""`edge-cxr` as a process: Ctrl-C, pipes, closed streams, full disks, memory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_app.performance.processes import launch

from ..conftest import Run
from ..site.made import written


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_with_what_is_done_printed(
    tmp_path: Path, cnn28: Path, picture: Path, workers: str
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(3000):
        os.symlink(picture, folder / f"{index:04d}.png")
    command = [sys.executable, "-m", "edge_app", "classify", "--json", "--workers", workers]
    line = [*command, "-m", str(cnn28), str(folder)]
    with (
        (tmp_path / "errors").open("w+") as errors,
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=errors, text=True) as child,
    ):
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        child.send_signal(signal.SIGINT)
        lines += child.stdout.readlines()
        child.wait(timeout=60)
        errors.seek(0)
        said = errors.read()
    assert child.returncode == 130
    assert 0 < len(lines) < 3000
    assert all("findings" in json.loads(text) for text in lines)
    assert said == f"edge-cxr: interrupted after {len(lines)} answers\n"


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path, cnn28: Path, picture: Path) -> None:
    names = " ".join([str(picture)] * 40)
    line = f"{sys.executable} -m edge_app classify -m {cnn28} --json {names} | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["model"]["dtype"] == "int8"
    assert done.stderr == ""


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("form", [(), ("--json", "--workers", "2")])
def test_files_are_written_whether_or_not_the_answers_are_read(
    form: tuple[str, ...], unread: int, tmp_path: Path, picture: Path, cnn28: Path
) -> None:
    page, maps = tmp_path / "page.html", tmp_path / "maps"
    (tmp_path / "broken.png").write_text("no picture")
    images = [picture, tmp_path / "broken.png", shutil.copy(picture, tmp_path / "last.png")]
    command = [sys.executable, "-m", "edge_app", "classify", "-m", cnn28, *form, *images]
    line = [*command, "--html", page, "--heatmap", maps]
    done = subprocess.run(line, stdout=unread, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == -signal.SIGPIPE
    assert [path.name.split("-")[0] for path in sorted(maps.iterdir())] == ["last", "picture"]
    assert all(Path(image).name in page.read_text("utf-8") for image in images)
    said = done.stderr.splitlines()
    assert said[0].startswith(f"edge-cxr: {tmp_path}/broken.png: ")
    assert said[1:] == [f"edge-cxr: written: {page}", "edge-cxr: 2 answered, 1 refused"]


def test_a_sites_page_is_written_whether_or_not_its_summary_is_read(
    unread: int, tmp_path: Path
) -> None:
    place, page = tmp_path / "site.json", tmp_path / "page.html"
    command = [sys.executable, "-m", "edge_app", "calibrate", written(tmp_path), "-m", "cxr-cnn28"]
    line = [*command, "--out", place, "--html", page]
    done = subprocess.run(line, stdout=unread, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")
    assert json.loads(place.read_text("utf-8"))["digest"][:16] in page.read_text("utf-8")


def test_a_full_disk_is_one_line(run: Run, picture: Path, cnn28: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_app", "classify", "-m", str(cnn28), str(picture)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 4
    assert done.stderr == "edge-cxr: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_memory_does_not_grow_with_the_number_of_images(
    tmp_path: Path, cnn28: Path, picture: Path, workers: str
) -> None:
    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        for index in range(count):
            os.symlink(picture, folder / f"{index:05d}.png")
        line = [
            sys.executable,
            "-m",
            "edge_app",
            "classify",
            "--csv",
            "--workers",
            workers,
            "-m",
            str(cnn28),
            str(folder),
        ]
        return int(launch(line)["peak"])

    few, many = peak(50), peak(2000)
    print(f"peak memory: {few >> 10} KiB for 50 images, {many >> 10} KiB for 2000")
    assert many < 1.1 * few


def test_progress_goes_to_a_terminal_on_standard_error_only(
    run: Run, picture: Path, cnn28: Path, tmp_path: Path
) -> None:
    import pty

    primary, secondary = pty.openpty()
    line = [sys.executable, "-m", "edge_app", "classify", "--csv", "-m", str(cnn28)]
    child = subprocess.Popen(
        [*line, *[str(picture)] * 200], stdout=subprocess.PIPE, stderr=secondary
    )
    os.close(secondary)
    answers, _ = child.communicate(timeout=60)
    shown = b""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            chunk = os.read(primary, 4096)
        except OSError:  # Linux answers so at the end of a terminal
            break
        if not chunk:
            break
        shown += chunk
    os.close(primary)
    assert child.returncode == 0
    assert len(answers.splitlines()) == 201
    assert b"classifying" in shown
    assert b"classifying" not in answers
    assert b"classifying" not in run("classify", "--csv", picture, picture).stderr.encode()


def test_without_a_runtime_the_way_out_is_named(picture: Path, cnn28: Path, tmp_path: Path) -> None:
    for package in ("ai_edge_litert", "tflite_runtime", "openvino"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(
            "raise ImportError('not for this Python')\n"
        )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for arguments in (["classify", "-m", str(cnn28), str(picture)], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "edge_app", *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 4
        assert "pip install ai-edge-litert" in " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in done.stderr


def shell(line: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload]
        ["bash", "-c", line], capture_output=True, text=True, timeout=60, **options
    )


def test_closed_streams_are_told_or_borne(picture: Path, cnn28: Path) -> None:
    command = f"{sys.executable} -m edge_app classify --model {cnn28}"
    without_output = shell(f"{command} {picture} >&-")
    assert (without_output.returncode, without_output.stderr.count("\n")) == (4, 1)
    assert "standard output is closed" in without_output.stderr
    without_input = shell(f"{command} - <&-")
    assert without_input.returncode == 3
    assert "-: standard input is closed" in without_input.stderr
    without_errors = shell(f"{command} {picture} absent 2>&-")
    assert without_errors.returncode == 3
    assert "Cardiomegaly" in without_errors.stdout


def test_ctrl_c_ends_a_wait_for_standard_input(cnn28: Path) -> None:
    line = [sys.executable, "-m", "edge_app", "classify", "--model", str(cnn28), "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        state = Path(f"/proc/{child.pid}/wchan")
        deadline = time.monotonic() + 30
        while "pipe" not in state.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)  # until it waits for the pipe
        child.send_signal(signal.SIGINT)
        code = child.wait(timeout=30)
        assert child.stderr is not None
        said = child.stderr.read().decode()
    assert code == 130
    assert "interrupted after 0 answers" in said
