"""`--check` sees a damaged spool before anything starts, and changes nothing of it."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edge_app.clinic.database import VERSION
from edge_app.clinic.spool import Document, Spool
from edge_app.clinic.spool_check import check_spool
from edge_app.clinic.store import DATABASE, IMAGES, LOG, Store

from ..conftest import Run
from .conftest import offered

FILLED = """
import os, sys
from pathlib import Path
from edge_app.clinic.spool import Spool
from edge_app.clinic.store import Store
from tests.device.clinic.test_spool_check import fill
fill(Spool(Store(Path(sys.argv[1]))))
os.kill(os.getpid(), 9)
"""


def fill(spool: Spool) -> None:
    """Answered images, and three that wait."""
    for number in range(20):
        spool.accept(offered(f"1.2.{number}"))
        image = spool.take()
        assert image
        spool.answer(image, "{}", [Document(f"{number}", os.urandom(20_000), ("archive",))])
    for number in range(3):
        spool.accept(offered(f"1.3.{number}", b"it waits"))


@pytest.fixture
def filled(folder: Path) -> Path:
    store = Store(folder)
    fill(Spool(store))
    store.close()
    return folder


def content(folder: Path) -> dict[str, tuple[str, int]]:
    """Each file's digest and time."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_whole_one_has_no_faults_and_stays_as_it_is(filled: Path) -> None:
    before = content(filled)
    assert check_spool(filled) == ((), True, {"archive"})
    assert content(filled) == before


@pytest.mark.process
@pytest.mark.parametrize("shared", [True, False], ids=["as it was", "without -shm"])
def test_one_whose_box_was_killed_is_looked_at_with_its_log(
    folder: Path, repository: Path, shared: bool
) -> None:
    done = subprocess.run([sys.executable, "-c", FILLED, str(folder)], cwd=repository)
    assert done.returncode == -signal.SIGKILL
    if not shared:
        (folder / f"{DATABASE}-shm").unlink()
    before = content(folder)
    assert (folder / LOG).stat().st_size > 0
    assert check_spool(folder)[:2] == ((), True)
    assert content(folder).keys() == before.keys()
    same = [path for path in before if not path.endswith("-shm")]
    assert {path: content(folder)[path] for path in same} == {path: before[path] for path in same}
    waiting = next(path for path in (folder / IMAGES).iterdir() if path.read_bytes() == b"it waits")
    waiting.unlink()
    (fault,) = check_spool(folder).faults
    assert fault.startswith("1 images wait whose files in ")


def overwrite(path: Path, begin: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(data)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: overwrite(path, 0, bytes(100)), "is damaged"),
        (lambda path: overwrite(path, 8192, os.urandom(40_000)), "is damaged"),
        (lambda path: os.truncate(path, path.stat().st_size // 2), "is damaged"),
        (newer, "is of a newer edge-cxr"),
    ],
    ids=["its beginning", "some pages", "its end", "a newer one"],
)
def test_a_damaged_database_is_told_with_what_to_do(
    run: Run, filled: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(filled / DATABASE)
    before = content(filled)
    settings = filled.parent / "box.toml"
    (filled.parent / "in").mkdir()
    settings.write_text(f'spool = "{filled}"\nleast_free_mb = 1\n[watch]\nfolder = "in"\n')
    done = run("serve --check", settings)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "spool: " in line]
    assert message in line
    assert "put back a copy" in line or "install that one again" in line
    assert content(filled) == before


def test_images_that_wait_without_their_file_are_counted(filled: Path) -> None:
    waiting = [path for path in (filled / IMAGES).iterdir() if path.read_bytes() == b"it waits"]
    waiting[0].unlink()
    waiting[1].write_bytes(b"it")
    (fault,) = check_spool(filled).faults
    assert fault.startswith(f"2 images wait whose files in {filled / IMAGES} are gone")
    assert "image-lost" in fault


def test_those_that_are_answered_need_theirs_no_more(filled: Path) -> None:
    for path in (filled / IMAGES).iterdir():
        if path.read_bytes() != b"it waits":
            path.unlink()
    assert check_spool(filled).faults == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to others")
@pytest.mark.parametrize("which", [DATABASE, IMAGES, "a picture"])
def test_what_was_put_back_by_another_user_is_told(filled: Path, which: str) -> None:
    path = next((filled / IMAGES).iterdir()) if which == "a picture" else filled / which
    os.chown(path, 12345, 12345)
    (fault,) = check_spool(filled).faults
    assert fault.startswith(f"{path} belong")
    assert f"chown -R --reference={filled} {filled}" in fault


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to others")
def test_a_spool_that_a_group_writes_may_have_files_of_others(filled: Path) -> None:
    os.chown(filled / DATABASE, 12345, 0)
    filled.chmod(0o770)
    assert check_spool(filled).faults == ()


def test_beside_a_running_box_nothing_is_wrong(folder: Path) -> None:
    store = Store(folder)
    fill(Spool(store))
    assert check_spool(folder)[:2] == ((), True)
    Spool(store).accept(offered("1.4"))
    assert check_spool(folder)[:2] == ((), True)
    store.close()


def test_where_time_does_not_suffice_it_says_so(filled: Path) -> None:
    assert check_spool(filled, seconds=-1)[:2] == ((), False)
