"""An opened network → a flatbuffer, and what a manifest says of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_app.model.model_file import MAX_FILE_BYTES
from edge_app.model.preprocess import InputSpec
from quantize.calibration import operators
from quantize.child_process import doing
from quantize.convert import to_float32
from quantize.errors import ConversionError
from quantize.importing.levels import on_gray_levels
from quantize.importing.network import ImportedNetwork
from quantize.importing.saved_model import Traced
from quantize.importing.tflite_file import ImportedTflite
from quantize.int8 import Calibrated, calibrated_in_spans, rounded
from quantize.mixed import milder, times_as_long
from quantize.package import tensors
from quantize.repairs.fold import fold
from quantize.repairs.registry import SHIPPED, as_input, scaled
from quantize.repairs.registry import rounded as rounded_weights

LARGEST: Final = MAX_FILE_BYTES - (1 << 22)
"""Bytes of a network that a model file holds, with room for the rest."""

PIXELS: Final = 128 * 128 * 128
"""The most pixels of all images that the repairs see: the layers' outputs are held in memory."""
MIN_IMAGES: Final = 16


REPLACE: Final = (
    "TensorFlow Lite cannot take one of its layers; give no DATA, for float32, or retrain it of "
    "convolutions, normalisations, poolings, sums and dense layers"
)
INT8: Final = "int8: weights per channel, activations, integer input and output"


class Converted(NamedTuple):
    """A network in TensorFlow Lite.

    Attributes:
        flatbuffer: the network.
        image, outputs: the manifest's `input` and `outputs`.
        spans: the manifest's `spans`, if any.
        facts: for the manifest's `quantization`.
    """

    flatbuffer: bytes
    image: dict[str, Any]
    outputs: dict[str, Any]
    spans: dict[str, list[float]] | None
    facts: dict[str, Any]


def packaged_as_is(opened: ImportedTflite) -> Converted:
    """A `.tflite` without any change."""
    image = {
        **opened.spec.as_dict(),
        "dtype": opened.image["dtype"],
        "quantization": opened.image["quantization"],
    }
    scores = dict(opened.scores)
    if opened.activation:
        scores["activation"] = opened.activation
    scheme = f"as it came: {opened.image['dtype']} input, {opened.scores['dtype']} output"
    facts: dict[str, Any] = {"scheme": scheme}
    if opened.in_float32 is not None:
        facts["in_float32"] = opened.in_float32
    return Converted(opened.flatbuffer, image, {"logits": scores}, None, facts)


def in_float(opened: ImportedNetwork) -> Converted:
    """float32, without any data."""
    flatbuffer = _converted(opened, lambda: to_float32(opened.network, _NONE))
    image, outputs = tensors(flatbuffer, opened.spec)
    return Converted(flatbuffer, image, outputs, None, {"scheme": "float32"})


_NONE: Final = np.zeros((0, 1, 1), np.uint8)


def calibrated(
    opened: ImportedNetwork, pictures: NDArray[np.uint8], more: NDArray[np.uint8]
) -> tuple[Calibrated, str]:
    """A network repaired as far as its layers allow, and calibrated; and what was repaired.

    Args:
        opened: the network.
        pictures: K×height×width training images to calibrate with.
        more: further ones, for the spans of the labels.

    Raises:
        ConversionError: it cannot be converted; names the layer.
    """
    doing(f"converting {opened.path} to int8", REPLACE)
    require_no_loop(opened)
    folded, spec = on_gray_levels(fold(opened.network), opened.spec)
    reason = unrepaired(folded)
    network = unrounded = folded
    if reason is None:
        few = as_input(pictures[: repair_images(spec)], spec)
        unrounded = scaled(folded, few)
        network = rounded_weights(unrounded, few)
    made = _converted(
        opened,
        lambda: calibrated_in_spans(
            *(network, folded, pictures, more, spec),
            None if network is folded else unrounded,
        ),
    )
    return made, SHIPPED if reason is None else f"none: {reason}"


