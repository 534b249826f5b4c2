"""What is said to the person at the terminal, on standard error."""

from __future__ import annotations

import io
import sys

from edge_app.core.native_stderr import SPEAKING
from edge_app.core.plain_text import plain


def complain(line: str) -> None:
    """One line on standard error, whatever a file put into it."""
    with SPEAKING:
        try:
            print(f"edge-cxr: {plain(line)}", file=sys.stderr, flush=True)
        except (OSError, ValueError):  # full or closed: the answers go on, and nothing fails twice
            sys.stderr = io.StringIO()
