"""What an answer states → a DICOM structured report in the patient's own study.

What is in it is in `make_forms`; here its forms are filled in. An image that was not judged gets a
report that says so, so that nobody waits for it.
"""

from __future__ import annotations

import copy
import datetime
import re
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.clinic import codes
from edge_app.clinic.forms import GAP, INSTANCE, TRACKING, FormBook, Kind, encoded, filled
from edge_app.clinic.header import EMPTY_WHERE_ABSENT, Instance, instance_of
from edge_app.clinic.identifiers import derived_uid
from edge_app.clinic.statements import Stated, Statement
from edge_app.model.labels import Code

if TYPE_CHECKING:
    from pydicom import Dataset

OF_THE_STUDY: Final = (
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC", "IssuerOfPatientID", "PatientAge"),
    *("StudyInstanceUID", "StudyDescription"),
)
"""What the report shares with its image, with `EMPTY_WHERE_ABSENT`."""

EARLIEST: Final = datetime.datetime(2025, 1, 1)
"""A clock that says less has not been set: boards without a battery begin anywhere."""

LONGEST_TEXT: Final = 1000


class Author(NamedTuple):
    """Who reports.

    Attributes:
        salt: of the spool, for identifiers.
        name: of the box, as its AE title.
    """

    salt: bytes
    name: str


def report(
    header: Dataset,
    content: str,
    stated: Stated,
    author: Author,
    book: FormBook,
    remark: str | None = None,
) -> bytes:
    """A structured report as a file.

    Args:
        header: of the image, see `read_header`.
        content: of the image, see `content_digest`; reports of two images that share their UIDs
            are two instances.
        stated: what is reported.
        author: who reports.
        book: has the forms.
        remark: something of the image itself that its reader must know.

    Returns:
        The bytes of a DICOM file.

    Raises:
        EdgeCxrError: the forms cannot be made.
    """
    image, algorithm = instance_of(header), _algorithm(stated)
    parts = (*image, content, stated.model_sha256, *stated.parameters)
    frame = algorithm._replace(
        author=author.name, device=derived_uid(author.salt, "device"), verdict=stated.verdict
    )
    kinds = [_group_kind(algorithm, each, codes.decision(each)) for each in stated.statements]
    others = [
        _group_kind(algorithm, each, decision)
        for each in stated.statements
        if each.above is not None
        for decision in codes.DECISIONS
        if decision != codes.UNDECIDED
    ]
    others += [frame._replace(verdict=verdict) for verdict in codes.VERDICTS]
    form, *groups = book.get([frame, *kinds], soon=others)
    document, gap = _framed(form, header, _lines(stated, remark), author.salt)
    document.SOPInstanceUID = derived_uid(author.salt, "report", *parts)
    document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    document.SeriesInstanceUID = derived_uid(
        author.salt, "series", image.study, stated.model_sha256
    )
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    items = (
        filled(
            group,
            image,
            derived_uid(author.salt, "group", each.name, *parts),
            (each.probability, each.percentile),
        )
        for group, each in zip(groups, stated.statements, strict=True)
    )
    return file.getvalue().replace(gap, b"".join(items), 1)


def _algorithm(stated: Stated) -> Kind:
    return Kind(stated.model, stated.model_sha256, stated.parameters)


def _group_kind(algorithm: Kind, statement: Statement, decision: Code) -> Kind:
    finding = codes.finding(statement)
    return algorithm._replace(
        group=(
            *(statement.name, finding.scheme, finding.value, finding.meaning),
            *(statement.threshold, decision.value, statement.percentile is not None),
            statement.point,
        )
    )


def _lines(stated: Stated, remark: str | None) -> list[str]:
    """What is said in words."""
    lines = [stated.disclaimer]
    lines += [f"This image was not judged: it {stated.reason}"] if stated.reason else []
    lines += [remark] if remark else []
    lines += [f"The image {each}" for each in stated.remarks]
    return [line.encode("ascii", "replace").decode()[:LONGEST_TEXT] for line in lines]


