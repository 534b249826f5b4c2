"""Small forms: read with a bound, and believed only where this page made them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from edge_app.clinic.page.answers import PageError

LONGEST: Final = 32 << 10
MAX_FIELDS: Final = 200

PROOF: Final = "form"
"""The field, and after ``x-`` the header, that says that a form is this page's."""


async def checked_form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form that this page made.

    Raises:
        PageError: it is too long, damaged, or somebody else's.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST:
            raise PageError(413, "error.damaged-form")
    try:
        fields = parse_qsl(data.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise PageError(400, "error.damaged-form") from None
    require_own(request, dict(fields).get(PROOF, ""))
    return fields


def require_own(request: Request, said: str) -> None:
    """Nothing, where a form is this page's, or a machine with a token sent it.

    Raises:
        PageError: it is not.
    """
    if request.scope["machine"]:
        return
    session = request.scope["session"]
    said = said or request.headers.get(f"x-{PROOF}", "")
    if session is None or not request.app.state.room.sessions.is_form(session, said):
        raise PageError(403, "error.form")
