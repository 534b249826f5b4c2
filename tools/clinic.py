"""What the box costs: how fast its worklist answers, and what it takes while nothing happens.

python -m tools.clinic worklist [--images 100000]
python -m tools.clinic idle [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_app.classifier import Classifier
from edge_app.clinic.box import Box
from edge_app.clinic.gist import CLEAR, FLAGGED, WAITING
from edge_app.clinic.settings import read_settings
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Limits
from edge_app.model.model_file import locate, read
from edge_app.model.shipped import DEFAULT_MODEL
from edge_app.pipeline.json_answer import answered, origin
from edge_app.pipeline.reader import read_given

TIMES: Final = 40
MODEL: Final = "cxr-cnn28"
SECONDS: Final = 120

QUESTIONS: Final = {
    "newest first": "/",
    "oldest first": "/?sort=oldest",
    "highest score first": "/?sort=highest",
    "next to be answered": "/?sort=next",
    "flagged, highest first": "/?state=flagged&sort=highest",
    "waiting": "/?state=waiting",
    "a name that is there": "/?q=patient+77",
    "a name that is not": "/?q=nobody",
    "from the middle": "/?after={middle}",
    "from the middle of the scores": "/?sort=highest&after=0.5_{middle}",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What the box costs.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("worklist", help="how fast the worklist answers")
    listing.add_argument(
        "--images", type=int, default=100_000, help="waiting, and as many answered"
    )
    idling = commands.add_parser("idle", help="memory and processor while nothing happens")
    idling.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if asked.command == "worklist":
            worklist(Path(folder), asked.images)
        else:
            idle(Path(folder), asked.seconds)


def worklist(folder: Path, images: int) -> None:
    """Print the time to the last byte of the list, for each way to look at it."""
    port = _settings(folder, "")
    box = Box(read_settings(folder / "box.toml"))
    box.events.out = (folder / "log").open("w")
    _fill(box, images)
    (page,) = box._entrances
    page.start()
    print(f"{images} images wait, {images} are answered; {TIMES} times each, over HTTP")
    medians = []
    for name, path in QUESTIONS.items():
        url = f"http://127.0.0.1:{port}{path.format(middle=images)}"
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            with urllib.request.urlopen(url) as answer:
                body = answer.read()
            took.append(1000 * (time.perf_counter() - began))
        rows = body.count(b'scope="row"')
        medians.append(statistics.median(took))
        high = statistics.quantiles(took, n=20)[-1]
        print(f"{name:30} {rows:3} rows  median {medians[-1]:6.1f} ms  95 % {high:6.1f} ms")
    print(f"slowest median: {max(medians):.1f} ms")
    page.stop()
    box.store.close()


def _fill(box: Box, images: int) -> None:
    """Rows as they come to be, without their files: nobody answers here."""
    classifier = Classifier(read(locate(MODEL)))
    seen = read_given(synthetic_radiograph(64, seed=1), Limits())
    findings = classifier.classify(seen)
    answer = json.dumps(answered("image", seen, findings, origin(classifier)))
    chance, now = np.random.default_rng(1), time.time()
    columns = "entrance, identity, sha256, file, bytes, sender, differs, received, about, sought"

    def rows(state: str) -> Iterator[tuple[Any, ...]]:
        for number in range(images):
            about = f"Patient {number} · {chance.integers(1 << 40)}"
            name = f"{state}-{number}"
            shared = ("node", name, name, name, 1, "X@h", 0, now, about, about.casefold())
            if state == WAITING:
                yield (*shared, None, None, None, WAITING, None)
            else:
                score = float(chance.uniform())
                done = FLAGGED if score > 0.55 else CLEAR
                yield (*shared, now, answer, now, done, round(score, 6))

    with box.store.transaction() as database:
        for state in (CLEAR, WAITING):
            database.executemany(
                f"INSERT INTO image ({columns}, answered, answer, finished, state, score) "
                f"VALUES ({', '.join('?' * 15)})",
                rows(state),
            )


def idle(folder: Path, seconds: float) -> None:
    """Print what a box with all entrances takes: before anything came, and after one image."""
    (folder / "in").mkdir()
    more = f'[node]\nport = {_free()}\n[watch]\nfolder = "in"\n[metrics]\nport = {_free()}\n'
    port = _settings(folder, more, DEFAULT_MODEL)
    with _served(folder, port) as process:
        _measure(process, seconds, "as started")
        _upload(folder, port)
        time.sleep(70)  # until what draws pictures has ended, and memory is given back
        _measure(process, seconds, "after an image was answered and looked at")


def _measure(process: int, seconds: float, when: str) -> None:
    before = _ticks(process)
    time.sleep(seconds)
    share = (_ticks(process) - before) / os.sysconf("SC_CLK_TCK") / seconds
    status = Path(f"/proc/{process}/status").read_text()
    found = {k: int(v) // 1024 for k, v in re.findall(r"(VmHWM|VmRSS):\s+(\d+)", status)}
    threads = len(list(Path(f"/proc/{process}/task").iterdir()))
    print(
        f"{when}: {found['VmRSS']} MB resident, {found['VmHWM']} MB at most, {threads} threads, "
        f"{100 * share:.2f} % of a core over {seconds:g} s"
    )


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _upload(folder: Path, port: int) -> None:
    """As a browser does: an image, its study, its picture."""
    from PIL import Image

    Image.fromarray(synthetic_radiograph(1024, seed=1)).save(folder / "image.png")
    url = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(url) as page:
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        found = re.search(rb'data-form="(\w+)"', page.read())
        assert found
    data = (folder / "image.png").read_bytes()
    body = (
        b'--x\r\nContent-Disposition: form-data; name="form"\r\n\r\n' + found[1] + b"\r\n--x\r\n"
        b'Content-Disposition: form-data; name="file"; filename="image.png"\r\n\r\n'
        + data
        + b"\r\n--x--\r\n"
    )
    headers = {
        "Cookie": cookie,
        "Accept": "application/json",
        "Content-Type": "multipart/form-data; boundary=x",
    }
    with urllib.request.urlopen(urllib.request.Request(f"{url}/upload", body, headers)) as came:
        number = json.load(came)["images"][0]["number"]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{url}/images/{number}/state") as came:
            if json.load(came)["state"] != WAITING:
                break
        time.sleep(0.1)
    for path in (f"/images/{number}", f"/images/{number}/picture.png"):
        urllib.request.urlopen(url + path).read()


def _settings(folder: Path, more: str, model: str = MODEL) -> int:
    port = _free()
    text = f'spool = "spool"\nmodel = "{model}"\nleast_free_mb = 1\n[page]\nport = {port}\n{more}'
    (folder / "box.toml").write_text(text)
    return port


@contextmanager
def _served(folder: Path, port: int) -> Iterator[int]:
    """The process number of a box that listens."""
    with (folder / "log").open("w") as log:
        line = [sys.executable, "-m", "edge_app", "serve", str(folder / "box.toml")]
        process = subprocess.Popen(line, stderr=log)
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and process.poll() is None:
            with closing(socket.socket()) as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(2)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


def _free() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
