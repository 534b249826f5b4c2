"""Several models on the same test images, float and int8, as one Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_app.evaluation.report import Report, interval_text, read
from quantize.card import kept_text, markdown_table
from quantize.errors import ConversionError

HEADER = ("model", "float, validation", "float, test", "int8, test", "decisions kept: noise, JPEG")


def side_by_side(folders: Sequence[Path]) -> str:
    """Macro AUROC over the findings, a row a folder of reports.

    Args:
        folders: each with `float.json` and `int8.json` on test, and perhaps
            `float-validation.json`.

    Raises:
        ReportError: a report is missing or damaged.
        ConversionError: the reports are not over the same test images.
    """
    rows, digests = [], set()
    for folder in folders:
        real, integer = (read(folder / f"{stem}.json") for stem in ("float", "int8"))
        digests |= {report.content["dataset"]["digest"] for report in (real, integer)}
        judged = folder / "float-validation.json"
        rows.append(
            (
                folder.name,
                _macro(read(judged)) if judged.exists() else "not kept",
                _macro(real),
                _macro(integer),
                _kept(real),
            )
        )
    if len(digests) > 1:
        raise ConversionError("these reports are not over the same images: no table of them")
    return markdown_table(HEADER, rows)


def _macro(report: Report) -> str:
    return interval_text(report.content["macro"]["auroc"])


def _kept(report: Report) -> str:
    retest = report.content.get("retest")
    if not retest:
        return "not measured"
    point = report.content["operating_point"]
    return ", ".join(kept_text(retest[key]["decisions_kept"][point]) for key in ("noise", "jpeg90"))
