"""The pieces that a JPEG 2000 codestream is cut into, counted before anything decodes it.

OpenJPEG holds some hundred bytes for each code-block and more for each precinct of each subband of
each tile (ISO/IEC 15444-1, Annex B), however few samples are in it: a picture of 25 million pixels
in tiles of 20×20 takes half a gigabyte more than the same in one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edge_app.core.errors import ImageError

CODESTREAM = 0xFF4F
SIZE, CODING_STYLE, CODING_STYLE_OF_COMPONENT = 0xFF51, 0xFF52, 0xFF53
TILE_PART, DATA = 0xFF90, 0xFF93

MAX_PIECES = 500_000
"""25 million pixels in code-blocks of 32×32 are 33,000 of them in one tile."""

MAX_BYTES = 36 << 20
"""OpenJPEG takes a tenth of a second for each MB. 25 million pixels of 12 bits take 20 MB."""

MAX_MARKERS = 50_000
PRECINCT = 4
"""Pieces that a precinct of a subband counts for, by what it takes."""

MAX_LEVELS = 32


class Style(NamedTuple):
    """How tiles are cut: decomposition levels, logarithms of sides of code-blocks and precincts.

    Attributes:
        precincts: one byte a resolution, two logarithms in it; empty where none is stated.
    """

    levels: int
    block: tuple[int, int]
    precincts: bytes

    def pieces(self, width: int, height: int) -> int:
        """At most so many in a tile of these sides, of one component."""
        total = 0
        for resolution in range(self.levels + 1):
            down = self.levels - resolution
            code = self.precincts[resolution] if resolution < len(self.precincts) else 0xFF
            sides = []
            for side, block, precinct in zip(
                (width, height), self.block, (code & 15, code >> 4), strict=True
            ):
                here = _over(side, down)
                inner = max(0, precinct - (resolution > 0))
                band = _over(here, 1) if resolution else here
                sides.append((_over(here, precinct), _over(band, min(block, inner))))
            (across, blocks_across), (along, blocks_along) = sides
            bands = 3 if resolution else 1
            total += bands * (PRECINCT * across * along + blocks_across * blocks_along)
        return total


def require_few_pieces(data: bytes) -> None:
    """Refuse a codestream of more pieces than any radiograph is cut into.

    Args:
        data: from its first marker on.

    Raises:
        ImageError: it has more than `MAX_PIECES` or `MAX_BYTES`, or its header does not say.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"is JPEG 2000 of {len(data) >> 20} MiB, more than the {MAX_BYTES >> 20} that are "
            "read: export it uncompressed"
        )
    tiles, tile, components = 0, (0, 0), 0
    styles: list[Style] = []
    for marker, at, length in _segments(data):
        try:
            if marker == SIZE:
                right, bottom, _, _, *cut = struct.unpack_from(">8I", data, at + 4)
                (components,) = struct.unpack_from(">H", data, at + 36)
                tile = min(cut[0], right), min(cut[1], bottom)
                tiles = -(-(right - cut[2]) // cut[0]) * -(-(bottom - cut[3]) // cut[1])
            elif marker == CODING_STYLE:
                styles.append(_style(data, at + 7, at + length, bool(data[at + 2] & 1)))
            elif marker == CODING_STYLE_OF_COMPONENT:
                skip = 3 if components < 257 else 4
                styles.append(_style(data, at + skip + 1, at + length, bool(data[at + skip] & 1)))
        except (struct.error, IndexError, ZeroDivisionError):
            raise ImageError("is damaged: its JPEG 2000 header is broken") from None
    each = max((style.pieces(*tile) for style in styles), default=0)
    if tiles * components * each > MAX_PIECES:
        raise ImageError(
            f"is JPEG 2000 cut into {tiles} tiles and more than {MAX_PIECES} pieces: no radiograph "
            "is: export it with larger tiles and code-blocks, or uncompressed"
        )


def _style(data: bytes, at: int, end: int, has_precincts: bool) -> Style:
    levels, across, along = data[at], data[at + 1], data[at + 2]
    if levels > MAX_LEVELS:
        raise ImageError("is damaged: its JPEG 2000 header is broken")
    precincts = data[at + 5 : end] if has_precincts else b""
    return Style(levels, ((across & 15) + 2, (along & 15) + 2), precincts)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker of the main header and of those of tile-parts: where its length stands, and it.

    Raises:
        ImageError: there are too many.
    """
    at, part_ends = 2, len(data)
    for _ in range(MAX_MARKERS):
        if at + 4 > len(data):
            return
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == DATA:
            if part_ends <= at:
                return
            at = part_ends
            continue
        if marker < CODESTREAM:
            return
        if marker == TILE_PART:
            (part,) = struct.unpack_from(">I", data.ljust(at + 12, b"\0"), at + 6)
            part_ends = at + part if part else len(data)
        yield marker, at + 2, length
        at += 2 + max(2, length)
    raise ImageError(f"is JPEG 2000 of more than {MAX_MARKERS} markers")


def _over(number: int, power: int) -> int:
    """Divided by 2**power, rounded up."""
    return -(-number >> power)
