"""The 15 labels of the networks trained here; a label's index is its output channel.

The 14 findings of NIH ChestX-ray14 (Wang et al., ChestX-ray8, CVPR 2017, extended release) in the
order of the data card this project grew from, with "No Finding" as index 14.
An image can bear several findings, so each label is a yes/no question of its own.
"""

from typing import Final

from edge_app.model.labels import FINDING, NORMAL, Code, Label, Labels

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

RADLEX: Final = {
    "Atelectasis": ("RID28493", "atelectasis"),
    "Consolidation": ("RID43255", "consolidation"),
    "Pneumothorax": ("RID5352", "pneumothorax"),
    "Emphysema": ("RID4799", "pulmonary emphysema"),
    "Effusion": ("RID34539", "pleural effusion"),
    "Pneumonia": ("RID5350", "pneumonia"),
}
"""Code and meaning of the labels that RadLex has a term for which is surely the same."""

NIH: Final = Labels(
    Label(
        name,
        NORMAL if name == "No Finding" else FINDING,
        Code("RADLEX", *RADLEX[name]) if name in RADLEX else None,
    )
    for name in LABELS
)
"""The same as a model file states them."""

ADJUDICATED: Final = {
    "Airspace opacity": ("Atelectasis", "Consolidation", "Infiltration", "Pneumonia", "Edema"),
    "Nodule or mass": ("Nodule", "Mass"),
    "Pneumothorax": ("Pneumothorax",),
}
"""What radiologists agreed on for some of the release's images (Majkowska et al., Radiology 294,
2020), and the labels here that it comprises. Their fourth finding, fracture, is none of these."""

FINDINGS: Final = NIH.findings
"""Channels of the 14 findings: what the field's "mean AUROC" is taken over."""
