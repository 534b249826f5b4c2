"""What stops work at the workstation, told in one line and before it costs hours."""


class DatasetError(Exception):
    """The data set as a whole cannot be used; said before any training begins."""


class RunError(Exception):
    """A run folder cannot be gone on with or used, or its training came to nothing."""
