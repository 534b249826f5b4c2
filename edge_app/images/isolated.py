"""Decoding in processes that can do nothing else: a decoder that is taken over gets nowhere.

Each of them has a bound on memory, on processor time and on time; it starts no process, reaches no
network, writes no file and reads only the installation (see `core.sandbox`), and dies with this
process. The file goes to it, and its pixels come back, in shared memory; with them comes a header
of fixed size with a bounded JSON text, which is trusted as little as the picture is. A process that
dies or hangs costs that one picture alone.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from edge_app.core import sandbox, strict_json
from edge_app.core.errors import ImageError, ImageTooLargeError, MachineError
from edge_app.core.pieces import Pieces, size_of, whole
from edge_app.core.plain_text import plain
from edge_app.core.shortage import KILLED, shortage_now, shortage_of
from edge_app.images.radiograph import MAX_SIDE, Limits, Radiograph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PROCESSOR_SECONDS: Final = 20
SECONDS: Final = 60
"""Seconds that decoding a picture may take: of the processor, and by the clock; the second is
larger for busy machines."""

START_SECONDS: Final = 60

MEMORY_BYTES: Final = 600 << 20
BYTES_A_PIXEL: Final = 24
"""Bytes of memory that decoding may take: the fixed number, or so many for each pixel where more
are allowed."""

REQUEST: Final = struct.Struct("<IQQQI")
"""Its number; bytes of the file; limits of bytes and pixels; least side that is needed, or 0."""
ANSWER: Final = struct.Struct("<IBdIII")
"""The request's number; kind; seconds of the processor so far; width, height; bytes of the text,
which follows."""
PICTURE, REFUSED, TOO_LARGE, MACHINE, MEMORY = range(5)
LONGEST_TEXT: Final = 1 << 14
LONGEST_FACT: Final = 200
MAX_FACTS: Final = 32
KEPT_BYTES: Final = 16 << 20
"""Bytes of shared memory that stay reserved; what a larger picture took is given back."""

BOOTSTRAP: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from edge_app.images.decoder_process import main; main(sys.argv[1])"
)
"""The process gets this one's search path, and imports nothing from the current folder."""

ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""Variables of the environment that it gets; others may hold secrets."""

Say = Callable[[str], None]


class _LostError(Exception):
    """Why a process is no longer usable, as the end of a sentence that begins with a picture."""


class _Decoder:
    """One process.

    Args:
        memory: bytes that it may take for a picture.
        shared: bytes of the largest file, or of the most pixels.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, memory: int, shared: int) -> None:
        place = _sealed(shared)
        try:
            self.shared = mmap.mmap(place, shared)
            ours, theirs = socket.socketpair()
        except BaseException:
            os.close(place)
            raise
        with theirs:
            request = {
                "connection": theirs.fileno(),
                "shared": place,
                "parent": os.getpid(),
                "memory": memory,
            }
            known = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
            package = str(Path(__file__).parents[2])
            path = [package, *(each for each in sys.path if each not in ("", package))]
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", BOOTSTRAP, json.dumps(request), *path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), place),
                    env={**known, "OPENBLAS_NUM_THREADS": "1"},
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
            finally:
                os.close(place)
        sandbox.end_first(self.process.pid)
        self.connection = ours
        self.missing: list[str] | None = None
        self._used, self._number = 0.0, 0

    def ready(self) -> None:
        """Wait until it has given up what it can.

        Raises:
            _LostError: it does not start.
            MachineError: it is killed meanwhile.
        """
        if self.missing is None:
            _, _, _, _, text = self._answered(time.monotonic() + START_SECONDS, 0)
            try:
                self.missing = [plain(str(line))[:LONGEST_FACT] for line in strict_json.parse(text)]
            except (ValueError, TypeError):
                raise _LostError("is answered with nonsense") from None

    def decode(self, data: bytes | Pieces, limits: Limits, min_side: int | None) -> Radiograph:
        """See `read.decode`, without a digest."""
        import numpy as np

        end = time.monotonic() + SECONDS
        size, width, height = size_of(data), 0, 0
        with suppress(OSError):  # it has ended, which shows in a moment
            _, hard = resource.getrlimit(resource.RLIMIT_CPU)
            limit = int(self._used) + PROCESSOR_SECONDS + 1, hard
            resource.prlimit(self.process.pid, resource.RLIMIT_CPU, limit)
        try:
            self._share(data)
            self._number += 1
            self._send(REQUEST.pack(self._number, size, *limits, min_side or 0), end)
            kind, used, width, height, text = self._answered(end, limits.max_pixels)
            self._used = max(self._used, min(used, 1e9))
            if kind != PICTURE:
                raise _refusal(kind, text)
            pixels = np.frombuffer(self.shared, np.uint8, width * height)
            return _radiograph(text, pixels.copy(), width, height)
        finally:
            if max(size, width * height) > KEPT_BYTES:
                self.shared.madvise(mmap.MADV_REMOVE, KEPT_BYTES)

    def _share(self, data: bytes | Pieces) -> None:
        """Write a file to the beginning of the memory."""
        import numpy as np

        at = 0
        for piece in (data,) if isinstance(data, bytes) else data:
            # numpy copies without Python's lock.
            there = np.frombuffer(self.shared, np.uint8, len(piece), at)
            there[:] = np.frombuffer(piece, np.uint8)
            at += len(piece)

    def _answered(self, end: float, max_pixels: int) -> tuple[int, float, int, int, bytes]:
        number, kind, used, width, height, size = ANSWER.unpack(self._received(ANSWER.size, end))
        right = number == self._number and kind in range(5) and width * height <= max_pixels
        if not right or size > LONGEST_TEXT:
            raise _LostError("is answered with nonsense by what decodes it")
        return kind, used, width, height, bytes(self._received(size, end))

    def _send(self, data: bytes, end: float) -> None:
        with self._spoken_to(end):
            # Without a signal: the decoder may have ended, and this process must not.
            self.connection.sendall(data, socket.MSG_NOSIGNAL)

    def _received(self, size: int, end: float) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            with self._spoken_to(end):
                count = self.connection.recv_into(view)
            if not count:
                raise self._end()
            view = view[count:]
        return data

    def _spoken_to(self, end: float) -> _Spoken:
        self.connection.settimeout(max(0.001, end - time.monotonic()))
        return _Spoken(self)

    def _end(self) -> _LostError | MachineError:
        """How it ended, or that it was ended because it takes too long.

        A process that takes more memory than its limit is refused it, and reports that. Where the
        machine has less than the limit, the system kills the process first.
        """
        try:
            status = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return _LostError(f"took more than {SECONDS} s to decode")
        if status == -signal.SIGXCPU:
            return _LostError(f"took more than {PROCESSOR_SECONDS} s of the processor to decode")
        if status == -signal.SIGKILL:
            return MachineError(f"could not be read: {KILLED}")
        how = signal.Signals(-status).name if status < 0 else f"code {status}"
        return _LostError(f"ends the process that decodes it ({how})")

    def close(self) -> None:
        """End it."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class _Spoken:
    """A context for sending or receiving: an error there ends the process."""

    def __init__(self, decoder: _Decoder) -> None:
        self.decoder = decoder

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, TimeoutError):
            raise _LostError(f"took more than {SECONDS} s to decode") from None
        if isinstance(error, OSError):
            raise self.decoder._end() from None


class Decoders:
    """The decoding processes, one for each picture that may be decoded at once; threads share them.

    Args:
        count: processes.
        limits: of the largest picture that will be asked for.
        say: called once with one line that names what this kernel lacks for the isolation.
    """

    def __init__(self, count: int, limits: Limits, say: Say) -> None:
        self._memory = max(MEMORY_BYTES, BYTES_A_PIXEL * limits.max_pixels)
        self._shared = max(KEPT_BYTES, *limits)
        self._say: Say | None = say
        self._idle: SimpleQueue[_Decoder | None] = SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        for _ in range(count):
            # Their start takes as long as loading the model: both begin at once.
            try:
                self._idle.put(self._started())
            except MachineError:  # tried again, and reported, when it is needed
                self._idle.put(None)

    def decode(
        self,
        data: bytes | Pieces,
        limits: Limits,
        min_side: int | None = None,
        *,
        digest: bool = True,
    ) -> Radiograph:
        """See `read.decode`.

        Raises:
            ImageError: also where the process that decodes it dies, or takes too long.
            MachineError: also where no process can be started, or somebody kills it.
        """
        decoder = self._idle.get()
        try:
            if decoder is not None and decoder.process.poll() is not None:
                decoder.close()
                decoder = None
            decoder = decoder or self._started()
            decoder.ready()
            self._announce(decoder)
            image = decoder.decode(data, limits, min_side)
        except _LostError as lost:
            begun = decoder is not None and decoder.missing is not None
            if decoder is not None:
                decoder.close()
                decoder = None
            if not begun:
                shortage = shortage_now() or "try again"
                raise MachineError(f"could not be read: no decoder starts: {shortage}") from None
            raise ImageError(str(lost)) from None
        except ImageError:
            raise
        except BaseException:  # its answer may still come, and must not go to another picture
            if decoder is not None:
                decoder.close()
                decoder = None
            raise
        finally:
            self._idle.put(decoder)
        if digest:
            import hashlib

            image.facts["sha256"] = hashlib.sha256(whole(data)).hexdigest()
        return image

    def _started(self) -> _Decoder:
        try:
            decoder = _Decoder(self._memory, self._shared)
        except OSError as error:
            shortage = shortage_of(error) or error.strerror
            raise MachineError(f"could not be read: no decoder starts: {shortage}") from None
        self._processes = [each for each in self._processes if each.returncode is None]
        self._processes.append(decoder.process)
        return decoder

    def _announce(self, decoder: _Decoder) -> None:
        say, self._say = self._say, None
        if say and decoder.missing:
            say(f"isolation is incomplete, this kernel has no {'; no '.join(decoder.missing)}")

    def rest(self) -> None:
        """Give back the shared memory of idle processes."""
        for _ in range(self._idle.qsize()):
            try:
                decoder = self._idle.get_nowait()
            except Empty:
                return
            if decoder is not None:
                decoder.shared.madvise(mmap.MADV_REMOVE)
            self._idle.put(decoder)

    def close(self) -> None:
        """End all processes; a picture that is being decoded is lost."""
        for process in self._processes:
            process.kill()
            process.wait()

    def __enter__(self) -> Decoders:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _sealed(size: int) -> int:
    """A descriptor of `size` bytes of memory that cannot shrink: that would kill its reader.

    Raises:
        OSError: there is no descriptor for it.
    """
    place = os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(place, size)
        fcntl.fcntl(place, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(place)
        raise
    return place


def _refusal(kind: int, text: bytes) -> ImageError:
    said = plain(text.decode("utf-8", "replace"))
    if kind == MEMORY:
        shortage = shortage_now()
        if shortage:
            return MachineError(f"could not be read: {shortage}")
        return ImageError("takes more memory to decode than any radiograph does")
    return {TOO_LARGE: ImageTooLargeError, MACHINE: MachineError}.get(kind, ImageError)(said)


def _radiograph(text: bytes, pixels: NDArray[np.uint8], width: int, height: int) -> Radiograph:
    """What a process answers, checked for what can be true."""
    try:
        facts, warnings = strict_json.parse(text)
        facts = {_name(name): _fact(value) for name, value in facts.items()}
        notes = tuple(_fact(line) for line in warnings)
        shrunk = facts.get("shrunk", 1)
        right = (
            shrunk in (1, 2, 4, 8)
            and (facts["width"], facts["height"]) == (width * shrunk, height * shrunk)
            and 0 < width * shrunk <= MAX_SIDE
            and 0 < height * shrunk <= MAX_SIDE
            and isinstance(facts["format"], str)
            and len(facts) <= MAX_FACTS
            and len(notes) <= MAX_FACTS
            and all(isinstance(note, str) for note in notes)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        right = False
    if not right:
        raise _LostError("is answered with nonsense by what decodes it")
    return Radiograph(pixels.reshape(height, width), facts, notes)


def _name(name: object) -> str:
    if not (isinstance(name, str) and name.isidentifier() and name.isascii() and len(name) < 32):
        raise ValueError
    return name


def _fact(value: Any) -> Any:
    """A number, a truth value, or a text as one bounded line."""
    if isinstance(value, str):
        return plain(value)[:LONGEST_FACT]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and abs(value) < 1e12:
        return value
    raise ValueError
