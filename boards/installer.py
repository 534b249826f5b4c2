"""Installs, upgrades, rolls back and removes edge-cxr on a board, from the kit this file lies in.

It needs only the standard library and no network. `install.sh` starts it after comparing the files
with SHA256SUMS. Each version has a folder of its own; a link leads to the current one and is
replaced atomically as the last step, so that the previous version works until then. The installed
version judges who made the kit: nothing in a kit can vouch for it.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
NAME = "edge-cxr"
NEEDED = ("install.sh", "installer.py", "kit.json")
COPIED = (*NEEDED, "SHA256SUMS", "SHA256SUMS.minisig")
"""Files kept with a version, so that it can be rolled back and removed without the kit, and so that
a later kit can be compared with it."""

COMPLETE = "complete"
"""The file that marks a version whose installation is complete."""

BEFORE = "before"
"""The link in a version that leads to the one before it."""

PATIENCE = 10
"""Seconds after which a long step reports its progress, repeatedly."""

DAMAGED, IMPOSSIBLE, INTERRUPTED = 3, 4, 130
UNKNOWN_COMMAND = 2
"""The exit code of a version without the command ``upgrade``."""


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
        self.previous = self.home / "previous"  # used by earlier installers instead of `BEFORE`
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

    def before(self, version: Path | None) -> Path | None:
        """The complete version that `version` replaced."""
        if version is None:
            return None
        noted = version / BEFORE
        return self.version(noted if os.path.lexists(noted) else self.previous)

    def switch(self, version: Path) -> None:
        """Make another version the current one in one step, after noting the way back."""
        current = self.version(self.current)
        if current is not None:
            _replace_link(version / BEFORE, os.path.join("..", current.name))
            _on_the_medium(version)
        _replace_link(self.current, os.path.join("versions", version.name))
        _on_the_medium(self.home)
        self.previous.unlink(missing_ok=True)


def install(place: Place, trusted: str | None = None) -> None:
    """Make the kit's version the current one.

    Args:
        place: where to.
        trusted: a key to trust from now on.

    Raises:
        Refusal: it cannot be installed; the previous version is still current.
    """
    kit = _read_kit()
    _require_a_board_for(kit)
    if os.path.lexists(place.command) and not _is_ours(place):
        raise Refusal(f"{place.command} is there already and not from a kit: move it away")
    version = place.versions / "{}-{}-py{}.{}".format(
        kit["version"], _digest()[:12], *sys.version_info[:2]
    )
    missing = _make_folders(place)
    with _locked(place):
        before = place.version(place.current)
        try:
            if not place.made.exists():
                place.made.write_text(json.dumps(missing))
            _ask(before)
            _remove_leftovers(place)
            if (version / COMPLETE).is_file():
                _test(version)
            else:
                _fill(version, kit)
            if before != version:
                place.switch(version)
            if not _is_ours(place):
                _replace_link(place.command, place.target)
            _remove_leftovers(place)
            os.sync()
        except BaseException:
            if place.version(place.current) is None:
                _remove(place)
            raise
    if trusted:
        _run([version / "bin" / NAME, "models", "trust", trusted], "--trust", show=True)
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
        current = place.version(place.current)
        previous = place.before(current)
        if previous is None or previous == current:
            raise Refusal("there is no version before this one")
        place.switch(previous)
    print(f"rolled back to {previous.name}")


def uninstall(place: Place) -> None:
    """Remove everything that was installed, and the folders that were made for it.

    Models that the user installed stay.
    """
    if not place.home.is_dir():
        raise Refusal(f"nothing is installed below {place.prefix}")
    with _locked(place):
        _remove(place)
    print(f"removed from {place.prefix}")


def _remove(place: Place) -> None:
    made = [Path(folder) for folder in json.loads(_text(place.made, "[]"))]
    if _is_ours(place):
        place.command.unlink()
    for link in (place.current, place.previous):
        link.unlink(missing_ok=True)
    shutil.rmtree(place.versions, ignore_errors=True)
    place.made.unlink(missing_ok=True)
    for folder in (place.home, *reversed(made)):
        with suppress(OSError):  # something else is in it by now
            folder.rmdir()


def _read_kit() -> dict[str, Any]:
    """`kit.json`, after checking that SHA256SUMS lists every file that it names.

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
    required = {f"wheels/{name}" for names in kit["wheels"].values() for name in names}
    required |= {f"wheels/{kit['pip']}", *NEEDED}
    if len(listed) != len(lines) or not required <= listed:
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
        _say(f"installing {NAME} {kit['version']} for Python {python} …")
        _say("making its environment …")
        # Debian's Python has ensurepip only with python3-venv; the kit brings pip itself.
        _run([sys.executable, "-m", "venv", "--without-pip", version], "venv")
        inside = version / "bin" / "python"
        pip = HERE / "wheels" / kit["pip"] / "pip"
        options = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "-q"]
        _say(f"unpacking {len(wheels)} packages …")
        _run(
            [inside, pip, "install", *options, *wheels],
            "pip",
            far=lambda: f"{_unpacked(version)} of {len(wheels)}",
        )
        kept = version / "kit"
        kept.mkdir()
        for name in COPIED:
            if (HERE / name).exists():
                shutil.copy(HERE / name, kept)
        _test(version)
        _say("waiting until the disk or card has it all …")
        os.sync()
        (version / COMPLETE).touch()
        os.sync()
    except BaseException:
        shutil.rmtree(version, ignore_errors=True)
        raise


