"""A model in an interpreter: loaded, checked against its manifest, run."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.backends.options import CPU, EDGETPU_OPERATOR
from edge_app.backends.runtime import Runtime
from edge_app.core import native_stderr
from edge_app.core.errors import DelegateError, ModelError
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from edge_app.backends.delegate import Delegate
    from edge_app.model.manifest_types import Input, Output

Stage = Callable[[str], None]
"""Told what is going to be done next: `DELEGATE`, `MODEL`."""

DELEGATE = "delegate"
MODEL = "model"


def flatbuffer_for(model: ModelFile, delegate: Delegate | None) -> bytes:
    """The network that a delegate runs: the one compiled for it, if the model has it."""
    return model.compiled.get(delegate.name, model.flatbuffer) if delegate else model.flatbuffer


class RawOutputs(NamedTuple):
    """What the graph gave, in its own dtype: logits (L,) and map (h, w, L), if there is one."""

    logits: NDArray[Any]
    map: NDArray[Any] | None


class Session:
    """A model loaded into an interpreter, its tensors checked against the manifest.

    Args:
        model: what to run.
        runtime: the interpreter.
        threads: of the interpreter.
        delegate: None for the CPU.
        stage: is told where it is; a process that dies has said where.

    Raises:
        ModelError: the interpreter refuses the flatbuffer, or it is not what the manifest says.
        DelegateError: the same with a delegate, whose fault it may be.
        ImportError, OSError: the runtime does not import.
    """

    def __init__(
        self,
        model: ModelFile,
        runtime: Runtime,
        threads: int = 1,
        delegate: Delegate | None = None,
        stage: Stage = lambda name: None,
    ) -> None:
        self.model, self.runtime, self.threads, self.delegate = model, runtime, threads, delegate
        make = runtime.interpreter
        loaded, reason = self._load(make, stage)
        if loaded is None:
            raise self._refusal(reason)
        self._interpreter = loaded
        if delegate:  # what its library prints on the way out is kept from the user too
            weakref.finalize(self, _close_quietly, loaded)
        self._input = self._check_input()
        outputs = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        self._logits = self._check_output("logits", outputs)
        self._map = self._check_output("map", outputs) if model.has_map else None

    def another(self) -> Session:
        """The same with an interpreter of its own: one serves one thread at a time.

        Raises:
            ModelError, DelegateError: as for the first, e.g. where a device serves one only.
        """
        return Session(self.model, self.runtime, self.threads, self.delegate)

    @property
    def where(self) -> str:
        """Who computes, for messages."""
        return self.delegate.label if self.delegate else self.runtime.package

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        delegate = self.delegate
        return {
            "name": self.runtime.name,
            "version": self.runtime.version,
            "delegate": delegate.name if delegate else CPU,
            "library": str(delegate.library) if delegate else None,
            "threads": self.threads,
        }

    def _load(self, make: Any, stage: Stage) -> tuple[Any, str]:
        """The interpreter, or None and why; native code may raise anything.

        Nothing is raised from here, so that what a broken delegate's finalizer prints is over
        when standard error speaks again.
        """
        with native_stderr.silenced():
            try:
                options: dict[str, Any] = {}
                if self.delegate:
                    stage(DELEGATE)
                    handle = self.runtime.load_delegate(self.delegate.library)
                    options["experimental_delegates"] = [handle]
                stage(MODEL)
                content = flatbuffer_for(self.model, self.delegate)
                loaded = make(model_content=content, num_threads=self.threads, **options)
                loaded.allocate_tensors()
            except Exception as error:
                return None, _chain(error)
        return loaded, ""

    def _refusal(self, reason: str) -> ModelError | DelegateError:
        if self.delegate:
            return DelegateError(f"{self.delegate.label} with {self.runtime.package}", reason)
        if EDGETPU_OPERATOR.decode() in reason:
            return ModelError(
                f"{self.model.path}: is compiled for the Edge TPU, and none is in use: "
                "see 'edge-cxr doctor', or take the model file that is not compiled"
            )
        explained = self.runtime.explain(reason)
        if explained:
            return ModelError(f"{self.model.path}: {explained}")
        return ModelError(f"{self.model.path}: {self.runtime.package} refuses it: {reason}")

    def _check_input(self) -> int:
        details = self._interpreter.get_input_details()
        spec = self.model.input_spec
        if len(details) != 1:
            raise ModelError(f"{self.model.path}: has {len(details)} inputs, not one")
        shape = [1, spec.height, spec.width, spec.channels]
        self._require("input", details[0], shape, self.model.manifest["input"])
        return int(details[0]["index"])

    def _check_output(self, name: Literal["logits", "map"], outputs: dict[str, Any]) -> int:
        stated = self.model.manifest["outputs"][name]
        if stated["tensor"] not in outputs:
            raise ModelError(
                f"{self.model.path}: has no output {stated['tensor']!r} for its {name}"
            )
        detail = outputs[stated["tensor"]]
        self._require(name, detail, stated["shape"], stated)
        return int(detail["index"])

    def _require(
        self, name: str, detail: dict[str, Any], shape: list[int], stated: Input | Output
    ) -> None:
        if detail["shape"].tolist() != shape or np.dtype(detail["dtype"]).name != stated["dtype"]:
            raise ModelError(
                f"{self.model.path}: its {name} is {np.dtype(detail['dtype']).name} "
                f"{detail['shape'].tolist()}, its manifest says {stated['dtype']} {shape}"
            )
        if stated["quantization"] is not None:
            scale, zero_point = detail["quantization"]
            expected = stated["quantization"]
            same_scale = np.float32(expected["scale"]) == np.float32(scale)
            if not same_scale or expected["zero_point"] != zero_point:
                raise ModelError(
                    f"{self.model.path}: its {name} has another quantization than stated"
                )

    def run(self, tensor: NDArray[Any]) -> RawOutputs:
        """1×height×width×channels in the model's dtype → its outputs, copied.

        Raises:
            ModelError: the interpreter fails, e.g. because a device was unplugged.
        """
        self._interpreter.set_tensor(self._input, tensor)
        quiet: AbstractContextManager[None] = (
            native_stderr.silenced() if self.delegate else nullcontext()
        )
        with quiet:
            try:
                self._interpreter.invoke()
            except (RuntimeError, ValueError) as error:
                reason = _chain(error)
            else:
                logits = self._interpreter.get_tensor(self._logits)[0]
                if self._map is None:
                    return RawOutputs(logits, None)
                return RawOutputs(logits, self._interpreter.get_tensor(self._map)[0])
        raise ModelError(f"{self.model.path}: {self.where} fails while it computes: {reason}")


def _chain(error: BaseException) -> str:
    """An error's words and those of what caused it, on one line, each once."""
    words = ""
    cause: BaseException | None = error
    while cause is not None and len(words) < 200:
        more = " ".join((str(cause) or type(cause).__name__).split()).rstrip(".")
        words += "" if more in words else f"; {more}" if words else more
        cause = cause.__cause__ or cause.__context__
    return words[:200]


def _close_quietly(interpreter: Any) -> None:
    with native_stderr.silenced():
        interpreter.__del__()
