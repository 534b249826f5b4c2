"""A board's own Python as a folder: Debian packages unpacked, and qemu in front of the interpreter.

The folder's `python3` is a script that starts the real one under qemu, with the script's path as
its name. So this machine's kernel can start `sys.executable`, and child processes, virtual
environments and their `#!` lines work as on the board.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from boards import apt
from boards.board import CORES, LIBRARIES, Board
from boards.lock import locked

RECIPE_VERSION: Final = 2
"""Version of the layout; when it changes, existing folders are made anew."""


@dataclasses.dataclass(frozen=True)
class Sysroot:
    """A board that programs can be started on."""

    board: Board
    root: Path

    @property
    def bin(self) -> Path:
        """The folder with `python3`, for the front of a PATH."""
        return self.root / "usr" / "bin"

    @property
    def python(self) -> Path:
        """The program that starts the board's Python on this machine."""
        return self.bin / f"python{self.board.python}"

    def environment(self, **more: str) -> dict[str, str]:
        """This process's environment with the board's `python3` first, no Python settings."""
        ours = {**clean_environment(), **more}
        return {**ours, "PATH": f"{self.bin}:{ours.get('PATH', os.defpath)}"}


def clean_environment() -> dict[str, str]:
    """This process's environment without the settings that affect another Python."""
    mine = os.environ.items()
    return {k: v for k, v in mine if not k.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))}


AS_ELF: Final = """# pip reads in the interpreter's ELF header which wheels it can take.
import builtins, sys

def _open(file, *arguments, _real=builtins.open, **options):
    return _real({real!r} if file == sys.executable else file, *arguments, **options)

builtins.open = _open
"""


def get(board: Board, cache: Path, say: Callable[[str], None] = lambda line: None) -> Sysroot:
    """The board's sysroot below `cache`, made unless it is there already.

    Args:
        board: to emulate.
        cache: where downloads and systems are kept.
        say: gets a line before something is fetched.

    Raises:
        EmulationUnavailableError: this machine lacks something for emulation.
        DownloadError: packages cannot be fetched.
    """
    emulator = find_emulator(board.processor.qemu)
    place = cache.resolve() / board.name
    sysroot = Sysroot(board, place / "root")
    recipe = json.dumps(
        {"version": RECIPE_VERSION, "place": str(place), "emulator": emulator}
        | dataclasses.asdict(board)
    )
    stamp = place / "recipe.json"
    with locked(cache):
        if not (stamp.exists() and stamp.read_text() == recipe):
            say(f"fetching the system of {board.title} into {place}, once: 50 to 80 MB")
            shutil.rmtree(place, ignore_errors=True)
            _make(sysroot, emulator, place / "apt")
            shutil.rmtree(place / "apt")
            stamp.write_text(recipe)
    return sysroot


def find_emulator(name: str) -> str:
    """The path of qemu, which root installs by apt if it is missing.

    Raises:
        EmulationUnavailableError: it is not there and cannot be installed.
    """
    if not shutil.which(name):
        apt.install("qemu-user-static")
    return shutil.which(name) or name


def _make(sysroot: Sysroot, emulator: str, work: Path) -> None:
    board, root = sysroot.board, sysroot.root
    python = f"python{board.python}"
    packages = apt.download(board.suite, board.architecture, (python, *LIBRARIES), work)
    apt.unpack(packages, root)
    _tell_the_processor(board, root)
    _start_under(emulator, sysroot, python)


def _tell_the_processor(board: Board, root: Path) -> None:
    proc = root / "proc"
    (proc / "device-tree").mkdir(parents=True, exist_ok=True)
    cores = (f"processor\t: {core}\n{board.processor.cpuinfo}\n" for core in range(CORES))
    model = board.processor.model
    (proc / "cpuinfo").write_text("".join(cores) + f"Model\t\t: {model}\n")
    (proc / "device-tree" / "model").write_text(model + "\0")


def _start_under(emulator: str, sysroot: Sysroot, python: str) -> None:
    real = sysroot.root / "usr" / "libexec" / python
    real.parent.mkdir(exist_ok=True)
    sysroot.python.rename(real)
    line = [emulator, "-cpu", sysroot.board.processor.cpu, "-L", str(sysroot.root)]
    sysroot.python.write_text(
        f'#!/bin/sh\nexec {shlex.join(line)} -0 "$0" {shlex.quote(str(real))} "$@"\n'
    )
    sysroot.python.chmod(0o755)
    customize = sysroot.root / "usr" / "lib" / python / "sitecustomize.py"
    customize.unlink(missing_ok=True)
    customize.write_text(AS_ELF.format(real=str(real)))
    (sysroot.bin / "python3").unlink(missing_ok=True)
    (sysroot.bin / "python3").symlink_to(python)
