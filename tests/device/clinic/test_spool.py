"""An accepted image is answered exactly once, and nothing that was refused leaves a trace."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.clinic import retention
from edge_app.clinic import spool as spools
from edge_app.clinic.database import LOG_BYTES, VERSION
from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.faults import SpoolError, SpoolFullError, UnsyncedError
from edge_app.clinic.header import content_digest
from edge_app.clinic.recent_images import RecentImages
from edge_app.clinic.retention import give_back, purge, remove_finished
from edge_app.clinic.spool import DIFFERS, KNOWN, NEW, Document, Image, Offered, Spool
from edge_app.clinic.statements import decided_by
from edge_app.clinic.store import DATABASE, LOG, Store

from ..conftest import Run
from .conftest import offered
from .images import dicom
from .peers import wait_for

REPORT = Document("1-sr.dcm", b"report", ("archive",))


def taken(spool: Spool) -> Image:
    image = spool.take()
    assert image is not None
    return image


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Accepting


def test_an_accepted_image_is_there_for_whoever_opens_the_spool_next(folder: Path) -> None:
    first = Store(folder)
    receipt = Spool(first).accept(offered("1.2.3", b"its bytes"))
    first.close()
    second = Store(folder)
    image = taken(Spool(second))
    assert (image.id, image.identity, image.begun) == (receipt.id, "1.2.3", 0)
    assert image.path.read_bytes() == b"its bytes"
    second.close()


def test_the_same_bytes_again_are_known_and_answered_once(spool: Spool) -> None:
    first, second = spool.accept(offered("1.2.3")), spool.accept(offered("1.2.3"))
    assert (first.verdict, second.verdict) == (NEW, KNOWN)
    assert first.id == second.id
    spool.answer(taken(spool), "{}")
    assert spool.accept(offered("1.2.3")).verdict == KNOWN
    assert spool.take() is None
    assert len(files(spool.store.images)) == 1


def said_by(**parts: str | None) -> str:
    """An answer, of a model by its digest, a site file or an operating point."""
    named = {"site": None, "operating_point": "p", "label_operating_point": "p", **parts}
    digest = named.pop("digest", "d")
    return json.dumps({"model": {"sha256": "s", "digest": digest}, **named})


@pytest.mark.parametrize("before", [{"digest": "e"}, {"site": "5"}, {"operating_point": "q"}])
def test_what_another_model_answered_is_taken_anew_when_it_comes_again(
    spool: Spool, store: Store, before: dict[str, str]
) -> None:
    spool.decides = decided_by(json.loads(said_by()))
    deliveries = Deliveries(store)
    first = spool.accept(offered("1.2.3"))
    spool.answer(taken(spool), said_by(**before), [REPORT])
    assert spool.accept(offered("1.2.3")).verdict == KNOWN, "its report is not delivered yet"
    (delivery,) = deliveries.due("archive")
    deliveries.delivered(delivery)
    again = spool.accept(offered("1.2.3"))
    assert again.verdict == NEW
    assert again.id != first.id
    assert store.value("SELECT count(*) FROM document") == 0
    assert len(files(store.images)) == 1
    spool.answer(taken(spool), said_by(), [REPORT])
    assert [row["answer"] for row in store.rows("SELECT answer FROM image")] == [said_by()]
    (delivery,) = deliveries.due("archive")
    deliveries.delivered(delivery)
    assert spool.accept(offered("1.2.3")).verdict == KNOWN
    assert spool.take() is None


def test_an_outdated_answer_stays_where_the_image_is_not_accepted(spool: Spool) -> None:
    spool.decides = decided_by(json.loads(said_by()))
    spool.accept(offered("1.2.3"))
    spool.answer(taken(spool), said_by(site="5"))
    spool.min_free = 1 << 60
    with pytest.raises(SpoolFullError):
        spool.accept(offered("1.2.3"))
    assert spool.counts()["answered"] == 1
    assert len(files(spool.store.images)) == 1


def test_the_same_identity_with_other_bytes_is_kept_apart_and_said(spool: Spool) -> None:
    assert spool.accept(offered("1.2.3", b"one")).verdict == NEW
    assert spool.accept(offered("1.2.3", b"other")).verdict == DIFFERS
    first, second = taken(spool), taken(spool)
    assert (first.path.read_bytes(), first.differs) == (b"one", True), (
        "its report is to say so, too"
    )
    assert (second.path.read_bytes(), second.differs) == (b"other", True)


def test_what_was_answered_before_another_one_of_its_identity_came_stays_as_it_is(
    spool: Spool,
) -> None:
    spool.accept(offered("1.2.3", b"one"))
    spool.answer(taken(spool), "{}")
    spool.accept(offered("1.2.3", b"other"))
    rows = spool.store.rows("SELECT differs FROM image ORDER BY id")
    assert [row["differs"] for row in rows] == [0, 1]


def by_any_way(number: int = 1, **elements: Any) -> dict[str, Offered]:
    """An image as the node takes it, which digests its data set, as the page does, and out of the
    watch folder, where its file is called somehow."""
    uid, data = (
        f"1.2.276.0.9701.1.1.{number}",
        dicom(number, np.zeros((8, 8), np.uint8), **elements),
    )
    node = Offered("node", uid, content_digest(data), (data,))
    name = f"{hashlib.sha256(data).hexdigest()[:8]}.dcm"
    watch = offered(name, data, "watch")._replace(instance=uid)
    return {"node": node, "page": offered(uid, data, "page"), "watch": watch}


@pytest.mark.parametrize(
    ("first", "second"), [*itertools.permutations(("node", "page", "watch"), 2)]
)
def test_other_bytes_of_an_identity_are_said_whichever_way_they_come(
    spool: Spool, first: str, second: str
) -> None:
    pytest.importorskip("pydicom", reason="the dicom extra is not installed")
    one, other = by_any_way(), by_any_way(PatientID="another")
    assert spool.accept(one[first]).verdict == NEW
    assert spool.accept(one[second]).verdict == NEW, "the same data set"
    assert spool.accept(other[second]).verdict == DIFFERS
    assert spool.accept(by_any_way(2)[first]).verdict == NEW
    assert spool.accept(by_any_way(2, PatientID="another")[second]).verdict == DIFFERS
    assert [taken(spool).differs for _ in range(5)] == [True] * 5


def test_two_files_of_a_folder_with_the_same_image_do_not_differ(spool: Spool) -> None:
    pytest.importorskip("pydicom", reason="the dicom extra is not installed")
    one, other = by_any_way()["watch"], by_any_way(PatientID="another")["watch"]
    assert spool.accept(one).verdict == NEW
    assert spool.accept(one._replace(identity="copy.dcm")).verdict == NEW
    assert spool.accept(other).verdict == DIFFERS
    assert [taken(spool).differs for _ in range(3)] == [True] * 3


def test_the_name_of_a_file_in_the_watch_folder_is_no_identity_elsewhere(spool: Spool) -> None:
    spool.accept(offered("1.2.3", b"one", "watch"))
    assert spool.accept(offered("1.2.3", b"other", "node")).verdict == NEW
    assert spool.accept(offered("1.2.3", b"another", "watch")).verdict == NEW


def test_what_cannot_be_compared_counts_as_other_bytes(spool: Spool) -> None:
    spool.accept(offered("1.2.3", b"no DICOM file", "page"))
    assert spool.accept(offered("1.2.3", b"other", "node")).verdict == DIFFERS


@pytest.mark.parametrize("meanwhile", [False, True], ids=["alone", "another one comes"])
def test_files_are_compared_while_others_have_the_database(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    pytest.importorskip("pydicom", reason="the dicom extra is not installed")
    one, other = by_any_way(), by_any_way(PatientID="another")
    spool.accept(one["page"])
    right, read = spools.content_digest_of, 0

    def compared(path: Path) -> str:
        nonlocal read
        read += 1
        with ThreadPoolExecutor(1) as somebody:
            assert somebody.submit(spool.counts).result(60)["waiting"] >= 1
            if meanwhile and read == 1:
                somebody.submit(spool.accept, other["page"]).result(60)
        return right(path)

    monkeypatch.setattr(spools, "content_digest_of", compared)
    assert spool.accept(one["node"]).verdict == (DIFFERS if meanwhile else NEW)
    assert read == (2 if meanwhile else 1)


def test_a_database_that_fails_twice_while_an_image_is_accepted_takes_no_memory(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room in memory for one such image."""
    spool.recent = RecentImages(len(b"pixels"))

    with monkeypatch.context() as patch:

        def fail(*args: object) -> None:
            patch.setattr(spool.store, "rows", failing)
            raise RuntimeError("nobody foresaw it")

        def failing(*args: object) -> None:
            raise SpoolError("its database fails")

        patch.setattr(spool, "_enter", fail)
        with pytest.raises(RuntimeError, match="nobody foresaw it"):
            spool.accept(offered("1.2.3"))
    spool.accept(offered("1.2.4"))
    assert spool.recent.take(taken(spool).path) == (b"pixels",)


