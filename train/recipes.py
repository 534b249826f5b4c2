"""The recipes of the shipped models: `python -m train fit DATA --recipe NAME` makes them again."""

from __future__ import annotations

from typing import Final

from train.augment import Augmentation
from train.fit import Recipe

RECIPES: Final[dict[str, Recipe]] = {
    "cxr-lite0-128": Recipe(
        network="efficientnet-lite0",
        imagenet=True,
        epochs=10,
        learning_rate=7e-4,
        weight_decay=2e-2,
    ),
    # At 28 pixels an 8×8 block of JPEG is a third of a lung: files are saved before they shrink.
    "cxr-cnn28": Recipe(
        network="cnn28",
        epochs=40,
        batch=64,
        learning_rate=2e-3,
        patience=12,
        augmentation=Augmentation(jpeg=0.0, resample=0.0, noise=2.0),
    ),
}
DEFAULT_RECIPE: Final = "cxr-lite0-128"
