"""How an archive goes on, and how it went, in words."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge_app.archive.store import subject_of
from edge_app.core.errors import EXIT_DONE, EXIT_INPUT
from edge_app.pipeline import parquet as rows

KINDS: Final = 40
"""Kinds of refusals that are counted apart; all others are counted together."""

OTHERS: Final = "other reasons"
SUMMED: Final = ("error", "overall", "input_check", "blank")


class Progress:
    """Says now and then how far the work is.

    Args:
        names: all sources, for the time left; they are counted beside the work. None: not known.
        say: is given a line.
        every: seconds between two lines.
    """

    def __init__(
        self, names: Iterable[str] | None, say: Callable[[str], None], every: float
    ) -> None:
        self._say, self._every = say, every
        self._began = self._said = time.monotonic()
        self._before: int | None = None
        self._total: int | None = None
        if names is not None:
            threading.Thread(target=self._count, args=(names,), daemon=True).start()

    def __call__(self, answered: int) -> None:
        now = time.monotonic()
        if self._before is None:
            self._before, self._began = answered, now
            if answered:
                self._say(f"going on: {answered} sources are answered already")
        elif now - self._said >= self._every:
            self._said = now
            self._say(self._line(answered, (answered - self._before) / (now - self._began)))

    def _line(self, answered: int, rate: float) -> str:
        if self._total is None or not rate:
            return f"{answered} answered, {rate:.0f} a second"
        left = max(self._total - answered, 0)
        return (
            f"{answered} of {self._total} answered, {rate:.0f} a second, {_time(left / rate)} left"
        )

    def _count(self, names: Iterable[str]) -> None:
        with suppress(Exception):  # the work itself says what is wrong
            self._total = sum(1 for _ in names)


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


class Summary(NamedTuple):
    """What became of an archive's sources; `refused` is by kind, the most frequent first."""

    answered: int
    scored: int
    flagged: int
    blank: int
    withheld: dict[str, int]
    refused: dict[str, int]

    @property
    def exit_code(self) -> int:
        return EXIT_INPUT if self.refused or self.withheld or self.blank else EXIT_DONE

    def text(self) -> str:
        """A table."""
        lines = [(self.answered, "sources answered"), (self.scored, "scored")]
        lines += [(self.flagged, "  of these flagged"), (self.blank, "  of these blank")]
        for title, counts in (("withheld", self.withheld), ("refused", self.refused)):
            if counts:
                lines.append((sum(counts.values()), title))
                lines += [(count, f"  {reason}") for reason, count in counts.items()]
        return "\n".join(f"{count:>12,}  {words}" for count, words in lines)


def summary_of(folder: Path) -> Summary:
    """Count an archive's answers; memory does not grow with their number.

    Raises:
        ReportError: a file of it cannot be read.
    """
    force = (subject_of(folder) or {}).get("force", False)
    counts: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for batch in rows.batches(rows.parts_of(folder), SUMMED, rows.MANY):
        errors, checks = batch.column("error"), batch.column("input_check")
        for error in errors.filter(errors.is_valid()).to_pylist():
            _add(refused, _kind(error["message"]))
        doubtful = checks.filter(_yes(checks, "flagged")).to_pylist() if not force else ()
        for check in doubtful:
            _add(withheld, _kind(check["reason"] or check["kind"] or "flagged"))
        counts["answered"] += len(batch)
        counts["scored"] += errors.null_count - len(doubtful)
        counts["blank"] += batch.column("blank").true_count
        counts["flagged"] += _yes(batch.column("overall"), "flagged").true_count
    return Summary(
        counts["answered"],
        counts["scored"],
        counts["flagged"],
        counts["blank"],
        dict(withheld.most_common()),
        dict(refused.most_common()),
    )


def _yes(column: Any, name: str) -> Any:
    """Which rows have a true field of that name."""
    from pyarrow import compute

    return compute.struct_field(column, name).fill_null(False)


def _kind(message: str) -> str:
    """A message without what is this image's alone."""
    plain = re.sub(r" \([^)]*\)", "", re.sub(r"'[^']*'|\"[^\"]*\"", "…", message))
    return re.sub(r"\d+(\.\d+)?", "N", plain)[:100]


def _add(counts: Counter[str], reason: str) -> None:
    counts[reason if reason in counts or len(counts) < KINDS else OTHERS] += 1
