"""The recorder's constants, and the replacements of text that varies between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

REPOSITORY: Final = Path(__file__).resolve().parents[2]
SUBSET: Final = REPOSITORY.parent / "shared" / "data" / "nih-chestxray14-subset"

LITE, CNN = "cxr-lite0-128", "cxr-cnn28"
MODELS: Final = (LITE, CNN)
POINTS: Final = ("balanced", "screening", "rule-in")

LABELS: Final = (
    *("Atelectasis", "Consolidation", "Infiltration", "Pneumothorax", "Edema", "Emphysema"),
    *("Fibrosis", "Effusion", "Pneumonia", "Pleural_Thickening", "Cardiomegaly", "Nodule"),
    *("Hernia", "Mass", "No Finding"),
)

AT_ONCE: Final = 2
"""Cases that run side by side."""

SECONDS: Final = 300
"""Time limit of a command; its case records that it was ended."""

FINISHED: Final = "drawn"
"""The file that marks a complete folder of drawn files."""

NORMALISED: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "how long a trial took, in JSON: one number for each count of threads",
        r'("milliseconds": \{)[^}]*\}',
        r"\1…}",
    ),
    (
        "the same in the doctor's table, with what fills the line",
        r"took [\d.]+ ms with 1(?:, [\d.]+ ms with \d+)* thread\(s\) *",
        "took … ms with … thread(s)",
    ),
    (
        "the threads that were fastest when tried, in JSON; those asked for stay",
        r'"threads": \d+(,\s*"why": \{[^}]*"threads": "fastest of)',
        r'"threads": …\1',
    ),
    (
        "the same in the doctor's table",
        r"(ready: .*, threads: )\d+",
        r"\1…",
    ),
    (
        "the seconds since its start with which OpenCV begins a line",
        r"\[ *(WARN|ERROR|INFO|DEBUG):\d+@[\d.]+\]",
        r"[\1]",
    ),
    (
        "what else the machine did while a benchmark measured; its `warnings` have it as well",
        r"edge-cxr: the (?:machine was busy|hypervisor kept|wall clock went astray).*\n",
        "",
    ),
)
"""Replacements of everything that differs between runs of one version: why, pattern, by what."""

Pixels = NDArray[Any]
