"""Modality and VOI look-up tables whose descriptors are wrong, as devices write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ..pictures import radiograph, read, refusal
from .dicom_writer import BIG_ENDIAN, EXPLICIT, IMPLICIT, LUT_EXPLANATION, Written, written

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

PICTURE = radiograph()
WIDE = PICTURE.astype(np.uint16)
TWELVE = WIDE << 4
SIGNED = TWELVE.astype(np.int16) - 2048
HIGH = TWELVE + 40_000
RAMP = np.arange(4096)
W = Written()


def voi(stored: np.ndarray[Any, Any], bits: int, *items: bytes, **values: Any) -> bytes:
    return written(stored, bits, VOILUTSequence=list(items), **values)


def near(data: bytes) -> tuple[str, ...]:
    """That the picture is shown to a gray level; its warnings."""
    image = read(data)
    assert np.abs(image.pixels.astype(int) - PICTURE).max() <= 1
    return image.warnings


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("called", [0, 7, 8, 10, 12, 13, 16, 32])
@pytest.mark.parametrize("bits", [8, 9, 10, 11, 12, 13, 14, 15, 16])
def test_the_entries_tell_their_bits(bits: int, called: int, syntax: str) -> None:
    ramp = RAMP << (bits - 12) if bits > 12 else RAMP >> (12 - bits)
    w = Written(syntax)
    item = w.table([4096, 0, called], ramp)
    image = read(written(TWELVE, 12, syntax, VOILUTSequence=[item]))
    assert np.abs(image.pixels.astype(int) - PICTURE).max() <= 1
    assert image.facts["window"] == f"VOI LUT of {bits} bits"
    warning = f"calls the entries of its VOI LUT {called} bits: they have {bits}"
    assert image.warnings == (() if called == bits else (warning,))


@pytest.mark.parametrize("called", [12, 16])
def test_monochrome1_with_a_falling_table(called: int) -> None:
    near(
        voi(
            TWELVE,
            12,
            W.table([4096, 0, called], RAMP[::-1]),
            PhotometricInterpretation="MONOCHROME1",
        )
    )


@pytest.mark.parametrize("largest", [2500, 3000, 4095])
def test_a_table_of_the_bits_it_declares_may_leave_the_top_out(largest: int) -> None:
    """Where the standard says what is right, a dark table is dark."""
    table = RAMP * largest // 4095
    image = read(voi(TWELVE, 12, W.table([4096, 0, 12], table)))
    expected = np.minimum(table[TWELVE] / 4095 * 256, 255)
    assert np.abs(image.pixels - expected).max() <= 1
    assert image.warnings == ()


def test_4096_at_the_end_of_12_bits_is_no_13th_bit() -> None:
    table = np.minimum(RAMP + 1, 4096)
    assert near(voi(TWELVE, 12, W.table([4096, 0, 12], table))) == ()


@pytest.mark.parametrize("count", [4095, 4096, 4097])
def test_one_entry_more_or_fewer_than_declared(count: int) -> None:
    for entries in (RAMP, np.append(RAMP, 0), RAMP[:-1]):
        near(voi(TWELVE, 12, W.table([count, 0, 12], entries)))


def test_far_more_entries_than_declared_are_all_used() -> None:
    near(voi(TWELVE, 12, W.table([256, 0, 12], RAMP)))


def test_65536_entries_are_declared_as_0() -> None:
    ramp = np.arange(65536)
    near(voi(WIDE << 8, 16, W.table([0, 0, 16], ramp)))


@pytest.mark.parametrize("called", [8, 16])
@pytest.mark.parametrize(
    "data",
    [
        lambda grays: ("OW", grays.astype("<u2").tobytes()),
        lambda grays: ("US", grays),
        lambda grays: ("OW", grays.astype("u1").tobytes()),
        lambda grays: ("OB", grays.astype("u1").tobytes()),
        lambda grays: ("UN", grays.astype("u1").tobytes()),
        lambda grays: ("OW", grays[:-1].astype("u1").tobytes()),
        lambda grays: ("OW", np.append(grays, 0).astype("u1").tobytes()),
        lambda grays: ("OW", (grays * 257).astype("<u2").tobytes()),
        lambda grays: ("OW", (grays << 8).astype("<u2").tobytes()),
    ],
    ids=[
        *("a word each", "a number each", "packed", "packed, as bytes", "packed, unknown"),
        *("packed, one fewer", "packed, one more", "in both bytes", "in the upper byte"),
    ],
)
def test_8_bit_entries_however_they_are_packed(
    data: Callable[[np.ndarray[Any, Any]], tuple[str, Any]], called: int
) -> None:
    vr, value = data(RAMP >> 4)
    near(voi(TWELVE, 12, W.table([4096, 0, called], value, data_vr=vr)))


def test_packed_entries_in_big_endian_words() -> None:
    w = Written(BIG_ENDIAN)
    packed = (RAMP >> 4).astype("u1").tobytes()
    swapped = np.frombuffer(packed, "<u2").astype(">u2").tobytes()
    item = w.table([4096, 0, 8], swapped)
    near(written(TWELVE, 12, BIG_ENDIAN, VOILUTSequence=[item]))


FIRST = [
    (SIGNED, 12, 63_488, "US", {}),
    (SIGNED, 12, -2048, "SS", {}),
    (HIGH, 16, 40_000, "US", {}),
    (HIGH, 16, 40_000 - 65_536, "SS", {}),
    (TWELVE, 12, -1024, "SS", {"RescaleIntercept": "-1024", "RescaleSlope": "1"}),
    (TWELVE, 12, 64_512, "US", {"RescaleIntercept": "-1024", "RescaleSlope": "1"}),
    (SIGNED, 12, 0, "US", {"RescaleIntercept": "2048", "RescaleSlope": "1"}),
    (SIGNED, 12, 0, "SS", {"RescaleIntercept": "2048", "RescaleSlope": "1"}),
    (SIGNED, 12, 40_000, "US", {"RescaleIntercept": "42048", "RescaleSlope": "1"}),
    (SIGNED, 12, -25_536, "SS", {"RescaleIntercept": "42048", "RescaleSlope": "1"}),
]


@pytest.mark.parametrize(("stored", "bits", "first", "vr", "rescale"), FIRST)
def test_the_first_value_has_the_sign_of_what_is_mapped(
    stored: np.ndarray[Any, Any], bits: int, first: int, vr: str, rescale: dict[str, str]
) -> None:
    descriptor = np.array([4096, first, 12]).astype("<u2").tobytes()
    near(voi(stored, bits, W.table(descriptor, RAMP, vr=vr), **rescale))


@pytest.mark.parametrize(("stored", "bits", "first", "vr", "rescale"), FIRST[:4])
@pytest.mark.parametrize("called", [12, 16])
def test_modality_tables_alike(
    stored: np.ndarray[Any, Any],
    bits: int,
    first: int,
    vr: str,
    rescale: dict[str, str],
    called: int,
) -> None:
    descriptor = np.array([4096, first, called]).astype("<u2").tobytes()
    item = W.table(descriptor, RAMP, vr=vr)
    full = {"WindowCenter": "2048", "WindowWidth": "4096"}
    for window in ({}, full):
        assert near(written(stored, bits, ModalityLUTSequence=[item], **window)) == ()


BLANK = [
    b"",
    W.element(LUT_EXPLANATION, "LO", "as it was"),
    W.table(b"", b""),
    W.table(b"", b"", vr="SS", data_vr="US"),
]


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("blank", BLANK)
def test_blank_items_are_no_tables(blank: bytes, undefined: bool) -> None:
    sequences = {
        name: (W.sequence(tag, [blank], undefined))
        for name, tag in (("ModalityLUTSequence", 0x00283000), ("VOILUTSequence", 0x00283010))
    }
    data = written(TWELVE, 12)
    place = data.index(b"\xe0\x7f\x10\x00")
    assert near(data[:place] + b"".join(sequences.values()) + data[place:]) == ()


@pytest.mark.parametrize("blank", BLANK)
def test_a_blank_item_beside_a_window_or_a_table(blank: bytes) -> None:
    window = {"WindowCenter": "2048", "WindowWidth": "4096"}
    assert near(voi(WIDE << 4, 16, blank, **window)) == ()
    assert near(voi(TWELVE, 12, blank, W.table([4096, 0, 12], RAMP))) == ()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (W.table([4096, 0, 12], b""), "its VOI LUT has 0 entries, not 4096"),
        (W.table([4096, 0, 12], RAMP[:1000]), "its VOI LUT has 1000 entries, not 4096"),
        (W.table(b"", RAMP), "the LUT Descriptor of its VOI LUT has 0 numbers, not 3"),
        (W.table([4096], RAMP), "the LUT Descriptor of its VOI LUT has 1 numbers, not 3"),
    ],
)
def test_a_table_without_what_it_needs(item: bytes, expected: str) -> None:
    assert expected in refusal(voi(TWELVE, 12, item))
    (warning,) = near(voi(WIDE << 4, 12, item, WindowCenter="2048", WindowWidth="4096"))
    assert expected in warning
    assert warning.endswith("its window was used")
    modality = written(TWELVE, 12, ModalityLUTSequence=[item])
    assert expected.replace("VOI", "Modality") in refusal(modality)


def test_a_table_outside_of_the_picture_is_told() -> None:
    line = refusal(voi(TWELVE, 12, W.table([256, 20_000, 8], np.arange(256))))
    assert "its VOI LUT shows one gray: VOI LUT of 8 bits, of values from 0 to 4080" in line
