"""A large file in pieces, for transports that limit the size of a file.

A file within the limit stays one file; a larger `NAME` becomes `NAME.001`, `NAME.002` and so on.
"""

from __future__ import annotations

from pathlib import Path

from edge_app.core.files import write_whole
from train.errors import DatasetError

FIRST = ".001"


def write_volumes(path: Path, data: bytes, max_bytes: int) -> list[Path]:
    """Write `data` as `path`, or as pieces of at most `max_bytes`; replaces what was there."""
    remove_volumes(path)
    paths = [path] if len(data) <= max_bytes else _named(path, -(-len(data) // max_bytes))
    for index, piece in enumerate(paths):
        write_whole(piece, data[index * max_bytes : (index + 1) * max_bytes])
    return paths


def remove_volumes(path: Path) -> None:
    """Remove a file, or its pieces, if it is there."""
    for piece in _volumes(path):
        piece.unlink()


def read_volumes(path: Path) -> bytes:
    """The whole file.

    Args:
        path: its name, or its first piece's.

    Raises:
        DatasetError: there is no such file, or a piece is missing from the middle.
    """
    whole = path.with_suffix("") if path.suffix == FIRST else path
    pieces = _volumes(whole)
    expected = [whole] if whole in pieces else _named(whole, len(pieces))
    if not pieces or pieces != expected:
        raise DatasetError(f"{whole}: no such file, or a piece of it is missing")
    return b"".join(piece.read_bytes() for piece in pieces)


def _named(path: Path, count: int) -> list[Path]:
    return [path.with_name(f"{path.name}.{number:03d}") for number in range(1, count + 1)]


def _volumes(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.[0-9][0-9][0-9]")) + [path] * path.is_file()
