"""The options of the command line about backends."""

from __future__ import annotations

from typing import Final, NamedTuple

AUTO: Final = "auto"
CPU: Final = "cpu"


class BackendOptions(NamedTuple):
    """Which backend to use, and how.

    Like the other records of this package it is no dataclass: making such a class takes seven times
    as long, at every start of the application.

    Attributes:
        backend: see `registry.find`.
        threads: None for the number that was fastest in the trial; with several workers, one each.
        workers: images scored at once, each with a session of its own.
    """

    backend: str = AUTO
    threads: int | None = None
    workers: int = 1
