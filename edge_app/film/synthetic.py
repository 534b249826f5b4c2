"""Synthetic photographs of films, on which rectification is tested and measured."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_app.film.corners import Corners
from edge_app.film.opencv import opencv

WIDTH, HEIGHT = 960, 1200
SURROUNDINGS: Final = ("light box", "dark room", "wall")


def photographed(
    radiograph: NDArray[np.uint8], seed: int, surroundings: str | None = None
) -> tuple[NDArray[np.uint8], Corners]:
    """An H×W radiograph as a phone's camera sees it: on a light box, a screen, or before a wall.

    With perspective, the surroundings' and the film's own brightness, uneven light, vignetting,
    glare, blur, noise and JPEG, all drawn from `seed`.

    Returns:
        `HEIGHT`×`WIDTH`×3 uint8 RGB, and the film's corners in it.
    """
    cv2 = opencv()
    generator = np.random.default_rng(seed)
    kind = surroundings or str(generator.choice(SURROUNDINGS))
    scene = _surroundings(kind, generator)
    height, width = radiograph.shape
    corners = _corners(width / height, generator)
    rim = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    matrix = cv2.getPerspectiveTransform(rim.astype(np.float32), corners.astype(np.float32))
    # A screen's black still glows in a dark room; a film's is darker than a light box or a wall.
    low, high = generator.uniform(18, 35), generator.uniform(170, 235)
    film = (low + (high - low) * radiograph / 255).astype(np.float32)
    size = (WIDTH, HEIGHT)
    projected = cv2.warpPerspective(film, matrix, size, flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(np.ones_like(film), matrix, size, flags=cv2.INTER_LINEAR)
    scene = scene * (1 - cover) + projected
    scene = scene * _light(generator)
    scene = scene + _glare(corners, generator)
    scene = cv2.GaussianBlur(scene, (0, 0), generator.uniform(0.4, 1.3))
    tint = np.array([1.0, generator.uniform(0.95, 1.0), generator.uniform(0.88, 1.04)])
    noisy = scene[..., np.newaxis] * tint
    noisy = noisy + generator.normal(0, generator.uniform(1, 3), noisy.shape)
    image = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    quality = int(generator.integers(60, 93))
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]), corners


def _surroundings(kind: str, generator: np.random.Generator) -> NDArray[np.float32]:
    cv2 = opencv()
    level = {"light box": (215, 250), "dark room": (2, 10), "wall": (110, 190)}[kind]
    scene = np.full((HEIGHT, WIDTH), generator.uniform(*level), np.float32)
    cells = generator.normal(0, 1, (12, 10)).astype(np.float32)
    strength = {"light box": 1.5, "dark room": 1.0, "wall": 5.0}[kind]
    return scene + strength * cv2.resize(cells, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _corners(aspect: float, generator: np.random.Generator) -> Corners:
    """The film in the middle, turned a little and seen from the side."""
    half_width = WIDTH * generator.uniform(0.33, 0.42)
    half_height = min(half_width / aspect, 0.42 * HEIGHT)
    half_width = half_height * aspect
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
    corners = corners * (half_width, half_height)
    corners *= 1 + generator.uniform(-0.07, 0.07, (4, 2))
    angle = np.deg2rad(generator.normal(0, 3))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([WIDTH, HEIGHT]) / 2 + generator.uniform(-15, 15, 2)
    return np.clip(corners @ turn.T + middle, 8, np.array([WIDTH, HEIGHT]) - 9)


def _light(generator: np.random.Generator) -> NDArray[np.float32]:
    """A slope in any direction times the lens's vignetting."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    x, y = x / WIDTH - 0.5, y / HEIGHT - 0.5
    angle, slope = generator.uniform(0, 2 * np.pi), generator.uniform(0, 0.5)
    even = 1 + slope * (np.cos(angle) * x + np.sin(angle) * y)
    vignetting = 1 - generator.uniform(0, 0.5) * (x * x + y * y)
    return (even * vignetting / 1.2).astype(np.float32)


def _glare(corners: Corners, generator: np.random.Generator) -> NDArray[np.float32]:
    """The soft reflection of a lamp on the film, on half of the photographs."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    if generator.random() < 0.5:
        return np.zeros((HEIGHT, WIDTH), np.float32)
    weights = generator.dirichlet(np.ones(4))
    centre, spread = weights @ corners, generator.uniform(40, 120)
    distance = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    return (generator.uniform(15, 60) * np.exp(-distance / (2 * spread**2))).astype(np.float32)
