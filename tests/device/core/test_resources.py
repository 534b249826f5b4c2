"""How much of the machine there is to use: the least of several limits."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edge_app.core.resources import cores, memory

WHOLE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


SERVICE = "system.slice/edge-cxr.service"

LIMITED = {
    "a container": ("0::/", {"memory.max": "1000000"}, 1_000_000),
    "a service": (f"0::/{SERVICE}", {f"{SERVICE}/memory.max": "1000000"}, 1_000_000),
    "what a service lies in": (
        f"0::/{SERVICE}",
        {f"{SERVICE}/memory.max": "max", "system.slice/memory.max": "2000000"},
        2_000_000,
    ),
    "the least of them": (
        f"0::/{SERVICE}",
        {f"{SERVICE}/memory.max": "3000000", "system.slice/memory.max": "2000000"},
        2_000_000,
    ),
    "version 1": (
        "5:cpu,cpuacct:/\n4:memory:/box",
        {"memory/box/memory.limit_in_bytes": "4000000"},
        4_000_000,
    ),
    "a container of version 1": (
        "4:hugetlb,memory:/docker/0123",
        {"memory/memory.limit_in_bytes": "5000000"},
        5_000_000,
    ),
    "version 2 beside version 1": (
        "4:cpu:/\n0::/box",
        {"unified/box/memory.max": "6000000"},
        6_000_000,
    ),
    "no limit": ("4:memory:/box", {"memory/box/memory.limit_in_bytes": f"{2**63 - 4096}"}, WHOLE),
    "max": ("0::/", {"memory.max": "max"}, WHOLE),
    "nothing": ("0::/", {"memory.max": ""}, WHOLE),
    "another's group": ("0::/../other", {"box/memory.max": "1000000"}, WHOLE),
}


@pytest.mark.parametrize("kind", LIMITED)
def test_a_control_groups_limit_counts(tmp_path: Path, kind: str) -> None:
    own, files, expected = LIMITED[kind]
    (tmp_path / "own").write_text(own + "\n")
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert memory(tmp_path, tmp_path / "own") == expected


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert 0 < memory(tmp_path / "absent", tmp_path / "absent") <= WHOLE


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
