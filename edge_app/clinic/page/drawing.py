"""Pictures for the page, decoded by a process of their own that ends when nobody looks any more.

A file that ends its decoder ends that process and nothing else. It is asked by a line of JSON on
its standard input, and answers with a line of JSON and, where that says so, with a PNG.
``python -m edge_app.clinic.page.drawing`` is that process.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import subprocess
import sys
import threading
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from edge_app.core.errors import ImageError

IDLE_SECONDS: Final = 60.0
"""After which the process ends."""

LONGEST_SECONDS: Final = 60.0
"""For one picture."""

WAITING_SECONDS: Final = 20.0
"""For others' pictures, before it is said that it takes too long."""

MEMORY: Final = 2 << 30
"""Bytes of address space that the process may have."""

LARGEST: Final = 4096
"""Pixels of a picture's longer side."""


class BusyError(Exception):
    """Others' pictures take too long."""


class Drawing:
    """Draws pictures of files, one after the other. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: threading.Timer | None = None

    def png(self, path: Path, side: int, max_bytes: int, max_pixels: int) -> bytes:
        """The 8-bit gray picture in a file, as the network is given it, not larger than `side`.

        Raises:
            ImageError: it cannot be drawn; says why.
            BusyError: others' pictures take too long.
        """
        if not self._lock.acquire(timeout=WAITING_SECONDS):
            raise BusyError
        try:
            if self._ending:
                self._ending.cancel()
            asked = [str(path), min(side, LARGEST), max_bytes, max_pixels]
            try:
                said = self._answer(json.dumps(asked).encode() + b"\n")
            except (OSError, ValueError):
                self._end()
                raise ImageError("ends the program that draws it") from None
            if isinstance(said, str):
                raise ImageError(said)
            return said
        finally:
            if self._process:
                self._ending = threading.Timer(IDLE_SECONDS, self.close)
                self._ending.daemon = True
                self._ending.start()
            self._lock.release()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _answer(self, asked: bytes) -> bytes | str:
        """A picture, or why there is none.

        Raises:
            OSError, ValueError: the process has ended, or says nothing that can be understood.
        """
        process = self._running()
        assert process.stdin
        assert process.stdout
        process.stdin.write(asked)
        process.stdin.flush()
        end = time.monotonic() + LONGEST_SECONDS
        head = b""
        while not head.endswith(b"\n"):
            head += _read(process.stdout, 1, end)
        said = json.loads(head)
        if "error" in said:
            return str(said["error"])
        data = bytearray()
        while len(data) < said["bytes"]:
            data += _read(process.stdout, said["bytes"] - len(data), end)
        return bytes(data)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_app.clinic.page.drawing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each thread takes address space
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()
            process.kill()
            process.wait()


def _read(pipe: IO[bytes], size: int, end: float) -> bytes:
    """Some bytes.

    Raises:
        OSError: there are none, or none in time.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        if not selector.select(max(0.0, end - time.monotonic())):
            raise OSError("takes too long")
    data = os.read(pipe.fileno(), min(size, 1 << 20))
    if not data:
        raise OSError("has ended")
    return data


def drawn(path: str, side: int, max_bytes: int, max_pixels: int) -> bytes:
    """See `Drawing.png`; within this process."""
    from PIL import Image

    from edge_app.images.radiograph import Limits
    from edge_app.images.read import read_image

    seen = read_image(path, Limits(max_bytes, max_pixels), None, digest=False)
    picture = Image.fromarray(seen.pixels)
    longer = max(picture.size)
    if longer > side:
        size = tuple(max(1, round(each * side / longer)) for each in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.BOX)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def main() -> None:
    """Answer until standard input ends."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a codec that prints does not do so into an answer
    for line in sys.stdin.buffer:
        try:
            data = drawn(*json.loads(line))
        except ImageError as error:
            out.write(json.dumps({"error": str(error)}).encode() + b"\n")
        except MemoryError:
            out.write(json.dumps({"error": "needs more memory than there is"}).encode() + b"\n")
        else:
            out.write(json.dumps({"bytes": len(data)}).encode() + b"\n" + data)
        out.flush()


if __name__ == "__main__":
    main()
