"""Messages to the person at the terminal, on standard error."""

from __future__ import annotations

import io
import sys

from edge_app.core.native_stderr import SPEAKING
from edge_app.core.plain_text import plain


def complain(line: str) -> None:
    """Print one line on standard error, without control characters from file names."""
    with SPEAKING:
        try:
            print(f"edge-cxr: {plain(line)}", file=sys.stderr, flush=True)
        except (OSError, ValueError):  # full or closed: go on without messages
            sys.stderr = io.StringIO()
