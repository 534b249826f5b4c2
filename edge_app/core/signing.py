"""Making minisign's secret keys and signing with them, at a workstation.

It needs the package ``cryptography``, which devices do not need. ``minisign -G`` makes the same
secret keys, and ``minisign -S`` signs with them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.core import minisign
from edge_app.core.errors import MissingExtraError, SignatureError, UsageError
from edge_app.core.files import NEW_FILE, UnreadableError, read_bounded
from edge_app.core.minisign import PublicKey, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PLAIN: Final = bytes(2)
SCRYPT: Final = b"Sc"
CHECKSUM: Final = b"B2"
UNTRUSTED: Final = minisign.UNTRUSTED + "edge-cxr secret key"

OPERATIONS: Final = 1 << 22
MEMORY: Final = 1 << 26
"""scrypt's costs for a new key's password: 64 MiB, and about a second on a small machine."""

MAX_MEMORY: Final = 1 << 30
"""The most memory that a key's password may take: as much as minisign's own."""

MAX_ALLOWED: Final = (1 << 31) - 2
"""The library's limit, since it takes a little more memory than stated."""

Password = Callable[[], str]
"""Asks the user for a password; called only for a key that has one."""


class SecretKey(NamedTuple):
    """A secret key.

    Attributes:
        number: 8 bytes, also the public key's.
        seed: 32 bytes, the secret.
    """

    number: bytes
    seed: bytes

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.number, self._key.public_key().public_bytes_raw())

    def sign(self, data: bytes, comment: str) -> Signature:
        """The signature of a file's bytes and of a comment about them."""
        first = self._key.sign(minisign.digest(data))
        unfinished = Signature(self.number, first, comment, b"")
        return unfinished._replace(whole=self._key.sign(unfinished.signed_whole))

    @property
    def _key(self) -> Ed25519PrivateKey:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        except ImportError:
            raise MissingExtraError(
                "signing needs the package cryptography: pip install 'edge-cxr[signing]'"
            ) from None
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def read(path: Path, password: Password) -> SecretKey:
    """A secret key of minisign's.

    Raises:
        UsageError: the file holds none, or the password is wrong.
    """
    try:
        lines = read_bounded(path, minisign.MAX_BYTES).decode().splitlines()
        data = base64.b64decode(lines[1], validate=True)
    except UnreadableError as error:
        raise UsageError(f"{path}: {error}") from None
    except (UnicodeDecodeError, IndexError, binascii.Error):
        data = b""
    if len(data) != 158 or data[:2] != minisign.KEY_ALGORITHM or data[4:6] != CHECKSUM:
        raise UsageError(f"{path}: is no secret key of minisign: minisign -G makes one")
    salt, work, secret = data[6:38], (data[38:46], data[46:54]), data[54:]
    if data[2:4] == SCRYPT:
        operations, memory = (int.from_bytes(each, "little") for each in work)
        if memory > MAX_MEMORY or operations > 1 << 26:
            raise UsageError(f"{path}: asks for more memory than a password needs")
        secret = _masked(secret, password(), salt, operations, memory)
        if secret[72:] != _checksum(secret):
            raise UsageError(f"{path}: the password is another")
    elif data[2:4] != PLAIN:
        raise UsageError(f"{path}: its password is kept in a way that is not known")
    key = SecretKey(secret[:8], secret[8:40])
    if key.public.key != secret[40:72]:
        raise UsageError(f"{path}: is damaged")
    return key


def make(place: Path, password: str) -> PublicKey:
    """Make a pair of keys: ``place``, which nobody else can read, and ``place`` with ``.pub``.

    Args:
        place: of the secret key; neither file may exist.
        password: empty for none.

    Raises:
        UsageError: one of the files exists.
        OSError: they cannot be written.
    """
    key = SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))
    public = key.public
    secret = key.number + key.seed + public.key
    secret += _checksum(secret)
    salt, kind, work = bytes(32), PLAIN, bytes(16)
    if password:
        salt, kind = secrets.token_bytes(32), SCRYPT
        work = OPERATIONS.to_bytes(8, "little") + MEMORY.to_bytes(8, "little")
        secret = _masked(secret, password, salt, OPERATIONS, MEMORY)
    data = minisign.KEY_ALGORITHM + kind + CHECKSUM + salt + work + secret
    open_place = public_place(place)
    if os.path.lexists(open_place):
        raise UsageError(f"{open_place}: is there already")
    _write_new(place, f"{UNTRUSTED}\n{base64.b64encode(data).decode()}\n", 0o600)
    _write_new(open_place, public.file, 0o644)
    return public


def public_place(place: Path) -> Path:
    """The path of a pair's public key."""
    return place.with_suffix(".pub")


def checked(signature: Signature, data: bytes, key: PublicKey) -> Signature:
    """A signature that has been verified before it leaves the machine.

    Raises:
        SignatureError: it is wrong, by a fault of the library or of the memory.
    """
    if not signature.is_good(data, key):
        raise SignatureError("the signature that was made is not good: try again")
    return signature


def _write_new(place: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(place, NEW_FILE, mode)
    except FileExistsError:
        raise UsageError(f"{place}: is there already") from None
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def _checksum(secret: bytes) -> bytes:
    return hashlib.blake2b(minisign.KEY_ALGORITHM + secret[:72], digest_size=32).digest()


def _masked(secret: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    n, p = _costs(operations, memory)
    mask = hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=8, p=p, maxmem=MAX_ALLOWED, dklen=len(secret)
    )
    return bytes(one ^ other for one, other in zip(secret, mask, strict=True))


def _costs(operations: int, memory: int) -> tuple[int, int]:
    """scrypt's N and p by libsodium's rule for the costs that a key states (r is 8)."""
    operations = max(operations, 32768)
    quick = operations < memory // 32
    limit = operations // 32 if quick else memory // 1024
    n = 1 << next(power for power in range(1, 63) if 1 << power > limit // 2)
    return n, 1 if quick else max(1, operations // 4 // n // 8)
