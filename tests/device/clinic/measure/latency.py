"""From the last byte received to the report accepted by Orthanc, the queue being empty.

The clock begins when the sender has written the last byte, and ends when the box has kept that
Orthanc took the report: both a little outside of what is measured.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ..images import CR, EXPLICIT
from ..peers import running_orthanc, wait_for
from .boxes import serving_box
from .radiographs import write_radiographs

RECEIVER: Final = """
[[receiver]]
name = "archive"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {archive}
"""
MAX_SECONDS: Final = 1.0
"""Seconds, of 95 in 100."""

WARM: Final = 3
"""Images before it counts: the forms of reports are made once, and kept."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--size", default="2500x2000", help="in pixels of 16 bit")


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print the times; whether they are short enough."""
    paths = write_radiographs(folder / "sent", WARM + arguments.images, arguments.size)
    took = []
    with (
        serving_box(folder, more=RECEIVER) as (_box, ports),
        running_orthanc(folder / "orthanc", ports.archive, ports.http) as archive,
    ):
        for count, path in enumerate(paths, 1):
            sent = _send(ports.node, path)
            wait_for(lambda: _delivered(folder, count) is not None, f"report {count}")  # noqa: B023
            took.append((_delivered(folder, count) or 0) - sent)
        assert len(archive.instances()) == len(paths)
    took = took[WARM:]
    high = statistics.quantiles(took, n=20)[-1]
    print(
        f"{len(took)} images of {arguments.size}, 16 bit: median {statistics.median(took):.3f} s, "
        f"95 % {high:.3f} s, longest {max(took):.3f} s (95 % at most {MAX_SECONDS:g})"
    )
    return high <= MAX_SECONDS


def _send(port: int, path: Path) -> float:
    """When the last byte of an image was sent."""
    from pydicom import dcmread
    from pynetdicom import AE, evt

    sent: list[float] = []

    def note(_event: Any) -> None:
        sent.append(time.time())

    entity = AE("MODALITY")
    entity.add_requested_context(CR, EXPLICIT)
    association = entity.associate(
        *("127.0.0.1", port), ae_title="EDGECXR", evt_handlers=[(evt.EVT_DATA_SENT, note)]
    )
    assert association.is_established
    status = association.send_c_store(dcmread(path))
    last = sent[-1]
    assert status.Status == 0
    association.release()
    return last


def _delivered(folder: Path, image: int) -> float | None:
    """When the report of an image was accepted; None before."""
    with closing(sqlite3.connect(folder / "spool/spool.sqlite")) as database:
        question = "SELECT delivered FROM delivery WHERE image = ?"
        row = database.execute(question, (image,)).fetchone()
    return row[0] if row else None
