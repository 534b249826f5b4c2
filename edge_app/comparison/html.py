"""A comparison as one page that opens offline: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_app.comparison import charts
from edge_app.comparison.compare import ROLES, Comparison
from edge_app.comparison.gates import YARDSTICK, GateResult, verdict
from edge_app.comparison.tables import decision_words, number, percent, side_name, signed, spread
from edge_app.core.about import DISCLAIMER
from edge_app.core.page import document, section, table, write
from edge_app.core.svg import escape

if TYPE_CHECKING:
    from edge_app.comparison.document import ComparisonDocument
    from edge_app.evaluation.document import Facts

STYLE: Final = Path(__file__).with_name("page.css")
OTHER_METRICS: Final = {
    "average_precision": "Average precision",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "calibration_error": "Calibration error",
}


def write_page(comparison: Comparison, verdicts: Sequence[GateResult], path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write(page(comparison, verdicts), path)


def page(comparison: Comparison, verdicts: Sequence[GateResult]) -> str:
    """The page's HTML."""
    content = comparison.content
    names = [content[role]["model"].get("format") for role in ROLES]
    title = f"{content['candidate']['model'].get('name')}: {names[0]} → {names[1]}"
    body = (section(*each) for each in _sections(comparison, verdicts))
    return document(title, STYLE, [_header(content, verdicts, title), *body])


def _sections(
    comparison: Comparison, verdicts: Sequence[GateResult]
) -> Iterator[tuple[str, str, str]]:
    """Title, explanation and HTML of each section, in their order."""
    content, pairing = comparison.content, comparison.pair
    labels, default = content["labels"], content["operating_point"]
    points = content["operating_points"]
    yield "Gates", "", _gates(verdicts)
    yield (
        "AUROC, label by label",
        "Candidate minus reference, with paired 95 % intervals (bootstrap over patients). "
        "Dashed: the gates' limits.",
        _forest(content, verdicts),
    )
    yield (
        "Decisions that change",
        "The candidate against the reference, and the reference against itself on slightly "
        "changed images: quantization may change as much as what does not matter changes.",
        charts.changed_bars(points) + _points(content),
    )
    words = f"Candidate minus reference. Sensitivity and specificity at ‘{default}’."
    yield "All metrics", words, _metrics(content)
    words = "AUROC of the reference → of the candidate."
    yield "ROC curves", words, LEGEND + charts.roc(pairing, labels)
    words = f"Images by truth (rows) and decision (columns: yes, no) at ‘{default}’."
    yield "Confusion matrices", words, charts.confusions(pairing, points[default])
    yield (
        "Calibration",
        "Mean score across, share of images that bear the label up, ten bins of equal count. "
        "Expected calibration error (15 equal bins) of the reference → of the candidate.",
        LEGEND + charts.reliability(pairing, labels),
    )
    yield (
        "Logits, image by image",
        f"Reference across, candidate up; thin lines are the thresholds of ‘{default}’: "
        "off the two quadrants on the diagonal, the decision changed.",
        charts.scatter(pairing, labels),
    )
    yield (
        "Output resolution",
        "Too coarse an output ties scores and flattens rare labels. Tied: share of pairs of "
        "images with equal logits; lowest, highest: share of images at either end. Reference → "
        "candidate; the correlation is theirs.",
        _resolution(labels),
    )
    words = f"Scores that moved most; decisions at ‘{default}’."
    yield "Largest changes", words, _changes(content)
    yield "Provenance", "", _provenance(content)


LEGEND: Final = (
    '<p class="legend"><i class="reference"></i> reference <i class="candidate"></i> candidate</p>'
)


NOT_PROVEN: Final = '<br><span class="quiet">not proven</span>'


