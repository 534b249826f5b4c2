"""Delegates to measure: those that the runtimes are tested with."""

from ..runtimes.conftest import delegate, gcc  # noqa: F401
