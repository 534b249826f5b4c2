"""A synthetic frontal chest radiograph, drawn from formulas.

The picture is SYNTHETIC and contains no patient data: nobody was X-rayed, and nothing in it was
copied from or fitted to a real image. It is for demos, self-tests and golden vectors. It is not
for evaluation: a network's scores on it say nothing about how that network does on patients.

An analytic phantom is projected posteroanteriorly (PA). Every organ is a shape whose chord length
along the beam has a closed form; attenuation is the sum of chord lengths times coefficients, and
Beer-Lambert's law turns that into exposure. Coordinates are the film's: x to the image's right
(the patient's left), y down, both from -1 to 1, about 20 cm to the unit; the beam runs along z.

A seed gives the same anatomy at every size. All is continuous float64 arithmetic until one final
rounding, so platforms whose `exp` differs in the last bit still agree on the pixels.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise, product
from math import cos, hypot, pi, sin, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
Knot = tuple[float, float, float]  # a point on a tube's axis, and the tube's radius there
Segment = tuple[Knot, Knot, float]  # and how much its slant along the beam lengthens chords

# Linear attenuation per unit of length at about 60 keV; bone's is what it adds to soft tissue.
SOFT_TISSUE: Final = 4.0
LUNG: Final = 0.26 * SOFT_TISSUE
BONE: Final = 5.0

RIGHT: Final = -1.0  # the patient's right is the image's left
LEFT: Final = 1.0
SIDES: Final = (RIGHT, LEFT)
RIB_RADIUS: Final = 0.024
MIN_SIZE: Final = 16


class Anatomy(NamedTuple):
    """What differs from one synthetic patient, and exposure, to the next."""

    heart_width: float
    lung_top: float
    dome_top: float
    rib_drop: float
    girth: float
    exposure: float


class Film:
    """The pixel grid, and chord lengths of simple solids on it."""

    def __init__(self, size: int) -> None:
        axis: Field = (np.arange(size, dtype=np.float64) + 0.5) * (2.0 / size) - 1.0
        self.size = size
        self.x = axis[np.newaxis, :]
        self.y = axis[:, np.newaxis]

    def ellipsoid(
        self, cx: float, cy: float, rx: float, ry: float, rz: float, tilt: float = 0.0
    ) -> Field:
        dx, dy = self.x - cx, self.y - cy
        u = (dx * cos(tilt) + dy * sin(tilt)) / rx
        v = (dy * cos(tilt) - dx * sin(tilt)) / ry
        return 2.0 * rz * _root(1.0 - u * u - v * v)

    def tubes(self, segments: Iterable[Segment]) -> Field:
        """Squared half chords through the union of round tubes."""
        field = np.zeros((self.size, self.size))
        for (x0, y0, r0), (x1, y1, r1), slant in segments:
            reach = max(r0, r1)
            window = self._span(y0, y1, reach), self._span(x0, x1, reach)
            dx, dy = self.x[:, window[1]] - x0, self.y[window[0]] - y0
            ax, ay = x1 - x0, y1 - y0
            along = np.clip((dx * ax + dy * ay) / (ax * ax + ay * ay), 0.0, 1.0)
            radius, u, v = r0 + along * (r1 - r0), dx - along * ax, dy - along * ay
            inside = slant * slant * (radius * radius - u * u - v * v)
            np.maximum(field[window], inside, out=field[window])
        return field

    def _span(self, a: float, b: float, reach: float) -> slice:
        ends = min(a, b) - reach, max(a, b) + reach
        first, last = (int((end + 1.0) * self.size / 2.0) for end in ends)
        return slice(max(0, first - 1), max(0, last + 2))


def synthetic_radiograph(size: int = 1024, seed: int = 0) -> NDArray[np.uint8]:
    """A synthetic PA chest radiograph, `size` pixels square; 0 is black, as air is."""
    if size < MIN_SIZE:
        raise ValueError(f"size must be at least {MIN_SIZE} pixels, not {size}")
    rng = np.random.Generator(np.random.PCG64(seed))
    anatomy, film = _anatomy(rng), Film(size)
    attenuation = SOFT_TISSUE * (_soft_tissue(film, anatomy) - _airways(film, anatomy))
    attenuation -= (SOFT_TISSUE - LUNG) * _lungs(film, anatomy, rng)
    attenuation += BONE * _bones(film, anatomy)
    return _developed(attenuation, anatomy.exposure, rng)


def _anatomy(rng: np.random.Generator) -> Anatomy:
    middle = Anatomy(1.0, -0.76, 0.42, 0.40, 1.0, 0.0)
    spread = Anatomy(0.10, 0.03, 0.05, 0.05, 0.03, 0.12)
    jitter = (2.0 * float(rng.random()) - 1.0 for _ in middle)
    return Anatomy(*(m + s * j for m, s, j in zip(middle, spread, jitter, strict=True)))


def _root(values: Field) -> Field:
    return np.sqrt(np.maximum(values, 0.0))


def _quarter_circle(t: Field) -> Field:
    """Rises from 0 at t = 0, steeply at first, to 1 at t = 1."""
    rest = 1.0 - np.clip(t, 0.0, 1.0)
    return np.sqrt(1.0 - rest * rest)


def _union(*chords: Field) -> Field:
    """A smooth maximum: overlapping parts of one tissue merge without a seam."""
    return np.sqrt(np.sqrt(sum(chord**2 * chord**2 for chord in chords)))


def _chain(*knots: Knot, side: float = LEFT) -> list[Segment]:
    """Knots are written for the image's right; `side` mirrors them."""
    mirrored = [(side * x, y, r) for x, y, r in knots]
    return [(a, b, 1.0) for a, b in pairwise(mirrored)]


