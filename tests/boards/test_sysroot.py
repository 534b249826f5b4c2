"""What is said while a board is made, and where it cannot be emulated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from boards import apt, sysroot
from boards.board import find
from boards.errors import DownloadError, EmulationUnavailableError

BOARD = find("debian12-arm64")


def test_without_qemu_and_root_it_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if "qemu" in name else f"/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EmulationUnavailableError, match="sudo apt-get install qemu-user-static"):
        sysroot.get(BOARD, tmp_path)
    assert not list(tmp_path.iterdir())


def test_downloads_are_announced_before_they_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    announced: list[str] = []

    def fetching(*_: object) -> None:
        raise DownloadError("no network", *announced)

    monkeypatch.setattr(sysroot, "find_emulator", lambda name: name)
    monkeypatch.setattr(sysroot, "_make", fetching)
    with pytest.raises(DownloadError) as stopped:
        sysroot.get(BOARD, tmp_path, announced.append)
    [line] = stopped.value.args[1:]
    assert BOARD.title in line
    assert "fetching" in line


def test_without_its_packages_it_says_what_to_type() -> None:
    bare = [sys.executable, "-S", "-m", "boards", "kit"]
    home = Path(__file__).parents[2]
    done = subprocess.run(bare, cwd=home, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("boards: No module named ")
    assert "make .venv/workstation/installed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_apt_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EmulationUnavailableError, match="apt-get and dpkg-deb are needed"):
        apt.mirror()


def test_apts_own_reason_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apt, "mirror", lambda: "http://127.0.0.1:9/debian")
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda line, **options: subprocess.CompletedProcess(line, 100, "", "E: no connection\n"),
    )
    with pytest.raises(DownloadError, match="apt-get update failed: E: no connection"):
        apt.download("bookworm", "arm64", ["python3.11"], tmp_path)
