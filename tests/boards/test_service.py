"""The kit's installer of the service, below a folder that stands for the system's root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from boards import kit


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A kit whose installer of the application does nothing."""
    folder = tmp_path / "kit"
    for name in kit.SERVICE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kit.HERE / name, folder / name)
    (folder / "install.sh").write_text('echo "$@"\nexit ${INSTALLED:-0}\n')
    return folder


def service(
    unpacked: Path, *arguments: str, installed: int = 0
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DESTDIR": str(unpacked.parent), "INSTALLED": str(installed)}
    return subprocess.run(
        ["sh", unpacked / "service.sh", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_unit_starts_what_was_installed(unpacked: Path) -> None:
    done = service(unpacked, "--prefix", "/opt/cxr-2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("--prefix /opt/cxr-2\n")
    unit = (unpacked.parent / "etc/systemd/system/edge-cxr.service").read_text()
    assert "\nExecStart=/opt/cxr-2/bin/edge-cxr serve /etc/edge-cxr/box.toml\n" in unit


def test_an_upgrade_and_a_removal_leave_the_settings(unpacked: Path) -> None:
    service(unpacked)
    settings = unpacked.parent / "etc/edge-cxr/box.toml"
    settings.write_text("# the clinic's own\n")
    assert service(unpacked).returncode == 0
    assert settings.read_text() == "# the clinic's own\n"
    assert service(unpacked, "--remove").returncode == 0
    assert settings.read_text() == "# the clinic's own\n"
    assert not (unpacked.parent / "etc/systemd/system/edge-cxr.service").exists()


def test_where_the_application_is_not_installed_there_is_no_service(unpacked: Path) -> None:
    assert service(unpacked, installed=3).returncode == 3
    assert not (unpacked.parent / "etc").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--prefix", "/home/pi/.local"), 4, "a service cannot see /home/pi/.local"),
        (("--prefix", "here"), 4, "takes a whole path"),
        (("--prefix", "/opt/a|b"), 4, "letters, digits"),
        (("--nonsense",), 2, "sh service.sh [--prefix"),
    ],
)
def test_errors_are_reported_before_anything_changes(
    unpacked: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = service(unpacked, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (unpacked.parent / "etc").exists()


def test_the_settings_that_come_with_it_are_right(unpacked: Path, tmp_path: Path) -> None:
    from edge_app.clinic.settings import read_settings

    known = read_settings(unpacked / "service" / "box.toml")
    assert known.spool == Path("/var/lib/edge-cxr")
    assert known.node is not None
    assert known.node.host == "127.0.0.1"  # until the operator opens it
