"""Recipes: all settings of a training run; and the recipes of the shipped models."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from train.augment import Augmentation
from train.networks.registry import NETWORKS

MEAN: Final = "mean"
LSE: Final = "lse"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run does, apart from the data.

    Attributes:
        network: a name in `networks.NETWORKS`.
        size: side of the square input, pixels; 0 for the network's own.
        imagenet: start from ImageNet weights, where there are any.
        early_epochs: how many of the first epochs train on cheaper images of `early_size`
            (progressive resizing: Tan & Le, EfficientNetV2, ICML 2021).
        early_size: side of those images, pixels.
        epochs: passes over the training images, at most.
        batch: images a step.
        learning_rate: peak; reached after `warmup` epochs, then a cosine to zero
            (Loshchilov & Hutter, ICLR 2017).
        weight_decay: AdamW's, on kernels only.
        dropout: of feature channels before the map.
        smoothing: label smoothing towards 0.5.
        lowpass: the network begins with a fixed 3×3 binomial filter.
        enlarge: the network sees the picture twice as large (efficientnet-lite0 to 2).
        pooling: how the map becomes logits: "mean", or "lse", see `parts.LogSumExpPooling`; the
            device pools lse in float, from the int8 map.
        pooling_r: of lse, up to 1000: near 0 it is the mean, far above 1 the maximum.
        mixup: both parameters of the Beta distribution that pairs of images are mixed by
            (Zhang et al., ICLR 2018); 0 for none.
        balance: images are drawn in proportion to their rarest label's frequency to the power
            of −balance; 0 shows each once an epoch.
        auxiliary: weight of view, sex and age as further targets, whose head is dropped later.
        distil: share of the teachers' scores in the targets (Hinton et al., 2015).
        unlabelled: weight of an image without labels, relative to one with labels; only teachers'
            scores are learned from it. 0 leaves such images out.
        continued: start from the last teacher's weights rather than from initial ones.
        patients: share of the training patients that is used, for a learning curve.
        ema: momentum of the weight average that is validated and kept; 0 for none.
        patience: epochs without a better validation AUROC before stopping.
        seed: of initial weights, order, augmentation and dropout.
    """

    network: str = "efficientnet-lite0"
    size: int = 0
    imagenet: bool = False
    early_epochs: int = 0
    early_size: int = 64
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 1e-3
    warmup: float = 1.0
    weight_decay: float = 1e-2
    dropout: float = 0.3
    smoothing: float = 0.0
    lowpass: bool = False
    enlarge: bool = False
    pooling: str = MEAN
    pooling_r: float = 1.0
    mixup: float = 0.0
    balance: float = 0.0
    auxiliary: float = 0.0
    distil: float = 0.0
    unlabelled: float = 0.0
    continued: bool = False
    patients: float = 1.0
    ema: float = 0.998
    patience: int = 6
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Refuse values that no training can run with.

        Raises:
            ValueError: a value is out of its range.
        """
        shares = ("dropout", "smoothing", "ema", "distil", "patients")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, 0 to 1, not {getattr(self, name)}")
        for name in ("epochs", "batch", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        amounts = ("learning_rate", "warmup", "weight_decay", "mixup", "balance", "auxiliary")
        for name in (*amounts, "unlabelled"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is not negative, and finite, not {getattr(self, name)}")
        if not 0 <= self.early_epochs <= self.epochs or self.early_size < 28:
            raise ValueError("early_epochs is 0 to epochs, and early_size at least 28")
        if self.continued and not self.distil:
            raise ValueError("a run that is continued from a teacher distils it: set distil")
        if self.unlabelled and not self.distil:
            raise ValueError("of unlabelled images teachers' scores are learned: set distil")
        if self.pooling not in (MEAN, LSE) or not 0 < self.pooling_r <= 1000:
            raise ValueError(f"pooling is {MEAN} or {LSE}, and pooling_r more than 0, to 1000")
        if self.enlarge and not NETWORKS[self.network].can_enlarge:
            raise ValueError(f"{self.network} cannot enlarge: set enlarge=false")
        if self.dropout == 1 or self.ema == 1 or self.patients == 0:
            raise ValueError("dropout and ema are less than 1, and patients more than 0")

    @property
    def side(self) -> int:
        return self.size or NETWORKS[self.network].size

    @property
    def needs_imagenet(self) -> bool:
        """Whether training begins with ImageNet weights, and not with the last teacher's."""
        return self.imagenet and not self.continued

    def side_of_epoch(self, epoch: int) -> int:
        """Side of the training images in this epoch, counted from 0."""
        return self.early_size if epoch < self.early_epochs else self.side

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe in a dict that `dataclasses.asdict` made."""
        return cls(**values | {"augmentation": Augmentation(**values["augmentation"])})

    def with_setting(self, setting: str) -> Recipe:
        """A copy with one value changed: `name=value` or `augmentation.name=value`.

        Raises:
            ValueError: there is no such setting, or the value is of another type.
        """
        name, _, text = setting.partition("=")
        if name.startswith("augmentation."):
            name = name.removeprefix("augmentation.")
            changed = _changed(self.augmentation, name, text)
            return replace(self, augmentation=changed)
        return _changed(self, name, text)


Settings = TypeVar("Settings", Recipe, Augmentation)


def _changed(settings: Settings, name: str, text: str) -> Settings:
    now = getattr(settings, name, None)
    if not isinstance(now, bool | int | float | str):
        names = [f.name for f in fields(settings) if f.name != "augmentation"]
        raise ValueError(f"no setting {name!r}; there are {', '.join(names)}")
    value: Any
    try:
        value = {"true": True, "false": False}[text] if isinstance(now, bool) else type(now)(text)
    except (KeyError, ValueError):
        raise ValueError(f"{name} is of type {type(now).__name__}, not {text!r}") from None
    return replace(settings, **{name: value})


LITE0: Final = Recipe(
    network="efficientnet-lite0",
    imagenet=True,
    epochs=10,
    learning_rate=7e-4,
    weight_decay=2e-2,
    lowpass=True,
    auxiliary=0.2,
    augmentation=Augmentation(noise=6.0),
    seed=1,
)
# At 28 pixels an 8×8 block of JPEG is a third of a lung: files are saved before they shrink.
CNN28: Final = Recipe(
    network="cnn28",
    epochs=40,
    batch=64,
    learning_rate=2e-3,
    patience=12,
    auxiliary=0.2,
    augmentation=Augmentation(jpeg=0.0, resample=0.0, noise=2.0),
    seed=1,
)

LITE0_128: Final = replace(
    LITE0,
    epochs=6,
    learning_rate=5e-4,
    warmup=0.5,
    distil=0.7,
    continued=True,
    augmentation=Augmentation(noise=6.0, jpeg=0.5),
    seed=3,
)
CUT: Final = "efficientnet-lite0-5-stages"
ENLARGED: Final = replace(LITE0_128, network=CUT, enlarge=True, learning_rate=6e-4, distil=0.5)

RECIPES: Final[dict[str, Recipe]] = {
    "lite0": LITE0,
    "lite0-fast": replace(LITE0, learning_rate=1e-3, seed=2),
    "cnn28": CNN28,
    "lite0-5-stages": replace(LITE0, network=CUT),
    "lite0-5-stages-enlarged": replace(ENLARGED, epochs=5, seed=4),
    "cxr-lite0-128": LITE0_128,
    "cxr-lite0-fine": replace(ENLARGED, epochs=8, seed=5),
    "cxr-cnn28": replace(CNN28, distil=0.7, seed=3),
}
"""Recipes by name; docs/lab-book.md lists what else was tried."""

SHIPPED: Final = ("cxr-lite0-128", "cxr-lite0-fine", "cxr-cnn28")
"""The recipes of the models that come with this project."""

REFITTED: Final = ("cxr-lite0-128", "cxr-cnn28")
"""The shipped recipes that were trained once more, on the validation patients as well."""

TEACHERS: Final[dict[str, tuple[str, ...]]] = {
    "cxr-lite0-128": ("cnn28", "lite0-fast", "lite0"),
    "cxr-cnn28": ("cnn28", "lite0-fast", "lite0"),
    "lite0-5-stages-enlarged": ("lite0-5-stages",),
    "cxr-lite0-fine": ("lite0-5-stages", "lite0-5-stages-enlarged"),
}
"""Recipe → the recipes of its teachers, in this order."""


def runs_of(name: str, kept: Collection[str] = ()) -> list[str]:
    """The recipes needed for a model, each after its teachers; the model's own is the last.

    Args:
        name: of the model's recipe.
        kept: teachers that are there already: they are left out, with what only they need.
    """
    teachers = [teacher for teacher in TEACHERS.get(name, ()) if teacher not in kept]
    before = [needed for teacher in teachers for needed in runs_of(teacher, kept)]
    return [*dict.fromkeys(before), name]


DEFAULT_RECIPE: Final = "lite0"
