"""Whatever stands in a DICOM header: a picture, or one line about the file in plain words."""

from __future__ import annotations

import json
import struct
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.core.errors import ImageError
from edge_app.images.radiograph import Limits

from ..messages import python_in
from ..pictures import read
from .mutations import NUMBERS, TEXTS, VRS, Element, inside, joined, split, with_inside

pytest.importorskip("pydicom", reason="the dicom extra is not installed")
pytest.importorskip("gdcm", reason="python-gdcm is not installed")

from .corpus import corpus

BASES = (
    *("window.dcm", "implicit.dcm", "rescaled.dcm", "padding.dcm", "padding-range.dcm"),
    *("voi-lut.dcm", "modality-lut.dcm", "sigmoid.dcm", "jpeg.dcm", "rle.dcm", "no-preamble.dcm"),
)

numbers = st.lists(st.sampled_from(NUMBERS), max_size=4)
values = st.one_of(
    st.sampled_from(TEXTS),
    st.binary(max_size=24),
    numbers.map(lambda each: struct.pack(f"<{len(each)}H", *(n & 0xFFFF for n in each))),
    numbers.map(lambda each: "\\".join(map(str, each)).encode()),
    st.floats().map(lambda number: f"{number:g}".encode()),
    st.text(max_size=12).map(lambda text: text.encode()),
)


@cache
def files() -> dict[str, bytes]:
    return corpus()


def hold_to_the_rules(data: bytes) -> None:
    """Read it; a picture keeps to its facts, and nothing that is said speaks Python."""
    try:
        image = read(data, Limits(max_pixels=1_000_000))
    except ImageError as error:
        said = [str(error)]
    else:
        said = list(image.warnings)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.shape == (image.facts["height"], image.facts["width"])
        json.dumps(image.facts, allow_nan=False)
    for line in said:
        assert line.isprintable(), line
        assert not python_in(line), line


def changed(base: str, place: int, vr: bytes, value: bytes) -> bytes:
    """The file with one element, of itself or of a LUT in it, under that VR and with that value."""
    preamble, elements = split(files()[base])
    elements = [element for element in elements if element.tag >> 16 != 0x0010]
    items = {i: inside(element) for i, element in enumerate(elements) if inside(element)}
    total = len(elements) + sum(map(len, items.values()))
    place %= total
    for number, parts in items.items():
        if place < len(parts):
            parts[place] = Element(parts[place].tag, vr if parts[place].vr else b"", value)
            elements[number] = with_inside(elements[number], parts)
            return joined(preamble, elements)
        place -= len(parts)
    old = elements[place]
    elements[place] = Element(old.tag, vr if old.vr else b"", value)
    return joined(preamble, elements)


@pytest.mark.parametrize("vr", VRS, ids=lambda vr: vr.decode("ascii").strip("\0") or "none")
@settings(max_examples=40)
@given(st.sampled_from(BASES), st.integers(0, 10_000), values)
def test_no_value_of_any_vr_is_answered_in_pythons_words(
    vr: bytes, base: str, place: int, value: bytes
) -> None:
    hold_to_the_rules(changed(base, place, vr, value))


@settings(max_examples=200)
@given(st.sampled_from(BASES), st.integers(0, 10_000), values)
def test_no_value_of_the_right_vr_is_answered_in_pythons_words(
    base: str, place: int, value: bytes
) -> None:
    _, elements = split(files()[base])
    own = elements[place % len(elements)].vr or b"UN"
    hold_to_the_rules(changed(base, place, own, value))


@pytest.mark.parametrize(
    "line",
    [
        "is a damaged DICOM file: 'NoneType' object is not iterable",
        "could not convert string to float: '2048,0'",
        "invalid literal for int() with base 10: 'x'",
        "'Dataset' object has no attribute 'LUTDescriptor'",
        "object of type 'NoneType' has no len()",
        "could not broadcast input array from shape (4608,) into shape (9216,)",
        "'utf-8' codec can't decode byte 0xff in position 0",
        "unpack requires a buffer of 4 bytes",
        "KeyError",
        "struct.error",
        "list index out of range",
        "'<=' not supported between instances of 'int' and 'bytes'",
        "its Rows are None",
    ],
)
def test_pythons_words_are_found(line: str) -> None:
    assert python_in(line)


@pytest.mark.parametrize(
    "line",
    [
        "is a damaged DICOM file: its WindowCenter, '2048,0', is no number",
        "is not a PNG, JPEG, TIFF, BMP, WebP or DICOM image (it begins 08 00 16 00)",
        "declares 60000x60000 pixels: no side may exceed 65535",
        "is a DICOM Basic Text SR Storage: it holds no pixel data",
        "takes more than 120 s to decode as JPEG-LS Lossless Image Compression",
        "holds values beyond its 12 bits",
        "uses 12 of its 14 bits: windowed to them",
    ],
)
def test_plain_lines_pass(line: str) -> None:
    assert python_in(line) is None


def test_splitting_and_joining_a_file_changes_nothing() -> None:
    for name, data in files().items():
        if name.endswith(".dcm") and name not in ("big-endian.dcm", "deflated.dcm"):
            assert joined(*split(data)) == data, name
