"""A watched folder: complete files are answered, bad ones moved aside, none is ever lost."""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge_app.clinic import check
from edge_app.clinic import watch as watches
from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.delivering import Courier, UndeliveredError
from edge_app.clinic.events import Events
from edge_app.clinic.retention import remove_finished
from edge_app.clinic.settings import WATCH, Watch
from edge_app.clinic.spool import Document, Offered, Receipt, Spool
from edge_app.clinic.watch import Outbox, WatchFolder
from edge_app.core import files

from .peers import wait_for


class Watched:
    """A folder, what takes from it and what answers into it."""

    def __init__(self, folder: Path, spool: Spool, settle: float = 0.0) -> None:
        self.folder, self.spool, self.log = folder, spool, io.StringIO()
        folder.mkdir(exist_ok=True)
        watch = Watch(folder, None, settle)
        events = Events(b"salt", None, self.log)
        self.watcher = WatchFolder(watch, 1 << 20, spool, events)
        self.outbox = Outbox(watch, 1 << 20)
        self.deliveries = Deliveries(spool.store)

    def answer(self, **content: Any) -> None:
        """As the workers and the courier do, for all that waits."""
        while image := self.spool.take():
            text = json.dumps({"file": image.identity, **content}).encode()
            self.spool.answer(image, "{}", [Document(f"{image.id}.json", text, (WATCH,))])
        for delivery in self.deliveries.due(WATCH):
            self.outbox.deliver(delivery)
            self.deliveries.delivered(delivery)

    def tree(self) -> list[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in files)


@pytest.fixture
def watched(tmp_path: Path, spool: Spool) -> Watched:
    return Watched(tmp_path / "in", spool)


def test_an_image_is_answered_and_lies_beside_its_answer(watched: Watched) -> None:
    (watched.folder / "a.png").write_bytes(b"picture")
    watched.watcher.look()
    assert watched.tree() == ["a.png"]
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]
    assert (watched.folder / "answered/a.png").read_bytes() == b"picture"
    watched.watcher.look()
    assert watched.spool.take() is None


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path, spool: Spool) -> None:
    watched = Watched(tmp_path / "in", spool, settle=0.3)
    path = watched.folder / "a.png"
    for i in range(5):
        with path.open("ab") as file:
            file.write(b"%d" % i)
        watched.watcher.look()
        time.sleep(0.1)
    assert spool.take() is None
    time.sleep(0.4)
    watched.watcher.look()
    image = spool.take()
    assert image is not None
    assert image.path.read_bytes() == b"01234"


@pytest.mark.parametrize("name", [".hidden", "a.png.part", "a.tmp", "a.json", "a.reason.txt"])
def test_what_is_no_image_yet_or_no_image_at_all_stays(watched: Watched, name: str) -> None:
    (watched.folder / name).write_bytes(b"x")
    watched.watcher.look()
    assert watched.tree() == [name]
    assert watched.spool.take() is None


def test_what_cannot_be_read_goes_aside_with_the_reason(watched: Watched) -> None:
    (watched.folder / "bad.png").write_bytes(b"junk")
    watched.watcher.look()
    watched.answer(error={"kind": "image", "message": "is no image"})
    assert watched.tree() == [
        *("refused/bad.png", "refused/bad.png.json", "refused/bad.png.reason.txt"),
    ]
    assert (watched.folder / "refused/bad.png.reason.txt").read_text() == "is no image\n"


