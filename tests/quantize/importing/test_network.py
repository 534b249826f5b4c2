"""Imported Keras networks: opened, rewritten, and held to what Keras itself answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.initializers import Constant
from scipy.special import expit, softmax

from edge_app.core.errors import UsageError
from edge_app.model.preprocess import InputSpec, lookup_table
from quantize.errors import ConversionError
from quantize.importing.convert import in_float, require_no_loop, unrepaired
from quantize.importing.network import (
    EQUAL,
    ImportedNetwork,
    NetworkOptions,
    open_network,
    require_logits,
)
from quantize.repairs.fold import fold

SHAPE = (32, 40, 3)
SCALED = NetworkOptions(mean=(120.0, 130.0, 140.0), std=(60.0, 61.0, 62.0))


def varied(model: keras.Model) -> keras.Model:
    """The same with weights and statistics that are none of a new layer's."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0, 0.3, size))
            layer.moving_variance.assign(rng.uniform(0.5, 2, size))
            if layer.center:
                layer.beta.assign(rng.normal(0, 0.5, size))
    return model


def backbone(image: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(image)
    x = layers.Conv2D(8, 3, 2, padding="valid")(x)
    x = layers.BatchNormalization(scale=False)(x)
    return layers.ReLU(6.0)(x)


def nested() -> keras.Model:
    inner = keras.Input(SHAPE)
    features = keras.Model(inner, backbone(inner), name="backbone")
    image = keras.Input(SHAPE)
    x = layers.RandomFlip()(image)
    x = layers.Normalization(mean=[100.0, 110.0, 120.0], variance=[900.0, 800.0, 700.0])(x)
    x = layers.GlobalAveragePooling2D(keepdims=True)(features(x))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(2, "sigmoid")(x))


def branched() -> keras.Model:
    image = keras.Input(SHAPE)
    x = backbone(layers.Rescaling(1 / 127.5, -1)(image))
    one = layers.SeparableConv2D(12, 3, padding="same", activation="swish", depth_multiplier=2)(x)
    other = layers.Conv2D(12, 3, padding="same", dilation_rate=2, activation="relu")(x)
    x = ops.relu(one + 0.5 * other)
    x = layers.BatchNormalization()(x)
    squeezed = layers.Dense(12, "sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 12))(squeezed)])
    x = layers.Conv2D(12, 3, groups=3, padding="same")(x)
    return keras.Model(
        image, layers.Activation("softmax")(layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    )


def convolutional_head() -> keras.Model:
    """As MobileNet ends: a convolution of the one pixel that is left."""
    image = keras.Input(SHAPE)
    x = layers.GlobalAveragePooling2D(keepdims=True)(backbone(image))
    x = layers.Conv2D(3, 1)(x)
    return keras.Model(image, layers.Softmax()(layers.Reshape((3,))(x)))


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 5, 4, activation="relu"),
            layers.Flatten(),
            layers.Dense(6, "relu"),
            layers.Dense(1, "sigmoid"),
        ]
    )


def shared() -> keras.Model:
    """One layer at two places."""
    image = keras.Input(SHAPE)
    x = backbone(image)
    twice = layers.Conv2D(8, 3, padding="same")
    x = layers.Add()([twice(x), layers.ReLU()(twice(layers.ReLU()(twice(x))))])
    x = layers.AveragePooling2D((16, 20))(x)
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))


def operation_at_the_end() -> keras.Model:
    image = keras.Input(SHAPE)
    x = layers.GlobalAveragePooling2D()(backbone(image))
    return keras.Model(image, ops.softmax(layers.Dense(3)(x)))


def one_by_one() -> keras.Model:
    """A dense layer with a sigmoid for each label."""
    image = keras.Input(SHAPE)
    x = layers.GlobalAveragePooling2D()(backbone(image))
    return keras.Model(
        image, layers.Concatenate()([layers.Dense(1, "sigmoid")(x) for _ in range(3)])
    )


CASES: dict[str, tuple[Callable[[], keras.Model], NetworkOptions, bool, str]] = {
    "nested": (nested, NetworkOptions(), True, "sigmoid"),
    "branched": (branched, NetworkOptions(), True, "softmax"),
    "convolutional head": (convolutional_head, SCALED, False, "softmax"),
    "sequential": (sequential, SCALED, False, "sigmoid"),
    "operation at the end": (operation_at_the_end, SCALED, True, "softmax"),
    "one by one": (one_by_one, SCALED, False, "sigmoid"),
    "shared": (shared, SCALED._replace(head="independent"), True, "logits"),
}


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[ImportedNetwork, keras.Model]]:
    folder = tmp_path_factory.mktemp("foreign")
    found = {}
    for name, (build, options, _, _) in CASES.items():
        keras.utils.set_random_seed(2)
        model = varied(build())
        model.save(folder / f"{name}.keras")
        found[name] = open_network(folder / f"{name}.keras", options), model
    return found


def grays(spec: InputSpec, count: int = 6) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (count, spec.height, spec.width), np.uint8)


