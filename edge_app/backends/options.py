"""What the command line says about runtimes."""

from __future__ import annotations

from typing import Final, NamedTuple

AUTO: Final = "auto"
CPU: Final = "cpu"
EDGETPU: Final = "edgetpu"
EDGETPU_OPERATOR: Final = b"edgetpu-custom-op"


def needs_edgetpu(flatbuffer: bytes) -> bool:
    """Whether a flatbuffer was compiled for the Edge TPU, and runs with its delegate alone.

    A search for the operator's name: without parsing it answers for any bytes, and at worst
    takes a network that merely mentions the name for a compiled one.
    """
    return EDGETPU_OPERATOR in flatbuffer


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
