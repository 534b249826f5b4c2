"""Pictures for the page, decoded where the box decodes all others: in an isolated process.

The process starts with the first picture, and ends when none is asked for any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_app.images.isolated import Decoders, Say
from edge_app.images.radiograph import Limits

IDLE_SECONDS: Final = 60.0
"""Seconds without a request after which the process ends."""

WAITING_SECONDS: Final = 20.0
"""Seconds to wait for others' pictures before saying that they take too long."""

LARGEST: Final = 4096
"""Pixels of a picture's longer side."""


class BusyError(Exception):
    """Others' pictures take too long."""


class Drawing:
    """Draws pictures of files, one after the other. Threads share it.

    Args:
        limits: of files and pictures.
        say: is told in one line what the kernel does not have of the isolation.
    """

    def __init__(self, limits: Limits, say: Say) -> None:
        self._limits, self._say = limits, say
        self._lock = threading.Lock()
        self._decoders: Decoders | None = None
        self._ending: threading.Timer | None = None

    def png(self, read: Callable[[], bytes], side: int) -> bytes:
        """The 8-bit gray picture in a file, as the network is given it, not larger than `side`.

        Args:
            read: gives the file's bytes, when it is their turn.
            side: pixels.

        Raises:
            ImageError: it cannot be drawn; says why.
            BusyError: others' pictures take too long.
        """
        if not self._lock.acquire(timeout=WAITING_SECONDS):
            raise BusyError
        try:
            if self._ending:
                self._ending.cancel()
            if self._decoders is None:
                self._decoders = Decoders(1, self._limits, self._say)
            seen = self._decoders.decode(read(), self._limits, digest=False)
        finally:
            self._end_later()
            self._lock.release()
        return _as_png(seen.pixels, min(side, LARGEST))

    def _end_later(self) -> None:
        self._ending = threading.Timer(IDLE_SECONDS, self.close)
        self._ending.daemon = True
        with suppress(RuntimeError):  # no thread can be started now: behind the next picture, then
            self._ending.start()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._decoders:
                self._decoders.close()
            self._decoders = None


def _as_png(pixels: NDArray[np.uint8], side: int) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    longer = max(picture.size)
    if longer > side:
        size = tuple(max(1, round(each * side / longer)) for each in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.BOX)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
