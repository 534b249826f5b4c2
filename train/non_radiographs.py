"""Pictures that an input check should refuse, by kind.

Other pictures come from installed packages, which carry photographs and pages, from a folder, or
are drawn; near misses are made from real radiographs. Everything random comes from a seed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from edge_app.core.errors import ImageError
from edge_app.images.read import read_image

Picture = NDArray[np.uint8]

PACKAGES: Final = {
    "skimage": ("data/*.png", "data/*.jpg"),
    "sklearn": ("datasets/images/*.jpg",),
    "matplotlib": ("mpl-data/sample_data/*.jpg", "mpl-data/sample_data/*.png"),
}
"""The pictures of each package; packages that are not installed are left out."""

PAGES: Final = ("page.png", "text.png")
DRAWN: Final = ("phantom.png", "chessboard_GRAY.png", "chessboard_RGB.png", "logo.png", "logo2.png")
"""The packages' pictures that are no photographs, in addition to `PAGES`."""

CROPS: Final = 8
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


# --- photographs -----------------------------------------------------------------------------


def package_pictures() -> list[Path]:
    """The picture files that installed packages carry."""
    found: list[Path] = []
    for package, patterns in PACKAGES.items():
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            found += [path for pattern in patterns for path in sorted(Path(place).glob(pattern))]
    return found


