"""The radiograph with its heatmap, and a strip below that says what is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Findings
from edge_app.core.about import DISCLAIMER
from edge_app.core.plain_text import percent
from edge_app.heatmap.colours import coloured
from edge_app.heatmap.maps import FULL, RINGED, EvidenceScale, peak, shown, strength
from edge_app.model.decisions import Finding
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

NO_LESION: Final = "Coarse: what the scores rest on, not where a lesion is."

Line = tuple[str, tuple[int, int, int]]
"""A line of text and its colour."""

MOST: Final = 40
"""Lines of the strip."""


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


def draw(
    pixels: NDArray[np.uint8], findings: Findings, scale: EvidenceScale, by: str, seen: Box = WHOLE
) -> Heatmap:
    """Overlay the evidence for the findings that the answer names first.

    Args:
        pixels: H×W uint8, the radiograph.
        findings: the answer for it, not withheld and with a map.
        scale: of the model that answered.
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
    channels = [findings.findings.index(finding) for finding in chosen]
    cells = [scale.weighed(findings.map[..., channel], channel) for channel in channels]
    bright = np.zeros((height, width), np.float32)
    for each in cells:
        np.maximum(bright, strength(each, height, width, seen), out=bright)
    picture = _overlaid(np.asarray(gray), bright)
    strong = [each.max() >= math.log(RINGED) for each in cells]
    peaks = [peak(each, seen) if ring else None for each, ring in zip(cells, strong, strict=True)]
    canvas_width = max(width, STRIP)
    font = _font(max(12, canvas_width // 70))
    line_height = round(1.5 * max(12, canvas_width // 70))
    size = pixels.shape[1], pixels.shape[0]
    lines = _lines(chosen, strong, findings, by, size, (width, height))
    lines = _wrapped(lines, font, canvas_width - line_height)
    strip = (len(lines) + 2) * line_height
    image = Image.new("RGB", (canvas_width, height + strip), DARK)
    left = (canvas_width - width) // 2
    image.paste(picture, (left, 0))
    _mark(image, peaks, (left, width, height))
    _write(image, "usual" if scale.usual else "the map's mean", lines, font, line_height, height)
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
    strong: Sequence[bool],
    findings: Findings,
    by: str,
    original: tuple[int, int],
    drawn: tuple[int, int],
) -> list[Line]:
    """The strip's text with its colours, without the colour bar."""
    lines = [(findings.overall.in_words(), LIGHT)] if findings.overall else []
    for number, (finding, ring) in enumerate(zip(chosen, strong, strict=True), 1):
        usually = "" if finding.usually is None else f", usually {percent(finding.usually)}"
        nowhere = "" if ring else "; no place stands out"
        lines.append(
            (f"{number}  {finding.label} {percent(finding.score)}{usually}{nowhere}", LIGHT)
        )
    lines += [(warning, LIGHT) for warning in findings.warnings]
    scaled = ""
    if original != drawn:
        scaled = f"; {original[0]}x{original[1]} drawn at {drawn[0]}x{drawn[1]}"
    return [*lines, (NO_LESION, DIM), (by + scaled, DIM), (DISCLAIMER, DIM)]


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
    lowest: str,
    lines: Sequence[Line],
    font: Font,
    line_height: int,
    top: int,
) -> None:
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(image)
    margin, y = line_height // 2, top + line_height // 2
    bar = np.tile(np.linspace(0, 1, image.width // 6), (line_height // 2, 1))
    before = f"odds if all of it looked like this: {lowest} "
    draw.text((margin, y), before, LIGHT, font)
    x = margin + round(draw.textlength(before, font))
    image.paste(Image.fromarray(coloured(bar)), (x, y + line_height // 8))
    draw.text((x + bar.shape[1] + margin, y), f"x{FULL}; rings from x{RINGED}", LIGHT, font)
    for text, colour in lines:
        y += line_height
        draw.text((margin, y), text, colour, font)


def _wrapped(lines: Sequence[Line], font: Font, width: int) -> list[Line]:
    """The same lines, broken between words where they would leave the picture; cut at `MOST`."""
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
    return broken if len(broken) <= MOST else [*broken[: MOST - 1], ("…", DIM)]


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
