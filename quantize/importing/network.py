"""An imported Keras network as the repairs and the device need it: image → (logits, map).

The activation at the end is cut off, since int8 ruins the ranking of rare labels behind one.
Global average pooling before the dense layer changes places with it: the mean of a 1×1
convolution's map is what the dense layer makes of the features' mean, so there is a heatmap and the
logits stay the same (Zhou et al., Learning Deep Features for Discriminative Localization, CVPR
2016).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from scipy.special import expit, softmax

from edge_app.core.errors import UsageError
from edge_app.model.preprocess import CROP, PAD, STRETCH, InputSpec, lookup_table
from quantize.errors import ConversionError
from quantize.importing import onnx_file, saved_model
from quantize.importing.flatten import Flattening, as_graph
from quantize.importing.keras_file import HOW_TO_EXPORT, open_keras
from quantize.repairs.fold import after, before
from quantize.simulate import batches

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

Floats = NDArray[np.float32]

ONNX: Final = ".onnx"
MIN_SIDE: Final = 28
LARGEST_SIDE: Final = 512
EQUAL: Final = 1e-5
"""How far the imported float network's scores may be from the original's."""
ROUNDING: Final = 2.0**-22
"""Relative error that a few operations in float32 may cause."""
STEADY: Final = 2.0
"""Multiple of the original's own rounding error that is allowed where that is above `EQUAL`."""

BEGINNING: Final = 4
"""How many of the first layers are searched for one that resizes pictures."""

HEADS: Final[dict[str, Head]] = {"sigmoid": "independent", "softmax": "exclusive"}
LOGITS, MAP = "logits", "map"

HOW_TO_SCALE: Final = (
    "say what it was given: --mean 0 --std 255 for 0 to 1, --mean 127.5 --std 127.5 for -1 to 1, "
    "--mean 0 --std 1 for gray levels as they are"
)
UNSAID: Final = f"has no Rescaling or Normalization layer right behind its input: {HOW_TO_SCALE}"


class Original(Protocol):
    def __call__(self, pictures: NDArray[np.uint8], gain: float) -> Floats:
        """N×height×width pictures → N×L scores, the input times `gain`."""


class NetworkOptions(NamedTuple):
    """What the user states about a network where its file does not.

    Attributes:
        size: height and width.
        mean, std: in gray levels, one number or one a channel, of what is done before the network.
        resize: how a picture becomes one of this size; see `InputSpec`.
        head: whether labels are independent or exclusive.
        output: the name of the output that holds the scores.
    """

    size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: str = STRETCH
    head: Head | None = None
    output: str | None = None


@dataclass(frozen=True)
class ImportedNetwork:
    """A network from elsewhere, opened.

    Attributes:
        path: its file or folder.
        kind: of the file, for people.
        architecture: its name in the file.
        network: image → (logits, map), or image → logits; its last layer with weights is named
            after the last of them.
        spec: what the network sees.
        head: whether its labels are independent or exclusive.
        outputs: how many scores it gives.
        original: what its own file answers.
        activation: what was cut off its end; None where it gave logits.
        notes: one line each, of what was found and decided.
    """

    path: Path
    kind: str
    architecture: str
    network: keras.Model
    spec: InputSpec
    head: Head
    outputs: int
    original: Original
    activation: str | None
    notes: list[str] = field(default_factory=list)

    @property
    def mapped(self) -> bool:
        return len(self.network.outputs) > 1

    @property
    def sha256(self) -> str:
        """Of the file, or of the SavedModel's graph and weights."""
        digest = hashlib.sha256()
        files = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        for file in files:
            if file.is_file():
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def logits(self, pictures: NDArray[np.uint8]) -> Floats:
        """N×height×width pictures → N×L, by the imported float network."""
        table = lookup_table(self.spec, None)
        answers = [self.network.predict_on_batch(table[batch]) for batch in batches(pictures)]
        return np.concatenate([each[0] if self.mapped else each for each in answers])

    def off(self, pictures: NDArray[np.uint8]) -> float:
        """The largest difference between a score of the import and of the original."""
        mine, theirs = self.logits(pictures), self.original(pictures, 1.0)
        if self.activation == "sigmoid":
            mine = expit(mine)
        elif self.activation == "softmax":
            mine = softmax(mine, axis=-1)
        size = max(1.0, float(np.abs(theirs).max())) if self.activation is None else 1.0
        return float(np.abs(mine - theirs).max() / size)

    def wobble(self, pictures: NDArray[np.uint8]) -> float:
        """How far the original's scores move when its input is rounded to float32 otherwise."""
        scores = [self.original(pictures, 1 + sign * ROUNDING) for sign in (0, 1, -1)]
        return float(max(np.abs(other - scores[0]).max() for other in scores[1:]))

    def require_equal(self, pictures: NDArray[np.uint8]) -> float:
        """`off`, which must be `EQUAL` or less, or within what the original is steady to.

        Raises:
            ConversionError: the import answers something else than the original.
        """
        off = self.off(pictures)
        if not off <= EQUAL and not off <= STEADY * self.wobble(pictures):
            raise ConversionError(
                f"{self.path}: the imported network's scores are {off:.1e} off the original's: it "
                f"is not used; {HOW_TO_EXPORT}"
            )
        return off


