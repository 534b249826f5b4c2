"""A disk without one free byte: nothing is lost, and what is finished makes room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .full_disk import ANSWERED, DELIVERED, IMAGES

MOUNTED = 'mount -t tmpfs -o size=12m,mode=700 tmpfs "$0" && exec "$@"'
"""A small disk for one command alone, which needs no rights where the kernel lets users do so."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    disk = tmp_path_factory.mktemp("disk")
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNTED, str(disk)]
    try:
        tried = subprocess.run([*alone, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed: apt-get install util-linux")
    if tried.returncode:
        pytest.skip(f"this system lets nobody mount a disk of his own: {tried.stderr.strip()}")
    line = [*alone, sys.executable, "-m", "tests.device.clinic.full_disk", str(disk)]
    root = Path(__file__).parents[3]
    done = subprocess.run(line, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_what_was_accepted_is_answered_delivered_and_removed(said: dict[str, Any]) -> None:
    assert said["free"] == 0
    assert said["accepted"].startswith("SpoolFullError")
    assert said["answered"] == ANSWERED + 1
    assert said["delivered"] == DELIVERED + 1
    assert said["removed"] == DELIVERED + 1
    assert said["accepted then"] == "new"


def test_a_box_that_cannot_start_there_says_so_and_loses_nothing(said: dict[str, Any]) -> None:
    assert said["opened"].startswith("SpoolFullError")
    assert said["opened"].endswith("its disk is full: make room; what is in it stays")
    counts = {"waiting": IMAGES - ANSWERED, "answered": ANSWERED - DELIVERED, "finished": 0}
    assert said["counts"] == said["counts with room"] == counts
