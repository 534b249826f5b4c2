"""What the scans of a JPEG leave out (ITU-T T.81), according to its markers.

libjpeg shows what there is: less sharp without the later scans, gray or shifted where data between
two restart markers are lost. It only warns, which nobody sees.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from edge_app.images.jpeg import BLOCK, MARKER, RESTARTS, START_OF_SCAN, segments

LACKS_SCANS: Final = (
    "is a JPEG that lacks some of its scans: fine detail of the picture may be missing, or more"
)
LACKS_INTERVALS: Final = (
    "is a JPEG whose restart markers do not follow one another to its end: a part of the picture "
    "may be missing, damaged or in another place"
)

SEQUENTIAL: Final = (0xC0, 0xC1, 0xC9)
PROGRESSIVE: Final = (0xC2, 0xCA)
"""Frames of the cosine transform, Huffman coded and, the last of each, arithmetically."""
RESTART_INTERVAL: Final = 0xDD

COEFFICIENTS: Final = BLOCK**2
"""Coefficients of a block, as many as its pixels."""
UNSENT: Final = -1
PIECE: Final = 1 << 16
"""Bytes that are looked through at once."""


class Frame(NamedTuple):
    """How the samples of a picture lie.

    Attributes:
        width: in pixels.
        height: in pixels.
        sampling: of each component, by its identifier: how many samples it has across and down
            where the others have theirs.
    """

    width: int
    height: int
    sampling: dict[int, tuple[int, int]]

    def units(self, components: bytes) -> int:
        """The units (MCU) of a scan of these components, by which restart markers are set."""
        across, down = (max(each) for each in zip(*self.sampling.values(), strict=True))
        # That of a component alone is a block; that of several, what all have of the same area.
        wide, high = self.sampling[components[0]] if len(components) == 1 else (1, 1)
        columns = -(-self.width * wide // (BLOCK * across))
        return columns * -(-self.height * high // (BLOCK * down))


def missing(data: bytes) -> str | None:
    """A line on what a JPEG that a decoder takes leaves out; None where all of it seems there.

    Raises:
        ImageError: segments or scans without end.
    """
    frame, is_progressive, interval = None, False, 0
    sent: dict[int, list[int]] = {}  # as libjpeg's `coef_bits`: the lowest bit of each coefficient
    for marker, at in segments(data):
        end = at + int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : end]
        if marker in (*SEQUENTIAL, *PROGRESSIVE) and frame is None:
            frame, is_progressive = _frame(body), marker in PROGRESSIVE
            sent = {component: [UNSENT] * COEFFICIENTS for component in frame.sampling}
        elif marker == RESTART_INTERVAL:
            interval = int.from_bytes(body[:2], "big")
        elif marker == START_OF_SCAN and frame is not None:
            components = body[1:-3:2]
            if not components or not sent.keys() >= set(components):  # no decoder takes it
                return None
            first, last, bits = body[-3:] if is_progressive else (0, COEFFICIENTS - 1, 0)
            band, before, low = slice(first, last + 1), bits >> 4, bits & 0xF
            for coefficients in map(sent.__getitem__, components):
                # What refines other bits than were sent goes with a scan that is lost.
                coefficients[band] = [
                    low if before in (0, bit) else UNSENT for bit in coefficients[band]
                ]
            restarts = (frame.units(components) - 1) // interval if interval else 0
            if restarts and not _follow(data, end, restarts):
                return LACKS_INTERVALS
            if not any(map(any, sent.values())):
                return None
    return LACKS_SCANS if sent else None


def _frame(body: bytes) -> Frame:
    height, width = (int.from_bytes(body[at : at + 2], "big") for at in (1, 3))
    names, factors = body[6::3], body[7::3]
    sampling = {name: (each >> 4, each & 0xF) for name, each in zip(names, factors, strict=False)}
    return Frame(width, height, sampling)


def _follow(data: bytes, begin: int, number: int) -> bool:
    """Whether the restart markers of the scan that begins there are so many, in their order.

    More of them, at its end, say nothing.
    """
    found = MARKER.search(data, begin)
    end = found.start() if found else len(data)
    codes = b""
    for start in range(begin, end, PIECE):
        piece = np.frombuffer(data, np.uint8, min(PIECE + 1, end - start), start)
        seconds = piece[1:]
        codes += seconds[(piece[:-1] == 0xFF) & (seconds & 0xF8 == RESTARTS[0])].tobytes()
        if len(codes) >= number:
            break
    return codes[:number] == (bytes(RESTARTS) * (number // len(RESTARTS) + 1))[:number]
