"""A network's tensors as a backend reports them, compared with the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from edge_app.core.errors import ModelError
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Input, Output


class Tensor(NamedTuple):
    """An input or output.

    Attributes:
        shape: with the batch of one.
        dtype: numpy's name of it.
        quantization: scale and zero point; None if the backend does not report them.
    """

    shape: Sequence[int]
    dtype: str
    quantization: tuple[float, int] | None = None


def check_input(model: ModelFile, tensors: Sequence[Tensor]) -> None:
    """Compare a network's input with the manifest.

    Raises:
        ModelError: it has several inputs, or its input differs.
    """
    if len(tensors) != 1:
        raise ModelError(f"{model.path}: has {len(tensors)} inputs, not one")
    spec = model.input_spec
    shape = [1, spec.height, spec.width, spec.channels]
    _require(model, "input", tensors[0], shape, model.manifest["input"])


def check_output(
    model: ModelFile, name: Literal["logits", "map"], tensors: Mapping[str, Tensor]
) -> str:
    """Compare one of a network's outputs with the manifest; returns the tensor's name.

    Args:
        model: the network is this model's.
        name: in the manifest.
        tensors: all outputs by their names.

    Raises:
        ModelError: it is missing or differs.
    """
    stated = model.manifest["outputs"][name]
    tensor = stated["tensor"]
    if tensor not in tensors:
        raise ModelError(f"{model.path}: has no output {tensor!r} for its {name}")
    _require(model, name, tensors[tensor], stated["shape"], stated)
    return tensor


def _require(
    model: ModelFile, name: str, tensor: Tensor, shape: list[int], stated: Input | Output
) -> None:
    if list(tensor.shape) != shape or tensor.dtype != stated["dtype"]:
        raise ModelError(
            f"{model.path}: its {name} is {tensor.dtype} {list(tensor.shape)}, "
            f"its manifest says {stated['dtype']} {shape}"
        )
    expected = stated["quantization"]
    if expected is None or tensor.quantization is None:
        if tensor.quantization and tensor.quantization[0] and stated["dtype"] != "float32":
            raise ModelError(f"{model.path}: its {name} has a quantization that is not stated")
        return
    scale, zero_point = tensor.quantization
    same_scale = np.float32(expected["scale"]) == np.float32(scale)
    if not same_scale or expected["zero_point"] != zero_point:
        raise ModelError(f"{model.path}: its {name} has another quantization than stated")
