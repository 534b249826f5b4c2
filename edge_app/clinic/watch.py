"""The watch folder: files are taken when they are complete, and answered as JSON.

A file is complete when it was renamed into the folder, or has not changed for a while; both look
the same from here: its size and times stay as they are. The time of its last change of any kind
(ctime) is among them, which nobody can set: another file of the same name, size and date is told
from the one before by it, and where a file system has none, by its bytes, when the one before was
to be moved. What is read is what looked so: its folder may be another one by then. It goes into
the spool, and stays where it is until its answer comes; then it is moved beside its answer, or
aside, with the reason, where it could not be read. No file that somebody put here is ever removed
or overwritten, and no answer lies under the name of another image than its own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.clinic import durable
from edge_app.clinic.deliveries import Deliveries, Delivery
from edge_app.clinic.delivering import UndeliveredError
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError, SpoolFullError
from edge_app.clinic.header import sop_instance
from edge_app.clinic.remembered import remember_mount, unmounted
from edge_app.clinic.settings import WATCH, Watch
from edge_app.clinic.spool import KNOWN, Offered, Spool
from edge_app.core.files import ShortageError, UnreadableError, read_bounded
from edge_app.core.plain_text import is_utf8
from edge_app.core.shortage import FAILING

TICK: Final = 0.5
"""Seconds between two looks at the folder."""

ASIDE: Final = "refused"
DONE: Final = "answered"
"""Folders within the watched one: of files that could not be read, and of the others."""

ANSWER: Final = ".json"
REASON: Final = ".reason.txt"
LONGEST_NAME: Final = 230
"""Bytes of a file's name: with what is put to it, it has to stay below the 255 of file systems."""

LONGEST_ASIDE: Final = 255 - len(REASON)
"""Bytes of a name that the reason's ending may follow."""

AT_ONCE: Final = 500
"""Images that are asked for in one step."""

MOVED: Final = re.compile(r"\.[0-9a-f]{16}\.moved-(?!\.{1,2}\Z)(.+)", re.DOTALL)
"""The name of a file that already lies beside its answer, until it is removed; it contains the
original name, which is never ``.`` or ``..``."""

OF_ONE: Final = (
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ),
    *(errno.EBUSY, errno.ETXTBSY, errno.EPERM, errno.EISDIR, errno.ENOTEMPTY),
)
"""Errors that concern one file while others can be written and moved: a name that the file system
cannot have; a file that is open on a share or must not be moved; a folder in its place."""

IN_PROGRESS: Final = (".part", ".partial", ".tmp", ".crdownload", ".filepart", "~")
"""Endings of names under which programs write what is not complete yet."""


class _Look(NamedTuple):
    """A file's identity by its status; another file, or a changed one, has another."""

    size: int
    written: int
    changed: int
    inode: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Look:
        """The look of a file by its status."""
        times = status.st_mtime_ns, status.st_ctime_ns
        return cls(status.st_size, *times, status.st_ino, status.st_mode)

    def is_moved(self, other: _Look) -> bool:
        """Whether it is the same file, wherever it is: a move changes something else."""
        return self._replace(changed=0) == other._replace(changed=0)

    def is_like(self, other: _Look) -> bool:
        """Whether what is no image by this look is none by the other one: some file systems give a
        file that is moved another number or date."""
        return (self.size, self.mode) == (other.size, other.mode)


class _Seen(NamedTuple):
    """A file's look, and since when, by the monotonic clock."""

    look: _Look
    since: float


class _Taken(NamedTuple):
    """The look of a file that is in the spool, and its image's number there."""

    look: _Look
    image: int


