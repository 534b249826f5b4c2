"""Standard output whose reader goes away, as in `… | head`, while files are still to be written."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from edge_app.pipeline.interrupts import in_main_thread


class Outlived:
    """A stream that is written to until nobody reads it any more, and silent from then on.

    Args:
        out: where the text goes.

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
    """Within it, a reader that goes away ends the printing alone, not the process.

    The process ends when it is left, as it would have done at once. Signals belong to the main
    thread: in any other, and where SIGPIPE ends nothing, it is left as at any time.
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
