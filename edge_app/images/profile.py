"""What viewers make of a picture's gray by its ICC profile (ICC.1:2022, version 2 and 4).

Only the tone curve is read: of gray pictures that of gray, of others that of green, which their
grays share with red and blue. Nothing of a profile is applied.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from edge_app.images.radiograph import DISPLAY_GAMMA, NOTICED

OTHER_TONES: Final = (
    "has a colour profile by which viewers may brighten or darken it: scored as it is stored"
)
UNREAD: Final = (
    "has a profile of gray that cannot be read, by which viewers may brighten or darken it: scored "
    "as it is stored"
)

HEADER: Final = struct.Struct(">16x4s4s104xI")
"""Colour space, that of the connection, and the number of tags."""
TAG: Final = struct.Struct(">4sII")
GRAY, COLOUR, LAB = b"GRAY", b"RGB ", b"Lab "
TABLES: Final = b"A2B0"
"""Goes before a curve (8.10)."""
MAX_TAGS: Final = 200
LEVELS: Final = (64, 128, 192)
"""Gray levels at which a curve is looked at."""

PARAMETERS: Final = (1, 3, 4, 5, 7)
"""Parameters of a `para` curve, by its function."""


def notes(profile: Any, *, is_gray: bool) -> list[str]:
    """A line where viewers that apply the profile show other grays than are stored.

    No viewer uses a profile of another colour space than the picture's.

    Args:
        profile: its bytes, which may be anything; nothing if there is none.
        is_gray: whether the picture is stored as gray.
    """
    if not isinstance(profile, bytes) or len(profile) < HEADER.size:
        return []
    space, connection, count = HEADER.unpack_from(profile)
    if space != (GRAY if is_gray else COLOUR):
        return []
    count = min(count, MAX_TAGS)
    if is_gray and _tag(profile, TABLES, count):
        return [UNREAD]
    curve = _tag(profile, b"kTRC" if is_gray else b"gTRC", count)
    try:
        moves = [_shown(curve, level, connection if is_gray else b"") - level for level in LEVELS]
    except (ArithmeticError, ValueError, struct.error):
        return [UNREAD] if is_gray else []  # one of colour may have tables instead
    return [OTHER_TONES] if max(map(abs, moves)) > NOTICED else []


def _tag(profile: bytes, name: bytes, count: int) -> bytes:
    """A tag's content; empty if there is none of this name."""
    for at in range(HEADER.size, HEADER.size + count * TAG.size, TAG.size):
        found = profile[at : at + TAG.size]
        if found.startswith(name) and len(found) == TAG.size:
            _, start, size = TAG.unpack(found)
            return profile[start : start + size]
    return b""


def _shown(curve: bytes, level: int, connection: bytes) -> float:
    """The level that a display shows for one that is stored, 0 to 255 both.

    Raises:
        ArithmeticError, ValueError, struct.error: the curve is none.
    """
    light = min(1.0, max(0.0, _light(curve, level / 255)))
    if connection == LAB:  # the curve gives lightness then (CIE 15)
        light = ((100 * light + 16) / 116) ** 3 if light > 0.08 else 100 * light / 903.3
    return float(255 * light ** (1 / DISPLAY_GAMMA))


def _light(curve: bytes, x: float) -> float:
    """A curve at 0 ≤ x ≤ 1 (10.6, 10.18)."""
    if curve.startswith(b"curv"):
        (count,) = struct.unpack_from(">I", curve, 8)
        if count == 0:
            return x
        if count == 1:
            (gamma,) = struct.unpack_from(">H", curve, 12)
            return float(x ** (gamma / 256))
        if 12 + 2 * count > len(curve):
            raise ValueError
        first = min(int(x * (count - 1)), count - 2)  # a table may be as long as a file
        one, next_one = struct.unpack_from(">2H", curve, 12 + 2 * first)
        return float(one + (x * (count - 1) - first) * (next_one - one)) / 0xFFFF
    if not curve.startswith(b"para"):
        raise ValueError
    (function,) = struct.unpack_from(">H", curve, 8)
    if function >= len(PARAMETERS):
        raise ValueError
    numbers = struct.unpack_from(f">{PARAMETERS[function]}i", curve, 12)
    return _function(function, [number / (1 << 16) for number in numbers], x)


def _function(function: int, numbers: list[float], x: float) -> float:
    gamma, a, b, c, d, e, f = [*numbers, *[0.0] * (7 - len(numbers))]
    if function == 0:
        a = 1.0
    elif function < 3:  # c is what is added, to either part
        c, d, e, f = 0.0, -b / a, c, c
    return float(max(0.0, a * x + b) ** gamma + e) if x >= d else c * x + f
