"""A spool that was here is waited for, and not made anew where its disk is not mounted."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from edge_app.clinic import places, remembered
from edge_app.clinic.box import Box
from edge_app.clinic.check import faults
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.settings import Settings, read_settings
from edge_app.clinic.spool import Spool
from edge_app.clinic.store import DATABASE, Store

from ..conftest import Run
from .conftest import offered


def settings(folder: Path, disk: Path) -> Settings:
    """Of a box whose spool is on a disk of its own."""
    (folder / "in").mkdir(exist_ok=True)
    file = folder / "box.toml"
    file.write_text(
        f'spool = "{disk}"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[watch]\nfolder = "in"\n'
    )
    return read_settings(file)


def started(known: Settings) -> None:
    """A box with these settings, started once, that has accepted an image."""
    box = Box(known)
    box.start()
    box.spool.accept(offered("a.png", b"junk", "watch"))
    box.end()


def about_spool(known: Settings) -> str:
    return "\n".join(each for each in faults(known) if each.startswith("spool"))


@pytest.fixture(autouse=True)
def on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the files of tests lie on."""
    monkeypatch.setattr(places, "IN_MEMORY", ())


@pytest.fixture(params=["disk", "disk/spool"], ids=["the disk itself", "a folder on it"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the spool is, on a disk that is mounted."""
    (tmp_path / "disk").mkdir(mode=0o700)
    place: Path = tmp_path / request.param
    return place


def test_a_new_installation_makes_its_spool_and_one_that_is_gone_is_waited_for(
    tmp_path: Path, disk: Path
) -> None:
    known, mount, away = settings(tmp_path, disk), tmp_path / "disk", tmp_path / "away"
    assert about_spool(known) == ""
    started(known)
    mount.rename(away)
    mount.mkdir(mode=0o700)  # the mount point alone
    assert "mount its disk" in about_spool(known)
    with pytest.raises(SpoolError, match="the spool that was here is gone: mount its disk"):
        Box(known)
    assert list(mount.iterdir()) == []
    mount.rmdir()
    away.rename(mount)
    assert about_spool(known) == ""
    box = Box(known)
    assert box.store.value("SELECT count(*) FROM image") == 1
    box.store.close()


def test_another_spool_that_lies_below_the_mount_point_is_not_taken_for_it(
    tmp_path: Path, disk: Path
) -> None:
    """An older box has made it there, say: what waits on the disk would be answered by nobody."""
    known = settings(tmp_path, disk)
    started(known)
    (tmp_path / "disk").rename(tmp_path / "away")
    Store(disk).close()
    assert "is another spool than the one that was here" in about_spool(known)
    with pytest.raises(SpoolError, match="is another spool than the one that was here"):
        Box(known)
    Store(disk).close()  # it is let go of


def test_it_is_begun_anew_where_somebody_says_so(tmp_path: Path, disk: Path) -> None:
    known = settings(tmp_path, disk)
    started(known)
    (tmp_path / "disk").rename(tmp_path / "away")
    with pytest.raises(SpoolError, match="to begin anew, remove ") as refusal:
        Box(known)
    Path(str(refusal.value).rpartition("remove ")[2]).unlink()
    started(known)
    assert (disk / DATABASE).exists()


def test_where_the_database_alone_is_gone_no_image_is_swept_away(
    tmp_path: Path, disk: Path
) -> None:
    """Somebody has removed a damaged one, say: a new one would know none of what waits."""
    known = settings(tmp_path, disk)
    started(known)
    for path in disk.glob(f"{DATABASE}*"):
        path.unlink()
    for note in Path(os.environ["XDG_STATE_HOME"]).rglob("spools/*"):
        note.unlink()
    assert "its database is gone: put back a copy of it" in about_spool(known)
    with pytest.raises(SpoolError, match="has images, and its database is gone"):
        Box(known)
    (image,) = (disk / "images").iterdir()
    assert image.read_bytes() == b"junk"
    disk.rename(tmp_path / "aside")
    started(known)


def test_a_spool_in_memory_is_made_anew_at_each_start_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "IN_MEMORY", (b"tmpfs",))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        known = settings(tmp_path, Path(memory, "spool"))
        started(known)
        shutil.rmtree(known.spool)
        assert about_spool(known) == ""
        started(known)


def test_what_looks_beside_a_box_makes_no_spool(run: Run, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    known = settings(tmp_path, tmp_path / "disk")
    for option in ("--status", "--purge", "--urgent 1"):
        done = run(f"serve {option}", known.file)
        assert done.returncode == 2
        assert "there is no spool" in done.stderr
    assert list((tmp_path / "disk").iterdir()) == []


def test_where_nothing_can_be_remembered_the_box_works_and_says_so(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    started(settings(tmp_path, disk))
    assert "housekeeping-failed" in capsys.readouterr().err
    started(settings(tmp_path, disk))


def test_without_a_home_no_folder_is_made_of_its_sign(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container whose user is in no list: ``~`` would be made where the box is started."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(remembered, "SYSTEM", Path("/dev/null/spools"))
    monkeypatch.chdir(tmp_path)
    for place in ("", "state"):
        monkeypatch.setenv("XDG_STATE_HOME", place)
        started(settings(tmp_path, disk))
        assert "housekeeping-failed" in capsys.readouterr().err
    assert {each.name for each in tmp_path.iterdir()} == {"in", "disk", "box.toml"}


def test_whoever_asks_beside_the_service_hears_of_its_spool(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo edge-cxr serve --check` has root's own folders."""
    known = settings(tmp_path, disk)
    started(known)
    service = Path(os.environ["XDG_STATE_HOME"], "edge-cxr", "spools")
    monkeypatch.setattr(remembered, "SYSTEM", service)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "root"))
    assert about_spool(known) == ""
    (tmp_path / "disk").rename(tmp_path / "away")
    assert "mount its disk" in about_spool(known)


