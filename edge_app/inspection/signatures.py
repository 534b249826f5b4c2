"""`edge-cxr models sign` and `trust`: signatures made, and the keys that this place trusts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_app.core import minisign, trust
from edge_app.core.errors import ModelError, OutputError, SignatureError, UsageError
from edge_app.core.files import UnreadableError, read_bounded, write_whole
from edge_app.core.minisign import PublicKey
from edge_app.core.trust import Keys, Kind

if TYPE_CHECKING:
    from edge_app.core.signing import SecretKey

HEADING = "# Whose models and kits this machine trusts: docs/signing.md tells how.\n"


def sign(paths: Sequence[Path], key: SecretKey, serial: int | None) -> list[tuple[Path, str]]:
    """Write a signature beside each file: of a model, or of a public key that is to be trusted.

    Args:
        paths: model files, and ``.pub`` files.
        key: signs.
        serial: a higher one than that of the version before; default: the seconds since 1970.

    Returns:
        The signatures' files and what they state.

    Raises:
        ModelError: one of the files is neither.
        UsageError: it is the signing key itself, or the number is none.
        OutputError: a signature cannot be written.
    """
    from edge_app.core.signing import checked

    number = int(time.time()) if serial is None else serial
    made = []
    for path in paths:
        data, (kind, name) = _subject(path)
        if name == key.public.id:
            raise UsageError(f"{path}: a key does not vouch for itself")
        stated = trust.comment(kind, name, number)
        signature = checked(key.sign(data, stated), data, key.public)
        place = path.with_name(path.name + trust.SUFFIX)
        try:
            write_whole(place, signature.file.encode())
        except OSError as error:
            raise OutputError(f"{place}: cannot be written: {error.strerror}") from None
        made.append((place, stated))
    return made


def _subject(path: Path) -> tuple[bytes, tuple[Kind, str]]:
    """A file's bytes, and what it is by its own account."""
    from edge_app.model.model_file import MAX_FILE_BYTES, parse

    try:
        data = read_bounded(path, MAX_FILE_BYTES)
        if path.suffix == ".pub":
            return data, ("key", _public_key(data).id)
        return data, ("model", parse(path, data).name)
    except (UnreadableError, ValueError) as error:
        raise ModelError(f"{path}: {error}") from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _public_key(data: bytes) -> PublicKey:
    try:
        return minisign.public_key(data.decode())
    except UnicodeDecodeError:
        raise ValueError("is no public key of minisign") from None


def add_key(source: str, owner: str, signed_only: bool) -> tuple[Path, PublicKey, str]:
    """Have this place trust a key.

    The first one is taken as it is given, by a person who compared it with what its owner told.
    Each further one has to be signed by one that is trusted.

    Args:
        source: a ``.pub`` file, or the key itself.
        owner: whose it is, for messages.
        signed_only: also refuse unsigned files from now on.

    Returns:
        The keys file, the key, and why it is trusted.

    Raises:
        UsageError: it is no key, or is trusted already.
        SignatureError: no trusted key signed it.
        OutputError: the keys file cannot be written.
    """
    place = trust.keys_place() or trust.own_keys_place()
    if os.environ.get(trust.VARIABLE) == trust.NONE:
        raise UsageError(f"{trust.VARIABLE} is {trust.NONE}: no key would be trusted")
    keys = trust.pinned() if trust.is_there(place) else Keys()
    key, why = _vouched(source, keys)
    if not owner.isprintable() or "\n" in owner:
        raise UsageError("--owner: write the name in one line")
    known = next((each for each in keys.trusted if each.key.number == key.number), None)
    if known is not None and (known.key != key or keys.signed_only or not signed_only):
        raise UsageError(f"{key.id}: is trusted already, or another key of its number is")
    text = HEADING if keys.path is None else place.read_text("utf-8")
    lines = [] if text.endswith("\n") else [""]
    if known is None:
        lines.append(f"{key.text} {owner}".rstrip())
    if signed_only and not keys.signed_only:
        lines.append(trust.SIGNED_ONLY)
    text += "".join(f"{line}\n" for line in lines)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text.encode())
        place.chmod(0o644)
    except OSError as error:
        raise OutputError(f"{place}: cannot be written: {error.strerror}") from None
    return place, key, why


def _vouched(source: str, keys: Keys) -> tuple[PublicKey, str]:
    """The key that is given, and why it is trusted."""
    path = Path(source)
    try:
        key = minisign.public_key(source)
        signature = None
    except ValueError:
        try:
            data = read_bounded(path, minisign.MAX_BYTES)
            key = _public_key(data)
        except (UnreadableError, ValueError) as error:
            raise UsageError(f"{source}: {error}") from None
        signature = trust.read_signature(path)
    if not keys.trusted:
        return key, "the first key: compare it with what its owner told you"
    if any(each.key == key for each in keys.trusted):
        return key, "trusted already"
    if signature is None:
        raise SignatureError(
            f"{source}: a further key has to be signed by a trusted one: name its .pub file, with "
            f"the signature beside it; or write it into {keys.path} yourself"
        )
    try:
        found = trust.origin(data, signature, "key", key.id, keys)
    except SignatureError as error:
        raise SignatureError(f"{source}: {error}") from None
    if found.signer is None:
        raise SignatureError(f"{source}: {found.words}")
    return key, found.words
