"""Accounts by the command line: what is kept, and for whom."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from edge_app.clinic.faults import SettingsError
from edge_app.clinic.page import accounts
from edge_app.clinic.page.accounts import Accounts
from edge_app.clinic.page.tries import FREE, Tries

from ...conftest import Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "box.toml").write_text('spool = "s"\nusers = "users"\n[page]\n')
    return tmp_path / "box.toml"


def test_a_password_is_kept_as_scrypt_makes_it_and_nowhere_else(file: Path, run: Run) -> None:
    done = run("serve", file, "--password", "anna", stdin=b"correct horse battery\n")
    assert done.returncode == 0, done.stderr
    users = file.parent / "users"
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    name, kind, proof = users.read_text().split()
    assert (name, kind) == ("anna", "password")
    _, cost, block, parallel, salt, made = proof.split("$")
    expected = hashlib.scrypt(
        b"correct horse battery", salt=bytes.fromhex(salt), n=int(cost), r=int(block),
        p=int(parallel), dklen=32,
    )  # fmt: skip
    assert made == expected.hex()
    known = Accounts(users)
    assert known.proves_password("anna", "correct horse battery")
    assert not known.proves_password("anna", "correct horse batterY")
    assert not known.proves_password("berta", "correct horse battery")


def test_a_token_is_printed_once_and_its_digest_kept(file: Path, run: Run) -> None:
    token = run("serve", file, "--token", "prometheus").stdout.strip()
    users = file.parent / "users"
    assert token not in users.read_text()
    assert Accounts(users).of_token(token) == "prometheus"
    assert Accounts(users).of_token(token + "x") is None
    assert not Accounts(users).proves_password("prometheus", token)
    assert run("serve", file, "--forget", "prometheus").returncode == 0
    assert Accounts(users).of_token(token) is None
    assert run("serve", file, "--forget", "prometheus").returncode == 2


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("anna", b"short\n", "at least 10"),
        ("anna", b"x" * 300, "at most 256"),
        ("an na", b"long enough\n", "no name"),
    ],
)
def test_what_cannot_be_is_said(
    file: Path, run: Run, name: str, password: bytes, words: str
) -> None:
    done = run("serve", file, "--password", name, stdin=password)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (file.parent / "users").exists()


def test_without_a_users_file_in_the_settings_there_are_no_accounts(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "box.toml").write_text('spool = "s"\n[page]\n')
    done = run("serve", tmp_path / "box.toml", "--token", "x")
    assert done.returncode == 2
    assert "users is missing" in done.stderr


def test_a_damaged_file_lets_nobody_in_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("# all of us\n\nanna password\n")
    with pytest.raises(SettingsError, match="line 3 is no user"):
        Accounts(tmp_path / "users").all()
    (tmp_path / "other").write_text("anna password scrypt$0$0$0$zz$\n")
    assert not Accounts(tmp_path / "other").proves_password("anna", "")


def test_pauses_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(accounts.__name__.replace("accounts", "tries") + ".time.monotonic",
                        lambda: now[0])  # fmt: skip
    tries, pauses = Tries(), []
    for _ in range(FREE + 10):
        tries.failed("10.0.0.1")
        pauses.append(tries.wait("10.0.0.1"))
        now[0] += pauses[-1]
        assert tries.wait("10.0.0.1") == 0
    assert pauses[: FREE - 1] == [0.0] * (FREE - 1)
    assert pauses[FREE - 1 : FREE + 3] == [2.0, 4.0, 8.0, 16.0]
    assert max(pauses) == 300
    assert tries.wait("10.0.0.2") == 0
    tries.succeeded("10.0.0.1")
    assert tries.wait("10.0.0.1") == 0
