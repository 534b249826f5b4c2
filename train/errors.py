"""The errors of training; each message is one line, raised before hours are spent."""

from edge_app.core.errors import DatasetError, EdgeCxrError

__all__ = ["DatasetError", "RunError"]


class RunError(EdgeCxrError):
    """A run folder cannot be resumed or used, or its training failed."""

    kind = "run"
