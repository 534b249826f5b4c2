"""A DICOM file's bytes → the elements that a picture needs, and the bytes of its pixels.

Files come without the preamble, without the meta header or without a transfer syntax, as
toolkits of the 1990s wrote them and as a data set looks on the network. What stands at their
beginning then decides, as in dcmtk (`DcmDataset::read`, `DcmItem::checkTransferSyntax`).

Every file is parsed as if an enemy had made it: the number of elements, the length of each value
and what a deflated file grows to are bounded.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_app.core.advice import MAX_PIXELS
from edge_app.core.errors import ImageError
from edge_app.images.dicom_terms import UID_FORM
from edge_app.images.dicom_values import Metered, Values, damaged, parsing
from edge_app.images.radiograph import Limits

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

PREAMBLE = 128
PREFIX = b"DICM"

GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
OF_GRAYS = ("FrameVOILUTSequence", "PixelValueTransformationSequence")
"""Where an object that may have several frames has window and slope of each (PS3.3 C.7.6.16.2.9 and
C.7.6.16.2.10); no more than one frame is read."""

KEYWORDS = (
    *("SOPClassUID", "Modality", "PresentationIntentType", "BodyPartExamined", "ViewPosition"),
    *("PatientOrientation", "PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing",),
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"),
    *("ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge"),
    *("ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge"),
    *("ModalityLUTSequence", "VOILUTSequence", "PixelData"),
    *GROUPS,
)
"""All elements that are parsed, except the places of overlays; never who the patient is."""

OVERLAYS = tuple(range(0x60000000, 0x60200000, 0x20000))
"""The repeating groups of overlays (PS3.5 7.6)."""

OVERLAY_BITS_ALLOCATED, OVERLAY_BIT_POSITION = 0x0100, 0x0102

PIXEL_DATA = 0x7FE00010
FIRST_OF_DATA_SET = 0x00080000
FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
LONG_SEQUENCES = (0x00283000, 0x00283010, 0x52009229, 0x52009230)
UNDEFINED_LENGTH = 0xFFFFFFFF

MAX_LUT_BYTES = 1 << 20
MAX_VALUE_BYTES = 1 << 12
MAX_HEADER_BYTES = 16 << 20
MAX_FIRST_VALUE_BYTES = 1 << 10

META, IDENTIFICATION = 0x0002, 0x0008
"""The groups that a file can begin with."""

SHORT_REPRESENTATIONS = (
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL",
    "SS", "ST", "TM", "UI", "UL", "US",
)  # fmt: skip
LONG_REPRESENTATIONS = (
    "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV",
)  # fmt: skip
"""Those whose length takes four bytes, after two that are reserved (PS3.5 7.1.2)."""

REPRESENTATIONS = (*SHORT_REPRESENTATIONS, *LONG_REPRESENTATIONS)


class DicomFile(NamedTuple):
    """What a file holds.

    Attributes:
        header: its elements.
        syntax: its transfer syntax; the one that its bytes show where it names none.
        little_endian: the order of the bytes in a sample.
        pixels: the value of Pixel Data, b"" where there is none.
        encapsulated: whether that is a sequence of fragments and not the samples themselves.
        overlay_bits: the bits of each sample that hold an overlay and not the picture.
    """

    header: Values
    syntax: UID
    little_endian: bool
    pixels: bytes
    encapsulated: bool
    overlay_bits: int


class Encoding(NamedTuple):
    """How the elements of a data set are written."""

    implicit: bool
    little_endian: bool


def is_dicom(data: bytes) -> bool:
    """Whether a file is DICOM: by its prefix or, without one, by its first two elements."""
    if data[PREAMBLE : PREAMBLE + 4] == PREFIX or data.startswith(PREFIX):
        return True
    first = _element(data, 0)
    if not first or first[0] >> 16 not in (META, IDENTIFICATION):
        return False
    second = _element(data, first[1])
    return first[1] == len(data) or bool(second and first[0] < second[0] <= PIXEL_DATA)


def _encoding(data: bytes, at: int) -> Encoding:
    """How the element at `at` is written; no group of a data set has both bytes in use there."""
    little_endian = data[at : at + 1] != b"\0"
    return Encoding(data[at + 4 : at + 6].decode("latin-1") not in REPRESENTATIONS, little_endian)


def _next_encoding(file: BytesIO) -> Encoding:
    """How the next element is written; it is not yet read."""
    start = file.tell()
    beginning = file.read(6)
    file.seek(start)
    return _encoding(beginning, 0)


def _element(data: bytes, at: int) -> tuple[int, int] | None:
    """The tag of the element at `at`, and where it ends; None where there can be none."""
    implicit, little_endian = _encoding(data, at)
    order: Any = "little" if little_endian else "big"
    group, element = (int.from_bytes(data[place : place + 2], order) for place in (at, at + 2))
    start, size = at + 4, 4
    if not implicit:
        long = data[start : start + 2].decode("latin-1") in LONG_REPRESENTATIONS
        start, size = (start + 4, 4) if long else (start + 2, 2)
    end = start + size
    length = int.from_bytes(data[start:end], order)
    if length > MAX_FIRST_VALUE_BYTES or end + length > len(data):
        return None
    return group << 16 | element, end + length


class _Inflated(Metered):
    """A deflated data set, inflated as far as it is read and never beyond `max_bytes`."""

    def __init__(self, deflated: bytes, max_bytes: int) -> None:
        super().__init__()
        # RFC 1951 is the standard (PS3.5 A.5); some writers add the header of RFC 1950.
        with_header = deflated[:1] == b"\x78" and int.from_bytes(deflated[:2], "big") % 31 == 0
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS)
        self._rest, self._limit, self._size = deflated, max_bytes, 0

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        end = at + (self._limit if size is None or size < 0 else size)
        if end > self._limit and size and size > 0:
            raise ImageError(
                f"is a deflated DICOM file of more than {self._limit} bytes: raise {MAX_PIXELS} "
                "if it is really a radiograph"
            )
        self.seek(self._size)
        while self._size < end and self._rest and not self._inflater.eof:
            part = self._inflater.decompress(self._rest, end - self._size)
            self._rest = self._inflater.unconsumed_tail
            self._size += self.write(part)
        self.seek(at)
        return super().read(size)


def parse(data: bytes, limits: Limits) -> DicomFile:
    """The elements of `KEYWORDS`. Not by `dcmread`, which inflates a deflated file unboundedly.

    Raises:
        ImageError: a transfer syntax that is not read, floating-point pixels, pixels without end,
            or too much of anything.
    """
    file = Metered(data)
    file.seek(_start(data))
    with parsing(file):
        declared = _transfer_syntax(file)
    start = file.tell()
    if declared and declared.is_deflated:
        file, start = _Inflated(data[start:], 2 * limits.max_pixels + MAX_HEADER_BYTES), 0
    with parsing(file):
        # The bytes decide: a file that claims explicit VR and is implicit is read, too.
        encoding = _next_encoding(file)
        elements, length = _data_set(file, encoding)
    header = Values(elements, _of_the_frame(Values(elements)))
    return DicomFile(
        header,
        declared or _shown_syntax(encoding),
        encoding.little_endian,
        header.data("PixelData")[0],
        length == UNDEFINED_LENGTH,
        _overlay_bits(header),
    )


def _start(data: bytes) -> int:
    if data[PREAMBLE : PREAMBLE + 4] == PREFIX:
        return PREAMBLE + len(PREFIX)
    return len(PREFIX) if data.startswith(PREFIX) else 0


def _transfer_syntax(file: BytesIO) -> UID | None:
    """Read the meta header, if there is one; the transfer syntax that it names, if it does."""
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    encoding = _next_encoding(file)
    meta = read_dataset(file, *encoding, stop_when=lambda tag, _vr, _length: tag >> 16 != META)
    syntax = UID(Values(meta).text("TransferSyntaxUID"))
    if not syntax:
        return None
    if not syntax.is_transfer_syntax:
        named = f", '{syntax}'" if UID_FORM.fullmatch(syntax) else ""
        raise ImageError(f"is DICOM of an unknown transfer syntax{named}")
    return syntax


def _shown_syntax(encoding: Encoding) -> UID:
    """The uncompressed transfer syntax whose elements are written so."""
    from pydicom import uid

    if encoding.implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if encoding.little_endian else uid.ExplicitVRBigEndian


def _data_set(file: BytesIO, encoding: Encoding) -> tuple[Dataset, int]:
    """The elements of `KEYWORDS`, and the length that Pixel Data declares (0 without any)."""
    from pydicom.datadict import dictionary_has_tag, tag_for_keyword
    from pydicom.filereader import read_dataset

    tags = {int(tag) for tag in map(tag_for_keyword, KEYWORDS) if tag is not None}
    for group in OVERLAYS:
        tags |= {group + OVERLAY_BITS_ALLOCATED, group + OVERLAY_BIT_POSITION}
    pixel_length: int | None = None

    def stop_when(tag: int, _vr: str | None, length: int) -> bool:
        nonlocal pixel_length
        if pixel_length is not None:
            # Elements ascend (PS3.5 7.1): after the pixels come overlays, padding and zeros.
            if FIRST_OF_DATA_SET <= tag < PIXEL_DATA and dictionary_has_tag(tag):
                damaged(f"element {tag} stands after its pixel data")
            return True
        if tag in FLOAT_PIXEL_DATA:
            raise ImageError("holds floating-point pixels: export it as 16-bit integers")
        if tag == PIXEL_DATA:
            pixel_length = length
        elif length > MAX_VALUE_BYTES and length != UNDEFINED_LENGTH and int(tag) in tags:
            max_bytes = MAX_LUT_BYTES if tag in LONG_SEQUENCES else MAX_VALUE_BYTES
            if length > max_bytes:
                damaged(
                    f"element {tag} has {length} bytes, more than the {max_bytes} that are read"
                )
        return tag > PIXEL_DATA

    elements = read_dataset(file, *encoding, stop_when=stop_when, specific_tags=list(tags))
    if pixel_length is not None and "PixelData" not in elements:
        raise ImageError("is a truncated DICOM file: its pixel data has no end")
    return elements, pixel_length or 0


def _of_the_frame(header: Values) -> list[Values]:
    """What functional groups say of the first frame's grays."""
    groups = [group for name in GROUPS for group in header.items(name)[:1]]
    return [item for group in groups for name in OF_GRAYS for item in group.items(name)[:1]]


def _overlay_bits(header: Values) -> int:
    """The bits of each sample in which an overlay stands (retired: PS3.5 8.1.2, PS3.3 C.9.2)."""
    bits = 0
    for group in OVERLAYS:
        if not header.has(group + OVERLAY_BIT_POSITION):
            continue
        allocated, position = (
            (header.numbers(group + element) or [None])[0]
            for element in (OVERLAY_BITS_ALLOCATED, OVERLAY_BIT_POSITION)
        )
        if allocated and allocated > 1 and position is not None and 0 <= position < 16:
            bits |= 1 << int(position)
    return bits
