"""Reading and writing the ZIP that is appended to a model's flatbuffer."""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Final

from edge_app.core.errors import ModelError

MANIFEST: Final = "manifest.json"
LABELS: Final = "labels.txt"
GOLDEN_INPUT: Final = "golden/input.bin"
GOLDEN_LOGITS: Final = "golden/logits.bin"
GOLDEN_MAP: Final = "golden/map.bin"
GOLDEN_ANSWERS: Final = "golden/answers.json"
CHECK: Final = "input_check.bin"
SUMS: Final = "SHA256SUMS"
FLATBUFFER: Final = "flatbuffer"
"""The name in `SUMS` of the bytes in front of the ZIP."""

REQUIRED: Final = frozenset((MANIFEST, LABELS, GOLDEN_INPUT, GOLDEN_LOGITS))
BACKEND_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")

TEXTS: Final = (MANIFEST, LABELS, GOLDEN_ANSWERS, SUMS)
MAX_TEXT_BYTES: Final = 1 << 20
"""Of each of them: parsed, it takes thirty times as much memory."""

MAX_MEMBER_BYTES: Final = 16 << 20
MAX_CHECK_BYTES: Final = 200_000
MAX_MEMBERS: Final = 24
ENTRY: Final = b"PK\x01\x02"
MAX_ENTRIES: Final = 1000
"""Beginnings of a ZIP's entries in a whole file; by chance a network may have some."""

ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)

BROKEN_ZIP: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, UnicodeError),
)
"""What `zipfile` raises on files that are no ZIP, or damaged or unsupported ones."""

HOW_TO_MAKE_ONE: Final = (
    "a model file is made by: python -m quantize int8 RUN DATA, or import NETWORK DATA"
)


def compiled_member(backend: str) -> str:
    """The member with the network compiled for a backend."""
    return f"compiled/{backend}.tflite"


def is_backend(name: str) -> bool:
    """Whether a backend may have this name."""
    return 0 < len(name) <= 32 and set(name) <= BACKEND_LETTERS and not name.startswith("-")


def backend_of(member: str) -> str | None:
    """The backend whose compiled network a member is; None for any other member."""
    backend = member.removeprefix("compiled/").removesuffix(".tflite")
    return backend if is_backend(backend) and member == compiled_member(backend) else None


def unzip(data: bytes, old_member: str) -> dict[str, bytes]:
    """The members of a model file's ZIP, each of a known name and a bounded size.

    Args:
        data: the whole model file.
        old_member: version 1's name of the network compiled for an accelerator.

    Raises:
        ModelError: there is no ZIP, it is damaged, or members are missing or unknown.
    """
    if data.count(ENTRY) > MAX_ENTRIES:  # each of which would take `zipfile` 10 microseconds
        raise not_whole(f"more than {MAX_MEMBERS} members")
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except zipfile.BadZipFile:
        raise ModelError(
            f"a plain .tflite without a manifest, or truncated; {HOW_TO_MAKE_ONE}"
        ) from None
    except BROKEN_ZIP:
        raise ModelError("its ZIP is damaged: copy the file again") from None
    names = archive.namelist()
    known = {*REQUIRED, GOLDEN_MAP, GOLDEN_ANSWERS, CHECK, SUMS, old_member}
    strange = sorted(name for name in set(names) - known if backend_of(name) is None)
    if strange:
        raise ModelError(f"its ZIP holds a member that does not belong there: {strange[0]!r}")
    if REQUIRED - set(names) or len(names) != len(set(names)) or len(names) > MAX_MEMBERS:
        absent = sorted(REQUIRED - set(names)) or ["a second member of one name"]
        raise not_whole(absent[0])
    return {info.filename: _member(archive, info) for info in archive.infolist()}


def digests(flatbuffer: bytes, members: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each part of a model file by name, without `SUMS`, which holds them."""
    parts = {**members, FLATBUFFER: flatbuffer}
    return {name: hashlib.sha256(data).hexdigest() for name, data in parts.items() if name != SUMS}


def sums(digests: Mapping[str, str]) -> bytes:
    """The digests of all parts of a model file, in the format of `sha256sum`."""
    return "".join(sorted(f"{digest}  {name}\n" for name, digest in digests.items())).encode()


def check_sums(members: Mapping[str, bytes], digests: Mapping[str, str]) -> None:
    """Compare a model file's parts with its `SUMS`, which files of earlier versions do not have.

    Args:
        members: of its ZIP.
        digests: of the parts; see `digests`.

    Raises:
        ModelError: a part was changed after the file was saved.
    """
    if SUMS not in members:
        return
    stated, found = members[SUMS], sums(digests)
    if stated == found:
        return
    there = set(stated.decode("utf-8", "replace").splitlines())
    odd = [line.partition("  ")[2] for line in found.decode().splitlines() if line not in there]
    what = odd[0] if odd else SUMS
    raise ModelError(
        f"{what} is not what the model was saved with: damaged or edited, copy the file again"
    )


def not_whole(what: str) -> ModelError:
    """The error for a ZIP with a missing or a doubled member."""
    return ModelError(f"its ZIP is not a model file's: {what}; {HOW_TO_MAKE_ONE}")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    limits = {**dict.fromkeys(TEXTS, MAX_TEXT_BYTES), CHECK: MAX_CHECK_BYTES}
    limit = limits.get(info.filename, MAX_MEMBER_BYTES)
    try:
        with archive.open(info) as member:
            data = member.read(limit + 1)
    except BROKEN_ZIP:
        raise ModelError(f"{info.filename} in its ZIP is damaged: copy the file again") from None
    if len(data) > limit:
        raise ModelError(f"{info.filename} in its ZIP unpacks to more than {limit} bytes")
    return data


def append(flatbuffer: bytes, members: Mapping[str, bytes]) -> bytes:
    """The flatbuffer with a ZIP of the members after it: the same parts give the same bytes."""
    buffer = BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