def _pair(*knots: Knot) -> list[Segment]:
    return _chain(*knots, side=RIGHT) + _chain(*knots, side=LEFT)


def _soft_tissue(film: Film, anatomy: Anatomy) -> Field:
    x, y = film.x, film.y
    u = np.abs(x) / (anatomy.girth * (0.93 + 0.02 * y - 0.04 * y * y))
    # The shoulders slope away from the neck; nothing of the torso is above them.
    below = _quarter_circle((y + 0.93 - 0.35 * x * x) / 0.5)
    torso = 2.0 * (0.52 + 0.04 * y) * _root(1.0 - u * u * u) * below
    u = x / (0.27 + 0.5 * np.maximum(y + 0.95, 0.0))
    parts = [torso, 0.62 * _root(1.0 - u * u) * _root(np.minimum(-0.2 - y, 1.0))]  # and the neck
    for side in SIDES:
        parts.append(film.ellipsoid(side * 0.70, -0.58, 0.52, 0.30, 0.32, side * 0.25))
        parts.append(film.ellipsoid(side * 1.02, -0.25, 0.20, 0.66, 0.26, side * -0.05))
    return _union(*parts)


def _airways(film: Film, anatomy: Anatomy) -> Field:
    """The windpipe with its main bronchi, and the stomach's bubble."""
    segments = _chain((0.0, -1.1, 0.046), (-0.015, -0.4, 0.044), (0.0, -0.24, 0.044))
    segments += _chain((0.0, -0.24, 0.032), (0.13, -0.08, 0.026), side=RIGHT)
    segments += _chain((0.0, -0.24, 0.030), (0.17, -0.09, 0.022), side=LEFT)
    bubble = film.ellipsoid(0.36, anatomy.dome_top + 0.20, 0.11, 0.06, 0.07, 0.1)
    return 2.0 * np.sqrt(film.tubes(segments)) + bubble


def _lungs(film: Film, anatomy: Anatomy, rng: np.random.Generator) -> Field:
    """Chord length through aerated lung: the pleural spaces less what pushes into them."""
    space = _pleural_space(film, anatomy, RIGHT) + _pleural_space(film, anatomy, LEFT)
    top = anatomy.dome_top
    right_dome = film.ellipsoid(-0.38, top + 0.46, 0.46, 0.46, 0.50)
    left_dome = film.ellipsoid(0.37, top + 0.52, 0.46, 0.46, 0.50)
    filling = _union(_mediastinum(film, anatomy.heart_width), right_dome, left_dome)
    vessels = 4.0 * np.sqrt(film.tubes(_vessels(rng)))  # an artery, and about as much of a vein
    texture = 1.0 + 0.035 * _mottle(film, rng, 40) + 0.025 * _mottle(film, rng, 110)
    return np.maximum(space - filling - vessels, 0.0) * texture


