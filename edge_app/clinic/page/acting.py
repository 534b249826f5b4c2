"""What readers do: upload, ask for an image to be answered next, say what they see."""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from edge_app.clinic.faults import SpoolFullError
from edge_app.clinic.page.answers import PageError, wants_json, who
from edge_app.clinic.page.forms import PROOF, checked_form, require_own
from edge_app.clinic.page.looking import found
from edge_app.clinic.page.readings import ReadingError, reading_of
from edge_app.clinic.page.upload import OVERHEAD, Form, UploadError
from edge_app.clinic.spool import Receipt
from edge_app.clinic.summary import WAITING
from edge_app.core.errors import ImageError


async def upload(request: Request) -> Response:
    """Take files; a success says that they are on the disk."""
    room = request.app.state.room
    if not room.uploads.acquire(blocking=False):
        raise PageError(503, "error.busy")
    try:
        receipts = await _uploaded(request)
    except UploadError as error:
        _tell_refused(request, error.status, room.texts(error.key))
        raise
    except SpoolFullError as error:
        _tell_refused(request, 507, str(error))
        raise
    finally:
        room.uploads.release()
    if wants_json(request):
        made = [{"number": each.id, "verdict": each.verdict} for each in receipts]
        return JSONResponse({"images": made}, 201)
    (first, *others) = receipts
    target = "/" if others else f"/images/{first.id}?came={first.verdict}"
    return RedirectResponse(target, 303)


def _tell_refused(request: Request, status: int, why: str) -> None:
    room = request.app.state.room
    room.events.audit("refused", **who(request), status=str(status), why=why)


async def _uploaded(request: Request) -> list[Receipt]:
    room, max_bytes = request.app.state.room, request.app.state.room.page.max_bytes
    size = request.headers.get("content-length", "0")
    length = int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0
    if length > max_bytes + OVERHEAD:
        raise UploadError(413, "error.too-large")
    room.spool.require_room(length)

    def admit(fields: dict[str, str]) -> None:
        require_own(request, fields.get(PROOF, ""))

    content_type = request.headers.get("content-type", "")
    form = Form(content_type, room.store.images, max_bytes, admit)
    try:
        await form.read(request.stream(), room.spool.require_room)
        if not form.files or not any(file.size for file in form.files):
            raise UploadError(400, "error.no-file")
        facts = who(request)
        return [
            await run_in_threadpool(room.accept, file, request.scope["reader"], facts["host"])
            for file in form.files
            if file.size
        ]
    finally:
        form.close()


async def first(request: Request) -> Response:
    """Have an image answered before all others."""
    room = request.app.state.room
    fields = dict(await checked_form(request))
    number = request.path_params["number"]
    image = await run_in_threadpool(found, request)
    if not await run_in_threadpool(room.spool.hasten, number):
        raise PageError(409, "error.not-waiting")
    room.events.audit(
        "hastened", **who(request), image=room.events.digest(image["identity"]), number=number
    )
    if wants_json(request):
        return JSONResponse({"number": number})
    return RedirectResponse(f"/images/{number}" if fields.get("back") == "image" else "/", 303)


async def reading(request: Request) -> Response:
    """Keep what a reader says of an answer."""
    form = await checked_form(request)
    number = request.path_params["number"]
    await run_in_threadpool(_keep, request, form)
    return RedirectResponse(f"/images/{number}?kept=yes#reading", 303)


def _keep(request: Request, form: list[tuple[str, str]]) -> None:
    room, image = request.app.state.room, found(request)
    if image["state"] == WAITING:
        raise PageError(409, "error.not-answered")
    # An older copy of the database gives numbers twice; whoever reads has the other image before
    # them.
    if dict(form).get("sha256", image["sha256"]) != image["sha256"]:
        raise PageError(409, "error.another")
    try:
        said = reading_of(form, room.labels)
        answer = _answer_of(image)
        room.readings.keep(image, request.scope["reader"], said, room.patient(image), answer)
    except ReadingError as error:
        raise PageError(400, str(error)) from None
    except (OSError, ImageError):
        raise PageError(409, "error.gone") from None
    room.events.audit(
        "reading",
        **who(request),
        image=room.events.digest(image["identity"]),
        number=image["id"],
        opinion=said.opinion,
    )


def _answer_of(image: Any) -> dict[str, str]:
    answer = json.loads(image["answer"])
    return {"model": answer["model"]["sha256"], "operating_point": answer["operating_point"]}
