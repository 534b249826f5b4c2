"""The 15 labels of the networks trained here; a label's index is its output channel.

The 14 findings of NIH ChestX-ray14 (Wang et al., ChestX-ray8, CVPR 2017, extended release) in the
order of the data card this project grew from, with "No Finding" as index 14.
An image can bear several findings, so each label is a yes/no question of its own.
"""

from typing import Final

from edge_app.model.labels import FINDING, NORMAL, Label, Labels

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

NO_FINDING: Final = LABELS.index("No Finding")

NIH: Final = Labels(Label(n, NORMAL if n == "No Finding" else FINDING) for n in LABELS)
"""The same as a model file states them."""

FINDINGS: Final = NIH.findings
"""Channels of the 14 findings: what the field's "mean AUROC" is taken over."""
