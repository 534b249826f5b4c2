"""An opened foreign network → a flatbuffer, and what a manifest says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_app.model.preprocess import InputSpec
from quantize.convert import to_float32
from quantize.errors import ConversionError
from quantize.importing.foreign import Foreign
from quantize.importing.tflite_file import ForeignTflite
from quantize.int8 import in_int8
from quantize.package import tensors
from quantize.repairs.fold import fold
from quantize.repairs.registry import SHIPPED, as_input, repaired

PIXELS: Final = 128 * 128 * 128
"""How many pixels the repairs see at most, of all images: what layers make of them is held."""
LEAST_IMAGES: Final = 16


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


def packaged_as_is(opened: ForeignTflite) -> Converted:
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
    return Converted(opened.flatbuffer, image, {"logits": scores}, None, {"scheme": scheme})


def in_float(opened: Foreign) -> Converted:
    """float32, without any data."""
    flatbuffer = _converted(opened, lambda: to_float32(opened.network, _NONE))
    image, outputs = tensors(flatbuffer, opened.spec)
    return Converted(flatbuffer, image, outputs, None, {"scheme": "float32"})


_NONE: Final = np.zeros((0, 1, 1), np.uint8)


def quantized(opened: Foreign, pictures: NDArray[np.uint8], more: NDArray[np.uint8]) -> Converted:
    """int8, repaired as far as its layers allow.

    Args:
        opened: the network.
        pictures: K×height×width training images to calibrate with.
        more: further ones, for the spans of the labels.
    """
    folded = fold(opened.network)
    reason = unrepaired(folded)
    few = pictures[: repair_images(opened.spec)]
    network = repaired(folded, as_input(few, opened.spec)) if reason is None else folded
    flatbuffer, spans = _converted(
        opened, lambda: in_int8(network, folded, pictures, more, opened.spec)
    )
    image, outputs = tensors(flatbuffer, opened.spec)
    facts = {
        "scheme": "int8: weights per channel, activations, integer input and output",
        "repair": SHIPPED if reason is None else f"none: {reason}",
    }
    return Converted(flatbuffer, image, outputs, spans.as_dict(), facts)


def repair_images(spec: InputSpec) -> int:
    """How many images of a size the repairs see."""
    return max(LEAST_IMAGES, PIXELS // (spec.height * spec.width))


def unrepaired(folded: keras.Model) -> str | None:
    """Why the repairs cannot follow a network layer by layer; None where they can."""
    for layer in folded.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        given = layer._inbound_nodes[0].arguments
        others = [each for each in keras.tree.flatten(given.kwargs) if _is_tensor(each)]
        if len(given.args) != 1 or others:
            return f"layer {layer.name!r} ({type(layer).__name__}) takes several arguments"
    return None


def _is_tensor(each: Any) -> bool:
    return bool(keras.backend.is_keras_tensor(each))


UNKNOWN: Final = re.compile(r"'tf\.(\w+)' op|Flex(\w+)")
"""How the converter names operations that TensorFlow Lite has not."""


def _converted(opened: Foreign, convert: Callable[[], Any]) -> Any:
    """What a conversion gives; its failures are told by the layer's name."""
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