def quantized(
    opened: ImportedNetwork, made: Calibrated, repair: str, in_float: Collection[str] = ()
) -> Converted:
    """int8, but for operators that stay in float32.

    Args:
        opened: the network.
        made, repair: see `calibrated`.
        in_float: see `calibration.quantized`.
    """
    doing(f"converting {opened.path} to int8", REPLACE)
    flatbuffer, spans = _converted(opened, lambda: rounded(made, in_float))
    image, outputs = tensors(flatbuffer, made.spec)
    facts = {"scheme": INT8, "repair": repair}
    return Converted(flatbuffer, image, outputs, spans.as_dict(), facts)


def attempts(opened: ImportedNetwork, made: Calibrated, repair: str) -> Iterator[Converted]:
    """int8 first, then conversions with more and more in float32, as long as a file holds them."""
    first = quantized(opened, made, repair)
    yield first
    count = len(operators(made.flatbuffer))
    for kept in milder(made):
        other = quantized(opened, made, repair, kept)
        if len(other.flatbuffer) > LARGEST:
            return
        longer = times_as_long(other.flatbuffer, first.flatbuffer)
        facts = {
            "scheme": f"{INT8}; {len(kept)} of {count} operators in float32"
            if len(kept) < count
            else "float32: all operators, and the outputs",
            "repair": repair,
            "in_float32": {
                "operators": [name.split(";")[0] for name in kept],
                "of": count,
                "times_as_long_as_int8": round(longer, 2),
            },
        }
        yield other._replace(facts=facts)


LOOPS: Final = frozenset(
    (
        *("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"),
        *("Enter", "Switch"),  # older forms of loops and branches
    )
)


def require_no_loop(opened: ImportedNetwork) -> None:
    """Refuse what TensorFlow's calibration of int8 crashes on: a loop or a branch in the network.

    Raises:
        ConversionError: there is one; names its layer or operation.
    """
    what = next(filter(None, map(_loop, opened.network._flatten_layers())), None)
    if what is not None:
        raise ConversionError(
            f"{opened.path}: {what} runs as a loop or a branch, within which int8 cannot be "
            "calibrated: save the network with unroll=True there, or import it in float32, without "
            "DATA"
        )


def _loop(layer: layers.Layer) -> str | None:
    """The part of a layer that is a loop or a branch."""
    if isinstance(layer, layers.RNN) and not layer.unroll:
        return f"layer {layer.name!r} ({type(layer).__name__})"
    if isinstance(layer, Traced):
        graph = layer.function.graph.as_graph_def()
        nodes = (*graph.node, *(node for f in graph.library.function for node in f.node_def))
        return next((f"operation {n.name!r} ({n.op})" for n in nodes if n.op in LOOPS), None)
    return None


def repair_images(spec: InputSpec) -> int:
    """How many images of a size the repairs see."""
    return max(MIN_IMAGES, PIXELS // (spec.height * spec.width))


def unrepaired(folded: keras.Model) -> str | None:
    """Why the repairs cannot follow a network layer by layer; None where they can."""
    for layer in folded.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        arguments = layer._inbound_nodes[0].arguments
        others = [each for each in keras.tree.flatten(arguments.kwargs) if _is_tensor(each)]
        if len(arguments.args) != 1 or others:
            return f"layer {layer.name!r} ({type(layer).__name__}) takes several arguments"
    return None


def _is_tensor(each: Any) -> bool:
    return bool(keras.backend.is_keras_tensor(each))


UNKNOWN: Final = re.compile(r"'tf\.(\w+)' op|Flex(\w+)")
"""How the converter names operations that TensorFlow Lite does not have."""


def _converted(opened: ImportedNetwork, convert: Callable[[], Any]) -> Any:
    """What a conversion gives; its failures name the layer."""
    try:
        return convert()
    except ConversionError:
        raise
    except Exception as error:  # the converter raises whatever its parts do
        said = str(error)
    unknown = dict.fromkeys(one or other for one, other in UNKNOWN.findall(said))
    places = [layer.name for layer in opened.network.layers if f"/{layer.name}" in said]
    where = f"layer {places[-1]!r}" if places else "a layer"
    why = (
        f"TensorFlow Lite has no {', '.join(unknown)}"
        if unknown
        else " ".join(said.split())[:160] or "the converter does not say why"
    )
    raise ConversionError(
        f"{opened.path}: {where} cannot be converted: {why}: retrain it with another layer there"
    )
