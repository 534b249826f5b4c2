"""The process that decodes what strangers made: pictures in, pixels out, nothing else.

See `isolated` for what it is told and answers. It trusts no picture, and is not trusted itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import sysconfig
import time
from contextlib import nullcontext, suppress

from edge_app.core import native_stderr, sandbox
from edge_app.core.errors import ImageError, ImageTooLargeError, MachineError
from edge_app.core.want import NO_MEMORY
from edge_app.images import gdcm_process
from edge_app.images.gdcm_process import Job
from edge_app.images.isolated import (
    ANSWER,
    LONGEST_TEXT,
    MACHINE,
    MEMORY,
    PICTURE,
    REFUSED,
    REQUEST,
    TOO_LARGE,
)
from edge_app.images.radiograph import Limits
from edge_app.images.read import decode

SYSTEM = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/etc/ld.so.cache")
"""Where shared libraries of decoders are that are loaded when they are first needed."""

AT_ONCE = 1 << 20


def main(asked: str) -> None:
    """Decode until there is nobody who asks.

    Args:
        asked: JSON: ``connection`` (a socket's file descriptor), ``parent`` (its process),
            ``memory`` (bytes that a picture may take).
    """
    told = json.loads(asked)
    sandbox.end_with(told["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection, complaints = told["connection"], _own_stderr()
    # What loads only here must not fail to load there.
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin  # noqa: F401

    native_stderr.silenced = nullcontext  # type: ignore[assignment]  # nobody sees it
    gdcm_process.decoded = lambda data, job, name: _by_gdcm(data, job, complaints)
    sandbox.limit_memory(told["memory"])
    missing = sandbox.confine([*sys.path, *_installation(), *SYSTEM])
    _tell(connection, PICTURE, json.dumps(missing).encode())
    while _answer_one(connection):
        pass


def _own_stderr() -> int:
    """Standard error goes into a pipe that loses what is too much; answers with its other end."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 2)
    os.close(writing)
    return reading


def _installation() -> list[str]:
    return [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def _answer_one(connection: int) -> bool:
    head = _received(connection, REQUEST.size)
    if head is None:
        return False
    size, max_bytes, max_pixels, least = REQUEST.unpack(head)
    data = _received(connection, size)
    if data is None:
        return False
    _tell(connection, *_outcome(data, Limits(max_bytes, max_pixels), least))
    return True


def _tell(
    connection: int,
    kind: int,
    text: bytes = b"",
    pixels: bytes | memoryview = b"",
    width: int = 0,
    height: int = 0,
) -> None:
    text = text[:LONGEST_TEXT]
    _send(connection, ANSWER.pack(kind, time.process_time(), width, height, len(text)))
    _send(connection, text)
    _send(connection, pixels)


Outcome = tuple[int, bytes] | tuple[int, bytes, memoryview, int, int]
"""Kind and text, and of a picture its pixels, width and height."""


def _outcome(data: bytes, limits: Limits, least: int) -> Outcome:
    try:
        image = decode(data, limits, least or None, digest=False)
        height, width = image.pixels.shape
        text = json.dumps([image.facts, image.warnings]).encode()
        return PICTURE, text, image.pixels.data.cast("B"), width, height
    except MachineError as error:
        kind = MEMORY if NO_MEMORY in str(error) else MACHINE
        return kind, str(error).encode()
    except ImageError as error:
        kind = TOO_LARGE if isinstance(error, ImageTooLargeError) else REFUSED
        return kind, str(error).encode()
    except MemoryError:
        return MEMORY, b""


def _by_gdcm(data: bytes, job: Job, complaints: int) -> bytes | None:
    """gdcm here: this process may crash."""
    _drained(complaints)
    try:
        content = gdcm_process.samples(data, *job)
    except MemoryError:
        raise
    except Exception:  # what it gives for a damaged codestream is no text
        return None
    return None if gdcm_process.complaints(_drained(complaints)) else content


def _drained(pipe: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(pipe, 1 << 16)
    return b""


def _received(connection: int, size: int) -> bytes | None:
    """So many bytes; None where there is nobody any more."""
    data, got = bytearray(size), 0
    view = memoryview(data)
    while got < size:
        count = os.readv(connection, [view[got : got + AT_ONCE]])
        if not count:
            return None
        got += count
    return bytes(data)


def _send(connection: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(connection, view[:AT_ONCE]) :]
