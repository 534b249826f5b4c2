"""What stops work at the workstation, told in one line and before it costs hours."""

from edge_app.core.errors import DatasetError, EdgeCxrError

__all__ = ["DatasetError", "RunError"]


class RunError(EdgeCxrError):
    """A run folder cannot be gone on with or used, or its training came to nothing."""

    kind = "run"
