"""Which spools were here, kept apart from them: one that is gone is not made anew.

The spool of a disk that is not mounted looks like that of a new installation. A new one at its
mount point would take images onto the system's own disk; what waits in the other would be answered
by nobody, and what it knows would be answered twice, under other identifiers. A spool in memory is
meant to be gone at the machine's next start, and is made anew.

Of a folder that others make, as that of answers, it is noted which mount point it lay below.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_app.clinic import durable
from edge_app.clinic.database import PUT_BACK
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.places import is_in_memory
from edge_app.clinic.store import IMAGES, Store, is_there

SYSTEM: Final = Path("/var/lib/edge-cxr-state/edge-cxr/spools")
"""Where the service has it, for whoever asks beside it."""


def gone(spool: Path) -> str | None:
    """Why a spool is not to be made anew; None where it is there, or never was."""
    if is_there(spool):
        return None
    if _has_images(spool):  # which a new database would not know, nor who has what of them
        return f"{spool}: has images, and its database is gone: {PUT_BACK}"
    for note in _notes(spool):
        if os.path.lexists(note):
            why = "the spool that was here is gone: mount its disk"
            return f"{spool}: {why}; to begin anew, remove {note}"
    return None


def opened(spool: Path) -> Store:
    """A box's spool, made if it never was.

    Raises:
        SpoolError: it was, and is gone, or another one is there; or see `Store`.
    """
    if why := gone(spool):
        raise SpoolError(why)
    store = Store(spool)
    if why := other_spool(spool, store.salt):
        store.close()
        raise SpoolError(why)
    return store


def other_spool(spool: Path, salt: bytes) -> str | None:
    """That a spool is not the one that was here; None where it is, or nothing is known."""
    for note in _notes(spool):
        with suppress(OSError):
            if note.read_bytes() != _note_text(spool, salt):
                return (
                    f"{spool}: is another spool than the one that was here: mount its disk; to go "
                    f"on with this one, remove {note}"
                )
    return None


def remember(store: Store) -> None:
    """Know from now on that this spool was here, unless it lies in memory.

    Raises:
        OSError: that cannot be kept.
    """
    note = next(_notes(store.folder))
    if not os.path.lexists(note) and not is_in_memory(store.folder):
        _keep(note, _note_text(store.folder, store.salt))


def unmounted(folder: Path) -> str | None:
    """Why nothing is to be written into a folder; None where its disk is mounted, or never was."""
    for note in _mount_notes(folder):
        with suppress(OSError):
            mount = os.fsdecode(note.read_bytes().rstrip(b"\n"))
            if not os.path.ismount(mount):
                return (
                    f"{folder}: the disk that it was on is not mounted at {mount}: mount it; to go "
                    f"on without it, remove {note}"
                )
    return None


def remember_mount(folder: Path) -> None:
    """Know from now on that a folder that is there lies on a disk of its own, if it does.

    Raises:
        OSError: that cannot be kept.
    """
    note, mount = next(_mount_notes(folder)), os.path.realpath(folder)
    if os.path.lexists(note):
        return
    while not os.path.ismount(mount):
        mount = os.path.dirname(mount)
    if mount != os.sep:
        _keep(note, os.fsencode(f"{mount}\n"))


def _keep(note: Path, content: bytes) -> None:
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.replace(note, content)


def _mount_notes(folder: Path) -> Iterator[Path]:
    """Where it is noted below which mount point a folder lay; see `_notes`."""
    return (note.with_suffix(".mount") for note in _notes(folder))


def _note_text(spool: Path, salt: bytes) -> bytes:
    """What a note says: which spool, by its salt, and where."""
    which = hashlib.sha256(b"spool" + salt).hexdigest()
    return f"{which}\n{os.path.abspath(spool)}\n".encode(errors="surrogateescape")


def _notes(spool: Path) -> Iterator[Path]:
    """Where it is noted that a spool was here: this user's own place first, as far as there is."""
    path = os.path.abspath(spool).encode(errors="surrogateescape")
    name = hashlib.sha256(path).hexdigest()[:32]
    homes = os.environ.get("XDG_STATE_HOME", ""), os.path.expanduser("~/.local/state")
    own = [Path(home, "edge-cxr", "spools") for home in homes if os.path.isabs(home)]
    for folder in (*own[:1], SYSTEM):
        yield folder / name


def _has_images(spool: Path) -> bool:
    with suppress(OSError):
        return any((spool / IMAGES).iterdir())
    return False
