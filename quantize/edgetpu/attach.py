"""Model file → the same model file with a second network, compiled for the Edge TPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_app.backends.edgetpu import OPERATOR, EdgeTpu
from edge_app.core.errors import ModelError
from edge_app.model.model_file import ModelFile
from quantize.edgetpu.compiler import Compiled
from quantize.errors import ConversionError
from quantize.graph import Graph, Tensor, printable, read_graph


@dataclass(frozen=True)
class Mapping:
    """Where a compiled network runs.

    Attributes:
        on_cpu: operations on the CPU: the larger of the numbers in report and flatbuffer.
    """

    compiled: Compiled
    on_cpu: int

    @property
    def mapped(self) -> int:
        return self.compiled.report.mapped

    @property
    def passed(self) -> bool:
        """Whether all of it runs on the Edge TPU."""
        return self.mapped > 0 and self.on_cpu == 0

    def as_dict(self) -> dict[str, Any]:
        """For the manifest, without digests and size."""
        return {
            **self.compiled.report.as_dict(),
            "operations": {"accelerator": self.mapped, "cpu": self.on_cpu},
        }


def verify(compiled: Compiled, source: Graph) -> Mapping:
    """Check the compiler's output against its input and its report.

    Args:
        compiled: see `run_compiler`.
        source: the graph that was compiled.

    Raises:
        ConversionError: the flatbuffer is damaged, an input or output differs, or report and
            flatbuffer contradict each other.
    """
    report = compiled.report
    try:
        graph = read_graph(compiled.flatbuffer)
    except ModelError as error:
        raise ConversionError(f"edgetpu_compiler's output: {error}") from None
    accelerated = sum(o.custom and o.name == OPERATOR.decode() for o in graph.operators)
    if bool(accelerated) != bool(report.mapped):
        raise ConversionError(
            f"edgetpu_compiler reports {report.mapped} operations on the Edge TPU, but its "
            f"flatbuffer holds {accelerated} of its operators ({OPERATOR.decode()})"
        )
    for kind in ("inputs", "outputs"):
        before, after = (_by_name(getattr(g, kind)) for g in (source, graph))
        if before != after:
            strange, absent = _without(after, before), _without(before, after)
            raise ConversionError(
                f"the compiled network has other {kind}: "
                f"{_text(strange)} instead of {_text(absent)}"
            )
    return Mapping(compiled, max(report.on_cpu, len(graph.operators) - accelerated))


def _by_name(tensors: tuple[Tensor, ...]) -> dict[str, tuple[Any, ...]]:
    """The properties that the device relies on, by tensor name; the order does not matter."""
    return {
        tensor.name: (
            tensor.dtype,
            tensor.shape,
            *(tensor.scales.tolist(), tensor.zero_points.tolist()),
        )
        for tensor in tensors
    }


def _without(
    tensors: dict[str, tuple[Any, ...]], others: dict[str, tuple[Any, ...]]
) -> dict[str, tuple[Any, ...]]:
    return {name: what for name, what in tensors.items() if others.get(name) != what}


def _text(tensors: dict[str, tuple[Any, ...]]) -> str:
    parts = (
        f"{printable(name)[:60]} {dtype.lower()} {'x'.join(map(str, shape))} "
        f"(scale {', '.join(f'{s:.6g}' for s in scales[:2])}, zero point {zeros[:2]})"
        for name, (dtype, shape, scales, zeros) in list(tensors.items())[:4]
    )
    return "; ".join(parts) or "none"


def attach(model: ModelFile, mapping: Mapping, path: Path) -> ModelFile:
    """Write the model file with the compiled network, which replaces an earlier one.

    Raises:
        ModelError: the parts do not make a model file.
        OSError: it cannot be written.
    """
    facts = {**model.manifest.get("compiled", {}), EdgeTpu.name: mapping.as_dict()}
    networks = {**model.compiled, EdgeTpu.name: mapping.compiled.flatbuffer}
    manifest = {**model.manifest, "compiled": facts}
    return model.replace(manifest=manifest, compiled=networks).save(path)
