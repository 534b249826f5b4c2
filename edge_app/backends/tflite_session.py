"""A model in TensorFlow Lite's interpreter, with or without a delegate's library."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from edge_app.backends.protocol import (
    DEVICE,
    NETWORK,
    Backend,
    RawOutputs,
    Session,
    SessionOptions,
)
from edge_app.backends.tensors import Tensor, check_input, check_output
from edge_app.core import native_stderr
from edge_app.core.errors import BackendError, ModelError
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Package(Protocol):
    """The part of an `Interpreter` that a session needs."""

    distribution: ClassVar[str]

    @property
    def interpreter(self) -> Any: ...

    def load_delegate(self, library: Path) -> Any: ...

    def misfit(self, reason: str) -> str | None: ...


class TfliteSession(Session):
    """A model loaded into an interpreter, its tensors checked against the manifest.

    Args:
        model: what to run.
        backend: what computes: the interpreter, or a delegate in it.
        interpreter: the package.
        options: see `SessionOptions`.
        library: of the delegate; None for the processor.
        versions: of the software in use, in words.

    Raises:
        ModelError: the interpreter refuses the flatbuffer, or it is not what the manifest says.
        BackendError: the same with a delegate, which may be at fault.
        ImportError, OSError: the package does not import.
    """

    def __init__(
        self,
        model: ModelFile,
        backend: Backend,
        interpreter: Package,
        options: SessionOptions,
        library: Path | None = None,
        versions: str = "",
    ) -> None:
        self.model, self.backend, self.threads = model, backend, options.threads
        self.interpreter, self.library = interpreter, library
        make = interpreter.interpreter
        loaded, reason = self._load(make, options, versions)
        if loaded is None:
            raise self._refusal(reason)
        self._interpreter = loaded
        if library:  # silence what it prints when it is freed
            weakref.finalize(self, _close_quietly, loaded)
        inputs, outputs = loaded.get_input_details(), loaded.get_output_details()
        check_input(model, [_tensor(detail) for detail in inputs])
        self._input = int(inputs[0]["index"])
        known = {detail["name"]: _tensor(detail) for detail in outputs}
        places = {detail["name"]: int(detail["index"]) for detail in outputs}
        self._logits = places[check_output(model, "logits", known)]
        self._map = places[check_output(model, "map", known)] if model.has_map else None

    def _load(self, make: Any, options: SessionOptions, versions: str) -> tuple[Any, str]:
        """The interpreter, or None and the reason; native code may raise anything.

        It returns instead of raising, so that a broken delegate is freed, and prints, while
        standard error is still silenced.
        """
        with native_stderr.silenced():
            try:
                more: dict[str, Any] = {}
                if self.library:
                    options.stage(DEVICE, "making the delegate", versions)
                    more["experimental_delegates"] = [self.interpreter.load_delegate(self.library)]
                options.stage(NETWORK, "loading the model", versions)
                network = self.backend.network(self.model)
                loaded = make(model_content=network, num_threads=self.threads, **more)
                loaded.allocate_tensors()
            except Exception as error:
                return None, _chain(error)
        return loaded, ""

    def _refusal(self, reason: str) -> ModelError | BackendError:
        package = self.interpreter.distribution
        if self.library:
            return BackendError(f"{self.backend.label} with {package}", reason)
        explained = self.interpreter.misfit(reason)
        return ModelError(f"{self.model.path}: {explained or f'{package} refuses it: {reason}'}")

    def run(self, tensor: NDArray[Any]) -> RawOutputs:
        self._interpreter.set_tensor(self._input, tensor)
        quiet: AbstractContextManager[None] = (
            native_stderr.silenced() if self.library else nullcontext()
        )
        with quiet:
            try:
                self._interpreter.invoke()
            except (RuntimeError, ValueError) as error:
                reason = _chain(error)
            else:
                read = self._interpreter.get_tensor
                maps = None if self._map is None else read(self._map)[0]
                return RawOutputs(read(self._logits)[0], maps)
        raise ModelError(f"{self.model.path}: {self.where} fails while it computes: {reason}")


def _tensor(detail: dict[str, Any]) -> Tensor:
    shape, dtype = detail["shape"].tolist(), np.dtype(detail["dtype"]).name
    return Tensor(shape, dtype, detail["quantization"])


def _chain(error: BaseException) -> str:
    """The messages of an error and of its causes, on one line, each once."""
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
