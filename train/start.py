"""Starting TensorFlow: quietly, or with the way to get it."""

from __future__ import annotations

import os

from edge_app.core import native_stderr


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
