"""Who a browser is, in a cookie that only this box can make.

The cookie holds a reader's name, an end and a random text, signed with HMAC-SHA256 under a key
that is derived from the spool's salt and from what is kept of the reader's password: a new password
ends all sessions of before. A form proves by a second signature of that text that this page made
it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from typing import Final, NamedTuple

COOKIE: Final = "edge-cxr"
LONGEST: Final = 1024


class Session(NamedTuple):
    """A browser's.

    Attributes:
        reader: who signed in; empty where nobody has to.
        until: seconds since 1970.
        text: that no other session has.
    """

    reader: str
    until: float
    text: str


class Sessions:
    """Makes sessions and knows them again.

    Args:
        salt: of the spool.
        seconds: for which one lasts.
    """

    def __init__(self, salt: bytes, seconds: float) -> None:
        self._key = hmac.new(salt, b"sessions of the page", hashlib.sha256).digest()
        self.seconds = seconds
        self._ended: dict[str, float] = {}

    def begun(self, reader: str) -> Session:
        """A new one."""
        return Session(reader, time.time() + self.seconds, secrets.token_urlsafe(24))

    def cookie(self, session: Session, proof: str) -> str:
        """A session as a cookie's value.

        Args:
            proof: what is kept of the reader's password; empty where nobody signs in.
        """
        content = base64.urlsafe_b64encode(json.dumps(session).encode()).decode()
        return f"{content}.{self._signed('cookie', content, proof)}"

    def claimed(self, cookie: str) -> str | None:
        """Whose session a cookie says it is, believed by nobody yet; None where it says nothing."""
        session = _read(cookie.partition(".")[0])
        return session.reader if session else None

    def known(self, cookie: str, proof: str) -> Session | None:
        """The session in a cookie that was made here, for this proof, and has not ended."""
        content, _, signature = cookie.partition(".")
        if not _same(signature, self._signed("cookie", content, proof)):
            return None
        session = _read(content)
        if session is None or session.until < time.time() or session.text in self._ended:
            return None
        return session

    def end(self, session: Session) -> None:
        """End it, though its cookie may still exist; forgotten when the box starts again."""
        now = time.time()
        still = {text: until for text, until in self._ended.items() if until > now}
        self._ended = {**still, session.text: session.until}

    def form(self, session: Session) -> str:
        """What a form of this session says to prove that it is this page's."""
        return self._signed("form", session.text, "")

    def is_form(self, session: Session, said: str) -> bool:
        """Whether a form's text proves that it is this session's."""
        return _same(said, self.form(session))

    def _signed(self, what: str, text: str, proof: str) -> str:
        parts = "\0".join((what, text, proof)).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, parts, hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())


def _read(content: str) -> Session | None:
    if len(content) > LONGEST:
        return None
    try:
        reader, until, text = json.loads(base64.b64decode(content, b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    if not (isinstance(reader, str) and isinstance(until, float) and isinstance(text, str)):
        return None
    return Session(reader, until, text)
