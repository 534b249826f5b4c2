"""What the command line says about runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AUTO: Final = "auto"
CPU: Final = "cpu"


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        runtime: a runtime's name, or ``auto``.
        delegate: ``auto``, ``cpu``, ``edgetpu`` or a library's path.
        threads: None for the number that was fastest when it was tried.
    """

    runtime: str = AUTO
    delegate: str = AUTO
    threads: int | None = None