def test_empty_large_and_strange_files_go_aside_at_once(watched: Watched, tmp_path: Path) -> None:
    (watched.folder / "empty.png").touch()
    (watched.folder / "large.png").write_bytes(bytes(2 << 20))
    secret = tmp_path / "secret"
    secret.write_text("x")
    (watched.folder / "link.png").symlink_to(secret)
    os.mkfifo(watched.folder / "pipe.png")
    (watched.folder / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    watched.watcher.look()
    assert watched.spool.take() is None
    assert secret.read_text() == "x"
    aside = {path.name for path in (watched.folder / "refused").iterdir()}
    for name in ("empty.png", "large.png", "link.png", "pipe.png", os.fsdecode(b"\xff.png")):
        assert {name, f"{name}.reason.txt"} <= aside


def test_the_same_name_with_other_bytes_overwrites_nothing(watched: Watched) -> None:
    for content in (b"one", b"two"):
        (watched.folder / "a.png").write_bytes(content)
        watched.watcher.look()
        watched.answer()
    answered = watched.folder / "answered"
    kept = {path.read_bytes() for path in answered.glob("*.png")}
    assert kept == {b"one", b"two"}
    assert len(list(answered.glob("*.json"))) == 2


def test_an_answer_whose_image_was_taken_away_is_not_overwritten_by_the_next_one(
    watched: Watched,
) -> None:
    """Scanners call each picture the same; who takes the image first would take another's answer
    for it."""
    answered = watched.folder / "answered"
    for content in (b"one", b"two", b"three"):
        (watched.folder / "scan.png").write_bytes(content)
        watched.watcher.look()
        watched.answer(of=content.decode())
        for image in answered.glob("*.png"):
            image.unlink()
    contents = {json.loads(path.read_text())["of"] for path in answered.glob("*.json")}
    assert contents == {"one", "two", "three"}
    assert (answered / "scan.png.json").exists()
    assert json.loads((answered / "scan.png.json").read_text())["of"] == "one"


def test_the_same_file_again_is_answered_again_and_scored_once(watched: Watched) -> None:
    for _ in range(2):
        (watched.folder / "a.png").write_bytes(b"one")
        watched.watcher.look()
        watched.answer()
        (watched.folder / "answered/a.png.json").unlink()
    assert watched.spool.counts()["answered"] == 1
    assert watched.tree() == ["answered/a.png"]


def test_a_file_that_comes_again_while_its_image_is_removed_is_answered(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = watched.folder / "a.png"
    path.write_bytes(b"one")
    watched.watcher.look()
    watched.answer()
    path.write_bytes(b"one")
    accept = watched.spool.accept

    def accept_and_lose(offered: Offered) -> Receipt:
        receipt = accept(offered)
        remove_finished(watched.spool.store, time.time() + 1)
        return receipt

    monkeypatch.setattr(watched.spool, "accept", accept_and_lose)
    watched.watcher.look()
    monkeypatch.undo()
    watched.watcher.look()
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_what_comes_again_while_the_old_is_looked_for_is_not_removed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, store = watched.folder / "a.png", watched.spool.store
    path.write_bytes(b"one")
    watched.watcher.look()
    watched.answer()
    path.write_bytes(b"one")
    transaction = store.transaction

    def comes_again(**options: bool) -> AbstractContextManager[sqlite3.Connection]:
        monkeypatch.undo()
        watched.watcher.look()
        return transaction(**options)

    monkeypatch.setattr(store, "transaction", comes_again)
    remove_finished(store, time.time() + 1)
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_a_file_that_another_took_the_place_of_is_not_moved(watched: Watched) -> None:
    path = watched.folder / "a.png"
    path.write_bytes(b"one")
    watched.watcher.look()
    path.write_bytes(b"another")
    watched.answer()
    assert path.read_bytes() == b"another"
    watched.watcher.look()
    watched.answer()
    assert (watched.folder / "answered/a.png").read_bytes() == b"another"


@pytest.mark.parametrize("comes", ["before", "while it is written", "after a try to move it"])
def test_the_answer_of_an_image_that_another_took_the_place_of_is_not_called_that_one_s(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    """Scanners call each picture the same: who reads `scan.png.json` takes it for the last one."""
    path, answered = watched.folder / "scan.png", watched.folder / "answered"
    path.write_bytes(b"first patient")
    watched.watcher.look()
    right = watches.durable.replace

    def written(*args: Any) -> None:
        path.write_bytes(b"second patient")
        right(*args)

    with monkeypatch.context() as patch:
        if comes == "after a try to move it":
            patch.setattr(watches.os, "replace", refusing(path, errno.EBUSY))
        elif comes == "while it is written":
            patch.setattr(watches.durable, "replace", written)
        if comes != "before":
            with pytest.raises(UndeliveredError) as refusal:
                watched.answer(of="first patient")
            assert refusal.value.refused
    assert not (answered / "scan.png").exists()
    path.write_bytes(b"second patient")
    watched.answer(of="first patient")
    watched.watcher.look()
    watched.answer(of="second patient")
    assert (answered / "scan.png").read_bytes() == b"second patient"
    assert json.loads((answered / "scan.png.json").read_text())["of"] == "second patient"
    (other,) = (each for each in answered.glob("*.json") if each.name != "scan.png.json")
    assert json.loads(other.read_text())["of"] == "first patient"


@pytest.mark.parametrize("comes", ["before it is moved", "while it is moved"])
def test_an_image_that_lies_beside_its_answer_stays_where_another_takes_its_place_as_it_comes_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    path, answered = watched.folder / "scan.png", watched.folder / "answered"
    for number in range(2):
        path.write_bytes(b"first patient")
        watched.watcher.look()
        if not number:
            watched.answer()
    replace, look = os.replace, watches.look_at

    def moved(source: Path, target: Path) -> None:
        if source == path:
            path.write_bytes(b"second patient")
        replace(source, target)

    def looked(place: Path) -> Any:
        if place == path:
            path.write_bytes(b"second patient")
        return look(place)

    found = watches.found_at(path, 1 << 20)
    with monkeypatch.context() as patch:
        if comes == "while it is moved":
            patch.setattr(watches.os, "replace", moved)
        else:
            patch.setattr(watches, "look_at", looked)
            patch.setattr(watches, "found_at", lambda *args: found)
        with suppress(UndeliveredError):
            watched.answer()
    assert (answered / "scan.png").read_bytes() == b"first patient"
    assert path.read_bytes() == b"second patient"


def test_a_refused_image_keeps_its_reason_where_the_next_one_of_its_name_is_replaced(
    watched: Watched,
) -> None:
    """The reason of that one, of the same words, is its own."""
    path, aside = watched.folder / "a.png", watched.folder / "refused"
    error = {"kind": "image", "message": "is no image"}
    path.write_bytes(b"junk")
    watched.watcher.look()
    watched.answer(error=error)
    before = {each.name for each in aside.iterdir()}
    path.write_bytes(b"other junk")
    watched.watcher.look()
    path.write_bytes(b"another")
    watched.answer(error=error)
    after = {each.name for each in aside.iterdir()}
    assert before < after
    assert len(after) == len(before) + 2


def refusing(path: Path, number: int) -> Any:
    """`os.replace` where a share refuses to move this file."""
    right = os.replace

    def replaced(source: Path, target: Path) -> None:
        if Path(source) == path:
            raise OSError(number, os.strerror(number))
        right(source, target)

    return replaced


@pytest.mark.parametrize("fault", ["locked", "unreadable"])
def test_the_answer_of_an_image_that_cannot_be_moved_is_written_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """However often that is tried: a share sends each of them to all who look at its folder."""
    path = watched.folder / "a.png"
    error = {"kind": "image", "message": "is no image"}
    path.write_bytes(b"junk")
    watched.watcher.look()
    right = os.open

    def opened(place: Any, *args: Any, **named: Any) -> int:
        if place == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return right(place, *args, **named)

    def looks() -> dict[str, tuple[int, int]]:
        files = (each for each in (watched.folder / "refused").iterdir())
        return {each.name: (each.stat().st_ino, each.stat().st_mtime_ns) for each in files}

    with monkeypatch.context() as patch:
        if fault == "locked":
            patch.setattr(watches.os, "replace", refusing(path, errno.EBUSY))
        else:
            patch.setattr(files.os, "open", opened)
        with pytest.raises(UndeliveredError):
            watched.answer(error=error)
        before = looks()
        assert before.keys() == {"a.png.json", "a.png.reason.txt"}
        with pytest.raises(UndeliveredError):
            watched.answer(error=error)
        assert looks() == before
    watched.answer(error=error)
    assert {**looks(), **before} == looks()
    assert (watched.folder / "refused/a.png").read_bytes() == b"junk"


def test_answers_wait_for_the_share_that_their_images_lie_on(
    watched: Watched, tmp_path: Path
) -> None:
    """Its mount point is there without it: below it nobody would ever see them."""
    (watched.folder / "a.png").write_bytes(b"one")
    watched.watcher.look()
    away = watched.folder.rename(tmp_path / "away")
    watched.folder.mkdir()
    with pytest.raises(UndeliveredError, match="mount their disk") as refusal:
        watched.answer()
    assert refusal.value.refused  # others may lie elsewhere
    assert watched.tree() == []
    watched.folder.rmdir()
    away.rename(watched.folder)
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


@pytest.mark.parametrize("taken", [False, True], ids=["", "whose first one was taken away"])
@pytest.mark.parametrize("name", ["a.png", "b" * 240 + ".png", "c" * 247 + ".png"], ids=len)
@pytest.mark.parametrize("first", ["by the watcher", "by an answer"])
def test_a_second_refused_file_of_a_name_leaves_the_first_one_s_reason(
    watched: Watched, taken: bool, name: str, first: str
) -> None:
    path, aside = watched.folder / name, watched.folder / "refused"
    if first == "by the watcher" or len(name) > watches.LONGEST_NAME:
        path.write_bytes(bytes(2 << 20))
        watched.watcher.look()
    else:
        path.write_bytes(b"junk")
        watched.watcher.look()
        watched.answer(error={"kind": "image", "message": "is no image"})
    before = {each.name: each.read_bytes() for each in aside.iterdir()}
    if taken:
        (image,) = (each for each in aside.iterdir() if each.suffix == ".png")
        image.unlink()
        del before[image.name]
    path.touch()
    watched.watcher.look()
    path.write_bytes(b"other junk")
    watched.watcher.look()
    watched.answer(error={"kind": "image", "message": "is damaged"})
    there = {each.name: each.read_bytes() for each in aside.iterdir()}
    assert {**there, **before} == there
    images = [each for each in there if each.endswith(".png")]
    assert len(images) == 3 - taken
    reasons = {each: there[f"{each}.reason.txt"] for each in images}
    assert len({*reasons.values()}) == len(images) or len(name) > watches.LONGEST_NAME


def test_a_full_spool_leaves_files_where_they_are(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched.folder / "a.png").write_bytes(b"one")
    with monkeypatch.context() as patch:
        for lacking in (1 << 60, 1 << 59):  # how much changes from look to look
            patch.setattr(watched.spool, "min_free", lacking)
            watched.watcher.look()
            watched.watcher.look()
    assert watched.tree() == ["a.png"]
    assert watched.log.getvalue().count("watch-stalled") == 1
    watched.watcher.look()
    assert watched.spool.take() is not None


def test_without_descriptors_files_stay_where_they_are(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (watched.folder / "a.png").write_bytes(b"picture")

    def refuse(*args: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "open", refuse)
        watched.watcher.look()
    assert watched.tree() == ["a.png"]
    assert "watch-stalled" in watched.log.getvalue()
    assert "too many files are open" in watched.log.getvalue()
    watched.watcher.look()
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_an_answer_that_cannot_be_written_is_tried_again(watched: Watched) -> None:
    (watched.folder / "a.png").write_bytes(b"one")
    watched.watcher.look()
    (watched.folder / "answered").write_text("in the way")
    with pytest.raises(UndeliveredError, match="answered"):
        watched.answer()
    (watched.folder / "answered").unlink()
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_a_folder_that_goes_away_is_said_once_and_waited_for(watched: Watched) -> None:
    watched.folder.rmdir()
    for _ in range(3):
        watched.watcher.look()
    watched.folder.mkdir()
    (watched.folder / "a.png").write_bytes(b"one")
    watched.watcher.look()
    assert watched.spool.take() is not None


def test_file_names_are_not_in_the_log(watched: Watched) -> None:
    (watched.folder / "MUELLER.png").write_bytes(b"one")
    (watched.folder / "MEIER.png").touch()
    watched.watcher.look()
    assert "image=" in watched.log.getvalue()
    assert "MUELLER" not in watched.log.getvalue()
    assert "MEIER" not in watched.log.getvalue()


def test_another_file_of_the_same_name_size_and_date_is_taken(watched: Watched) -> None:
    path = watched.folder / "a.png"
    path.write_bytes(b"one")
    date = path.stat().st_mtime_ns
    watched.watcher.look()
    time.sleep(0.05)  # the clock of file systems has steps of some milliseconds
    path.write_bytes(b"two")
    os.utime(path, ns=(date, date))
    watched.watcher.look()
    contents = [image.path.read_bytes() for _ in range(2) if (image := watched.spool.take())]
    assert contents == [b"one", b"two"]


def taken_after(
    read: Callable[..., bytes], watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    """What is taken next time, where nothing is while a file is read like this."""
    with monkeypatch.context() as patch:
        patch.setattr(watches, "read_bounded", read)
        watched.watcher.look()
    assert watched.spool.take() is None
    watched.watcher.look()
    image = watched.spool.take()
    assert image is not None
    return image.path.read_bytes()


def test_what_is_read_of_another_folder_that_was_there_for_a_moment_is_not_taken(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As of a share that is mounted anew meanwhile: before and after, all looks the same."""
    path, other, away = watched.folder / "a.png", tmp_path / "other", tmp_path / "away"
    path.write_bytes(b"this patient's")
    other.mkdir()
    (other / "a.png").write_bytes(b"that patient's")
    right = watches.read_bounded

    def read(*args: Any) -> bytes:
        watched.folder.rename(away)
        other.rename(watched.folder)
        data = right(*args)
        watched.folder.rename(other)
        away.rename(watched.folder)
        return data

    assert taken_after(read, watched, monkeypatch) == b"this patient's"


def test_an_image_in_the_place_of_a_waiting_one_is_answered_where_no_time_tells_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On file systems without a time of the last change of any kind, say."""
    right = watches._Look.of
    monkeypatch.setattr(watches._Look, "of", lambda status: right(status)._replace(changed=0))
    path = watched.folder / "a.png"
    path.write_bytes(b"one")
    date = path.stat().st_mtime_ns
    watched.watcher.look()
    path.write_bytes(b"two")
    os.utime(path, ns=(date, date))
    watched.watcher.look()
    watched.answer()
    watched.watcher.look()
    watched.answer()
    assert (watched.folder / "answered/a.png").read_bytes() == b"two"
    assert [path.name for path in watched.folder.glob("*.png")] == []


def test_an_image_that_comes_again_while_its_answer_is_brought_away_is_moved_too(
    watched: Watched,
) -> None:
    """The watcher asks for its answer again before the courier says that it was delivered."""
    path = watched.folder / "a.png"
    path.write_bytes(b"one")
    watched.watcher.look()
    image = watched.spool.take()
    assert image is not None
    watched.spool.answer(image, "{}", [Document("1.json", b"{}", (WATCH,))])
    (delivery,) = watched.deliveries.due(WATCH)
    watched.outbox.deliver(delivery)
    path.write_bytes(b"one")
    watched.watcher.look()
    watched.deliveries.delivered(delivery)
    watched.watcher.look()
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_an_image_that_is_a_second_name_of_its_answered_one_goes_and_is_answered_once(
    watched: Watched,
) -> None:
    """A move of one name of a file to another one of it takes away neither."""
    path = watched.folder / "a.png"
    path.write_bytes(b"one")
    watched.watcher.look()
    watched.answer()
    os.link(watched.folder / "answered/a.png", path)
    for _ in range(3):
        watched.watcher.look()
        watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]
    assert (watched.folder / "answered/a.png").read_bytes() == b"one"
    assert watched.log.getvalue().count("received") == 2


def test_a_link_to_an_image_that_was_taken_to_its_place_by_hand_does_not_overwrite_it(
    watched: Watched,
) -> None:
    path, target = watched.folder / "a.png", watched.folder / "answered/a.png"
    path.write_bytes(b"one")
    watched.watcher.look()
    target.parent.mkdir()
    path.rename(target)
    path.symlink_to(target)
    watched.answer()
    watched.watcher.look()
    assert not target.is_symlink()
    assert target.read_bytes() == b"one"
    assert (target.parent / "a.png.json").exists()
    assert (watched.folder / "refused/a.png").is_symlink()


def test_a_file_that_changes_while_it_is_read_is_taken_when_it_is_complete(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = watched.folder / "a.png"
    path.write_bytes(b"half of it")
    right = watches.read_bounded

    def read(*args: Any) -> bytes:
        data = right(*args)
        path.write_bytes(b"the whole of it")
        return data

    assert taken_after(read, watched, monkeypatch) == b"the whole of it"


@pytest.mark.parametrize("disk", ["the same disk", "another disk"])
@pytest.mark.parametrize("now", ["another", "another and one more"])
def test_a_file_that_comes_while_the_one_before_is_moved_stays_and_is_answered(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, disk: str, now: str
) -> None:
    path, answered = watched.folder / "a.png", watched.folder / "answered"
    path.write_bytes(b"one")
    watched.watcher.look()
    right = os.replace

    def replaced(source: Path, target: Path) -> None:
        if Path(source) == path:
            if disk == "another disk" and Path(target).parent == answered:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            path.unlink()
            path.write_bytes(b"another")
            right(source, target)
            if now == "another and one more":
                path.write_bytes(b"one more")
            return
        right(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(watches.os, "replace", replaced)
        with suppress(UndeliveredError):  # its answer has another name at the next try
            watched.answer()
    there = {each.read_bytes() for each in watched.folder.glob("*.png")}
    assert there == {b"another"} | ({b"one more"} if now == "another and one more" else set())
    assert b"another" not in {each.read_bytes() for each in answered.glob("*.png")}
    watched.watcher.look()
    watched.answer()
    assert there <= {each.read_bytes() for each in answered.glob("*.png")}
    assert not list(watched.folder.glob("*.png"))


def test_a_name_that_leaves_no_room_for_an_answer_s_goes_aside_and_blocks_nobody(
    watched: Watched,
) -> None:
    longest, longer = "ж" * 113 + ".png", "ж" * 114 + "..png"
    for name in (longer, longest, "a.png"):
        (watched.folder / name).write_bytes(name.encode())
    for _ in range(2):  # the second time there is one of its name aside
        watched.watcher.look()
        (watched.folder / longer).write_bytes(b"again")
    watched.answer()
    done = {path.name for path in (watched.folder / "answered").iterdir()}
    assert done == {"a.png", "a.png.json", longest, f"{longest}.json"}
    aside = list((watched.folder / "refused").iterdir())
    assert len(aside) == 4
    assert any("has more than 230 bytes" in path.read_text() for path in aside)


def test_a_name_that_another_disk_cannot_have_blocks_nobody(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a:b.png", "c.png"):
        (watched.folder / name).write_bytes(name.encode())
    watched.watcher.look()
    right = watches.durable.replace

    def replace(path: Path, data: bytes) -> None:
        if ":" in path.name:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        right(path, data)

    monkeypatch.setattr(watches.durable, "replace", replace)
    while image := watched.spool.take():
        watched.spool.answer(image, "{}", [Document(f"{image.id}.json", b"{}", (WATCH,))])
    courier = Courier(watched.deliveries, watched.outbox, watched.watcher.events, 60)
    courier.start()
    wait_for(lambda: "delivered receiver" in watched.log.getvalue(), "the other one")
    courier.stop()
    courier.join()
    assert (watched.folder / "answered" / "c.png.json").exists()
    assert "a:b" not in watched.log.getvalue()


def test_answers_wait_for_a_share_that_is_not_mounted_yet(tmp_path: Path, spool: Spool) -> None:
    """They would lie below it, where nobody sees them, and be called delivered."""
    watched, share = Watched(tmp_path / "in", spool), tmp_path / "share"
    outbox = share / "answers"
    watched.outbox = Outbox(Watch(watched.folder, outbox, 0.0), 1 << 20)
    (watched.folder / "a.png").write_bytes(b"one")
    watched.watcher.look()
    with pytest.raises(UndeliveredError, match="No such file"):
        watched.answer()
    assert not share.exists()
    assert watched.tree() == ["a.png"]
    outbox.mkdir(parents=True)
    watched.answer()
    assert sorted(path.name for path in outbox.iterdir()) == ["a.png", "a.png.json"]
    assert watched.deliveries.due(WATCH) == []


def test_no_image_is_moved_onto_itself(watched: Watched, tmp_path: Path) -> None:
    """Where the folder of answers leads back to the watched one; it would be removed then."""
    link = tmp_path / "elsewhere"
    link.symlink_to(watched.folder)
    watched.outbox = Outbox(Watch(watched.folder, link, 0.0), 1 << 20)
    (watched.folder / "a.png").write_bytes(b"the only one")
    watched.watcher.look()
    with pytest.raises(UndeliveredError, match="is the watched folder: give another"):
        watched.answer()
    assert (watched.folder / "a.png").read_bytes() == b"the only one"


class Share:
    """A disk of its own at a folder, which is there without it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.away = folder, folder.with_name("away")
        self.is_mounted, right = False, os.path.ismount
        folder.mkdir()
        self.away.mkdir()

        def ismount(path: str) -> bool:
            return self.is_mounted if path == str(folder) else right(path)

        monkeypatch.setattr(os.path, "ismount", ismount)

    def turn(self) -> None:
        """Mount it, or unmount it."""
        between = self.folder.with_name("between")
        for one, other in ((self.folder, between), (self.away, self.folder), (between, self.away)):
            one.rename(other)
        self.is_mounted = not self.is_mounted


@pytest.mark.parametrize("place", ["", "answers"], ids=["the share itself", "a folder on it"])
@pytest.mark.parametrize("known", ["at a start", "by an answer"])
def test_answers_wait_for_a_share_that_is_not_mounted_any_more(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, place: str, known: str
) -> None:
    """At its mount point there is a folder, too, where nobody would see them."""
    watched, share = Watched(tmp_path / "in", spool), Share(tmp_path / "share", monkeypatch)
    outbox = share.folder / place
    outbox.mkdir(exist_ok=True)
    share.turn()
    outbox.mkdir(exist_ok=True)
    watch = Watch(watched.folder, outbox, 0.0)
    watched.outbox = Outbox(watch, 1 << 20)
    names = ["a.png"]
    if known == "at a start":
        watched.outbox.tidy()
    else:
        (watched.folder / "b.png").write_bytes(b"two")
        watched.watcher.look()
        watched.answer()
        names.append("b.png")
    share.turn()
    (watched.folder / "a.png").write_bytes(b"one")
    watched.watcher.look()
    again = Outbox(watch, 1 << 20)  # after a start of the machine
    again.tidy()
    watched.outbox = again
    with pytest.raises(UndeliveredError, match=r"not mounted at .*share: .* remove ") as refusal:
        watched.answer()
    assert any("is not mounted" in fault for fault in check._watch(watch))
    assert list(outbox.iterdir()) == []
    assert watched.tree() == ["a.png"]
    share.turn()
    assert list(check._watch(watch)) == []
    watched.answer()
    there = {path.name for path in outbox.iterdir()}
    assert there == {*names, *(f"{name}.json" for name in names)}
    share.turn()  # for good
    Path(str(refusal.value).rpartition("remove ")[2]).unlink()
    (watched.folder / "c.png").write_bytes(b"three")
    watched.watcher.look()
    watched.answer()
    assert sorted(path.name for path in outbox.iterdir()) == ["c.png", "c.png.json"]


@pytest.mark.parametrize(
    "number", [errno.EBUSY, errno.ETXTBSY, errno.EPERM], ids=errno.errorcode.get
)
def test_an_image_that_somebody_has_open_on_a_share_keeps_no_other_answer_back(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for name in ("a.png", "b.png"):
        (watched.folder / name).write_bytes(name.encode())
    watched.watcher.look()
    right = os.replace

    def replaced(source: Path, target: Path) -> None:
        if Path(source) == watched.folder / "a.png":
            raise OSError(number, os.strerror(number))
        right(source, target)

    monkeypatch.setattr(watches.os, "replace", replaced)
    while image := watched.spool.take():
        watched.spool.answer(image, "{}", [Document(f"{image.id}.json", b"{}", (WATCH,))])
    courier = Courier(watched.deliveries, watched.outbox, watched.watcher.events, 60)
    first, second = watched.deliveries.due(WATCH)
    for delivery in (first, second):
        if not courier._bring(delivery):
            break
    (waiting,) = watched.deliveries.due(WATCH)
    assert waiting.id == first.id
    assert "answered/b.png" in watched.tree()


def test_a_folder_in_an_answer_s_place_keeps_no_other_answer_back(watched: Watched) -> None:
    for name in ("a.png", "b.png"):
        (watched.folder / name).write_bytes(name.encode())
    (watched.folder / "answered" / "a.png.json").mkdir(parents=True)
    (watched.folder / "answered" / "a.png").write_bytes(b"a.png")  # the very image
    watched.watcher.look()
    while image := watched.spool.take():
        watched.spool.answer(image, "{}", [Document(f"{image.id}.json", b"{}", (WATCH,))])
    courier = Courier(watched.deliveries, watched.outbox, watched.watcher.events, 60)
    assert [courier._bring(each) for each in watched.deliveries.due(WATCH)] == [True, True]
    assert "answered/b.png" in watched.tree()


@pytest.mark.parametrize(
    "number", [errno.EIO, errno.ESTALE, errno.EBUSY, errno.EACCES], ids=errno.errorcode.get
)
def test_an_image_that_cannot_be_read_any_more_is_moved_later_and_keeps_no_other_answer_back(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for name in ("a.png", "b.png"):
        (watched.folder / name).write_bytes(name.encode())
    watched.watcher.look()
    while image := watched.spool.take():
        watched.spool.answer(image, "{}", [Document(f"{image.id}.json", b"{}", (WATCH,))])
    right = os.open

    def opened(path: Any, *args: Any, **named: Any) -> int:
        if path == watched.folder / "a.png":
            raise OSError(number, os.strerror(number))
        return right(path, *args, **named)

    courier = Courier(watched.deliveries, watched.outbox, watched.watcher.events, 60)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "open", opened)
        assert all(courier._bring(each) for each in watched.deliveries.due(WATCH))
    (waiting,) = watched.deliveries.due(WATCH)
    assert courier._bring(waiting)
    moved = (f"answered/{name}{end}" for name in ("a.png", "b.png") for end in ("", ".json"))
    assert watched.tree() == [*moved]


def test_an_answer_that_the_box_may_not_read_keeps_no_other_answer_back(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has taken the image away, and made its answer a file of their own."""
    there = watched.folder / "answered" / "a.png.json"
    there.parent.mkdir()
    there.write_bytes(b"theirs")
    right_read, right_open = Path.read_bytes, os.open

    def read(path: Path) -> bytes:
        if path == there:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return right_read(path)

    def opened(path: Any, *args: Any, **named: Any) -> int:
        if path == there:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return right_open(path, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        patch.setattr(files.os, "open", opened)
        for name in ("a.png", "b.png"):
            (watched.folder / name).write_bytes(name.encode())
        watched.watcher.look()
        watched.answer()
    assert there.read_bytes() == b"theirs"
    answered = {path.name for path in there.parent.iterdir()} - {"a.png.json"}
    assert len(answered) == 4
    assert {"b.png", "b.png.json"} < answered


def test_what_cannot_be_put_aside_leaves_no_reason_behind_at_each_look(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has it open on a share, and one of its name lies there already."""
    for _ in range(2):
        (watched.folder / "a.png").touch()
        watched.watcher.look()
        before = watched.tree()
    (watched.folder / "a.png").touch()
    right = os.replace

    def replaced(source: Path, target: Path) -> None:
        if Path(source) == watched.folder / "a.png":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        right(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(watches.os, "replace", replaced)
        for _ in range(3):
            watched.watcher.look()
    assert watched.tree() == ["a.png", *before]
    watched.watcher.look()
    assert len(watched.tree()) == 6


def test_a_whole_image_that_comes_while_an_empty_one_is_refused_is_answered(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs make a name first, and put the image in its place when it is complete."""
    path = watched.folder / "a.png"
    path.touch()
    right = watches.write_reason

    def written(*args: Any) -> Path:
        whole = path.with_name("whole.part")
        whole.write_bytes(b"picture")
        os.replace(whole, path)
        return right(*args)

    with monkeypatch.context() as patch:
        patch.setattr(watches, "write_reason", written)
        watched.watcher.look()
    assert watched.tree() == ["a.png"]
    assert "refused" not in watched.log.getvalue()
    watched.watcher.look()
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_what_gets_another_date_when_it_is_moved_is_put_aside_all_the_same(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some shares: it would be moved to and fro for ever."""
    (watched.folder / "a.png").touch()
    right = os.replace

    def replaced(source: Path, target: Path) -> None:
        right(source, target)
        os.utime(target, (1, 1))

    with monkeypatch.context() as patch:
        patch.setattr(watches.os, "replace", replaced)
        watched.watcher.look()
    assert watched.tree() == ["refused/a.png", "refused/a.png.reason.txt"]


def test_why_an_answer_is_not_delivered_names_no_file(watched: Watched) -> None:
    (watched.folder / "MUELLER.png").write_bytes(b"one")
    watched.watcher.look()
    (watched.folder / "answered" / "MUELLER.png.json").mkdir(parents=True)
    (watched.folder / "answered" / "MUELLER.png").write_bytes(b"one")
    with pytest.raises(UndeliveredError, match=r"answered: Is a directory$"):
        watched.answer()


class _KilledError(BaseException):
    """What a kill does to what is under way."""


class Killer:
    """Ends the process, as it were, at one of the steps that change a folder: before or after it;
    or has that step fail alone.

    Args:
        at: which step, from 0 on; after it where there is a half.
        apart: whether answers lie on another disk.
        fault: how it ends.

    Attributes:
        killed: whether the step has come.
    """

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        at: float,
        apart: bool,
        fault: type[BaseException] = _KilledError,
    ) -> None:
        self.at, self.apart, self.step, self.killed = at, apart, 0, False
        self.fault = fault
        for name in ("replace", "rename", "link", "fsync"):
            patch.setattr(os, name, self.counted(getattr(os, name), name == "replace"))
        patch.setattr(Path, "unlink", self.counted(Path.unlink))
        patch.setattr(Path, "mkdir", self.counted(Path.mkdir))

    def counted(self, right: Any, moves: bool = False) -> Any:
        def done(*args: Any, **named: Any) -> Any:
            if self.killed and self.fault is _KilledError:
                raise _KilledError
            if moves and self.apart and Path(args[0]).parent != Path(args[1]).parent:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            step, self.step = self.step, self.step + 1
            if step == int(self.at):
                self.killed = True
                if step != self.at:
                    right(*args, **named)
                raise self.fault(errno.EIO, os.strerror(errno.EIO))
            return right(*args, **named)

        return done


@pytest.mark.parametrize("apart", [False, True], ids=["one disk", "two disks"])
@pytest.mark.parametrize("comes", [None, b"another"], ids=["", "and another one comes"])
@pytest.mark.parametrize("refused", [False, True], ids=["answered", "refused"])
@pytest.mark.parametrize("fault", [_KilledError, OSError], ids=["a kill", "a fault of the disk"])
def test_each_image_lies_beside_its_own_answer_at_whatever_step_something_comes(
    tmp_path: Path,
    spool: Spool,
    comes: bytes | None,
    apart: bool,
    refused: bool,
    fault: type[BaseException],
) -> None:
    at, killed = 0.0, True
    while killed:
        folder = tmp_path / f"{at}"
        folder.mkdir()
        watched, path = Watched(folder, spool), folder / "a.png"
        images = [b"one %f" % at] + ([comes + b" %f" % at] if comes else [])
        path.write_bytes(images[0])
        watched.outbox.tidy()
        watched.watcher.look()
        answer_by_bytes(spool, refused)
        with pytest.MonkeyPatch.context() as patch:
            killer = Killer(patch, at, apart, fault)
            with suppress(_KilledError, UndeliveredError):
                watched.answer()
        killed, at = killer.killed, at + 0.5
        if comes:
            path.write_bytes(images[1])
        with pytest.MonkeyPatch.context() as patch:
            Killer(patch, -1, apart)
            again = Watched(folder, spool) if fault is _KilledError else watched  # the next start
            if fault is _KilledError:
                again.outbox.tidy()
            for _ in range(3):
                again.watcher.look()
                answer_by_bytes(spool, refused)
                with suppress(UndeliveredError):  # another one has come: once more
                    again.answer()
                again.outbox.rest()
        aside = folder / ("refused" if refused else "answered")
        there = {each: each.read_bytes() for each in aside.glob("*.png")}
        assert set(images[-1:]) <= {*there.values()} <= {*images}, at
        assert len(there) == len({*there.values()}), at
        for image, content in there.items():
            answer = json.loads(image.with_name(f"{image.name}.json").read_text())
            assert answer["of"] == content.decode(), at
            assert image.with_name(f"{image.name}.reason.txt").exists() == refused
        assert not [each for each in folder.iterdir() if each.is_file()], at
        answers = [json.loads(each.read_text())["of"] for each in aside.glob("*.json")]
        assert sorted(answers) == sorted({each.decode() for each in images}), at
    assert at > 5


def answer_by_bytes(spool: Spool, refused: bool) -> None:
    """As the workers do, all that waits."""
    while image := spool.take():
        content = image.path.read_bytes().decode()
        error = {"error": {"kind": "image", "message": f"is {content}"}} if refused else {}
        text = json.dumps({"of": content, **error}).encode()
        spool.answer(image, "{}", [Document(f"{image.id}.json", text, (WATCH,))])


@pytest.mark.parametrize("at", ["the answer", "the image", "the reason"])
def test_what_a_kill_leaves_half_written_is_gone_after_the_next_start(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    (watched.folder / "a.png").write_bytes(b"picture")
    watched.watcher.look()
    error = {"error": {"kind": "image", "message": "is no image"}} if at == "the reason" else {}
    right, written = os.replace, 0

    def replaced(source: Path, target: Path) -> None:
        nonlocal written
        if Path(source) == watched.folder / "a.png" and Path(target).parent != watched.folder:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        written += str(source).endswith(".partial")
        if written == (1 if at == "the answer" else 2):
            raise _KilledError
        right(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replaced)
        with pytest.raises(_KilledError):
            watched.answer(**error)
    hidden = [name for name in watched.tree() if name.endswith(".partial")]
    assert len(hidden) == 1
    watched.outbox.tidy()
    assert not [name for name in watched.tree() if name.endswith(".partial")]
    assert "a.png" in watched.tree()
    watched.answer(**error)
    folder = "refused" if at == "the reason" else "answered"
    assert {f"{folder}/a.png", f"{folder}/a.png.json"} <= {*watched.tree()}


@pytest.mark.parametrize("arrived", [True, False])
def test_a_file_that_a_kill_leaves_hidden_has_its_name_again_unless_it_has_arrived(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    """On its way to another disk; by then there may be another one of its name."""
    (watched.folder / "a.png").write_bytes(b"picture")
    watched.watcher.look()
    right, begun = os.replace, False

    def replaced(source: Path, target: Path) -> None:
        nonlocal begun
        if Path(source) == watched.folder / "a.png" and not begun:
            begun = True
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        right(source, target)
        if Path(source) == watched.folder / "a.png":
            raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replaced)
        with pytest.raises(_KilledError):
            watched.answer()
    assert "a.png" not in watched.tree()
    assert (watched.folder / "answered/a.png").read_bytes() == b"picture"
    if not arrived:  # somebody has taken it away again
        (watched.folder / "answered/a.png").unlink()
    (watched.folder / "a.png").write_bytes(b"another")
    watched.outbox.tidy()
    there = {path.read_bytes() for path in watched.folder.glob("a*.png")}
    assert there == {b"another"} | (set() if arrived else {b"picture"})
    assert not [name for name in watched.tree() if name.startswith(".")]


def test_a_file_that_a_kill_leaves_with_its_hidden_name_and_its_own_is_one_image(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given its name back, and not yet taken the other one."""
    hidden = watched.folder / ".0123456789abcdef.moved-a.png"
    hidden.write_bytes(b"picture")

    def killed(path: Path) -> None:
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(_KilledError):
            watched.outbox.tidy()
    watched.outbox.tidy()
    watched.watcher.look()
    watched.answer()
    assert watched.tree() == ["answered/a.png", "answered/a.png.json"]


def test_a_hidden_file_has_its_name_again_where_the_answers_cannot_be_reached(
    tmp_path: Path, spool: Spool
) -> None:
    away = tmp_path / "away"
    away.touch()  # in the place of a folder on a disk that is not there
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / ".0123456789abcdef.moved-a.png").write_bytes(b"picture")
    with pytest.raises(OSError, match="Not a directory"):
        Outbox(Watch(folder, away, 0.0), 1 << 20).tidy()
    assert [path.name for path in folder.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", [".", ".."])
def test_a_hidden_file_in_whose_name_there_is_none_stays_and_keeps_no_box_from_starting(
    tmp_path: Path, name: str
) -> None:
    for each in (name, "a.png"):
        (tmp_path / f".0123456789abcdef.moved-{each}").write_bytes(b"picture")
    Outbox(Watch(tmp_path, None, 0.0), 1 << 20).tidy()
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {f".0123456789abcdef.moved-{name}", "a.png"}


def test_a_hidden_file_has_its_name_again_when_its_folder_comes_late(tmp_path: Path) -> None:
    """A network share, say, that is not there yet when the box starts."""
    folder = tmp_path / "in"
    outbox = Outbox(Watch(folder, None, 0.0), 1 << 20)
    with pytest.raises(FileNotFoundError):
        outbox.tidy()
    outbox.rest()
    folder.mkdir()
    (folder / ".0123456789abcdef.moved-a.png").write_bytes(b"picture")
    outbox.rest()
    assert [path.name for path in folder.iterdir()] == ["a.png"]