class WatchFolder(threading.Thread):
    """Takes files until it is stopped.

    Args:
        watch: which folder.
        max_bytes: of a file.
        spool: where they go.
    """

    def __init__(self, watch: Watch, max_bytes: int, spool: Spool, events: Events) -> None:
        super().__init__(name="watch", daemon=True)
        self.watch, self.max_bytes, self.spool, self.events = watch, max_bytes, spool, events
        self._stopping = threading.Event()
        self._seen: dict[str, _Seen] = {}
        self._deliveries = Deliveries(spool.store)
        self._taken: dict[str, _Taken] = {}
        self._stalled: str | None = None

    def stop(self) -> None:
        """End after the file in hand."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(TICK)

    def look(self) -> None:
        """Take each file that is complete."""
        why = stalled = None
        for name in self._complete():
            if self._stopping.is_set():
                return
            try:
                self._take(name)
            except SpoolFullError as error:  # how much room there is changes, and is no news
                why, stalled = str(error), "full"
                break
            except SpoolError as error:  # it stays where it is, and is tried again
                why = stalled = str(error)
            except OSError as error:
                why = stalled = f"{self.watch.folder}: {error.strerror}"
        if why and stalled != self._stalled:
            self.events.tell("watch-stalled", why=why)
        self._stalled = stalled

    def _complete(self) -> Iterator[str]:
        """Names of files that have looked the same for long enough, oldest first."""
        now = time.monotonic()
        there: dict[str, _Seen] = {}
        try:
            with os.scandir(self.watch.folder) as scan:
                for entry in scan:
                    if self._is_candidate(entry):
                        with suppress(FileNotFoundError):  # it has just gone
                            there[entry.name] = self._look_of(entry, now)
        except OSError as error:
            if self._stalled is None:
                self._stalled = error.strerror
                self.events.tell("watch-stalled", why=f"{self.watch.folder}: {error.strerror}")
            return
        self._seen = there
        self._taken = {n: taken for n, taken in self._taken.items() if n in there}
        with suppress(SpoolError):  # told where the next one is taken
            self._forget_finished()
        done = [
            name
            for name, seen in there.items()
            if now - seen.since >= self.watch.settle and not self._is_taken(name, seen.look)
        ]
        yield from sorted(done, key=lambda name: there[name].look.written)

    def _forget_finished(self) -> None:
        """Forget finished images, so that a file that is still here is taken anew.

        It is another file by now, though its times do not show it, or it came again.
        """
        numbers = [taken.image for taken in self._taken.values()]
        unfinished: set[int] = set()
        for i in range(0, len(numbers), AT_ONCE):
            some = numbers[i : i + AT_ONCE]
            rows = self.spool.store.rows(
                f"SELECT id FROM image WHERE id IN ({', '.join('?' * len(some))}) "
                "AND finished IS NULL",
                *some,
            )
            unfinished.update(row["id"] for row in rows)
        self._taken = {n: taken for n, taken in self._taken.items() if taken.image in unfinished}

    def _is_taken(self, name: str, look: _Look) -> bool:
        return name in self._taken and self._taken[name].look == look

    def _is_candidate(self, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        if name.startswith(".") or name.endswith((ANSWER, REASON, *IN_PROGRESS)):
            return False
        return not entry.is_dir(follow_symlinks=False)

    def _look_of(self, entry: os.DirEntry[str], now: float) -> _Seen:
        look = _Look.of(entry.stat(follow_symlinks=False))
        before = self._seen.get(entry.name)
        return before if before and before.look == look else _Seen(look, now)

    def _take(self, name: str) -> None:
        """Put a file into the spool, or aside; leave it if it changes meanwhile."""
        path, look = self.watch.folder / name, self._seen[name].look
        data, reason = b"", None
        looks: list[_Look] = []  # of what was read, which its path may not lead to any more
        try:
            data = self._content(path, looks)
        except ShortageError as error:  # no fault of the file's
            raise SpoolError(f"{self.watch.folder}: an image {error}") from None
        except UnreadableError as error:
            reason = str(error)
        if {look_at(path), *looks} != {look}:  # it may be half of one and half of another
            return
        if reason is not None:
            if put_aside(path, self.watch.folder / ASIDE, reason, look):
                self.events.audit("refused", image=self.events.digest(name), why=reason)
            return
        digest = hashlib.sha256(data).hexdigest()
        offered = Offered(WATCH, name, digest, (data,), WATCH, name, sop_instance(data))
        receipt = self.spool.accept(offered)
        # Somebody wants its answer again; one that has just been removed is taken anew, next time.
        if receipt.verdict == KNOWN and not self._deliveries.again(receipt.id, WATCH):
            return
        self._taken[name] = _Taken(look, receipt.id)
        self.events.audit(
            "received",
            image=self.events.digest(name),
            number=receipt.id,
            verdict=receipt.verdict,
            peer=WATCH,
            bytes=len(data),
        )

    def _content(self, path: Path, looks: list[_Look]) -> bytes:
        """A file's bytes.

        Args:
            looks: gets how it looks, before it is read and after.

        Raises:
            UnreadableError: why it is put aside.
            ShortageError: the machine cannot read any now.
        """
        if not is_utf8(path.name):
            raise UnreadableError("its name is not UTF-8: rename it")
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise UnreadableError(f"its name has more than {LONGEST_NAME} bytes: rename it")
        look = look_at(path)
        if look and not stat.S_ISREG(look.mode):
            raise UnreadableError("is a link or no file: put the file itself here")
        data = read_bounded(path, self.max_bytes, lambda status: looks.append(_Look.of(status)))
        if not data:
            raise UnreadableError("is empty")
        return data


class Outbox:
    """The way of answers to files.

    Args:
        watch: which folders.
        max_bytes: of an image.
    """

    name = WATCH

    def __init__(self, watch: Watch, max_bytes: int) -> None:
        self.folder, self.max_bytes = watch.folder, max_bytes
        self.outbox = watch.outbox
        self.done = watch.outbox or watch.folder / DONE
        self._hides = True

    def deliver(self, delivery: Delivery) -> str | None:
        """See `Carrier`: write the answer, and move its image beside it, or aside."""
        error = json.loads(delivery.content).get("error")
        aside = self.folder / ASIDE if error else self.done
        texts = {ANSWER: delivery.content}
        if error:
            texts[REASON] = as_reason(error["message"])
        try:
            self._bring(delivery, aside, texts)
        except OSError as fault:  # of which the name of the file is not told: it may be a patient's
            self._hides = True  # perhaps the image, or another one
            refused = fault.errno in OF_ONE
            raise UndeliveredError(f"{aside}: {fault.strerror}", refused=refused) from None
        return None

    def _bring(self, delivery: Delivery, aside: Path, texts: Mapping[str, bytes]) -> None:
        """Write texts of an image, by the endings of their names, and move it beside them.

        Raises:
            OSError: it is where it was.
            UndeliveredError: neither the image nor the folder is there, or its disk is not; or the
                folder is the watched one.
        """
        if aside == self.outbox:
            if why := unmounted(aside):
                raise UndeliveredError(why, refused=True)
            with suppress(OSError):  # told at the start
                remember_mount(aside)
        image, sha256 = self.folder / delivery.identity, delivery.sha256
        there = found_at(image, self.max_bytes)
        if aside != self.outbox and not aside.is_dir():
            if not there.look:  # both lie on a share, say, that is not mounted now
                why = "is not there, nor is the image: mount their disk, or make the folder"
                raise UndeliveredError(f"{aside}: {why}", refused=True)
            aside.mkdir(exist_ok=True)
        if are_one(aside, self.folder):  # an image would be moved onto itself, and then be gone
            raise UndeliveredError(f"{aside}: is the watched folder: give another", refused=True)
        aimed = aside / delivery.identity
        if there.is_different(sha256) and digest_of(aimed, self.max_bytes) != sha256:
            # Under the same name they would be taken for those of the one that is there now.
            target = suffixed(aimed, sha256[:12])
            rename_own(aimed, target, texts)
        else:
            target = free_place(aimed, sha256, self.max_bytes, texts)
        for ending, text in texts.items():
            keep(named(target, ending), text)
        move(image, target, there, sha256, self.max_bytes)

    def rest(self) -> None:
        """See `Carrier`; names that could not be given back are now."""
        if self._hides:
            with suppress(OSError):  # told before
                self._reveal()

    def tidy(self) -> None:
        """Give back names that a kill has left hidden, and remove what it has left half-written.

        In this order: answers that cannot be reached keep no image from being taken.

        Raises:
            OSError: a folder cannot be read or written.
        """
        self._reveal()
        if self.outbox and self.outbox.is_dir() and not unmounted(self.outbox):
            remember_mount(self.outbox)
        for folder in (self.done, self.folder / ASIDE):
            with suppress(FileNotFoundError):
                durable.remove_partial(folder)

    def _reveal(self) -> None:
        for path in sorted(self.folder.iterdir()):
            if not (found := MOVED.fullmatch(path.name)):
                continue
            if self._is_brought(path, found[1]):
                path.unlink()
            else:  # perhaps not the one that was answered
                put_back(path, path.with_name(found[1]))
        self._hides = False

    def _is_brought(self, hidden: Path, name: str) -> bool:
        """Whether a hidden file lies beside its answer by now; with its name it would be answered
        again, where there is another one of this name."""
        with suppress(OSError):
            digest = digest_of(hidden, self.max_bytes)
            if digest:
                aimed = self.done / name, self.folder / ASIDE / name
                places = *aimed, *(suffixed(each, digest[:12]) for each in aimed)
                return any(digest_of(each, self.max_bytes) == digest for each in places)
        return False


def are_one(one: Path, other: Path) -> bool:
    """Whether two folders are the same, however they are called."""
    with suppress(FileNotFoundError):
        return os.path.samefile(one, other)
    return False


def digest_of(path: Path, max_bytes: int) -> str | None:
    """The SHA-256 of a file; None where there is none that can be read.

    Raises:
        OSError: the machine cannot read any now.
    """
    try:
        return hashlib.sha256(read_bounded(path, max_bytes)).hexdigest()
    except ShortageError as error:  # a disk or share may fail in this file alone, see `OF_ONE`
        number = errno.EBUSY if FAILING in str(error) else errno.ENOMEM
        raise OSError(number, str(error)) from None
    except UnreadableError:
        return None


def named(path: Path, ending: str) -> Path:
    """Where an image's text lies whose name has this ending."""
    return path.with_name(path.name + ending)


