"""The power fails at any moment: what was synced is there, the rest perhaps, and no image is lost.

Nor is one where it fails again while the spool is repaired: swept, recovered, brought up to date.
`power.c` writes down all writes, syncs, renames … of a process. From them this makes the disks
that there could be had the power failed in between: with nothing that was not synced, or with some
of it.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.store import DATABASE, LOG, Store

from .spool_process import content_of, repaired
from .test_kills import PROGRAM
from .test_spool import older_spool

HERE = Path(__file__).parent
IMAGES = 12
CUTS = int(os.environ.get("EDGE_CXR_CLINIC_CUTS", "100"))
REPAIR_CUTS = int(os.environ.get("EDGE_CXR_CLINIC_CUTS", "25"))
"""At most, of each kind."""

SECTOR = 512
SEED = int(os.environ.get("EDGE_CXR_CLINIC_SEED", "11"))


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

    @classmethod
    def holding(cls, top: Path) -> Disk:
        """A disk on which all that is below a folder now is safe."""
        disk = cls(str(top))
        for path in sorted(top.rglob("*")):
            file = None if path.is_dir() else File()
            if file is not None:
                file.synced = path.read_bytes()
            disk.names[str(path)] = disk.kept[str(path)] = file
        return disk

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
                place.write_bytes(file.with_changes(survivors(file.since, chance)))


def survivors(since: Sequence[Step], chance: random.Random | None) -> list[Step]:
    """Of the changes since the last sync: none, or with `chance` some, or the sectors at their
    beginning."""
    kept = [step for step in since if chance and chance.random() < 0.5]
    for number, step in enumerate(kept):
        if chance and chance.random() < 0.25:
            sectors = chance.randrange(1 + len(step.data) // SECTOR)
            kept[number] = step._replace(data=step.data[: SECTOR * sectors or len(step.data)])
    return kept


def steps_in(trace: bytes) -> Iterator[Step]:
    while trace:
        line, _, trace = trace.partition(b"\n")
        what, offset, length, path = line.decode().split(" ", 3)
        yield Step(what, int(offset), path, trace[: int(length)])
        trace = trace[int(length) :]


Trace = Callable[[Sequence[object], str], list[Step]]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Gives all that a spool's process, with these arguments and this input, did to its disk."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler is installed: apt-get install gcc")
    place = tmp_path_factory.mktemp("power")
    library, written = place / "power.so", place / "trace"
    line = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "power.c"), "-ldl"]
    built = subprocess.run([*line, "-lpthread"], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"power.c does not compile here: {built.stderr.splitlines()[:1]}")

    def traced(arguments: Sequence[object], offered: str) -> list[Step]:
        written.unlink(missing_ok=True)
        below = os.path.dirname(str(arguments[0]))
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "POWER_TRACE": str(written),
            "POWER_BELOW": below,
        }
        subprocess.run(
            [sys.executable, str(PROGRAM), *map(str, arguments)],
            input=offered, text=True, env=environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return [
            step for step in steps_in(written.read_bytes()) if step.path.startswith((below, "-"))
        ]

    return traced


@pytest.fixture(scope="module")
def traced(trace: Trace, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Step]]:
    """The folder, and all that a spool's process did in it with some images."""
    top = tmp_path_factory.mktemp("used") / "disk"
    (top / "outbox").mkdir(parents=True)
    offered = "".join(f"1.2.{number} content-{number}\n" for number in range(IMAGES))
    return str(top), trace((top / "spool", top / "outbox"), offered)


def test_the_trace_has_all_that_matters(traced: tuple[str, list[Step]]) -> None:
    _, steps = traced
    said = [step for step in steps if step.what == "said"]
    assert len(said) >= IMAGES
    assert any(step.what == "write" and step.path.endswith("-wal") for step in steps)
    assert sum(step.what == "sync" for step in steps) >= 3 * IMAGES


@pytest.mark.parametrize("lucky", [False, True], ids=["only-what-was-synced", "some-of-the-rest"])
def test_no_acknowledged_image_is_lost_wherever_the_power_fails(
    traced: tuple[str, list[Step]], lucky: bool
) -> None:
    top, steps = traced
    chance = random.Random(SEED)
    moments = {number for number, step in enumerate(steps, 1) if step.what == "said"}
    moments |= sampled(steps, CUTS, chance)
    for number, disk, acknowledged in played(_empty(top), steps):
        if number in moments:
            with cut(disk, chance if lucky else None) as folder:
                _is_whole(folder, acknowledged)


def sampled(steps: Sequence[Step], most: int, chance: random.Random) -> set[int]:
    """Numbers of some steps, after which the power fails."""
    return set(chance.sample(range(1, len(steps) + 1), min(most, len(steps))))


