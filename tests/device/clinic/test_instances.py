"""Images of the watch folder that an older box took are compared with others, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydicom", reason="the clinic extra is not installed")

from edge_app.clinic.box import Box
from edge_app.clinic.instances import look_up
from edge_app.clinic.settings import read_settings
from edge_app.clinic.spool import DIFFERS, NEW, Offered, Spool, content_of
from edge_app.clinic.store import Store

from .conftest import offered
from .images import dicom

UID = "1.2.276.0.9701.1.1.{}"


def of_older_box(spool: Spool, name: str, data: bytes) -> int:
    """An image that came by the watch folder when nobody looked for its UID."""
    number = spool.accept(offered(name, data, "watch")).id
    with spool.store.transaction() as database:
        database.execute("UPDATE image SET instance = NULL WHERE id = ?", (number,))
    return number


def by_page(number: int, **elements: str) -> Offered:
    return offered(UID.format(number), dicom(number, **elements), "page")


def marked(store: Store) -> list[int]:
    return [row["id"] for row in store.rows("SELECT id FROM image WHERE differs ORDER BY id")]


def test_another_picture_of_its_uid_is_told_of_both(spool: Spool, store: Store) -> None:
    old = of_older_box(spool, "a.dcm", dicom(1))
    assert look_up(store, 60)
    receipt = spool.accept(by_page(1, StudyDescription="other"))
    assert receipt.verdict == DIFFERS
    assert marked(store) == [old, receipt.id]


def test_the_very_same_one_is_none_of_the_kind(spool: Spool, store: Store) -> None:
    of_older_box(spool, "a.dcm", dicom(1))
    assert look_up(store, 60)
    assert spool.accept(by_page(1)).verdict == NEW
    assert marked(store) == []


def test_what_came_before_it_was_looked_into_is_told_as_far_as_nothing_was_said(
    spool: Spool, store: Store
) -> None:
    answered = spool.accept(by_page(1, StudyDescription="other")).id
    image = spool.take()
    assert image is not None
    spool.answer(image, "{}")
    old = of_older_box(spool, "a.dcm", dicom(1))
    assert marked(store) == []
    assert look_up(store, 60)
    assert marked(store) == [old]
    assert answered != old


def test_one_that_comes_while_the_file_is_looked_into_is_told_of_both(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box looks into files beside its work, where it had no time for all when it began."""
    old = of_older_box(spool, "a.dcm", dicom(1))
    first = spool.accept(by_page(1)).id
    came: list[int] = []

    def slow(*arguments: Any) -> str | None:
        if not came:
            came.append(spool.accept(offered(UID.format(1), dicom(1, StudyID="7"), "node")).id)
        return content_of(*arguments)

    monkeypatch.setattr("edge_app.clinic.instances.content_of", slow)
    assert look_up(store, 60)
    assert marked(store) == [old, first, *came]


def test_no_more_time_is_taken_than_is_given_and_the_rest_is_left_for_the_next_call(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest ones first. Pictures of other formats, and lost files, are looked into once."""
    of_older_box(spool, "a.dcm", dicom(1))
    of_older_box(spool, "b.png", b"no DICOM file")
    lost = of_older_box(spool, "c.dcm", dicom(3))
    (store.images / store.value("SELECT file FROM image WHERE id = ?", lost)).unlink()
    of_older_box(spool, "d.dcm", dicom(4))
    clock = iter(range(100))
    monkeypatch.setattr("edge_app.clinic.instances.time.monotonic", lambda: next(clock))
    assert not look_up(store, 2)
    assert store.value("SELECT group_concat(instance) FROM image") == UID.format(4)
    assert look_up(store, 60)
    rows = store.rows("SELECT instance FROM image ORDER BY id")
    assert [row["instance"] for row in rows] == [UID.format(1), "", "", UID.format(4)]


def test_a_box_looks_before_anything_comes(tmp_path: Path, cnn28: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text(
        f'spool = "spool"\nmodel = "{cnn28}"\nleast_free_mb = 1\nisolate = false\n'
        '[watch]\nfolder = "in"\n'
    )
    (tmp_path / "in").mkdir()
    box = Box(read_settings(file))
    number = of_older_box(box.spool, "a.dcm", dicom(1))
    box.start()
    try:
        found = box.store.value("SELECT instance FROM image WHERE id = ?", number)
    finally:
        box.end()
    assert found == UID.format(1)
