"""Standard output whose reader goes away, as in `… | head`, before all files are written."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from edge_app.pipeline.interrupts import in_main_thread


class Outlived:
    """A stream that discards text once nobody reads it any more.

    Args:
        out: the stream.

    Attributes:
        unread: whether its reader has gone.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.unread = False

    @property
    def encoding(self) -> str:
        return self._out.encoding

    def write(self, text: str) -> int:
        self._unless_unread(lambda: self._out.write(text))
        return len(text)

    def flush(self) -> None:
        self._unless_unread(self._out.flush)

    def _unless_unread(self, act: Callable[[], object]) -> None:
        if not self.unread:
            try:
                act()
            except BrokenPipeError:
                self.unread = True


@contextmanager
def outliving_reader(out: TextIO) -> Iterator[TextIO]:
    """A context in which a reader that goes away ends the printing, but not the process.

    On leaving it, the process ends by SIGPIPE as it would have done at once. Only the main thread
    gets signals: in any other, the process goes on.
    """
    outlived = Outlived(out)
    if not in_main_thread():
        yield cast("TextIO", outlived)
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield cast("TextIO", outlived)
    finally:
        signal.signal(signal.SIGPIPE, before)
    if outlived.unread:
        signal.raise_signal(signal.SIGPIPE)