def _header(content: ComparisonDocument, verdicts: Sequence[GateResult], title: str) -> str:
    broken = [result for result in verdicts if not result.passed]
    data = content["dataset"]
    sides = " against ".join(side_name(content[role]) for role in reversed(ROLES))
    word = verdict(verdicts).capitalize()
    if broken:
        kind = "bad"
        items = "".join(f"<li>{escape(_broken(gate))}</li>" for gate in broken)
        words = f'<ul class="lead">{items}</ul>'
    else:
        kind = "good"
        words = f'<p class="lead">All {len(verdicts)} gates are met.</p>'
    words += _labels_not_proven(content)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in content["notes"])
    return (
        f'<header class="{kind}">\n<p class="eyebrow">{escape(title)}</p>\n'
        f"<h1>{word}</h1>\n{words}\n"
        f"{_key_figures(content)}\n"
        f'<p class="what">{escape(sides)}; {escape(data["name"])}, {escape(data["split"])}: '
        f"{data['images']} images of {data['patients']} patients. {escape(DISCLAIMER)}</p>"
        f"{notes}\n</header>"
    )


def _broken(result: GateResult) -> str:
    hint = f" ({result.hint})" if result.hint else ""
    measure = result.measure[0].upper() + result.measure[1:]
    proof = "Not proven: " if result.outcome == "not proven" else ""
    return f"{proof}{measure}{hint}: {result.found}, required {result.required}"


def _labels_not_proven(content: ComparisonDocument) -> str:
    """The labels that the reference proves nothing of, if any."""
    reasons = [
        f"{row['label']} ({row['not_proven']})" for row in content["labels"] if row["not_proven"]
    ]
    return f'<p class="note">Not proven: {escape("; ".join(reasons))}.</p>' if reasons else ""


def _key_figures(content: ComparisonDocument) -> str:
    macro = content["macro"]["auroc"]
    point = content["operating_points"][content["operating_point"]]
    own = point["retest"].get(YARDSTICK)
    noise = content["logits"]["retest"].get(YARDSTICK)
    judged = [row for row in content["labels"] if row["auroc"]["difference"]["value"] is not None]
    worst = min(judged, key=lambda row: row["auroc"]["difference"]["value"], default=None)
    figures = [
        ("Macro ΔAUROC", signed(macro["difference"]["value"]), spread(macro["difference"])),
        (
            "Largest loss of a label",
            signed(worst["auroc"]["difference"]["value"]) if worst else "none",
            f"AUROC of {worst['label']}, {worst['support']} positives" if worst else "",
        ),
        (
            "Same decisions",
            percent(point["agreement"]["value"]),
            f"reference under noise: {percent(own['agreement']) if own else 'not measured'}",
        ),
        (
            "Logit difference, rms",
            number(content["logits"]["rms"]),
            f"reference under noise: {number(noise) if own else 'not measured'}",
        ),
    ]
    cells = (
        f'<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd class="under">{escape(under)}'
        "</dd></div>"
        for name, value, under in figures
    )
    return f"<dl>{''.join(cells)}</dl>"


def _gates(verdicts: Iterable[GateResult]) -> str:
    rows = []
    for result in verdicts:
        kind = "good" if result.passed else "bad"
        hint = f'<br><span class="quiet">{escape(result.hint)}</span>' if result.hint else ""
        rows.append(
            [
                f'<span class="mark {kind}">{result.outcome}</span>',
                f"{escape(result.measure)}{hint}",
                escape(result.found),
                escape(result.required).replace(" ", "&nbsp;", 1),
                f"<code>{escape(result.gate)}</code>",
            ]
        )
    return table(("", "Judged", "Found", "Required", "Gate"), rows, "gates")


def _forest(content: ComparisonDocument, verdicts: Iterable[GateResult]) -> str:
    limits = {verdict.gate: verdict.limit for verdict in verdicts}
    labels, macro = content["labels"], content["macro"]
    everywhere = (limits["macro_auroc"], limits["label_auroc"])
    axis = charts.forest_scale((row["auroc"]["difference"] for row in (*labels, macro)), everywhere)
    rows = []
    for row in (*labels, macro):
        of_label = "label" in row
        limit = limits["label_auroc" if of_label else "macro_auroc"]
        difference = row["auroc"]["difference"]
        beyond = difference["value"] is not None and difference["value"] < limit
        rows.append(
            [
                escape(row["label"] if of_label else "Macro, findings"),
                str(row["support"]) if of_label else "",
                number(row["auroc"]["reference"]) + (NOT_PROVEN if row.get("not_proven") else ""),
                number(row["auroc"]["candidate"]),
                charts.forest_row(difference, axis, limit, beyond),
                f"<b>{signed(difference['value'])}</b>",
                spread(difference),
            ]
        )
    columns = ("Label", "Positives", "Reference", "Candidate", charts.forest_axis(axis))
    return table((*columns, "ΔAUROC", "95 % interval"), rows, "forests")


