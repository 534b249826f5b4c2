"""OpenVINO: Intel's runtime, on processors and on Intel's GPUs and NPUs.

It reads the same flatbuffers, but only from files. ``import openvino`` reports its use to Intel
where the package openvino-telemetry is installed, as it is by default; here that is prevented.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from numpy.typing import NDArray

from edge_app.backends.fault import ABSENT, NO_DEVICE, PERMISSION, REFUSED, Fault
from edge_app.backends.options import CPU
from edge_app.backends.package import Package
from edge_app.backends.protocol import (
    DEVICE,
    IMPORT,
    NETWORK,
    ONE_THREAD,
    Backend,
    Failure,
    RawOutputs,
    Session,
    SessionOptions,
)
from edge_app.backends.tensors import Tensor, check_input, check_output
from edge_app.core import native_stderr
from edge_app.core.errors import BackendError, ModelError, UsageError
from edge_app.model.model_file import ModelFile

PROCESSOR: Final = "CPU"
NODES: Final = {"GPU": ("/dev/dri", "renderD"), "NPU": ("/dev/accel", "accel")}
"""Where the kernel shows a device: the folder, and how the file's name begins."""

DEVICES: Final = re.compile(r"(CPU|(GPU|NPU)(\.\d{1,2})?)")
X86: Final = ("x86_64", "AMD64", "i386", "i686")
VNNI: Final = frozenset({"avx512_vnni", "avx_vnni"})
INT8_KERNELS: Final = "LP_TRANSFORMS_MODE"
"""OpenVINO's setting of whether its CPU computes in int8, where a network is quantized."""

INSTALL: Final = "pip install 'edge-cxr[openvino]'"
TELEMETRY: Final = "openvino_telemetry"
CODE: Final = re.compile(r"Exception from \S+:\d+:|Check '.*?' failed at \S+:\d+:?")
"""The place in its source where an exception was raised: of no use to a user."""


class OpenVino(Backend):
    """OpenVINO on one device.

    Args:
        device: as OpenVINO calls it: ``CPU``, ``GPU``, ``GPU.1``, ``NPU``.
    """

    name = "openvino"
    title = "OpenVINO"
    hint = "pip install --upgrade openvino, or take another --backend"
    failure = "OpenVINO does not work here"
    packages = ("openvino",)
    exclusive = False
    last_resort = True
    more_threads: tuple[int, ...] = (2, 4)

    def __init__(self, device: str = PROCESSOR) -> None:
        self.device = device
        self.package = Package("openvino", "openvino")
        if device != PROCESSOR:
            self.exclusive, self.more_threads = True, ()
            self.hint = f"update the driver of the {device}, or take --backend {self.name}"

    @classmethod
    def find(cls, part: str = "") -> Sequence[OpenVino]:
        device = part.upper() or PROCESSOR
        if not DEVICES.fullmatch(device):
            raise UsageError(f"--backend {cls.name}:{part}: there are CPU, GPU, GPU.1 and NPU")
        return (cls(device),)

    @property
    def option(self) -> str:
        return self.name if self.device == PROCESSOR else f"{self.name}:{self.device}"

    @property
    def label(self) -> str:
        where = "" if self.device == PROCESSOR else f" on the {self.device}"
        return self.package.label + where

    @property
    def software(self) -> str:
        return self.label

    @property
    def installed(self) -> bool:
        return self.package.folder is not None

    def available(self) -> Fault | None:
        if not self.installed:
            return Fault(ABSENT, f"openvino is not installed: {INSTALL}")
        return None if self.device == PROCESSOR else self._device_fault()

    def _device_fault(self) -> Fault | None:
        """What is wrong with the GPU or NPU, by its files in /dev; None: nothing."""
        kind = self.device.partition(".")[0]
        folder, start = NODES[kind]
        try:
            nodes = [f"{folder}/{n}" for n in sorted(os.listdir(folder)) if n.startswith(start)]
        except OSError:
            nodes = []
        if not nodes:
            return Fault(
                NO_DEVICE,
                f"{self.label}: the kernel shows no {kind} ({folder}/{start}*): install its "
                f"driver, or take --backend {self.name}",
            )
        if any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
            return None
        return Fault(
            PERMISSION,
            f"{self.label}: no permission for {nodes[0]}: run sudo usermod -aG render $USER, "
            "restart the machine",
        )

    def facts(self) -> dict[str, Any]:
        return {**self.package.facts(), "device": self.device}

    def identity(self) -> dict[str, Any]:
        device = CPU if self.device == PROCESSOR else self.device.lower()
        version = self.package.version
        return {"name": self.name, "version": version, "delegate": device, "library": None}

    def open(self, model: ModelFile, options: SessionOptions = ONE_THREAD) -> OpenVinoSession:
        return OpenVinoSession(model, self, options)

    def explain(self, failure: Failure) -> Fault:
        if failure.stage == DEVICE:
            known = failure.reason or "it does not say why"
            return Fault(REFUSED, f"{self.label} does not open: {known}: {self.hint}")
        return super().explain(failure)

    def import_package(self) -> Any:
        """The package, imported without output and without telemetry.

        Raises:
            ImportError, OSError: it does not import; a shared library of it is missing.
        """
        with native_stderr.silenced(), _without_telemetry():
            import openvino

            return openvino

    def settings(self, threads: int) -> dict[str, Any]:
        """Settings of a compiled network: exact rather than fast, and several at once."""
        exact = {"EXECUTION_MODE_HINT": "ACCURACY"}
        if self.device != PROCESSOR:
            return exact
        # Pinned to cores, several workers' threads would all be pinned to the first ones.
        own = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        if int8_saturates():
            own[INT8_KERNELS] = False
        return {**exact, **own}


