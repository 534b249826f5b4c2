"""A site file's numbers as people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from edge_app.core import plain_text

if TYPE_CHECKING:
    from edge_app.model.site_types import SiteDocument


def percent(value: float | None) -> str:
    """``8.1 %``."""
    return "none" if value is None else plain_text.percent(value)


def with_ends(estimate: Mapping[str, Any]) -> str:
    """``8.1 % (6.0 to 10.4)``."""
    if estimate["value"] is None:
        return "not computable"
    return f"{percent(estimate['value'])} {ends(estimate)}"


def prevalence(site: SiteDocument) -> str:
    """As it was counted, with its interval, or as it was stated."""
    known = site["prevalence"]
    if known["stated"]:
        return f"as stated: {percent(known['value'])}"
    return f"counted: {with_ends(known)}"


def ends(estimate: Mapping[str, Any]) -> str:
    """``(6.0 to 10.4)``."""
    if estimate["low"] is None:
        return "(no interval)"
    low, high = (plain_text.percent(estimate[end], sign="") for end in ("low", "high"))
    return f"({low} to {high})"


def false_alarms(performance: Mapping[str, Any]) -> dict[str, float | None]:
    """The share of normal images that are flagged: what specificity leaves."""
    known = performance["specificity"]
    turned = {"value": "value", "low": "high", "high": "low"}
    return {
        end: None if known[other] is None else 1 - known[other] for end, other in turned.items()
    }


def of_thousand(performance: Mapping[str, Any]) -> dict[str, str]:
    """How many of 1,000 images are flagged, found, false alarms, missed; no rounding makes none."""
    found, normal = (performance[name]["value"] for name in ("sensitivity", "specificity"))
    known = {name: each["value"] for name, each in performance["per_thousand"].items()}
    never = {
        "flagged": found == 0 and normal == 1,
        "found": found == 0,
        "false_alarms": normal == 1,
        "missed": found == 1,
    }
    always = dict.fromkeys(known, False) | {"flagged": found == 1 and normal == 0}
    return {
        name: "none"
        if value is None
        else "0"
        if never[name]
        else "fewer than 1"
        if value <= 0.5
        else "more than 999"
        if value >= 999.5 and not always[name]
        else f"{value:.0f}"
        for name, value in known.items()
    }


def thousand(performance: Mapping[str, Any]) -> str:
    """What comes of 1,000 images, in a sentence or two."""
    of = of_thousand(performance)
    if "none" in of.values():
        return ""
    return (
        f"Of 1,000 images {of['flagged']} are flagged: {of['found']} with a finding and "
        f"{of['false_alarms']} normal ones. {of['missed'].capitalize()} with a finding are not "
        "flagged."
    )


def summary(site: SiteDocument) -> str:
    """The site file for a terminal."""
    data, overall, before = site["data"], site["overall"], site["before"]
    lines = [
        f"{site['model']['name']} on {data['images']} images of {data['patients']} patients: "
        f"{data['bearing']['images']} of {data['bearing']['patients']} patients with a finding, "
        f"{data['normal']['images']} of {data['normal']['patients']} normal",
        *(f"note: {note}" for note in data["notes"]),
        f"prevalence of findings, {prevalence(site)}",
        f"target: {site['target']['words']}",
        "",
        f"{'95 % intervals over patients':<34}{'at this site':>26}{'the model as it came':>26}",
    ]
    rows: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "images with a finding: flagged": lambda each: with_ends(each["sensitivity"]),
        "normal images: flagged": lambda each: with_ends(false_alarms(each)),
        "flagged: with a finding": lambda each: with_ends(each["ppv"]),
        "not flagged: normal": lambda each: with_ends(each["npv"]),
        "threshold": lambda each: percent(each["threshold"]),
    }
    for name, cell in rows.items():
        own = cell(before) if before else "none"
        lines.append(f"{name:<34}{cell(overall):>26}{own:>26}")
    lines += ["", thousand(overall), "", *_labels(site), ""]
    for group in site["groups"]:
        lines.append(
            f"{group['by']} {group['name']}, {group['patients']} patients: flagged with a finding "
            f"{with_ends(group['sensitivity'])}, normal {with_ends(false_alarms(group))}"
        )
    return "\n".join([*lines, site["disclaimer"]])


IN_THE_SET: Final = (
    "at a stated prevalence a label's threshold keeps the target among this set's images: those "
    "without the label are normal more or less often in routine"
)


def of_labels(site: SiteDocument) -> str:
    """What a label's threshold does not promise; empty where the set was drawn from routine."""
    return IN_THE_SET if site["prevalence"]["stated"] else ""


def _labels(site: SiteDocument) -> list[str]:
    width = max(18, *(len(row["label"]) for row in site["labels"]))
    lines = [f"{'':<{width}}  patients  recalibrated         threshold  right where above it"]
    for row in site["labels"]:
        found = row["performance"]
        end = (
            f"{percent(found['threshold']):>9}  {with_ends(found['ppv'])}"
            if found
            else f"{'none':>9}  {row['why_not']}"
        )
        lines.append(
            f"{row['label']:<{width}}  {row['patients']:>8}  {row['recalibrated']:<19}  {end}"
        )
    return [*lines, *filter(None, [of_labels(site)])]
