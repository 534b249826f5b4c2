"""Starting and ending a workstation command: the backend loads quietly, errors become lines."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final, NoReturn

from edge_app.core import native_stderr
from edge_app.core.errors import EXIT_MODEL, EdgeCxrError

EXTRAS: Final = {"tensorflow": "workstation", "jax": "jax"}
"""Backend → the extra that installs it."""


def load_backend() -> None:
    """Import Keras' backend, TensorFlow or JAX, before anything else does.

    The environment's `KERAS_BACKEND` decides; without it TensorFlow, or JAX where TensorFlow is
    not installed.

    Raises:
        SystemExit: `KERAS_BACKEND` is neither, or the backend is not installed.
    """
    default = "tensorflow" if find_spec("tensorflow") or not find_spec("jax") else "jax"
    backend = os.environ.setdefault("KERAS_BACKEND", default)
    if backend not in EXTRAS:
        raise SystemExit(f"KERAS_BACKEND={backend}: there are {' and '.join(EXTRAS)}")
    # Both print while they load, whatever their log level.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By itself TensorFlow takes oneDNN only on processors with AVX512-VNNI; others train faster
    # with it too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with native_stderr.silenced():
            import_module(backend)
    except ImportError as error:
        raise SystemExit(
            f"{error}: make .venv/workstation/installed, then .venv/workstation/bin/python; "
            f"or, in an environment of your own, pip install -e '.[{EXTRAS[backend]}]'"
        ) from None


def load_tensorflow() -> None:
    """Import TensorFlow, for commands that work with no other backend.

    Raises:
        SystemExit: `KERAS_BACKEND` is another, or TensorFlow is not installed.
    """
    if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
        raise SystemExit("this needs TensorFlow: unset KERAS_BACKEND")
    load_backend()


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
        sys.unraisablehook = lambda _: None  # HDF5 fails once more for each file that it closes
        _fail(_of_disk(error), EXIT_MODEL)


def _of_disk(error: OSError) -> str:
    """The file and the system's message; HDF5 hides both in a message of its own."""
    words = error.strerror or str(error)
    hdf5 = re.search(r"filename = '([^']+)'", words)
    if hdf5 and error.errno:
        return f"{hdf5[1]}: {os.strerror(error.errno)}"
    return f"{error.filename or 'output'}: {words}"


def _fail(error: object, code: int) -> NoReturn:
    from rich.console import Console

    Console(stderr=True, markup=False).print(f"error: {error}", highlight=False, soft_wrap=True)
    raise SystemExit(code) from None
