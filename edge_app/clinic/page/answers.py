"""Pages of HTML, and errors as whoever asked can read them."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.plain_text import percent, readable

FOLDER: Final = Path(__file__).with_name("templates")


class PageError(Exception):
    """Why something cannot be done.

    Attributes:
        status: of HTTP.
        key: of the text that says it.
        values: what is put into the text.
    """

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.status, self.key, self.values = status, key, values


@cache
def _templates() -> jinja2.Environment:
    from edge_app.clinic.page.app import static_version

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"percent": percent, "moment": moment, "machine_moment": machine_moment}
    made.filters["readable"] = readable
    made.globals |= {
        "static": f"/static/{{}}?{static_version()}",
        "disclaimer": DISCLAIMER,
        "version": __version__,
    }
    return made


def page(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page.

    Args:
        template: its name.
        values: for it.
    """
    room = request.app.state.room
    session = request.scope.get("session")
    text = (
        _templates()
        .get_template(template)
        .render(
            t=room.texts,
            room=room,
            reader=request.scope.get("reader", ""),
            users=room.accounts is not None,
            path=request.url.path,
            form=room.sessions.form(session) if session else "",
            **values,
        )
    )
    return HTMLResponse(text, status)


def wants_json(request: Request) -> bool:
    """Whether a program asks."""
    return "application/json" in request.headers.get("accept", "")


def failed(request: Request, status: int, key: str, **values: object) -> Response:
    """An error, for a person or for a program."""
    why = request.app.state.room.texts(key, **values)
    if wants_json(request):
        return JSONResponse({"error": why}, status)
    return page(request, "message.html", status, why=why)


def moment(seconds: float | None) -> str:
    """A time as the clinic's clocks show it."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def machine_moment(seconds: float | None) -> str:
    """The same for programs."""
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def who(request: Request) -> dict[str, Any]:
    """Who asks, for the audit log."""
    host = request.client.host if request.client else ""
    return {"peer": request.scope.get("reader") or "page", "host": host}
