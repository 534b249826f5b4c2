"""Mutated DICOM conversations and HTTP requests at a box: what it holds before and after them.

A part that ends, an error that nobody foresaw, a status of 500, and what is left behind are faults.
That an association ends is none: pynetdicom raises an error where an event has no place in its
state.
"""

from __future__ import annotations

import argparse
import random
import re
import socket
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import numpy as np

from ..conversations import Recorder, damaged
from ..images import dicom
from ..page.fuzz import EXPECTED, MEGABYTES, corpus, mutated, status
from ..page.serving import Client
from ..peers import Box, dcmtk, storescu, wait_for
from .boxes import Held, Ports, held, serving_box

SETTLING: Final = 90.0
"""Seconds in which what damaged requests left has to end, and memory to be given back."""

NODE: Final = "associations = 50\nsilence_seconds = 2"
BETWEEN_SESSIONS: Final = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", type=int, default=10_000, help="of each of the two")
    parser.add_argument("--seed", type=int, default=0)


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print what became of them; whether nothing is left."""
    chance = random.Random(arguments.seed)
    with serving_box(folder, 'model = "cxr-cnn28"', node=NODE) as (box, ports):
        small = folder / "small.dcm"
        small.write_bytes(dicom(1, np.zeros((16, 16), np.uint8)))
        recorder = Recorder(ports.node)
        assert storescu(recorder.port, small).returncode == 0
        said = bytes(recorder.said)
        _http(ports, random.Random(1), 200)  # what is imported, and kept, at the first ones
        _dicom(ports, said, random.Random(1), 200)
        before = _settled(folder, box, ports, None)
        print(f"before: {before}", flush=True)
        _dicom(ports, said, chance, arguments.number)
        between = _settled(folder, box, ports, before)
        print(f"after {arguments.number} DICOM conversations: {between}", flush=True)
        kinds = _http(ports, chance, arguments.number)
        after = _settled(folder, box, ports, before)
        answers = dict(sorted(kinds.items()))
        print(f"after {arguments.number} HTTP requests: {after}; answers {answers}")
        failed = re.findall(r"^.* (?:thread-failed|request-failed) .*$", box.log(), re.MULTILINE)
        faults = [line for line in failed if " thread=association " not in line]
        print(f"{len(failed) - len(faults)} associations were ended by an error of pynetdicom's")
        faults += [f"status {each}" for each in kinds if each >= 500 and each not in EXPECTED]
        faults += _left(before, after)
        if dcmtk("echoscu", "-aec", "EDGECXR", "127.0.0.1", ports.node).returncode or box.ended():
            faults.append("it does not answer any more")
    print("\n".join(faults[:20] + [f"{len(faults)} faults"]))
    return not faults


def _dicom(ports: Ports, said: bytes, chance: random.Random, number: int) -> None:
    for _ in range(number):
        with socket.create_connection(("127.0.0.1", ports.node)) as peer, suppress(OSError):
            peer.sendall(damaged(said, chance))


def _http(ports: Ports, chance: random.Random, number: int) -> Counter[int]:
    """How many were answered with each status; 0 is none."""
    client = Client(ports.page)
    image = client.upload(("whole.dcm", dicom(2))).json["images"][0]["number"]
    wait_for(lambda: client.get(f"/images/{image}/state").json["state"] != "waiting", "answer")
    kinds: Counter[int] = Counter()
    for count in range(number):
        if count % BETWEEN_SESSIONS == 0:  # one of them may have ended the session
            requests = corpus(Client(ports.page), image)
        kinds[status(ports.page, mutated(chance.choice(requests), chance))] += 1
    return kinds


def _settled(folder: Path, box: Box, ports: Ports, before: Held | None) -> Held:
    """What it holds when all is answered and nothing more ends."""
    wait_for(lambda: not _waiting(folder), "all answers")
    if before is None:
        time.sleep(SETTLING)
        return held(box, ports)
    end = time.monotonic() + SETTLING
    while _left(before, now := held(box, ports)) and time.monotonic() < end:
        time.sleep(1)
    return now


def _waiting(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "spool/spool.sqlite")) as database:
        question = "SELECT count(*) FROM image WHERE answered IS NULL"
        return int(database.execute(question).fetchone()[0])


def _left(before: Held, after: Held) -> list[str]:
    """What is more than before, one line each."""
    rows = [
        ("connections", after.connections - before.connections, 0),
        ("files", after.files - before.files, 2),
        ("threads", after.threads - before.threads, 2),
        ("MB", after.megabytes - before.megabytes, MEGABYTES),
    ]
    return [f"{more} {name} are left" for name, more, allowed in rows if more > allowed]