def _empty(top: str) -> Disk:
    disk = Disk(top)
    disk.names[f"{top}/outbox"] = disk.kept[f"{top}/outbox"] = None
    return disk


def played(disk: Disk, steps: Sequence[Step]) -> Iterator[tuple[int, Disk, set[str]]]:
    """After each step: how many there were, the disk, what was acknowledged."""
    acknowledged = set[str]()
    for number, step in enumerate(steps, 1):
        if step.what == "said":
            acknowledged |= {word for word in step.data.decode().split() if word != "ready"}
        else:
            disk.apply(step)
        yield number, disk, acknowledged


@contextmanager
def cut(disk: Disk, chance: random.Random | None) -> Iterator[Path]:
    """What there is after a cut, for a while; in memory, where syncs cost nothing."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as target:
        disk.after_a_cut(Path(target), chance)
        yield Path(target)


@pytest.mark.parametrize("lucky", [False, True], ids=["only-what-was-synced", "some-of-the-rest"])
def test_a_cut_while_an_unclean_end_is_repaired_loses_nothing_either(
    trace: Trace, traced: tuple[str, list[Step]], tmp_path: Path, lucky: bool
) -> None:
    top, steps = traced
    chance = random.Random(SEED)
    said = [number for number, step in enumerate(steps, 1) if step.what == "said"]
    found = set[str]()
    for moment in (said[IMAGES // 3], said[-1]):
        after, disk, acknowledged = next(
            each for each in played(_empty(top), steps) if each[0] == moment
        )
        broken = tmp_path / f"broken-{after}"
        broken.mkdir()
        disk.after_a_cut(broken, chance)
        (broken / "spool" / "images" / "1.arriving").write_bytes(b"never acknowledged")
        start = Disk.holding(broken)
        repair = trace((broken / "spool",), "")
        found |= {step.what for step in repair}
        moments = sampled(repair, REPAIR_CUTS, chance)
        for number, now, _ in played(start, repair):
            if number not in moments:
                continue
            with cut(now, chance if lucky else None) as folder:
                _is_whole(folder, acknowledged)
    assert {"write", "sync", "unlink", "truncate"} <= found, "it is repaired"


@pytest.mark.parametrize("lucky", [False, True], ids=["only-what-was-synced", "some-of-the-rest"])
def test_a_cut_while_an_older_spool_is_brought_up_to_date_loses_none_of_its_documents(
    trace: Trace, tmp_path: Path, lucky: bool
) -> None:
    older, chance = tmp_path / "older" / "spool", random.Random(SEED)
    contents = [b"%d" % number * 3000 for number in range(3)]
    whole = [{f"{number}-sr.dcm": content} for number, content in enumerate(contents)]
    older_spool(older, *whole, {"lost-sr.dcm": None, "there-sr.dcm": b"half of it"})
    with closing(sqlite3.connect(older / DATABASE)) as database:  # as a box that was killed left it
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE image SET sender = 'MODALITY'")
        database.commit()
        left = {name: (older / name).read_bytes() for name in (DATABASE, LOG)}
    for name, data in left.items():
        (older / name).write_bytes(data)
    start = Disk.holding(older.parent)
    repair = trace((older,), "")
    assert any(step.path.endswith("-sr.dcm") for step in repair if step.what == "unlink")
    moments = sampled(repair, REPAIR_CUTS, chance)
    for number, now, _ in played(start, repair):
        if number not in moments:
            continue
        with cut(now, chance if lucky else None) as folder:
            store = Store(folder / "spool")
            try:
                due = Deliveries(store).due("archive")
                assert [each.content for each in due] == contents
                waiting = store.rows("SELECT sender FROM image WHERE answered IS NULL")
                assert [row["sender"] for row in waiting] == ["MODALITY"]
                assert not (folder / "spool" / "results").exists()
            finally:
                store.close()


def _is_whole(folder: Path, acknowledged: set[str]) -> None:
    """The spool opens; what was acknowledged is in it, once, with its bytes and its answer."""
    store = Store(folder / "spool")
    try:
        spool = repaired(store)
        kept = {row["file"] for row in store.rows("SELECT file FROM image")}
        assert {path.name for path in store.images.iterdir()} == kept
        deliveries = Deliveries(store)
        images = {row["identity"]: row for row in store.rows("SELECT * FROM image")}
        assert acknowledged <= images.keys()
        for identity, row in images.items():
            content = f"content-{identity.removeprefix('1.2.')}"
            assert content_of((store.images / row["file"]).read_bytes()) == content
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
