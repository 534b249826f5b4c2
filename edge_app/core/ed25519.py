"""Verifying Ed25519 signatures: RFC 8032, section 5.1.7, in plain Python.

Verifying takes no secret, so its time may depend on the numbers; `core/signing.py` signs, with a
library. As in libsodium, and so in minisign, R is compared as bytes, S must be below the group's
order, and public keys of small order are refused.
"""

from __future__ import annotations

import hashlib
from typing import Final

P: Final = 2**255 - 19
"""The field's prime."""

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point."""

D: Final = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1: Final = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""X, Y, Z and T with x = X/Z, y = Y/Z, xy = T/Z."""

NEUTRAL: Final[Point] = (0, 1, 1, 0)
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is a signature of `message` by the secret key of `key`.

    Args:
        key: 32 bytes.
        message: any bytes.
        signature: 64 bytes.
    """
    if len(signature) != SIGNATURE_BYTES or (public := _point(key)) is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER or _is_neutral(_double(_double(_double(public)))):
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    h = int.from_bytes(digest, "little") % ORDER
    x, y, z, t = public
    return _bytes(_sum_of_products(s, BASE, h, (P - x, y, z, P - t))) == signature[:32]


def is_key(key: bytes) -> bool:
    """Whether these are the bytes of a public key."""
    point = _point(key)
    return point is not None and not _is_neutral(_double(_double(_double(point))))


def _point(data: bytes) -> Point | None:
    """A point from its 32 bytes; None if they are not the canonical bytes of a point."""
    if len(data) != KEY_BYTES:
        return None
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_1 % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _bytes(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def _is_neutral(point: Point) -> bool:
    x, y, z, _ = point
    return x % P == 0 and (y - z) % P == 0


def _add(one: Point, other: Point) -> Point:
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(point: Point) -> Point:
    x, y, z, _ = point
    a, b, c = x * x % P, y * y % P, 2 * z * z % P
    h = a + b
    e, g = h - (x + y) * (x + y) % P, a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _sum_of_products(m: int, one: Point, n: int, other: Point) -> Point:
    """m·one + n·other, by the bits of m and n at once."""
    terms = (None, one, other, _add(one, other))
    total = NEUTRAL
    for bit in range(max(m.bit_length(), n.bit_length()) - 1, -1, -1):
        total = _double(total)
        term = terms[(m >> bit & 1) | (n >> bit & 1) << 1]
        if term is not None:
            total = _add(total, term)
    return total


def _base() -> Point:
    point = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None
    return point


BASE: Final = _base()
