"""What an answer states → a DICOM structured report in the patient's own study.

`make_report_forms` says what a report contains; here its forms are filled in. An image that was not
judged gets a report that says so, so that nobody waits for it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.clinic import codes
from edge_app.clinic.header import EMPTY_WHERE_ABSENT, instance_of
from edge_app.clinic.identifiers import derived_uid
from edge_app.clinic.report_forms import FormBook, Kind, filled
from edge_app.clinic.report_frame import frame_of
from edge_app.clinic.statements import OVERALL, Stated, Statement
from edge_app.model.labels import Code

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement

    from edge_app.clinic.header import Header, Instance

OF_THE_STUDY: Final = (
    *("TimezoneOffsetFromUTC", "IssuerOfPatientID", "PatientAge", "StudyInstanceUID"),
    "StudyDescription",
)
"""Elements that a report shares with its image, besides `EMPTY_WHERE_ABSENT` and `TEXTS`."""

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
    header: Header,
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
            are two instances, and so are two that say other things of one.
        stated: what is reported.
        author: who reports.
        book: has the forms.
        remark: something of the image itself that its reader must know.

    Returns:
        The bytes of a DICOM file.

    Raises:
        EdgeCxrError: the forms cannot be made.
    """
    from pydicom import Dataset

    image, algorithm = instance_of(header), _algorithm(stated)
    lines = _lines(stated, remark)
    parts = _made_of(image, content, stated, lines)
    frame = algorithm._replace(
        author=author.name, device=derived_uid(author.salt, "device"), verdict=stated.verdict
    )
    said = [*zip(stated.statements, codes.findings(stated.statements), strict=True)]
    kinds = [_group_kind(algorithm, *each, codes.decision(each[0])) for each in said]
    form, *groups = book.get([frame, *kinds], soon=_others(frame, algorithm, said))
    own = Dataset()
    date_and_describe(own, header)
    own.SOPInstanceUID = derived_uid(author.salt, "report", *parts)
    own.SeriesInstanceUID = derived_uid(author.salt, "series", image.study, stated.model_sha256)
    items = (
        filled(
            group,
            image,
            derived_uid(author.salt, "group", *_group_name(each, finding), *parts),
            (each.probability, each.percentile),
        )
        for group, (each, finding) in zip(groups, said, strict=True)
    )
    check = derived_uid(author.salt, "check", *image)
    return frame_of(form).filled(own, image, check, lines, items)


def _made_of(
    image: Instance, content: str, stated: Stated, lines: Iterable[str]
) -> tuple[str, ...]:
    """What makes a report an instance of its own: whose it is, by what, and all that it says."""
    by = stated.model_sha256, *stated.parameters
    return (*image, content, *by, stated.verdict, *lines, *map(_in_digits, stated.statements))


def _group_name(said: Statement, finding: Code) -> tuple[str, ...]:
    """What tells a statement's group from the others; a label may be called what the whole is."""
    is_label = said.name == OVERALL and finding != codes.IMAGE
    return (said.name, finding.value) if is_label else (said.name,)


def _in_digits(said: Statement) -> str:
    """What tells a statement from another one of the same name."""
    numbers = (said.probability, said.threshold, said.percentile)
    return " ".join([said.name, codes.decision(said).value, *(f"{each}" for each in numbers)])


def _others(frame: Kind, algorithm: Kind, said: Iterable[tuple[Statement, Code]]) -> Iterator[Kind]:
    """The kinds that other images' reports will need."""
    for statement, finding in said:
        if statement.above is not None:
            for decision in codes.DECISIONS:
                if decision != codes.UNDECIDED:
                    yield _group_kind(algorithm, statement, finding, decision)
    for verdict in codes.VERDICTS:
        yield frame._replace(verdict=verdict)


def _algorithm(stated: Stated) -> Kind:
    return Kind(stated.model, stated.model_sha256, stated.parameters)


def _group_kind(algorithm: Kind, statement: Statement, finding: Code, decision: Code) -> Kind:
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


def date_and_describe(document: Dataset, header: Header) -> None:
    """Give a new object the patient and study of its image, and its dates.

    Texts are those of the image to the byte, under the character sets that it declares: whatever
    an archive has made of them, it makes the same of these. All other texts have to be ASCII.
    """
    for keyword in (*EMPTY_WHERE_ABSENT, *OF_THE_STUDY):
        if keyword in header.values:
            setattr(document, keyword, header.values[keyword].value)
    for keyword, value in header.came.items():
        element = _undecoded(keyword, value)
        document[element.tag] = element
    made = moment(header)
    for name in ("InstanceCreation", "Series", "Content"):
        setattr(document, f"{name}Date", made.strftime("%Y%m%d"))
        setattr(document, f"{name}Time", made.strftime("%H%M%S"))


def _undecoded(keyword: str, value: bytes) -> RawDataElement:
    """An element that is written as it is, as long as nobody asks pydicom for it."""
    from pydicom.datadict import dictionary_VR
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    return RawDataElement(Tag(keyword), dictionary_VR(keyword), len(value), value, 0, False, True)


def moment(header: Header) -> datetime.datetime:
    """Now, in the image's time zone where it names one; the image's own time where the clock has
    not been set or is behind it."""
    now = datetime.datetime.now(_zone(header)).replace(tzinfo=None)
    for keyword in ("ContentDate", "AcquisitionDate", "SeriesDate", "StudyDate"):
        if date := str(header.values.get(keyword) or ""):
            taken = _at(date, str(header.values.get(keyword.replace("Date", "Time")) or ""))
            behind = taken > now + datetime.timedelta(days=1)
            return taken if now < EARLIEST or behind else now
    return now


def _at(date: str, time: str) -> datetime.datetime:
    """A date and a time as DICOM writes them; a leap second is the one before it."""
    digits = time.partition(".")[0].ljust(6, "0")
    seconds = min(int(digits[4:]), 59)
    return datetime.datetime.strptime(f"{date}{digits[:4]}{seconds:02}", "%Y%m%d%H%M%S")


def _zone(header: Header) -> datetime.timezone | None:
    """That of Timezone Offset From UTC, which stands in the report too; None for this machine's."""
    offset = str(header.values.get("TimezoneOffsetFromUTC") or "")
    if not re.fullmatch(r"[+-](0\d|1[0-4])[0-5]\d", offset):
        return None
    ahead = datetime.timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return datetime.timezone(-ahead if offset[0] == "-" else ahead)
