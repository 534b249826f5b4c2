"""Who made a file: its signature, held to the keys that this place trusts.

The keys stand in a file of this machine, never in what they judge. A signature's trusted comment
says what was signed, and with which serial number: ``edge-cxr model cxr-lite0-128 serial 17``. A
later version has a higher number, so that nobody needs a clock to see that a file is an old one.
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
"""In `VARIABLE`: no keys, whatever files there are."""

SUFFIX: Final = ".minisig"
SIGNED_ONLY: Final = "signed only"
"""The line of a keys file that has unsigned files refused."""

MAX_BYTES: Final = 1 << 16
MOST: Final = 10**15 - 1
"""The highest serial number."""

COMMENT: Final = re.compile(r"edge-cxr (model|kit|key) ([A-Za-z0-9._-]{1,64}) serial ([0-9]{1,15})")

Kind = Literal["model", "kit", "key"]


class TrustedKey(NamedTuple):
    """A key that this place trusts, and whose it is in the words of who pinned it."""

    key: PublicKey
    owner: str

    @property
    def title(self) -> str:
        return f"{self.owner} ({self.key.id})" if self.owner else self.key.id


class Keys(NamedTuple):
    """What this place trusts.

    Attributes:
        path: the file that says so; None where there is none.
        trusted: whose signatures count.
        signed_only: whether files without such a signature are refused.
    """

    path: Path | None = None
    trusted: tuple[TrustedKey, ...] = ()
    signed_only: bool = False


class Origin(NamedTuple):
    """Who made a file, as far as this place can tell.

    Attributes:
        signer: the trusted key whose good signature it has; None where there is none.
        serial: what that signature states; None without.
        words: the same as the end of a sentence that begins with the file's name.
        asked_for: whether this place trusts keys, and the file has no signature by any of them.
    """

    signer: TrustedKey | None
    serial: int | None
    words: str
    asked_for: bool = False

    def as_dict(self) -> dict[str, object]:
        return {
            "signer": self.signer.owner if self.signer else None,
            "key": self.signer.key.id if self.signer else None,
            "serial": self.serial,
        }


def comment(kind: Kind, name: str, serial: int) -> str:
    """The trusted comment about a file.

    Raises:
        ValueError: name or number do not fit into one.
    """
    text = f"edge-cxr {kind} {name} serial {serial}"
    if not COMMENT.fullmatch(text):
        raise ValueError(f"no signature can be of {kind} {name!r} with the number {serial}")
    return text


def keys_place() -> Path | None:
    """The keys file of this place: that of `VARIABLE`, the user's, or the system's.

    Returns:
        None where there is none, or none is wanted.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return None if named == NONE else Path(named)
    return next(filter(is_there, (own_keys_place(), Path(SYSTEM))), None)


def is_there(place: Path) -> bool:
    """Whether there is something, be it out of reach: only what is surely absent is not there."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def own_keys_place() -> Path:
    """Where the user's keys file is, or would be."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home, "edge-cxr", "keys")


def pinned() -> Keys:
    """The keys that this place trusts.

    Raises:
        SignatureError: there is a keys file, and it cannot be read or understood: as long as that
            is so, nothing can be trusted.
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
    """A keys file: a key and its owner a line, comments, and perhaps `SIGNED_ONLY`.

    A ``.pub`` file of minisign is one, and so are several after each other.

    Raises:
        ValueError: a line is none of these.
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
        data: all of the file.
        signature: what lies beside it; None where nothing does.
        kind, name: what the file is, by itself.
        keys: what this place trusts.

    Raises:
        SignatureError: a signature that says it is by a trusted key is not good, or of something
            else, or what lies there is no signature.
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
    """Hold a file to what this place asks for.

    Raises:
        SignatureError: it asks for signed files, and this one has no signature that counts.
    """
    if keys.signed_only and found.signer is None:
        raise SignatureError(f"{found.words}, and {keys.path} says {SIGNED_ONLY!r}")


def beside(path: Path) -> bytes | None:
    """The signature that lies beside a file; None where nothing does.

    Raises:
        SignatureError: something does, and it cannot be read.
    """
    place = path.with_name(path.name + SUFFIX)
    if not is_there(place):
        return None
    try:
        return read_bounded(place, minisign.MAX_BYTES)
    except UnreadableError as error:
        raise SignatureError(f"its signature {place} {error}") from None
