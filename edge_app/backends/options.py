"""What the command line says about runtimes."""

from __future__ import annotations

from typing import Final, NamedTuple

AUTO: Final = "auto"
CPU: Final = "cpu"
EDGETPU: Final = "edgetpu"


class Asked(NamedTuple):
    """What is asked for.

    Like the other records of this package it is no dataclass: making the class of one takes seven
    times as long, at every start of the application.

    Attributes:
        runtime: a runtime's name, or ``auto``.
        delegate: ``auto``, ``cpu``, ``edgetpu`` or a library's path.
        threads: None for the number that was fastest when it was tried, or one for each of
            several workers.
        workers: images at once, each with an interpreter of its own.
    """

    runtime: str = AUTO
    delegate: str = AUTO
    threads: int | None = None
    workers: int = 1
