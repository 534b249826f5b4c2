"""An evaluation report as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_app.core.about import DISCLAIMER
from edge_app.core.plain_text import percent
from edge_app.evaluation.report import Report, counted, interval_text
from edge_app.images.perturb import WORDS

if TYPE_CHECKING:
    from edge_app.evaluation.document import Facts, Metric, ReportDocument

MARGIN = 24


def summary(report: Report) -> str:
    """Who answered on what, the metrics of each label, the retest."""
    content = report.content
    lines = [
        *heading(content),
        "",
        *overall(content),
        *metrics(content, DECISIONS),
        "",
        *second_reference(content),
        *retest(content),
    ]
    return "\n".join([*lines, DISCLAIMER])


def heading(content: ReportDocument) -> list[str]:
    """Model, runtime and machine; data set and what is missing of it; operating point."""
    model, dataset, runtime = content["model"], content["dataset"], content["runtime"]
    return [
        _who(model, runtime),
        f"{dataset['name']}, {dataset['split']}: {counted(dataset)}; "
        f"digest {dataset['digest'][:16]}",
        *(f"note: {note}" for note in dataset.get("notes", ())),
        f"operating point '{content['operating_point']}'",
    ]


def _who(model: Facts, runtime: Facts) -> str:
    """What answered, and on what."""
    if "machine" not in runtime:  # scores, and nobody says where they were computed
        return f"{model['name']}, {model['format']} of the {runtime['name']} {runtime['version']}"
    where = runtime.get("board") or runtime.get("cpu")
    machine = f"{where} ({runtime['machine']})" if where else runtime["machine"]
    threads = f", threads: {runtime['threads']}" if "threads" in runtime else ""
    return (
        f"{model['name']}, {model['format']}, {runtime['name']} {runtime['version']} on the "
        f"{runtime['delegate']}{threads}; {machine}"
    )


RANKING = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
}
DECISIONS = {"auroc": "AUROC", "recall": "sensitivity", "specificity": "specificity"}


def metrics(content: ReportDocument, columns: dict[str, str]) -> list[str]:
    """A table of some metrics with their intervals, by label; `columns` are metrics' titles."""
    width = max(18, *(len(row["label"]) for row in content["labels"]))
    lines = [
        "95 % intervals: bootstrap over patients",
        f"{'':>{width}}  {'support':>7}" + "".join(f"  {title:>24}" for title in columns.values()),
    ]
    for row in [*content["labels"], {"label": "macro (findings)", **content["macro"]}]:
        cells = "".join(f"  {interval_text(row[key]):>24}" for key in columns)
        lines.append(f"{row['label']:>{width}}  {row.get('support', ''):>7}{cells}")
    return lines


def overall(content: ReportDocument) -> list[str]:
    """Normal images against others, and what each image-level point reaches; nothing without."""
    whole = content.get("overall")
    if not whole:
        return []
    lines = [
        f"images as a whole: {whole['not_normal']} of {whole['images']} are not normal; "
        f"AUROC {interval_text(whole['auroc'])}"
    ]
    for name, point in whole["operating_points"].items():
        lines.append(
            f"  {name} ({point['rule']}): flagged here are "
            f"{interval_text(point['sensitivity'])} of those that are not normal, and "
            f"{interval_text(_complement(point['specificity']))} of normal ones"
        )
    return [*lines, ""]


def _complement(metric: Metric) -> Metric:
    """1 - a share, with its interval."""
    value, low, high = (
        None if share is None else 1 - share
        for share in (metric["value"], metric["high"], metric["low"])
    )
    return {"value": value, "low": low, "high": high}


def second_reference(content: ReportDocument) -> list[str]:
    """How well scores rank by a second reference standard; nothing if none was given."""
    second = content.get("second_reference")
    if not second:
        return []
    width = max(18, *(len(row["group"]) for row in second["groups"]))
    lines = [
        f"by {second['name']}: {second['images']} images of {second['patients']} patients",
        f"{'':>{width}}  {'images':>7}  {'yes':>7}{'AUROC':>26}{'AUROC, labels':>26}",
    ]
    for row in second["groups"]:
        cells = "".join(f"{interval_text(row[key]):>26}" for key in ("auroc", "auroc_by_labels"))
        lines.append(f"{row['group']:>{width}}  {row['images']:>7}  {row['said']:>7}{cells}")
    return [*lines, ""]


def retest(content: ReportDocument) -> list[str]:
    """How often the model agrees with itself on slightly changed images; nothing if unmeasured."""
    if not content["retest"]:
        return []
    points = content["operating_points"]
    lines = [
        "the same model on the same images, slightly changed: decisions kept, logit difference",
        f"{'':>{MARGIN}}" + "".join(f"  {point:>10}" for point in points) + f"  {'rms':>6}",
    ]
    for key, measured in content["retest"].items():
        kept = (measured["decisions_kept"][point] for point in points)
        cells = ("none" if share is None else percent(share, 1, "%") for share in kept)
        row = "".join(f"  {cell:>10}" for cell in cells)
        lines.append(f"{WORDS[key]:>{MARGIN}}{row}  {measured['logit_rms']:>6.3f}")
    return [*lines, ""]
