"""The manual describes the workstation's commands without its packages: no word is another."""

from __future__ import annotations

import json
import subprocess
import sys

from tools.manual import commands

from ..conftest import REPOSITORY

PROGRAMS = ("python -m train", "python -m quantize", "python -m benchmarks")
ALONE = """
import json, sys
from tools.manual import commands
from tools.manual.standins import stand_ins
with stand_ins():
    print(json.dumps([commands.page(program) for program in sys.argv[1:]]))
"""


def test_commands_read_the_same_with_stand_ins() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *PROGRAMS],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for program, described in zip(PROGRAMS, json.loads(done.stdout), strict=True):
        assert described == commands.page(program), program
