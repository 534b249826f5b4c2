"""What readers see: the worklist, a study, its picture and heatmaps, downloads, the status."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from edge_app.clinic.header import HeaderError, is_dicom
from edge_app.clinic.page.answers import PageError, page, who
from edge_app.clinic.page.drawing import LARGEST, BusyError
from edge_app.clinic.page.study import Study
from edge_app.clinic.page.worklist import SORTS, Question, question_of
from edge_app.clinic.results import as_json, provenance, report_name
from edge_app.clinic.settings import PAGE, WATCH, in_settings
from edge_app.clinic.statements import decided_by
from edge_app.clinic.summary import STATES, UNANSWERED, UNREADABLE, WAITING, unpacked
from edge_app.core.errors import EdgeCxrError, ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_app.model.preprocess import Box

PICTURE: Final = 1400
"""Pixels of the longer side, where a picture is first shown."""


def found(request: Request) -> Any:
    """The image that an address names.

    Raises:
        PageError: it is not there, or not any more.
    """
    image = request.app.state.room.worklist.image(request.path_params["number"])
    if image is None:
        raise PageError(404, "error.not-found")
    return image


def worklist(request: Request) -> Response:
    """The list of images."""
    room = request.app.state.room
    question = question_of(request.query_params)
    answer = room.worklist.page(question)
    part = request.query_params.get("part") == "list"
    if not part:  # which a page asks for by itself
        room.events.audit("viewed", **who(request), part="worklist")
    return page(
        request,
        "list.html" if part else "worklist.html",
        rows=answer.rows,
        by_others=_by_others(room, [row["id"] for row in answer.rows]),
        question=question,
        counts=room.worklist.counts(),
        states=STATES,
        sorts=SORTS,
        back=_link(question, before=answer.back) if answer.back else "",
        on=_link(question, after=answer.on) if answer.on else "",
        megabytes=room.page.max_bytes >> 20,
    )


def _by_others(room: Any, numbers: list[int]) -> set[int]:
    """Those of some images that were answered by another model, site file or operating point than
    the box has now: their scores are not beside the others' by the same measure."""
    answers = room.worklist.answers(numbers)
    ours = room.spool.decides
    return {number for number in answers if decided_by(json.loads(answers[number])) != ours}


def _link(question: Question, **key: str) -> str:
    parameters = {"state": question.state, "q": question.sought, "sort": question.sort, **key}
    return "/?" + urlencode({name: value for name, value in parameters.items() if value})


def image(request: Request) -> Response:
    """An image, and its answer."""
    room, row = request.app.state.room, found(request)
    said = room.model.study_of(json.loads(row["answer"])) if row["answer"] else None
    cells = _cells(request, row, said)
    squares = _squares(request, row, said, cells)
    chosen = _chosen(request.query_params.get("map", ""), squares)
    path = room.store.images / row["file"]
    _audit_view(request, row, "answer")
    return page(
        request,
        "study.html",
        image=row,
        said=said,
        squares=squares,
        chosen=chosen,
        has_file=path.exists(),
        has_report=path.exists() and is_dicom(path) and not (said and said.unjudged),
        delivery=_delivery(request, row),
        size=_size(row),
        map_worth="" if cells is None else room.overlays.worth,
        same_model=said is not None and room.model.gave(said),
        came=request.query_params.get("came", ""),
        kept=request.query_params.get("kept", "") == "yes",
        readings=room.readings.of(row["sha256"]),
        waiting=0 if said else room.worklist.waiting(),
        findings=[room.labels[i].name for i in room.labels.findings],
    )


def _delivery(request: Request, row: Any) -> str:
    """The key of the text on what became of an answer's documents."""
    if row["finished"] is None:
        return "study.undelivered"
    if request.app.state.room.deliveries.count(row["id"]):
        return "study.delivered"
    return "study.same-page" if row["entrance"] == PAGE else "study.unsent"


def _audit_view(request: Request, row: Any, part: str) -> None:
    room = request.app.state.room
    digest = room.events.digest(row["identity"])
    room.events.audit("viewed", **who(request), image=digest, number=row["id"], part=part)


def _cells(request: Request, row: Any, said: Study | None) -> NDArray[np.float32] | None:
    """The map of an answer; None where there is none that can be shown."""
    if said is None or row["map"] is None or not _is_shown(request, said):
        return None
    return unpacked(row["map"])


def _squares(
    request: Request, row: Any, said: Study | None, cells: NDArray[np.float32] | None
) -> dict[int, Box | None]:
    """For each finding that has a heatmap, by channel: where it is strongest, None if nowhere."""
    if said is None or cells is None:
        return {}
    overlays, (width, height) = request.app.state.room.overlays, _size(row)
    return {each.channel: overlays.square(cells, each.channel, width, height) for each in said.rows}


def _is_shown(request: Request, said: Study) -> bool:
    """Whether the answer's map can be read: it is one of the model that is in use."""
    room = request.app.state.room
    return room.overlays is not None and room.model.gave(said)


def _size(row: Any) -> tuple[int, int]:
    facts = (json.loads(row["answer"]) if row["answer"] else {}).get("image")
    return (facts["width"], facts["height"]) if facts else (1, 1)