def open_network(path: Path, options: NetworkOptions) -> ImportedNetwork:
    """A Keras file, a SavedModel or an ONNX file.

    Raises:
        ConversionError: it cannot be imported; names the layer, input or output that forbids it.
        UsageError: an option is missing, or contradicts the file.
    """
    if path.suffix == ONNX:
        return _from_onnx(path, options)
    return _from_saved_model(path, options) if path.is_dir() else _from_keras(path, options)


def _from_onnx(path: Path, options: NetworkOptions) -> ImportedNetwork:
    found = _from_saved_model(onnx_file.as_saved_model(path), options)
    answers = onnx_file.original(path, lookup_table(found.spec, None), options.output)
    return replace(found, path=path, kind="ONNX file", architecture=path.stem, original=answers)


def _from_keras(path: Path, options: NetworkOptions) -> ImportedNetwork:
    model = open_keras(path)
    graph = as_graph(model)
    if graph is None:
        raise ConversionError(f"{path}: has no graph of layers: {HOW_TO_EXPORT}")
    if len(graph.inputs) != 1:
        names = ", ".join(each.name for each in graph.inputs)
        raise ConversionError(
            f"{path}: has {len(graph.inputs)} inputs ({names}): a model takes one image; build one "
            "of the image alone"
        )
    chosen = _chosen_output(path, graph, options.output)
    single = keras.Model(graph.inputs, chosen)
    own, resizing = _resized(path, graph, options.resize)
    side, channels = shape_of(path, graph.inputs[0].shape[1:], options.size, own)
    image = keras.Input((*side, channels), name="image")
    (scores,) = Flattening().replay(as_graph(single), [image])
    _require_scores(path, scores.shape)
    flat, front = _without_front(keras.Model(image, scores), channels)
    spec, notes = spec_of(path, (*side, channels), options, front)
    activation, network, more = _with_head(path, flat)
    fed = lookup_table(_fed(spec, options, channels), None)

    def original(pictures: NDArray[np.uint8], gain: float) -> Floats:
        table = (fed * gain).astype(np.float32)
        return np.concatenate([single.predict_on_batch(table[b]) for b in batches(pictures)])

    return ImportedNetwork(
        path,
        "Keras file",
        str(model.name),
        network,
        spec,
        head_by(path, activation, scores.shape[-1], options.head),
        int(scores.shape[-1]),
        original,
        activation,
        [*resizing, *notes, *more],
    )


def _from_saved_model(path: Path, options: NetworkOptions) -> ImportedNetwork:
    graph = saved_model.open_saved_model(path, options.output)
    side, channels = shape_of(path, saved_model.input_shape(graph), options.size, None)
    _require_scores(path, graph.scores.shape)
    spec, notes = spec_of(path, (*side, channels), options, None)
    found = saved_model.head_of(graph)
    image = keras.Input((*side, channels), name="image")
    features = found.body(image)
    count = int(graph.scores.shape[-1])
    kernel = np.eye(count, dtype=np.float32) if found.kernel is None else found.kernel
    bias = np.zeros(count, np.float32) if found.bias is None else found.bias
    network = _ended(image, features, kernel, bias, found.pooled)
    notes.append("its graph is taken as it is: of the repairs, those of its last layer alone apply")
    if not found.pooled:
        notes.append("no heatmap: no global average pooling stands right before its scores")
    fed = lookup_table(spec, None)

    def original(pictures: NDArray[np.uint8], gain: float) -> Floats:
        table = (fed * gain).astype(np.float32)
        return np.concatenate([saved_model.scores_of(graph, table[b]) for b in batches(pictures)])

    return ImportedNetwork(
        path,
        "SavedModel",
        path.resolve().name,
        network,
        spec,
        head_by(path, found.activation, count, options.head),
        count,
        original,
        found.activation,
        notes,
    )


# --- what goes in --------------------------------------------------------------------------------


