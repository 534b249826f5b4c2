"""Uploads to a box that is killed now and then: what was received is answered, once."""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the clinic extra is not installed")

from ..peers import Box, free_port, listens, wait_for
from .serving import Client

pytestmark = pytest.mark.process

IMAGES = int(os.environ.get("EDGE_CXR_CLINIC_IMAGES", "10"))
KILLS = int(os.environ.get("EDGE_CXR_CLINIC_KILLS", "2"))
"""1000 and 50 take a quarter of an hour."""


def picture(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_every_upload_is_answered_once_whenever_the_box_is_killed(tmp_path: Path) -> None:
    port, chance = free_port(), random.Random(4)
    text = f'spool = "spool"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[page]\nport = {port}\n'
    box = Box(tmp_path, text)
    box.start("serving")
    over = threading.Event()

    def kill_now_and_then() -> None:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 2.0))
            box.kill()
            box.start("serving")
        over.set()

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    tries = 0
    for number in range(IMAGES):
        data, received = picture(number), False
        while not received:
            tries += 1
            with suppress(OSError, http.client.HTTPException):
                wait_for(lambda: listens(port), "the page")
                received = Client(port).upload((f"{number}.png", data)).status == 201
        if not over.is_set():
            time.sleep(0.2)
    killer.join()
    database = tmp_path / "spool/spool.sqlite"

    def waiting() -> int:
        with closing(sqlite3.connect(database)) as opened:
            question = "SELECT count(*) FROM image WHERE answered IS NULL"
            return int(opened.execute(question).fetchone()[0])

    wait_for(lambda: waiting() == 0, "all answers")
    box.kill()
    with closing(sqlite3.connect(database)) as opened:
        rows = opened.execute("SELECT about, answer, file FROM image").fetchall()
    assert sorted(row[0] for row in rows) == sorted(f"{number}.png" for number in range(IMAGES))
    assert all("findings" in json.loads(row[1]) for row in rows)
    kept = {path.name for path in (tmp_path / "spool/images").iterdir()}
    assert {row[2] for row in rows} <= kept
    print(f"{IMAGES} uploads, {KILLS} kills, {tries - IMAGES} times sent again: each answered once")
