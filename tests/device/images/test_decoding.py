"""What is kept of decoded pictures, in caches and journals, is kept under a number."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edge_app.images.read import DECODING

from ..pictures import png, radiograph, read
from .dicom_writer import written

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

WIDE = radiograph().astype(np.uint16)


def test_another_decoding_has_another_number() -> None:
    """Other bytes than those of the number: raise `DECODING`, and write their digest here."""
    decoded = hashlib.sha256()
    for used in (8, 10, 12, 14, 15, 16):
        stored = (WIDE << (used - 8)).astype(np.uint16)
        decoded.update(read(png(stored)).pixels)
        decoded.update(read(written(stored, 16)).pixels)
        decoded.update(read(written(stored.astype(np.int16), 16, PixelRepresentation=1)).pixels)
    assert (DECODING, decoded.hexdigest()) == (
        5,
        "80224e3bd295f81df26fe2b094bc872a479442319e35a1f29cdd291d6b6ac70d",
    )