def _chosen(text: str, squares: Mapping[int, Any]) -> int | None:
    with suppress(ValueError):
        if len(text) < 4 and int(text) in squares:
            return int(text)
    return None


def state(request: Request) -> Response:
    """Whether an image is answered."""
    return JSONResponse({"state": found(request)["state"]})


def picture(request: Request) -> Response:
    """The picture that the network was given, as a PNG."""
    room, row = request.app.state.room, found(request)
    if row["state"] in (
        WAITING,
        UNREADABLE,
        UNANSWERED,
    ):  # decoded by the worker, before anybody looks
        raise PageError(404, "error.not-answered")
    side = LARGEST if request.query_params.get("size") == "full" else PICTURE
    path = room.store.images / row["file"]
    if not path.exists():
        raise PageError(404, "error.gone")
    try:
        data = room.drawing.png(lambda: room.kept(row), side)
    except ImageError as error:
        raise PageError(422, "error.picture", why=in_settings(str(error))) from None
    except BusyError:
        raise PageError(503, "error.busy") from None
    _audit_view(request, row, "picture")
    return Response(data, media_type="image/png")


def heatmap(request: Request) -> Response:
    """A finding's heatmap, to be laid over the picture."""
    room, row = request.app.state.room, found(request)
    said = room.model.study_of(json.loads(row["answer"])) if row["answer"] else None
    channel = request.path_params["channel"]
    known = said is not None and channel in {each.channel for each in said.rows}
    cells = _cells(request, row, said)
    if not known or cells is None:
        raise PageError(404, "error.no-map")
    data = room.overlays.png(cells, channel, *_size(row))
    return Response(data, media_type="image/png")


def answer(request: Request) -> Response:
    """The answer as JSON, as `classify --json` prints it, without a file's name."""
    row = _answered(request)
    text = as_json(
        {**json.loads(row["answer"]), "file": f"image {row['id']}"}, bool(row["differs"])
    )
    return _download(request, row, text.encode(), "application/json", "json")


def report(request: Request) -> Response:
    """The answer as a DICOM structured report."""
    room, row = request.app.state.room, _answered(request)
    kept = room.store.rows(
        "SELECT content FROM document WHERE image = ? AND name = ?",
        *(row["id"], report_name(row["id"])),
    )
    if kept:
        return _download(request, row, kept[0]["content"], "application/dicom", "dcm")
    if row["state"] == UNANSWERED:  # by the box: nothing is said of the image
        raise PageError(404, "error.no-report")
    try:
        whose = provenance(room.kept(row), row["entrance"], row["sha256"])
        content = room.results.report(whose, json.loads(row["answer"]), bool(row["differs"]))
    except HeaderError:
        raise PageError(404, "study.no-sr") from None
    except ImageError:
        raise PageError(404, "error.gone") from None
    except EdgeCxrError as error:
        raise PageError(503, "error.report", why=str(error)) from None
    except ImportError as error:
        why = f"{error.name} is not installed: pip install 'edge-cxr[clinic]'"
        raise PageError(503, "error.report", why=why) from None
    return _download(request, row, content, "application/dicom", "dcm")


def _answered(request: Request) -> Any:
    row = found(request)
    if row["answer"] is None:
        raise PageError(404, "error.not-answered")
    return row


def _download(request: Request, row: Any, data: bytes, kind: str, suffix: str) -> Response:
    room = request.app.state.room
    room.events.audit(
        "exported",
        **who(request),
        image=room.events.digest(row["identity"]),
        number=row["id"],
        kind=suffix,
    )
    name = f"image-{row['id']}.{suffix}"
    return Response(
        data, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def readings(request: Request) -> Response:
    """What readers said, as a CSV."""
    room = request.app.state.room
    room.events.audit("exported", **who(request), kind="csv", count=room.readings.count())
    return Response(
        "".join(room.readings.csv()),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="readings.csv"'},
    )


def status(request: Request) -> Response:
    """How the box stands."""
    room = request.app.state.room
    free, min_free = room.store.free(), room.settings.min_free
    receivers = list(_receivers(room))
    return page(
        request,
        "status.html",
        address=str(request.base_url),
        ill=room.ill(),
        refusing=free < min_free,
        free=free,
        least=min_free,
        counts=room.spool.counts(),
        oldest=room.worklist.oldest_waiting(),
        receivers=receivers,
        stuck=[name for name, _, standing in receivers if standing.trouble],
        troubles=[
            (each.time, each.event, " ".join(f"{k}={v}" for k, v in each.facts.items()))
            for each in reversed(room.events.troubles)
        ],
        readings=room.readings.count(),
    )


def _receivers(room: Any) -> Iterator[tuple[str, bool, Any]]:
    """Name, whether it is in the settings, what it has still to get."""
    known = [each.name for each in room.settings.receivers]
    known += [WATCH] if room.settings.watch else []
    for name in [*known, *sorted(room.deliveries.receivers() - {*known})]:
        yield name, name in known, room.deliveries.standing(name)


def health(request: Request) -> Response:
    """Whether the box works, for a program that watches it."""
    why = request.app.state.room.ill()
    return PlainTextResponse(f"{why or 'ok'}\n", 503 if why else 200)
