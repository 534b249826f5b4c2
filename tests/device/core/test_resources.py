"""How much of the machine there is to use: the least of what is told."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edge_app.core.resources import cores, memory

WHOLE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("told", "expected"), [("max\n", WHOLE), ("", WHOLE), ("1000000\n", 1_000_000)]
)
def test_a_containers_limit_counts(tmp_path: Path, told: str, expected: int) -> None:
    file = tmp_path / "memory.max"
    file.write_text(told)
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert memory(file) == expected


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert 0 < memory(tmp_path / "absent") <= WHOLE


def test_an_address_spaces_limit_counts_and_cores_that_are_taken_away() -> None:
    code = (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from edge_app.core.resources import cores, memory\n"
        "print(cores(), memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", str(1 << 28)]
    assert cores() >= 1
