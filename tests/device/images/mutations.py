"""Damage: a seed and a valid file → a file that somebody might have, or send.

Each mutation takes a generator of random numbers and a file's bytes. Those of a format know its
parts, so that what they break is not caught by a checksum first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Final, NamedTuple

Mutation = Callable[[Random, bytes], bytes]

NUMBERS: Final = (0, 1, 2, 3, 7, 8, 255, 256, 32767, 32768, 65535, 65536, 0x7FFFFFFF, 0xFFFFFFFF)
TEXTS: Final = (
    *(b"", b" ", b"abc ", b"1,5 ", b"2048,0", b"\\", b"\\2048", b"2048\\", b"NaN ", b"inf "),
    *(
        b"-inf",
        b"1e999 ",
        b"-1",
        b"0 ",
        b"1_0 ",
        b"0x10",
        b"1\0",
        b"--1 ",
        b"\xd9\xa3",
        b"\xff\xfe",
    ),
    *(b"4096 ", b"1\\2\\3 ", b"12345678901234567890", b"\x1b[2J", b"\0\0", b"CT", b"INVERSE "),
    *(b"MONOCHROME1 ", b"SIGMOID "),
)
"""What stands in files where a number or a word should."""

VRS: Final = (
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"OB"),
    *(b"OD", b"OF", b"OL", b"OV", b"OW", b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"SV", b"TM"),
    *(b"UC", b"UI", b"UL", b"UN", b"UR", b"US", b"UT", b"UV", b"\0\0", b"??", b"us", b"XX"),
)
"""Value representations (DICOM PS3.5, 6.2), and what is none."""


# Any file


def flip_bits(random: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 2, 8, 40))):
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def set_bytes(random: Random, data: bytes) -> bytes:
    """Near the beginning more often than not: there stands what a file is."""
    out = bytearray(data)
    for _ in range(random.choice((1, 3, 10))):
        reach = random.choice((min(600, len(out)), len(out)))
        out[random.randrange(reach)] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
    return bytes(out)


def cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data))]


def cut_a_little(random: Random, data: bytes) -> bytes:
    return data[: -random.randint(1, min(40, max(1, len(data) - 1)))]


def insert(random: Random, data: bytes) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + random.randbytes(random.choice((1, 2, 4, 300))) + data[place:]


def remove(random: Random, data: bytes) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + data[place + random.choice((1, 2, 4, 12, 300)) :]


def repeat(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data))
    end = start + random.choice((4, 12, 100, 2000))
    return data[:end] + data[start:end] + data[end:]


def set_number(random: Random, data: bytes) -> bytes:
    """A length or a size of two or four bytes, of either order."""
    kind = random.choice(("<H", ">H", "<I", ">I"))
    number = random.choice(NUMBERS) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF)
    out = bytearray(data) + bytes(4)
    struct.pack_into(kind, out, random.randrange(min(len(data), 800)), number)
    return bytes(out[: len(data)])


def append(random: Random, data: bytes) -> bytes:
    return data + random.choice((bytes(5000), data, b"\xff" * 100, random.randbytes(50)))


def zeros(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data))
    count = min(random.choice((2, 16, 500)), len(data) - start)
    return data[:start] + bytes(count) + data[start + count :]


ANY: Final[tuple[Mutation, ...]] = (
    *(flip_bits, set_bytes, cut, cut_a_little, insert, remove, repeat, set_number, append, zeros),
)


# PNG: chunks, their checksums made good again

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
PNG_KINDS: Final = (
    *(b"tRNS", b"PLTE", b"gAMA", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"sBIT", b"IDAT"),
    *(b"IEND", b"IHDR", b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"sRGB", b"cHRM", b"abcd", b"ABCD"),
)


def png_chunks(random: Random, data: bytes) -> bytes:
    chunks = list(_png_chunks(data))
    if not chunks:
        return flip_bits(random, data)
    _shuffle(random, chunks)
    place = random.randrange(len(chunks) + 1)
    what = random.randrange(4)
    if what == 0:
        body = random.choice(
            (
                b"",
                random.randbytes(random.choice((1, 2, 6, 13, 26, 768))),
            )
        )
        chunks.insert(place, (random.choice(PNG_KINDS), body))
    elif what == 1 and chunks:
        kind, body = chunks[place - 1]
        chunks[place - 1] = kind, (set_bytes(random, body) if body else b"\0")
    elif what == 2 and chunks:
        chunks[place - 1] = random.choice(PNG_KINDS), chunks[place - 1][1]
    return PNG_START + b"".join(_png_chunk(*chunk) for chunk in chunks)


def png_header(random: Random, data: bytes) -> bytes:
    """Width, height, bits, colour, compression, filter or interlacing become something else."""
    chunks = list(_png_chunks(data))
    if not chunks or len(chunks[0][1]) < 13:
        return set_number(random, data)
    fields = list(struct.unpack(">IIBBBBB", chunks[0][1][:13]))
    place = random.randrange(len(fields))
    small = (0, 1, 2, 3, 4, 6, 8, 16, 255)
    fields[place] = random.choice(NUMBERS if place < 2 else small)
    chunks[0] = b"IHDR", struct.pack(">IIBBBBB", *fields)
    return PNG_START + b"".join(_png_chunk(*chunk) for chunk in chunks)


def png_rows(random: Random, data: bytes) -> bytes:
    """The inflated rows are changed, or are too few or too many."""
    chunks = list(_png_chunks(data))
    try:
        rows = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    except zlib.error:
        return flip_bits(random, data)
    if not rows:
        return data
    rows = random.choice((flip_bits, cut, set_bytes, append, zeros))(random, rows)
    others = [chunk for chunk in chunks if chunk[0] not in (b"IDAT", b"IEND")]
    chunks = [*others, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return PNG_START + b"".join(_png_chunk(*chunk) for chunk in chunks)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _shuffle(random: Random, parts: list[tuple[bytes, bytes]]) -> None:
    """One part twice, gone, or in another place."""
    what, place = random.randrange(4), random.randrange(len(parts))
    if what == 0:
        parts.insert(place, parts[place])
    elif what == 1:
        del parts[place]
    elif what == 2:
        parts.insert(random.randrange(len(parts)), parts.pop(place))


# JPEG: segments up to the scan


def jpeg_segments(random: Random, data: bytes) -> bytes:
    parts, scan = _jpeg_segments(data)
    if not parts:
        return flip_bits(random, data)
    _shuffle(random, parts)
    place = random.randrange(len(parts) + 1)
    what = random.randrange(4)
    if what == 0:
        marker = bytes((0xFF, random.randrange(0xC0, 0x100)))
        parts.insert(place, (marker, random.randbytes(random.choice((0, 2, 17, 66)))))
    elif what == 1 and parts:
        marker, body = parts[place - 1]
        parts[place - 1] = marker, (set_bytes(random, body) if body else b"\0")
    elif what == 2 and parts:
        parts[place - 1] = bytes((0xFF, random.randrange(0xC0, 0x100))), parts[place - 1][1]
    segments = b"".join(m + struct.pack(">H", len(b) + 2) + b for m, b in parts)
    return b"\xff\xd8" + segments + scan


def jpeg_frame(random: Random, data: bytes) -> bytes:
    """Another precision, size or number of components in the frame's header."""
    parts, scan = _jpeg_segments(data)
    for place, (marker, body) in enumerate(parts):
        if marker[1] in (0xC0, 0xC1, 0xC2) and len(body) >= 6:
            fields = list(struct.unpack_from(">BHHB", body))
            which = random.randrange(4)
            fields[which] = random.choice(NUMBERS[:11]) & (0xFF if which in (0, 3) else 0xFFFF)
            parts[place] = marker, struct.pack(">BHHB", *fields) + body[6:]
    segments = b"".join(m + struct.pack(">H", len(b) + 2) + b for m, b in parts)
    return b"\xff\xd8" + segments + scan


