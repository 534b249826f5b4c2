"""An image's patient and study: what a result needs to be filed with it in the archive.

The elements are those of the Patient, General Study and SOP Common modules (DICOM PS3.3 C.7.1.1,
C.7.2.1, C.12.1). The peer that sent them may be an enemy: what is not wanted is passed over, how
much is looked at is bounded, and a value that its element cannot hold is left out. Texts are kept
as they came, too: nobody but the archive knows what it has made of wrongly declared ones.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from edge_app.core.pieces import Pieces
from edge_app.images.dicom_values import BINARY, Values

if TYPE_CHECKING:
    from pydicom import Dataset

IDENTIFIERS: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Elements without which a result belongs to no study."""

EMPTY_WHERE_ABSENT: Final = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
"""Elements of type 2 in the Patient and General Study modules: always there, perhaps empty."""

OPTIONAL: Final = (
    *("TimezoneOffsetFromUTC", "IssuerOfPatientID", "PatientAge", "StudyDescription"),
    *("AcquisitionDate", "ContentDate", "SeriesDate"),
    *("AcquisitionTime", "ContentTime", "SeriesTime", "Manufacturer", "SeriesDescription"),
)

TEXTS: Final = (
    *("SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName", "StudyDescription"),
)
"""Elements whose bytes are kept: the declared character sets, and the texts in them."""

SEXES: Final = ("M", "F", "O")
PADDED: Final = ("LO", "PN", "SH")
"""Kinds of text whose leading spaces mean nothing (PS3.5 6.2), and are kept: an archive may take
``" 4711"`` and ``"4711"`` for two patients."""

