"""Events, one line each, and an audit log of who sent and who got what.

Nothing in them says who a patient is: identifiers and file names appear as digests under the
spool's own salt, so that two lines of one image can be tied together, and nobody outside can tell
whose it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from edge_app.core.plain_text import plain

DIGEST_DIGITS: Final = 12
AUDIT_BYTES: Final = 16 << 20
"""Bytes of an audit log; a full one is renamed to ``.1``, in the place of the one before."""

LONGEST: Final = 300
"""Characters of a value, at most: peers choose what they say of themselves."""

TROUBLE: Final = frozenset(
    (
        *("refused", "rejected", "undelivered", "receiver-unknown", "audit-failed"),
        *("answering-failed", "answering-stalled", "delivery-stalled", "watch-stalled"),
        *("image-lost", "image-given-up", "files-unknown", "aborted"),
        *("housekeeping-failed", "thread-failed", "request-failed", "sign-in-refused"),
    )
)
"""Events that a person should look at."""

REMEMBERED: Final = 20

Value = str | int | float | bool | None
Hearer = Callable[[str, Mapping[str, Value]], None]


class PastEvent(NamedTuple):
    """A logged event, with its time in seconds since 1970."""

    time: float
    event: str
    facts: Mapping[str, Value]


class Events:
    """Writes events to standard error, which is the journal where systemd started this.

    Args:
        salt: of the spool.
        audit: the audit log's file; None for none.
        out: where the lines go; standard error if None.

    Attributes:
        troubles: the latest of `TROUBLE`.
        hearers: are told of every event; they take no time, and raise nothing.
    """

    def __init__(self, salt: bytes, audit: Path | None = None, out: TextIO | None = None) -> None:
        self.salt, self.audit_file, self.out = salt, audit, out or sys.stderr
        self.troubles: deque[PastEvent] = deque(maxlen=REMEMBERED)
        self.hearers: list[Hearer] = []
        self._lock = threading.Lock()
        self._dated = "JOURNAL_STREAM" not in os.environ  # the journal has its own times

    def digest(self, text: str) -> str:
        """What stands for an identifier or a file's name: 12 hexadecimal digits."""
        made = hmac.new(self.salt, text.encode("utf-8", "surrogateescape"), hashlib.sha256)
        return made.hexdigest()[:DIGEST_DIGITS]

    def tell(self, event: str, /, **facts: Value) -> None:
        """One line: the event's name, and what belongs to it as ``key=value``."""
        if event in TROUBLE:
            self.troubles.append(PastEvent(time.time(), event, facts))
        for hear in self.hearers:
            hear(event, facts)
        words = [_now()] if self._dated else []
        words += [event, *(f"{key}={_word(value)}" for key, value in facts.items())]
        with self._lock, suppress(OSError):  # who listens may have gone
            print(" ".join(words), file=self.out, flush=True)

    def audit(self, event: str, /, **facts: Value) -> None:
        """The same, and a line of JSON in the audit log."""
        self.tell(event, **facts)
        if self.audit_file is None:
            return
        line = json.dumps({"time": _now(), "event": event, **facts}, ensure_ascii=False)
        try:
            with self._lock:
                self._append(self.audit_file, line)
        except OSError as error:
            self.tell("audit-failed", reason=error.strerror)

    def _append(self, path: Path, line: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size > AUDIT_BYTES:
                path.replace(path.with_name(path.name + ".1"))
            os.write(descriptor, line.encode("utf-8", "backslashreplace") + b"\n")
        finally:
            os.close(descriptor)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _word(value: Value) -> str:
    """A value without spaces, or in quotes."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    text = plain(f"{value:g}" if isinstance(value, float) else str(value))[:LONGEST]
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