@pytest.mark.parametrize("of", ["the package", "the manual"])
def test_a_service_keeps_it_apart_from_its_spool_and_waits(repository: Path, of: str) -> None:
    if of == "the package":
        unit = (repository / "boards" / "service" / "edge-cxr.service").read_text()
    else:
        page = (repository / "docs" / "serve.md").read_text()
        unit = page.partition("## Under systemd\n\n```ini")[2].partition("```")[0]
    values = [line.partition("=")[::2] for line in unit.splitlines()]
    (state,) = (
        value.partition("=")[2].replace("%S", "/var/lib")
        for name, value in values
        if name == "Environment" and value.startswith("XDG_STATE_HOME=")
    )
    known = dict(values)
    assert Path(state, "edge-cxr", "spools") == remembered.SYSTEM
    assert Path(state).name in known["StateDirectory"].split()
    assert known["Restart"] in ("always", "on-failure")
    assert int(known["RestartSec"]) >= 3  # systemd gives up after five starts in ten seconds


def test_purging_the_package_removes_it(repository: Path) -> None:
    folder, state = repository / "boards" / "service", remembered.SYSTEM.parents[1]
    assert f" {state} " in (folder / "postrm").read_text()
    assert not state.is_relative_to(read_settings(folder / "box.toml").spool)


def test_a_running_box_whose_disk_goes_makes_no_folder_in_its_place(
    tmp_path: Path, spool: Spool, folder: Path
) -> None:
    from edge_app.clinic.report_forms import FormBook, Kind
    from edge_app.clinic.results import FORMS

    book = FormBook(folder / FORMS)
    folder.rename(tmp_path / "away")
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    book.get(
        [Kind("model", "0" * 64, (), group=("A", "99EDGECXR", "A", "A", 0.5, "ABOVE", False, "p"))]
    )
    with pytest.raises(SpoolError):
        spool.accept(offered("1.2.3"))
    assert not folder.exists()
