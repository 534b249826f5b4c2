"""JPEGs that lack scans, or data between restart markers, which libjpeg shows without a word."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_app.core.errors import ImageError
from edge_app.images import jpeg
from edge_app.images.jpeg_scans import LACKS_INTERVALS, LACKS_SCANS, missing

from ..pictures import encoded, radiograph, read, refusal

PICTURE = radiograph(144, 200)
END = b"\xff\xd9"
RESTART = re.compile(rb"\xff[\xd0-\xd7]")


def saved(mode: str = "L", picture: Any = PICTURE, **options: Any) -> bytes:
    return encoded(Image.fromarray(picture).convert(mode), "JPEG", **options)


def scans(data: bytes) -> list[int]:
    """Where each scan but the first begins, with its tables, and the last one ends."""
    found = pairwise(jpeg.segments(data))
    return [at - 2 for (before, _), (_, at) in found if before == jpeg.START_OF_SCAN] + [
        len(data) - len(END)
    ]


def restarts(data: bytes) -> list[int]:
    return [found.start() for found in RESTART.finditer(data)]


@pytest.mark.parametrize("min_side", [None, 18])
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 7}], ids=["", "restarts"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_progressive_jpeg_without_one_of_its_scans_is_told(
    mode: str, options: dict[str, int], min_side: int | None
) -> None:
    data = saved(mode, progressive=True, **options)
    assert missing(data) is None
    whole = read(data, min_side=min_side)
    assert not {LACKS_SCANS, LACKS_INTERVALS} & set(whole.warnings)
    starts = scans(data)
    assert len(starts) >= 6
    for start, end in pairwise(starts):
        assert "damaged or truncated" in refusal(data[:start])
        for lacking in (data[:start] + END, data[:start] + data[end:]):
            image = read(lacking, min_side=min_side)
            assert LACKS_SCANS in image.warnings
            if mode == "L" and min_side is None:
                assert (image.pixels != whole.pixels).any()


def with_two_more_components(data: bytes, scans: int) -> bytes:
    """A gray JPEG in whose header there are three, each sent in a scan of its own, or not."""
    frame, start, end = data.index(b"\xff\xc0"), data.index(b"\xff\xda"), len(data) - len(END)
    header = b"\xff\xc0\0\x11" + data[frame + 4 : frame + 9] + b"\3"
    header += b"".join(bytes((name, 0x11, 0)) for name in (1, 2, 3))
    scan = data[start:end]
    assert scan[5] == 1
    sent = b"".join(scan[:5] + bytes([name]) + scan[6:] for name in range(1, scans + 1))
    return data[:frame] + header + data[frame + 13 : start] + sent + END


def test_a_jpeg_without_one_of_its_components_is_told() -> None:
    data = saved()
    assert LACKS_SCANS not in read(with_two_more_components(data, 3)).warnings
    for scans in (1, 2):
        assert LACKS_SCANS in read(with_two_more_components(data, scans)).warnings


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_gap_between_restart_markers_is_told(mode: str, progressive: bool) -> None:
    """libjpeg fills a short one in place, and shows what follows a long one elsewhere."""
    data = saved(mode, restart_marker_blocks=4, progressive=progressive)
    whole = read(data)
    assert LACKS_INTERVALS not in whole.warnings
    ends, first = restarts(data), scans(data)[0]
    ends = [end for end in ends if end < first]
    assert len(ends) > 25
    for lost in range(1, 21):  # the markers count to eight
        image = read(data[: ends[3]] + data[ends[3 + lost] :])
        assert LACKS_INTERVALS in image.warnings
        assert (image.pixels != whole.pixels).any()
    assert LACKS_INTERVALS in read(data[: ends[-2]] + data[first:]).warnings
    twice = data[: ends[9]] + data[ends[4] :]
    assert LACKS_INTERVALS in read(twice).warnings


def test_no_restart_marker_at_all_is_told() -> None:
    data = saved(restart_marker_blocks=100)
    without = RESTART.sub(b"", data)
    assert len(data) - len(without) == 8
    assert LACKS_INTERVALS in read(without).warnings


def test_what_decoders_pass_over_is_not_told() -> None:
    """One restart marker more at the end of a scan, and filling before one."""
    data = saved(restart_marker_blocks=50)
    last = restarts(data)[-1]
    following = bytes((0xFF, 0xD0 + (data[last + 1] - 0xD0 + 1) % 8))
    for other in (
        data[:-2] + following + END,
        data[:last] + b"\xff\xff" + data[last:],
        data[:-2] + b"\xff\xff" + END,
    ):
        image = read(other)
        assert image.warnings == ()
        np.testing.assert_array_equal(image.pixels, read(data).pixels)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_whole_jpeg_is_told(draw: st.DataObject) -> None:
    """Of any size, with components of any sampling, and restart markers at any distance."""
    height, width = (draw.draw(st.integers(1, 70)) for _ in range(2))
    options: dict[str, Any] = {
        "quality": draw.draw(st.sampled_from([1, 30, 75, 95, 100])),
        "progressive": draw.draw(st.booleans()),
        "optimize": draw.draw(st.booleans()),
        "subsampling": draw.draw(st.sampled_from([0, 1, 2])),
    }
    distance = draw.draw(st.sampled_from(["restart_marker_blocks", "restart_marker_rows"]))
    options[distance] = draw.draw(st.sampled_from([0, 1, 2, 3, 5, 8, 64]))
    picture = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    mode = draw.draw(st.sampled_from(["L", "RGB", "CMYK"]))
    data = saved(mode, picture, **options)
    assert missing(data) is None
    assert not {jpeg.ENDS_EARLY, jpeg.ENDS_LATE} & set(read(data).warnings)


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_no_header_that_libjpeg_takes_stops_it(draw: st.DataObject) -> None:
    options: dict[str, Any] = {"progressive": draw.draw(st.booleans()), "restart_marker_rows": 1}
    data = bytearray(saved("RGB", PICTURE[:40, :50], **options))
    sos = [at for marker, at in jpeg.segments(data) if marker == jpeg.START_OF_SCAN]
    frame = data.index(b"\xff\xc2" if options["progressive"] else b"\xff\xc0")
    for _ in range(draw.draw(st.integers(1, 3))):
        begin = draw.draw(st.sampled_from([frame, *sos]))
        data[begin + draw.draw(st.integers(0, 20))] = draw.draw(st.integers(0, 255))
    try:
        Image.open(io.BytesIO(data)).load()
    except Exception:  # Pillow raises almost anything; such a file is refused
        return
    with suppress(ImageError):
        assert missing(bytes(data)) in (None, LACKS_SCANS, LACKS_INTERVALS)


def test_a_jpeg_of_more_scans_than_usual_is_not_decoded_twice() -> None:
    """A scan may be sent again: here until there are so many, of a picture that ends in gray."""
    picture = PICTURE.copy()
    picture[-24:] = jpeg.FILLING
    data = saved("L", picture, progressive=True)
    decoded: list[bytes] = []

    def is_same(other: bytes) -> bool:
        decoded.append(other)
        return True

    start, end = scans(data)[:2]
    many = data[:end] + data[start:end] * jpeg.USUAL_SCANS + data[end:]
    np.testing.assert_array_equal(read(many).pixels, read(data).pixels)
    assert jpeg.is_whole(data, is_same)
    assert not jpeg.is_whole(many, is_same)
    assert len(decoded) == 1
    assert read(many).warnings == (jpeg.ENDS_EARLY,)
