"""The 15 labels; a label's index is its output channel.

The 14 findings of NIH ChestX-ray14 (Wang et al., ChestX-ray8, CVPR 2017, extended release) in the
order of the data card this project grew from, with "No Finding" as index 14.
An image can bear several findings, so each label is a yes/no question of its own.
"""

from typing import Final

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

FINDINGS: Final = tuple(i for i in range(len(LABELS)) if i != NO_FINDING)
"""Channels of the 14 findings: what the field's "mean AUROC" is taken over."""