def scores_of(imported: ImportedNetwork, logits: np.ndarray) -> np.ndarray:
    if imported.activation == "sigmoid":
        return expit(logits)
    return softmax(logits, axis=1) if imported.activation == "softmax" else logits


@pytest.mark.parametrize("case", CASES)
def test_its_scores_are_the_originals(
    case: str, opened: dict[str, tuple[ImportedNetwork, keras.Model]]
) -> None:
    imported, model = opened[case]
    _, options, mapped, end = CASES[case]
    pictures = grays(imported.spec)
    fed = np.repeat(pictures[..., np.newaxis].astype(np.float32), 3, axis=-1)
    if options.mean:
        fed = (fed - np.float32(options.mean)) / np.float32(options.std)
    expected = np.asarray(model(fed, training=False))
    assert np.ptp(expected, axis=0).max() > 1e-3  # or all of them would be equal
    logits = imported.logits(pictures)
    np.testing.assert_allclose(scores_of(imported, logits), expected, atol=EQUAL)
    assert (imported.activation or "logits") == end
    assert imported.mapped == mapped
    assert any("no heatmap" in note for note in imported.notes) != mapped


@pytest.mark.parametrize("case", [name for name, row in CASES.items() if row[2]])
def test_the_maps_mean_is_the_logits(
    case: str, opened: dict[str, tuple[ImportedNetwork, keras.Model]]
) -> None:
    imported, _ = opened[case]
    x = lookup_table(imported.spec, None)[grays(imported.spec)]
    logits, maps = imported.network.predict_on_batch(x)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), logits, atol=EQUAL)
    assert maps.shape[1] * maps.shape[2] > 1


@pytest.mark.parametrize("case", CASES)
def test_folding_changes_no_answer(
    case: str, opened: dict[str, tuple[ImportedNetwork, keras.Model]]
) -> None:
    imported, _ = opened[case]
    x = lookup_table(imported.spec, None)[grays(imported.spec)]
    before, after = imported.network.predict_on_batch(x), fold(imported.network).predict_on_batch(x)
    if imported.mapped:
        before, after = before[0], after[0]
    np.testing.assert_allclose(after, before, atol=1e-4)
    kept = [x for x in fold(imported.network).layers if isinstance(x, layers.BatchNormalization)]
    assert not kept  # behind a sum, it is a convolution of its own
    assert unrepaired(fold(imported.network)) is None


def test_normalisation_in_the_graph_becomes_the_devices_table(
    opened: dict[str, tuple[ImportedNetwork, keras.Model]],
) -> None:
    imported, _ = opened["nested"]
    np.testing.assert_allclose(imported.spec.mean, [100, 110, 120])
    np.testing.assert_allclose(imported.spec.std, [30, 800**0.5, 700**0.5])
    assert not any(isinstance(x, layers.Normalization) for x in imported.network.layers)


def test_an_import_that_answers_something_else_is_refused(
    opened: dict[str, tuple[ImportedNetwork, keras.Model]],
) -> None:
    imported, _ = opened["nested"]
    pictures = grays(imported.spec)
    assert imported.require_equal(pictures) <= EQUAL
    head = imported.network.get_layer("map")
    kernel, bias = head.get_weights()
    head.set_weights([kernel, bias + 1e-3])
    try:
        with pytest.raises(ConversionError, match=r"off the original's: it is not used"):
            imported.require_equal(pictures)
    finally:
        head.set_weights([kernel, bias])


def test_a_network_of_mixed_precision_is_imported_in_float32(tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = varied(convolutional_head())
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.save(tmp_path / "mixed.keras")
    imported = open_network(tmp_path / "mixed.keras", SCALED)
    assert imported.require_equal(grays(imported.spec)) <= EQUAL
    assert {layer.compute_dtype for layer in imported.network.layers} == {"float32"}


def test_what_tensorflow_lite_has_not_is_refused_by_the_layers_name(tmp_path: Path) -> None:
    image = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, activation="tanh")(layers.Rescaling(1 / 255)(image))
    x = layers.GlobalAveragePooling2D()(ops.erfinv(x))
    path = tmp_path / "odd.keras"
    keras.Model(image, layers.Dense(2, "sigmoid")(x)).save(path)
    imported = open_network(path, NetworkOptions())
    with pytest.raises(ConversionError, match=r"layer 'erfinv\w*' cannot be converted: .*Erfinv"):
        in_float(imported)


@pytest.mark.parametrize("nested", [False, True])
def test_a_resizing_layer_gives_the_size_and_has_to_fit_the_rule(
    nested: bool, tmp_path: Path
) -> None:
    image = keras.Input((None, None, 1))
    fit = layers.Resizing(32, 40, crop_to_aspect_ratio=True, name="fit")
    x = layers.Rescaling(1 / 255)((keras.Sequential([fit]) if nested else fit)(image))
    x = layers.GlobalAveragePooling2D()(x)
    path = tmp_path / "any.keras"
    keras.Model(image, layers.Dense(1, "sigmoid")(x)).save(path)
    with pytest.raises(UsageError, match="'fit' makes pictures fit by crop: say --resize crop"):
        open_network(path, NetworkOptions())
    imported = open_network(path, NetworkOptions(resize="crop-bilinear"))
    assert (imported.spec.height, imported.spec.width, imported.spec.std) == (32, 40, 255)
    assert imported.require_equal(grays(imported.spec)) <= EQUAL


