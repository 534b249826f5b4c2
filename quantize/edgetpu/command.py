"""`python -m quantize edgetpu`: the steps from prediction to the compiled network in its file."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from rich.console import Console

from edge_app.core.errors import EXIT_DONE, EXIT_GATE, ModelError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model.model_file import MAX_FILE_BYTES, TFLITE_IDENTIFIER, ModelFile, read
from quantize.edgetpu.attach import Mapping, attach, verify
from quantize.edgetpu.check import Check, check
from quantize.edgetpu.compiler import SECONDS, find_compiler, run_compiler
from quantize.edgetpu.tables import print_check, print_mapping
from quantize.graph import printable


@dataclass(frozen=True)
class Request:
    """The values of the command line."""

    model: Path
    out: Path | None = None
    check_only: bool = False
    allow_cpu: bool = False
    as_json: bool = False
    seconds: float = SECONDS


@dataclass
class Answer:
    """The results of the finished steps, printed as JSON."""

    model: Path
    check: Check
    mapping: Mapping | None = None
    written: ModelFile | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": "edge-tpu",
            "schema_version": 1,
            "model": str(self.model),
            "check": self.check.as_dict(),
            "compiled": None if self.mapping is None else self.mapping.as_dict(),
            "written": None if self.written is None else str(self.written.path),
        }


def run(request: Request, out: Console, err: Console) -> int:
    """Check, compile and write as requested; returns the exit code.

    Raises:
        ModelError: the file cannot be read, or is a plain `.tflite`, which can only be checked
            because it has no place for a compiled network.
        RuntimeUnavailableError: there is no compiler.
        ConversionError: the compiler failed, or its output is not the same network.
    """
    model, flatbuffer = _open(request)
    try:
        answer = Answer(request.model, check(flatbuffer))
    except ModelError as error:
        raise ModelError(f"{request.model}: {error}") from None
    if not request.as_json:
        print_check(str(request.model), answer.check, out)
    try:
        return _go_on(request, model, answer, out, err)
    finally:
        if request.as_json:
            print(json.dumps(answer.as_dict(), indent=2))


def _open(request: Request) -> tuple[ModelFile | None, bytes]:
    """The model file and its network; None and the network for a plain `.tflite`."""
    if request.check_only:
        with suppress(UnreadableError):  # `read` has the better message
            data = read_bounded(request.model, MAX_FILE_BYTES)
            if data[4:8] == TFLITE_IDENTIFIER and not is_zipfile(BytesIO(data)):
                return None, data
    model = read(request.model)
    return model, model.flatbuffer


def _go_on(
    request: Request, model: ModelFile | None, answer: Answer, out: Console, err: Console
) -> int:
    found = answer.check
    if not found.passed and not request.allow_cpu:
        _say(err, f"{request.model}: {_shortfall(found)}{_mixed(model)}")
        return EXIT_GATE
    if request.check_only or model is None:
        return EXIT_DONE
    compiler = find_compiler()
    _say(err, f"compiling with {compiler}")
    compiled = run_compiler(compiler, model.flatbuffer, request.seconds)
    answer.mapping = mapping = verify(compiled, found.graph)
    if not request.as_json:
        print_mapping(mapping, out)
    if not mapping.mapped or not (mapping.passed or request.allow_cpu):
        _say(
            err,
            f"{request.model}: not written: of its operations the compiler mapped "
            f"{mapping.mapped} to the Edge TPU and left {mapping.on_cpu} to the CPU"
            + ("; --allow-cpu writes it all the same" if mapping.mapped else ""),
        )
        return EXIT_GATE
    answer.written = attach(model, mapping, request.out or request.model)
    _say(err, f"written: {answer.written.path}, for the CPU and the Edge TPU")
    return EXIT_DONE


def _shortfall(found: Check) -> str:
    """Why a check has not passed."""
    if found.refused is not None:
        return f"the compiler would take nothing of the file: {printable(found.refused.reason)}"
    total = len(found.predictions) + found.elsewhere
    own = next((each for each in found.predictions if each.own), None)
    first = (
        f"the first for {printable(own.operator.name)} ({own.operator.index}): "
        f"{printable(own.reason)}"
        if own is not None
        else "those of other graphs than the main one"
    )
    return f"{found.on_cpu} of {total} operations would run on the CPU, {first}" + (
        "; --allow-cpu goes on all the same" if found.mapped else ""
    )


def _mixed(model: ModelFile | None) -> str:
    """What to do if the import kept a part of the model in float32; empty otherwise."""
    if model is None or model.in_float32 is None:
        return ""
    kept, count = model.in_float32
    return (
        f"; its import kept {kept} of {count} operators in float32: import it with --int8-only, "
        "and see whether int8 alone passes"
    )


def _say(err: Console, line: str) -> None:
    err.print(line, soft_wrap=True, highlight=False, markup=False)
