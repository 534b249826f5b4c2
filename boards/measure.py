"""A command's output and peak memory; a folder's size."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        peak: the largest resident set of the process, in bytes; of one that is emulated, with the
            emulator's own.
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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            line,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            preexec_fn=before,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    return Done(child.returncode, texts[0], texts[1], usage.ru_maxrss * 1024)


def size(folder: Path) -> int:
    """Bytes that a folder takes on the disk, links not followed."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_dir())
