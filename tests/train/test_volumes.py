"""A file cut into pieces is the same file again, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.errors import DatasetError
from train.volumes import read_volumes, write_volumes


@pytest.mark.parametrize("length", [0, 9, 10, 11, 95])
def test_pieces_are_the_file_again(tmp_path: Path, length: int) -> None:
    data = bytes(range(length))
    path = tmp_path / "a.zip"
    pieces = write_volumes(path, data, 10)
    assert all(piece.stat().st_size <= 10 for piece in pieces)
    assert (len(pieces) == 1) == (length <= 10)
    assert read_volumes(path) == data
    assert read_volumes(pieces[0]) == data


def test_what_was_written_before_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for data in (bytes(95), bytes(25), b"one piece", bytes(31)):
        write_volumes(path, data, 10)
        assert read_volumes(path) == data


def test_a_missing_piece_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_volumes(path, bytes(35), 10)[1].unlink()
    with pytest.raises(DatasetError, match="piece of it is missing"):
        read_volumes(path)
    with pytest.raises(DatasetError, match="no such file"):
        read_volumes(tmp_path / "absent.zip")
