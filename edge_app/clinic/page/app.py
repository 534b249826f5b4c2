"""The page as an ASGI application: its addresses, and what each answers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edge_app.clinic.faults import SpoolError, SpoolFullError
from edge_app.clinic.page import acting, looking, signing_in
from edge_app.clinic.page.answers import PageError, failed
from edge_app.clinic.page.guard import Guard
from edge_app.clinic.page.room import ReadingRoom
from edge_app.clinic.page.upload import UploadError

STATIC: Final = Path(__file__).with_name("static")
KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

ROUTES: Final = (
    ("/", looking.worklist, "GET"),
    ("/upload", acting.upload, "POST"),
    ("/images/{number:int}", looking.image, "GET"),
    ("/images/{number:int}/state", looking.state, "GET"),
    ("/images/{number:int}/picture.png", looking.picture, "GET"),
    ("/images/{number:int}/map/{channel:int}.png", looking.heatmap, "GET"),
    ("/images/{number:int}/answer.json", looking.answer, "GET"),
    ("/images/{number:int}/report.dcm", looking.report, "GET"),
    ("/images/{number:int}/first", acting.first, "POST"),
    ("/images/{number:int}/reading", acting.reading, "POST"),
    ("/readings.csv", looking.readings, "GET"),
    ("/status", looking.status, "GET"),
    ("/sign-in", signing_in.form, "GET"),
    ("/sign-in", signing_in.sign_in, "POST"),
    ("/sign-out", signing_in.sign_out, "POST"),
    ("/healthz", looking.health, "GET"),
)


def application(room: ReadingRoom) -> Any:
    """The page of a reading room."""
    app = Starlette(
        routes=[
            *(Route(path, handler, methods=[method]) for path, handler, method in ROUTES),
            Route("/static/{name}", _static),
        ],
        exception_handlers={
            HTTPException: _http,
            PageError: _page_error,
            UploadError: _upload_error,
            SpoolFullError: _full,
            SpoolError: _spool,
            ClientDisconnect: _gone,
            Exception: _unforeseen,
        },
    )
    app.state.room = room
    guard = Guard(
        app,
        room.page.listener,
        room.events,
        room.accounts,
        room.tries,
        room.texts,
        room.sessions,
    )
    app.state.guard = guard
    return guard


def static_version() -> str:
    """Changes with the files, so that browsers may keep them."""
    made = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        made.update(path.read_bytes())
    return made.hexdigest()[:12]


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    path = STATIC / name
    if path.suffix not in KINDS or name not in {each.name for each in STATIC.iterdir()}:
        raise HTTPException(404)
    return Response(
        path.read_bytes(),
        media_type=KINDS[path.suffix],
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    key = {404: "error.not-found", 405: "error.not-allowed"}.get(error.status_code)
    return failed(request, error.status_code, key or "error.unforeseen")


def _page_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PageError)
    return failed(request, error.status, error.key, **error.values)


def _upload_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UploadError)
    return failed(request, error.status, error.key)


def _full(request: Request, error: Exception) -> Response:
    return failed(request, 507, "error.full")


def _spool(request: Request, error: Exception) -> Response:
    return failed(request, 503, "error.spool", why=str(error))


def _gone(request: Request, error: Exception) -> Response:
    return PlainTextResponse("", 400)


def _unforeseen(request: Request, error: Exception) -> Response:
    """Its text may name patients, so its kind is told."""
    room = request.app.state.room
    room.events.tell("request-failed", kind=type(error).__name__)
    return failed(request, 500, "error.unforeseen")