def folder_pictures(folder: Path) -> list[Path]:
    """The picture files below a folder."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def is_photograph(path: Path) -> bool:
    return path.name not in PAGES + DRAWN


def crops(path: Path, generator: np.random.Generator, count: int = CROPS) -> Iterator[Picture]:
    """The picture and random squares of 30 to 100 % of its shorter side; none if unreadable."""
    try:
        pixels = read_image(path).pixels
    except ImageError:
        return
    yield pixels
    height, width = pixels.shape
    for _ in range(count):
        side = max(1, int(min(height, width) * generator.uniform(0.3, 1.0)))
        top, left = (int(generator.integers(0, n - side + 1)) for n in (height, width))
        yield pixels[top : top + side, left : left + side]


# --- drawn -----------------------------------------------------------------------------------

TEXT: Final = (
    "patient was seen in the clinic on and no acute findings were noted of the heart lungs are "
    "clear without focal consolidation effusion invoice total amount due please find attached the "
    "minutes of our last meeting chapter figure table results method discussion"
)


def _line(generator: np.random.Generator, words: int) -> str:
    return " ".join(generator.choice(TEXT.split(), words)).capitalize() + "."


def document(generator: np.random.Generator) -> Picture:
    """A page of text, upright A4, dark on light; some with a heading, a table or two columns."""
    width, height = 620, 877
    paper, ink = int(generator.integers(225, 256)), int(generator.integers(0, 70))
    page = Image.new("L", (width, height), paper)
    draw = ImageDraw.Draw(page)
    margin, y = int(generator.integers(30, 90)), int(generator.integers(30, 120))
    size = int(generator.integers(9, 19))
    font = ImageFont.load_default(size)
    columns = int(generator.integers(1, 3))
    column = (width - (columns + 1) * margin) // columns
    draw.text((margin, y), _line(generator, 4), ink, ImageFont.load_default(2 * size))
    top = y + 4 * size
    bottom = height - margin - int(generator.integers(0, height // 2))
    for index in range(columns):
        left, y = margin + index * (column + margin), top
        while y < bottom:
            kind = generator.random()
            if kind < 0.04:
                rows = int(generator.integers(2, 6))
                for row in range(rows + 1):
                    draw.line((left, y + row * 2 * size, left + column, y + row * 2 * size), ink)
                y += (rows + 1) * 2 * size
            elif kind > 0.15:
                text = _line(generator, 14)
                draw.text((left, y), text[: max(4, int(column / (0.5 * size)))], ink, font)
            y += int(1.4 * size)
    return np.asarray(page)


def screenshot(generator: np.random.Generator) -> Picture:
    """A desktop with windows, bars, buttons, text and plots, light or dark."""
    width, height = ((1280, 800), (1024, 768), (720, 1280))[int(generator.integers(3))]
    dark = generator.random() < 0.5
    low, high = (10, 70) if dark else (170, 256)
    screen = Image.new("L", (width, height), int(generator.integers(low, high)))
    draw = ImageDraw.Draw(screen)
    bar = int(generator.integers(20, 50))
    draw.rectangle((0, 0, width, bar), int(generator.integers(0, 256)))
    for _ in range(int(generator.integers(1, 5))):
        _window(draw, generator, width, height, dark)
    return np.asarray(screen)


def _window(
    draw: ImageDraw.ImageDraw, generator: np.random.Generator, width: int, height: int, dark: bool
) -> None:
    w, h = (int(generator.uniform(0.3, 0.95) * n) for n in (width, height))
    x, y = (int(generator.integers(0, n - m)) for n, m in ((width, w), (height, h)))
    back = int(generator.integers(20, 60) if dark else generator.integers(220, 256))
    ink = 255 - back
    draw.rectangle((x, y, x + w, y + h), back, ink)
    draw.rectangle((x, y, x + w, y + 24), int(generator.integers(0, 256)))
    size = int(generator.integers(10, 18))
    font = ImageFont.load_default(size)
    if generator.random() < 0.3:
        points = generator.integers(y + 40, max(y + 41, y + h), 30)
        step = w / 30
        draw.line([(x + i * step, int(p)) for i, p in enumerate(points)], ink, 2)
        return
    if generator.random() < 0.3:
        for i in range(12):
            top = int(generator.integers(y + 40, max(y + 41, y + h)))
            left = x + 8 + i * w // 13
            draw.rectangle((left, top, left + w // 20, max(top, y + h - 8)), int(ink))
        return
    for line in range(y + 32, y + h - size, int(1.5 * size)):
        if generator.random() < 0.8:
            words = int(generator.integers(1, 12))
            draw.text((x + 10, line), _line(generator, words)[: int(w / (0.55 * size))], ink, font)


def noise(generator: np.random.Generator) -> Picture:
    """White, smooth, or salt and pepper, of any brightness and contrast."""
    side = 256
    kind = int(generator.integers(3))
    if kind == 0:
        values = generator.normal(
            generator.uniform(60, 200), generator.uniform(5, 80), (side, side)
        )
    elif kind == 1:
        cells = int(generator.integers(3, 64))
        coarse = generator.integers(0, 256, (cells, cells)).astype(np.uint8)
        return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    else:
        share = generator.uniform(0.05, 0.95)
        values = np.where(generator.random((side, side)) < share, 255.0, 0.0)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def constant(generator: np.random.Generator) -> Picture:
    """One gray level, some with a little noise."""
    level, spread = generator.uniform(0, 255), generator.choice([0.0, 0.5, 1.5])
    values = generator.normal(level, spread, (256, 256))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def gradient(generator: np.random.Generator) -> Picture:
    """Linear in any direction, or radial."""
    y, x = np.mgrid[:256, :256] / 255 - 0.5
    if generator.random() < 0.7:
        angle = generator.uniform(0, 2 * np.pi)
        ramp = np.cos(angle) * x + np.sin(angle) * y
    else:
        ramp = np.hypot(x - generator.uniform(-0.3, 0.3), y - generator.uniform(-0.3, 0.3))
        ramp *= generator.choice([-1.0, 1.0])
    low, high = np.sort(generator.uniform(0, 255, 2))
    ramp = (ramp - ramp.min()) / np.ptp(ramp)
    return np.rint(low + (high - low) * ramp).astype(np.uint8)


DRAWERS: Final[dict[str, Callable[[np.random.Generator], Picture]]] = {
    "document": document,
    "screenshot": screenshot,
    "noise": noise,
    "constant": constant,
    "gradient": gradient,
}


# --- near misses: radiographs, but not as the network knows them ---------------------------------


def _stretched(picture: Picture, box: tuple[float, float, float, float]) -> Picture:
    """The part `box` (left, top, right, bottom, as shares) of a picture, enlarged to all of it."""
    height, width = picture.shape
    scaled = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    image = Image.fromarray(picture)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=scaled))


def _bordered(picture: Picture, share: float, level: int, *, sides_only: bool = False) -> Picture:
    """The whole picture in the middle `share` of each side (or of the width), `level` around it."""
    height, width = picture.shape
    inner = (max(1, round(width * share)), height if sides_only else max(1, round(height * share)))
    small = np.asarray(Image.fromarray(picture).resize(inner, Image.Resampling.BILINEAR))
    out = np.full_like(picture, level)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    out[top : top + inner[1], left : left + inner[0]] = small
    return out


def _toned(picture: Picture, gain: float) -> Picture:
    """Gray levels times `gain`, cut off at white."""
    return np.clip(np.rint(picture * gain), 0, 255).astype(np.uint8)


OF_SIDE: Final = 128
"""The side, in pixels, of the picture in whose pixels a blur is measured."""


def blurred(picture: Picture, sigma: float) -> Picture:
    """Blurred by a Gaussian of `sigma` pixels at a side of `OF_SIDE`; edge pixels are repeated."""
    own = sigma * picture.shape[0] / OF_SIDE
    margin = int(np.ceil(3 * own))
    wide = Image.fromarray(np.pad(picture, margin, mode="edge"))
    soft = np.asarray(wide.filter(ImageFilter.GaussianBlur(own)))
    return np.ascontiguousarray(soft[margin:-margin, margin:-margin])


def tilted(picture: Picture, degrees: float, *, black: bool) -> Picture:
    """Turned counter-clockwise about its middle; corners are black, or repeat the edge pixels."""
    height, width = picture.shape
    half = (height // 2, width // 2)
    wide = np.pad(picture, [(n, n) for n in half], mode="constant" if black else "edge")
    turned = np.asarray(Image.fromarray(wide).rotate(degrees, Image.Resampling.BILINEAR))
    return np.ascontiguousarray(turned[half[0] :, half[1] :][:height, :width])


@dataclass(frozen=True)
class NearMiss:
    """One way to spoil a radiograph.

    Attributes:
        kind: one of `input_check.KINDS`.
        spoil: an upright H×W radiograph → the same size, spoilt.
    """

    kind: str
    spoil: Callable[[Picture], Picture]

    def __call__(self, picture: Picture) -> Picture:
        return np.ascontiguousarray(self.spoil(picture))


NEAR_MISSES: Final = {
    "inverted": NearMiss("inverted", lambda p: 255 - p),
    "turned by 90° clockwise": NearMiss("turned-clockwise", lambda p: np.rot90(p, -1)),
    "turned by 90° counter-clockwise": NearMiss("turned-counter-clockwise", np.rot90),
    "turned by 180°": NearMiss("upside-down", lambda p: np.rot90(p, 2)),
    "upside down": NearMiss("upside-down", lambda p: p[::-1]),
    "mirrored": NearMiss("mirrored", lambda p: p[:, ::-1]),
    "its left half": NearMiss("cropped", lambda p: _stretched(p, (0.0, 0.0, 0.5, 1.0))),
    "its right half": NearMiss("cropped", lambda p: _stretched(p, (0.5, 0.0, 1.0, 1.0))),
    "its middle third, stretched": NearMiss(
        "cropped", lambda p: _stretched(p, (1 / 3, 0.0, 2 / 3, 1.0))
    ),
    "squeezed between black sides": NearMiss(
        "framed", lambda p: _bordered(p, 0.5, 0, sides_only=True)
    ),
    "in a black frame": NearMiss("framed", lambda p: _bordered(p, 0.5, 0)),
    "in a white frame": NearMiss("framed", lambda p: _bordered(p, 0.5, 255)),
    "over-exposed": NearMiss("over-exposed", lambda p: _toned(p, 3.0)),
    "under-exposed": NearMiss("under-exposed", lambda p: _toned(p, 0.15)),
}
"""What was done to the radiograph, in words → the change."""
