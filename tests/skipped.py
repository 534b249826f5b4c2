"""What was skipped: counted by reason where pytest would list each place, and in one sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import pytest

SENTENCE: Final = "edge-cxr/skipped"
"""Where pytest's cache keeps the sentence, which is the last thing that `make check` says."""

Report = pytest.TestReport | pytest.CollectReport


def summary(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write a line for each reason, and keep the sentence for `make check`."""
    reports: Sequence[Report] = reporter.stats.get("skipped", ())
    for line in by_reason(reports):
        reporter.write_line(line)
    if cache := getattr(config, "cache", None):  # its plugin may be off
        cache.set(SENTENCE, sentence(reports))


def by_reason(reports: Iterable[Report]) -> list[str]:
    """A line for each reason: how often, why, and in which folders; the most frequent first."""
    places: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        places[_reason(report)].append(_folder(report))
    often = sorted(places, key=lambda reason: (-len(places[reason]), reason))
    return [
        f"SKIPPED [{len(places[reason])}] {reason} ({_folders(places[reason])})" for reason in often
    ]


def sentence(reports: Sequence[Report]) -> str:
    """How much was skipped, and in which folders; empty if nothing was."""
    if not reports:
        return ""
    # A file that is skipped as a whole is not read: nobody knows how many tests are in it.
    files = sum(isinstance(report, pytest.CollectReport) for report in reports)
    tests = len(reports) - files
    counts = ((tests, "test", "tests"), (files, "whole file of tests", "whole files of tests"))
    skipped = " and ".join(f"{n} {one if n == 1 else more}" for n, one, more in counts if n)
    were = "was" if len(reports) == 1 else "were"
    return f"{skipped} {were} skipped here, in {_folders(map(_folder, reports))}"


def _reason(report: Report) -> str:
    assert isinstance(report.longrepr, tuple)
    return str(report.longrepr[2]).removeprefix("Skipped: ")


def _folder(report: Report) -> str:
    return report.nodeid.split("::")[0].rpartition("/")[0]


def _folders(folders: Iterable[str]) -> str:
    """Each once, and none that lies in another one."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not any(folder.startswith(f"{other}/") for other in kept):
            kept.append(folder)
    return ", ".join(kept)
