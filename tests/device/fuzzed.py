"""What all runs of `tests.device.fuzz` did together, in a file that is kept.

    python -m tests.device.fuzzed

`reports/fuzz.json` has, for each kind, the commits that were searched, and for each of these how
many files were tried, in how many seconds of the searching process's own processor time, and how
many of the runs ended at a fault.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_app.core.files import write_whole

from .damage import KINDS

REPOSITORY: Final = Path(__file__).resolve().parents[2]
KEPT: Final = REPOSITORY / "reports" / "fuzz.json"

PICTURE: Final = "picture"
"""The kind of file that `damage.py` leaves to others."""

Done = Mapping[str, float]
"""``tried``, ``processor`` in seconds, and ``faults``."""


def commit() -> str:
    """What is searched: the checkout's commit, with a ``+`` where its code differs from that."""
    git = ("git", "-C", str(REPOSITORY))
    head = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], text=True)
    same = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "edge_app", "tests/device"])
    return head.strip() + "+" * same.returncode


def add(kind: str, of: str, done: Done, kept: Path = KEPT) -> None:
    """Add one run's numbers to those of its kind and commit; runs side by side take turns.

    The file is replaced as a whole: what cuts this off leaves what was there.
    """
    folder = os.open(kept.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        ledger = json.loads(kept.read_text()) if kept.exists() else {}
        before = ledger.setdefault(kind, {}).setdefault(of, {})
        before.update({key: round(before.get(key, 0) + done[key], 1) for key in done})
        write_whole(kept, (json.dumps(ledger, indent=2, sort_keys=True) + "\n").encode())
    finally:
        os.close(folder)


def table(kept: Path = KEPT) -> str:
    """A line for each kind, those that nobody searched as well."""
    ledger = json.loads(kept.read_text())
    lines = ["kind        files tried  processor s  faults"]
    for kind in sorted({*KINDS, PICTURE, *ledger}):
        runs = ledger.get(kind, {}).values()
        tried, seconds, faults = (
            sum(done[key] for done in runs) for key in ("tried", "processor", "faults")
        )
        lines.append(f"{kind:10} {tried:12,} {seconds:12,.0f} {faults:7}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