def _pleural_space(film: Film, anatomy: Anatomy, side: float) -> Field:
    apex, wall = 0.30, anatomy.girth * (0.80 if side == RIGHT else 0.77)
    down = film.y - anatomy.lung_top
    bulge = _quarter_circle(down / 1.2)
    outer = apex + (wall - apex) * bulge - 0.5 * np.maximum(film.y - 0.4, 0.0) ** 2
    inner = apex - (apex - 0.03) * _quarter_circle(down / 0.6)
    u = (2.0 * side * film.x - outer - inner) / np.maximum(outer - inner, 1e-9)
    depth = (0.20 + 0.64 * bulge) * _quarter_circle(down / 0.3)
    base = np.clip((anatomy.dome_top + 0.52 - film.y) / 0.2, 0.0, 1.0)
    return depth * base * _root(1.0 - u * u * u * u)


def _mediastinum(film: Film, heart_width: float) -> Field:
    great = _chain((0.0, -1.0, 0.07), (0.0, -0.4, 0.09), (0.0, 0.9, 0.11))
    great += _chain((0.06, -0.75, 0.04), (0.09, -0.4, 0.055), (0.10, 0.0, 0.06), side=RIGHT)  # cava
    great += _chain((0.05, -0.6, 0.04), (0.06, -0.34, 0.08), (0.105, -0.30, 0.08))  # aortic knob
    great += _chain((0.105, -0.30, 0.08), (0.085, -0.15, 0.06), (0.07, 0.7, 0.055))
    great += _chain((0.03, -0.12, 0.08), (0.12, -0.10, 0.07), (0.15, 0.0, 0.05))  # pulmonary trunk
    w = heart_width
    ventricles = film.ellipsoid(0.14 * w, 0.24, 0.40 * w, 0.26, 0.34, 0.68)
    right_atrium = film.ellipsoid(-0.03 * w, 0.21, 0.20 * w, 0.26, 0.32, 0.1)
    left_atrium = film.ellipsoid(0.04, 0.06, 0.19, 0.18, 0.34)
    return _union(3.6 * np.sqrt(film.tubes(great)), ventricles, right_atrium, left_atrium)


def _vessels(rng: np.random.Generator) -> Iterator[Segment]:
    """From each hilum, the left one higher, the lower lobe's artery and a fan of branches."""
    for side, y in ((RIGHT, -0.08), (LEFT, -0.12)):
        artery = (0.10, y, 0.05), (0.17, y + 0.05, 0.046), (0.21, y + 0.17, 0.034)
        yield from _chain(*artery, (0.25, y + 0.32, 0.012), side=side)
        for angle in (-1.35, -0.95, -0.5, -0.1, 0.3, 0.65, 1.0, 1.3):
            yield from _branches(rng, side, (0.17, y + 0.06 * angle, 0.019), angle, 4)


def _branches(
    rng: np.random.Generator, side: float, root: Knot, angle: float, generations: int
) -> Iterator[Segment]:
    x, y, radius = root
    angle += 0.25 * (2.0 * float(rng.random()) - 1.0)
    length = 0.07 + 0.09 * float(rng.random())
    x, y = x + length * cos(angle), y + length * sin(angle)
    yield from _chain(root, (x, y, 0.75 * radius), side=side)
    for fork in (-0.35, 0.4) if generations > 1 else ():
        yield from _branches(rng, side, (x, y, 0.66 * radius), angle + fork, generations - 1)


def _mottle(film: Film, rng: np.random.Generator, cells: int) -> Field:
    """Smooth noise on a lattice that does not depend on the film's size."""
    lattice = 2.0 * rng.random((cells + 1, cells + 1)) - 1.0
    at = (film.x[0] + 1.0) * (cells / 2.0)
    cell = at.astype(np.intp)
    t = at - cell
    t = t * t * (3.0 - 2.0 * t)
    rows = lattice[cell] + t[:, np.newaxis] * (lattice[cell + 1] - lattice[cell])
    return np.asarray(rows[:, cell] + t * (rows[:, cell + 1] - rows[:, cell]))


