"""gdcm in a process of its own, because a damaged codestream may crash it."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
from typing import Final, NamedTuple

from edge_app.core.errors import ImageError, MachineError
from edge_app.core.shortage import KILLED, MEMORY_MESSAGES, NO_MEMORY, shortage_of

SECONDS: Final = 120

READY: Final = b"gdcm"
"""The process's first line: a failure before it is not the picture's fault."""

NO_COMPLAINT: Final = b"Unsupported JPEG data precision"
"""A message of gdcm's first JPEG library that means nothing: it then tries the next of its
three."""


class Job(NamedTuple):
    """What a codestream is said to hold.

    Attributes:
        syntax, photometric: as gdcm calls them.
        components: samples a pixel.
        allocated, stored: bits of a sample.
    """

    syntax: str
    photometric: str
    columns: int
    rows: int
    components: int
    allocated: int
    stored: int


def decoded(data: bytes, job: Job, name: str) -> bytes | None:
    """The samples, little-endian; None where they are damaged.

    Args:
        data: a codestream.
        job: what it must hold.
        name: of its compression.

    Raises:
        ImageError: it takes too long.
        MachineError: no process can be started, it has too little memory, or somebody kills it.
    """
    program = f"{inspect.getsource(samples)}\n{inspect.getsource(_main)}\n_main()"
    # -I, and this process's path: nothing is imported from the folder the pictures are in.
    command = [sys.executable, "-I", "-S", "-c", program, json.dumps([sys.path, READY.decode()])]
    try:
        done = subprocess.run(
            [*command, json.dumps(job)],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise ImageError(f"took more than {SECONDS} s to decode as {name}") from None
    except OSError as error:
        shortage = shortage_of(error) or error.strerror
        raise MachineError(f"could not be read: its decoder does not start: {shortage}") from None
    if done.returncode == -signal.SIGKILL:
        raise MachineError(f"could not be read: {KILLED}")
    said = done.stderr.decode("utf-8", "replace").lower()
    if not done.stdout.startswith(READY) or any(words in said for words in MEMORY_MESSAGES):
        raise MachineError(f"could not be read: its decoder does not start: {NO_MEMORY}")
    if done.returncode or complaints(done.stderr):
        return None
    return done.stdout[len(READY) :]


def complaints(said: bytes) -> list[bytes]:
    """What gdcm printed that means that a picture is damaged."""
    return [line for line in said.splitlines() if line and not line.startswith(NO_COMPLAINT)]


def _main() -> None:
    """What the process runs; it sees no other line of this file but `samples`."""
    import json
    import sys

    sys.path[:], ready = json.loads(sys.argv[1])
    import gdcm  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: F401

    sys.stdout.buffer.write(ready.encode())
    sys.stdout.buffer.flush()
    sys.stdout.buffer.write(samples(sys.stdin.buffer.read(), *json.loads(sys.argv[2])))


def samples(
    data: bytes,
    syntax: str,
    photometric: str,
    columns: int,
    rows: int,
    components: int,
    allocated: int,
    stored: int,
) -> bytes:
    """The samples of a codestream, decoded here and now."""
    import gdcm  # type: ignore[import-untyped, import-not-found, unused-ignore]

    gdcm.Trace.WarningOff()
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(components, allocated, stored, stored - 1, 0))
    # gdcm hands its bytes over as text
    content: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    return content
