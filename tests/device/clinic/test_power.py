"""The power fails at any moment: what was synced is there, the rest perhaps, and no image is lost.

`power.c` writes down all writes, syncs, renames … of a process. From them this makes the disks
that there could be had the power failed in between: with nothing that was not synced, or with some
of it.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.retention import sweep
from edge_app.clinic.spool import Spool
from edge_app.clinic.store import Store

from .test_kills import PROGRAM

HERE = Path(__file__).parent
IMAGES = 12
CUTS = 150


class Step(NamedTuple):
    what: str
    offset: int
    path: str
    data: bytes


class File:
    """A file's bytes: those that are synced, and the changes since."""

    def __init__(self) -> None:
        self.synced = b""
        self.since: list[Step] = []

    def with_changes(self, steps: list[Step]) -> bytes:
        content = bytearray(self.synced)
        for step in steps:
            if step.what == "truncate":
                del content[step.offset :]
                content.extend(bytes(step.offset - len(content)))
            else:
                content.extend(bytes(max(0, step.offset - len(content))))
                content[step.offset : step.offset + len(step.data)] = step.data
        return bytes(content)


class Disk:
    """What there is below a folder, and what of it would survive.

    Args:
        top: the folder, which is there already.
    """

    def __init__(self, top: str) -> None:
        self.top = top
        self.names: dict[str, File | None] = {}  # None: a folder
        self.kept: dict[str, File | None] = {}

    def apply(self, step: Step) -> None:
        if step.what == "create":
            self.names[step.path] = File()
        elif step.what == "mkdir":
            self.names[step.path] = None
        elif step.what == "unlink":
            del self.names[step.path]
        elif step.what == "rename":
            self.names[step.data.decode()] = self.names.pop(step.path)
        elif step.what == "sync":
            self._sync(step.path)
        elif step.what in ("write", "truncate"):
            file = self.names[step.path]
            assert file is not None
            file.since.append(step)

    def _sync(self, path: str) -> None:
        file = self.names.get(path)
        if file is not None:
            file.synced, file.since = file.with_changes(file.since), []
            return
        inside = lambda name: os.path.dirname(name) == path  # noqa: E731
        self.kept = {n: f for n, f in self.kept.items() if not inside(n)}
        self.kept |= {n: f for n, f in self.names.items() if inside(n)}

    def after_a_cut(self, target: Path, chance: random.Random | None) -> None:
        """Write what is there after a cut; with `chance`, some of what was not synced, too."""
        names = dict(self.kept)
        if chance:
            for name in self.kept.keys() ^ self.names.keys():
                if chance.random() < 0.5:
                    names.pop(name, None)
                    if name in self.names:
                        names[name] = self.names[name]
        for name, file in sorted(names.items()):
            place = target / os.path.relpath(name, self.top)
            if not place.parent.is_dir():
                continue  # its folder is lost
            if file is None:
                place.mkdir()
            else:
                steps = [step for step in file.since if chance and chance.random() < 0.5]
                place.write_bytes(file.with_changes(steps))


def steps_in(trace: bytes) -> Iterator[Step]:
    while trace:
        line, _, trace = trace.partition(b"\n")
        what, offset, length, path = line.decode().split(" ", 3)
        yield Step(what, int(offset), path, trace[: int(length)])
        trace = trace[int(length) :]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Step]]:
    """The folder, and all that a spool's process did in it with some images."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler is installed: apt-get install gcc")
    place = tmp_path_factory.mktemp("power")
    library, top, trace = place / "power.so", place / "disk", place / "trace"
    line = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "power.c"), "-ldl"]
    built = subprocess.run([*line, "-lpthread"], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"power.c does not compile here: {built.stderr.splitlines()[:1]}")
    (top / "outbox").mkdir(parents=True)
    offered = "".join(f"1.2.{number} content-{number}\n" for number in range(IMAGES))
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "POWER_TRACE": str(trace),
        "POWER_BELOW": str(top),
    }
    subprocess.run(
        [sys.executable, str(PROGRAM), str(top / "spool"), str(top / "outbox")],
        input=offered, text=True, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return str(top), list(steps_in(trace.read_bytes()))


def test_the_trace_has_all_that_matters(traced: tuple[str, list[Step]]) -> None:
    _, steps = traced
    said = [step for step in steps if step.what == "said"]
    assert len(said) >= IMAGES
    assert any(step.what == "write" and step.path.endswith("-wal") for step in steps)
    assert sum(step.what == "sync" for step in steps) >= 3 * IMAGES


@pytest.mark.parametrize("lucky", [False, True], ids=["only-what-was-synced", "some-of-the-rest"])
def test_no_acknowledged_image_is_lost_wherever_the_power_fails(
    traced: tuple[str, list[Step]], tmp_path: Path, lucky: bool
) -> None:
    top, steps = traced
    chance = random.Random(11)
    moments = {number + 1 for number, step in enumerate(steps) if step.what == "said"}
    moments |= set(chance.sample(range(len(steps)), min(CUTS, len(steps))))
    disk, acknowledged = Disk(top), set[str]()
    for name in ("outbox",):
        disk.names[f"{top}/{name}"] = disk.kept[f"{top}/{name}"] = None
    for number, step in enumerate(steps):
        if step.what == "said":
            acknowledged |= {word for word in step.data.decode().split() if word != "ready"}
        elif step.path.startswith(top):
            disk.apply(step)
        if number + 1 in moments:
            target = tmp_path / str(number)
            target.mkdir()
            disk.after_a_cut(target, chance if lucky else None)
            _is_whole(target, acknowledged)
            shutil.rmtree(target)


def _is_whole(folder: Path, acknowledged: set[str]) -> None:
    """The spool opens; what was acknowledged is in it, once, with its bytes and its answer."""
    store = Store(folder / "spool")
    try:
        sweep(store)
        spool, deliveries = Spool(store), Deliveries(store)
        images = {row["identity"]: row for row in store.rows("SELECT * FROM image")}
        assert acknowledged <= images.keys()
        for identity, row in images.items():
            content = f"content-{identity.removeprefix('1.2.')}"
            assert (store.images / row["file"]).read_bytes() == content.encode()
        for row in store.rows("SELECT * FROM delivery"):
            if row["delivered"] is not None:
                assert (folder / "outbox" / f"{row['image']}.txt").is_file()
        while due := deliveries.due("outbox"):
            for delivery in due:
                assert delivery.content.startswith(delivery.identity.encode())
                deliveries.delivered(delivery)
        while image := spool.take():
            spool.answer(image, "{}")
        assert spool.counts()["finished"] == len(images)
    finally:
        store.close()
