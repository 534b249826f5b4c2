"""SIGKILL at any moment: every accepted image is answered and delivered once, none is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from edge_app.clinic.store import Store

PROGRAM = Path(__file__).with_name("spool_process.py")
IMAGES, KILLS = 300, 20


def start(folder: Path, outbox: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(outbox)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def offer(process: subprocess.Popen[str], waiting: list[str]) -> None:
    """Each image in turn, until all are accepted or the process is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        while waiting:
            print(waiting[0], f"content-{waiting[0]}", file=process.stdin, flush=True)
            if process.stdout.readline() != f"{waiting[0]}\n":
                return
            waiting.pop(0)


def test_every_accepted_image_is_answered_and_delivered_once(tmp_path: Path) -> None:
    folder, outbox, chance = tmp_path / "spool", tmp_path / "outbox", random.Random(1)
    outbox.mkdir()
    waiting = [f"1.2.{i}" for i in range(IMAGES)]
    for _ in range(KILLS):
        process = start(folder, outbox)
        timer = threading.Timer(chance.uniform(0, 0.1), process.kill)
        timer.start()
        offer(process, waiting)
        timer.join()
        process.wait()
        process.communicate()
    process = start(folder, outbox)
    offer(process, waiting)
    assert waiting == []
    end = time.monotonic() + 60
    while len(list(outbox.glob("[!.]*.txt"))) < IMAGES and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)  # of which more would come now, if any did
    process.kill()
    process.communicate()
    delivered = sorted(path.read_text() for path in outbox.glob("[!.]*.txt"))
    assert delivered == sorted(f"1.2.{i} content-1.2.{i}" for i in range(IMAGES))
    store = Store(folder)
    assert store.value("SELECT count(*) FROM image WHERE answered IS NOT NULL") == IMAGES
    assert store.value("SELECT count(*) FROM delivery WHERE delivered IS NOT NULL") == IMAGES
    store.close()
