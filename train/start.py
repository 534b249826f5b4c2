"""How a command of the workstation starts and ends: TensorFlow loads quietly, errors are lines."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

from edge_app.core import native_stderr
from edge_app.core.errors import EXIT_MODEL, EdgeCxrError


def load_tensorflow() -> None:
    """Import TensorFlow before anything else does; it talks while it loads, whatever its level.

    Raises:
        SystemExit: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with native_stderr.silenced():
            import tensorflow  # noqa: F401
    except ImportError as error:
        raise SystemExit(f"{error}: pip install -e '.[workstation]'") from None


def run_reporting_errors(command: Callable[[], object]) -> None:
    """Run a command; errors of the data, the run and the disk become one line on standard error.

    Raises:
        SystemExit: with the error's exit code.
    """
    try:
        command()
    except EdgeCxrError as error:
        _fail(error, error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}", EXIT_MODEL)


def _fail(error: object, code: int) -> NoReturn:
    from rich.console import Console

    Console(stderr=True, markup=False).print(f"error: {error}", highlight=False, soft_wrap=True)
    raise SystemExit(code) from None
