"""Installing the device application on a board as an operator or an integrator does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from boards import kit, processes, wheels
from boards.errors import BoardsError
from boards.processes import Done
from boards.wheels import Target


@dataclass(frozen=True)
class Installed:
    """An installed `edge-cxr`.

    Attributes:
        how: what it was installed from.
        command: the beginning of its command lines.
        place: the folder it was installed into.
    """

    how: str
    command: tuple[str, ...]
    environment: dict[str, str]
    place: Path

    def __call__(self, *arguments: object, folder: Path | None = None) -> Done:
        line = [*self.command, *map(str, arguments)]
        return processes.run(line, self.environment, folder)


def from_kit(
    archive: Path, environment: dict[str, str], work: Path, options: Sequence[str] = ()
) -> Installed:
    """Unpack a kit and run its installer.

    Raises:
        BoardsError: the installer fails.
    """
    folder, prefix = kit.unpack(archive, work / "kit"), work / "prefix"
    line = ["sh", str(folder / "install.sh"), "--prefix", str(prefix), *options]
    done = processes.run(line, environment)
    if done.code:
        raise BoardsError(f"{archive.name}: {' '.join((done.err or done.out).split())[-300:]}")
    command = (str(prefix / "bin" / "edge-cxr"),)
    return Installed(f"kit {folder.name.split('-kit-')[1]}", command, environment, prefix)


def from_wheels(
    chosen: Sequence[Path], target: Target, python: Path, environment: dict[str, str], work: Path
) -> Installed:
    """Unpack wheels into a folder that is put on the search path of the board's Python.

    Raises:
        BoardsError: pip refuses one.
    """
    site = work / "site"
    wheels.install(chosen, target, site)
    # -S: without the packages of the machine's own Python.
    command = (str(python), "-S", "-m", "edge_app")
    return Installed("wheels", command, {**environment, "PYTHONPATH": str(site)}, site)


def own_python() -> Path:
    """The Python that this environment was made from."""
    version = "{}.{}".format(*sys.version_info[:2])
    return Path(sys.base_prefix) / "bin" / f"python{version}"
