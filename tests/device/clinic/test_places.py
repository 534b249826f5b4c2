"""Folders whose disk is read-only, or seems not to be mounted yet, are told, with what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.clinic import places
from edge_app.clinic.store import Store

from .peers import free_port

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
NAMED = 'mount --bind "$0.fstab" /etc/fstab && exec "$@"'
MOUNTED = 'mount --bind "$0.fstab" /etc/fstab && mount -t tmpfs -o mode=700 tmpfs "$0" && exec "$@"'
"""What a folder is to one command alone: a read-only disk; what fstab names, without a disk or
with it. It needs no rights where the kernel lets users do so."""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def on_read_only(tmp_path: Path) -> Command:
    """`edge-cxr COMMAND …`, to which the folder `disk` in `tmp_path` is a read-only disk."""
    return among_mounts(READ_ONLY, tmp_path / "disk")


def among_mounts(script: str, disk: Path) -> Command:
    """`edge-cxr COMMAND …`, to which a folder is what a script makes of it."""
    disk.mkdir(mode=0o700, exist_ok=True)
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(disk)]
    try:
        tried = subprocess.run([*alone, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed: apt-get install util-linux")
    if tried.returncode:
        pytest.skip(f"this system lets nobody mount a disk of his own: {tried.stderr.strip()}")

    def run(*line: object) -> subprocess.CompletedProcess[str]:
        program = [*alone, sys.executable, "-m", "edge_app", *map(str, line)]
        root = Path(__file__).parents[3]
        return subprocess.run(program, capture_output=True, text=True, cwd=root)

    return run


@pytest.mark.parametrize("is_new", [False, True], ids=["a spool", "no spool yet"])
def test_a_read_only_disk_is_named_with_what_to_do(
    on_read_only: Command, tmp_path: Path, is_new: bool
) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    disk, file = tmp_path / "disk", tmp_path / "box.toml"
    if not is_new:
        Store(disk / "spool").close()
    file.write_text(
        f'spool = "disk/spool"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n'
        f"[node]\nport = {free_port()}\n"
    )
    found = on_read_only("serve", file, "--check")
    assert found.returncode == 2
    (line,) = found.stderr.splitlines()
    place = disk if is_new else disk / "spool"
    assert f"spool: {place} is on a read-only disk: see in dmesg whether it fails" in line
    assert "may not write" not in line
    told = json.loads(on_read_only("doctor", "--json", "--settings", file).stdout)
    assert [f"edge-cxr: {fault}" for fault in told["box"]["faults"]] == [line]
    started = on_read_only("serve", file)
    assert started.returncode == 4
    advice = line.partition(" read-only disk: ")[2]
    said = f"cannot hold the spool: it is on a read-only disk: {advice}"
    assert started.stderr.splitlines()[-1] == f"edge-cxr: {disk / 'spool'}: {said}"


@pytest.mark.parametrize("name", ["folder", "outbox"])
def test_a_watched_folder_on_a_read_only_disk_is_named(
    on_read_only: Command, tmp_path: Path, name: str
) -> None:
    folders = {"folder": tmp_path / "in", "outbox": tmp_path / "out", name: tmp_path / "disk"}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    file = tmp_path / "box.toml"
    file.write_text(
        'spool = "spool"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[watch]\n'
        + "".join(f'{key} = "{folder}"\n' for key, folder in folders.items())
    )
    (line,) = on_read_only("serve", file, "--check").stderr.splitlines()
    assert f"[watch] {name}: {tmp_path / 'disk'} is on a read-only disk: see in dmesg" in line


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a machine with these lines of fstab, and these mount points."""

    def write(fstab: str, *mounted: str) -> None:
        (tmp_path / "fstab").write_text(fstab)
        lines = (
            f"{number} 1 8:{number} / {point} rw - ext4 /dev/sda rw\n"
            for number, point in enumerate(("/", *mounted), 20)
        )
        (tmp_path / "mounts").write_text("".join(lines))
        monkeypatch.setattr(places, "FSTAB", tmp_path / "fstab")
        monkeypatch.setattr(places, "MOUNTS", tmp_path / "mounts")

    return write


