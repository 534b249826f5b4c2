"""Installs, upgrades, rolls back and removes edge-cxr on a board, from the kit this file lies in.

Needs the standard library alone and no network. Started by `install.sh`, which has compared the
files with SHA256SUMS. Each version has a folder of its own; a link says which one is current and is
replaced atomically as the last step, so that the previous version works until then.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
NAME = "edge-cxr"
COPIED = ("install.sh", "installer.py", "kit.json")
"""Kept with a version, so that it can be rolled back and removed without the kit."""

COMPLETE = "complete"
"""The file that marks a version whose installation is complete."""

DAMAGED, IMPOSSIBLE, INTERRUPTED = 3, 4, 130


class Refusal(Exception):
    """Why nothing was changed, in one line, and the exit code."""

    def __init__(self, message: str, code: int = IMPOSSIBLE) -> None:
        super().__init__(message)
        self.code = code


class Place:
    """The paths below a prefix."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.home = prefix / "share" / NAME
        self.versions = self.home / "versions"
        self.current = self.home / "current"
        self.previous = self.home / "previous"
        self.made = self.home / "made.json"
        self.command = prefix / "bin" / NAME
        self.target = os.path.join("..", "share", NAME, "current", "bin", NAME)

    def version(self, link: Path) -> Path | None:
        """The complete version that `current` or `previous` leads to."""
        try:
            version = self.versions / os.path.basename(os.readlink(link))
        except OSError:
            return None
        return version if (version / COMPLETE).is_file() else None

    def point(self, link: Path, version: Path) -> None:
        """Let a link lead to another version, in one step."""
        _replace_link(link, os.path.join("versions", version.name))


def install(place: Place) -> None:
    """Make the kit's version the current one.

    Raises:
        Refusal: it cannot be; the version before is still current.
    """
    kit = _read_kit()
    _require_a_board_for(kit)
    if os.path.lexists(place.command) and not _is_ours(place):
        raise Refusal(f"{place.command} is there already and not from a kit: move it away")
    version = place.versions / "{}-{}-py{}.{}".format(
        kit["version"], _digest()[:12], *sys.version_info[:2]
    )
    _make_folders(place)
    try:
        with _locked(place):
            before = place.version(place.current)
            _remove_leftovers(place)
            if (version / COMPLETE).is_file():
                _test(version)
            else:
                _fill(version, kit)
            if before != version:
                if before:
                    place.point(place.previous, before)
                place.point(place.current, version)
            if not _is_ours(place):
                _replace_link(place.command, place.target)
            _remove_leftovers(place)
            os.sync()
    except BaseException:
        if place.version(place.current) is None:
            _remove(place)
        raise
    print(f"installed: {version.name}")
    if before and before != version:
        print(f"back to {before.name}: {_command_line(place, '--rollback')}")
    _print_next_steps(place)


def roll_back(place: Place) -> None:
    """Make the previous version the current one; a second time changes back.

    Raises:
        Refusal: there is none.
    """
    if not place.home.is_dir():
        raise Refusal(f"nothing is installed below {place.prefix}")
    with _locked(place):
        current, previous = place.version(place.current), place.version(place.previous)
        if previous is None or previous == current:
            raise Refusal("there is no version before this one")
        place.point(place.current, previous)
        if current:
            place.point(place.previous, current)
        os.sync()
    print(f"rolled back to {previous.name}")


def uninstall(place: Place) -> None:
    """Remove all that was installed, and the folders that were made for it."""
    if not place.home.is_dir():
        raise Refusal(f"nothing is installed below {place.prefix}")
    with _locked(place):
        _remove(place)
    print(f"removed from {place.prefix}")


def _remove(place: Place) -> None:
    made = [Path(folder) for folder in json.loads(_text(place.made, "[]"))]
    if _is_ours(place):
        place.command.unlink()
    shutil.rmtree(place.home)
    for folder in reversed(made):
        with suppress(OSError):  # something else is in it by now
            folder.rmdir()


def _read_kit() -> dict[str, Any]:
    """`kit.json`, once every file that it names is found in SHA256SUMS.

    install.sh has compared the digests, but sha256sum skips lines that it does not understand.
    """
    try:
        kit: dict[str, Any] = json.loads((HERE / "kit.json").read_text())
        lines = (HERE / "SHA256SUMS").read_text().splitlines()
    except FileNotFoundError:
        raise Refusal("no kit lies beside this installer: start install.sh in the kit") from None
    except ValueError:
        raise Refusal("the kit is damaged: copy it again", DAMAGED) from None
    listed = {line[66:] for line in lines if line[64:66] == "  "}
    wanted = {f"wheels/{name}" for names in kit["wheels"].values() for name in names}
    if len(listed) != len(lines) or not wanted | set(COPIED) <= listed:
        raise Refusal("the kit is damaged: SHA256SUMS does not list all of it", DAMAGED)
    return kit


def _digest() -> str:
    import hashlib

    return hashlib.sha256((HERE / "SHA256SUMS").read_bytes()).hexdigest()


