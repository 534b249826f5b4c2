"""What decides a training run besides the data, and the recipes of the shipped models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from train.augment import Augmentation
from train.networks import DEFAULT_SIZES


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run does, besides the data.

    Attributes:
        network: a name in `networks.NETWORKS`.
        size: side of the square input, pixels; 0 for the network's own.
        imagenet: start from ImageNet weights (efficientnet-lite0 only).
        epochs: passes over the training images, at most.
        batch: images a step.
        learning_rate: peak; reached after `warmup` epochs, then a cosine to zero
            (Loshchilov & Hutter, ICLR 2017).
        weight_decay: AdamW's, on kernels only.
        dropout: of feature channels before the map.
        smoothing: label smoothing towards 0.5.
        ema: momentum of the weight average that is validated and kept; 0 for none.
        patience: epochs without a better validation AUROC before stopping.
        seed: of initial weights, order, augmentation and dropout.
    """

    network: str = "efficientnet-lite0"
    size: int = 0
    imagenet: bool = False
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 1e-3
    warmup: float = 1.0
    weight_decay: float = 1e-2
    dropout: float = 0.3
    smoothing: float = 0.0
    ema: float = 0.998
    patience: int = 6
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def side(self) -> int:
        return self.size or DEFAULT_SIZES[self.network]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """What `dataclasses.asdict` made of one."""
        return cls(**values | {"augmentation": Augmentation(**values["augmentation"])})


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