def int8_saturates() -> bool:
    """Whether OpenVINO's int8 sums saturate on this processor: x86 without VNNI.

    They are held in 16 bits there (oneDNN, Nuances of int8 Computations), and answers are off by
    tens of steps. OpenVINO then computes in float32 with the network's quantization.
    """
    from edge_app.core.machine import capabilities

    return platform.machine() in X86 and not VNNI.intersection(capabilities()["features"])


class OpenVinoSession(Session):
    """A model compiled for one device, its tensors checked against the manifest.

    Args:
        model: what to run.
        backend: the device.
        options: see `SessionOptions`; threads count on the processor only.

    Raises:
        ModelError: OpenVINO refuses the flatbuffer, or it is not what the manifest says.
        BackendError: the device does not open, or refuses the network and may be at fault.
        ImportError, OSError: the package does not import.
    """

    backend: OpenVino

    def __init__(self, model: ModelFile, backend: OpenVino, options: SessionOptions) -> None:
        self.model, self.backend, self.threads = model, backend, options.threads
        options.stage(IMPORT, "importing openvino")
        package = backend.import_package()
        with native_stderr.silenced():
            options.stage(DEVICE, f"opening the {backend.device}")
            core = self._open(package, backend.device)
            options.stage(NETWORK, "loading the model")
            compiled = self._compile(core, backend.settings(options.threads))
        check_input(model, [_tensor(port) for port in compiled.inputs])
        places = {name: i for i, port in enumerate(compiled.outputs) for name in port.names}
        known = {name: _tensor(compiled.outputs[i]) for name, i in places.items()}
        self._logits = places[check_output(model, "logits", known)]
        self._map = places[check_output(model, "map", known)] if model.has_map else None
        self._tensor = package.Tensor
        self._request = compiled.create_infer_request()

    def _open(self, package: Any, device: str) -> Any:
        """OpenVINO's core, with the device checked; native code may raise anything."""
        try:
            core = package.Core()
            core.get_property(device, "FULL_DEVICE_NAME")
        except Exception as error:
            raise BackendError(self.backend.label, _words(error)) from None
        return core

    def _compile(self, core: Any, settings: dict[str, Any]) -> Any:
        """The network as the device runs it; native code may raise anything."""
        try:
            with _as_file(self.backend.network(self.model)) as path:
                network = core.read_model(path)
            return compiled(core, network, self.backend.device, settings)
        except Exception as error:
            reason = _words(error)
        if self.backend.exclusive:
            raise BackendError(self.backend.label, reason)
        raise ModelError(f"{self.model.path}: openvino refuses it: {reason}")

    def run(self, tensor: NDArray[Any]) -> RawOutputs:
        try:
            self._request.set_input_tensor(self._tensor(tensor))
            self._request.infer()
            logits = self._read(self._logits)
            maps = None if self._map is None else self._read(self._map)
        except Exception as error:
            raise ModelError(
                f"{self.model.path}: {self.where} fails while it computes: {_words(error)}"
            ) from None
        return RawOutputs(logits, maps)

    def _read(self, place: int) -> NDArray[Any]:
        answer: NDArray[Any] = self._request.get_output_tensor(place).data[0]
        return answer.copy()


def compiled(core: Any, network: Any, device: str, settings: dict[str, Any]) -> Any:
    """A compiled network; without `INT8_KERNELS` where a version of OpenVINO does not know it.

    It is an internal setting. Without it the golden vectors judge the answers.
    """
    try:
        return core.compile_model(network, device, settings)
    except Exception:
        if INT8_KERNELS not in settings:
            raise
    without = {name: value for name, value in settings.items() if name != INT8_KERNELS}
    return core.compile_model(network, device, without)


def _tensor(port: Any) -> Tensor:
    """A network's input or output; OpenVINO does not tell its quantization."""
    shape = [each.get_length() if each.is_static else -1 for each in port.get_partial_shape()]
    return Tensor(shape, port.get_element_type().to_dtype().name)


@contextmanager
def _as_file(network: bytes) -> Iterator[str]:
    """A temporary file with the flatbuffer; OpenVINO tells the format by the ending `.tflite`."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile(prefix="edge-cxr-", suffix=".tflite") as file:
        file.write(network)
        file.flush()
        yield file.name


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """While this lasts, `import openvino_telemetry` fails, unless it is imported already."""
    if TELEMETRY in sys.modules:
        yield
        return
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # None: the import fails
    try:
        yield
    finally:
        del sys.modules[TELEMETRY]


def _words(error: Exception) -> str:
    """An exception's message on one line."""
    said = " ".join(CODE.sub("", str(error)).split()).rstrip(".: ")
    return said[:200] or type(error).__name__
