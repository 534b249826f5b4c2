"""Signing in and out."""

from __future__ import annotations

import math

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge_app.clinic.page.answers import page, who
from edge_app.clinic.page.forms import checked_form
from edge_app.clinic.page.guard import address_of


def form(request: Request) -> Response:
    """The form to sign in."""
    if not request.app.state.room.accounts or request.scope["reader"]:
        return RedirectResponse("/", 303)
    return page(request, "sign_in.html", why="")


async def sign_in(request: Request) -> Response:
    """Begin a reader's session where name and password are right."""
    room, guard = request.app.state.room, request.app.state.guard
    fields = dict(await checked_form(request))
    if not room.accounts:
        return RedirectResponse("/", 303)
    address = address_of(request)
    wait = room.tries.wait(address)
    if wait > 0:
        seconds = math.ceil(wait)
        answer = page(request, "sign_in.html", 429, why=room.texts("sign-in.wait", seconds=seconds))
        answer.headers["retry-after"] = str(seconds)
        return answer
    name, password = fields.get("name", "").strip(), fields.get("password", "")
    room.tries.failed(address)  # until it is shown to be right: tries at once count, too
    if not await run_in_threadpool(room.accounts.proves_password, name, password):
        # What was typed may be a password in the wrong field.
        room.events.audit("sign-in-refused", host=address, why="wrong name or password")
        return page(request, "sign_in.html", 403, why=room.texts("sign-in.wrong"))
    room.tries.succeeded(address)
    room.events.audit("signed-in", **{**who(request), "peer": name})
    answer = RedirectResponse("/", 303)
    answer.headers.append("set-cookie", guard.cookie(room.sessions.begun(name)))
    return answer


async def sign_out(request: Request) -> Response:
    """End the browser's session."""
    room, guard = request.app.state.room, request.app.state.guard
    await checked_form(request)
    if request.scope["session"]:
        room.sessions.end(request.scope["session"])
    room.events.audit("signed-out", **who(request))
    answer = RedirectResponse("/", 303)
    answer.headers.append("set-cookie", guard.cookie(room.sessions.begun("")))
    return answer
