"""Terms of DICOM that a message may repeat.

A tag for a term takes any text, and people type names into it. So a message repeats only the
standard's terms, and otherwise says that the text is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

BODY_PARTS: Final = (
    "ABDOMEN", "ABDOMENPELVIS", "ADRENAL", "ANKLE", "AORTA", "ARM", "AXILLA", "BACK", "BLADDER",
    "BRAIN", "BREAST", "BRONCHUS", "BUTTOCK", "CALCANEUS", "CALF", "CAROTID", "CEREBELLUM",
    "CERVIX", "CHEEK", "CHEST", "CHESTABDOMEN", "CHESTABDPELVIS", "CLAVICLE", "COCCYX", "COLON",
    "CORNEA", "CORONARYARTERY", "CSPINE", "CTSPINE", "DUODENUM", "EAR", "ELBOW", "ESOPHAGUS",
    "EXTREMITY", "EYE", "EYELID", "FACE", "FEMUR", "FINGER", "FOOT", "FOREARM", "GALLBLADDER",
    "HAND", "HEAD", "HEADNECK", "HEART", "HIP", "HUMERUS", "IAC", "ILEUM", "ILIUM", "JAW",
    "JEJUNUM", "KIDNEY", "KNEE", "LARYNX", "LEG", "LIVER", "LSPINE", "LSSPINE", "LUNG",
    "MAXILLA", "MEDIASTINUM", "MOUTH", "NECK", "NECKCHEST", "NECKCHESTABDOMEN",
    "NECKCHESTABDPELV", "NOSE", "ORBIT", "OVARY", "PANCREAS", "PAROTID", "PATELLA", "PELVIS",
    "PENIS", "PHARYNX", "PROSTATE", "RECTUM", "RIB", "SCALP", "SCAPULA", "SCLERA", "SCROTUM",
    "SHOULDER", "SKULL", "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "SUBMANDIBULAR",
    "TESTIS", "THIGH", "THUMB", "TLSPINE", "TMJOINT", "TOE", "TRACHEA", "TSPINE", "URETER",
    "URETHRA", "UTERUS", "VAGINA", "VULVA", "WHOLEBODY", "WRIST", "ZYGOMA",
)  # fmt: skip
"""Body Part Examined (PS3.16 annex L), and FOREARM, which is common."""

COLOUR_SPACES: Final = (
    *("ARGB", "CMYK", "HSV", "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "XYB"),
    *("YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_RCT"),
)
"""Photometric Interpretation (PS3.3 C.7.6.3.1.2), retired ones included."""

UID_FORM: Final = re.compile(r"[0-9.]{1,64}")


def known(text: str, terms: Collection[str], otherwise: str) -> str:
    """A tag's text where it is one of the terms, and other words where it is anything else."""
    return text if text in terms else otherwise
