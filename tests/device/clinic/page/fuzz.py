"""Thousands of damaged HTTP requests at a page: what is answered to each, counted.

    python -m tests.device.clinic.page.fuzz --number 10000 [--seed 0]

Exit code 1 where one of them makes the box fail (an error that nobody foresaw, a status of 500, a
part of it that ends), or where all together leave something behind: descriptors, threads, memory,
half a file.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from ..images import dicom
from .serving import BOUNDARY, Client, Served, multipart, serving

PATIENCE: Final = 0.15
"""Seconds without an answer after which a request counts as one that is not complete."""

BETWEEN_LOOKS: Final = 250
BETWEEN_SESSIONS: Final = 20
MEGABYTES: Final = 60
"""By which the process may grow."""

EXPECTED: Final = frozenset((503, 507))
"""Of the statuses from 500 on, those that are answers."""

WORDS: Final = (
    *(b"\r\n", b"\0", b"\xff\xfe", b"%00", b"%2e%2e/", b"../", b"//", b"?", b"#", b";", b"'"),
    *(b"-1", b"99999999999999999999", b"1e999", b"nan", b"{{7*7}}", b"<script>", b"\xc3\x28"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n"),
    *(b"Host: evil.example\r\n", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n"),
    *(b"Connection: keep-alive\r\n", b"Authorization: Bearer x\r\n", b"Cookie: edge-cxr=.\r\n"),
    *(b"Range: bytes=0-1\r\n", b"A" * 20_000, b"--" + BOUNDARY.encode() + b"\r\n"),
    *(b'filename="', b"; filename*=UTF-8''%ff", b"Content-Transfer-Encoding: base64\r\n"),
)
"""What is put in somewhere."""


class Outcome(NamedTuple):
    """What became of the requests.

    Attributes:
        kinds: how many answers of each status; 0 is none.
        faults: one line each.
    """

    kinds: Counter[int]
    faults: list[str]


def corpus(client: Client, number: int) -> list[bytes]:
    """Requests that are as they should be, of every kind."""
    client.get("/")
    common = f"Host: localhost\r\nCookie: {client.cookie}\r\nConnection: close\r\n"
    paths = (
        *("/", "/?state=flagged&sort=highest&q=a&after=0.5_3", "/?part=list&before=2", "/status"),
        *(f"/images/{number}", f"/images/{number}?map=0", f"/images/{number}/map/0.png"),
        *(f"/images/{number}/answer.json", f"/images/{number}/state", "/readings.csv"),
        *("/static/page.css", "/healthz", "/sign-in"),
    )
    made = [f"GET {path} HTTP/1.1\r\n{common}Accept: text/html\r\n\r\n".encode() for path in paths]
    small = f"form={client.form}&opinion=agrees&label=Mass&note=x&name=a&password=b".encode()
    for path in (f"/images/{number}/reading", f"/images/{number}/first", "/sign-in", "/sign-out"):
        head = f"POST {path} HTTP/1.1\r\n{common}Content-Length: {len(small)}\r\n\r\n"
        made.append(head.encode() + small)
    form = ("form", None, client.form.encode())
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    for parts in (
        [form, ("file", "a.png", b"\x89PNG\r\n\x1a\n" + bytes(200))],
        [form, ("file", "a.dcm", dicom(9)[:3000])],
        [form, ("file", "one", b"1"), ("file", "two", b"2")],
    ):
        body = multipart(parts)
        head = f"POST /upload HTTP/1.1\r\n{common}{kind}Content-Length: {len(body)}\r\n\r\n"
        made.append(head.encode() + body)
        chunked = b"".join(
            b"%x\r\n%b\r\n" % (len(piece), piece)
            for piece in (body[i : i + 300] for i in range(0, len(body), 300))
        )
        head = f"POST /upload HTTP/1.1\r\n{common}{kind}Transfer-Encoding: chunked\r\n\r\n"
        made.append(head.encode() + chunked + b"0\r\n\r\n")
    return made


def mutated(request: bytes, chance: random.Random) -> bytes:
    """A request with some damage."""
    data = bytearray(request)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        steps: tuple[Callable[[bytearray, random.Random], None], ...] = (
            *(_flip, _cut, _put, _put, _double, _swap, _field),
        )
        chance.choice(steps)(data, chance)
    return bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    start = _place(data, chance)
    del data[start : start + chance.choice((1, 2, 10, 100, len(data)))]


def _put(data: bytearray, chance: random.Random) -> None:
    place = _place(data, chance)
    data[place:place] = chance.choice(WORDS)


def _double(data: bytearray, chance: random.Random) -> None:
    start = _place(data, chance)
    piece = data[start : start + chance.choice((1, 20, 200, 2000))]
    data[start:start] = piece * chance.choice((1, 1, 2, 50))


def _swap(data: bytearray, chance: random.Random) -> None:
    lines = data.split(b"\r\n")
    chance.shuffle(lines)
    data[:] = b"\r\n".join(lines)


def _field(data: bytearray, chance: random.Random) -> None:
    """Another line among the headers, where it is read as one."""
    place = data.find(b"\r\n")
    if place >= 0:
        data[place + 2 : place + 2] = chance.choice(WORDS)


def status(port: int, request: bytes) -> int:
    """The status that a request is answered with; 0 without an answer."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(PATIENCE)
        came = b""
        with suppress(OSError):
            peer.sendall(request)
        with suppress(OSError):
            while len(came) < 1 << 22 and (piece := peer.recv(1 << 16)):
                came += piece
    head = came.split(b" ", 2)
    return int(head[1]) if len(head) > 2 and head[1].isdigit() else 0


