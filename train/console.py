"""What the workstation's commands say on standard error: progress and remarks."""

from __future__ import annotations

from typing import Final

from rich.console import Console

console: Final = Console(stderr=True, markup=False)
"""The console of every command; its answers go to standard output."""


def say(console: Console, line: str) -> None:
    """Print a line as it is: without markup or colours, and not wrapped."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)
