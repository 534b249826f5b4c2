"""Images in, each answered exactly once, whatever is killed at whatever moment.

An image is accepted when its bytes, their name in the folder and its row in the database are on
the medium. Its answer, and what has to be delivered of it, come into the database in one step:
before it the image waits, after it nobody takes it again.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.clinic import durable
from edge_app.clinic.faults import SpoolError, SpoolFullError, UnsyncedError
from edge_app.clinic.header import HeaderError, content_digest_of
from edge_app.clinic.image_file import UNJUDGED
from edge_app.clinic.recent_images import RecentImages, room
from edge_app.clinic.retries import Retries
from edge_app.clinic.settings import NODE, PAGE
from edge_app.clinic.statements import decided_by
from edge_app.clinic.store import Store
from edge_app.clinic.summary import SCORED, Summary
from edge_app.core.pieces import Pieces, size_of

NEW: Final = "new"
KNOWN: Final = "known"
DIFFERS: Final = "differs"

UNTOLD: Final = Summary(SCORED)


class Offered(NamedTuple):
    """An image that somebody wants answered.

    Attributes:
        entrance: which way it came: ``node``, ``watch``, ``page``.
        identity: what makes it this image there: its SOP Instance UID, its file's name.
        sha256: of what was sent, in hexadecimal digits; or who works it out, while the file is
            written.
        pieces: its file, one after the other; or a file in the folder of images, which is taken
            over where the image is accepted.
        sender: who gave it, for the audit log.
        about: whose it is, as people read it in a list.
        instance: its SOP Instance UID, where its identity is not that.
    """

    entrance: str
    identity: str
    sha256: str | Future[str]
    pieces: Pieces | Path
    sender: str = ""
    about: str = ""
    instance: str | None = None

    @property
    def uid(self) -> str | None:
        """Its SOP Instance UID, as far as it has one."""
        return self.identity if self.entrance in (NODE, PAGE) else self.instance

    @property
    def digest(self) -> str:
        """Its SHA-256, waited for where need be."""
        return self.sha256 if isinstance(self.sha256, str) else self.sha256.result()


class Receipt(NamedTuple):
    """What became of an offered image; it is on the medium.

    Attributes:
        id: its number in this spool.
        verdict: ``new``; ``known`` where these very bytes were accepted before, then nothing is
            done twice; ``differs`` where it is new, and its SOP Instance UID that of other bytes.
    """

    id: int
    verdict: str


class Image(NamedTuple):
    """An accepted image, taken to be answered.

    Attributes:
        begun: how often somebody began to answer it, this time not among them, and did not end.
        differs: another image of the same SOP Instance UID has other bytes.
    """

    id: int
    entrance: str
    identity: str
    path: Path
    sha256: str
    begun: int
    differs: bool


class Document(NamedTuple):
    """What is made of an answer for receivers, under a name that no other one of its image has."""

    name: str
    content: bytes
    receivers: tuple[str, ...]


def content_of(entrance: str, sha256: str, path: Path) -> str | None:
    """See `content_digest`; None where it cannot be told.

    Args:
        entrance, sha256, path: of an accepted image, and of its file.
    """
    if entrance == NODE:
        return sha256
    try:
        return content_digest_of(path)
    except (HeaderError, OSError):
        return None


class Spool:
    """Accepts images, hands them out to be answered, and keeps the answers.

    Args:
        store: where.
        min_free: bytes of the disk below which no image is accepted.

    Attributes:
        recent: images that were accepted and not yet taken, as far as there is room in memory.
        decides: see `decided_by`; an image that something else decided, and that is finished, is
            taken anew when it comes again. None: whatever decided an answer, it stands.
        receivers: by entrance, who gets results; so is one taken that was finished before this
            start, and whose results some of them have not had.
    """

    def __init__(self, store: Store, min_free: int = 0) -> None:
        self.store, self.min_free = store, min_free
        self.recent = RecentImages(room())
        self.decides: tuple[str | None, ...] | None = None
        self.receivers: Mapping[str, Sequence[str]] = {}
        self._in_hand: set[int] = set()
        self._retries = Retries()
        self._last_before = int(store.value("SELECT coalesce(max(id), 0) FROM image"))

    def accept(self, offered: Offered) -> Receipt:
        """Put an image on the medium, or say that it is there already.

        Raises:
            SpoolFullError: there is no room for it now.
            SpoolError: the disk or the database fails; it is not accepted.
        """
        held = self._held(offered)
        if held and not self._is_outdated(held):
            return self._known(held)
        pieces = offered.pieces
        # Under this name it is complete; see `strays`.
        path = self.store.images / f"{secrets.token_hex(16)}.{offered.entrance}"
        try:
            if isinstance(pieces, Path):
                size = pieces.stat().st_size
                self.require_room(0)
                durable.adopt(pieces, path)
            else:
                size = size_of(pieces)
                self.require_room(size)
                if self.recent.keep(path, pieces, durable.replace(path, pieces)):
                    durable.forget(path)
        except OSError as error:
            self._remove(path)
            if error.errno in durable.FULL:
                raise self._full() from None
            raise SpoolError(f"{self.store.images}: cannot be written: {error.strerror}") from None
        try:
            return self._enter(offered, path, size, held)
        except sqlite3.IntegrityError:  # the same image, just accepted from somebody else
            self._remove(path)
            return self._known_by_now(offered)
        except UnsyncedError:  # it is here, and will be answered, though nobody may rely on it
            raise
        except SpoolError:
            self._remove(path)
            raise
        except Exception:  # which nobody foresaw: it may be accepted all the same
            self.recent.take(path)
            with suppress(SpoolError):
                if not self.store.rows("SELECT 1 FROM image WHERE file = ?", path.name):
                    self._remove(path)
            raise

    def enter_again(self, offered: Offered, path: Path) -> Receipt:
        """Enter an accepted image again, whose file is there and whose row is gone; see `strays`.

        Args:
            path: of its file, which is removed if another file already holds these bytes.

        Raises:
            SpoolError: the database fails, and the file stays.
        """
        held = self._held(offered)
        if held and (held["file"] == path.name or not self._is_outdated(held)):
            receipt = self._known(held)
            if held["file"] != path.name:
                self._remove(path)
            return receipt
        try:
            return self._enter(offered, path, path.stat().st_size, held)
        except sqlite3.IntegrityError:  # it has just come again
            self._remove(path)
            return self._known_by_now(offered)

    def _remove(self, path: Path) -> None:
        """Forget a file that is not accepted, in memory and on the disk."""
        self.recent.take(path)
        with suppress(OSError):  # what stays is left to `strays`
            path.unlink(missing_ok=True)

    def _known(self, held: sqlite3.Row) -> Receipt:
        if held["answer"] is None and not self._is_whole(held):
            raise SpoolError(
                f"{self.store.images}: an image that waits to be answered, or a part of it, is "
                "gone from there, and has come again: once that is told (image-lost), it is taken"
            )
        self.store.sync()  # somebody else may be waiting for just that
        return Receipt(held["id"], KNOWN)

    def _known_by_now(self, offered: Offered) -> Receipt:
        held = self._held(offered)
        if not held:
            raise SpoolError(f"{self.store.folder}: its database contradicts itself") from None
        return self._known(held)

    def _is_whole(self, held: sqlite3.Row) -> bool:
        """Whether the image's file has as many bytes as arrived."""
        try:
            return (self.store.images / held["file"]).stat().st_size == held["bytes"]
        except OSError:
            return False

    def _held(self, offered: Offered) -> sqlite3.Row | None:
        """The row of an image with exactly these bytes, if there is one."""
        rows = self.store.rows(
            "SELECT id, entrance, identity, sha256, file, bytes, finished, answer FROM image "
            "WHERE entrance = ? AND identity = ?",
            *(offered.entrance, offered.identity),
        )
        return next((row for row in rows if row["sha256"] == offered.digest), None)

    def _is_outdated(self, held: sqlite3.Row) -> bool:
        """Whether to answer it anew: something else decided it, or the box could not answer it."""
        if held["finished"] is None:
            return False
        if not (self.store.images / held["file"]).exists():
            return True
        is_earlier = held["id"] <= self._last_before
        if is_earlier and self._is_lacked(held):
            return True
        answer = json.loads(held["answer"])
        if "error" in answer:
            # By other settings, or another version, one that was unreadable may be read.
            return is_earlier or answer["error"].get("kind") in UNJUDGED
        return self.decides is not None and decided_by(answer) != self.decides

    def _is_lacked(self, held: sqlite3.Row) -> bool:
        """Whether somebody gets results now who has had none of this finished image."""
        if held["identity"] == held["sha256"]:  # a picture, of which nothing is sent
            return False
        rows = self.store.rows("SELECT receiver FROM delivery WHERE image = ?", held["id"])
        return not {*self.receivers.get(held["entrance"], ())} <= {row["receiver"] for row in rows}

    def require_room(self, size: int) -> None:
        """Raise an error unless so many more bytes can be accepted.

        Raises:
            SpoolFullError: less than `min_free` would be left.
        """
        if self.store.free() - size < self.min_free:
            raise self._full()

    def _full(self) -> SpoolFullError:
        return SpoolFullError(
            f"{self.store.folder}: {self.store.free() >> 20} MiB of its disk are free, less than "
            f"the {self.min_free >> 20} MiB to be left: make room, or set least_free_mb"
        )

    def _enter(
        self, offered: Offered, path: Path, size: int, outdated: sqlite3.Row | None
    ) -> Receipt:
        digest = offered.digest
        gone: Path | None = None
        differing: dict[int, bool] = {}
        while True:
            # Others need the database meanwhile: files are read without its lock.
            self._compare(differing, offered, digest, path, self._others(offered, outdated))
            with self.store.transaction() as database:
                others = [row["id"] for row in self._others(offered, outdated)]
                if not differing.keys() >= {*others}:  # another one of this identity has just come
                    continue
                if outdated:
                    gone = self._let_go(database, outdated)
                differs = any(differing[each] for each in others)
                if differs:  # of each of them, as far as nothing has been said of it yet
                    marks = ", ".join("?" * len(others))
                    database.execute(
                        f"UPDATE image SET differs = 1 WHERE id IN ({marks}) AND answered IS NULL",
                        others,
                    )
                entered = database.execute(
                    "INSERT INTO image (entrance, identity, sha256, file, bytes, sender, differs, "
                    "received, about, sought, instance) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(offered.entrance, offered.identity, digest, path.name, size),
                        *(offered.sender, differs, time.time()),
                        *(offered.about, offered.about.casefold(), offered.uid or ""),
                    ),
                )
            break
        if gone:
            with suppress(OSError):  # what stays is left to `strays`
                gone.unlink()
        with self.store.changed:
            self.store.changed.notify_all()
        return Receipt(int(entered.lastrowid or 0), DIFFERS if differs else NEW)

    def _others(self, offered: Offered, outdated: sqlite3.Row | None) -> list[sqlite3.Row]:
        """Rows of other images with the same SOP Instance UID, from any entrance."""
        return self.store.rows(
            "SELECT id, entrance, sha256, file FROM image WHERE instance = ? AND id IS NOT ?",
            *(offered.uid, outdated["id"] if outdated else None),
        )

    def _compare(
        self,
        differing: dict[int, bool],
        offered: Offered,
        digest: str,
        path: Path,
        others: Sequence[sqlite3.Row],
    ) -> None:
        """Note for each other image, by its number, whether its bytes differ."""
        new = [row for row in others if row["id"] not in differing]
        # Known ones are not new; of the watch folder those of another name are.
        by_uid = offered.entrance in (NODE, PAGE)
        if by_uid and any(row["entrance"] == offered.entrance for row in new):
            differing.update({row["id"]: True for row in new})
            return
        own = content_of(offered.entrance, digest, path) if new else None
        for row in new:
            content = content_of(row["entrance"], row["sha256"], self.store.images / row["file"])
            differing[row["id"]] = own is None or own != content

    def _let_go(self, database: sqlite3.Connection, outdated: sqlite3.Row) -> Path | None:
        """Remove a finished image's row; returns the file that it named."""
        removed = database.execute(
            "DELETE FROM image WHERE id = ? AND finished IS NOT NULL", (outdated["id"],)
        )
        if not removed.rowcount:  # somebody wanted it again, or has replaced it, meanwhile
            return None
        return self.store.images / outdated["file"]

    def take(
        self,
        wait: float = 0,
        *,
        again: bool = True,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Image | None:
        """The next image to be answered: one that was put off, once its time has come; or the most
        urgent, then the oldest one.

        Nobody else gets it until it is answered, given back, or this process has ended.

        Args:
            wait: seconds to wait for one at most.
            again: whether one that was put off may be it.
            stopped: whether to take and wait for nothing any more; called with the lock of
                `Store.changed`, so that no notification is missed.

        Raises:
            SpoolError: the database fails.
        """
        with self.store.changed:
            row = self._next(again)
            if row is None and wait > 0 and not stopped():
                soonest = self._retries.soonest(self._in_hand) if again else None
                self.store.changed.wait(wait if soonest is None else min(wait, max(0, soonest)))
                row = self._next(again)
            if row is None or stopped():
                return None
            with self.store.transaction(synced=False) as database:
                database.execute("UPDATE image SET begun = begun + 1 WHERE id = ?", (row["id"],))
            self._in_hand.add(row["id"])
        return Image(
            *(row["id"], row["entrance"], row["identity"], self.store.images / row["file"]),
            *(row["sha256"], row["begun"], bool(row["differs"])),
        )

    def renewed(self, image: Image) -> Image:
        """An image in hand, with `differs` as it is now, after others of its UID."""
        rows = self.store.rows("SELECT differs FROM image WHERE id = ?", image.id)
        return image._replace(differs=any(row["differs"] for row in rows))

    def _next(self, again: bool) -> sqlite3.Row | None:
        for number in self._retries.due(self._in_hand) if again else ():
            waiting = "SELECT * FROM image WHERE id = ? AND answered IS NULL"
            for row in self.store.rows(waiting, number):
                return row
            self._retries.forget(number)  # it was removed
        rows = self.store.rows(
            "SELECT * FROM image WHERE answered IS NULL ORDER BY urgent DESC, id LIMIT ?",
            len(self._in_hand) + len(self._retries) + 1,
        )
        return next((row for row in rows if self._is_free(row)), None)

    def _is_free(self, row: sqlite3.Row) -> bool:
        """Whether nobody has it, and it is not put off, unless somebody asked for it."""
        return row["id"] not in self._in_hand and (
            row["urgent"] > 0 or row["id"] not in self._retries
        )

    def postpone(self, image: Image) -> None:
        """Let others be answered before it; that it was begun stays counted."""
        with self.store.changed:
            self._in_hand.discard(image.id)
            with self.store.transaction(synced=False) as database:
                database.execute("UPDATE image SET urgent = urgent - 1 WHERE id = ?", (image.id,))
            self.store.changed.notify_all()

    def give_back(self, image: Image) -> None:
        """Let it be answered by another worker, or later: the failure was not the image's fault."""
        with self.store.changed:
            self._in_hand.discard(image.id)
            with self.store.transaction(synced=False) as database:
                database.execute("UPDATE image SET begun = 0 WHERE id = ?", (image.id,))
            self.store.changed.notify_all()

    def put_off(self, image: Image) -> float | None:
        """Try an image again after a while: this machine lacks something for it now.

        Others are answered meanwhile. This try is not counted.

        Returns:
            Seconds until then; None after enough tries: then it is still in hand.

        Raises:
            SpoolError: the database fails, and it is still in hand.
        """
        with self.store.changed:
            pause = self._retries.add(image.id)
            if pause is None:
                return None
            with self.store.transaction(synced=False) as database:
                # Whoever wants it answered next from now on shortens its pause, see `_next`.
                database.execute(
                    "UPDATE image SET begun = ?, urgent = min(urgent, 0) WHERE id = ?",
                    (image.begun, image.id),
                )
            self._in_hand.discard(image.id)
            self.store.changed.notify_all()
        return pause

    def answer(
        self,
        image: Image,
        answer: str,
        documents: Sequence[Document] = (),
        summary: Summary = UNTOLD,
    ) -> bool:
        """Keep an image's answer, once, and its documents for delivery.

        A kill does not undo it. A power cut may, until the next `Store.sync`: then it waits to be
        answered again, and no receiver has got what is lost, see `Courier`.

        Args:
            answer: JSON, without what names the patient.
            documents: each is delivered to each of its receivers.
            summary: what lists show of it.

        Returns:
            Whether it is kept, or was answered or removed before. False if another image of its UID
            has come since (see `renewed`), which the documents do not mention; it is still in hand.

        Raises:
            SpoolError: it is not kept, and the image is still in hand.
        """
        now = time.time()
        deliveries = [
            (image.id, receiver, document.name)
            for document in documents
            for receiver in document.receivers
        ]
        with self.store.changed:
            with self.store.transaction(synced=False) as database:
                kept = database.execute(
                    "UPDATE image SET answer = ?, answered = ?, finished = ?, state = ?, "
                    "score = ?, map = ? WHERE id = ? AND answered IS NULL AND differs = ?",
                    (answer, now, None if deliveries else now, *summary, image.id, image.differs),
                )
                waits = "SELECT 1 FROM image WHERE id = ? AND answered IS NULL"
                if not kept.rowcount and database.execute(waits, (image.id,)).fetchone():
                    return False
                if kept.rowcount:
                    database.executemany(
                        "INSERT INTO document (image, name, content) VALUES (?, ?, ?)",
                        [(image.id, each.name, each.content) for each in documents],
                    )
                    database.executemany(
                        "INSERT INTO delivery (image, receiver, document) VALUES (?, ?, ?)",
                        deliveries,
                    )
            self._in_hand.discard(image.id)
            self._retries.forget(image.id)
            self.store.changed.notify_all()
        return True

    def hasten(self, number: int) -> bool:
        """Let an image be answered before all others, even if it was put off; returns whether it
        waits."""
        with self.store.transaction() as database:
            done = database.execute(
                "UPDATE image SET urgent = max(0, (SELECT max(urgent) FROM image)) + 1 "
                "WHERE id = ? AND answered IS NULL",
                (number,),
            )
        with self.store.changed:
            self.store.changed.notify_all()
        return bool(done.rowcount)

    def counts(self) -> Mapping[str, int]:
        """How many images wait, were answered, and were answered and delivered."""
        row = self.store.rows(
            "SELECT (SELECT count(*) FROM image WHERE answered IS NULL) AS waiting, "
            "(SELECT count(*) FROM image WHERE answered IS NOT NULL) AS answered, "
            "(SELECT count(*) FROM image WHERE finished IS NOT NULL) AS finished"
        )[0]
        return {key: int(row[key]) for key in row.keys()}  # noqa: SIM118