def _jpeg_segments(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    parts: list[tuple[bytes, bytes]] = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append((data[at : at + 2], data[at + 4 : at + 2 + length]))
        at += 2 + max(length, 2)
    return parts, data[at:]


# TIFF: the first directory


def tiff_entry(random: Random, data: bytes) -> bytes:
    """A tag, its type, its count or its value becomes something else; or the entry another's."""
    order = ">" if data[:2] == b"MM" else "<"
    start = struct.unpack_from(f"{order}I", data, 4)[0] if len(data) >= 8 else len(data)
    if start + 2 > len(data):
        return flip_bits(random, data)
    count = struct.unpack_from(f"{order}H", data, start)[0]
    count = min(count, (len(data) - start - 2) // 12)
    if not count:
        return flip_bits(random, data)
    out = bytearray(data)
    entry = start + 2 + 12 * random.randrange(count)
    what = random.randrange(5)
    if what == 0:
        tags = (254, 256, 258, 259, 262, 266, 273, 277, 284, 317, 320, 322, 324, 338, 339, 34665)
        struct.pack_into(f"{order}H", out, entry, random.choice(tags))
    elif what == 1:
        struct.pack_into(f"{order}H", out, entry + 2, random.randrange(20))
    elif what == 2:
        struct.pack_into(f"{order}I", out, entry + 4, random.choice(NUMBERS))
    elif what == 3:
        value = random.choice((*NUMBERS, 4, 5, 6, 16, 32, 64, 32773, 34712, len(data)))
        struct.pack_into(f"{order}I", out, entry + 8, value)
    else:
        other = start + 2 + 12 * random.randrange(count)
        out[entry : entry + 12] = data[other : other + 12]
    return bytes(out)


# DICOM: elements


class Element(NamedTuple):
    """A data element as it stands in a file.

    Attributes:
        tag: group and element.
        vr: two letters; none where the file tells no VR.
        value: everything up to the next element.
        length: of the value, as the file says it; None for what it is.
    """

    tag: int
    vr: bytes
    value: bytes
    length: int | None = None


LONG: Final = (
    *(b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"),
)
"""With four bytes of length, after two that are empty (PS3.5, 7.1.2)."""

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = b"\xfe\xff\x00\xe0"
SEQUENCES: Final = (0x00283000, 0x00283010)
"""Of tables: Modality LUT and VOI LUT."""


def split(data: bytes) -> tuple[bytes, list[Element]]:
    """A little-endian file → its preamble and its elements, those of the header first."""
    start = 132 if data[128:132] == b"DICM" else 0
    return data[:start], list(_elements(data, start, len(data)))


def _elements(data: bytes, at: int, end: int) -> Iterator[Element]:
    while at + 8 <= end:
        group, number, vr = struct.unpack_from("<HH2s", data, at)
        if not vr.isalpha():
            vr, length, at = b"", struct.unpack_from("<I", data, at + 4)[0], at + 8
        elif vr in LONG:
            length = struct.unpack_from("<I", data, at + 8)[0] if at + 12 <= end else 0
            at += 12
        else:
            length, at = struct.unpack_from("<H", data, at + 6)[0], at + 8
        stop = end if length == UNDEFINED else min(at + length, end)
        said = UNDEFINED if length == UNDEFINED else None
        yield Element(group << 16 | number, vr, data[at:stop], said)
        at = stop


def joined(preamble: bytes, elements: list[Element]) -> bytes:
    """The file of these elements, with lengths that are right but where an element says another."""
    return preamble + b"".join(map(_packed, elements))


def _packed(element: Element) -> bytes:
    tag = struct.pack("<HH", element.tag >> 16, element.tag & 0xFFFF)
    length = len(element.value) if element.length is None else element.length
    if not element.vr:
        head = struct.pack("<I", length)
    elif element.vr in LONG:
        head = element.vr + bytes(2) + struct.pack("<I", length)
    else:
        head = element.vr + struct.pack("<H", length & 0xFFFF)
    return tag + head + element.value


def dicom_value(random: Random, data: bytes) -> bytes:
    """An element's value becomes text, a number, noise, longer, shorter or nothing."""

    def change(element: Element) -> Element:
        value = element.value
        what = random.randrange(6)
        if what == 0:
            value = random.choice(TEXTS)
        elif what == 1:
            value = struct.pack("<H", random.choice(NUMBERS) & 0xFFFF) * random.choice((1, 1, 2, 3))
        elif what == 2:
            value = random.randbytes(random.choice((1, 2, 3, 4, 8, 16)))
        elif what == 3:
            value = value[: random.randrange(len(value) + 1)]
        elif what == 4:
            value = b"\\".join([value] * 2) if len(value) < 64 else value + b"\0"
        else:
            value = b""
        return element._replace(value=value)

    return _with_element(random, data, change)


def dicom_vr(random: Random, data: bytes) -> bytes:
    """Another VR, with the value as it is or with next to none."""

    def change(element: Element) -> Element:
        value = random.choice((element.value, element.value, b"", b" "))
        return element._replace(vr=random.choice(VRS), value=value)

    return _with_element(random, data, change)


def dicom_length(random: Random, data: bytes) -> bytes:
    """A length that is not the value's."""

    def change(element: Element) -> Element:
        off = len(element.value) + random.choice((-2, -1, 1, 2, 8))
        return element._replace(length=random.choice((max(off, 0), *NUMBERS)))

    return _with_element(random, data, change)


def dicom_tag(random: Random, data: bytes) -> bytes:
    """An element under another's tag."""
    tags = [element.tag for element in split(data)[1]]
    extra = (0x00280103, 0x00281050, 0x00283010, 0x00280120, 0x20500020, 0x7FE00010, 0x00020010)
    return _with_element(
        random, data, lambda each: each._replace(tag=random.choice((*tags, *extra)))
    )


def dicom_order(random: Random, data: bytes) -> bytes:
    """An element twice, gone, elsewhere; or all shuffled."""
    preamble, elements = split(data)
    if not elements:
        return flip_bits(random, data)
    what, place = random.randrange(5), random.randrange(len(elements))
    if what == 0:
        elements.insert(place, elements[place])
    elif what == 1:
        random.shuffle(elements)
    elif what == 2:
        elements.insert(random.randrange(len(elements)), elements.pop(place))
    else:
        del elements[place]
    return joined(preamble, elements)


def dicom_syntax(random: Random, data: bytes) -> bytes:
    """Another transfer syntax than that of the content; or none."""
    syntaxes = ("1.2", "1.2.1", "1.2.2", "1.2.1.99", "1.2.4.50", "1.2.4.57", "1.2.4.70", "1.2.4.80",
                "1.2.4.90", "1.2.4.201", "1.2.5", "1.2.4.100", "9.9")  # fmt: skip
    preamble, elements = split(data)
    uid = f"1.2.840.10008.{random.choice(syntaxes)}".encode()
    value = random.choice((uid + b"\0" * (len(uid) % 2), b"", b"1.2.3"))
    changed = [e._replace(value=value) if e.tag == 0x00020010 else e for e in elements]
    return joined(preamble, changed)


def dicom_preamble(random: Random, data: bytes) -> bytes:
    """Without preamble, without header, or with another's beginning."""
    preamble, elements = split(data)
    what = random.randrange(4)
    if what == 0:
        return joined(b"", elements)
    elements = [element for element in elements if element.tag >> 16 != 2]
    if what == 1:
        return joined(b"", elements)
    if what == 2:
        return joined(preamble, elements)
    return joined(b"II*\0" + preamble[4:], split(data)[1])


def _with_element(random: Random, data: bytes, change: Callable[[Element], Element]) -> bytes:
    """One element changed; half the time that of a table, where there is one."""
    preamble, elements = split(data)
    if not elements:
        return flip_bits(random, data)
    tables = [place for place, element in enumerate(elements) if inside(element)]
    if tables and random.random() < 0.5:
        place = random.choice(tables)
        parts = inside(elements[place])
        chosen = random.randrange(len(parts))
        parts[chosen] = change(parts[chosen])
        elements[place] = with_inside(elements[place], parts)
        return joined(preamble, elements)
    # How it is shown more often than who it is.
    shown = [place for place, element in enumerate(elements) if element.tag >> 16 in (2, 0x28)]
    place = random.choice(shown if shown and random.random() < 0.7 else range(len(elements)))
    elements[place] = change(elements[place])
    return joined(preamble, elements)


def inside(sequence: Element) -> list[Element]:
    """The elements of a LUT sequence's first item; none where it is no such sequence."""
    if sequence.tag not in SEQUENCES or sequence.value[:4] != ITEM:
        return []
    return list(_elements(sequence.value, 8, len(sequence.value)))


def with_inside(sequence: Element, parts: list[Element]) -> Element:
    """The sequence with one item of these elements."""
    body = b"".join(map(_packed, parts))
    return sequence._replace(value=ITEM + struct.pack("<I", len(body)) + body)


OF_FORMAT: Final[dict[str, tuple[Mutation, ...]]] = {
    "png": (png_chunks, png_header, png_rows),
    "jpg": (jpeg_segments, jpeg_frame),
    "tif": (tiff_entry, tiff_entry),
    "dcm": (
        *(dicom_value, dicom_value, dicom_value, dicom_vr, dicom_length, dicom_tag, dicom_order),
        *(dicom_syntax, dicom_preamble),
    ),
}


# All of it


class Step(NamedTuple):
    """A mutation and the seed of its random numbers: applied alone, it does the same again."""

    mutation: Mutation
    seed: int

    def __call__(self, data: bytes) -> bytes:
        return self.mutation(Random(self.seed), data) if data else data

    def __str__(self) -> str:
        return f"{self.mutation.__name__}({self.seed})"


class Mutant(NamedTuple):
    """A damaged file and how it came about.

    Attributes:
        number: among those of one seed.
        origin: name in the corpus.
        steps: what was done to it, in turn.
    """

    number: int
    origin: str
    steps: tuple[Step, ...]

    def data(self, files: dict[str, bytes]) -> bytes:
        data = files[self.origin]
        for step in self.steps:
            data = step(data)
        return data

    def __str__(self) -> str:
        return f"{self.origin}: {', '.join(map(str, self.steps))}"


def mutant(seed: int, number: int, origins: list[str]) -> Mutant:
    """The same for the same arguments, always."""
    random = Random(seed * 1_000_003 + number)
    origin = random.choice(origins)
    own = OF_FORMAT.get(origin.rsplit(".", 1)[1], ANY)
    steps = tuple(
        Step(random.choice(own if random.random() < 0.65 else ANY), random.getrandbits(32))
        for _ in range(random.choice((1, 1, 2, 3)))
    )
    return Mutant(number, origin, steps)
