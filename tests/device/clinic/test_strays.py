"""An older copy of the database does not know the images that came since: none of them is lost."""

from __future__ import annotations

import errno
import hashlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

from edge_app.clinic.box import Box
from edge_app.clinic.header import content_digest
from edge_app.clinic.image_file import LENGTH, preamble
from edge_app.clinic.page.upload import Form
from edge_app.clinic.retention import GOING, purge, remove_finished
from edge_app.clinic.settings import Settings, read_settings
from edge_app.clinic.spool import KNOWN, NEW, Offered, Receipt, Spool
from edge_app.clinic.store import DATABASE, Store
from edge_app.clinic.strays import HEADER_BYTES, sweep

from .conftest import offered
from .images import dicom


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "box.toml"
    (tmp_path / "in").mkdir()
    file.write_text(
        'spool = "spool"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[watch]\nfolder = "in"\n'
    )
    return read_settings(file)


def of_node(number: int, **elements: Any) -> Offered:
    """An image as the node takes it."""
    data = dicom(number, **elements)
    begins = LENGTH.stop + int.from_bytes(data[LENGTH], "little")
    meta, content = data[132:begins], data[begins:]
    pieces = (preamble(meta), meta, content)
    return Offered("node", f"1.2.276.0.9701.1.1.{number}", content_digest(data), pieces, "XRAY1")


def of_page(number: int) -> Offered:
    data = dicom(number)
    uid = f"1.2.276.0.9701.1.1.{number}"
    return Offered("page", uid, hashlib.sha256(data).hexdigest(), (data,), "somebody", "whose")


class Copy:
    """A copy of a spool's database that is put back later."""

    def __init__(self, folder: Path) -> None:
        self.database, self.copy = folder / DATABASE, folder.parent / "copy.sqlite"
        with (
            closing(sqlite3.connect(self.database)) as database,
            closing(sqlite3.connect(self.copy)) as copy,
        ):
            database.backup(copy)

    def put_back(self) -> None:
        for path in self.database.parent.glob(f"{DATABASE}*"):
            path.unlink()
        shutil.copy(self.copy, self.database)


@contextmanager
def restarted(settings: Settings) -> Iterator[Spool]:
    box = Box(settings)
    box._workers.clear()  # what waits is looked at here
    box.start()
    try:
        yield box.spool
    finally:
        box.end()


