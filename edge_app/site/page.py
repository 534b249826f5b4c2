"""A site file as one page that opens offline: what is found at the price of which false alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_app.core.page import document, section, table
from edge_app.core.svg import (
    Axis,
    drawing,
    element,
    escape,
    line,
    polyline,
    text,
    ticks,
)
from edge_app.site.words import (
    ends,
    false_alarms,
    of_labels,
    of_thousand,
    percent,
    prevalence,
    thousand,
    with_ends,
)

if TYPE_CHECKING:
    from edge_app.model.site_types import Performance, SiteDocument

STYLE: Final = Path(__file__).with_name("site.css")
WIDTH, HEIGHT = 860, 600
LEFT, RIGHT, TOP, BOTTOM = 64, 846, 12, 546

CHOSEN, OWN = "chosen", "the model as it came"


def page(site: SiteDocument) -> str:
    """The page's HTML."""
    title = f"{site['model']['name']} at this site"
    sections = [
        section(
            "Which point?",
            "Each threshold is a point on the curve: further right it finds more, and flags more "
            "normal images for it. The green point is what this file decides by, with its 95 % "
            "intervals over patients; the others are what it could decide by instead.",
            element("figure", _curve(site), kind="choose"),
        ),
        section(
            "The points in numbers",
            "Shares with 95 % intervals over patients, and what comes of 1,000 images at "
            f"a prevalence of {percent(site['prevalence']['value'])}. To decide by another "
            "one, run edge-cxr calibrate again with its option.",
            _choices(site),
        ),
        section(
            "Label by label",
            "The same target for each label, where enough patients bear it. How many of those "
            "above the threshold bear the label is what one of them is worth."
            + (f" But {said}." if (said := of_labels(site)) else ""),
            _labels(site),
        ),
        *_groups(site),
        section("What this rests on", "", _provenance(site)),
    ]
    return document(title, STYLE, [_header(site, title), *sections])


def _header(site: SiteDocument, title: str) -> str:
    overall, data = site["overall"], site["data"]
    figures: list[tuple[str, Mapping[str, Any]]] = [
        ("Of images with a finding are flagged", overall["sensitivity"]),
        ("Of normal images are flagged", false_alarms(overall)),
        ("Of flagged images have a finding", overall["ppv"]),
        ("Of the others are normal", overall["npv"]),
    ]
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(percent(value['value']))}</dd>"
        f'<dd class="under">{escape(ends(value))}</dd></div>'
        for name, value in figures
    )
    words = site["target"]["words"]
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in data["notes"])
    return (
        f'<header>\n<p class="eyebrow">{escape(title)}</p>\n'
        f"<h1>{escape(words[0].upper() + words[1:])}</h1>\n"
        f'<p class="lead">{escape(thousand(overall))}</p>\n<dl>{cells}</dl>\n'
        f'<p class="what">{data["images"]} images of {data["patients"]} patients; '
        f"{data['bearing']['patients']} patients have images with a finding, "
        f"{data['normal']['patients']} normal ones. Site file "
        f"{escape(site['digest'][:16])}, {escape(site['created'][:10])}.</p>{notes}\n</header>"
    )


def _curve(site: SiteDocument) -> str:
    x, y = Axis(0, 1, LEFT, RIGHT), Axis(0, 1, BOTTOM, TOP)
    body = [
        element("rect", x=LEFT, y=TOP, width=RIGHT - LEFT, height=BOTTOM - TOP, kind="plot")
    ]  # fmt: skip
    for value in ticks(0, 1, 10):
        body += [
            line((x(value), TOP), (x(value), BOTTOM), "grid"),
            line((LEFT, y(value)), (RIGHT, y(value)), "grid"),
            text(x(value), BOTTOM + 18, f"{100 * value:.0f} %", "tick middle"),
            text(LEFT - 8, y(value) + 4, f"{100 * value:.0f} %", "tick end"),
        ]
    body += [
        text((LEFT + RIGHT) / 2, BOTTOM + 42, "normal images that are flagged", "axis middle"),
        text(LEFT + 10, TOP + 26, "images with a finding that are flagged", "axis"),
        line((x(0), y(0)), (x(1), y(1)), "diagonal"),
        polyline(
            (
                (x(a), y(b))
                for a, b in zip(site["curve"]["false_alarms"], site["curve"]["found"], strict=True)
            ),
            "curve",
        ),
    ]
    for name, point in _points(site):
        body += _mark(name, point, x, y)
    return drawing(
        WIDTH, HEIGHT, body, "Images with a finding that are flagged, against normal ones"
    )


def _points(site: SiteDocument) -> Iterator[tuple[str, Performance]]:
    """What is drawn and told: the other choices, the model's own point, the chosen one."""
    for choice in site["choices"]:
        if choice["threshold"] != site["overall"]["threshold"]:
            yield choice["option"], choice
    if site["before"]:
        yield OWN, site["before"]
    yield CHOSEN, site["overall"]