UID_FORM: Final = re.compile(r"(?=.{1,64}\Z)(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
SOP_INSTANCE: Final = 0x00080018
PIXEL_DATA: Final = 0x7FE00010
PREAMBLE: Final = 132
MAX_READS: Final = 50_000
"""Elements, items and fragments before it is given up; each costs pydicom 1 KB."""

MAX_VALUE_BYTES: Final = 1 << 12
PIECE: Final = 1 << 20
"""Bytes of a file that are digested at once."""


class Header(NamedTuple):
    """What is read of an object.

    Attributes:
        values: as people and programs read them, in a pydicom data set with all of `IDENTIFIERS`
            and `EMPTY_WHERE_ABSENT`.
        came: those of `TEXTS` that are there, by their keywords, as bytes of an even number.
    """

    values: Dataset
    came: Mapping[str, bytes]


class HeaderError(Exception):
    """Why an object's header cannot be used, as the end of a sentence."""


class Instance(NamedTuple):
    """What identifies an object, see `IDENTIFIERS`."""

    sop_class: str
    sop_instance: str
    study: str
    series: str


class _Meter:
    """Counts short reads; each element costs some."""

    reads = 0

    def count(self, size: int | None) -> None:
        self.reads += size is not None and 0 <= size <= 8
        if self.reads > MAX_READS:
            raise HeaderError(f"has more than {MAX_READS} elements")


class _MeteredBytes(BytesIO, _Meter):
    def read(self, size: int | None = -1, /) -> bytes:
        self.count(size)
        return super().read(size)


class _MeteredPieces(BytesIO, _Meter):
    """A file of pieces that joins no more of them than is read."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__()
        self._rest, self._length = iter(pieces), 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.count(size)
        at = self.tell()
        end = float("inf") if size is None or size < 0 else at + size
        if end > self._length:
            super().seek(self._length)
            for piece in self._rest:
                self._length += self.write(piece)
                if self._length >= end:
                    break
            super().seek(at)
        return super().read(size)


_Metered = _MeteredBytes | _MeteredPieces


def is_dicom(path: Path) -> bool:
    """Whether a file begins as those of DICOM do (PS3.10 7.1).

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(PREAMBLE)[PREAMBLE - 4 :] == b"DICM"


def read_header(data: bytes | Pieces, syntax: str | None = None) -> Header:
    """The elements named above, as far as they are there and hold what they can.

    Args:
        data: a DICOM file; or with `syntax` a data set alone, in this transfer syntax. Of pieces
            no more are put together than need be.

    Raises:
        HeaderError: it cannot be parsed, or has no identifiers.
    """
    file = _MeteredBytes(data) if isinstance(data, bytes) else _MeteredPieces(data)
    try:
        dataset = _parse(file, syntax, _all_tags(), PIXEL_DATA)
        came = _as_came(dataset)  # before pydicom decodes any of it
        return Header(_sound(dataset), came)
    except HeaderError:
        raise
    # pydicom raises almost anything on a broken file.
    except Exception:
        raise HeaderError("is damaged: its elements cannot be told apart") from None


def sop_instance(data: bytes) -> str | None:
    """The SOP Instance UID of a DICOM file, whatever else it lacks; None of what is none, or has no
    sound one."""
    if data[PREAMBLE - 4 : PREAMBLE] != b"DICM":
        return None
    try:
        dataset = _parse(_MeteredBytes(data), None, frozenset([SOP_INSTANCE]), SOP_INSTANCE + 1)
        uid = str(_value(dataset, "SOPInstanceUID"))
    except Exception:  # of pydicom, as in `read_header`
        return None
    return uid if UID_FORM.fullmatch(uid) else None


def content_digest(data: bytes) -> str:
    """SHA-256 of a DICOM file's data set: the same whichever way the data set came.

    Its preamble and file meta information are made anew by each program that writes it.

    Raises:
        HeaderError: it is no DICOM file, or damaged.
    """
    file = BytesIO(data)
    _pass_meta(file)
    return hashlib.sha256(memoryview(data)[file.tell() :]).hexdigest()


def content_digest_of(path: Path) -> str:
    """The same of a file that is read piece by piece.

    Raises:
        HeaderError: see `content_digest`.
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        _pass_meta(file)
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _pass_meta(file: BinaryIO) -> None:
    try:
        read_meta(file)
    except HeaderError:
        raise
    except Exception:  # of pydicom, as in `read_header`
        raise HeaderError("is damaged: its elements cannot be told apart") from None


def instance_of(header: Header) -> Instance:
    """The identifiers of a header."""
    return Instance(*(str(header.values[keyword].value) for keyword in IDENTIFIERS))


def about(header: Header) -> str:
    """Whose an image is and from when, in one line as people read it; empty where nothing says."""
    values = header.values
    groups = _joined(values.get("PatientName") or "").split("=")  # of letters, of ideographs, ...
    name = next((each for each in groups if each.strip("^ ")), "")
    name = ", ".join(part for part in name.split("^") if part.strip())
    said = [name, _joined(values.get("PatientID") or "")]
    said += [_day(str(values.get(each) or "")) for each in ("PatientBirthDate", "StudyDate")]
    return " · ".join(" ".join(each.split()) for each in said if each)


def _day(text: str) -> str:
    """``20240102`` → ``2024-01-02``."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else text


def bare(header: Header) -> Header:
    """The same with its identifiers, and the texts that are given back as they came, alone."""
    from pydicom import Dataset

    made = Dataset()
    for keyword in EMPTY_WHERE_ABSENT:
        setattr(made, keyword, "")
    for keyword in IDENTIFIERS:
        setattr(made, keyword, str(header.values[keyword].value))
    return Header(made, header.came)


def _parse(file: _Metered, syntax: str | None, tags: frozenset[int], end: int) -> Dataset:
    """Elements of these tags; none from the tag `end` on is looked at."""
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    seen: set[int] = set()

    def stop_when(tag: int, _vr: str | None, length: int) -> bool:
        if int(tag) in tags:
            if length > MAX_VALUE_BYTES:
                raise HeaderError(f"is damaged: element {tag} has {length} bytes")
            if int(tag) in seen:  # of which an archive may take the other one
                raise HeaderError(f"is damaged: it has two elements {tag}")
            seen.add(int(tag))
        return tag >= end

    if syntax is None:
        syntax = str(read_meta(file).get("TransferSyntaxUID") or "")
        file.reads = 0  # so that a file is read where its data set alone was
    uid = UID(syntax)
    if not uid.is_transfer_syntax or uid.is_deflated:
        named = f"the transfer syntax {uid}" if UID_FORM.fullmatch(uid) else "no transfer syntax"
        raise HeaderError(f"is in {named}, which is not read")
    return read_dataset(
        *(file, uid.is_implicit_VR, uid.is_little_endian),
        stop_when=stop_when,
        specific_tags=list(tags),
    )


@cache
def _all_tags() -> frozenset[int]:
    """Tags of all that is named above."""
    from pydicom.datadict import tag_for_keyword

    tags = map(tag_for_keyword, (*IDENTIFIERS, *EMPTY_WHERE_ABSENT, *OPTIONAL, *TEXTS))
    return frozenset(tag for tag in tags if tag is not None)


def read_meta(file: BinaryIO) -> Dataset:
    """The file meta information (PS3.10 7.1); the file is then where its data set begins.

    Raises:
        HeaderError: it is no DICOM file.
        Exception: of pydicom, almost any; it is damaged.
    """
    from pydicom.filereader import read_dataset

    if file.read(PREAMBLE)[PREAMBLE - 4 :] != b"DICM":
        raise HeaderError("is no DICOM file")
    return read_dataset(file, False, True, stop_when=lambda tag, _vr, _n: tag >> 16 != 2)


def _as_came(dataset: Dataset) -> dict[str, bytes]:
    """The bytes of `TEXTS`, but of what claims to be numbers."""
    values, came = Values(dataset), {}
    for keyword in TEXTS:
        value, representation, _ = values.data(keyword)
        if values.has(keyword) and representation not in BINARY:
            came[keyword] = value + b" " * (len(value) % 2)
    return came


def _sound(dataset: Dataset) -> Dataset:
    from pydicom import Dataset

    sound = Dataset()
    for keyword in (*IDENTIFIERS, *EMPTY_WHERE_ABSENT, *OPTIONAL):
        value = _value(dataset, keyword)
        if keyword in IDENTIFIERS and not UID_FORM.fullmatch(str(value or "")):
            raise HeaderError(f"has no {keyword}" if not value else f"has a wrong {keyword}")
        if value is not None or keyword in EMPTY_WHERE_ABSENT:
            setattr(sound, keyword, value if value is not None else "")
    return sound


def _value(dataset: Dataset, keyword: str) -> object:
    """An element's value, None where it is absent, empty, or not what such an element holds."""
    from pydicom.datadict import dictionary_VR

    element = dataset.get(keyword)
    if element is None or str(element) == "":
        return None
    text = _joined(element) if _is_multiple(element) else str(element).replace("\\", " ")
    text = "".join(map(_shown, text)).rstrip(" ")
    kind = dictionary_VR(keyword)
    if kind not in PADDED:
        text = text.lstrip(" ")
    if keyword not in TEXTS and not text.isascii():
        return None
    if keyword == "PatientSex":
        return text if text in SEXES else None
    if kind in ("DA", "TM"):
        return text if _is_moment(text, kind) else None
    return text if text.strip("\\ ") else None


def _shown(character: str) -> str:
    """A character as it is, or a space or nothing in the place of a control character."""
    is_kept = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if is_kept else " " * character.isspace()


def _is_multiple(value: object) -> bool:
    from pydicom.multival import MultiValue

    return isinstance(value, MultiValue)


def _joined(value: object) -> str:
    """A value as text; several by the backslash that separates them in the file (PS3.5 6.4)."""
    parts = cast("Iterable[object]", value) if _is_multiple(value) else [value]
    return "\\".join(map(str, parts))


def _is_moment(text: str, kind: str) -> bool:
    from pydicom.valuerep import DA, TM

    if not re.fullmatch(r"\d{8}" if kind == "DA" else r"\d{2,6}(\.\d{1,6})?", text):
        return False
    try:
        return bool(DA(text) if kind == "DA" else TM(text))
    except ValueError:
        return False
