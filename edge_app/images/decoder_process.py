"""The process that decodes untrusted files: pictures in, pixels out, nothing else.

See `isolated` for its requests and answers. It trusts no picture, and is not trusted itself.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import socket
import struct
import sys
import sysconfig
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress

import numpy as np

from edge_app.core import native_stderr, sandbox
from edge_app.core.errors import ImageError, ImageTooLargeError, MachineError
from edge_app.core.shortage import NO_MEMORY
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
from edge_app.images.radiograph import Limits, Picture
from edge_app.images.read import decode

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of glibc's `mallopt`; other C libraries have none."""

KEPT_AT_ONCE, KEPT = 32 << 20, 128 << 20
"""Bytes of the largest piece of memory, and of all, that are kept from one picture to the next: to
get them again, page by page, takes half of a large picture's time."""

IDLE = 2
"""Seconds without a picture after which this memory is given back."""

SYSTEM = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/etc/ld.so.cache")
"""Places of the decoders' shared libraries, which are loaded when they are first needed."""


def main(request: str) -> None:
    """Decode until no more requests come.

    Args:
        request: JSON: descriptors of the ``connection`` and of the ``shared`` memory, ``parent``
            (its process), ``memory`` (bytes that a picture may take).
    """
    settings = json.loads(request)
    sandbox.end_with(settings["parent"])
    # Sent by whoever ends all processes of the box: the current picture is still read.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    connection, complaints = settings["connection"], _own_stderr()
    shared = mmap.mmap(settings["shared"], os.fstat(settings["shared"]).st_size)
    # Imported now, so that it cannot fail to load later.
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin  # noqa: F401

    native_stderr.silenced = nullcontext  # type: ignore[assignment]  # nobody sees it
    gdcm_process.decoded = lambda data, job, name: _by_gdcm(data, job, complaints)
    rest = _keep_memory()
    # `read` then ends after that time; where the system takes another form of it, it never rests.
    with suppress(OSError), socket.socket(fileno=os.dup(connection)) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", IDLE, 0))
    sandbox.limit_memory(settings["memory"])
    missing = sandbox.confine([*sys.path, *_installation(), *SYSTEM])
    _tell(connection, 0, PICTURE, json.dumps(missing).encode())
    while _answer_one(connection, shared, rest):
        pass


def _keep_memory() -> Callable[[], None]:
    """Have the C library keep the memory that pictures take; returns a function to free it."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        trim = library.malloc_trim
        library.mallopt(M_MMAP_THRESHOLD, KEPT_AT_ONCE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)
        return lambda: trim(0)
    return lambda: None


def _own_stderr() -> int:
    """Send standard error into a pipe that drops any excess; returns the pipe's other end."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 2)
    os.close(writing)
    return reading


def _installation() -> list[str]:
    return [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def _answer_one(connection: int, shared: mmap.mmap, rest: Callable[[], None]) -> bool:
    head = _received(connection, REQUEST.size, rest)
    if head is None:
        return False
    number, size, max_bytes, max_pixels, min_side = REQUEST.unpack(head)
    _tell(connection, number, *_outcome(shared, size, Limits(max_bytes, max_pixels), min_side))
    return True


def _outcome(
    shared: mmap.mmap, size: int, limits: Limits, min_side: int
) -> tuple[int, bytes, int, int]:
    """Kind and text; width and height of the picture that is in the shared memory then."""
    try:
        image = decode(shared[:size], limits, min_side or None, digest=False)
        width, height = _put(image.picture, shared)
        return PICTURE, json.dumps([image.facts, image.warnings]).encode(), width, height
    except MachineError as error:
        kind = MEMORY if NO_MEMORY in str(error) else MACHINE
        return kind, str(error).encode(), 0, 0
    except ImageError as error:
        kind = TOO_LARGE if isinstance(error, ImageTooLargeError) else REFUSED
        return kind, str(error).encode(), 0, 0
    except MemoryError:
        return MEMORY, b"", 0, 0


def _put(picture: Picture, shared: mmap.mmap) -> tuple[int, int]:
    """Write a picture's pixels to the beginning of the memory; returns its width and height."""
    from PIL import Image

    if isinstance(picture, np.ndarray):
        height, width = picture.shape
        np.frombuffer(shared, np.uint8, picture.size).reshape(height, width)[:] = picture
        return width, height
    width, height = picture.size
    pixels = np.frombuffer(shared, np.uint8, width * height)
    there = Image.frombuffer("L", picture.size, pixels, "raw", "L", 0, 1)
    there.readonly = 0  # it would be copied before it is changed
    there.paste(picture)  # an array of the picture would be one copy more
    return width, height


def _tell(
    connection: int, number: int, kind: int, text: bytes, width: int = 0, height: int = 0
) -> None:
    text = text[:LONGEST_TEXT]
    answer = ANSWER.pack(number, kind, time.process_time(), width, height, len(text)) + text
    while answer:
        answer = answer[os.write(connection, answer) :]


def _by_gdcm(data: bytes, job: Job, complaints: int) -> bytes | None:
    """Run gdcm here: this process may crash."""
    _drained(complaints)
    try:
        content = gdcm_process.samples(data, *job)
    except MemoryError:
        raise
    except Exception:  # for a damaged codestream it returns something that is not text
        return None
    return None if gdcm_process.complaints(_drained(complaints)) else content


def _drained(pipe: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(pipe, 1 << 16)
    return b""


def _received(connection: int, size: int, rest: Callable[[], None]) -> bytes | None:
    """`size` bytes; None once the other end has closed. Rests where none come for a while."""
    data, rested = b"", False
    while len(data) < size:
        try:
            piece = os.read(connection, size - len(data))
        except BlockingIOError:
            if not rested:
                rest()
            rested = True
            continue
        if not piece:
            return None
        data += piece
    return data