def _framed(
    form: bytes, header: Dataset, lines: Iterable[str], salt: bytes
) -> tuple[Dataset, bytes]:
    """The report without its groups, and the item in whose place they belong as it is encoded."""
    from pydicom import dcmread

    document, image = dcmread(BytesIO(form)), instance_of(header)
    date_and_describe(document, header)
    _replace_stand_ins(document, image, derived_uid(salt, "check", *image))
    groups = next(
        item for item in document.ContentSequence if _concept_of(item) == codes.GROUPS.value
    )
    *content, last = groups.ContentSequence[0].ContentSequence
    assert last.TextValue == GAP
    for line in lines:
        comment = copy.deepcopy(last)
        comment.TextValue = line
        content.append(comment)
    groups.ContentSequence[0].ContentSequence = content
    groups.ContentSequence[0]["ContentSequence"].is_undefined_length = True
    groups.ContentSequence.append(last)
    return document, encoded(last)


def date_and_describe(document: Dataset, header: Dataset) -> None:
    """Give a new object the patient and study of its image, and its dates."""
    for keyword in (*EMPTY_WHERE_ABSENT, *OF_THE_STUDY):
        if keyword in header:
            setattr(document, keyword, header[keyword].value)
    document.SpecificCharacterSet = character_set(header)
    made = moment(header)
    for name in ("InstanceCreation", "Series", "Content"):
        setattr(document, f"{name}Date", made.strftime("%Y%m%d"))
        setattr(document, f"{name}Time", made.strftime("%H%M%S"))


def _replace_stand_ins(dataset: Dataset, image: Instance, tracking: str) -> None:
    """Put the image's identifiers, and the group's, in the place of the stand-ins."""
    values = {
        "ReferencedSOPClassUID": (INSTANCE.sop_class, image.sop_class),
        "ReferencedSOPInstanceUID": (INSTANCE.sop_instance, image.sop_instance),
        "StudyInstanceUID": (INSTANCE.study, image.study),
        "SeriesInstanceUID": (INSTANCE.series, image.series),
        "UID": (TRACKING, tracking),
    }
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _replace_stand_ins(item, image, tracking)
        elif element.keyword in values:
            stand_in, value = values[element.keyword]
            if element.value == stand_in:
                element.value = value


def _concept_of(item: Dataset) -> str | None:
    names: Any = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else None


def character_set(header: Dataset) -> object:
    """The image's own, in which its archive took the patient's name; UTF-8 where it is none."""
    from pydicom.charset import python_encoding

    declared = header.get("SpecificCharacterSet") or ""
    names = [declared] if isinstance(declared, str) else list(declared)
    return declared if all(name in python_encoding for name in names) else "ISO_IR 192"


def moment(header: Dataset) -> datetime.datetime:
    """Now, in the image's time zone where it names one; the image's own time where the clock has
    not been set or is behind it."""
    now = datetime.datetime.now(_zone(header)).replace(tzinfo=None)
    for keyword in ("ContentDate", "AcquisitionDate", "SeriesDate", "StudyDate"):
        if date := str(header.get(keyword) or ""):
            time = str(header.get(keyword.replace("Date", "Time")) or "").partition(".")[0]
            taken = datetime.datetime.strptime(date + time.ljust(6, "0")[:6], "%Y%m%d%H%M%S")
            behind = taken - datetime.timedelta(days=1) > now
            return taken if now < EARLIEST or behind else now
    return now


def _zone(header: Dataset) -> datetime.timezone | None:
    """That of Timezone Offset From UTC, which stands in the report too; None for this machine's."""
    offset = str(header.get("TimezoneOffsetFromUTC") or "")
    if not re.fullmatch(r"[+-](0\d|1[0-4])[0-5]\d", offset):
        return None
    ahead = datetime.timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return datetime.timezone(-ahead if offset[0] == "-" else ahead)
