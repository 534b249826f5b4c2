"""The directories of a TIFF (6.0, BigTIFF), and which of its pages holds the picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from edge_app.core.errors import ImageError
from edge_app.images.png import inflated_size

NEW_SUBFILE_TYPE, OLD_SUBFILE_TYPE = 254, 255
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES = 273, 274, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 284, 317, 322, 323, 324, 325
SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT = 330, 338, 339
ICC_PROFILE: Final = 34675
JPEG_TABLES: Final = 347
MAX_TABLES: Final = 1 << 13
"""Bytes of the tables that JPEGs of a TIFF have in common; all that a JPEG can have are fewer."""

TAGS: Final = frozenset(
    (
        *(NEW_SUBFILE_TYPE, OLD_SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC),
        *(FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANAR),
        *(PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES, SUB_DIRECTORIES),
        *(EXTRA_SAMPLES, SAMPLE_FORMAT),
    )
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, TRANSPARENCY_MASK = 0, 1, 2, 4
REDUCED_BIT, MASK_BIT = 1, 4
"""Of tag 254, NewSubfileType; the older tag 255 says `OLD_REDUCED`."""
OLD_REDUCED = 2
SEPARATE_PLANES = 2
UNSIGNED, SIGNED, FLOAT = 1, 2, 3

FORMATS: Final = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    8: "h",
    9: "i",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
"""Types of a whole number, and `struct`'s."""

COMPRESSIONS: Final = {
    "none": (1,),
    "CCITT": (2, 3, 4),
    "LZW": (5,),
    "JPEG": (6, 7, 34892),
    "Deflate": (8, 32946),
    "PackBits": (32773,),
    "LZMA": (34925,),
    "Zstandard": (50000,),
    "WebP": (50001,),
    "JPEG 2000": (33003, 33005, 34712),
    "JPEG XL": (50002, 52546),
    "JPEG XR": (22610, 34934),
    "LERC": (34887,),
    "PNG": (34933,),
    "LogLuv": (34676, 34677),
}
"""Names of tag 259's numbers, for messages."""

JPEG: Final = 7
COMMON_COMPRESSIONS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946)
"""Those that every build of Pillow decodes."""

MAX_ENTRIES: Final = 100_000
MAX_PAGES: Final = 200
MAX_JPEGS: Final = 10_000
MAX_NUMBERS: Final = 2_000_000
"""In all directories together, of `TAGS`."""

SURPLUS: Final = 16
"""Bytes a sample at most: 8, and as many again for tiles that reach over the edge."""

THUMBNAIL: Final = 256
"""Pixels that neither side of a thumbnail exceeds."""


