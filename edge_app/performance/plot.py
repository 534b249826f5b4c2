"""A result as a picture: the time of each stage, and images a second of a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from edge_app.core.errors import OutputError
from edge_app.core.files import write_whole
from edge_app.core.svg import Axis, element, line, text, ticks
from edge_app.performance.document import BenchmarkDocument, CellDocument, QuantityDocument
from edge_app.performance.stages import STAGES
from edge_app.performance.tables import heading, number

WIDTH: Final = 900
LEFT: Final = 20
RIGHT: Final = 780
ROW: Final = 48
BAR: Final = 16

STYLE: Final = Path(__file__).with_name("plot.css")

Cells = list[CellDocument]


def picture(result: BenchmarkDocument) -> str:
    """A standalone SVG."""
    body, at = [element("style", "\n" + STYLE.read_text("utf-8"))], 28
    for words in heading(result):
        body.append(text(LEFT, at, words, "quiet"))
        at += 18
    for panel in (_stages, _rates):
        drawn, at = panel(result["cells"], at + 26)
        body += drawn
    return element(
        "svg",
        "".join(body),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {at}",
        width=WIDTH,
        height=at,
        role="img",
        aria_label="time of each stage of an image, and images a second of a folder",
    )


def _stages(cells: Cells, top: int) -> tuple[list[str], int]:
    """A bar for each combination, divided into stages; and the y below them."""
    cells = [cell for cell in cells if "total" in cell["quantities"]]
    if not cells:
        return [], top
    longest = max(cell["quantities"]["total"]["value"] for cell in cells)
    across = Axis(0, 1.08 * longest, LEFT, RIGHT)
    body = [text(LEFT, top, "One image after the other, median", "title")]
    for place, stage in enumerate(STAGES):
        x = LEFT + 90 * place
        body.append(element("rect", x=x, y=top + 12, width=12, height=12, kind=stage))
        body.append(text(x + 18, top + 22, stage, "quiet"))
    begin, end = top + 36, top + 40 + ROW * len(cells)
    body += _axis(across, begin, end, "s")
    for row, cell in enumerate(cells):
        quantities, y, at = cell["quantities"], begin + ROW * row, 0.0
        body.append(text(LEFT, y + 14, cell["label"], "quiet"))
        for stage in STAGES:
            share = quantities[stage]["value"] if stage in quantities else 0.0
            body.append(_bar(across(at), y + 20, across(at + share) - across(at), stage))
            at += share
        words = number(quantities["total"]["value"], "s")
        body.append(text(across(at) + 6, y + 33, words, ""))
    return body, end + 24


def _rates(cells: Cells, top: int) -> tuple[list[str], int]:
    """A bar for each combination and number of workers, with its interval; and the y below them."""
    rows = [
        (f"{cell['label']}, workers: {name.rpartition('_')[2]}", quantity)
        for cell in cells
        for name, quantity in cell["quantities"].items()
        if name.startswith("throughput_")
    ]
    if not rows:
        return [], top
    across = Axis(0, 1.08 * max(far_end(quantity) for _, quantity in rows), LEFT, RIGHT)
    begin, end = top + 8, top + 12 + ROW * len(rows)
    body = [text(LEFT, top, "A folder, images a second", "title")]
    body += _axis(across, begin, end, "images/s")
    for row, (label, quantity) in enumerate(rows):
        y = begin + ROW * row
        body.append(text(LEFT, y + 14, label, "quiet"))
        body.append(_bar(LEFT, y + 20, across(quantity["value"]) - LEFT, "rate"))
        if quantity["low"] is not None:
            low, high = across(quantity["low"]), across(far_end(quantity))
            body.append(line((low, y + 20 + BAR / 2), (high, y + 20 + BAR / 2), "whisker"))
        words = number(quantity["value"], "images/s")
        body.append(text(across(far_end(quantity)) + 6, y + 33, words, ""))
    return body, end + 24


def far_end(quantity: QuantityDocument) -> float:
    """The upper end of its interval, cut off where the interval is too wide to draw."""
    return float(min(quantity["high"] or quantity["value"], 1.5 * quantity["value"]))


def tick(value: float, unit: str) -> str:
    """A round number in its shortest form: `50 ms`."""
    words = number(value, unit) if value else "0"
    return re.sub(r"(\.\d*?)0+(?=\D)", r"\1", words).replace(". ", " ").replace("./", "/")


def _axis(across: Axis, top: int, bottom: int, unit: str) -> list[str]:
    body = []
    for value in ticks(across.low, across.high, 6):
        body.append(line((across(value), top), (across(value), bottom), "grid"))
        body.append(text(across(value), bottom + 14, tick(value, unit), "quiet middle"))
    return body


def _bar(x: float, y: float, width: float, kind: str) -> str:
    return element("rect", x=float(x), y=y, width=float(max(width, 0.1)), height=BAR, kind=kind)


def write_picture(result: BenchmarkDocument, path: Path) -> None:
    """Write `picture` to a file.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        write_whole(path, picture(result).encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
