"""The suite's result as JSON, as Markdown and as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.contest import OURS_LABEL
from benchmarks.goals import reached
from benchmarks.ratios import ratio_text, round_ratio
from edge_app.core.svg import Axis, element, line, text, ticks
from edge_app.performance.interval import Interval
from edge_app.performance.plot import far_end, tick
from edge_app.performance.tables import number

Result = dict[str, Any]
Quantities = Mapping[str, Any]

TIMES: Final = "×"


def ratios(quantities: Mapping[str, Quantities]) -> dict[str, dict[str, Any]]:
    """How many times as much each peer takes as this package, by scenario, round by round.

    For rates the ratio is inverted, so that this package is ahead wherever the ratio is above 1.
    """
    found: dict[str, dict[str, Any]] = {}
    for scenario, by_label in quantities.items():
        ours = by_label.get(OURS_LABEL)
        if ours is None:
            continue
        for label, peer in by_label.items():
            if label == OURS_LABEL:
                continue
            top, bottom = (ours, peer) if peer["unit"] == "images/s" else (peer, ours)
            between = round_ratio(top, bottom)
            found.setdefault(scenario, {})[label] = {
                "value": between.value,
                "low": between.low,
                "high": between.high,
            }
    return found


def markdown(result: Result) -> str:
    """Everything, as tables."""
    return "\n".join(_lines(result)) + "\n"


def readme_table(result: Result) -> str:
    """The table of docs/benchmark.md: the scenarios a user meets, and the ratios."""
    return "\n".join(_contest(result, ("cold start", "SingleStream"))) + "\n"


def _lines(result: Result) -> Iterator[str]:
    machine = result["machine"]
    yield "# Benchmarks"
    yield ""
    yield f"Made by `{result['command']}` on {result['created']}."
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}; "
        f"{result['model']['name']}, {result['model']['dtype']}, and its float32."
    )
    if result["partial"]:
        yield "**PARTIAL: it was interrupted.**"
    yield from (f"- warning: {warning}" for warning in result["warnings"])
    yield ""
    yield "## Beside what else there is"
    yield ""
    yield (
        "In brackets after each median its 95 % interval, as a share. A ratio above 1: the other "
        "takes so many times as much as edge-cxr. Peak memory counts pages of files that the "
        "kernel mapped along: each run of this repeats it to 0.2 %, two runs differ by up to 3 %."
    )
    yield ""
    yield from _contest(result, ("",))
    yield ""
    yield from _goals(result)
    yield from _checks(result)
    if result["layers"]:
        yield from _layers(result)
    yield from _boards(result)


def _contest(result: Result, beginnings: tuple[str, ...]) -> Iterator[str]:
    yield "| scenario | who | median | p90 | ratio |"
    yield "|---|---|---|---|---|"
    for scenario, by_label in result["quantities"].items():
        if not scenario.startswith(beginnings):
            continue
        for label, one in by_label.items():
            between = result["ratios"].get(scenario, {}).get(label)
            spread = (
                f" (−{1 - one['low'] / one['value']:.1%} +{one['high'] / one['value'] - 1:.1%})"
                if one["low"] is not None
                else ""
            )
            p90 = number(one["p90"], one["unit"]) if one["count"] > len(one["runs"]) else ""
            yield (
                f"| {scenario} | {label} | {number(one['value'], one['unit'])}{spread} | {p90} | "
                f"{ratio_text(Interval(**between)) if between else ''} |"
            )


def _goals(result: Result) -> Iterator[str]:
    yield "## What it was meant to reach"
    yield ""
    yield "| ratio, round by round | goal | measured | |"
    yield "|---|---|---|---|"
    for goal, found in reached(result["quantities"]):
        met = "met" if goal.met_by(found.value) else "**missed**"
        yield f"| {goal.words} | {goal.text} | {ratio_text(found)} | {met} |"
    yield ""


def _checks(result: Result) -> Iterator[str]:
    yield "## Is it the same network, and are the clocks right?"
    yield ""
    for words, value in result["checks"].items():
        yield f"- {words}: {value}"
    yield ""


def _layers(result: Result) -> Iterator[str]:
    peak = result["peak"]
    yield "## How fast could it be?"
    yield ""
    yield (
        f"At best one core of this machine does {peak['macs']['int8'] / 1e9:.0f} G int8 and "
        f"{peak['macs']['float32'] / 1e9:.0f} G float32 multiply-accumulates a second (1×1 "
        f"convolutions 256 channels wide, same runtime) and moves {peak['bandwidth'] / 1e9:.1f} "
        "GB/s in its cache. No operator can take less than the larger of its two shares; the last "
        "column is that least time, as a share of the measured one."
    )
    for dtype, rows in result["layers"].items():
        yield ""
        yield f"**{dtype}**"
        yield ""
        yield "| operator | number | M multiply-accumulates | MB | time | G/s | of the bound |"
        yield "|---|---|---|---|---|---|---|"
        totals = {
            key: sum(row[key] for row in rows)
            for key in ("count", "macs", "bytes", "seconds", "least")
        }
        for row in [*rows, {"operator": "**all**", **totals}]:
            yield (
                f"| {row['operator']} | {row['count']} | {row['macs'] / 1e6:.1f} | "
                f"{row['bytes'] / 1e6:.2f} | {_speed(row)} |"
            )
    yield ""


def _speed(row: dict[str, Any]) -> str:
    """Time, rate and share of the bound; the time of a short operator is below the noise."""
    seconds = row["seconds"]
    if seconds < SHORTEST:
        return "too short to be measured | | "
    share = f"{row['least'] / seconds:.0%}"
    return f"{number(seconds, 's')} | {row['macs'] / seconds / 1e9:.1f} | {share}"


def _boards(result: Result) -> Iterator[str]:
    yield "## Boards that were not here: predictions, not measurements"
    yield ""
    boards = result["boards"]
    yield (
        "The network alone, on all cores of the board: its multiply-accumulates, the data sheet's "
        "peak, and the efficiency that published measurements reached on such cores. Predicting "
        f"each of those from the others is wrong by up to {TIMES}{boards['factor']:.1f}, so "
        "these may be too."
    )
    yield ""
    yield "| board | core | dtype | **predicted** | within |"
    yield "|---|---|---|---|---|"
    for row in boards["predictions"]:
        dot = ", dot product" if row["dot_product"] else ""
        low, high = row["predicted"] / row["factor"], row["predicted"] * row["factor"]
        yield (
            f"| {row['board']} | {row['cores']} × {row['core']}{dot}, {row['ghz']:.1f} GHz | "
            f"{row['dtype']} | {number(row['predicted'], 's')} | "
            f"{number(low, 's')} to {number(high, 's')} |"
        )
    yield ""
    yield "| published | network | dtype | measured | predicted from the others | source |"
    yield "|---|---|---|---|---|---|"
    for row in boards["checks"]:
        yield (
            f"| {row['board']} | {row['network']} | {row['dtype']} | "
            f"{number(row['published'], 's')} | {number(row['predicted'], 's')} | "
            f"{row['source']} |"
        )


SHORTEST: Final = 2e-6
"""Seconds below which an operator's time is noise."""

