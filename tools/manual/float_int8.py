"""The README's picture of int8's cost: AUROC by finding, float and int8, from the reports.

python -m tools.manual.float_int8 [MODEL [FILE]]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from edge_app.core.svg import Axis, element, line, text, ticks
from edge_app.model.shipped import DEFAULT_MODEL

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PICTURE: Final = REPOSITORY / "docs" / "float-int8.svg"

ROW: Final = 20
WIDTH: Final = 640
PLOT: Final = (150, 500)
TOP: Final = 62
STYLE: Final = Path(__file__).with_suffix(".css")


def reports(model: str) -> dict[str, dict[str, Any]]:
    """The reports of a model on the test images: float and int8."""
    folder = REPOSITORY / "reports" / model
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("float", "int8")}


def rows(found: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Names and AUROCs: the macro average, then findings from the best to the worst."""
    labels = {
        name: {label["label"]: label["auroc"] for label in report["labels"]}
        for name, report in found.items()
    }
    first = {name: report["macro"]["auroc"] for name, report in found.items()}
    others = [
        (label, {name: labels[name][label] for name in found})
        for label, value in labels["int8"].items()
        if value is not None
    ]
    others.sort(key=lambda row: -row[1]["int8"]["value"])
    return [("macro average", first), *others]


def picture(model: str = DEFAULT_MODEL) -> str:
    """An SVG with its own style, on white, so that it stands on any page."""
    found = reports(model)
    table = rows(found)
    low = min(auroc["low"] for _, row in table for auroc in row.values())
    axis = Axis(min(0.4, low - 0.02), 1.0, *PLOT)
    bottom = TOP + ROW * len(table)
    body = [
        element("style", STYLE.read_text("utf-8")),
        element("rect", x=0, y=0, width=WIDTH, height=bottom + 30, kind="page"),
        text(
            10, 20, f"{model}: AUROC on {found['int8']['dataset']['images']:,} test images", "macro"
        ),
        text(10, 38, "95 % intervals over patients; 0.5 is chance", "quiet"),
        element("circle", cx=390, cy=16, r=4, kind="float"),
        text(400, 20, "float network", ""),
        element("circle", cx=490, cy=16, r=3, kind="int8"),
        text(500, 20, "int8, as it ships", ""),
        text(WIDTH - 10, 50, "float → int8", "quiet end"),
    ]
    for value in sorted({0.5, *ticks(axis.low, axis.high, 6)}):
        kind = "chance" if value == 0.5 else "grid"
        body.append(line((axis(value), TOP - 8), (axis(value), bottom - 4), kind))
        body.append(text(axis(value), bottom + 14, f"{value:g}", "quiet middle"))
    for index, (name, row) in enumerate(table):
        body += _row(name, row, TOP + ROW * index + 6, axis)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 30}" role="img" '
        f'aria-label="AUROC of {model} by finding, float and int8">' + "\n".join(body) + "</svg>\n"
    )


def _row(name: str, row: dict[str, Any], y: int, axis: Axis) -> list[str]:
    """A finding: the float's interval and value, int8's on top of it, both in digits."""
    kind = "macro " if name == "macro average" else ""
    words = " → ".join(f"{row[each]['value']:.3f}" for each in ("float", "int8"))
    drawn = [text(PLOT[0] - 10, y + 4, name, f"{kind}end")]
    for each, radius in (("float", 5), ("int8", 3)):
        auroc = row[each]
        drawn.append(line((axis(auroc["low"]), y), (axis(auroc["high"]), y), each))
        drawn.append(element("circle", cx=axis(auroc["value"]), cy=y, r=radius, kind=each))
    return [*drawn, text(WIDTH - 10, y + 4, words, f"{kind}end")]


if __name__ == "__main__":
    model = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_MODEL
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else PICTURE
    target.write_text(picture(model), "utf-8")