def run(served: Served, seed: int, number: int) -> Outcome:
    """So many damaged requests at a box that runs."""
    client = served.client()
    image = client.upload(("whole.dcm", dicom(1))).json["images"][0]["number"]
    served.wait(image)
    requests, chance = corpus(client, image), random.Random(seed)
    kinds: Counter[int] = Counter()
    faults: list[str] = []
    for request in requests * 3:  # what is imported, and kept, at the first one
        status(served.port, request)
    before = _held()
    for count in range(1, number + 1):
        request = mutated(chance.choice(requests), chance)
        troubles = len(served.box.events.troubles)
        previous = served.box.events.troubles[-1] if troubles else None
        found = status(served.port, request)
        kinds[found] += 1
        latest = served.box.events.troubles[-1] if served.box.events.troubles else None
        failed = latest is not previous and latest is not None and latest.event == "request-failed"
        if failed or (found >= 500 and found not in EXPECTED):
            faults.append(f"request {count}, status {found}, {latest}: {request[:200]!r}")
        if count % BETWEEN_SESSIONS == 0:  # one of them may have ended the session
            requests = corpus(served.client(), image)
        if count % BETWEEN_LOOKS == 0 and (client.get("/").status != 200 or served.box.ill()):
            faults.append(f"after request {count} the box is ill: {served.box.ill()}")
            break
    faults += _left(served, before)
    return Outcome(kinds, faults)


class Held(NamedTuple):
    """What this process holds."""

    files: int
    threads: int
    megabytes: int


def _held() -> Held:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    megabytes = pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return Held(len(os.listdir("/proc/self/fd")), threading.active_count(), megabytes)


def _left(served: Served, before: Held) -> list[str]:
    """What is left behind, once connections have had time to end."""
    end = time.monotonic() + 30
    waiting = "SELECT count(*) FROM image WHERE answered IS NULL"
    while True:
        now = _held()
        part = list(served.box.store.images.glob("*.arriving"))
        idle = not served.box.store.value(waiting)
        if idle and not part and now.files <= before.files:
            break
        if time.monotonic() > end:
            return [f"left behind: {now} after {before}, {len(part)} halves of files"]
        time.sleep(0.2)
    if now.megabytes > before.megabytes + MEGABYTES:
        return [f"{before.megabytes} MB have become {now.megabytes}"]
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Damaged HTTP requests at a page.")
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        serving(Path(folder)) as served,
    ):
        served.box.events.out = nowhere
        before = _held()
        outcome = run(served, options.seed, options.number)
        after = _held()
        served.box.events.out = sys.stderr
    for kind, count in sorted(outcome.kinds.items()):
        print(f"{count:6} {kind or 'no answer'}")
    for fault in outcome.faults[:20]:
        print(fault)
    print(
        f"{options.number} requests, {len(outcome.faults)} faults; {before.megabytes} MB before, "
        f"{after.megabytes} MB after; {before.files} descriptors before, {after.files} after"
    )
    return bool(outcome.faults)


if __name__ == "__main__":
    sys.exit(main())
