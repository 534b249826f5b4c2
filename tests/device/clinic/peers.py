"""Others' programs that a box meets in a clinic (dcmtk, Orthanc, dicom3tools): used or skipped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

SECONDS = 300
"""For which anything is waited for before it counts as lost; nothing is judged by its time."""


def program(name: str, package: str) -> str:
    """The path of a program; the test is skipped where it is not installed.

    Those of this environment are left out: pynetdicom has a `storescu` of its own.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    others = [each for each in folders if Path(each) != Path(sys.prefix, "bin")]
    found = shutil.which(name, path=os.pathsep.join([*others, "/usr/sbin"]))
    if not found:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


def wait_for(what: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, f"{name} did not come"
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0


def dcmtk_line(name: str, *arguments: object) -> list[str]:
    """The command line of one of dcmtk's programs."""
    return [program(name, "dcmtk"), *map(str, arguments)]


def dcmtk(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of dcmtk's programs; its output comes as text whatever it holds."""
    line = dcmtk_line(name, *arguments)
    return subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=SECONDS)


def storescu(port: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    return dcmtk("storescu", "-v", "-aec", "EDGECXR", "127.0.0.1", port, *arguments)


def dump(path: Path) -> str:
    """What dsrdump reads in a structured report."""
    done = dcmtk("dsrdump", "-Ec", "+Pc", "+Pl", path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def verify(path: Path) -> list[str]:
    """The errors that dciodvfy finds in a DICOM file."""
    verifier = program("dciodvfy", "dicom3tools")
    done = subprocess.run([verifier, str(path)], capture_output=True, text=True, errors="replace")
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


class Orthanc:
    """An archive, with what it holds."""

    def __init__(self, port: int, http: int) -> None:
        self.port, self.http = port, http

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}") as answer:
            return json.load(answer)

    def instances(self) -> list[str]:
        """Numbers of all that it holds."""
        return list(self.get("/instances"))

    def tags(self, instance: str) -> dict[str, Any]:
        """The elements of an object, by their keywords."""
        return dict(self.get(f"/instances/{instance}/simplified-tags"))


@contextmanager
def running_orthanc(folder: Path, port: int, http: int) -> Iterator[Orthanc]:
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
    }
    folder.mkdir(exist_ok=True)
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    process = subprocess.Popen(
        [program("Orthanc", "orthanc"), str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: listens(port) and listens(http), "Orthanc")
        yield Orthanc(port, http)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def running_storescp(folder: Path, port: int) -> Iterator[None]:
    """dcmtk's `storescp`, which writes into a folder what it gets, and syncs nothing."""
    folder.mkdir()
    # --fork: it serves one sender after the other otherwise.
    process = subprocess.Popen(dcmtk_line("storescp", "--fork", "-od", folder, port))
    try:
        wait_for(lambda: listens(port), "storescp")
        yield
    finally:
        process.terminate()
        process.wait()


class Box:
    """`edge-cxr serve` as a process.

    Args:
        folder: with the settings, the spool, the log.
        text: the settings; ``{folder}`` stands for the folder.
    """

    def __init__(self, folder: Path, text: str) -> None:
        self.folder, self.settings = folder, folder / "box.toml"
        self.settings.write_text(text)
        self.log_file = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, event: str = "started") -> None:
        """Start it, and wait until it says so."""
        count = self.log().count(f" {event} ")
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge_app", "serve", str(self.settings)],
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self.log().count(f" {event} ") > count or self.ended(), event)
        assert not self.ended(), self.log()

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def wait_for(self, event: str, count: int = 1) -> None:
        """Until it has told of an event so often."""
        wait_for(lambda: self.log().count(f" {event} ") >= count, f"{count} {event}")

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it; its exit code."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def running(box: Box) -> Iterator[Box]:
    box.start("listening" if "[node]" in box.settings.read_text() else "started")
    try:
        yield box
    finally:
        box.kill()