def test_of_many_who_send_the_same_image_at_once_all_are_told_the_same_number(
    spool: Spool,
) -> None:
    receipts = []
    threads = [
        threading.Thread(target=lambda: receipts.append(spool.accept(offered("1.2.3"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({receipt.id for receipt in receipts}) == 1
    assert sorted(receipt.verdict for receipt in receipts) == [*[KNOWN] * 7, NEW]
    assert len(files(spool.store.images)) == 1


# A full disk


def test_below_the_watermark_nothing_new_is_accepted_and_the_rest_is_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(store, min_free=1 << 20)
    spool.accept(offered("1"))
    monkeypatch.setattr(store, "free", lambda: (1 << 20) + 3)
    with pytest.raises(SpoolFullError, match="least_free_mb"):
        spool.accept(offered("2"))
    assert spool.accept(offered("1")).verdict == KNOWN
    spool.answer(taken(spool), "{}", (REPORT,))
    assert spool.counts() == {"waiting": 0, "answered": 1, "finished": 0}


def fail(monkeypatch: pytest.MonkeyPatch, name: str, at: int, number: int) -> None:
    """The `at`-th call of a function of `os`, counted from 0, fails with this error."""
    calls = iter(range(10_000))
    right: Callable[..., object] = getattr(os, name)

    def wrong(*arguments: object) -> object:
        if next(calls) == at:
            raise OSError(number, os.strerror(number))
        return right(*arguments)

    monkeypatch.setattr(os, name, wrong)


@pytest.mark.parametrize(("name", "at"), [("write", 0), ("write", 1), ("fsync", 0), ("fsync", 1)])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_the_disk_does_not_take_is_refused_and_leaves_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, name: str, at: int, number: int
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, name, at, number)
        expected = SpoolError if number == errno.EIO else SpoolFullError
        with pytest.raises(expected):
            spool.accept(offered("1")._replace(pieces=(b"two", b"pieces")))
    assert files(spool.store.images) == []
    assert spool.take() is None
    assert spool.accept(offered("1")).verdict == NEW


def test_a_fault_that_nobody_foresaw_leaves_no_file(spool: Spool) -> None:
    digest: Future[str] = Future()
    digest.set_exception(MemoryError())
    with pytest.raises(MemoryError):
        spool.accept(offered("1")._replace(sha256=digest))
    assert files(spool.store.images) == []


def test_a_full_database_refuses_in_one_line_and_goes_on_when_there_is_room(spool: Spool) -> None:
    pages = spool.store.value("PRAGMA page_count")
    spool.store.rows(f"PRAGMA max_page_count = {pages}")
    accepted = fill(spool)
    assert len(files(spool.store.images)) == accepted
    spool.store.rows("PRAGMA max_page_count = 100000")
    assert spool.accept(offered(f"1.{accepted}")).verdict == NEW
    for _ in range(accepted + 1):
        spool.answer(taken(spool), "{}")
    assert spool.counts()["answered"] == accepted + 1


def fill(spool: Spool) -> int:
    """How many images are accepted before one is refused because the disk is full."""
    for accepted in range(10_000):
        try:
            spool.accept(offered(f"1.{accepted}"))
        except SpoolFullError:
            return accepted
    raise AssertionError("the database was never full")


def test_an_image_whose_row_is_not_synced_is_not_acknowledged_and_not_lost(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, "fdatasync", 0, errno.EIO)
        with pytest.raises(UnsyncedError, match="its disk fails"):
            spool.accept(offered("1"))
    assert spool.accept(offered("1")).verdict == KNOWN
    assert taken(spool).path.read_bytes() == b"pixels"
    assert spool.take() is None


def test_what_is_accepted_after_a_failed_sync_survives_a_power_cut(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the system failed to write it takes for written: the medium has a hole there."""
    sync, log = os.fdatasync, folder / LOG
    medium, hole = b"", range(0)

    def sync_to_medium(descriptor: int) -> None:
        nonlocal medium, hole
        now = log.read_bytes()
        if failing:
            hole = range(len(medium), len(now))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)
        if len(now) >= hole.stop:
            medium = now[: hole.start] + bytes(len(hole)) + now[hole.stop :]
        else:  # another log, so all of it was written since
            medium, hole = now, range(0)

    monkeypatch.setattr(os, "fdatasync", sync_to_medium)
    for failing, numbers in ((False, range(20)), (True, range(20, 21)), (False, range(21, 22))):
        for number in numbers:
            with pytest.raises(UnsyncedError) if failing else nullcontext():
                spool.accept(offered(f"1.{number}"))
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / DATABASE).write_bytes((folder / DATABASE).read_bytes())
    (tmp_path / "cut" / LOG).write_bytes(medium)
    after = Store(tmp_path / "cut")
    assert after.value("SELECT count(*) FROM image") == 22
    after.close()


def test_those_that_wait_for_the_disk_share_a_sync(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, slow, syncs = os.fdatasync, threading.Event(), []

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        assert slow.wait(60)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    count = "SELECT count(*) FROM image"
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(spool.accept, offered(f"1.{number}")) for number in range(5)]
        wait_for(lambda: spool.store.value(count) == 5, "all rows, while the first is synced")
        assert not any(future.done() for future in futures)
        slow.set()
        assert [future.result().verdict for future in futures] == [NEW] * 5
    assert 1 <= len(syncs) <= 2


def test_an_answer_that_the_database_does_not_take_is_made_again(spool: Spool) -> None:
    spool.accept(offered("1"))
    pages = spool.store.value("PRAGMA page_count")
    spool.store.rows(f"PRAGMA max_page_count = {pages}")
    large = REPORT._replace(content=bytes(1 << 20))
    image = taken(spool)
    with pytest.raises(SpoolFullError):
        spool.answer(image, "{}", (large,))
    spool.store.rows("PRAGMA max_page_count = 100000")
    spool.give_back(image)
    spool.answer(taken(spool), "{}", (large,))
    assert [each.content for each in Deliveries(spool.store).due("archive")] == [large.content]


# Taking and answering


def test_images_are_taken_in_order_the_urgent_one_first(spool: Spool) -> None:
    numbers = [spool.accept(offered(f"1.{i}")).id for i in range(4)]
    assert spool.hasten(numbers[2])
    assert spool.hasten(numbers[3])
    assert [taken(spool).id for _ in range(4)] == [numbers[i] for i in (3, 2, 0, 1)]


def test_one_that_was_put_off_is_due_now_where_somebody_wants_it_next(spool: Spool) -> None:
    """Also one that others went before; and its next pause holds until somebody does so again."""
    number = spool.accept(offered("1.1")).id
    spool.postpone(taken(spool))
    assert spool.put_off(taken(spool))
    assert spool.take() is None
    for _ in range(2):
        assert spool.hasten(number)
        assert taken(spool).id == number
        assert spool.put_off(Image(number, "node", "1.1", Path(), "", 0, False))
        assert spool.take() is None


def test_an_unreadable_one_is_taken_anew_when_it_comes_again_after_a_start(store: Store) -> None:
    """As its answer may say: by other settings it is read."""
    first = Spool(store)
    for identity, answer in (("1.1", '{"error": {"kind": "image"}}'), ("1.2", "{}")):
        first.accept(offered(identity))
        first.answer(taken(first), answer)
        assert first.accept(offered(identity)).verdict == KNOWN
    second = Spool(store)
    assert second.accept(offered("1.2")).verdict == KNOWN
    again = second.accept(offered("1.1"))
    assert again.verdict == NEW
    second.answer(taken(second), '{"error": {"kind": "image"}}')
    assert second.accept(offered("1.1")) == (again.id, KNOWN)


def test_one_whose_results_a_new_receiver_lacks_is_taken_anew_when_it_comes_again(
    store: Store,
) -> None:
    first, deliveries = Spool(store), Deliveries(store)
    picture = offered(hashlib.sha256(b"pixels").hexdigest(), entrance="page")
    for each in (offered("1.1"), picture):
        first.accept(each)
        first.answer(taken(first), "{}")
    first.receivers = {"node": ("archive",)}
    assert first.accept(offered("1.1")).verdict == KNOWN, "receivers are those of the start"
    second = Spool(store)
    second.receivers = {"node": ("archive",), "page": ("archive",)}
    assert second.accept(offered("1.1")).verdict == NEW
    assert second.accept(picture).verdict == KNOWN, "nothing is sent of it"
    second.answer(taken(second), "{}", [REPORT])
    (delivery,) = deliveries.due("archive")
    deliveries.delivered(delivery)
    third = Spool(store)
    third.receivers = second.receivers
    assert third.accept(offered("1.1")).verdict == KNOWN
    third.receivers = {"node": ("archive", "another")}
    assert third.accept(offered("1.1")).verdict == NEW


def test_who_waits_gets_one_that_was_put_off_as_soon_as_somebody_wants_it(spool: Spool) -> None:
    number = spool.accept(offered("1.1")).id
    for _ in range(9):  # until its pause is longer than this test waits
        image = taken(spool)
        spool.put_off(image)
        spool.hasten(number)
    spool.put_off(taken(spool))
    got: list[Image | None] = []
    waiting = threading.Thread(target=lambda: got.append(spool.take(wait=60, again=False)))
    waiting.start()
    spool.hasten(number)
    waiting.join(30)
    assert [image and image.id for image in got] == [number]


def test_who_waits_for_an_image_gets_it_when_it_comes(spool: Spool) -> None:
    got: list[Image | None] = []
    waiting = threading.Thread(target=lambda: got.append(spool.take(wait=60)))
    waiting.start()
    spool.accept(offered("1.2.3"))
    waiting.join()
    assert got[0] is not None
    assert got[0].identity == "1.2.3"


def test_an_image_in_hand_when_the_process_ended_says_so(folder: Path) -> None:
    first = Store(folder)
    Spool(first).accept(offered("1"))
    taken(Spool(first))
    first.close()
    second = Store(folder)
    spool = Spool(second)
    image = taken(spool)
    assert image.begun == 1
    spool.give_back(image)
    assert taken(spool).begun == 0
    second.close()


def test_a_second_answer_to_one_image_is_not_kept(spool: Spool, store: Store) -> None:
    spool.accept(offered("1"))
    image = taken(spool)
    spool.answer(image, '"first"', (REPORT,))
    spool.answer(image, '"second"', (REPORT,))
    assert store.value("SELECT answer FROM image") == '"first"'
    assert store.value("SELECT count(*) FROM delivery") == 1


# Delivering


def test_an_image_is_finished_when_the_last_receiver_has_its_answer(
    spool: Spool, store: Store
) -> None:
    deliveries = Deliveries(store)
    spool.accept(offered("1"))
    spool.answer(taken(spool), "{}", (REPORT._replace(receivers=("archive", "viewer")),))
    assert deliveries.receivers() == {"archive", "viewer"}
    for receiver, left in (("archive", 0), ("viewer", 1)):
        (delivery,) = deliveries.due(receiver)
        assert delivery.content == b"report"
        deliveries.failed(delivery, "is down")
        assert deliveries.standing(receiver)[::2] == (1, "is down")
        assert remove_finished(store, time.time() + 1) == 0
        assert spool.counts()["finished"] == 0
        deliveries.delivered(delivery)
        assert deliveries.due(receiver) == []
        assert spool.counts()["finished"] == left
    assert remove_finished(store, time.time() + 1) == 1
    assert files(store.images) == []
    assert store.value("SELECT count(*) FROM document") == 0


def test_a_delivery_that_rests_does_not_hold_up_the_next(spool: Spool, store: Store) -> None:
    deliveries = Deliveries(store)
    for i in range(2):
        spool.accept(offered(f"1.{i}"))
        spool.answer(taken(spool), "{}", (REPORT._replace(name=f"{i}.dcm"),))
    first, second = deliveries.due("archive")
    assert [each.image for each in (first, second)] == [1, 2]
    assert deliveries.due("archive", without={first.id}) == [second]
    assert deliveries.due("archive", without={first.id, second.id}) == []


def test_no_more_documents_are_read_at_once_than_fit_into_memory(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_app.clinic.deliveries.BYTES_AT_ONCE", 1000)
    deliveries = Deliveries(store)
    for number, size in enumerate((5000, 400, 600, 1, 1)):
        spool.accept(offered(f"1.{number}"))
        spool.answer(taken(spool), "{}", (REPORT._replace(content=bytes(size)),))
    batches = []
    while due := deliveries.due("archive"):
        batches.append([len(each.content) for each in due])
        for each in due:
            deliveries.delivered(each)
    assert batches == [[5000], [400, 600], [1, 1]]


# What goes away


def finished(spool: Spool, count: int, size: int) -> None:
    """Images that may go, each with a document of so many bytes."""
    deliveries = Deliveries(spool.store)
    for number in range(count):
        spool.accept(offered(f"1.{number}"))
        spool.answer(taken(spool), "{}", (REPORT._replace(content=os.urandom(size)),))
        (delivery,) = deliveries.due("archive")
        deliveries.delivered(delivery)


def test_what_is_removed_needs_little_room_in_the_log(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SPARE", 0)
    finished(spool, 16, 1 << 20)
    spool.accept(offered("2"))
    spool.answer(taken(spool), "{}", (REPORT._replace(content=os.urandom(8 << 20)),))
    sync, sizes = store.sync, []

    def measured() -> None:
        sizes.append((store.folder / LOG).stat().st_size)
        sync()

    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    monkeypatch.setattr(store, "sync", measured)
    assert remove_finished(store, time.time() + 1) == 16
    give_back(store)
    assert len(files(store.images)) == 1
    assert 0 < max(sizes) < 10 << 20


def test_what_is_removed_is_room_for_others_on_the_disk(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SPARE", 1 << 20)
    finished(spool, 8, 2 << 20)
    last = REPORT._replace(content=os.urandom(12 << 20))
    spool.accept(offered("2"))
    spool.answer(taken(spool), "{}", (last,))
    assert remove_finished(store, time.time() + 1) == 8
    give_back(store)
    assert (store.folder / DATABASE).stat().st_size < 14 << 20
    assert (store.folder / LOG).stat().st_size <= LOG_BYTES
    assert [each.content for each in Deliveries(store).due("archive")] == [last.content]
    assert store.value("PRAGMA integrity_check") == "ok"
    assert 0 < store.value("PRAGMA freelist_count") <= (1 << 20) // 4096


def test_an_image_whose_documents_are_large_is_removed_too(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BYTES_AT_ONCE", 100)
    finished(spool, 3, 200)
    assert remove_finished(store, time.time() + 1) == 3
    assert store.value("SELECT count(*) FROM document") == 0


def test_purge_leaves_what_is_unfinished_unless_told(spool: Spool, store: Store) -> None:
    for i in range(3):
        spool.accept(offered(f"1.99.{i}", b"SECRET%d" % i))
    spool.answer(taken(spool), "{}")
    spool.answer(taken(spool), "{}", (REPORT,))
    assert purge(store) == 1
    assert spool.counts() == {"waiting": 1, "answered": 1, "finished": 0}
    assert purge(store, unfinished=True) == 2
    assert spool.counts()["answered"] == 0
    everything = b"".join(p.read_bytes() for p in store.folder.rglob("*") if p.is_file())
    assert b"1.99." not in everything
    assert b"SECRET" not in everything


# Opening


def test_a_spool_is_one_process_s(store: Store, folder: Path) -> None:
    with pytest.raises(SpoolError, match="in use by another"):
        Store(folder)


def test_one_that_could_not_be_opened_can_be_opened_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Store) -> bytes:
        raise SpoolFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_kept_salt", fail)
        with pytest.raises(SpoolFullError):
            Store(folder)
    Store(folder).close()


def test_a_newer_version_is_refused_and_not_touched(folder: Path) -> None:
    Store(folder).close()
    path = folder / DATABASE
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="of version 99, made by a newer edge-cxr"):
        Store(folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["garbage", "half", "middle"])
def test_a_damaged_database_is_refused_in_one_line(folder: Path, damage: str) -> None:
    store = Store(folder)
    spool = Spool(store)
    for i in range(50):
        spool.accept(offered(f"1.{i}"))
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    path = folder / DATABASE
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data[:] = b"no database at all " * 100
    elif damage == "half":
        del data[len(data) // 2 :]
    else:
        data[2 * 4096 : -4096] = b"\xa5" * (len(data) - 3 * 4096)
    path.write_bytes(data)
    with pytest.raises(SpoolError, match="damaged") as refused:
        Store(folder)
    assert "\n" not in str(refused.value)
    # A log of another state of the database would be copied into it.
    assert "put back a copy of it, without the -wal and -shm beside it" in str(refused.value)


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot hold the spool"):
        Store(tmp_path / "file" / "spool")


# Beside a box that runs


def test_status_and_urgency_need_no_pause_of_the_box(
    run: Run, store: Store, spool: Spool, tmp_path: Path
) -> None:
    settings = tmp_path / "box.toml"
    settings.write_text(
        'spool = "spool"\nleast_free_mb = 1\n[node]\n[[receiver]]\nname = "archive"\n'
        'ae_title = "A"\nhost = "localhost"\nport = 1\n'
    )
    for number in range(3):
        spool.accept(offered(f"1.{number}"))
    spool.answer(taken(spool), "{}", (REPORT._replace(receivers=("archive", "former")),))
    (delivery,) = Deliveries(store).due("archive")
    Deliveries(store).failed(delivery, "cannot be reached")
    status = run("serve --status", settings).stdout
    assert "2 wait to be answered, 1 answered ones to be delivered, 0 are finished" in status
    assert "receiver archive: 1 wait since" in status
    assert "cannot be reached" in status
    assert "former (no longer in the settings): 1 wait" in status
    assert run("serve --urgent 3", settings).stdout == "image 3 is next\n"
    assert taken(spool).id == 3
    assert run("serve --urgent 1", settings).returncode == 2
    assert run("serve --status --purge", settings).returncode == 2


VERSION_1 = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL);

CREATE TABLE image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entrance TEXT NOT NULL,             -- which way it came
    identity TEXT NOT NULL,             -- its SOP Instance UID, or its file's name
    sha256 TEXT NOT NULL,               -- of what was sent
    file TEXT NOT NULL,                 -- in the folder of images
    bytes INTEGER NOT NULL,
    sender TEXT NOT NULL,
    differs INTEGER NOT NULL,           -- another image of this identity has other bytes
    received REAL NOT NULL,             -- seconds since 1970, as all times here
    urgent INTEGER NOT NULL DEFAULT 0,  -- larger ones go first
    begun INTEGER NOT NULL DEFAULT 0,   -- how often somebody began to answer it
    answered REAL,
    answer TEXT,                        -- the JSON object that `classify --json` prints
    finished REAL,                      -- when all receivers had the answer
    UNIQUE (entrance, identity, sha256)
);
CREATE INDEX image_waiting ON image (urgent DESC, id) WHERE answered IS NULL;
CREATE INDEX image_finished ON image (finished) WHERE finished IS NOT NULL;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    image INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    receiver TEXT NOT NULL,
    document TEXT NOT NULL,             -- in the folder of results
    tries INTEGER NOT NULL DEFAULT 0,
    trouble TEXT,                       -- why the last try failed
    delivered REAL,
    UNIQUE (image, receiver, document)
);
CREATE INDEX delivery_waiting ON delivery (receiver, id) WHERE delivered IS NULL;
PRAGMA user_version = 1;
"""


def test_a_spool_of_version_1_is_brought_up_to_date_with_all_that_is_in_it(folder: Path) -> None:
    folder.mkdir()
    answers = {
        "flagged": {
            "blank": False,
            "findings": [1],
            "overall": {"flagged": True, "probability": 0.7},
        },
        "clear": {
            "blank": False,
            "findings": [1],
            "overall": {"flagged": False, "probability": 0.2},
        },
        "scored": {"blank": False, "findings": [1], "overall": None},
        "withheld": {"blank": False, "findings": []},
        "blank": {"blank": True, "findings": []},
        "unreadable": {"error": {"message": "is damaged"}},
    }
    with closing(sqlite3.connect(folder / "spool.sqlite")) as database:
        database.executescript(VERSION_1)
        columns = "entrance, identity, sha256, file, bytes, sender, differs, received"
        for number, (state, answer) in enumerate([("waiting", None), *answers.items()]):
            database.execute(
                f"INSERT INTO image ({columns}, answered, answer) VALUES ('node', ?, ?, 'f', 1, "
                "'s', 0, 1.0, ?, ?)",
                (state, str(number), *((2.0, json.dumps(answer)) if answer else (None, None))),
            )
        database.execute("INSERT INTO delivery (image, receiver, document) VALUES (2, 'a', 'd')")
        database.execute("INSERT INTO delivery (image, receiver, document) VALUES (7, 'a', 'gone')")
        database.commit()
    (folder / "results").mkdir()
    (folder / "results" / "d").write_bytes(b"report")
    store = Store(folder)
    try:
        rows = store.rows("SELECT identity, state, score FROM image ORDER BY id")
        *kept, lost = rows
        assert [row["state"] for row in kept] == [row["identity"] for row in kept]
        assert [row["score"] for row in rows] == [None, 0.7, 0.2, None, None, None, None]
        assert lost["state"] == "waiting", "its report is gone, so it is answered again"
        assert [each.content for each in Deliveries(store).due("a")] == [b"report"]
        assert not (folder / "results").exists()
        assert store.value("PRAGMA user_version") == VERSION
        assert store.value("PRAGMA auto_vacuum") == retention.INCREMENTAL
        spool = Spool(store)
        assert spool.accept(offered("new")).verdict == "new"
        assert spool.accept(offered("clear", b"other")).verdict == DIFFERS
        made = {row["sql"] for row in store.rows("SELECT sql FROM sqlite_master WHERE sql <> ''")}
    finally:
        store.close()
    fresh = Store(folder.with_name("fresh"))
    names = {row["name"] for row in fresh.rows("SELECT name FROM sqlite_master")}
    fresh.close()
    assert {re.split(r"[ (]+", each)[2] for each in made} <= names


def older_spool(folder: Path, *images: dict[str, bytes | None], finished: bool = False) -> None:
    """A spool of version 1 with answered images: what their documents hold, None if it is lost."""
    (folder / "results").mkdir(parents=True)
    with closing(sqlite3.connect(folder / DATABASE)) as database, database:
        database.executescript(VERSION_1)
        at = 3.0 if finished else None
        for number, documents in enumerate(images, 1):
            database.execute(
                "INSERT INTO image (entrance, identity, sha256, file, bytes, sender, differs, "
                "received, answered, answer, finished) "
                "VALUES ('node', ?, 's', 'f', 1, 's', 0, 1.0, 2.0, ?, ?)",
                (str(number), json.dumps({"blank": False, "findings": []}), at),
            )
            for name, content in documents.items():
                database.execute(
                    "INSERT INTO delivery (image, receiver, document, delivered) "
                    "VALUES (?, 'archive', ?, ?)",
                    (number, name, at),
                )
                if content is not None:
                    (folder / "results" / name).write_bytes(content)


def test_who_looks_beside_a_box_of_an_older_version_does_not_change_its_spool(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    older_spool(folder, {"1-sr.dcm": b"report"})
    settings = tmp_path / "box.toml"
    settings.write_text('spool = "spool"\n[node]\n')
    for options in ("--status", "--urgent 1"):
        done = run(f"serve {options}", settings)
        assert done.returncode
        assert "of version 1, made by an older edge-cxr: stop its box" in done.stderr
        assert (folder / "results" / "1-sr.dcm").read_bytes() == b"report"
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == 1


def test_an_image_that_lost_one_of_its_documents_is_answered_again_with_all(folder: Path) -> None:
    older_spool(folder, {"1-sr.dcm": b"report", "1-heatmap.dcm": None})
    store = Store(folder)
    spool = Spool(store)
    heatmap = REPORT._replace(name="1-heatmap.dcm", content=b"heatmap")
    spool.answer(taken(spool), "{}", (REPORT._replace(content=b"anew"), heatmap))
    contents = [each.content for each in Deliveries(store).due("archive")]
    store.close()
    assert contents == [b"anew", b"heatmap"]


def test_finished_images_that_lost_their_documents_keep_no_delivery_back(folder: Path) -> None:
    older_spool(folder, *({f"{number}-sr.dcm": None} for number in range(9)), finished=True)
    store = Store(folder)
    spool, deliveries = Spool(store), Deliveries(store)
    assert not any(deliveries.again(number, "archive") for number in range(1, 10))
    assert spool.accept(offered("1")).verdict == NEW, "so it is answered anew"
    spool.answer(taken(spool), "{}", (REPORT,))
    assert [each.content for each in deliveries.due("archive")] == [b"report"]
    assert deliveries.standing("archive").waiting == 1
    store.close()


def test_deliveries_without_a_document_keep_no_other_back(spool: Spool, store: Store) -> None:
    for number in range(9):
        spool.accept(offered(f"1.{number}"))
        spool.answer(taken(spool), "{}", (REPORT,))
    with store.transaction() as database:
        database.execute("DELETE FROM document WHERE image < 9")
    assert [each.image for each in Deliveries(store).due("archive")] == [9]


def test_a_document_that_cannot_be_read_is_not_taken_for_a_lost_one(folder: Path) -> None:
    older_spool(folder, {"1-sr.dcm": b"report", "1-heatmap.dcm": None})
    (folder / "results" / "1-heatmap.dcm").mkdir()
    with pytest.raises(SpoolError, match=r"1-heatmap\.dcm: cannot be read: Is a directory"):
        Store(folder)
    assert (folder / "results" / "1-sr.dcm").read_bytes() == b"report"
    (folder / "results" / "1-heatmap.dcm").rmdir()
    (folder / "results" / "1-heatmap.dcm").write_bytes(b"heatmap")
    store = Store(folder)
    assert [each.content for each in Deliveries(store).due("archive")] == [b"report", b"heatmap"]
    store.close()


def test_documents_of_an_older_spool_are_each_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older_spool(folder, {"1-sr.dcm": b"report"})
    with closing(sqlite3.connect(folder / DATABASE)) as database, database:
        database.execute(
            "INSERT INTO delivery VALUES (NULL, 1, 'viewer', '1-sr.dcm', 0, NULL, NULL)"
        )
    right, read = Path.read_bytes, []

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return right(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    store = Store(folder)
    assert Deliveries(store).receivers() == {"archive", "viewer"}
    store.close()
    assert read == ["1-sr.dcm"]


def test_a_kill_leaves_neither_the_documents_of_an_older_spool_twice_nor_not_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older_spool(folder, {"1-sr.dcm": b"report"})

    def kill(path: Path, **_: object) -> None:
        assert path == folder / "results"
        assert not (folder / LOG).stat().st_size, "what replaces it is on the medium"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            Store(folder)
    assert (folder / "results" / "1-sr.dcm").exists()
    store = Store(folder)
    assert not (folder / "results").exists()
    assert [each.content for each in Deliveries(store).due("archive")] == [b"report"]
    store.close()


# When the clock is set


class Clocks:
    """Of the system, and one that nobody sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: float) -> None:
        self.now, self.since = now, 0.0
        monkeypatch.setattr("time.time", lambda: self.now)
        monkeypatch.setattr("time.monotonic", lambda: self.since)

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        self.since += seconds


HOUR, YEAR = 3600.0, 365 * 86400.0


@pytest.mark.parametrize("by", [20 * YEAR, -20 * YEAR, 2 * HOUR, -2 * HOUR, 5.0])
def test_what_is_finished_is_kept_as_long_as_it_should_be_where_the_clock_is_set(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    clocks = Clocks(monkeypatch, 30 * YEAR)
    clock = retention.Clock(store)

    def tidied() -> int:
        clock.follow()
        return remove_finished(store, clocks.now - HOUR)

    clocks.go_on(60)
    spool.accept(offered("1"))
    spool.answer(taken(spool), "{}")
    clocks.go_on(60)
    clocks.now += by
    spool.accept(offered("2"))
    spool.answer(taken(spool), "{}")
    clocks.go_on(0.9 * HOUR)
    assert tidied() == 0
    clocks.go_on(0.2 * HOUR)
    removed = tidied()
    clocks.go_on(HOUR)
    assert removed + tidied() == 2


def test_what_is_finished_right_after_the_clock_was_set_back_is_kept(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By less than the box has run: its time is one that the box has seen before."""
    clocks = Clocks(monkeypatch, 30 * YEAR)
    clock = retention.Clock(store)
    clocks.go_on(3 * HOUR)
    clock.follow()
    clocks.now -= 2 * HOUR
    clocks.go_on(10)
    spool.accept(offered("1"))
    spool.answer(taken(spool), "{}")
    clocks.go_on(10)
    clock.follow()
    assert remove_finished(store, clocks.now - HOUR) == 0
    clocks.go_on(1.1 * HOUR)
    clock.follow()
    assert remove_finished(store, clocks.now - HOUR) == 1


def test_what_a_clock_that_was_ahead_called_finished_goes_all_the_same(
    spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the box was started again meanwhile."""
    clocks = Clocks(monkeypatch, 60 * YEAR)
    spool.accept(offered("1"))
    spool.answer(taken(spool), "{}")
    clocks.now = 56 * YEAR
    clock = retention.Clock(store)
    clock.follow()
    clocks.go_on(1.1 * HOUR)
    assert remove_finished(store, clocks.now - HOUR) == 1
