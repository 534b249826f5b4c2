"""A folder on a read-only disk is told from one that this user may not write in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.clinic.store import Store

from .peers import free_port

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
"""A read-only disk for one command alone, which needs no rights where the kernel
lets users do so."""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def on_read_only(tmp_path: Path) -> Command:
    """`edge-cxr COMMAND …`, to which the folder `disk` in `tmp_path` is a read-only disk."""
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, str(disk)]
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
    advice = line.partition(": see ")[2]
    assert started.stderr.splitlines()[-1] == (
        f"edge-cxr: {disk / 'spool'}: cannot hold the spool: it is on a read-only disk: see {advice}"
    )


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