def _mark(name: str, point: Performance, x: Axis, y: Axis) -> list[str]:
    alarms, found = false_alarms(point), point["sensitivity"]
    if alarms["value"] is None or found["value"] is None:
        return []
    at = x(alarms["value"]), y(found["value"])
    kind = {CHOSEN: "chosen", OWN: "own"}.get(name, "choice")
    caption = f"{percent(found['value'])} found, {percent(alarms['value'])} false alarms"
    marks = []
    if name == CHOSEN:
        marks += [line((at[0], BOTTOM), at, "guide"), line((LEFT, at[1]), at, "guide")]
        if None not in (alarms["low"], found["low"]):
            marks += [
                line((x(alarms["low"] or 0), at[1]), (x(alarms["high"] or 0), at[1]), "interval"),
                line((at[0], y(found["low"] or 0)), (at[0], y(found["high"] or 0)), "interval"),
            ]
    marks.append(element("circle", element("title", escape(f"{name}: {caption}")), cx=at[0],
                         cy=at[1], r=8 if name == CHOSEN else 6, kind=kind))  # fmt: skip
    style = {CHOSEN: "name strong", OWN: "name bad"}.get(name, "name")
    left = at[0] > (LEFT + RIGHT) * 0.62
    shown = f"{name}: {caption}" if name == CHOSEN else name
    if left:
        marks.append(text(at[0] - 10, at[1] - 10, shown, f"{style} end"))
    else:
        marks.append(text(at[0] + 12, min(at[1] + 14, BOTTOM - 6), shown, style))
    return marks


def _choices(site: SiteDocument) -> str:
    rows, target = [], site["target"]
    for name, point in sorted(_points(site), key=lambda each: -each[1]["threshold"]):
        of = of_thousand(point)
        called = f"<code>{escape(name)}</code>" if name.startswith("--") else escape(name)
        if name == CHOSEN:
            called += f" <code>--{escape(target['kind'])} {target['value']:g}</code>"
        cells = [
            called,
            escape(percent(point["threshold"])),
            escape(with_ends(point["sensitivity"])),
            escape(with_ends(false_alarms(point))),
            escape(with_ends(point["ppv"])),
            *(of[key] for key in ("flagged", "found", "false_alarms", "missed")),
        ]
        rows.append([f"<b>{cell}</b>" for cell in cells] if name == CHOSEN else cells)
    columns = ("Point", "Threshold", "Found", "False alarms", "Right when flagged")
    yields = ("Of 1,000: flagged", "found", "false alarms", "missed")
    return table((*columns, *yields), rows, "choices")


def _labels(site: SiteDocument) -> str:
    rows = []
    for row in site["labels"]:
        found = row["performance"]
        rows.append(
            [
                escape(row["label"]),
                f"{row['patients']}",
                escape(row["recalibrated"]),
                escape(percent(found["threshold"])) if found else "none",
                escape(with_ends(found["sensitivity"])) if found else "",
                escape(with_ends(false_alarms(found))) if found else "",
                escape(with_ends(found["ppv"])) if found else escape(row["why_not"]),
            ]
        )
    columns = ("Label", "Patients", "Recalibrated", "Threshold", "Found", "False alarms")
    return table((*columns, "Right where above"), rows, "reasons")


def _groups(site: SiteDocument) -> Iterator[str]:
    if not site["groups"]:
        return
    rows: list[list[Any]] = [
        [
            f"{escape(group['by'])}: {escape(group['name'])}",
            f"{group['images']}",
            f"{group['patients']}",
            escape(with_ends(group["sensitivity"])),
            escape(with_ends(false_alarms(group))),
        ]
        for group in site["groups"]
    ]
    words = "The chosen threshold, for each group of ten patients or more."
    columns = ("Group", "Images", "Patients", "Found", "False alarms")
    yield section("For whom", words, table(columns, rows))


def _provenance(site: SiteDocument) -> str:
    slope, intercept = (site["recalibration"][name] for name in ("slope", "intercept"))  # type: ignore[literal-required]
    rows = [
        ("model", f"{site['model']['name']}, network {site['model']['sha256']}"),
        ("digest", site["digest"]),
        ("made", f"{site['created']} by edge-cxr {site['edge_cxr']}"),
        *(
            ("report", f"{each['name']}, {each['split']}: {each['images']} images of "
             f"{each['patients']} patients, digest {each['digest']}")
            for each in site["data"]["reports"]
        ),
        ("prevalence", prevalence(site)),
        ("recalibration", f"the model's log-odds need a slope of {_number(slope)} and an intercept "
         f"of {_number(intercept)} here; 1 and 0 is as they come"),
    ]  # fmt: skip
    return table(("", ""), [(escape(name), escape(words)) for name, words in rows], "provenance")


def _number(estimate: Any) -> str:
    if estimate["value"] is None:
        return "unknown size"
    return f"{estimate['value']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f})"
