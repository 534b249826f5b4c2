"""Finished archives of one model → one archive. Files are linked or copied, never written anew."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.archive.seen import key_of
from edge_app.archive.store import DONE, SUBJECT, subject_of
from edge_app.core.errors import OutputError, ReportError
from edge_app.core.files import write_whole
from edge_app.pipeline import parquet as rows

WHOLE: Final = "1/1"
SHORT: Final = 8
"""Bytes of a name's digest that are compared: two of ten million names agree in them by chance
with a probability of 3e-6, and the merging is then refused, never wrong."""


def merge(folders: Sequence[Path], out: Path) -> int:
    """Put archives together; memory holds eight bytes a source.

    Args:
        folders: all shards of one archive, or archives of other sources.
        out: a new folder.

    Returns:
        How many sources are answered in it.

    Raises:
        ReportError: one is unfinished or unreadable, they are of several models or options, a
            shard is missing, or a source is in two of them.
        OutputError: the folder is there already, or cannot be written.
    """
    stated = _subject([(folder, _finished(folder)) for folder in folders])
    parts = [part for folder in folders for part in rows.parts_of(folder)]
    count = _require_once(parts)
    try:
        out.mkdir(parents=True)
        for number, part in enumerate(parts):
            _link(part, out / f"part-{number:08d}.parquet")
        write_whole(out / SUBJECT, f"{json.dumps(stated, indent=1)}\n".encode())
        write_whole(out / DONE, f"{json.dumps({'answered': count})}\n".encode())
    except FileExistsError:
        raise OutputError(f"{out}: is there already: give another --out") from None
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None
    return count


def _finished(folder: Path) -> dict[str, Any]:
    stated = subject_of(folder) if folder.is_dir() else None
    if stated is None:
        raise ReportError(f"{folder}: is no folder of edge-cxr archive")
    if not (folder / DONE).exists():
        raise ReportError(f"{folder}: is not finished: run its command to its end")
    return stated


def _subject(stated: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """What all of them are about, once it is the same, and no shard is missing or twice."""
    first, about = stated[0]
    for folder, other in stated:
        changed = [key for key in about | other if about.get(key) != other.get(key)]
        if set(changed) - {"shard"}:
            raise ReportError(f"{first} and {folder} are of another {', '.join(changed)}")
    shards = sorted(str(each["shard"]) for _, each in stated)
    total = int(shards[0].partition("/")[2])
    if total > 1 or any(shard != WHOLE for shard in shards):
        expected = [f"{part + 1}/{total}" for part in range(total)]
        missing = [shard for shard in expected if shard not in shards]
        if missing or len(shards) != total:
            raise ReportError(
                f"the shards are {', '.join(shards[:20])}: name each of {total} once"
                + (f"; missing: {', '.join(missing[:20])}" if missing else "")
            )
    return {**about, "shard": WHOLE}


def _require_once(parts: Sequence[Path]) -> int:
    """How many sources there are, once none of them is in two rows."""
    count = sum(rows.count(part) for part in parts)
    keys: NDArray[np.uint64] = np.fromiter(map(_short, rows.names(parts)), np.uint64, count)
    keys.sort()
    twice = keys[1:][keys[1:] == keys[:-1]]
    if len(twice):
        repeated = set(twice.tolist())
        name = next(name for name in rows.names(parts) if _short(name) in repeated)
        raise ReportError(f"{len(twice)} sources are in two of the archives, such as {name}")
    return count


def _short(name: str) -> int:
    return int.from_bytes(key_of(name)[:SHORT], "big")


def _link(part: Path, place: Path) -> None:
    try:
        os.link(part, place)
    except OSError:  # another file system, or one without links
        shutil.copyfile(part, place)