WIDTH: Final = 900
LEFT: Final = 20
RIGHT: Final = 770
ROW: Final = 42
STYLE: Final = Path(__file__).with_name("report.css")


def pictures(result: Result) -> dict[str, str]:
    """Standalone SVGs by scenario's name: everyone's median with its interval."""
    return {
        scenario: _bars(scenario, by_label)
        for scenario, by_label in result["quantities"].items()
        if len(by_label) > 2
    }


def _bars(scenario: str, by_label: Quantities) -> str:
    longest = max(far_end(one) for one in by_label.values())
    across = Axis(0, 1.04 * longest, LEFT, RIGHT)
    unit = next(iter(by_label.values()))["unit"]
    top, bottom = 40, 44 + ROW * len(by_label)
    height = bottom + 26
    paper = element("rect", width=WIDTH, height=height, kind="paper")
    body = [element("style", STYLE.read_text("utf-8")), paper, text(LEFT, 24, scenario, "title")]
    for value in ticks(0, across.high, 6):
        body.append(line((across(value), top), (across(value), bottom), "grid"))
        body.append(text(across(value), bottom + 14, tick(value, unit), "quiet middle"))
    for row, (label, one) in enumerate(by_label.items()):
        y = top + ROW * row
        kind = "ours" if label == OURS_LABEL else "other"
        width = float(max(across(one["value"]) - LEFT, 0.5))
        body.append(text(LEFT, y + 13, label, "quiet"))
        body.append(element("rect", x=LEFT, y=y + 18, width=width, height=15, kind=kind))
        end = min(across(one["high"] or one["value"]), RIGHT)  # of few runs it goes far
        if one["low"] is not None:
            middle = y + 25.5
            body.append(line((across(one["low"]), middle), (end, middle), "whisker"))
        body.append(text(end + 6, y + 30, number(one["value"], unit), ""))
    return element(
        "svg", "".join(body), xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}", width=WIDTH, height=height, role="img",
        aria_label=scenario,
    )  # fmt: skip


def write(result: Result, folder: Path, stem: str) -> list[Path]:
    """Write Markdown and pictures next to the JSON."""
    written = [folder / f"{stem}.md"]
    written[0].write_text(markdown(result))
    for scenario, drawn in pictures(result).items():
        name = "".join(c if c.isalnum() else "-" for c in scenario.lower())
        written.append(folder / f"{stem}-{name}.svg")
        written[-1].write_text(drawn)
    return written
