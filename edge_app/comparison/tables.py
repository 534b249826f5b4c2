"""A comparison as a terminal shows it: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app.comparison.compare import ROLES, Comparison
from edge_app.comparison.gates import GateResult, verdict
from edge_app.core import plain_text
from edge_app.core.about import DISCLAIMER
from edge_app.images.perturb import WORDS

if TYPE_CHECKING:
    from edge_app.comparison.document import ComparisonDocument, Side
    from edge_app.evaluation.document import Facts, Metric

CHANGES_SHOWN: Final = 5
FILE_WIDTH: Final = 120


def print_comparison(
    comparison: Comparison, verdicts: Sequence[GateResult], console: Console | None = None
) -> None:
    """Print verdict, gates, labels, agreement and the largest changes."""
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:  # a file or a pipe has no width to fit into
            console = Console(highlight=False, width=FILE_WIDTH)
    content = comparison.content
    console.print(Text(verdict_line(verdicts), "bold"))
    for line in summary_lines(content):
        console.print(Text(line))
    for part in (
        _gates(verdicts),
        _labels(content),
        *_not_proven(content),
        _agreement(content),
        _changes(content),
    ):
        console.print()
        console.print(part)
    console.print()
    console.print(Text("\n".join([*content["notes"], DISCLAIMER])))


def verdict_line(verdicts: Sequence[GateResult]) -> str:
    """The verdict in one line."""
    word = verdict(verdicts)
    if word == "passed":
        return f"PASSED: all {len(verdicts)} gates met"
    parts: list[str] = []
    for outcome in ("not met", "not proven"):
        gates = [result.gate for result in verdicts if result.outcome == outcome]
        if gates:
            of = "" if parts else f" of {len(verdicts)} gates"
            parts.append(f"{len(gates)}{of} {outcome}: {', '.join(gates)}")
    return f"{word.upper()}: {'; '.join(parts)}"


def summary_lines(content: ComparisonDocument) -> list[str]:
    """What was compared, on what."""
    data, sampling = content["dataset"], content["bootstrap"]
    names = [f"{role} {side_name(content[role])}" for role in ROLES]
    intervals = (
        f"95 % intervals: paired, {sampling['resamples']} resamples of patients"
        if sampling["resamples"]
        else "no intervals: they take several patients"
    )
    unproven = [row["label"] for row in content["labels"] if row["not_proven"]]
    return [
        *([f"not proven for {', '.join(unproven)}: see below"] if unproven else []),
        ", ".join(names),
        f"{shown(data['name'])}, {shown(data['split'])}: "
        f"{data['images']} images of {data['patients']} patients; {intervals}",
    ]


def side_name(side: Side) -> str:
    """A report's model and runtime in a few words."""
    model, runtime = side["model"], side["runtime"]
    words = (model.get("name"), model.get("format"))
    ran = (runtime.get("name"), runtime.get("version"))
    return f"{' '.join(map(shown, words))} ({' '.join(map(shown, ran))})"


def shown(value: Any) -> str:
    """A file's own text without what would steer a terminal."""
    text = "unknown" if value is None else str(value)
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def signed(value: float | None, digits: int = 4) -> str:
    """With its sign, but for zero; "none" where nothing could be computed."""
    if value is None:
        return "none"
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    return "none" if value is None else plain_text.decimal(value, digits)


def percent(value: float | None, digits: int = 1) -> str:
    """``98.9 %``."""
    return "none" if value is None else plain_text.percent(value, digits)


def spread(metric: Metric, digits: int = 4) -> str:
    """An interval's ends."""
    if metric["low"] is None:
        return "no interval" if metric["value"] is not None else ""
    return f"{signed(metric['low'], digits)} to {signed(metric['high'], digits)}"


def _table(*columns: str) -> Table:
    """The first column is text, the others are numbers."""
    table = Table(box=None, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _gates(verdicts: Iterable[GateResult]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in ("gate", "", "found", "required", "judged"):
        table.add_column(column, justify="right" if column in ("found", "required") else "left")
    for result in verdicts:
        hint = f" ({result.hint})" if result.hint else ""
        met = Text("met") if result.passed else Text(result.outcome.upper(), "bold red")
        judged = Text(result.measure + hint)
        table.add_row(result.gate, met, result.found, result.required, judged)
    return table


def _labels(content: ComparisonDocument) -> Table:
    table = _table(
        "label", "support", "AUROC", "Δ", "95 %", "Δ AP", "Δ sens.", "Δ spec.", "Δ ECE", "rms"
    )  # fmt: skip
    for row in content["labels"]:
        rms = number(row["logits"]["rms"])
        table.add_row(Text(row["label"]), str(row["support"]), *_metric_cells(row), rms)
    macro = content["macro"]
    rms = number(content["logits"]["rms"])
    table.add_row("macro, findings", "", *_metric_cells(macro), rms, style="bold")
    return table


def _not_proven(content: ComparisonDocument) -> list[Text]:
    """The labels of which nothing is proven, each in a line; nothing where there are none."""
    lines = [
        f" {row['label']}: {row['not_proven']}" for row in content["labels"] if row["not_proven"]
    ]
    if not lines:
        return []
    return [Text("\n".join([" not proven, label by label", *lines]))]


def _metric_cells(row: Facts) -> list[str]:
    others = ("average_precision", "sensitivity", "specificity", "calibration_error")
    return [
        number(row["auroc"]["reference"]),
        signed(row["auroc"]["difference"]["value"]),
        spread(row["auroc"]["difference"]),
        *(signed(row[metric]["difference"]["value"]) for metric in others),
    ]


def _agreement(content: ComparisonDocument) -> Table:
    points = content["operating_points"]
    table = _table("same decisions (Cohen's κ)", *map(shown, points), "logits, rms")
    cells = (_agreed(point["agreement"]["value"], point["kappa"]) for point in points.values())
    table.add_row("candidate", *cells, number(content["logits"]["rms"]), style="bold")
    for key, words in WORDS.items():
        repeated = [point["retest"].get(key) for point in points.values()]
        table.add_row(
            f"reference, {words}",
            *(
                _agreed(again["agreement"], again["kappa"]) if again else "not measured"
                for again in repeated
            ),
            number(content["logits"]["retest"][key]) if all(repeated) else "",
        )
    return table


def _agreed(agreement: float | None, kappa: float | None) -> str:
    return f"{percent(agreement, 2)} ({number(kappa)})"


def _changes(content: ComparisonDocument) -> Table:
    table = Table(box=None, header_style="bold")
    for place, column in enumerate(
        ("largest changes", "label", "reference", "candidate", "Δ score", "decision")
    ):
        table.add_column(column, justify="right" if 2 <= place <= 4 else "left")
    for row in content["largest_changes"][:CHANGES_SHOWN]:
        table.add_row(
            Text(shown(row["image"])),
            Text(row["label"]),
            number(row["reference"]["score"]),
            number(row["candidate"]["score"]),
            signed(row["change"], 3),
            decision_words(row),
        )
    return table


def decision_words(row: Facts) -> str:
    """What became of a decision between reference and candidate."""
    one, other = (row[role]["above"] for role in ROLES)
    words = {True: "yes", False: "no", None: "none"}
    return words[one] if one == other else f"{words[one]} → {words[other]}"
