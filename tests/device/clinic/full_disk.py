"""A spool on a disk of which somebody else takes the last byte; prints what becomes of it as JSON.

python -m tests.device.clinic.full_disk FOLDER      FOLDER is the whole disk, of some MB
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.retention import remove_finished
from edge_app.clinic.spool import Document, Spool
from edge_app.clinic.store import Store

from .conftest import offered

IMAGES, ANSWERED, DELIVERED = 12, 8, 4
REPORT_BYTES = 60_000


def fill(path: Path) -> None:
    """Take all that is left."""
    with path.open("wb", buffering=0) as file:
        for piece in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(piece))


def outcome(what: Callable[[], object]) -> object:
    """What it returns, or what it says."""
    try:
        return what()
    except SpoolError as error:
        return f"{type(error).__name__}: {error}"


def answer(spool: Spool) -> int:
    """Take an image and answer it; its number."""
    image = spool.take()
    assert image is not None
    report = Document("sr", os.urandom(REPORT_BYTES), ("archive",))
    spool.answer(image, "{}", (report,))
    return image.id


def deliver(store: Store) -> int:
    """Have one report delivered; its image."""
    deliveries = Deliveries(store)
    first = deliveries.due("archive")[0]
    deliveries.delivered(first)
    return first.image


def main(disk: Path) -> None:
    folder, filler = disk / "spool", disk / "filler"
    store = Store(folder)
    spool = Spool(store)
    for number in range(IMAGES):
        spool.accept(offered(f"1.2.{number}", os.urandom(REPORT_BYTES)))
    for _ in range(ANSWERED):
        answer(spool)
    for _ in range(DELIVERED):
        deliver(store)
    fill(filler)
    said = {
        "free": store.free(),
        "accepted": outcome(lambda: spool.accept(offered("1.2.99"))),
        "answered": outcome(lambda: answer(spool)),
        "delivered": outcome(lambda: deliver(store)),
        "removed": outcome(lambda: remove_finished(store, time.time() + 1)),
        "accepted then": outcome(lambda: spool.accept(offered("1.2.99")).verdict),
        "counts": dict(spool.counts()),
    }
    filler.unlink()
    store.close()
    fill(filler)
    said["opened"] = outcome(lambda: Store(folder).close())
    filler.unlink()
    store = Store(folder)
    said["counts with room"] = dict(Spool(store).counts())
    store.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
