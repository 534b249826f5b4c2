"""The table of the lab book's runs, from their validation reports.

    python -m tools.manual.runs

Macro AUROC over the 14 findings, and without Hernia, which only one validation image has; AUROC of
the image as a whole; and the share of decisions at `balanced` that small changes do not affect.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any, Final

REPORTS: Final = Path(__file__).resolve().parents[2] / "reports"
RUNS: Final = (
    "cxr-lite0-128",
    "cxr-cnn28",
    "lite0-more",
    "lite0-more-student",
    "lite2-enlarged-4",
    "lite0-5-stages",
    "lite0-5-stages-enlarged",
    "cxr-lite0-fine",
    "lite0-scratch",
)  # fmt: skip
LEFT_OUT: Final = ("No Finding", "Hernia")
CHANGES: Final = ("noise", "jpeg90", "shift", "zoom")
ROW: Final = "{:23}  {:23}  {:13}  {:11}  {}"


def row(run: str) -> str:
    """A line of the table."""
    report: dict[str, Any] = json.loads(
        (REPORTS / run / "float-validation.json").read_text("utf-8")
    )
    macro = report["macro"]["auroc"]
    others = [each["auroc"]["value"] for each in report["labels"] if each["label"] not in LEFT_OUT]
    whole = f"{report['overall']['auroc']['value']:.3f}" if "overall" in report else "-"
    kept = (report["retest"][change]["decisions_kept"]["balanced"] for change in CHANGES)
    return ROW.format(
        run,
        f"{macro['value']:.3f} ({macro['low']:.3f} to {macro['high']:.3f})",
        f"{mean(others):.3f}",
        whole,
        "   ".join(f"{100 * share:.1f}" for share in kept),
    )


def main() -> None:
    """Print the table."""
    print(
        ROW.format(
            "run", "14 findings", "13 of these", "whole image", "kept, %: " + ", ".join(CHANGES)
        )
    )
    for run in RUNS:
        print(row(run))


if __name__ == "__main__":
    main()
