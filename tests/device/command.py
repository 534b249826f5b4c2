"""`edge-cxr` for tests: within this process, which takes no start-up, or as a process."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import CompletedProcess
from subprocess import run as start
from typing import BinaryIO, TextIO

from edge_app.cli import app

Done = CompletedProcess[str]

OWN_FILTERS = (
    (DeprecationWarning, "__main__", "default"),
    (DeprecationWarning, "", "ignore"),
    (PendingDeprecationWarning, "", "ignore"),
    (ImportWarning, "", "ignore"),
    (ResourceWarning, "", "ignore"),
)
"""Of warnings, as Python begins with them: category, module, action."""


def as_process(arguments: Sequence[str], stdin: bytes | None = None, **options: object) -> Done:
    """Start `python -m edge_app`; options are those of `subprocess.run`."""
    line = [sys.executable, "-m", "edge_app", *arguments]
    done = start(line, input=stdin, capture_output=True, **{"timeout": 120} | options)  # type: ignore[call-overload]
    return _done(done.args, done.returncode, done.stdout, done.stderr)


def in_process(
    arguments: Sequence[str], stdin: bytes | None = None, cwd: str | Path | None = None
) -> Done:
    """Run the command line here, with streams, folder, environment and warnings of its own.

    The streams are file descriptors 0, 1 and 2 for the time being, so what native code prints is
    in the output too, and so is what a child prints that inherits them.
    """
    with ExitStack() as stack:
        out, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        stack.enter_context(_folder(cwd))
        stack.enter_context(_environment())
        stack.enter_context(_input(stdin))
        stack.enter_context(_output("stdout", 1, out))
        stack.enter_context(_output("stderr", 2, errors))
        stack.enter_context(_warnings())
        code = app.run(arguments, "edge-cxr")
        sys.stdout.flush()
        sys.stderr.flush()
        text = []
        for file in (out, errors):
            file.seek(0)
            text.append(file.read())
    return _done(["edge-cxr", *arguments], code, *text)


def _done(arguments: Sequence[str], code: int, out: bytes, errors: bytes) -> Done:
    """As a user reads it: UTF-8, and never a traceback."""
    done = CompletedProcess(arguments, code, out.decode("utf-8"), errors.decode("utf-8"))
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextmanager
def _folder(place: str | Path | None) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(place or before)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _input(data: bytes | None) -> Iterator[None]:
    """Standard input from a pipe that holds these bytes; from nothing where there are none."""
    if data is None:
        with (
            open(os.devnull, "rb") as nothing,
            _redirected(0, nothing),
            open(0, closefd=False) as stream,
            _stream("stdin", stream),
        ):
            yield
        return
    reading, writing = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), open(writing, "wb", buffering=0) as pipe:
            view = memoryview(data)
            while view:
                view = view[pipe.write(view) :]

    feeder = threading.Thread(target=feed)
    with open(reading, "rb") as pipe, _redirected(0, pipe), open(0, closefd=False) as stream:
        pipe.close()  # file descriptor 0 is the only reader, as it would be in a process
        feeder.start()
        with _stream("stdin", stream):
            yield
    feeder.join()


@contextmanager
def _output(name: str, descriptor: int, file: BinaryIO) -> Iterator[None]:
    """A standard stream that is written to a file, as `edge_app.cli.app.main` sets it up."""
    with (
        _redirected(descriptor, file),
        open(
            descriptor,
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            buffering=1,
            closefd=False,
        ) as stream,
        _stream(name, stream),
    ):
        yield


@contextmanager
def _redirected(descriptor: int, file: BinaryIO) -> Iterator[None]:
    saved = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


@contextmanager
def _stream(name: str, stream: TextIO) -> Iterator[None]:
    before = getattr(sys, name)
    setattr(sys, name, stream)
    try:
        yield
    finally:
        setattr(sys, name, before)


@contextmanager
def _warnings() -> Iterator[None]:
    """Warnings go to standard error, as in a process, and not into pytest's summary."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category, module, action in reversed(OWN_FILTERS):
            warnings.filterwarnings(action, category=category, module=module)  # type: ignore[arg-type]
        warnings.showwarning = show  # type: ignore[assignment]
        yield
