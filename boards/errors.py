"""What can go wrong here; each message is one line that says what to do next."""

from __future__ import annotations

from typing import ClassVar

from edge_app.core.errors import EXIT_INPUT, EXIT_MODEL, EXIT_USAGE


class BoardsError(Exception):
    """Base of what this package raises on purpose; `exit_code` is the process's."""

    exit_code: ClassVar[int] = EXIT_MODEL


class UsageError(BoardsError):
    """There is no such board or kit."""

    exit_code = EXIT_USAGE


class EmulationUnavailableError(BoardsError):
    """This machine lacks what emulation needs; the message names it."""


class DownloadError(BoardsError):
    """Packages or wheels cannot be had."""

    exit_code = EXIT_INPUT
