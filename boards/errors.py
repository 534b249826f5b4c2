"""The errors of this package; each message is one line that says what to do next."""

from __future__ import annotations

from edge_app.core.errors import EXIT_INPUT, EdgeCxrError


class BoardsError(EdgeCxrError):
    """Base of this package's errors; it raises `UsageError` as well."""

    kind = "boards"


class EmulationUnavailableError(BoardsError):
    """This machine lacks what emulation needs; the message names it."""


class DownloadError(BoardsError):
    """Packages or wheels cannot be downloaded."""

    exit_code = EXIT_INPUT
