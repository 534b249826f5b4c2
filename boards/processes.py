"""A command's output and peak memory; a folder's size."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BETWEEN: Final = """
import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
os.write(int(sys.argv[1]), b"%d" % usage.ru_maxrss)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
"""
"""A small program that starts the command, because a process inherits its parent's peak memory."""


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        peak: the largest resident set of the process in bytes, including an emulator's own.
    """

    code: int
    out: str
    err: str
    peak: int


def run(
    line: Sequence[str | os.PathLike[str]],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    before: Callable[[], None] | None = None,
) -> Done:
    """Run a command to its end.

    Args:
        line: the command.
        environment: this process's if None.
        folder: to run it in.
        before: called in the child, for limits.
    """
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryFile() as peak,
    ):
        child = subprocess.run(
            [sys.executable, "-I", "-S", "-c", BETWEEN, str(peak.fileno()), *line],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=(peak.fileno(),),
            preexec_fn=before,
        )
        texts = []
        for stream in (out, err, peak):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    return Done(child.returncode, texts[0], texts[1], 1024 * int(texts[2] or 0))


def size(folder: Path) -> int:
    """Bytes that a folder takes on the disk, links not followed."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_dir())
