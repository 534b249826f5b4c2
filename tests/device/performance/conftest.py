"""Delegates to measure: those that the runtimes are tested with."""

from ..backends.conftest import delegate, gcc  # noqa: F401
