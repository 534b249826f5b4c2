"""The radiograph with its heatmap, and a strip below that says what is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Finding, Findings
from edge_app.core.about import DISCLAIMER
from edge_app.heatmap.colours import coloured
from edge_app.heatmap.maps import evidence, peak, shown
from edge_app.model.preprocess import WHOLE, Box

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

MIN_SIDE: Final = 512
MAX_SIDE: Final = 2048
"""Of the drawn radiograph's longer side; within them it keeps its size."""

STRIP: Final = 480
"""Smallest width of the strip's text, in pixels."""

OPACITY: Final = 0.6
"""Of the colours at the peak."""

LIGHT, DIM, DARK = (235, 235, 235), (170, 170, 170), (16, 16, 16)


@dataclass(frozen=True)
class Heatmap:
    """A drawn heatmap.

    Attributes:
        image: RGB; the radiograph above, the strip below.
        size: width and height of the radiograph in it, in pixels.
        peaks: for each finding shown, its label and the place of its map's peak, in pixels of the
            original radiograph; None where the map is flat.
    """

    image: Image.Image
    size: tuple[int, int]
    peaks: list[dict[str, Any]]


def draw(pixels: NDArray[np.uint8], findings: Findings, by: str, seen: Box = WHOLE) -> Heatmap:
    """Overlay the evidence for the findings that matter most.

    Args:
        pixels: H×W uint8, the radiograph.
        findings: the answer for it, not withheld and with a map.
        by: the model and its operating point, for the strip.
        seen: what the network sees of the picture; see `InputSpec.seen`.
    """
    from PIL import Image

    assert findings.map is not None, "only an answer with a map has a heatmap"
    chosen = shown(findings)
    width, height = _size(pixels.shape[1], pixels.shape[0])
    gray = Image.fromarray(pixels)
    if gray.size != (width, height):
        gray = gray.resize((width, height), Image.Resampling.BILINEAR)
    cells = [findings.map[..., findings.findings.index(finding)] for finding in chosen]
    strength = np.zeros((height, width), np.float32)
    for each in cells:
        np.maximum(strength, evidence(each, height, width, seen), out=strength)
    picture = _overlaid(np.asarray(gray), strength)
    peaks = [peak(each, seen) for each in cells]
    canvas_width = max(width, STRIP)
    lines = _lines(chosen, findings, by, (pixels.shape[1], pixels.shape[0]), (width, height))
    font = _font(max(12, canvas_width // 70))
    line_height = round(1.5 * max(12, canvas_width // 70))
    strip = (len(lines) + 2) * line_height
    image = Image.new("RGB", (canvas_width, height + strip), DARK)
    left = (canvas_width - width) // 2
    image.paste(picture, (left, 0))
    _mark(image, peaks, (left, width, height))
    _write(image, lines, font, line_height, height)
    return Heatmap(image, (width, height), _in_pixels(chosen, peaks, pixels.shape))


def _size(width: int, height: int) -> tuple[int, int]:
    longer = max(width, height)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def _overlaid(gray: NDArray[np.uint8], strength: NDArray[np.float32]) -> Image.Image:
    from PIL import Image

    mask = Image.fromarray(np.rint(255 * OPACITY * strength).astype(np.uint8))
    under = Image.fromarray(gray).convert("RGB")
    return Image.composite(Image.fromarray(coloured(strength)), under, mask)


def _lines(
    chosen: Sequence[Finding],
    findings: Findings,
    by: str,
    original: tuple[int, int],
    drawn: tuple[int, int],
) -> list[tuple[str, tuple[int, int, int]]]:
    """The strip's text with its colours, without the colour bar."""
    lines = []
    for number, finding in enumerate(chosen, 1):
        threshold = "no threshold" if finding.threshold is None else f"of {finding.threshold:.3f}"
        where = "above its threshold" if finding.above else "below its threshold"
        if finding.threshold is None:
            where = "with"
        text = f"{number}  {finding.label}: score {finding.score:.3f}, {where} {threshold}"
        lines.append((text, LIGHT))
    lines += [(warning, LIGHT) for warning in findings.warnings]
    scaled = ""
    if original != drawn:
        scaled = f"; {original[0]}x{original[1]} drawn at {drawn[0]}x{drawn[1]}"
    return [*lines, (by + scaled, DIM), (DISCLAIMER, DIM)]


def _mark(
    image: Image.Image, peaks: Sequence[tuple[float, float] | None], place: tuple[int, int, int]
) -> None:
    """A ring at each peak with the finding's number; peaks closer than its radius share one."""
    from PIL import ImageDraw

    left, width, height = place
    draw, radius = ImageDraw.Draw(image), max(7, max(width, height) // 50)
    font = _font(radius)
    rings: list[tuple[tuple[float, float], list[str]]] = []
    for number, where in enumerate(peaks, 1):
        if where is None:
            continue
        centre = (left + where[0] * width, where[1] * height)
        near = [numbers for at, numbers in rings if math.dist(at, centre) < radius]
        if near:
            near[0].append(str(number))
        else:
            rings.append((centre, [str(number)]))
    for (x, y), numbers in rings:
        for colour, line in ((DARK, 4), (LIGHT, 2)):
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, outline=colour, width=line)
        _outlined(draw, (x + 1.4 * radius, y - 0.6 * radius), ", ".join(numbers), font)


def _outlined(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font: Font) -> None:
    for right in (-1, 0, 1):
        for down in (-1, 0, 1):
            draw.text((at[0] + right, at[1] + down), text, DARK, font)
    draw.text(at, text, LIGHT, font)


def _write(
    image: Image.Image,
    lines: Sequence[tuple[str, tuple[int, int, int]]],
    font: Font,
    line_height: int,
    top: int,
) -> None:
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(image)
    margin, y = line_height // 2, top + line_height // 2
    bar = np.tile(np.linspace(0, 1, image.width // 4), (line_height // 2, 1))
    draw.text((margin, y), "evidence: map's mean", LIGHT, font)
    x = margin + round(draw.textlength("evidence: map's mean ", font))
    image.paste(Image.fromarray(coloured(bar)), (x, y + line_height // 8))
    draw.text((x + bar.shape[1] + margin, y), "its peak", LIGHT, font)
    for text, colour in lines:
        y += line_height
        draw.text((margin, y), _fitting(draw, text, font, image.width - 2 * margin), colour, font)


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    """The text, cut where it would leave the picture."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "…", font) > width:
        text = text[:-1]
    return text + "…"


def _font(size: int) -> Font:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:  # before Pillow 10.1 there is one size
        return ImageFont.load_default()


def _in_pixels(
    chosen: Sequence[Finding],
    peaks: Sequence[tuple[float, float] | None],
    shape: tuple[int, ...],
) -> list[dict[str, Any]]:
    found = []
    for finding, where in zip(chosen, peaks, strict=True):
        at = None
        if where:
            at = {"x": int(where[0] * shape[1]), "y": int(where[1] * shape[0])}
        found.append({"label": finding.label, "peak": at})
    return found
