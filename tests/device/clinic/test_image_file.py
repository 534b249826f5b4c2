"""A kept image is what came, or is not read."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

pytest.importorskip("pydicom", reason="the clinic extra is not installed")

from edge_app.clinic.faults import SpoolError
from edge_app.clinic.image_file import LostError, read_kept, require_same
from edge_app.images.radiograph import Limits

from .images import dicom

FILE = dicom()
BEGINS = 144 + int.from_bytes(FILE[140:144], "little")


@pytest.mark.parametrize("first", [b"", b"\x02\0\x10\0UI\x04\x001.2\0"], ids=["", "with group 2"])
def test_an_image_of_the_node_is_known_by_its_data_set_whatever_begins_it(first: bytes) -> None:
    data_set = first + FILE[BEGINS:]
    require_same(FILE[:BEGINS] + data_set, "node", hashlib.sha256(data_set).hexdigest())


@pytest.mark.parametrize("entrance", ["node", "page", "watch"])
def test_any_other_byte_of_what_came_is_noticed(entrance: str) -> None:
    begins = BEGINS if entrance == "node" else 0
    digest = hashlib.sha256(FILE[begins:]).hexdigest()
    require_same(FILE, entrance, digest)
    chance = random.Random(1)
    for at in [
        140,
        143,
        begins,
        len(FILE) - 1,
        *(chance.randrange(begins, len(FILE)) for _ in range(20)),
    ]:
        data = bytearray(FILE)
        data[at] ^= 1 << chance.randrange(8)
        with pytest.raises(LostError, match="has changed on the disk since it arrived"):
            require_same(bytes(data), entrance, digest)
    for data in (FILE[:-1], FILE + b"\0", FILE[:100], b""):
        with pytest.raises(LostError):
            require_same(bytes(data), entrance, digest)


def test_a_file_that_is_gone_is_lost_and_a_folder_that_is_gone_is_no_image_s_fault(
    tmp_path: Path,
) -> None:
    with pytest.raises(LostError, match="is gone from the spool"):
        read_kept(tmp_path / "gone", "watch", "", Limits())
    with pytest.raises(SpoolError, match="put it back"):
        read_kept(tmp_path / "gone" / "gone", "watch", "", Limits())