def _metrics(content: ComparisonDocument) -> str:
    rows = [
        [
            escape(row.get("label", "Macro, findings")),
            *(
                f"{signed(row[metric]['difference']['value'])}"
                f'<br><span class="quiet">{spread(row[metric]["difference"])}</span>'
                for metric in OTHER_METRICS
            ),
            number(row["logits"]["rms"]),
        ]
        for row in (*content["labels"], {**content["macro"], "logits": content["logits"]})
    ]
    return table(("Label", *OTHER_METRICS.values(), "Logits, rms"), rows, "totals")


def _points(content: ComparisonDocument) -> str:
    rows = []
    for name, point in content["operating_points"].items():
        agreement, noise = point["agreement"], point["retest"].get(YARDSTICK)
        ends = (
            f"{percent(agreement['low'], 2)} to {percent(agreement['high'], 2)}"
            if agreement["low"] is not None
            else "no interval"
        )
        rows.append(
            [
                escape(name),
                percent(agreement["value"], 2),
                ends,
                number(point["kappa"]),
                f"{percent(noise['agreement'], 2)}" if noise else "not measured",
                number(noise["kappa"]) if noise else "not measured",
                f"{point['images_changed']} of {content['dataset']['images']}",
            ]
        )
    return table(
        (
            *("Operating point", "Same decisions", "95 % interval", "Cohen’s κ"),
            *("Reference under noise", "its κ", "Images with a change"),
        ),
        rows,
    )


def _resolution(labels: Iterable[Facts]) -> str:
    rows = []
    for row in labels:
        one, other = (row["resolution"][role] for role in ROLES)
        shares = ("tied", "lowest", "highest")
        rows.append(
            [
                escape(row["label"]),
                f"{one['non_finite']} → {other['non_finite']}",
                f"{_count(one['distinct'])} → {_count(other['distinct'])}",
                *(f"{percent(one[key], 2)} → {percent(other[key], 2)}" for key in shares),
                number(row["logits"]["correlation"], 4),
            ]
        )
    columns = ("Label", "Not finite", "Distinct", "Tied", "Lowest", "Highest", "Correlation")
    return table(columns, rows)


def _count(value: int | None) -> str:
    return "none" if value is None else str(value)


def _changes(content: ComparisonDocument) -> str:
    rows = [
        [
            escape(row["image"]),
            escape(row["label"]),
            "present" if row["present"] else "absent",
            number(row["reference"]["score"]),
            number(row["candidate"]["score"]),
            f"<b>{signed(row['change'], 3)}</b>",
            escape(decision_words(row)),
        ]
        for row in content["largest_changes"]
    ]
    columns = ("Image", "Label", "Truth", "Reference", "Candidate", "Change", "Decision")
    return table(columns, rows, "changes")


def _provenance(content: ComparisonDocument) -> str:
    rows = [("data", content["dataset"]), ("bootstrap", content["bootstrap"])]
    facts = [(name, *item) for name, part in rows for item in _flat(part)]
    for role in ROLES:
        facts += [(role, *item) for item in _flat(content[role])]
    cells = []
    before = ""
    for group, name, value in facts:
        first = "" if group == before else escape(group)
        cells.append([first, escape(name), escape(value)])
        before = group
    made = f"<p>Made by edge-cxr {escape(content['edge_cxr'])}.</p>"
    return table(("", "Fact", "Value"), cells, "facts") + made


def _flat(part: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as lines, in their order."""
    lines: list[tuple[str, str]] = []
    for key, value in part.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{key} ")
        else:
            lines.append((f"{prefix}{key}".replace("_", " "), str(value)))
    return lines
