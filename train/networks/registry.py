"""The networks that can be trained, by name: one file each and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import keras

from train.errors import RunError
from train.networks.cnn28 import cnn28
from train.networks.efficientnet_lite import (
    LITE0,
    LITE0_TO_4,
    LITE0_TO_5,
    LITE1,
    LITE2,
    Lite,
)
from train.networks.imagenet import State


class Pretrained(NamedTuple):
    """ImageNet weights of a network.

    Attributes:
        require: checks early that they can be read; raises RunError.
        load: writes them into a network that was just built; raises RunError.
        state: the weights themselves, for `imagenet.save`; raises RunError.
    """

    require: Callable[[], None]
    load: Callable[[keras.Model], None]
    state: Callable[[], State]


class Network(NamedTuple):
    """A network that can be trained.

    Attributes:
        build: (side or None for any, dropout=…, lowpass=…, labels=…, pooling_r=…) → image →
            (logits, map), with initial weights; see the package's docstring.
        size: side of its input in pixels, unless a recipe says otherwise.
        imagenet: None if there are no ImageNet weights for it.
        can_enlarge: whether `build` takes `enlarge=True`.
    """

    build: Callable[..., keras.Model]
    size: int
    imagenet: Pretrained | None = None
    can_enlarge: bool = False


def _family(lite: Lite) -> Network:
    weights = Pretrained(lite.require_imagenet, lite.load_imagenet, lite.imagenet_state)
    return Network(lite.build, 128, weights, can_enlarge=True)


NETWORKS: Final[dict[str, Network]] = {
    "cnn28": Network(cnn28, 28),
    **{lite.name: _family(lite) for lite in (LITE0, LITE1, LITE2, LITE0_TO_5, LITE0_TO_4)},
}


def pretrained(network: str) -> Pretrained:
    """The ImageNet weights of a network.

    Raises:
        RunError: there are none for it.
    """
    found = NETWORKS[network].imagenet
    if found is None:
        raise RunError(f"there are no ImageNet weights for {network}: add --no-imagenet")
    return found


def require_imagenet(network: str) -> None:
    """Check early that ImageNet weights for this network can be read.

    Raises:
        RunError: there are none for it, or the `imagenet` extra is not installed.
    """
    pretrained(network).require()