def test_a_resizing_layer_behind_an_input_of_another_size_stays_in_the_network(
    tmp_path: Path,
) -> None:
    image = keras.Input((64, 80, 1))
    x = layers.Resizing(32, 40, crop_to_aspect_ratio=True, name="fit")(image)
    path = tmp_path / "larger.keras"
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x))
    keras.Model(image, layers.Dense(1, "sigmoid")(x)).save(path)
    imported = open_network(path, NetworkOptions(mean=(0.0,), std=(255.0,)))
    assert (imported.spec.height, imported.spec.width) == (64, 80)
    assert imported.require_equal(grays(imported.spec)) <= EQUAL
    assert not any("done by the device" in note for note in imported.notes)


class Subclassed(keras.Model):
    """A network with a call of its own."""

    def __init__(self, count: int, pooled: bool) -> None:
        super().__init__()
        self.conv = layers.Conv2D(6, 3, 4, activation="relu")
        self.pooled, self.dense = pooled, layers.Dense(count)

    def call(self, image: keras.KerasTensor) -> keras.KerasTensor:
        x = self.conv(image / 255.0)
        x = ops.mean(x, axis=(1, 2)) if self.pooled else ops.reshape(x, (-1, 8 * 10 * 6))
        logits = self.dense(x)
        return ops.sigmoid(logits) if self.pooled else ops.softmax(logits)


@pytest.mark.parametrize(("count", "pooled"), [(2, True), (3, False)])
def test_a_subclassed_network_is_imported_as_a_saved_model(
    count: int, pooled: bool, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(2)
    model = Subclassed(count, pooled)
    pictures = grays(InputSpec(*SHAPE))
    fed = np.repeat(pictures[..., np.newaxis].astype(np.float32), 3, axis=-1)
    expected = np.asarray(model(fed))
    model.export(str(tmp_path / "saved"), verbose=False)
    imported = open_network(
        tmp_path / "saved", NetworkOptions(size=(32, 40), mean=(0.0,), std=(1.0,))
    )
    np.testing.assert_allclose(scores_of(imported, imported.logits(pictures)), expected, atol=EQUAL)
    assert (imported.mapped, imported.head) == (pooled, "independent" if pooled else "exclusive")


def recurrent(**options: object) -> keras.Model:
    """Rows of a picture, one after the other."""
    image = keras.Input((32, 32, 1))
    rows = layers.Reshape((32, 32))(layers.Rescaling(1 / 255)(image))
    read = layers.LSTM(4, name="reads", **options)(rows)
    return keras.Model(image, layers.Dense(2, "sigmoid")(read))


def test_a_loop_is_refused_by_its_layers_name_before_the_converter_dies_of_it(
    tmp_path: Path,
) -> None:
    recurrent().save(tmp_path / "net.keras")
    with pytest.raises(ConversionError, match=r"layer 'reads' \(LSTM\).*unroll=True.*float32"):
        require_no_loop(open_network(tmp_path / "net.keras", NetworkOptions()))
    recurrent(unroll=True).save(tmp_path / "unrolled.keras")
    require_no_loop(open_network(tmp_path / "unrolled.keras", NetworkOptions()))


def test_a_loop_in_a_saved_model_is_refused_by_its_operations_name(tmp_path: Path) -> None:
    recurrent().export(str(tmp_path / "saved"), verbose=False)
    opened = open_network(tmp_path / "saved", NetworkOptions(mean=(0.0,), std=(1.0,)))
    with pytest.raises(ConversionError, match=r"operation '.*while.*' .*float32"):
        require_no_loop(opened)


@pytest.mark.parametrize("ends_in", ["logits", "probabilities"])
def test_logits_that_lie_where_probabilities_do_are_taken_for_what_they_are(
    ends_in: str, tmp_path: Path
) -> None:
    """Those of one label do on pictures that resemble each other, and no others are at hand."""
    image = keras.Input(SHAPE)
    mean = layers.GlobalAveragePooling2D()(image)
    x = layers.Dense(1, kernel_initializer=Constant(1 / 3), bias_initializer=Constant(0.5))(mean)
    scores = x if ends_in == "logits" else 1 - layers.Activation("sigmoid")(x)
    model = keras.Model(image, scores)
    model.save(tmp_path / "net.keras")
    opened = open_network(tmp_path / "net.keras", SCALED._replace(head="independent"))
    logits = opened.logits(np.stack([np.full(SHAPE[:2], gray, np.uint8) for gray in (110, 140)]))
    assert ((logits > 0) & (logits < 1)).all()
    if ends_in == "logits":
        require_logits(opened, logits)
    else:
        with pytest.raises(ConversionError, match="as probabilities do"):
            require_logits(opened, logits)
