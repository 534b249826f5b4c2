"""The radiograph with its heatmap, and a strip below that says what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Findings
from edge_app.core.about import DISCLAIMER
from edge_app.core.plain_text import percent
from edge_app.heatmap.colours import coloured
from edge_app.heatmap.maps import (
    ANYWHERE,
    OF_SEVERAL,
    OUTLINED,
    SIDES,
    EvidenceScale,
    cells_of,
    outlined,
    peak,
    share_shown,
    shown,
    strength,
)
from edge_app.model.decisions import RAISED, RAISED_MEANS, Finding, mark
from edge_app.model.preprocess import WHOLE, Box

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

MIN_SIDE: Final = 512
MAX_SIDE: Final = 2048
"""Limits of the drawn radiograph's longer side; within them it keeps its size."""

STRIP: Final = 480
"""Smallest width of the strip's text, in pixels."""

OPACITY: Final = 0.6
"""Opacity of the colours at the peak."""

LIGHT, DIM, DARK = (235, 235, 235), (170, 170, 170), (16, 16, 16)

BORDER: Final = 0.3
"""Opacity of the lines between a map's cells: a dark and a light one, seen on any background."""

FINEST: Final = 8
"""Cells of fewer pixels have no borders, which would cover what they show."""

ODDS: Final = "colour: how much a square speaks for a finding, not a chance of disease"
"""The title above the bar of colours, which runs from the usual odds to `FULL` times as much."""

Line = tuple[str, tuple[int, int, int]]
"""A line of text and its colour."""

SCALE_LINES: Final = 3
"""Lines of the strip that the bar of colours takes with its title and its words."""

MAX_LINES: Final = 40
"""Lines of the strip."""


@dataclass(frozen=True)
class Heatmap:
    """A drawn heatmap.

    Attributes:
        image: RGB; the radiograph above, the strip below.
        size: width and height of the radiograph in it, in pixels.
        peaks: for each finding shown, its label, the place of its map's peak and its strongest
            cell, in pixels of the original radiograph; None where no place stands out, and where
            the map shows none: see `EvidenceScale.outlines`.
    """

    image: Image.Image
    size: tuple[int, int]
    peaks: list[dict[str, Any]]


