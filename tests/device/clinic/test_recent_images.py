"""What has just come is answered from memory, as long as its file is what it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_app.clinic.faults import SpoolFullError
from edge_app.clinic.recent_images import RecentImages
from edge_app.clinic.spool import Image, Spool

from .conftest import offered


def accepted(spool: Spool, identity: str, content: bytes = b"pixels") -> Image:
    spool.accept(offered(identity, content))
    image = spool.take()
    assert image is not None
    return image


def test_what_came_is_there_once(spool: Spool) -> None:
    image = accepted(spool, "1", b"these bytes")
    assert spool.recent.take(image.path) == (b"these bytes",)
    assert spool.recent.take(image.path) is None
    assert image.path.read_bytes() == b"these bytes", "and on the disk, whatever becomes of memory"


@pytest.mark.parametrize("what", ["gone", "longer", "replaced", "written again"])
def test_a_file_that_is_not_what_it_was_is_read(spool: Spool, tmp_path: Path, what: str) -> None:
    path = accepted(spool, "1").path
    before = path.stat()
    if what == "gone":
        path.unlink()
    elif what == "replaced":
        (tmp_path / "other").write_bytes(b"others")
        os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
        os.replace(tmp_path / "other", path)
    else:
        path.write_bytes(b"others" + b"!" * (what == "longer"))
        os.utime(path, ns=(1, 1))
    assert spool.recent.take(path) is None


def test_no_more_is_kept_than_there_is_room_for(spool: Spool) -> None:
    spool.recent = RecentImages(10)
    paths = [accepted(spool, str(number), b"pixels").path for number in range(2)]
    assert spool.recent.take(paths[1]) is None, "6 and 6 bytes"
    assert spool.recent.take(paths[0]) == (b"pixels",)
    assert spool.recent.take(accepted(spool, "3", b"ten bytes.").path) == (b"ten bytes.",)


def test_nothing_is_kept_of_what_is_not_accepted(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.recent = RecentImages(6)

    def fail(*args: object) -> None:
        raise SpoolFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "_enter", fail)
        with pytest.raises(SpoolFullError):
            spool.accept(offered("1"))
    assert spool.recent.take(accepted(spool, "2").path) == (b"pixels",), "its room is free again"
