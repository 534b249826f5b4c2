"""Drawing: small functions that return SVG for a page, styled by the page's own classes.

Everything that is text goes through `escape`; coordinates are numbers of this package.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float]


def escape(value: Any) -> str:
    """Text for HTML and SVG, attributes included; what cannot be printed becomes U+FFFD."""
    text = "unknown" if value is None else str(value)
    return html.escape("".join(letter if letter.isprintable() else "�" for letter in text))


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` → coordinates from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, maximum: int) -> list[float]:
    """At most `maximum` + 1 round numbers between two values."""
    if not high > low:
        return [low]
    rough = (high - low) / maximum
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def coordinate(value: float) -> str:
    """A coordinate with one decimal, or none for whole numbers."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, content: str = "", **attributes: Any) -> str:
    """`<name attribute="…">content</name>`; underscores become hyphens, `kind` becomes class."""
    written = "".join(
        f' {"class" if key == "kind" else key.replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>"


def _attribute(value: Any) -> str:
    return coordinate(value) if isinstance(value, float) else escape(value)


def drawing(width: int, height: int, body: Iterable[str], label: str) -> str:
    """An SVG that scales with its place; `label` describes it for screen readers."""
    box = f"0 0 {width} {height}"
    return element("svg", "".join(body), viewBox=box, role="img", aria_label=label)


def line(start: Point, end: Point, kind: str) -> str:
    (x1, y1), (x2, y2) = start, end
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), kind=kind)


def text(x: float, y: float, words: str, kind: str) -> str:
    return element("text", escape(words), x=float(x), y=float(y), kind=kind)


def polyline(points: Iterable[Point], kind: str) -> str:
    """A path through points, those that round to the same place drawn once."""
    places = list(dict.fromkeys((coordinate(x), coordinate(y)) for x, y in points))
    return element("path", d="M" + "L".join(f"{x} {y}" for x, y in places), kind=kind)


def dots(points: Iterable[Point], kind: str) -> str:
    """Many points in one path of round caps; those that share a pixel are drawn once."""
    places = sorted({(round(x), round(y)) for x, y in points})
    return element("path", d="".join(f"M{x} {y}h0" for x, y in places), kind=kind)