def free_place(aimed: Path, sha256: str, max_bytes: int, texts: Mapping[str, bytes]) -> Path:
    """A path for an image and its texts, by the endings of their names: no other image is
    overwritten, nor a text of one that somebody has taken away already."""
    if os.path.lexists(aimed):
        is_free = digest_of(aimed, max_bytes) == sha256
    else:
        places = ((named(aimed, ending), text) for ending, text in texts.items())
        # One that cannot be read is another's, too, and keeps nobody waiting.
        is_free = all(not os.path.lexists(place) or holds(place, text) for place, text in places)
    return aimed if is_free else suffixed(aimed, sha256[:12])


def rename_own(aimed: Path, target: Path, texts: Mapping[str, bytes]) -> None:
    """Rename what was written before the image was replaced by another one: by an earlier try to
    move it, or before a kill."""
    if os.path.lexists(aimed):
        return
    for ending, text in texts.items():
        if holds(named(aimed, ending), text):
            os.replace(named(aimed, ending), named(target, ending))


def holds(path: Path, content: bytes) -> bool:
    """Whether a file has these bytes.

    Raises:
        OSError: the machine cannot read any now.
    """
    return digest_of(path, len(content)) == hashlib.sha256(content).hexdigest()


def keep(path: Path, content: bytes) -> None:
    """Have a file hold these bytes; see `durable.replace`. One that does is not written again,
    however often its image is tried to be moved."""
    with suppress(OSError):
        if holds(path, content):
            durable.sync_folder(path.parent)  # a kill may have come before that
            return
    durable.replace(path, content)


