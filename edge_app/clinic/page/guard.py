"""Checks of every request: is it for this box, who sends it, and may they.

- The ``Host`` header names this machine: a page elsewhere that has its own name resolve to this
  box's address (DNS rebinding) does not get in.
- Where there are users, a session's cookie or a machine's token says who it is.
- What changes something comes from this page: browsers say so in ``Sec-Fetch-Site``, and the
  handlers look for the session's form text.
- Every answer carries a policy that lets a browser load nothing from elsewhere, and run no script
  but the page's own.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from edge_app.clinic.faults import SettingsError
from edge_app.clinic.page.accounts import Accounts
from edge_app.clinic.page.sessions import COOKIE, Session, Sessions
from edge_app.clinic.page.texts import Texts
from edge_app.clinic.page.tries import Tries
from edge_app.clinic.settings import Listener

if TYPE_CHECKING:
    from edge_app.clinic.events import Events

POLICY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
NO_STORE: Final = (b"cache-control", b"no-store")

SAFE: Final = ("GET", "HEAD")
OPEN: Final = ("/sign-in", "/healthz")
"""Paths that nobody has to sign in for; so are those below `STATIC`."""

STATIC: Final = "/static/"
LONGEST_COOKIE: Final = 4096


class Guard:
    """Lets requests through to an application, with `scope["reader"]` and `scope["session"]`.

    Args:
        app: the ASGI application.
        listener: where it is served.
        events: who was refused is told there.
        accounts: who may come in; None for everybody.
        sessions: None where only machines come.
        tries: how often an address was wrong.
    """

    def __init__(
        self,
        app: Any,
        listener: Listener,
        events: Events,
        accounts: Accounts | None,
        tries: Tries,
        texts: Texts,
        sessions: Sessions | None = None,
    ) -> None:
        self.app, self.events, self.texts = app, events, texts
        self.accounts, self.sessions, self.tries = accounts, sessions, tries
        self.secure = listener.certificate is not None
        own = socket.gethostname().lower()
        self.names = {"localhost", own, own.partition(".")[0], *listener.names}
        self.names |= {f"{own.partition('.')[0]}.local"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        cookies: list[str] = []
        answer = self._refused(scope, request, cookies)

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *HEADERS]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(NO_STORE)
                headers += [(b"set-cookie", each.encode("ascii")) for each in cookies]
                message = {**message, "headers": headers}
            await send(message)

        await (answer or self.app)(scope, receive, send_guarded)

    def _refused(self, scope: Any, request: Request, cookies: list[str]) -> Response | None:
        """What is answered instead of letting a request through; None where it may pass."""
        host = request.headers.get("host", "")
        if not self.is_own(host):
            return PlainTextResponse(self.texts("error.host", host=_short(host)), 421)
        if scope["method"] not in SAFE and request.headers.get("sec-fetch-site", "same-origin") in (
            "cross-site",
            "same-site",
        ):
            return PlainTextResponse(self.texts("error.form"), 403)
        try:
            machine = self._machine(request)
            scope["session"] = None if machine else self._session(request, cookies)
        except SettingsError as error:
            self.events.tell("request-failed", why=str(error))
            return PlainTextResponse(self.texts("error.unforeseen"), 500)
        session = scope["session"]
        scope["machine"] = machine is not None
        scope["reader"] = machine or (session.reader if session else "")
        path = scope["path"]
        if not self.accounts or scope["reader"] or path in OPEN or path.startswith(STATIC):
            return None
        if (
            self.sessions
            and scope["method"] == "GET"
            and "html" in request.headers.get("accept", "")
        ):
            return RedirectResponse("/sign-in", 303)
        return JSONResponse(
            {"error": self.texts("error.sign-in")}, 401, {"www-authenticate": "Bearer"}
        )

    def is_own(self, host: str) -> bool:
        """Whether a Host header names this machine: an address, or one of its names."""
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name.lower().rstrip(".") in self.names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _machine(self, request: Request) -> str | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not self.accounts or kind.lower() != "bearer":
            return None
        address = address_of(request)
        if self.tries.wait(address) > 0:
            return None
        name = self.accounts.of_token(token.strip()[:256])
        if name is None:
            self.tries.failed(address)
            self.events.audit("sign-in-refused", host=address, why="no such token")
        return name

    def _session(self, request: Request, cookies: list[str]) -> Session | None:
        """The browser's session, or a new one of nobody."""
        if self.sessions is None:
            return None
        kept = cookie_of(request.headers)
        if kept:
            reader = self.sessions.claimed(kept)
            proof = self.proof(reader) if reader is not None else None
            known = self.sessions.known(kept, proof) if proof is not None else None
            if known:
                return known
        session = self.sessions.begun("")
        if request.method == "GET" and not request.url.path.startswith((STATIC, "/healthz")):
            cookies.append(self.cookie(session))
        return session

    def proof(self, reader: str) -> str | None:
        """What is kept of a reader's password; None where there is no such reader (any more)."""
        if not reader:
            return ""
        account = self.accounts.all().get(reader) if self.accounts else None
        return account.proof if account else None

    def cookie(self, session: Session) -> str:
        """A Set-Cookie header for a session."""
        assert self.sessions is not None
        value = self.sessions.cookie(session, self.proof(session.reader) or "")
        secure = "; Secure" if self.secure else ""
        age = round(self.sessions.seconds)
        return f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"


def cookie_of(headers: Mapping[str, str]) -> str:
    """What a browser sent back; empty where it sent nothing that is a cookie of this page."""
    text = headers.get("cookie", "")[:LONGEST_COOKIE]
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def address_of(request: Request) -> str:
    """Who asks; of an IPv6 address the network, for its owner has 2^64 of them."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 6 and not address.is_loopback:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _short(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:100]
