"""Files are written whole, or not at all, whatever lies beside them."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from edge_app.core.files import write_whole


def test_what_a_writer_before_left_is_neither_followed_nor_opened(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "report.json.partial").symlink_to(target)
    os.mkfifo(tmp_path / "other.json.partial")
    write_whole(tmp_path / "report.json", b"new")
    write_whole(tmp_path / "other.json", b"new")  # a pipe would never be done
    assert target.read_text() == "precious"
    assert (tmp_path / "report.json").read_bytes() == b"new"


def test_a_foreseen_name_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"foreseen")
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / f".{b'foreseen'.hex()}.partial").symlink_to(target)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "report.json", b"new")
    assert target.read_text() == "precious"
    assert not (tmp_path / "report.json").exists()


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path, failed = tmp_path / "map.png", []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_whole(path, bytes([number]) * 50_000)
        except OSError as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert len(set(path.read_bytes())) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["map.png"]


def test_a_link_in_the_place_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    path = tmp_path / "report.json"
    path.symlink_to(target)
    write_whole(path, b"new")
    assert target.read_text() == "precious"
    assert not path.is_symlink()


def test_a_name_of_any_length_that_the_folder_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


def test_the_file_has_the_mode_that_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "report.json", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o640


def test_what_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
    assert path.read_bytes() == b"old"
