"""The interpreter that runs a model: which package, how many threads, and what it may print."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app import native_stderr
from edge_app.errors import ModelError, RuntimeUnavailableError
from edge_app.inference.model_file import ModelFile

PACKAGES: Final = (
    ("litert", "ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite", "tflite_runtime.interpreter", "tflite-runtime"),
)
"""In order of preference: the older one has no fast int8 kernels on x86-64."""


@dataclass(frozen=True)
class Runtime:
    """An interpreter package that imports."""

    name: str
    package: str
    interpreter: Any

    @property
    def version(self) -> str:
        # Not from the package's metadata: parsing that takes longer than scoring a radiograph.
        return str(import_module(self.interpreter.__module__.partition(".")[0]).__version__)


def find_runtime() -> Runtime:
    """The preferred installed runtime.

    Raises:
        RuntimeUnavailableError: none imports; says what to install, and why each failed.
    """
    reasons = []
    for name, module, package in PACKAGES:
        try:
            imported = __import__(module, fromlist=["Interpreter"])
        except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
            reasons.append(f"{package}: {error}")
        else:
            return Runtime(name, package, imported.Interpreter)
    raise RuntimeUnavailableError(
        f"no TensorFlow Lite runtime works here ({'; '.join(reasons)}): pip install ai-edge-litert"
    )


@dataclass(frozen=True)
class RawOutputs:
    """What the graph gave, in its own dtype: logits (15,) and map (h, w, 15)."""

    logits: NDArray[Any]
    map: NDArray[Any]


class Session:
    """A model loaded into an interpreter, its tensors checked against the manifest.

    Raises:
        ModelError: the interpreter refuses the flatbuffer, or it is not what the manifest says.
    """

    def __init__(self, model: ModelFile, runtime: Runtime, threads: int = 1) -> None:
        self.model, self.runtime, self.threads = model, runtime, threads
        with native_stderr.silenced():
            try:
                self._interpreter = runtime.interpreter(
                    model_content=model.flatbuffer, num_threads=threads
                )
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ModelError(f"{model.path}: {runtime.package} refuses it: {reason}") from None
        self._input = self._check_input()
        outputs = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        self._logits = self._check_output("logits", outputs)
        self._map = self._check_output("map", outputs)

    def _check_input(self) -> int:
        details = self._interpreter.get_input_details()
        spec = self.model.input_spec
        if len(details) != 1:
            raise ModelError(f"{self.model.path}: has {len(details)} inputs, not one")
        shape = [1, spec.height, spec.width, 1]
        self._require("input", details[0], shape, self.model.manifest["input"])
        return int(details[0]["index"])

    def _check_output(self, name: str, outputs: dict[str, Any]) -> int:
        stated = self.model.manifest["outputs"][name]
        if stated["tensor"] not in outputs:
            raise ModelError(
                f"{self.model.path}: has no output {stated['tensor']!r} for its {name}"
            )
        detail = outputs[stated["tensor"]]
        self._require(name, detail, stated["shape"], stated)
        return int(detail["index"])

    def _require(
        self, name: str, detail: dict[str, Any], shape: list[int], stated: dict[str, Any]
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
        """1×height×width×1 in the model's dtype → its outputs, copied."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._logits)[0]
        return RawOutputs(logits, self._interpreter.get_tensor(self._map)[0])
