"""`edge-cxr upgrade`, with kits that hold next to nothing; tests/boards installs whole ones."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from ..conftest import Run

pytest.importorskip("cryptography", reason="the signing extra is not installed")

from edge_app.core import signing, trust

KEYS = {
    "ours": signing.SecretKey(b"12345678", bytes(32)),
    "evil": signing.SecretKey(b"87654321", b"1" * 32),
}


def kit(folder: Path, word: str = "", serial: int | None = None, key: str = "ours") -> Path:
    """A kit's folder whose installer says that it ran."""
    files = {
        "install.sh": f'echo ran {word} "$@"\n'.encode(),
        "installer.py": b"",
        "kit.json": b'{"target": "pi64"}',
        "wheels/a-1-py3-none-any.whl": b"",
    }
    (folder / "wheels").mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    sums = "".join(lines).encode()
    (folder / "SHA256SUMS").write_bytes(sums)
    if serial is not None:
        made = KEYS[key].sign(sums, trust.comment("kit", "pi64", serial))
        (folder / "SHA256SUMS.minisig").write_text(made.file)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a kit with serial 5 is installed, and only signed ones are wanted."""
    keys = tmp_path / "keys"
    keys.write_text(f"{KEYS['ours'].public.text} the maker\nsigned only\n")
    monkeypatch.setenv("EDGE_CXR_KEYS", str(keys))
    version = tmp_path / "prefix" / "share" / "edge-cxr" / "versions" / "1"
    kit(version / "kit", serial=5)
    monkeypatch.setattr(sys, "prefix", str(version))
    return version.parent.parent


def test_a_later_kit_is_copied_checked_and_then_run(
    home: Path, run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run("upgrade", kit(tmp_path / "kit", "new", 6))
    assert done.returncode == 0, done.stderr
    assert "is signed by the maker" in done.stdout
    assert f"ran new --prefix {tmp_path / 'prefix'}" in done.stdout
    assert [path.name for path in home.iterdir()] == ["versions"]


@pytest.mark.parametrize(
    ("serial", "key", "words"),
    [
        (4, "ours", "has serial 4, and 5 was installed already"),
        (5, "ours", "has the serial 5 of another kit"),
        (None, "ours", "is not signed"),
        (9, "evil", "which is not trusted here"),
    ],
)
def test_what_is_older_or_not_of_a_trusted_key_does_not_run(
    home: Path, run: Run, tmp_path: Path, serial: int | None, key: str, words: str
) -> None:
    folder = kit(tmp_path / "kit", "new", serial, key)
    for command in (("upgrade", folder), ("upgrade", "--check", folder)):
        done = run(*command)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith(f"edge-cxr: {folder}: ")
        assert words in done.stderr
    assert [path.name for path in home.iterdir()] == ["versions"]


@pytest.mark.parametrize("name", ["install.sh", "installer.py", "kit.json", "SHA256SUMS"])
def test_a_changed_file_is_found_before_anything_runs(
    home: Path, run: Run, tmp_path: Path, name: str
) -> None:
    folder = kit(tmp_path / "kit", "new", 6)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    done = run("upgrade", folder)
    assert (done.returncode, done.stdout) == (4, "")
    assert name in done.stderr or "is not what the maker" in done.stderr


def test_what_a_killed_upgrade_left_is_removed(home: Path, run: Run, tmp_path: Path) -> None:
    (home / "incoming-old" / "wheels").mkdir(parents=True)
    assert run("upgrade", kit(tmp_path / "kit", "new", 6)).returncode == 0
    assert [path.name for path in home.iterdir()] == ["versions"]


def test_where_no_kit_was_installed_it_says_how(run: Run, tmp_path: Path) -> None:
    folder = kit(tmp_path / "kit")
    done = run("upgrade", folder)
    assert done.returncode == 2
    assert f"sh {folder / 'install.sh'}" in done.stderr
    assert "is not signed: who made it is not known" in run("upgrade", "--check", folder).stdout
    assert run("upgrade", "--check", tmp_path).returncode == 4
