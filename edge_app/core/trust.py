"""Who made a file: its signature, verified with the keys that this machine trusts.

The keys are in a file of this machine, never in the signed files. A signature's trusted comment
says what was signed, and its serial number: ``edge-cxr model cxr-lite0-128 serial 17``. A later
version has a higher number, so that an old file is recognised without a clock.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final, Literal, NamedTuple

from edge_app.core import minisign
from edge_app.core.errors import SignatureError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.core.minisign import PublicKey

VARIABLE: Final = "EDGE_CXR_KEYS"
SYSTEM: Final = "/etc/edge-cxr/keys"
NONE: Final = "none"
"""The value of `VARIABLE` that trusts no keys, even if there is a keys file."""

SUFFIX: Final = ".minisig"
SIGNED_ONLY: Final = "signed only"
"""The line of a keys file that makes unsigned files refused."""

MAX_BYTES: Final = 1 << 16
MAX_SERIAL: Final = 10**15 - 1
"""The highest serial number."""

COMMENT: Final = re.compile(r"edge-cxr (model|kit|key) ([A-Za-z0-9._-]{1,64}) serial ([0-9]{1,15})")

Kind = Literal["model", "kit", "key"]


class TrustedKey(NamedTuple):
    """A key that this machine trusts, and its owner's name in the keys file."""

    key: PublicKey
    owner: str

    @property
    def title(self) -> str:
        return f"{self.owner} ({self.key.id})" if self.owner else self.key.id


class Keys(NamedTuple):
    """The keys that this machine trusts.

    Attributes:
        path: of the keys file; None if there is none.
        trusted: keys whose signatures count.
        signed_only: whether files without such a signature are refused.
    """

    path: Path | None = None
    trusted: tuple[TrustedKey, ...] = ()
    signed_only: bool = False


class Origin(NamedTuple):
    """Who made a file, as far as this machine can tell.

    Attributes:
        signer: the trusted key that signed it; None if none did.
        serial: of that signature; None without one.
        words: the same, as the end of a sentence that begins with the file's name.
        signature_missing: whether this machine trusts keys, but none of them signed the file.
    """

    signer: TrustedKey | None
    serial: int | None
    words: str
    signature_missing: bool = False

    def as_dict(self) -> dict[str, object]:
        return {
            "signer": self.signer.owner if self.signer else None,
            "key": self.signer.key.id if self.signer else None,
            "serial": self.serial,
        }


def comment(kind: Kind, name: str, serial: int) -> str:
    """The trusted comment about a file.

    Raises:
        ValueError: the name or the number does not fit.
    """
    text = f"edge-cxr {kind} {name} serial {serial}"
    if not COMMENT.fullmatch(text):
        raise ValueError(f"no signature can be of {kind} {name!r} with the number {serial}")
    return text


def keys_place() -> Path | None:
    """The keys file of this machine: that of `VARIABLE`, the user's, or the system's.

    Returns:
        None if there is none, or `VARIABLE` is `NONE`.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return None if named == NONE else Path(named)
    return next(filter(is_there, (own_keys_place(), Path(SYSTEM))), None)


def is_there(place: Path) -> bool:
    """Whether something exists at a path; also true if that cannot be found out."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def own_keys_place() -> Path:
    """The path of the user's keys file, whether it exists or not."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home, "edge-cxr", "keys")


def pinned() -> Keys:
    """The keys that this machine trusts.

    Raises:
        SignatureError: the keys file cannot be read or understood, so nothing can be trusted.
    """
    place = keys_place()
    if place is None:
        return Keys()
    try:
        text = read_bounded(place, MAX_BYTES).decode()
        if place.stat().st_mode & stat.S_IWOTH:
            raise ValueError("everybody may write to it")
        return parse(text)._replace(path=place)
    except (UnreadableError, ValueError) as error:
        reason = "is no text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise SignatureError(f"{place}: {reason}: mend the file of trusted keys") from None


def parse(text: str) -> Keys:
    """A keys file: one line for each key and its owner, comments, and perhaps `SIGNED_ONLY`.

    One ``.pub`` file of minisign, or several joined, is a keys file.

    Raises:
        ValueError: a line is something else.
    """
    trusted, signed_only = [], False
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith(("#", minisign.UNTRUSTED.strip())):
            continue
        if line == SIGNED_ONLY:
            signed_only = True
            continue
        word, _, owner = line.partition(" ")
        try:
            trusted.append(TrustedKey(minisign.public_key(word), owner.strip()))
        except ValueError:
            raise ValueError(
                f"line {number} is no key, no comment and not {SIGNED_ONLY!r}"
            ) from None
        if not owner.isprintable():
            raise ValueError(f"line {number} holds characters that cannot be printed")
    if len({each.key.number for each in trusted}) < len(trusted):
        raise ValueError("holds two keys of one number")
    return Keys(None, tuple(trusted), signed_only)


def origin(data: bytes, signature: bytes | None, kind: Kind, name: str, keys: Keys) -> Origin:
    """Who made a file.

    Args:
        data: the whole file.
        signature: the content of its signature file; None if there is none.
        kind, name: of the file, by its content.
        keys: that this machine trusts.

    Raises:
        SignatureError: a signature by a trusted key is wrong or of something else, or the
            signature file holds no signature.
    """
    if signature is None:
        words = "is not signed: who made it is not known"
        return Origin(None, None, words, bool(keys.trusted))
    if not keys.trusted:
        return Origin(None, None, "is signed, and no key is trusted here that could tell by whom")
    try:
        found = minisign.signature(signature.decode())
    except UnicodeDecodeError:
        raise SignatureError("its signature is no text: copy it again") from None
    except ValueError as error:
        raise SignatureError(f"its signature {error}") from None
    signer = next((each for each in keys.trusted if each.key.number == found.number), None)
    if signer is None:
        words = f"is signed by key {found.id}, which is not trusted here"
        return Origin(None, None, words, True)
    if not found.is_good(data, signer.key):
        raise SignatureError(
            f"is not what {signer.title} signed: it was changed, or the signature is another "
            "file's: do not use it"
        )
    stated = COMMENT.fullmatch(found.comment)
    if stated is None:
        raise SignatureError(
            f"its signature states {found.comment!r} and no {kind} with a serial number: sign it "
            "with edge-cxr models sign"
        )
    if stated[1] != kind or stated[2] != name:
        raise SignatureError(
            f"its signature is of {stated[1]} {stated[2]}, and this is {kind} {name}: do not use it"
        )
    serial = int(stated[3])
    return Origin(signer, serial, f"is signed by {signer.title}, serial {serial}")


def require(found: Origin, keys: Keys) -> None:
    """Refuse an unsigned file if only signed ones are accepted.

    Raises:
        SignatureError: the keys file says `SIGNED_ONLY`, and no trusted key signed the file.
    """
    if keys.signed_only and found.signer is None:
        raise SignatureError(f"{found.words}, and {keys.path} says {SIGNED_ONLY!r}")


def read_signature(path: Path) -> bytes | None:
    """The content of a file's signature file, in the same folder; None if there is none.

    Raises:
        SignatureError: it cannot be read.
    """
    place = path.with_name(path.name + SUFFIX)
    if not is_there(place):
        return None
    try:
        return read_bounded(place, minisign.MAX_BYTES)
    except UnreadableError as error:
        raise SignatureError(f"its signature {place} {error}") from None
