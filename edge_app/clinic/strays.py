"""Files of the spool that no row of its database names, at a start.

A kill leaves some: of images that were not accepted yet, or are finished and go away. An older copy
of the database that somebody puts back leaves others: of images that were accepted since. How a
file is named tells them apart, and none of the latter is removed: they are taken again, which is
harmless of one that was never acknowledged.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.clinic.durable import PARTIAL
from edge_app.clinic.header import HeaderError, about, instance_of, read_header
from edge_app.clinic.image_file import LostError, digest_of, read_unchecked
from edge_app.clinic.retention import going, remove_going
from edge_app.clinic.settings import NODE, PAGE, WATCH
from edge_app.clinic.spool import Offered
from edge_app.clinic.store import Store
from edge_app.images.radiograph import Limits

ARRIVING: Final = ".arriving"
"""The ending of the name of an upload that is not accepted yet."""

SENDER: Final = "spool"
"""The sender of an image that is taken again."""

HEADER_BYTES: Final = 8 << 20
"""Bytes of a DICOM file in which the elements before its pixels are looked for."""


class Strays(NamedTuple):
    """What was found.

    Attributes:
        removed: how many files are gone: incomplete ones, those of finished images, and copies of
            files of the watch folder, which stay there until their answer has come.
        accepted: those of images that were accepted, or were about to be.
        unknown: how many others there are, which stay: of an older box, or somebody's.
    """

    removed: int
    accepted: list[Path]
    unknown: int


def sweep(store: Store) -> Strays:
    """Remove what nobody waits for; while nothing is being accepted."""
    with suppress(OSError):
        remove_going(store)
    known = {row[0] for row in store.rows("SELECT file FROM image")}
    known |= going(store)  # where the disk does not do it, they are left to `remove_finished`
    removed, unknown, accepted = 0, 0, list[Path]()
    for path in store.images.iterdir():
        if path.name in known:
            continue
        if path.suffix in (ARRIVING, f".{WATCH}") or PARTIAL.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
                removed += 1
        elif path.suffix in (f".{NODE}", f".{PAGE}"):
            accepted.append(path)
        else:
            unknown += 1
    return Strays(removed, sorted(accepted), unknown)


def offered_again(path: Path, limits: Limits) -> Offered:
    """An accepted image, from its file alone.

    Raises:
        LostError: it has changed on the disk, or is gone.
        SpoolError, MachineError: it cannot be read now.
    """
    entrance = path.suffix.removeprefix(".")
    data = read_unchecked(path, limits)
    sha256 = digest_of(data, entrance)
    if sha256 is None:
        raise LostError("is not what the box wrote")
    begin = data if entrance == NODE else data[:HEADER_BYTES]  # as far as it was read when it came
    identity, whose = identified(begin, sha256)
    if entrance == NODE and identity == sha256:  # it had one when it came
        raise LostError("is not what the box wrote")
    return Offered(entrance, identity, sha256, path, SENDER, whose)


def identified(begin: bytes, sha256: str) -> tuple[str, str]:
    """What makes a file this image, and whose it is, as far as it says.

    Args:
        begin: its first `HEADER_BYTES`; of the node all of it.
        sha256: of all of it, which stands for a SOP Instance UID where it has none.
    """
    try:
        header = read_header(begin)
    except (HeaderError, ImportError):
        return sha256, ""
    return instance_of(header).sop_instance, about(header)
