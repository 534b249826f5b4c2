"""A box with a page, in this process, and a client that speaks to it as a browser or a program."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from edge_app.clinic.box import Box
from edge_app.clinic.settings import read_settings

from ..peers import free_port, wait_for

FORM = re.compile(r'data-form="(\w*)"')
BOUNDARY = "edge-cxr-test"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Keeps a cookie, as a browser does, and knows the page's form text."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port, self.token, self.cookie, self.form = port, token, "", ""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        sent = {"Accept": "text/html", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, sent)
            came = connection.getresponse()
            answer = Answer(came.status, came.headers, came.read())
        finally:
            connection.close()
        for each in answer.headers.get_all("Set-Cookie", []):
            self.cookie = each.partition(";")[0]
        found = FORM.search(answer.body.decode("utf-8", "replace"))
        if found:
            self.form = found[1]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: Sequence[tuple[str, str]] = (), **headers: str) -> Answer:
        """A form of this page."""
        if not self.form and not self.token:
            self.get("/")
        body = urlencode([("form", self.form), *fields]).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body, **{**kind, **headers})

    def upload(self, *files: tuple[str, bytes], form: str | None = None, **headers: str) -> Answer:
        """Files, answered as to a program."""
        if not self.form and not self.token:
            self.get("/")
        parts = [("form", None, (self.form if form is None else form).encode())]
        body = multipart([*parts, *(("file", name, data) for name, data in files)])
        kind = {"Content_Type": f"multipart/form-data; boundary={BOUNDARY}"}
        accept = {"Accept": "application/json"}
        return self.ask("POST", "/upload", body, **{**kind, **accept, **headers})


def multipart(parts: Sequence[tuple[str, str | None, bytes]]) -> bytes:
    """Name, file name, content of each part → a body (RFC 7578)."""
    made = b""
    for name, file, content in parts:
        said = f'form-data; name="{name}"' + (f'; filename="{file}"' if file is not None else "")
        made += f"--{BOUNDARY}\r\nContent-Disposition: {said}\r\n\r\n".encode() + content + b"\r\n"
    return made + f"--{BOUNDARY}--\r\n".encode()


class Served(NamedTuple):
    """A running box."""

    box: Box
    folder: Path
    port: int
    metrics: int

    def client(self, token: str = "") -> Client:
        return Client(self.port, token)

    def wait(self, number: int) -> None:
        """Until an image is answered."""
        question = "SELECT count(*) FROM image WHERE id = ? AND answered IS NOT NULL"
        wait_for(lambda: bool(self.box.store.value(question, number)), f"answer {number}")

    def audit(self) -> list[dict[str, Any]]:
        """The audit log."""
        path = self.box.settings.spool / "audit.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def serving(
    folder: Path, top: str = "", page: str = "", model: str = "cxr-cnn28"
) -> Iterator[Served]:
    """A box with a page and metrics, on free ports.

    Args:
        top: more lines before the first table.
        page: more lines of the page's table.
    """
    port, metrics = free_port(), free_port()
    (folder / "box.toml").write_text(
        f'spool = "spool"\nmodel = "{model}"\nleast_free_mb = 1\n{top}\n'
        f"[page]\nport = {port}\n{page}\n[metrics]\nport = {metrics}\n"
    )
    box = Box(read_settings(folder / "box.toml"))
    box.start()
    try:
        yield Served(box, folder, port, metrics)
    finally:
        box.end()