def test_images_that_came_after_the_copy_are_taken_again(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(settings.spool)
    spool = Spool(store)
    spool.accept(of_node(1))
    copy = Copy(settings.spool)
    png = b"\x89PNG and no name of a patient"
    came = [of_node(2), of_page(3), offered(hashlib.sha256(png).hexdigest(), png, "page")]
    for each in came:
        spool.accept(each)
    store.close()
    copy.put_back()
    with restarted(settings) as spool:
        assert spool.counts()["waiting"] == 4
        rows = spool.store.rows("SELECT * FROM image ORDER BY id")
        known = {(row["entrance"], row["identity"], row["sha256"]) for row in rows}
        assert known == {
            ("node", "1.2.276.0.9701.1.1.1", of_node(1).digest),
            *((each.entrance, each.identity, each.digest) for each in came),
        }
        about = {row["identity"]: row["about"] for row in rows}
        assert about["1.2.276.0.9701.1.1.2"] == "Müller, Jürgen · P-4711 · 1950-12-31 · 2024-01-02"
        assert [spool.accept(each).verdict for each in came] == [KNOWN] * 3
        assert len(list(spool.store.images.iterdir())) == 4
    assert capsys.readouterr().err.count(" taken-again ") == 3
    with restarted(settings) as spool:
        assert spool.counts()["waiting"] == 4
    assert " taken-again " not in capsys.readouterr().err


def test_an_image_of_the_node_is_taken_again_however_long_its_header_is(
    settings: Settings,
) -> None:
    store = Store(settings.spool)
    spool = Spool(store)
    copy = Copy(settings.spool)
    came = of_node(1, LongCodeValue="A" * (HEADER_BYTES + 1000))
    spool.accept(came)
    store.close()
    copy.put_back()
    with restarted(settings) as spool:
        assert spool.counts()["waiting"] == 1
        assert spool.accept(came).verdict == KNOWN


def test_what_was_answered_before_another_copy_of_it_is_left_is_known(settings: Settings) -> None:
    """As a kill leaves the file of an image that was taken anew, after a change of model."""
    store = Store(settings.spool)
    spool = Spool(store)
    spool.accept(of_node(1))
    (path,) = store.images.iterdir()
    twin = path.with_name(f"{'0' * 32}.node")
    shutil.copy(path, twin)
    store.close()
    with restarted(settings) as spool:
        assert spool.counts()["waiting"] == 1
        assert [each.name for each in spool.store.images.iterdir()] == [path.name]


def test_an_image_of_a_full_box_waits_for_its_row(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(settings.spool)
    spool = Spool(store)
    copy = Copy(settings.spool)
    spool.accept(of_node(1))
    store.close()
    copy.put_back()

    def fail(spool: Spool, again: Offered, path: Path) -> Receipt:
        from edge_app.clinic.faults import SpoolFullError

        raise SpoolFullError("its disk is full: make room")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "enter_again", fail)
        with restarted(settings) as spool:
            assert spool.counts()["waiting"] == 0
    assert "its disk is full: make room" in capsys.readouterr().err
    with restarted(settings) as spool:
        assert spool.counts()["waiting"] == 1


def test_a_damaged_or_foreign_file_stays_and_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(settings.spool)
    spool = Spool(store)
    copy = Copy(settings.spool)
    spool.accept(of_node(1))
    (path,) = store.images.iterdir()
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2"))
    (store.images / ("0" * 32)).write_bytes(b"of an older box")
    store.close()
    copy.put_back()
    with restarted(settings) as spool:
        assert spool.counts()["waiting"] == 0
        assert len(list(spool.store.images.iterdir())) == 2
    log = capsys.readouterr().err
    assert log.count(" files-unknown count=1 ") == 2
    store = Store(settings.spool)
    purge(store, unfinished=True)
    assert list(store.images.iterdir()) == []
    store.close()


def test_what_is_not_complete_and_what_its_folder_still_has_is_removed(
    store: Store,
) -> None:
    for name in (f".{'0' * 16}.partial", "1.arriving", f"{'0' * 32}.watch"):
        (store.images / name).write_bytes(b"half")
    assert sweep(store) == (3, [], 0)
    assert list(store.images.iterdir()) == []


def test_an_upload_that_a_kill_interrupts_is_removed(store: Store) -> None:
    form = Form("multipart/form-data; boundary=b", store.images, 1000, lambda fields: None)
    form._write(
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nhalf of it'
    )
    (path,) = store.images.iterdir()
    assert sweep(store).removed == 1
    assert not path.exists()
    form.close()


def test_a_kill_while_finished_images_go_does_not_bring_them_back(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        spool.accept(of_node(number))
        image = spool.take()
        assert image
        spool.answer(image, "{}")

    def killed(path: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_finished(store, time.time() + 1)
    assert spool.counts()["answered"] == 0
    assert len(list(store.images.iterdir())) == 2

    def failing(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "it fails")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing)
        assert sweep(store).accepted == []
    assert sweep(store).accepted == []
    assert list(store.images.iterdir()) == []
    assert store.rows("SELECT * FROM fact WHERE name = ?", GOING) == []


def test_the_same_image_is_taken_anew_when_its_file_alone_was_kept(spool: Spool) -> None:
    spool.accept(of_node(1))
    (path,) = spool.store.images.iterdir()
    with spool.store.transaction() as database:
        database.execute("DELETE FROM image")
    assert spool.enter_again(of_node(1), path).verdict == NEW
    assert spool.enter_again(of_node(1), path).verdict == KNOWN
    assert path.exists()
