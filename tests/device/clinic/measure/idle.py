"""What a box with all entrances takes while nothing comes: as started, and after an image."""

from __future__ import annotations

import argparse
import io
import os
import re
import time
from pathlib import Path
from typing import Final

from PIL import Image

from edge_app.images.phantom import synthetic_radiograph

from ..page.serving import Client
from ..peers import wait_for
from .boxes import process_of, serving_box

MEGABYTES, PERCENT = 120, 1.0
"""At most, of memory and of a core."""

SETTLING: Final = 70.0
"""Seconds after which what draws pictures has ended, and memory is given back."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=60)


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print memory and processor; whether they are little enough as started."""
    (folder / "in").mkdir()
    with serving_box(folder, more='[watch]\nfolder = "in"\n') as (box, ports):
        time.sleep(2)
        begun = _taken(process_of(box), arguments.seconds, "as started")
        _look_at_one(Client(ports.page))
        time.sleep(SETTLING)
        _taken(process_of(box), arguments.seconds, "after an image was answered and looked at")
    print(f"as started, at most {MEGABYTES} MB and {PERCENT:g} %")
    return begun[0] <= MEGABYTES and begun[1] <= PERCENT


def _taken(process: int, seconds: float, when: str) -> tuple[int, float]:
    """Megabytes, and percent of a core."""
    before = _ticks(process)
    time.sleep(seconds)
    share = 100 * (_ticks(process) - before) / os.sysconf("SC_CLK_TCK") / seconds
    status = Path(f"/proc/{process}/status").read_text()
    found = {k: int(v) // 1024 for k, v in re.findall(r"(VmHWM|VmRSS):\s+(\d+)", status)}
    threads = len(os.listdir(f"/proc/{process}/task"))
    print(
        f"{when}: {found['VmRSS']} MB resident, {found['VmHWM']} MB at most, {threads} threads, "
        f"{share:.2f} % of a core over {seconds:g} s",
        flush=True,
    )
    return found["VmRSS"], share


def _ticks(process: int) -> int:
    """Of the processor (proc(5), stat)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _look_at_one(client: Client) -> None:
    """As a browser does: an image, its study, its picture."""
    file = io.BytesIO()
    Image.fromarray(synthetic_radiograph(1024, seed=1)).save(file, "PNG")
    number = client.upload(("image.png", file.getvalue())).json["images"][0]["number"]
    wait_for(lambda: client.get(f"/images/{number}/state").json["state"] != "waiting", "answer")
    for path in (f"/images/{number}", f"/images/{number}/picture.png"):
        assert client.get(path).status == 200
