"""Bytes as they came, one piece after the other: put together where somebody needs them so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Pieces: TypeAlias = Sequence[bytes | bytearray | memoryview]


def whole(data: bytes | Pieces) -> bytes:
    """All of it in one piece."""
    return data if isinstance(data, bytes) else b"".join(data)


def size_of(data: bytes | Pieces) -> int:
    """Bytes of all of it."""
    return len(data) if isinstance(data, bytes) else sum(map(len, data))
