"""Bytes that arrived in pieces, joined only where they are needed in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Pieces: TypeAlias = Sequence[bytes | bytearray | memoryview]


def whole(data: bytes | Pieces) -> bytes:
    """All bytes in one piece."""
    return data if isinstance(data, bytes) else b"".join(data)


def size_of(data: bytes | Pieces) -> int:
    """The number of bytes in all pieces."""
    return len(data) if isinstance(data, bytes) else sum(map(len, data))