class Front(NamedTuple):
    """What the layers right behind the input do with each channel: scale · x + offset.

    Attributes:
        names: of the layers.
    """

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    names: list[str]


def _resized(path: Path, graph: Any, rule: str) -> tuple[tuple[int, int] | None, list[str]]:
    """The size that a `Resizing` layer at the beginning gives, and a note; None without one.

    A `Resizing` layer after an input of fixed size stays a layer of the network.
    """
    first = islice(_laid_open(graph), BEGINNING)
    layer = next((x for x in first if isinstance(x, layers.Resizing)), None)
    taken = tuple(graph.inputs[0].shape[1:3])
    if layer is None or (None not in taken and taken != (layer.height, layer.width)):
        return None, []
    own = CROP if layer.crop_to_aspect_ratio else PAD if layer.pad_to_aspect_ratio else STRETCH
    if own != rule:
        raise UsageError(
            f"{path}: its layer {layer.name!r} makes pictures fit by {own.partition('-')[0]}: "
            f"say --resize {own.partition('-')[0]}"
        )
    note = f"its layer {layer.name!r} is done by the device, which averages where it shrinks"
    return (int(layer.height), int(layer.width)), [note]


def _laid_open(graph: Any) -> Iterator[layers.Layer]:
    """Layers in their order, those of nested models in the place of these; no inputs."""
    for layer in graph.layers:
        inner = as_graph(layer)
        if inner is not None:
            yield from _laid_open(inner)
        elif not isinstance(layer, layers.InputLayer):
            yield layer


def shape_of(
    path: Path, shape: tuple[int | None, ...], requested: tuple[int, int] | None, own: Any
) -> tuple[tuple[int, int], int]:
    """Height and width, and channels, of an input of this shape."""
    if len(shape) != 3:
        raise ConversionError(
            f"{path}: its input has the shape {shape}, which is no image's: height×width×channels"
        )
    height, width, channels = shape
    if channels not in (1, 3):
        first = (
            " (are these its channels, first? save it channels last)" if height in (1, 3) else ""
        )
        raise ConversionError(
            f"{path}: takes images of {channels} channels{first}: a radiograph has gray levels "
            "alone, which are given to 1 channel, or to each of 3; retrain it on 1 or 3"
        )
    known = own if height is None or width is None else (int(height), int(width))
    if known is None and requested is None:
        raise UsageError(f"{path}: takes images of any size: say which it was trained on: --size N")
    if known and requested and known != requested:
        raise UsageError(
            f"--size {requested[0]}x{requested[1]}: {path} takes {known[0]}x{known[1]}: leave "
            "--size out"
        )
    side = known or requested
    assert side is not None
    if not all(MIN_SIDE <= each <= LARGEST_SIDE for each in side):
        raise ConversionError(
            f"{path}: takes images of {side[0]}x{side[1]}; a model file takes {MIN_SIDE} to "
            f"{LARGEST_SIDE} pixels a side: retrain it at such a size"
        )
    return side, int(channels)


def _without_front(model: keras.Model, channels: int) -> tuple[keras.Model, Front | None]:
    """The model without the layers that only scale its input, and what these do."""
    scale, offset = np.ones(channels), np.zeros(channels)
    names: list[str] = []
    layer = model.layers[0]
    while len(following := after(model, layer)) == 1 and following[0].output is not model.output:
        layer = following[0]
        step = _affine(layer)
        if step is None or not (np.asarray(step[0]) > 0).all():
            break
        scale, offset = scale * step[0], offset * step[0] + step[1]
        names.append(layer.name)
    if not names:
        return model, None

    def unless_front(one: layers.Layer, *args: Any, **kwargs: Any) -> Any:
        return args[0] if one.name in names else one(*args, **kwargs)

    rest = keras.models.clone_model(model, call_function=unless_front)
    for one in rest.layers:
        one.set_weights(model.get_layer(one.name).get_weights())
    return rest, Front(scale, offset, names)


