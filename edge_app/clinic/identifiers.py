"""Identifiers of what is made here: the same for the same content, image and box, whenever made.

A result that is made again after a kill, or because its image was sent again after it was removed
here, is the same instance for the archive; one that says something else is another, for an archive
keeps the first that it has of an instance, and tells nobody.
"""

from __future__ import annotations

import hashlib
from typing import Final

MANUFACTURER: Final = "edge-cxr"
"""Of all that is made here, by whichever version and model."""

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"


def heatmaps_uid(salt: bytes, study: str, model_sha256: str) -> str:
    """Of the series of a study's heatmaps by a network."""
    return derived_uid(salt, "heatmaps", study, model_sha256)


def derived_uid(salt: bytes, *parts: str) -> str:
    """A UID below 2.25 (DICOM PS3.5 B.2) that only the owner of the salt makes of these parts."""
    made = hashlib.sha256(salt)
    for part in parts:
        made.update(len(part).to_bytes(4, "big") + part.encode("utf-8", "surrogateescape"))
    number = int.from_bytes(made.digest()[:16], "big")
    # As RFC 9562 has it: version 8, variant 10.
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return f"2.25.{number}"