def _require_a_board_for(kit: dict[str, Any]) -> None:
    bits, machine = 8 * struct.calcsize("P"), platform.machine()
    if machine not in kit["machines"] or bits != kit["bits"]:
        raise Refusal(
            "this kit ({}) is for {} bit {}, here is {} bit Python on {}".format(
                kit["target"], kit["bits"], " or ".join(kit["machines"]), bits, machine
            )
        )
    python = "{}.{}".format(*sys.version_info[:2])
    if python not in kit["wheels"] or sys.implementation.name != "cpython":
        raise Refusal(
            "the kit has wheels for Python {}, not for {} {} ({}): see --python".format(
                ", ".join(kit["wheels"]), sys.implementation.name, python, sys.executable
            )
        )
    library, found = platform.libc_ver()
    if library != "glibc" or _numbers(found) < _numbers(kit["glibc"]):
        raise Refusal(
            "the kit's wheels need glibc {} or newer, here is {} {}".format(
                kit["glibc"], library or "another C library", found
            )
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _fill(version: Path, kit: dict[str, Any]) -> None:
    """Make a virtual environment with the kit's wheels, and run its self-test."""
    python = "{}.{}".format(*sys.version_info[:2])
    wheels = [HERE / "wheels" / name for name in kit["wheels"][python]]
    try:
        print(f"installing {NAME} {kit['version']} for Python {python} …", flush=True)
        # Debian's Python has ensurepip only with python3-venv; the kit brings pip itself.
        _run([sys.executable, "-m", "venv", "--without-pip", version], "venv")
        inside = version / "bin" / "python"
        pip = HERE / "wheels" / kit["pip"] / "pip"
        options = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "-q"]
        _run([inside, pip, "install", *options, *wheels], "pip")
        kept = version / "kit"
        kept.mkdir()
        for name in COPIED:
            shutil.copy(HERE / name, kept)
        _test(version)
        os.sync()
        (version / COMPLETE).touch()
        os.sync()
    except BaseException:
        shutil.rmtree(version, ignore_errors=True)
        raise


def _test(version: Path) -> None:
    _run([version / "bin" / NAME, "doctor"], "the self-test", show=True)


def _run(line: list[Any], what: str, show: bool = False) -> None:
    # Settings of pip and Python in the operator's shell must not affect the kit.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    }
    clean["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(
        [os.fspath(part) for part in line],
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if show:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        reason = said[-1].strip()[:300] if said and not show else f"exit code {done.returncode}"
        raise Refusal(f"{what} failed: {reason}")


def _make_folders(place: Place) -> None:
    """Make the folders that are missing, and record them for `uninstall`."""
    made: list[Path] = []
    for folder in (place.command.parent, place.home.parent):
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir()
            made.append(each)
    place.versions.mkdir(parents=True, exist_ok=True)
    if not place.made.exists():
        place.made.write_text(json.dumps([str(folder) for folder in made]))


def _remove_leftovers(place: Place) -> None:
    """Remove versions that are neither current nor previous: older ones and incomplete ones."""
    kept = {place.version(place.current), place.version(place.previous)}
    for version in place.versions.iterdir():
        if version not in kept:
            shutil.rmtree(version, ignore_errors=True)


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """A lock: within it, no other installer runs below this prefix."""
    descriptor = os.open(place.home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refusal("another installer is at work here: wait for it") from None
    finally:
        os.close(descriptor)


def _is_ours(place: Place) -> bool:
    try:
        return os.readlink(place.command) == place.target
    except OSError:
        return False


def _replace_link(link: Path, target: str) -> None:
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    if os.path.lexists(fresh):
        fresh.unlink()
    fresh.symlink_to(target)
    os.replace(fresh, link)


def _text(path: Path, otherwise: str) -> str:
    try:
        return path.read_text()
    except OSError:
        return otherwise


def _command_line(place: Place, option: str) -> str:
    return f"sh '{place.current / 'kit' / 'install.sh'}' {option} --prefix '{place.prefix}'"


def _print_next_steps(place: Place) -> None:
    found = shutil.which(NAME)
    command = NAME if found and os.path.samefile(found, place.command) else f"'{place.command}'"
    print(f"now type: {command} classify IMAGE")
    if command != NAME:
        print(f"or put {place.command.parent} on the PATH, and type {NAME}")
    print(f"to remove it: {_command_line(place, '--uninstall')}")


def _prefix(chosen: str | None) -> Path:
    if chosen:
        return Path(os.path.abspath(chosen))
    try:
        return Path.home() / ".local"
    except RuntimeError:
        raise Refusal("there is no home folder: say where to with --prefix FOLDER") from None


def main() -> NoReturn:
    """Parse, act; every fault is one line."""
    parser = argparse.ArgumentParser(prog="install.sh", description=__doc__.split("\n")[0])
    parser.add_argument("--prefix", help="default: ~/.local")
    parser.add_argument("--python", help="the Python to use; default: the first that fits")
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--rollback", action="store_true", help="back to the version before")
    actions.add_argument("--uninstall", action="store_true", help="remove everything")
    options = parser.parse_args()
    action = roll_back if options.rollback else uninstall if options.uninstall else install
    try:
        action(Place(_prefix(options.prefix)))
        code = 0
    except Refusal as refusal:
        print(f"install.sh: {refusal}", file=sys.stderr)
        code = refusal.code
    except KeyboardInterrupt:
        print("install.sh: interrupted; nothing was changed", file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:
        print(f"install.sh: {error.filename or 'the board'}: {error.strerror}", file=sys.stderr)
        code = IMPOSSIBLE
    sys.exit(code)


if __name__ == "__main__":
    main()