def look_at(path: Path) -> _Look | None:
    """How a file looks now; None where there is none."""
    try:
        return _Look.of(path.lstat())
    except FileNotFoundError:
        return None


class _Found(NamedTuple):
    """What lies at an image's path now.

    Attributes:
        look: None where there is nothing.
        sha256: None of what is no file that is taken, or cannot be read.
        fault: why it cannot.
    """

    look: _Look | None
    sha256: str | None = None
    fault: OSError | None = None

    def is_different(self, sha256: str) -> bool:
        """Whether it is anything else than the file with this digest."""
        return self.look is not None and self.fault is None and self.sha256 != sha256


def found_at(path: Path, max_bytes: int) -> _Found:
    """What lies at a path now.

    Raises:
        OSError: whether there is anything cannot be told.
    """
    look = look_at(path)
    if look is None or not stat.S_ISREG(look.mode):  # a link may lead to the image itself
        return _Found(look)
    try:
        digest = digest_of(path, max_bytes)
    except OSError as fault:
        return _Found(look, None, fault)
    if digest is None and look.size <= max_bytes:
        return _Found(look, None, OSError(errno.EBUSY, "an image cannot be read, to be moved"))
    return _Found(look, digest)


def move(path: Path, target: Path, found: _Found, sha256: str, max_bytes: int) -> None:
    """Move a file, to another disk, too, if it is the one of this digest; another one stays.

    Args:
        found: what lay at the path before.

    Raises:
        OSError: it is where it was, or is another one by now.
    """
    look = found.look
    if found.fault:
        raise found.fault
    if look is None or found.sha256 != sha256:
        return
    if look_at(path) != look:
        raise replaced()
    if digest_of(target, max_bytes) != sha256:  # what is there already is not written over
        try:
            os.replace(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != sha256:
                raise replaced() from None
            durable.replace(target, data)
        else:
            if not _is_same(target, look, sha256, max_bytes):  # another one has come in between
                put_back(target, path)
                raise replaced()
            return
    hidden = path.with_name(f".{secrets.token_hex(8)}.moved-{path.name}")
    os.replace(path, hidden)
    if _is_same(hidden, look, sha256, max_bytes):
        hidden.unlink()
    else:
        put_back(hidden, path)


def replaced() -> OSError:
    """The error for an image that was replaced meanwhile: the next try sees that."""
    return OSError(errno.EBUSY, "an image is replaced while it is moved")


def _is_same(path: Path, look: _Look, sha256: str, max_bytes: int) -> bool:
    """Whether a file that was moved is the one that was looked at; its bytes say so where some
    file system has given it another number or date."""
    return look.is_moved(_Look.of(path.lstat())) or digest_of(path, max_bytes) == sha256


def put_back(path: Path, place: Path) -> None:
    """Move a file to where it was, or to a name like it where there is another one by now.

    Raises:
        OSError: it is not there.
    """
    try:
        os.link(path, place)
    except OSError:  # there is one, or the file system has no links
        if os.path.lexists(place):
            if os.path.samestat(path.lstat(), place.lstat()):  # a kill has come after the link
                path.unlink()
                return
            place = suffixed(place, secrets.token_hex(4))
        os.rename(path, place)
        return
    path.unlink()


def suffixed(path: Path, part: str) -> Path:
    """A path with a part added to its name, which leaves room for the reason's ending."""
    ending = f"-{part}{path.suffix}"
    return path.with_name(shortened(path.stem, LONGEST_ASIDE - len(os.fsencode(ending))) + ending)


def shortened(name: str, max_bytes: int) -> str:
    """A name cut to this number of bytes."""
    data = os.fsencode(name)
    return name if len(data) <= max_bytes else data[:max_bytes].decode(errors="ignore")


def put_aside(path: Path, folder: Path, reason: str, look: _Look) -> bool:
    """Move a file that is no image to a folder, with a file that says why.

    Args:
        look: of what is no image; another one stays.

    Returns:
        Whether it is there.

    Raises:
        OSError: it is where it was.
    """
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    others = (target, named(target, ANSWER), named(target, REASON))
    if len(os.fsencode(path.name)) > LONGEST_ASIDE or any(map(os.path.lexists, others)):
        target = suffixed(target, secrets.token_hex(4))
    said = write_reason(target, reason)
    try:
        os.replace(path, target)
    except OSError:  # as often as it is tried
        said.unlink()
        raise
    if look.is_like(_Look.of(target.lstat())):
        return True
    put_back(target, path)  # which has come while the reason was written
    said.unlink()
    return False


def write_reason(path: Path, reason: str) -> Path:
    """Write beside a file why it was refused; returns the path."""
    said = named(path, REASON)
    durable.replace(said, as_reason(reason))
    return said


def as_reason(reason: str) -> bytes:
    """The content of a file that says why another one was refused."""
    return f"{reason}\n".encode()
