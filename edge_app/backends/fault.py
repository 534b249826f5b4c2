"""Why a backend cannot be used: the kinds of faults."""

from __future__ import annotations

from typing import Final, NamedTuple

ABSENT: Final = "absent"
NO_DEVICE: Final = "no device"
PERMISSION: Final = "permission"
ABI: Final = "abi"
REFUSED: Final = "refused"
MODEL: Final = "model"
WRONG: Final = "wrong answers"
CRASH: Final = "crash"
KILLED: Final = "killed"
HANG: Final = "hang"
UNTRIED: Final = "untried"

LASTING: Final = frozenset((ABI, MODEL, WRONG, CRASH, HANG))
"""Kinds that every further trial would meet again, and that are therefore remembered."""


class Fault(NamedTuple):
    """What is wrong.

    Attributes:
        kind: one of the constants above.
        message: one line that names the thing at fault and says what to do next.
    """

    kind: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "message": self.message}