FSTAB = """
# /dev/sdz /var ext4 defaults 0 2
proc /proc proc defaults 0 0
UUID=1 / ext4 errors=remount-ro 0 1
UUID=2 none swap sw 0 0
UUID=3 /nowhere/all\\040answers ext4 nofail 0 2
//nas/in /nowhere/share cifs _netdev 0 0
"""


@pytest.mark.parametrize(
    ("folder", "mounted", "said"),
    [
        ("/nowhere/share", [], "names /nowhere/share, where nothing is mounted: mount it"),
        ("/nowhere/share/in", ["/nowhere"], "goes to the disk of /nowhere"),
        ("/nowhere/share/in", ["/nowhere/share"], None),
        ("/nowhere/share/in", ["/nowhere/share/in"], None),
        ("/nowhere/shared", [], None),
        ("/nowhere/all answers/out", [], "names /nowhere/all answers, where nothing is mounted"),
        ("/nowhere/all answers/out", ["/nowhere/all\\040answers"], None),
        ("/var/lib/edge-cxr", [], None),
        ("/mnt/nowhere", [], "no disk is mounted there: if it is meant for one, mount it"),
        ("/media/nobody/nowhere/out", ["/home"], "goes to the disk of /"),
        ("/mnt/nowhere", ["/mnt"], None),
        ("/mnt/nowhere/out", ["/mnt/nowhere"], None),
        ("/mntnowhere", [], None),
    ],
)
def test_a_folder_that_seems_meant_for_a_disk_that_is_not_mounted_is_told(
    tables: Callable[..., None], folder: str, mounted: list[str], said: str | None
) -> None:
    tables(FSTAB, *mounted)
    told = places.not_mounted(Path(folder))
    assert told is None if said is None else told is not None and said in told


def test_of_a_machine_that_tells_nothing_nothing_is_said(
    tables: Callable[..., None], tmp_path: Path
) -> None:
    tables(FSTAB)
    (tmp_path / "mounts").unlink()
    assert places.not_mounted(Path("/nowhere/share")) is None
    tables("/dev/sdz /nowhere/a\\000b ext4 nofail 0 2\n")
    assert places.not_mounted(Path("/nowhere/share")) is None
    tables("# static file system information\n\nUUID=1\nUUID=2 relative\n")
    assert places.not_mounted(Path("/nowhere/share")) is None


@pytest.mark.parametrize("place", ["spool", "folder", "outbox"])
def test_check_cautions_of_a_disk_that_was_never_there(tmp_path: Path, place: str) -> None:
    """Before its first start nothing is known of it but what fstab says."""
    disk, file = tmp_path / "disk", tmp_path / "box.toml"
    if not Path("/etc/fstab").is_file():
        pytest.skip("this system has no /etc/fstab")
    (tmp_path / "disk.fstab").write_text(f"/dev/sdz1 {disk} ext4 nofail 0 2\n")
    folders = {"spool": tmp_path / "spool", "folder": tmp_path / "in", "outbox": tmp_path / "out"}
    folders[place] = disk
    for name in ("folder", "outbox"):
        folders[name].mkdir(exist_ok=True)
    file.write_text(
        f'spool = "{folders["spool"]}"\nmodel = "cxr-cnn28"\nleast_free_mb = 1\n[watch]\n'
        f'folder = "{folders["folder"]}"\noutbox = "{folders["outbox"]}"\n'
    )
    without, with_it = among_mounts(NAMED, disk), among_mounts(MOUNTED, disk)
    found = without("serve", file, "--check")
    name = place if place == "spool" else f"[watch] {place}"
    caution = f"{name}: {disk}: /etc/fstab names {disk}, where nothing is mounted: mount it"
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"edge-cxr: {file}: {caution}")
    assert (found.returncode, found.stdout) == (
        0,
        f"{file}: nothing else is wrong here; receivers are not asked\n",
    )
    told = json.loads(without("doctor", "--json", "--settings", file).stdout)["box"]
    assert (told["faults"], [f"edge-cxr: {each}" for each in told["cautions"]]) == ([], [line])
    found = with_it("serve", file, "--check")
    assert (found.returncode, found.stderr) == (0, "")
    assert "nothing is wrong here" in found.stdout
    file.write_text(file.read_text().replace("cxr-cnn28", "absent"))
    started = without("serve", file).stderr.splitlines()  # and ends at once
    assert started[0] == line
    assert with_it("serve", file).stderr.splitlines() == started[1:]
