"""Public keys and signatures in minisign's format.

https://jedisct1.github.io/minisign/ describes the files. A signature covers a file's BLAKE2b-512
digest (algorithm ``ED``); a second one covers the first and the trusted comment. The program
``minisign`` verifies signatures made here, and its signatures are verified here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final, NamedTuple

from edge_app.core import ed25519

KEY_ALGORITHM: Final = b"Ed"
ALGORITHM: Final = b"ED"
"""The algorithm that signs a file's digest rather than the file: minisign's default."""

UNTRUSTED: Final = "untrusted comment: "
TRUSTED: Final = "trusted comment: "
MAX_BYTES: Final = 4096
"""The largest file of a signature or a key."""

MAX_COMMENT: Final = 1024


class PublicKey(NamedTuple):
    """A key that verifies signatures.

    Attributes:
        number: 8 bytes that distinguish keys; they prove nothing.
        key: 32 bytes of Ed25519.
    """

    number: bytes
    key: bytes

    @property
    def id(self) -> str:
        """Its number as minisign prints it."""
        return self.number[::-1].hex().upper()

    @property
    def text(self) -> str:
        """The key as the word in a ``.pub`` file."""
        return base64.b64encode(KEY_ALGORITHM + self.number + self.key).decode()

    @property
    def file(self) -> str:
        """The content of a ``.pub`` file."""
        return f"{UNTRUSTED}minisign public key {self.id}\n{self.text}\n"


class Signature(NamedTuple):
    """A signature as read from a file; it proves nothing until `is_good` is true.

    Attributes:
        number: of the key that supposedly made it.
        signature: 64 bytes, over the digest.
        comment: the signer's statement about the file.
        whole: 64 bytes, over signature and comment.
    """

    number: bytes
    signature: bytes
    comment: str
    whole: bytes

    @property
    def id(self) -> str:
        """Its key's number as minisign prints it."""
        return self.number[::-1].hex().upper()

    @property
    def file(self) -> str:
        """The content of a ``.minisig`` file."""
        first = base64.b64encode(ALGORITHM + self.number + self.signature).decode()
        second = base64.b64encode(self.whole).decode()
        said = f"{UNTRUSTED}signature by key {self.id}\n{first}\n"
        return f"{said}{TRUSTED}{self.comment}\n{second}\n"

    def is_good(self, data: bytes, key: PublicKey) -> bool:
        """Whether the owner of `key` signed these data and this comment."""
        return (
            self.number == key.number
            and ed25519.verify(key.key, digest(data), self.signature)
            and ed25519.verify(key.key, self.signed_whole, self.whole)
        )

    @property
    def signed_whole(self) -> bytes:
        """The bytes that the second signature covers."""
        return self.signature + self.comment.encode()


def digest(data: bytes) -> bytes:
    """The digest that a signature covers: BLAKE2b-512."""
    return hashlib.blake2b(data).digest()


def public_key(text: str) -> PublicKey:
    """A public key from a ``.pub`` file's text, or from its word alone.

    Raises:
        ValueError: it is none.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = [line for line in lines if not line.startswith(UNTRUSTED.strip())]
    data = _decoded(words[0]) if len(words) == 1 else b""
    if len(data) != 42 or data[:2] != KEY_ALGORITHM or not ed25519.is_key(data[10:]):
        raise ValueError("is no public key of minisign")
    return PublicKey(data[2:10], data[10:])


def signature(text: str) -> Signature:
    """A signature from a ``.minisig`` file's text.

    Raises:
        ValueError: it is none.
    """
    lines = text.split("\n")
    if len(lines) not in (4, 5) or lines[4:] not in ([], [""]):
        raise ValueError("is no signature of minisign")
    first, comment, second = _decoded(lines[1]), lines[2].rstrip("\r"), _decoded(lines[3])
    if first[:2] == KEY_ALGORITHM:
        raise ValueError("is a signature of minisign's old form: sign anew without -l")
    if (
        not lines[0].startswith(UNTRUSTED)
        or not comment.startswith(TRUSTED)
        or (len(first), len(second), first[:2]) != (74, 64, ALGORITHM)
    ):
        raise ValueError("is no signature of minisign")
    comment = comment.removeprefix(TRUSTED)
    if not comment.isprintable() or len(comment) > MAX_COMMENT:
        raise ValueError("holds a comment that cannot be printed")
    return Signature(first[2:10], first[10:], comment, second)


def _decoded(word: str) -> bytes:
    try:
        return base64.b64decode(word.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
