"""Raspberry Pis under emulation: install, run, and give the numbers of x86-64."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from boards import processes, sysroot, verification
from boards.board import find
from boards.errors import EmulationUnavailableError
from boards.verification import Row
from boards.wheels import REPOSITORY

DATA = REPOSITORY.parent / "shared" / "data" / "nih-chestxray14-subset"
COUNTS = {"cxr-cnn28": 40, "cxr-lite0-128": 5, "cxr-lite0-fine": 1}
MAX_STEPS = 16
"""How far the older runtime's logits may be off on a real image."""


@pytest.fixture(scope="module")
def rows(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The matrix, printed as docs/boards.md has it."""
    work = tmp_path_factory.mktemp("matrix")
    subset = Path(os.environ.get("EDGE_CXR_DATA") or DATA)
    folder, of = verification.images(subset, work, max(COUNTS.values()))
    try:
        seen = verification.examine(
            verification.places(), folder.resolve(), cache, work, print, COUNTS
        )
    except EmulationUnavailableError as error:
        pytest.skip(f"no board can be emulated here: {error}")
    print(verification.as_markdown(seen, of))
    return seen


def test_every_board_and_runtime_installs_and_runs(rows: list[Row]) -> None:
    assert [(row.machine, row.runtime.split()[0]) for row in rows] == [
        ("x86_64", "ai-edge-litert"),
        ("aarch64", "ai-edge-litert"),
        ("aarch64", "tflite-runtime"),
        ("aarch64", "ai-edge-litert"),
        ("armv7l", "tflite-runtime"),
    ]
    assert {row.cpu for row in rows[1:]} == {"Cortex-A72"}
    for row in rows:
        assert row.golden.keys() == COUNTS.keys()
        assert {model: seen.images for model, seen in row.scores.items()} == COUNTS


def test_the_newer_runtime_gives_the_same_logits_to_the_bit(rows: list[Row]) -> None:
    newer = [row for row in rows if row.runtime.startswith("ai-edge-litert")]
    assert len(newer) == 3
    for row in newer:
        assert set(row.golden.values()) == {0}, row.name
        assert {seen.equal for seen in row.scores.values()} == {1}, row.name


def test_the_older_runtime_is_off_by_a_few_steps(rows: list[Row]) -> None:
    older = [row for row in rows if row.runtime.startswith("tflite-runtime")]
    assert len(older) == 2
    for row in older:
        for model, seen in row.scores.items():
            assert seen.steps <= MAX_STEPS, (row.name, model)


def test_it_fits_a_small_board(rows: list[Row]) -> None:
    for row in rows:
        assert row.footprint < 400_000_000, row.name
        assert row.peak < 400_000_000, row.name


def test_a_board_starts_child_processes_and_shows_its_own_processor(cache: Path) -> None:
    try:
        board = sysroot.get(find("debian12-arm64"), cache)
    except EmulationUnavailableError as error:
        pytest.skip(f"no board can be emulated here: {error}")
    script = (
        "import json, os, platform, subprocess, sys\n"
        "if len(sys.argv) == 1: sys.exit(subprocess.call([sys.executable, __file__, 'child']))\n"
        "cpuinfo = open('/proc/cpuinfo').read()\n"
        "print(json.dumps([platform.machine(), sys.version_info[:2], cpuinfo]))"
    )
    path = board.root / "child.py"
    path.write_text(script)
    done = processes.run(["python3", path], board.environment())
    machine, version, cpuinfo = json.loads(done.out)
    assert (machine, version) == ("aarch64", [3, 11])
    assert "CPU part\t: 0xd08" in cpuinfo