def _bones(film: Film, anatomy: Anatomy) -> Field:
    posterior = film.tubes(_ribs(anatomy, 10, 0.03 * pi, 0.5 * pi))
    anterior = film.tubes(_ribs(anatomy, 9, 0.5 * pi, 0.8 * pi))
    clavicle = (0.09, -0.53, 0.036), (0.22, -0.585, 0.028), (0.40, -0.63, 0.026)
    scapula = (0.60, -0.70, 0.008), (0.67, -0.4, 0.012), (0.74, -0.04, 0.016)
    girdle = _pair(*clavicle, (0.58, -0.70, 0.028), (0.80, -0.72, 0.034))
    girdle += _pair(*scapula, (0.82, -0.22, 0.018), (0.89, -0.48, 0.020))
    girdle += _pair((0.93, -0.60, 0.10), (0.97, -0.44, 0.06), (1.03, 0.3, 0.05))  # humerus
    blades = film.tubes(_pair((0.79, -0.52, 0.13), (0.745, -0.06, 0.03)))
    ribs = 1.3 * _hollow(posterior) + 1.1 * _hollow(anterior)
    return ribs + 1.2 * _hollow(film.tubes(girdle)) + 0.3 * np.sqrt(blades) + _spine(film)


def _ribs(anatomy: Anatomy, count: int, start: float, stop: float) -> Iterator[Segment]:
    """Parts of ellipses in planes that tip forward, from the spine (0) to the sternum (pi)."""
    angles = [start + (stop - start) * i / 14 for i in range(15)]
    for side, i in product(SIDES, range(count)):
        top = anatomy.lung_top + 0.02 + 0.122 * i
        drop = anatomy.rib_drop * min(1.0, 0.59 + 0.14 * i)
        level = min(1.0, (top + drop / 2.0 - anatomy.lung_top) / 1.2)
        reach = side * anatomy.girth * (0.32 + 0.48 * sqrt(1.0 - (1.0 - level) ** 2))
        loop = [(reach * sin(a), top + drop * (1.0 - cos(a)) / 2.0, 0.42 * cos(a)) for a in angles]
        for (x0, y0, z0), (x1, y1, z1) in pairwise(loop):
            slant = hypot(x1 - x0, y1 - y0, z1 - z0) / hypot(x1 - x0, y1 - y0)
            fade = min(1.0, 1.0 + 1.2 * z1)  # in front, bone gives way to cartilage
            yield (x0, y0, RIB_RADIUS), (x1, y1, RIB_RADIUS), min(slant, 1.5) * fade


def _hollow(half_chord_squared: Field) -> Field:
    """Bone's chord: the marrow inside the cortex counts for less."""
    marrow = _root(half_chord_squared - 0.4 * RIB_RADIUS**2)
    return 2.0 * (np.sqrt(half_chord_squared) - 0.6 * marrow)


def _spine(film: Film) -> Field:
    v = 2.0 * np.mod(film.y / 0.118 + 0.3, 1.0) - 1.0  # from disc to disc
    u = film.x / ((0.070 + 0.012 * film.y) * (0.9 + 0.1 * v * v))
    body = (0.035 + 0.045 * _root(1.0 - 1.5 * v * v * v * v)) * _root(1.0 - u * u * u * u)
    pedicles = _root(1.0 - ((np.abs(u) - 0.60) / 0.24) ** 2 - ((v + 0.25) / 0.42) ** 2)
    process = _root(1.0 - (u / 0.16) ** 2 - ((v - 0.3) / 0.6) ** 2)
    return (body + 0.025 * (pedicles + process)) * (0.70 + 0.30 * film.y)


def _developed(attenuation: Field, offset: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    size = attenuation.shape[0]
    primary = np.exp(-attenuation)
    # What the body scatters comes from the beam it has already weakened.
    scatter = 0.10 * _blurred(primary * (1.0 - primary), size // 12)
    exposure = _blurred(primary, size // 1024) + scatter
    # A larger pixel catches more photons, so it is quieter. Uniforms, because they come straight
    # from the generator's bits, where normals go through the platform's `exp` and `log`.
    noise = rng.random((size, size)) + rng.random((size, size)) - 1.0
    exposure *= 1.0 + 0.012 * (size / 1024.0) * noise / np.sqrt(exposure)
    density = offset - np.log(np.maximum(exposure, 1e-6))
    shown = 1.0 / (1.0 + np.exp((2.25 - density) / 0.8))
    black = 0.05
    return np.floor(255.0 * np.maximum((shown - black) / (1.0 - black), 0.0) + 0.5).astype(np.uint8)


def _blurred(field: Field, radius: int) -> Field:
    """Two box means along each axis; running sums cost the same at any radius."""
    width = 2 * radius + 1
    for _ in range(4 if radius else 0):
        padded = np.pad(field, ((radius + 1, radius), (0, 0)), mode="edge")
        sums = np.cumsum(padded, axis=0)
        field = ((sums[width:] - sums[:-width]) / width).T
    return field
