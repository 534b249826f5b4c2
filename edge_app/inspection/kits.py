"""`edge-cxr upgrade`: the installed version judges the next one's kit before anything of it runs.

A kit's own installer cannot vouch for the kit. What is installed already can: it holds the kit's
``SHA256SUMS`` to the keys that this place trusts, and every file to those digests.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.core import strict_json, trust
from edge_app.core.errors import OutputError, SignatureError, UsageError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.core.trust import Keys, Origin

SUMS: Final = "SHA256SUMS"
FACTS: Final = "kit.json"
LINE: Final = re.compile(r"([0-9a-f]{64})  ((?:wheels/|service/)?[A-Za-z0-9][A-Za-z0-9._+-]*)")
MAX_TEXT: Final = 1 << 20
MAX_BYTES: Final = 1 << 30
"""Bytes of a whole kit, at most."""

INCOMING: Final = "incoming-"


class Kit(NamedTuple):
    """A kit whose files are all as its `SUMS` says.

    Attributes:
        target: which boards it is for.
        sums: the bytes of `SUMS`.
        origin: who made it.
    """

    target: str
    sums: bytes
    origin: Origin


class Installation(NamedTuple):
    """Where this application was installed by a kit.

    Attributes:
        home: holds the versions.
        prefix: what the installer was told.
    """

    home: Path
    prefix: Path

    @property
    def kits(self) -> list[Path]:
        """What the versions that are there keep of their kits."""
        return sorted(self.home.glob("versions/*/kit"))


def installation() -> Installation | None:
    """That of this process; None where it was installed otherwise."""
    version = Path(sys.prefix)
    if not (version / "kit" / FACTS).is_file():
        return None
    home = version.parent.parent
    return Installation(home, home.parent.parent)


def checked(folder: Path, here: Installation | None, called: Path | None = None) -> Kit:
    """An unpacked kit, found whole, made by whom this place trusts, and not an older one.

    Args:
        folder: of the kit.
        here: whose kits it has to be later than.
        called: the folder that messages name instead.

    Raises:
        SignatureError: it is not; one line says why.
    """
    keys = trust.pinned()
    try:
        kit = _whole(folder, keys)
        trust.require(kit.origin, keys)
        if here is not None:
            _require_no_way_back(kit, here, keys)
    except (SignatureError, UnreadableError) as error:
        raise SignatureError(f"{called or folder}: {error}") from None
    except OSError as error:
        raise SignatureError(f"{error.filename or folder}: {error.strerror}") from None
    return kit


def upgrade(folder: Path) -> int:
    """Check a copy of an unpacked kit that nobody else can change, and start its installer.

    Returns:
        The installer's exit code.

    Raises:
        SignatureError: the kit is not to be trusted; nothing of it ran.
        UsageError: this application was not installed by a kit.
        OutputError: there is no room for the copy.
    """
    here = installation()
    if here is None:
        raise UsageError(
            f"this edge-cxr was not installed by a kit: sh {folder / 'install.sh'} installs one"
        )
    with _incoming(here) as place:
        try:
            _copy(folder, place)
        except OSError as error:
            raise OutputError(f"{error.filename or folder}: {error.strerror}") from None
        print(f"{folder}: {checked(place, here, folder).origin.words}", flush=True)
        line = ["sh", str(place / "install.sh"), "--prefix", str(here.prefix)]
        return subprocess.run(line, stdin=subprocess.DEVNULL).returncode


def _whole(folder: Path, keys: Keys) -> Kit:
    sums = read_bounded(folder / SUMS, MAX_TEXT)
    origin = trust.origin(sums, trust.read_signature(folder / SUMS), "kit", _target(folder), keys)
    stated = _stated(sums)
    there = {SUMS, SUMS + trust.SUFFIX, *stated}
    strange = sorted(_files(folder) - there)
    if strange:
        raise SignatureError(f"{strange[0]} does not belong to the kit: copy it again")
    for name, digest in stated.items():
        if _digest(folder / name) != digest:
            raise SignatureError(f"{name} is not the kit's: damaged or changed, copy it again")
    return Kit(_target(folder), sums, origin)


def _target(folder: Path) -> str:
    """By its own account; `SUMS` covers what says so."""
    try:
        facts = strict_json.parse(read_bounded(folder / FACTS, MAX_TEXT))
        return str(facts["target"])
    except (ValueError, KeyError, TypeError):
        raise SignatureError(f"{FACTS} is damaged: copy the kit again") from None


def _stated(sums: bytes) -> dict[str, str]:
    lines = sums.decode("utf-8", "replace").splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    stated = {match[2]: match[1] for match in found if match}
    if len(stated) != len(lines) or not {FACTS, "install.sh", "installer.py"} <= stated.keys():
        raise SignatureError(f"{SUMS} is damaged: copy the kit again")
    return stated


def _files(folder: Path) -> set[str]:
    """What lies in a kit's folder: plain files, and no links."""
    found = set()
    for top, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(top, name)
            kind = path.lstat().st_mode
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise SignatureError(f"{path} is no plain file: copy the kit again")
            if not stat.S_ISDIR(kind):
                found.add(path.relative_to(folder).as_posix())
    return found


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _require_no_way_back(kit: Kit, here: Installation, keys: Keys) -> None:
    """Refuse a kit that is older than one that was installed."""
    known: dict[int, bytes] = {}
    for kept in here.kits:
        with suppress(SignatureError, UnreadableError):
            sums = read_bounded(kept / SUMS, MAX_TEXT)
            origin = trust.origin(
                sums, trust.read_signature(kept / SUMS), "kit", _target(kept), keys
            )
            if origin.serial is not None:
                known[origin.serial] = sums
    if not known:
        return
    latest, serial = max(known), kit.origin.serial
    if serial is None:
        raise SignatureError(f"{kit.origin.words}, and an installed version is signed")
    if serial < latest:
        back = f"to go back: sh {here.home / 'current' / 'kit' / 'install.sh'} --rollback"
        raise SignatureError(f"has serial {serial}, and {latest} was installed already; {back}")
    if serial == latest and known[latest] != kit.sums:
        raise SignatureError(
            f"has the serial {latest} of another kit, which is installed: ask its maker"
        )


@contextmanager
def _incoming(here: Installation) -> Iterator[Path]:
    """A folder of one's own for a kit; what a killed upgrade left is removed."""
    try:
        for left in here.home.glob(f"{INCOMING}*"):
            with suppress(OSError), _held(left):
                shutil.rmtree(left)
        place = Path(tempfile.mkdtemp(prefix=INCOMING, dir=here.home))
    except OSError as error:
        raise OutputError(f"{error.filename or here.home}: {error.strerror}") from None
    try:
        with _held(place):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _held(place: Path) -> Iterator[None]:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _copy(folder: Path, place: Path) -> None:
    names = _files(folder)
    if SUMS not in names:
        raise UsageError(f"{folder}: is no unpacked kit: tar -xf KIT.tar.gz unpacks one")
    if sum((folder / name).stat().st_size for name in names) > MAX_BYTES:
        raise SignatureError(f"{folder}: is larger than any kit")
    for name in sorted(names):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / name, place / name, follow_symlinks=False)
