"""What stops work at the workstation, told in one line and before it costs hours."""

from edge_app.core.errors import DatasetError

__all__ = ["DatasetError", "RunError"]


class RunError(Exception):
    """A run folder cannot be gone on with or used, or its training came to nothing."""