class Page(NamedTuple):
    """A directory: what a file says about one of its pictures.

    Attributes:
        order: ``<`` or ``>``.
        is_big: whether the file is a BigTIFF.
        place: where the directory stands in the file.
        tags: the numbers of `TAGS` that it has.
    """

    order: str
    is_big: bool
    place: int
    tags: dict[int, tuple[int, ...]]

    def value(self, tag: int, default: int = 0) -> int:
        return self.tags.get(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.value(WIDTH), self.value(HEIGHT)

    @property
    def samples(self) -> int:
        return self.value(SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Of each sample; 0 if they differ."""
        found = set(self.tags.get(BITS, (1,)))
        return found.pop() if len(found) == 1 else 0

    @property
    def predictor(self) -> int:
        """What was taken from the samples before they were compressed; 1 if nothing was."""
        return self.value(PREDICTOR, 1)

    @property
    def format(self) -> int:
        """`UNSIGNED`, `SIGNED`, `FLOAT` or another; 0 if the samples differ."""
        found = set(self.tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
        return found.pop() if len(found) == 1 else 0

    @property
    def is_reduced(self) -> bool:
        """Whether it says itself that it is a smaller copy of another."""
        return (
            bool(self.value(NEW_SUBFILE_TYPE) & REDUCED_BIT)
            or self.value(OLD_SUBFILE_TYPE) == OLD_REDUCED
        )

    @property
    def is_mask(self) -> bool:
        return (
            bool(self.value(NEW_SUBFILE_TYPE) & MASK_BIT)
            or self.value(PHOTOMETRIC, -1) == TRANSPARENCY_MASK
        )

    @property
    def is_tiled(self) -> bool:
        return TILE_WIDTH in self.tags

    @property
    def pieces(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where its strips or tiles stand, and how many bytes each has."""
        offsets, sizes = (
            (TILE_OFFSETS, TILE_SIZES) if self.is_tiled else (STRIP_OFFSETS, STRIP_SIZES)
        )
        return self.tags.get(offsets, ()), self.tags.get(sizes, ())

    def is_copy_of(self, other: Page) -> bool:
        """Whether it looks like a smaller copy, of the same shape or of a thumbnail's size."""
        (width, height), (full_width, full_height) = self.size, other.size
        if width >= full_width or height >= full_height or not width or not height:
            return False
        is_thumbnail = max(width, height) <= THUMBNAIL
        scale = max(full_width / width, full_height / height)
        same_shape = abs(full_width / scale - width) <= 1 and abs(full_height / scale - height) <= 1
        return same_shape or (is_thumbnail and 4 * max(width, height) <= min(other.size))

    def __str__(self) -> str:
        kinds = {UNSIGNED: "", SIGNED: "signed ", FLOAT: "floating-point "}
        kind = kinds.get(self.format, "unusual ")
        number = self.value(COMPRESSION, 1)
        names = (name for name, numbers in COMPRESSIONS.items() if number in numbers)
        compression = next(names, f"method {number}")
        compression += f" with predictor {self.predictor}" if self.predictor != 1 else ""
        return (
            f"{self.samples} {kind}samples of {self.bits or 'several'} bits, photometric "
            f"{self.value(PHOTOMETRIC, -1)}, compression {compression}"
        )


def pages(data: bytes) -> list[Page]:
    """Each directory, followed by its sub-directories; `MAX_PAGES` at most.

    Raises:
        ImageError: the first directory is not there, or directories have entries without end.
    """
    found: list[Page] = []
    seen: set[int] = set()
    reader = _Reader(data)
    place = reader.first
    while place and place not in seen and len(found) < MAX_PAGES:
        seen.add(place)
        page, following = reader.page(place)
        if page is None:
            break
        found.append(page)
        for sub in page.tags.get(SUB_DIRECTORIES, ()):
            if sub in seen or len(found) >= MAX_PAGES:
                continue
            seen.add(sub)
            beneath, _ = reader.page(sub)
            found += [beneath] if beneath else []
        place = following
    if not found:
        raise ImageError(
            "is a TIFF that is damaged, truncated or of an unsupported kind: it has no directory"
        )
    return found


def full_size(found: Sequence[Page]) -> tuple[int, str | None]:
    """Which of a file's pages holds the picture, and what to say where it has several.

    It is the first that is no mask, does not say of itself that it is a reduced copy, and does not
    look like a smaller copy of another one of these.

    Raises:
        ImageError: there are masks only.
    """
    pictures = [page for page in found if not page.is_mask]
    if not pictures:
        raise ImageError("is a TIFF of a transparency mask, without a picture")
    whole = [page for page in pictures if not page.is_reduced] or pictures
    full = [page for page in whole if not any(page.is_copy_of(other) for other in whole)]
    number = found.index(full[0])
    if len(found) == 1:
        return number, None
    if len(full) > 1:
        which = "the first" if number == 0 else f"page {number + 1}"
        return number, f"has more than one page or frame: only {which} was read"
    return number, (
        f"has smaller copies or masks on other pages: page {number + 1} of {len(found)}, the full "
        "size, was read"
    )


def profile(page: Page, data: bytes) -> bytes:
    """A page's ICC profile; empty without one, or where it does not lie in the file."""
    return _content(page, data, ICC_PROFILE)


def _content(page: Page, data: bytes, tag: int) -> bytes:
    """The bytes of a tag that holds more than a number; empty without it."""
    head, size, word, length = (8, 20, "Q", 8) if page.is_big else (2, 12, "I", 4)
    count = struct.unpack_from(page.order + ("Q" if page.is_big else "H"), data, page.place)[0]
    start = page.place + head
    for at in range(start, start + count * size, size):
        if struct.unpack_from(page.order + "H", data, at)[0] == tag:
            held, place = struct.unpack_from(f"{page.order}2{word}", data, at + size - 2 * length)
            return data[place : place + held]
    return b""


class _Reader:
    """Directories of a file, classic or BigTIFF, of either byte order."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.is_big = data[2:4] in (b"+\0", b"\0+")
        self.entries_left, self.numbers_left = MAX_ENTRIES, MAX_NUMBERS
        at, kind = (8, "Q") if self.is_big else (4, "I")
        self.first = self._number(kind, at) or 0

    def _number(self, kind: str, at: int) -> int | None:
        kind = self.order + kind
        if at < 0 or at + struct.calcsize(kind) > len(self.data):
            return None
        return int(struct.unpack_from(kind, self.data, at)[0])

    def page(self, place: int) -> tuple[Page | None, int]:
        """The directory at a place, None if it is not whole, and where the next one stands."""
        count = self._number("Q" if self.is_big else "H", place)
        if count is None:
            return None, 0
        self.entries_left -= count
        if self.entries_left < 0:
            raise ImageError(f"is a TIFF of more than {MAX_ENTRIES} entries")
        head, size = (8, 20) if self.is_big else (2, 12)
        end = place + head + count * size
        if end > len(self.data):
            return None, 0
        tags = {}
        for at in range(place + head, end, size):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, at)
            if tag in TAGS and kind in FORMATS:
                values = self._values(at + 4, FORMATS[kind])
                if values:
                    tags[tag] = values
        return Page(self.order, self.is_big, place, tags), self._number(
            "Q" if self.is_big else "I", end
        ) or 0

    def _values(self, at: int, kind: str) -> tuple[int, ...]:
        word = "Q" if self.is_big else "I"
        count = self._number(word, at) or 0
        at += struct.calcsize(word)
        size = count * struct.calcsize(kind)
        if size > struct.calcsize(word):
            at = self._number(word, at) or 0
        if at + size > len(self.data):
            return ()
        self.numbers_left -= count
        if self.numbers_left < 0:
            raise ImageError(f"is a TIFF of more than {MAX_NUMBERS} numbers in its directories")
        return struct.unpack_from(f"{self.order}{count}{kind}", self.data, at)


def require_pieces(page: Page, data: bytes) -> None:
    """Refuse a page whose strips or tiles do not lie in the file.

    Raises:
        ImageError: how many do not.
    """
    offsets, sizes = page.pieces
    beyond = sum(
        offset + size > len(data) for offset, size in zip(offsets, sizes, strict=False)
    ) + sum(offset >= len(data) for offset in offsets[len(sizes) :])
    if beyond:
        kind = "tiles" if page.is_tiled else "strips"
        raise ImageError(
            f"is damaged or truncated: {beyond} of its {len(offsets)} {kind} end beyond the file"
        )


def require_sound(page: Page, data: bytes) -> None:
    """Refuse a page whose deflated strips or tiles do not match their checksums.

    Pillow's decoder passes over some of that; no other compression of a TIFF has checksums.

    Raises:
        ImageError: how many are damaged.
    """
    if page.value(COMPRESSION, 1) not in COMPRESSIONS["Deflate"]:
        return
    pieces = list(zip(*page.pieces, strict=False))
    if sum(size for _, size in pieces) > len(data):
        return  # they overlap, so that checking each could take long
    left = SURPLUS * page.value(WIDTH) * page.value(HEIGHT) * page.samples
    damaged = 0
    for at, size in pieces:
        inflated = inflated_size(memoryview(data)[at : at + size], left)
        damaged += inflated is None
        left -= inflated or 0
    if damaged:
        kind = "tiles" if page.is_tiled else "strips"
        raise ImageError(f"is damaged: {damaged} of its {len(pieces)} deflated {kind} are broken")


def jpegs(page: Page, data: bytes) -> Iterator[bytes]:
    """Each strip or tile that is a JPEG of its own, but for its tables (tag 259 is 7).

    None where there are more than a picture is cut into, or they overlap: looking through each
    could take long.
    """
    pieces = list(zip(*page.pieces, strict=False))
    if page.value(COMPRESSION, 1) != JPEG or len(pieces) > MAX_JPEGS:
        return
    if sum(size for _, size in pieces) <= len(data):
        yield from (data[at : at + size] for at, size in pieces)


def jpegs_at(page: Page, data: bytes, places: Sequence[int], count: int) -> Iterator[bytes]:
    """The JPEGs at some places of a picture, each with the tables that all have in common.

    Args:
        page, data: see `jpegs`.
        places: their numbers, row by row.
        count: of all places; of separate planes each has as many.

    Returns:
        None of them where the file has another number of JPEGs, tables larger than any, or see
        `jpegs`.
    """
    found = list(jpegs(page, data))
    planes = page.samples if page.value(PLANAR) == SEPARATE_PLANES else 1
    tables = _content(page, data, JPEG_TABLES)[2:-2]
    if len(found) != count * planes or len(tables) > MAX_TABLES:
        return
    for place in places:
        for each in found[place::count]:
            yield each[:2] + tables + each[2:]


def starting_at(page: Page, data: bytes) -> bytes:
    """The same file, for readers that read the first page only: `page` is the first."""
    head, kind = (8, "Q") if page.is_big else (4, "I")
    place = struct.pack(page.order + kind, page.place)
    return data[:head] + place + data[head + len(place) :]