def _affine(layer: layers.Layer) -> tuple[Any, Any] | None:
    """Scale and offset of a layer that does nothing else, by channel; None for any other."""
    if isinstance(layer, layers.Rescaling):
        return np.asarray(layer.scale, float), np.asarray(layer.offset, float)
    if isinstance(layer, layers.Normalization) and not layer.invert:
        mean, variance = (np.asarray(each, float).ravel() for each in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
        return 1 / deviation, -mean / deviation
    return None


def spec_of(
    path: Path,
    shape: tuple[int, int, int],
    options: NetworkOptions,
    front: Front | None,
    unsaid: str = UNSAID,
) -> tuple[InputSpec, list[str]]:
    """What the network sees, by the options and by what its first layers do."""
    height, width, channels = shape
    if (options.mean is None) != (options.std is None):
        raise UsageError("--mean and --std belong together: give both")
    if options.mean is None and front is None:
        raise UsageError(f"{path}: {unsaid}")
    mean, std = (_channelled(options, channels)) if options.mean else (np.zeros(1), np.ones(1))
    notes = []
    if front is not None:
        std = std / front.scale
        mean = mean - front.offset * std
        what = ", ".join(repr(name) for name in front.names)
        before_it = (
            "gray levels as they are" if options.mean is None else "what --mean and --std give"
        )
        notes.append(f"its layers {what} take {before_it}, and are done by the device's table")
    spec = InputSpec(height, width, channels, options.resize, _plain(mean), _plain(std))
    return spec, notes


def _channelled(
    options: NetworkOptions, channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = []
    for name, each in (("--mean", options.mean), ("--std", options.std)):
        assert each is not None
        if len(each) not in (1, channels):
            raise UsageError(
                f"{name}: {len(each)} numbers for {channels} channels: give one, or one a channel"
            )
        if name == "--std" and min(each) <= 0:
            raise UsageError(f"--std {min(each):g}: it divides, and is more than 0")
        values.append(np.array(each, float))
    return values[0], values[1]


def _plain(values: NDArray[np.float64]) -> float | tuple[float, ...]:
    """One number where all are the same."""
    numbers = tuple(float(each) for each in np.asarray(values).ravel())
    return numbers[0] if len(set(numbers)) == 1 else numbers


def _fed(spec: InputSpec, options: NetworkOptions, channels: int) -> InputSpec:
    """What the original network is fed: the same pictures, by the options alone."""
    if options.mean is None:
        return spec._replace(mean=0.0, std=1.0)
    mean, std = _channelled(options, channels)
    return spec._replace(mean=_plain(mean), std=_plain(std))


# --- what comes out ------------------------------------------------------------------------------


def _chosen_output(path: Path, graph: Any, requested: str | None) -> keras.KerasTensor:
    names = list(graph.output_names)
    if requested is None and len(names) == 1:
        return graph.outputs[0]
    if requested in names:
        return graph.outputs[names.index(requested)]
    what = (
        f"--output {requested}: there is no such output" if requested else "which holds the scores?"
    )
    raise UsageError(
        f"{path}: has {len(names)} outputs ({', '.join(names)}); {what} Give --output NAME"
    )


def _require_scores(path: Path, shape: Any) -> None:
    if len(shape) != 2 or shape[-1] is None:
        raise ConversionError(
            f"{path}: its output has the shape {tuple(shape)}: one score a label is wanted; is it "
            "the features' output, or a segmentation?"
        )


def head_by(path: Path, activation: str | None, count: int, requested: Head | None) -> Head:
    """Whether labels are independent, by the activation, otherwise by the option."""
    found = HEADS[activation] if activation else "independent" if count == 1 else None
    if found is None and requested is None:
        raise UsageError(
            f"{path}: ends in no sigmoid or softmax: say --head independent where each label is a "
            "question of its own, --head exclusive where just one applies"
        )
    if found and requested and found != requested:
        raise UsageError(
            f"--head {requested}: {path} ends in a {activation or 'single score'}, so its labels "
            f"are {found}"
        )
    if activation == "softmax" and count == 1:
        raise ConversionError(f"{path}: a softmax over one score is always 1: it ranks nothing")
    return found or requested  # type: ignore[return-value]


def require_logits(opened: Any, logits: Floats) -> None:
    """Refuse supposed logits that are the answers of a sigmoid or a softmax.

    Args:
        opened: a network that does not end in a known activation.
        logits: N×L, of any pictures.

    Raises:
        ConversionError: all of them lie from 0 to 1, and so do those of pictures that no network
            is used to, which take the logits of few labels out of there.
    """
    if opened.activation is not None or not _like_shares(logits):
        return
    strange = opened.logits(_strange(opened.spec.height, opened.spec.width))
    if _like_shares(strange):
        raise ConversionError(
            f"{opened.path}: its scores lie from {logits.min():.3g} to {logits.max():.3g} on "
            f"{len(logits)} pictures, as probabilities do, and it ends in no sigmoid or softmax "
            "that is seen: save it with one as its last layer, or with its logits as its output"
        )


def _like_shares(logits: Floats) -> bool:
    """Whether all lie from 0 to 1, but for half a step of an integer output."""
    return bool(((logits > -0.01) & (logits < 1.01)).all())


def _strange(height: int, width: int) -> NDArray[np.uint8]:
    """Black, white, noise and stripes of one pixel: 5×height×width."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width))
    upright = np.broadcast_to(np.arange(width) % 2 * 255, (height, width))
    across = np.broadcast_to(np.arange(height)[:, np.newaxis] % 2 * 255, (height, width))
    black = np.zeros((height, width))
    return np.stack([black, black + 255, noise, upright, across]).astype(np.uint8)


def _with_head(path: Path, flat: keras.Model) -> tuple[str | None, keras.Model, list[str]]:
    """The activation that is cut off, the network with its new head, and notes."""
    last = before_end(flat)
    activation, tensor = None, last.output
    if isinstance(last, layers.Softmax):
        activation, tensor = "softmax", last.input
    elif isinstance(last, layers.Activation):
        activation = getattr(last.activation, "__name__", "")
        if activation not in HEADS:
            raise ConversionError(
                f"{path}: layer {last.name!r} ends it in {activation!r}: scores of a sigmoid, a "
                "softmax, or logits are wanted; save it with one of these"
            )
        tensor = last.input
    elif isinstance(last, layers.Concatenate) and (parts := _each_before_sigmoid(last)):
        activation, tensor = "sigmoid", layers.Concatenate(name=f"{last.name}_logits")(parts)
    elif isinstance(last, layers.ReLU):
        raise ConversionError(
            f"{path}: layer {last.name!r} ends it in a ReLU, which makes all low scores equal: "
            "save it without"
        )
    image = flat.input
    dense = tensor._keras_history.operation
    features, kernel, bias = tensor, None, None
    if isinstance(dense, layers.Dense) and len(dense.input.shape) == 2:
        features = dense.input
        kernel, *biases = dense.get_weights()
        bias = biases[0] if biases else np.zeros(kernel.shape[-1], np.float32)
    count = tensor.shape[-1]
    if kernel is None or bias is None:
        kernel, bias = np.eye(count, dtype=np.float32), np.zeros(count, np.float32)
    pooled = _pooled(features)
    network = _ended(
        image, features if pooled is None else pooled, kernel, bias, pooled is not None
    )
    notes = []
    if pooled is None:
        source = features._keras_history.operation
        notes.append(
            f"no heatmap: layer {source.name!r} ({type(source).__name__}) stands before its "
            "scores, and no global average pooling"
        )
    return activation, network, notes


def _each_before_sigmoid(joined: layers.Concatenate) -> list[keras.KerasTensor]:
    """The logits of scores that are made one by one; empty where one is not made so."""
    makers = [tensor._keras_history.operation for tensor in joined.input]
    sigmoids = [getattr(getattr(each, "activation", None), "__name__", "") for each in makers]
    return [each.input for each in makers] if set(sigmoids) == {"sigmoid"} else []


def before_end(model: keras.Model) -> layers.Layer:
    """The layer that gives the scores, past those that only change a shape of one pixel."""
    layer = model.output._keras_history.operation
    while isinstance(layer, layers.Flatten | layers.Reshape) and _one_pixel(layer.input):
        layer = before(layer)[0]
    return layer


def _one_pixel(tensor: keras.KerasTensor) -> bool:
    return len(tensor.shape) == 2 or (len(tensor.shape) == 4 and tuple(tensor.shape[1:3]) == (1, 1))


def _pooled(features: keras.KerasTensor) -> keras.KerasTensor | None:
    """The map whose mean the features are; None where they are none."""
    layer = features._keras_history.operation
    while isinstance(layer, layers.Flatten | layers.Reshape) and _one_pixel(layer.input):
        layer = before(layer)[0]
    if isinstance(layer, layers.GlobalAveragePooling2D) and layer.data_format == "channels_last":
        return layer.input
    whole = isinstance(layer, layers.AveragePooling2D) and _one_pixel(layer.output)
    if whole and tuple(layer.pool_size) == tuple(layer.input.shape[1:3]):
        return layer.input
    return None


def _ended(
    image: keras.KerasTensor,
    features: keras.KerasTensor,
    kernel: Floats,
    bias: Floats,
    pooled: bool,
) -> keras.Model:
    """A network that ends in a map and its mean, or in a dense layer."""
    if pooled:
        head: Any = layers.Conv2D(kernel.shape[-1], 1, name=MAP)
        maps = head(features)
        head.set_weights([kernel[np.newaxis, np.newaxis], bias])
        logits = layers.GlobalAveragePooling2D(name=LOGITS)(maps)
        return keras.Model(image, [logits, maps])
    head = layers.Dense(kernel.shape[-1], name=LOGITS)
    logits = head(features)
    head.set_weights([kernel, bias])
    return keras.Model(image, logits)
