"""Running `edgetpu_compiler`: found on the PATH, with a time limit; its output is checked later.

Google's compiler is closed and in no package registry; https://coral.ai/docs/edgetpu/compiler/
tells how to install it (x86-64 Linux).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from edge_app.core.errors import RuntimeUnavailableError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model.archive import MAX_MEMBER_BYTES
from quantize.edgetpu.log import CompilerReport, parse
from quantize.errors import ConversionError
from quantize.graph import printable

COMPILER: Final = "edgetpu_compiler"
INSTALL: Final = "https://coral.ai/docs/edgetpu/compiler/"
SECONDS: Final = 600
"""The compiler's own limit is 180."""
MAX_LOG_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Compiled:
    """The compiler's flatbuffer and report, both unchecked."""

    flatbuffer: bytes
    report: CompilerReport


def find_compiler() -> str:
    """The compiler's path.

    Raises:
        RuntimeUnavailableError: it is not on the PATH.
    """
    found = shutil.which(COMPILER)
    if found is None:
        raise RuntimeUnavailableError(
            f"nothing was compiled: {COMPILER} is not on the PATH; {INSTALL} says how to install it"
        )
    return found


def run_compiler(compiler: str, flatbuffer: bytes, seconds: float = SECONDS) -> Compiled:
    """Compile one network in a temporary folder.

    Args:
        compiler: its path.
        flatbuffer: an int8 network.
        seconds: the time limit, after which the compiler and its children are killed.

    Raises:
        ConversionError: it failed, took too long, or left nothing that can be read.
    """
    with TemporaryDirectory(prefix="edgetpu-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(flatbuffer)
        command = [compiler, "--show_operations", "--out_dir", name, f"{name}/model.tflite"]
        code = _run(command, folder, seconds)
        said, complained = (_log(folder / stream) for stream in ("stdout", "stderr"))
        if code != 0:
            reason = " ".join(f"{said} {complained}".replace(name + "/", "").split())
            ending = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            raise ConversionError(
                f"{COMPILER} failed ({ending}): {printable(reason[-300:]) or 'without a word'}"
            )
        try:
            compiled = read_bounded(folder / "model_edgetpu.tflite", MAX_MEMBER_BYTES)
        except UnreadableError as error:
            raise ConversionError(f"{COMPILER} ended well, but its output {error}") from None
        return Compiled(compiled, parse(said))


def _run(command: list[str], folder: Path, seconds: float) -> int:
    """Run it; returns the exit code. Output goes to files: a pipe waits for its children too."""
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise ConversionError(f"{command[0]} cannot be started: {error.strerror}") from None
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ConversionError(
                f"{COMPILER} did not end within {seconds:g} s and was stopped"
            ) from None
        finally:  # a time-out, Ctrl-C, or children that it left behind
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _log(path: Path) -> str:
    try:
        return read_bounded(path, MAX_LOG_BYTES).decode("utf-8", "replace")
    except UnreadableError as error:
        raise ConversionError(f"{COMPILER}'s output {error}") from None
