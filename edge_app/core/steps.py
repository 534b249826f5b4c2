"""The steps from a file to its findings, and the callback that each step calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

STEPS: Final = ("read", "decode", "resize", "check", "quantize", "invoke", "finish")
"""File → bytes → gray picture → the network's size → input check → tensor → outputs → findings."""

Watch = Callable[[str], None]
"""Called with the name of a step as it begins; a clock, for instance."""


def unwatched(step: str) -> None:
    """A `Watch` that does nothing."""
