"""How long merging takes, and how much memory.

    python -m tests.device.archive.measure_merge [--shards 100] [--rows 100000]

The shards are made up: the rows of one real answer under many names. Exit code 1 where 10,000,000
rows would take more than 30 s or 500 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from edge_app.archive.listing import place_of
from edge_app.archive.store import DONE, SUBJECT
from edge_app.images.phantom import synthetic_radiograph
from edge_app.pipeline import parquet

from .measure import checked, run

SECONDS, MEGABYTES = 30.0, 500.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.device.archive.measure_merge")
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        shards = made(place, arguments.shards, arguments.rows)
        ended = run(["archive", "merge", *map(str, shards), "--out", str(place / "all")])
        found = sum(map(parquet.count, parquet.parts_of(place / "all")))
    count = arguments.shards * arguments.rows
    print(f"{arguments.shards} shards of {arguments.rows} rows")
    met = [
        checked(f"{found} rows together", found == count),
        checked(f"{ended.seconds:.1f} s", ended.seconds <= SECONDS),
        checked(f"peak {ended.megabytes:.0f} MB", ended.megabytes <= MEGABYTES),
    ]
    return 0 if all(met) else 1


def made(place: Path, shards: int, rows: int) -> list[Path]:
    """Finished shards whose names are those of just that shard."""
    import pyarrow
    import pyarrow.parquet

    picture = place / "picture.png"
    Image.fromarray(synthetic_radiograph(256, seed=1)).save(picture)
    line = [sys.executable, "-m", "edge_app", "archive", str(picture), "--out", str(place / "one")]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    one = pyarrow.parquet.read_table(parquet.parts_of(place / "one")[0])
    subject: dict[str, Any] = json.loads((place / "one" / SUBJECT).read_text())
    many = one.take([0] * rows)
    names: list[list[str]] = [[] for _ in range(shards)]
    number = 0
    while any(len(each) < rows for each in names):
        name = f"/share/{number:09d}.dcm"
        number += 1
        mine = names[place_of(name, shards)]
        if len(mine) < rows:
            mine.append(name)
    found = []
    for index, mine in enumerate(names):
        folder = place / f"shard-{index}"
        folder.mkdir()
        table = many.set_column(0, many.schema.field("file"), pyarrow.array(mine))
        part = folder / "part-00000000.parquet"
        pyarrow.parquet.write_table(table, part, row_group_size=parquet.AT_ONCE * 4)
        about = subject | {"shard": f"{index + 1}/{shards}"}
        (folder / SUBJECT).write_text(json.dumps(about))
        (folder / DONE).write_text("{}")
        found.append(folder)
    return found


if __name__ == "__main__":
    sys.exit(main())