def draw(
    pixels: NDArray[np.uint8],
    findings: Findings,
    scale: EvidenceScale,
    by: Sequence[str],
    seen: Box = WHOLE,
) -> Heatmap:
    """Overlay the evidence for the findings that the answer marks.

    Args:
        pixels, findings, scale, seen: as of `overlay`.
        by: lines of the strip, such as the model and its operating point.
    """
    from PIL import Image

    made = overlay(pixels, findings, scale, seen)
    width, height = made.image.size
    canvas_width = max(width, STRIP)
    font = _font(max(12, canvas_width // 70))
    line_height = round(1.5 * max(12, canvas_width // 70))
    first = 2 if scale.worth is not None and made.peaks else 1
    head = [(line, LIGHT) for line in made.legend[:first]]
    lines = [(line, LIGHT) for line in (*_said(findings), *made.legend[first:], SIDES)]
    lines += [(line, DIM) for line in by]
    if pixels.shape != (height, width):
        drawn = f"{pixels.shape[1]}x{pixels.shape[0]} drawn at {width}x{height}"
        lines.append((drawn, DIM))
    room = canvas_width - line_height
    head = _wrapped(head, font, room)
    lines = _wrapped([*lines, (DISCLAIMER, DIM)], font, room)
    words = scale.words if made.peaks else ()
    strip = (len(head) + (SCALE_LINES if words else 0) + len(lines) + 1) * line_height
    image = Image.new("RGB", (canvas_width, height + strip), DARK)
    image.paste(made.image, ((canvas_width - width) // 2, 0))
    top = _written(image, head, font, line_height, height + line_height // 2)
    if words:
        top = _draw_scale(image, words, font, line_height, top)
    _written(image, lines, font, line_height, top)
    return Heatmap(image, (width, height), made.peaks)


class Overlay(NamedTuple):
    """A radiograph with the evidence for some findings.

    Attributes:
        image: RGB.
        legend: what it is worth, where the model tells, what is shown in it, and how coarse that
            is, in lines; where nothing is shown, that alone.
        peaks: as of `Heatmap`.
    """

    image: Image.Image
    legend: list[str]
    peaks: list[dict[str, Any]]


def overlay(
    pixels: NDArray[np.uint8],
    findings: Findings,
    scale: EvidenceScale,
    seen: Box = WHOLE,
    largest: int = MAX_SIDE,
) -> Overlay:
    """The evidence for the findings that the answer marks, over the radiograph; without any, the
    radiograph alone.

    Args:
        pixels: H×W uint8, the radiograph.
        findings: the answer for it, not withheld and with a map.
        scale: of the model that answered.
        seen: what the network sees of the picture; see `InputSpec.seen`.
        largest: pixels of the longer side.
    """
    assert findings.map is not None, "only an answer with a map has a heatmap"
    chosen = shown(findings)
    gray = sized(pixels, largest)
    if not chosen:
        said = share_shown(findings)
        return Overlay(gray.convert("RGB"), [said] if said else [], [])
    width, height = gray.size
    channels = [findings.findings.index(finding) for finding in chosen]
    maps = [scale.weighed(findings.map, channel) for channel in channels]
    squares = [outlined(each, seen) if scale.outlines else None for each in maps]
    peaks = [square and peak(each, seen) for each, square in zip(maps, squares, strict=True)]
    grid = maps[0].shape
    bright = strength(np.max(maps, axis=0), height, width, seen)
    image = _overlaid(np.asarray(gray), bright, borders(grid, height, width, seen))
    _mark(image, squares)
    legend = [scale.worth, ANYWHERE, share_shown(findings)]
    for number, (finding, square) in enumerate(zip(chosen, squares, strict=True), 1):
        nowhere = "; no square stands out" if scale.outlines and not square else ""
        legend.append(f"{number}  {_of_finding(finding, findings.by_label)}{nowhere}")
    if RAISED in [_mark_of(finding, findings.by_label) for finding in chosen]:
        legend.append(RAISED_MEANS)
    legend.append(OUTLINED if scale.outlines else None)
    if len(chosen) > 1:
        legend.append(f"{OF_SEVERAL}, but for those outlined" if scale.outlines else OF_SEVERAL)
    lines = [line for line in legend if line]
    return Overlay(image, lines, _in_pixels(chosen, peaks, squares, pixels.shape))


def sized(pixels: NDArray[np.uint8], largest: int = MAX_SIDE) -> Image.Image:
    """A radiograph as it is drawn: enlarged or reduced to `MIN_SIDE`, or to `largest`."""
    from PIL import Image

    gray = Image.fromarray(pixels)
    size = _size(*gray.size, largest)
    return gray if gray.size == size else gray.resize(size, Image.Resampling.BILINEAR)


def _size(width: int, height: int, largest: int) -> tuple[int, int]:
    longer = max(width, height)
    scale = min(max(longer, MIN_SIDE), largest) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def _overlaid(
    gray: NDArray[np.uint8], strength: NDArray[np.float32], lines: NDArray[np.uint8]
) -> Image.Image:
    from PIL import Image

    mask = Image.fromarray(np.rint(255 * OPACITY * strength).astype(np.uint8))
    under = Image.fromarray(gray).convert("RGB")
    image = Image.composite(Image.fromarray(coloured(strength)), under, mask)
    border = Image.fromarray(lines)
    image.paste(border.convert("RGB"), mask=border.getchannel("A"))
    return image


def borders(grid: tuple[int, ...], height: int, width: int, seen: Box = WHOLE) -> NDArray[np.uint8]:
    """The lines between a map's cells: height×width×4, RGBA, nothing elsewhere.

    Args:
        grid: the map's height and width, in cells.
        height, width: of the picture.
        seen: what the network sees of it; see `InputSpec.seen`.
    """
    drawn = np.zeros((height, width, 4), np.uint8)
    rows, columns = cells_of(grid, height, width, seen)
    thick = max(1, max(height, width) // 1000)
    across, down = (_first_pixels(each) for each in (columns, rows))
    finest = min(np.diff(each).min(initial=FINEST * thick) for each in (across, down))
    if finest < FINEST * thick:
        return drawn
    seen_rows, seen_columns = rows >= 0, columns >= 0
    alpha = round(255 * BORDER)
    for offset, gray in ((-thick, DARK), (0, LIGHT)):  # light ones last: they lie over the dark
        for step in range(thick):
            for place in _within(down + offset + step, height):
                drawn[place, seen_columns] = (*gray, alpha)
            for place in _within(across + offset + step, width):
                drawn[seen_rows, place] = (*gray, alpha)
    return drawn


def _within(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """The places that lie in the picture: a thick line at its edge lies partly outside."""
    return places[(places >= 0) & (places < length)]


def _first_pixels(cells: NDArray[np.intp]) -> NDArray[np.intp]:
    """Along one side, where another cell begins than that of the pixel before."""
    return np.flatnonzero(np.diff(cells)) + 1


def _said(findings: Findings) -> list[str]:
    """What the answer says of the image as a whole."""
    whole = findings.overall
    said = [whole.in_words(), findings.caution] if whole else []
    warnings = [f"warning: the picture {warning}" for warning in findings.warnings]
    return [line for line in ("; ".join(findings.verdict), *said, *warnings) if line]


def _of_finding(finding: Finding, by_label: bool) -> str:
    usually = "" if finding.usually is None else f", usually {percent(finding.usually)}"
    word = _mark_of(finding, by_label)
    said = f", {word}" if word else ""
    return f"{finding.name} {percent(finding.score)}{usually}{said}"


def _mark_of(finding: Finding, by_label: bool) -> str:
    return mark(finding.score, finding.usually, finding.above, by_label)


def _mark(image: Image.Image, squares: Sequence[Box | None]) -> None:
    """The outline of each strongest cell with the finding's number; a cell of several has all."""
    from PIL import ImageDraw

    width, height = image.size
    draw, size = ImageDraw.Draw(image), max(12, max(width, height) // 40)
    font, line = _font(size), max(2, max(width, height) // 400)
    numbers: dict[Box, list[str]] = {}
    for number, square in enumerate(squares, 1):
        if square is not None:
            numbers.setdefault(square, []).append(str(number))
    for square, of in numbers.items():
        x0, x1 = (round(end * width) for end in square[::2])
        y0, y1 = (round(end * height) for end in square[1::2])
        box = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
        draw.rectangle(box, outline=DARK, width=2 * line)
        draw.rectangle(box, outline=LIGHT, width=line)
        _outlined(draw, (x0 + 3 * line, y0 + 2 * line), ", ".join(of), font)


def _outlined(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font: Font) -> None:
    for right in (-1, 0, 1):
        for down in (-1, 0, 1):
            draw.text((at[0] + right, at[1] + down), text, DARK, font)
    draw.text(at, text, LIGHT, font)


def _written(
    image: Image.Image, lines: Sequence[Line], font: Font, line_height: int, top: int
) -> int:
    """Lines of text from there on down; returns where they end."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    for number, (text, colour) in enumerate(lines):
        draw.text((line_height // 2, top + number * line_height), text, colour, font)
    return top + len(lines) * line_height


def _draw_scale(
    image: Image.Image, words: Sequence[str], font: Font, line_height: int, top: int
) -> int:
    """The bar of colours with its title, and words from its one end to the other; returns where
    they end."""
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(image)
    margin, y = line_height // 2, top
    draw.text((margin, y), f"{ODDS}:", LIGHT, font)
    y += line_height
    bar = np.tile(np.linspace(0, 1, image.width // 2), (line_height // 2, 1))
    image.paste(Image.fromarray(coloured(bar)), (margin, y + line_height // 4))
    y += line_height
    for step, word in enumerate(words):
        at = margin + round(step * (bar.shape[1] - 1) / (len(words) - 1))
        draw.line((at, y - line_height // 4, at, y), LIGHT)
        left = at - round(draw.textlength(word, font) / 2)
        draw.text((max(margin, left), y), word, LIGHT, font)
    return y + line_height


def _wrapped(lines: Sequence[Line], font: Font, width: int) -> list[Line]:
    """The same lines, broken between words where they would leave the picture;
    cut at `MAX_LINES`.
    """
    broken: list[Line] = []
    for text, colour in lines:
        line = ""
        for word in text.split(" "):
            longer = f"{line} {word}" if line else word
            if line and font.getlength(longer) > width:
                broken.append((line, colour))
                longer = word
            line = longer
        broken.append((line, colour))
    return broken if len(broken) <= MAX_LINES else [*broken[: MAX_LINES - 1], ("…", DIM)]


def _font(size: int) -> Font:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:  # before Pillow 10.1 there is one size
        return ImageFont.load_default()


def _in_pixels(
    chosen: Sequence[Finding],
    peaks: Sequence[tuple[float, float] | None],
    squares: Sequence[Box | None],
    shape: tuple[int, ...],
) -> list[dict[str, Any]]:
    height, width = shape
    found = []
    for finding, where, square in zip(chosen, peaks, squares, strict=True):
        at = where and {"x": int(where[0] * width), "y": int(where[1] * height)}
        cell = square and _cell(square, width, height)
        found.append({"label": finding.label, "peak": at, "cell": cell})
    return found


def _cell(square: Box, width: int, height: int) -> dict[str, int]:
    left, top, right, bottom = square
    return {
        "left": round(left * width),
        "top": round(top * height),
        "right": round(right * width),
        "bottom": round(bottom * height),
    }
