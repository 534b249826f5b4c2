"""The labels that a network is trained for: the 15 of the shipped models, or any others.

A label's index is its output channel. `LABELS` are the 14 findings of NIH ChestX-ray14 (Wang et
al., ChestX-ray8, CVPR 2017, extended release) in the order of the project's first data card, with
"No Finding" as index 14. There an image can have several findings, so each label is a yes/no
question of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.model.labels import FINDING, NORMAL, Code, Label, Labels

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

LABELS: Final = (
    "Atelectasis",
    "Consolidation",
    "Infiltration",
    "Pneumothorax",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Effusion",
    "Pneumonia",
    "Pleural_Thickening",
    "Cardiomegaly",
    "Nodule",
    "Hernia",
    "Mass",
    "No Finding",
)

RADLEX: Final = {
    "Atelectasis": ("RID28493", "atelectasis"),
    "Consolidation": ("RID43255", "consolidation"),
    "Pneumothorax": ("RID5352", "pneumothorax"),
    "Emphysema": ("RID4799", "pulmonary emphysema"),
    "Effusion": ("RID34539", "pleural effusion"),
    "Pneumonia": ("RID5350", "pneumonia"),
}
"""Code and meaning of the labels for which RadLex certainly has the same term."""

NIH: Final = Labels(
    Label(
        name,
        NORMAL if name == "No Finding" else FINDING,
        Code("RADLEX", *RADLEX[name]) if name in RADLEX else None,
    )
    for name in LABELS
)
"""`LABELS` as a model file states them."""


class LabelSet(NamedTuple):
    """The labels of a network or a data set, and how they belong together.

    Attributes:
        labels: in the order of the output channels.
        head: ``independent``, each label a yes/no question of its own; or ``exclusive``, just one
            of them applies.
        numbered: whether numbers in a data set are places in this list, as in one written for it.
    """

    labels: Labels
    head: Head = "independent"
    numbered: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels.names

    @property
    def findings(self) -> tuple[int, ...]:
        return self.labels.findings

    def as_dict(self) -> dict[str, Any]:
        """For a run's `config.json`, and so for the manifest."""
        return {"labels": self.labels.entries(), "head": self.head, "numbered": self.numbered}

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> LabelSet:
        """What `as_dict` made."""
        return cls(Labels.of(stated["labels"]), stated["head"], stated["numbered"])

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> LabelSet:
        """The labels that a model file states."""
        trained = manifest["training"].get("labels", {})
        labels = Labels.of(manifest["labels"])
        return cls(labels, manifest["head"], bool(trained.get("numbered", False)))


OF_NIH: Final = LabelSet(NIH)

ADJUDICATED: Final = {
    "Airspace opacity": ("Atelectasis", "Consolidation", "Infiltration", "Pneumonia", "Edema"),
    "Nodule or mass": ("Nodule", "Mass"),
    "Pneumothorax": ("Pneumothorax",),
}
"""Findings that radiologists agreed on for some of the release's images (Majkowska et al.,
Radiology 294, 2020) → the labels that each comprises. Their fourth one, fracture, has none."""
