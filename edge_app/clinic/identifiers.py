"""Identifiers of what is made here: the same for the same content, image and box, whenever made.

A result that is made again after a kill, or because its image was sent again after it was removed
here, is the same instance for the archive; one that says something else is another, for an archive
keeps the first that it has of an instance, and tells nobody.
"""

from __future__ import annotations

import hashlib
from typing import Final

MANUFACTURER: Final = "edge-cxr"
"""The manufacturer of everything made here, in whichever version and by whichever model."""

HEATMAPS: Final = "edge-cxr heatmaps (research, no diagnosis)"
"""The description of a series of heatmaps."""

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"

ROOT: Final = "2.25."
MARK_BITS: Final = 32


def heatmap_uid(salt: bytes, *parts: str) -> str:
    """The same as `derived_uid`, of a heatmap: any edge-cxr tells it by its end, without the salt.

    An archive may put its own words in the place of a manufacturer's; an object keeps its UID.
    """
    return _marked(int(derived_uid(salt, *parts).removeprefix(ROOT)) >> MARK_BITS)


def heatmaps_uid(salt: bytes, study: str, model_sha256: str) -> str:
    """Of the series of a study's heatmaps by a network; see `heatmap_uid`."""
    return heatmap_uid(salt, "heatmaps", study, model_sha256)


def is_of_heatmap(uid: str) -> bool:
    """Whether a UID is one that `heatmap_uid` makes, of whichever salt."""
    return is_derived(uid) and uid == _marked(int(uid.removeprefix(ROOT)) >> MARK_BITS)


def is_derived(uid: str) -> bool:
    """Whether a UID has the form of those of `derived_uid`, which hardly anybody else's has."""
    digits = uid.removeprefix(ROOT)
    if digits == uid or not digits.isdecimal():
        return False
    number = int(digits)
    return number >> 128 == 0 and number >> 76 & 0xF == 8 and number >> 62 & 0x3 == 2


def _marked(begin: int) -> str:
    """The UID that begins with these bits, and ends with a digest of them."""
    digest = hashlib.sha256(HEATMAPS.encode() + begin.to_bytes(12, "big")).digest()
    return f"{ROOT}{begin << MARK_BITS | int.from_bytes(digest[: MARK_BITS // 8], 'big')}"


def derived_uid(salt: bytes, *parts: str) -> str:
    """A UID below 2.25 (DICOM PS3.5 B.2) that only the owner of the salt makes of these parts."""
    made = hashlib.sha256(salt)
    for part in parts:
        made.update(len(part).to_bytes(4, "big") + part.encode("utf-8", "surrogateescape"))
    number = int.from_bytes(made.digest()[:16], "big")
    # As RFC 9562 has it: version 8, variant 10.
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return f"{ROOT}{number}"
