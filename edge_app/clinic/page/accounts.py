"""Accounts: readers with passwords, machines with tokens, in one file that only its owner reads.

A line each: a name, ``password`` or ``token``, and what proves it. Passwords are kept as scrypt
makes them (RFC 7914), at a strength that OWASP's Password Storage Cheat Sheet names (N = 2^14,
r = 8, p = 5). A token has 256 random bits, for which SHA-256 does.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.clinic import durable
from edge_app.clinic.faults import SettingsError
from edge_app.core.files import UnreadableError, read_bounded

MAX_BYTES: Final = 1 << 20
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
PASSWORD: Final = "password"
TOKEN: Final = "token"
SHORTEST: Final = 10
LONGEST: Final = 256
"""Characters of a password."""

COST, BLOCK, PARALLEL = 1 << 14, 8, 5
SCRYPT_BYTES: Final = 64 << 20
"""Bytes of memory that scrypt may take; it takes 16 MB."""

_ONE_AT_A_TIME: Final = threading.Lock()
"""Checking passwords takes memory and time: many at once get no more of either."""


class Account(NamedTuple):
    """A name, how it is proven, and what is kept of that proof."""

    name: str
    kind: str
    proof: str


class Accounts:
    """All accounts of a file; it is read again when it has changed.

    Args:
        path: of the file; one that is not there holds nobody.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int, int], dict[str, Account]] | None = None

    def all(self) -> dict[str, Account]:
        """By name.

        Raises:
            SettingsError: the file cannot be read, or a line of it cannot be.
        """
        try:
            status = os.stat(self.path)
        except OSError:
            return {}
        look = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._read is None or self._read[0] != look:
            self._read = (look, read(self.path))
        return self._read[1]

    def proves_password(self, name: str, password: str) -> bool:
        """Whether this is that reader's password; takes the same time where there is no reader."""
        account = self.all().get(name)
        known = account is not None and account.kind == PASSWORD
        kept = account.proof if account and known else NOBODY
        return _is_password(password[:LONGEST], kept) and known

    def of_token(self, token: str) -> str | None:
        """The name of the machine whose token this is."""
        digest = _digest(token)
        found = None
        for account in self.all().values():
            if account.kind == TOKEN and hmac.compare_digest(account.proof, digest):
                found = account.name
        return found


def read(path: Path) -> dict[str, Account]:
    """The accounts in a file.

    Raises:
        SettingsError: see `Accounts.all`.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("ascii")
    except UnreadableError as error:
        raise SettingsError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is no file of users: make it with --password") from None
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 3 or words[1] not in (PASSWORD, TOKEN) or not NAME.fullmatch(words[0]):
            raise SettingsError(f"{path}: line {number} is no user: make it with --password")
        found[words[0]] = Account(*words)
    return found


def set_password(path: Path, name: str, password: str) -> None:
    """Let a reader in by a password, in place of what let them in before.

    Raises:
        SettingsError: the name or the password is none, or the file cannot be written.
    """
    if len(password) < SHORTEST:
        raise SettingsError(f"a password has at least {SHORTEST} characters: give a longer one")
    if len(password) > LONGEST:
        raise SettingsError(f"a password has at most {LONGEST} characters: give a shorter one")
    _put(path, name, Account(name, PASSWORD, hashed(password)))


def set_token(path: Path, name: str) -> str:
    """Let a machine in by a token, which is returned and not kept."""
    token = secrets.token_urlsafe(32)
    _put(path, name, Account(name, TOKEN, _digest(token)))
    return token


def forget(path: Path, name: str) -> bool:
    """Remove an account; returns whether it existed."""
    known = Accounts(path).all()
    if name not in known:
        return False
    _put(path, name, None)
    return True


def hashed(password: str) -> str:
    """What is kept of a password."""
    salt = secrets.token_bytes(16)
    made = _scrypt(password, salt, COST, BLOCK, PARALLEL)
    return f"scrypt${COST}${BLOCK}${PARALLEL}${salt.hex()}${made.hex()}"


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    with _ONE_AT_A_TIME:
        return hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"),
            salt=salt,
            n=cost,
            r=block,
            p=parallel,
            maxmem=SCRYPT_BYTES,
            dklen=32,
        )


NOBODY: Final = f"scrypt${COST}${BLOCK}${PARALLEL}${'00' * 16}${'00' * 32}"
"""The proof of a reader who does not exist: no password fits it."""


def _is_password(password: str, kept: str) -> bool:
    """Whether the password fits, with the costs that it was kept with."""
    try:
        _, cost, block, parallel, salt, made = kept.split("$")
        numbers = (int(cost), int(block), int(parallel))
        found = _scrypt(password, bytes.fromhex(salt), *numbers)
    except ValueError:
        return False
    return hmac.compare_digest(found.hex(), made)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _put(path: Path, name: str, account: Account | None) -> None:
    if not NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no name of a user: letters, digits, '.', '_' and '-'")
    known = Accounts(path).all()
    known = {**known, name: account} if account else {k: v for k, v in known.items() if k != name}
    text = "".join(f"{each.name} {each.kind} {each.proof}\n" for each in known.values() if each)
    try:
        durable.replace(path, text.encode("ascii"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror}") from None