def _unpacked(version: Path) -> int:
    """How many packages the version's environment has so far."""
    return len(list(version.glob("lib/*/site-packages/*.dist-info")))


def _say(line: str) -> None:
    """Print a line at once, because a step may take a minute on a small board."""
    print(line, flush=True)


def _test(version: Path) -> None:
    _say("testing it here …")
    _run(
        [version / "bin" / NAME, "doctor"], "the self-test", show=True, far=lambda: "it still tests"
    )


def _ask(current: Path | None) -> None:
    """Have the installed version judge the kit: it knows which keys this machine trusts.

    Raises:
        Refusal: it refuses the kit, or it does not start although this machine trusts keys.
    """
    if current is None:
        print("who made this kit was not checked: no installed version is here that could")
        return
    try:
        done = _started([current / "bin" / NAME, "upgrade", "--check", HERE])
        code, said = done.returncode, done.stdout.strip().splitlines()[-1:]
    except OSError:
        code, said = 127, []
    if code == 0:
        print(*said)
    elif code == UNKNOWN_COMMAND:
        print("who made this kit was not checked: the installed version is too old for that")
    elif code in (IMPOSSIBLE, DAMAGED):
        words = " ".join(said).removeprefix(f"{NAME}: ")
        raise Refusal(words.replace(f"{HERE}:", "this kit", 1))
    elif any(os.path.lexists(place) for place in _keys_places()):
        raise Refusal(
            "the installed version does not start, and it alone knows whom this place trusts: see "
            "who made this kit with minisign, remove that version with --uninstall, install again"
        )
    else:
        print("who made this kit was not checked: the installed version does not start")


def _keys_places() -> list[str]:
    """The application's possible places for trusted keys."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    named = os.environ.get("EDGE_CXR_KEYS", "none")
    own = os.path.join(home, NAME, "keys")
    return [own, f"/etc/{NAME}/keys", *([] if named == "none" else [named])]


def _run(
    line: list[Any], what: str, show: bool = False, far: Callable[[], str] | None = None
) -> None:
    done = _started(line, far)
    if show:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        reason = said[-1].strip()[:300] if said and not show else f"exit code {done.returncode}"
        raise Refusal(f"{what} failed: {reason}")


def _started(
    line: list[Any], far: Callable[[], str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with standard error in its output; `far` returns its progress meanwhile."""
    # Settings of pip and Python in the operator's shell must not affect the kit.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    }
    clean["PIP_CONFIG_FILE"] = os.devnull
    with subprocess.Popen(
        [os.fspath(part) for part in line],
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        while True:
            try:
                said, _ = process.communicate(timeout=PATIENCE if far else None)
                return subprocess.CompletedProcess(line, process.returncode, said)
            except subprocess.TimeoutExpired:
                if far:
                    _say(f"  {far()}")
            except BaseException:
                process.kill()
                raise


def _make_folders(place: Place) -> list[str]:
    """Make missing folders, and return them for `uninstall`."""
    missing: list[str] = []
    for folder in (place.command.parent, place.home.parent):
        absent = [each for each in (folder, *folder.parents) if not each.exists()]
        missing += map(str, reversed(absent))
        folder.mkdir(parents=True, exist_ok=True)
    place.versions.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_leftovers(place: Place) -> None:
    """Remove versions that are neither current nor previous: older ones and incomplete ones."""
    current = place.version(place.current)
    kept = {current, place.before(current)}
    for version in place.versions.iterdir():
        if version not in kept:
            shutil.rmtree(version, ignore_errors=True)


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """A context in which no other installer runs below this prefix."""
    busy = Refusal("another installer is at work here: wait for it")
    try:
        descriptor = os.open(place.home, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # another one has just removed it
        raise busy from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.stat(place.home), os.fstat(descriptor))
        except (BlockingIOError, FileNotFoundError):
            raise busy from None
        if not same:
            raise busy
        yield
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


def _on_the_medium(folder: Path) -> None:
    """Write a folder's entries to the medium before the next step."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    """Parse and act; every error is one line."""
    parser = argparse.ArgumentParser(prog="install.sh", description=__doc__.split("\n")[0])
    parser.add_argument("--prefix", help="default: ~/.local")
    parser.add_argument("--python", help="the Python to use; default: the first that fits")
    parser.add_argument("--trust", metavar="KEY", help="trust this key from now on")
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--rollback", action="store_true", help="back to the version before")
    actions.add_argument("--uninstall", action="store_true", help="remove everything")
    options = parser.parse_args()
    os.umask(0o022)  # others may read and run what is installed, and change nothing
    try:
        place = Place(_prefix(options.prefix))
        if options.rollback:
            roll_back(place)
        elif options.uninstall:
            uninstall(place)
        else:
            install(place, options.trust)
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
