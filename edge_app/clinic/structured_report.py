"""What an answer states → a DICOM structured report in the patient's own study.

TID 1500 Measurement Report (DICOM PS3.16) as a Comprehensive 3D SR, as the IHE profile AI Results
asks: a measurement group a finding with its code, probability, threshold and decision; the
algorithm with version, network digest and operating point; the verdict of the input check; and
the image that all of it is about. An image that was not judged gets a report that says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.clinic import codes
from edge_app.clinic.forms import INSTANCE, NUMBERS, TRACKING, Form, open_ended
from edge_app.clinic.header import Instance, instance_of
from edge_app.clinic.identifiers import derived_uid
from edge_app.clinic.statements import Stated, Statement
from edge_app.core.about import __version__
from edge_app.model.labels import Code

if TYPE_CHECKING:
    from highdicom import sr
    from pydicom import Dataset

MANUFACTURER: Final = "edge-cxr"
SERIES_NUMBER: Final = 9701
SERIES_DESCRIPTION: Final = "edge-cxr findings (research, no diagnosis)"

EARLIEST: Final = datetime.datetime(2025, 1, 1)
"""A clock that says less has not been set: boards without a battery begin anywhere."""

LIBRARY: Final = ("Rows", "Columns", "PatientOrientation", "ImagerPixelSpacing")
"""What an entry of the image library (TID 1600) tells; without one the groups name the image."""

GROUPS: Final = "126010"
"""Imaging Measurements: the container of the measurement groups."""

GAP: Final = "The groups of the findings belong here: 9701-9702-9703"
"""The text of an item in whose place the filled-in forms come."""

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
    header: Dataset, stated: Stated, author: Author, remark: str | None = None
) -> tuple[str, bytes]:
    """A structured report as a file.

    Args:
        header: of the image, see `read_header`.
        stated: what is reported.
        author: who reports.
        remark: something of the image itself that its reader must know.

    Returns:
        Its SOP Instance UID, and the bytes of a DICOM file.
    """
    image = instance_of(header)
    parts = (*image, stated.model_sha256, *stated.parameters)
    content = _content(header, stated, author, _check_group(header, stated, author, remark))
    uid = derived_uid(author.salt, "report", *parts)
    document = _document(header, stated, author, content, uid)
    open_ended(document)
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    gap = Form.of(_comment(GAP)).encoded
    groups = (
        _form(stated, statement).filled(
            image,
            derived_uid(author.salt, "group", statement.name, *parts),
            (statement.probability, statement.percentile),
        )
        for statement in stated.statements
    )
    return uid, file.getvalue().replace(gap, b"".join(groups), 1)


def _document(
    header: Dataset, stated: Stated, author: Author, content: sr.MeasurementReport, uid: str
) -> Dataset:
    from highdicom import sr
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    made = moment(header)
    document = sr.Comprehensive3DSR(
        evidence=[header],
        content=content[0],
        series_instance_uid=derived_uid(
            author.salt, "series", str(header.StudyInstanceUID), stated.model_sha256
        ),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        series_description=SERIES_DESCRIPTION,
        manufacturer_model_name=stated.model[:64],
        software_versions=__version__,
        device_serial_number=_serial(author),
        content_date=made.date(),
        content_time=made.time(),
        specific_character_set=character_set(header),
        coding_schemes=[
            CodingSchemeIdentificationItem(designator=codes.SCHEME, name=codes.SCHEME_NAME)
        ],
    )
    document.InstanceCreationDate = made.strftime("%Y%m%d")
    document.InstanceCreationTime = made.strftime("%H%M%S")
    document.SeriesDate, document.SeriesTime = document.ContentDate, document.ContentTime
    return document


def _content(
    header: Dataset, stated: Stated, author: Author, checked: sr.Template
) -> sr.MeasurementReport:
    from highdicom import sr
    from pydicom.sr.codedict import codes as dicom_codes

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=derived_uid(author.salt, "device"),
        name=author.name,
        manufacturer_name=MANUFACTURER,
        model_name=stated.model[:64],
        serial_number=_serial(author),
    )
    observer = sr.ObserverContext(
        observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device
    )
    made = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=_concept(codes.PROCEDURE),
        imaging_measurements=[checked],
        title=_concept(codes.TITLE),
        referenced_images=[header] if all(map(header.get, LIBRARY)) else None,
    )
    groups = next(each for each in made[0].ContentSequence if each.name.value == GROUPS)
    groups.ContentSequence.append(_comment(GAP))
    return made


def _check_group(
    header: Dataset, stated: Stated, author: Author, remark: str | None
) -> sr.MeasurementsAndQualitativeEvaluations:
    """What the input check said, and what else is said of the whole image in words."""
    made = _group(
        stated,
        ("Input check", derived_uid(author.salt, "check", *instance_of(header))),
        (codes.IMAGE, instance_of(header)),
        qualitative_evaluations=[_evaluation(codes.VERDICT, codes.VERDICTS[stated.verdict])],
    )
    lines = [stated.disclaimer]
    lines += [f"This image was not judged: it {stated.reason}"] if stated.reason else []
    lines += [remark] if remark else []
    lines += [f"The image {each}" for each in stated.remarks]
    for each in lines:
        made[0].ContentSequence.append(_comment(each))
    return made


@lru_cache(maxsize=512)
def _blank_form(empty: Stated, statement: Statement) -> Form:
    """The form of a statement's group, for all statements that differ in their numbers alone."""
    made = _group(
        empty,
        (statement.name, TRACKING),
        (codes.finding(statement), INSTANCE),
        measurements=[*_measurements(statement)],
        qualitative_evaluations=[_evaluation(codes.DECISION, codes.decision(statement))],
    )
    made[0].ContentSequence.append(_comment(f"Operating point: {statement.point}"))
    return Form.of(made[0])


def _form(stated: Stated, statement: Statement) -> Form:
    first, second = NUMBERS
    return _blank_form(
        stated._replace(verdict="", reason=None, statements=(), remarks=()),
        statement._replace(
            probability=first, percentile=None if statement.percentile is None else second
        ),
    )


def _group(
    stated: Stated, tracking: tuple[str, str], about: tuple[Code, Instance], **content: object
) -> sr.MeasurementsAndQualitativeEvaluations:
    """A measurement group (TID 1501).

    Args:
        stated: whose algorithm is named.
        tracking: the group's name and UID.
        about: the code of the finding, and the image in which it was looked for.
    """
    from highdicom import sr

    (name, uid), (finding, image) = tracking, about
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier=name[:64]),
        finding_type=_concept(finding),
        algorithm_id=sr.AlgorithmIdentification(
            name=stated.model[:64],
            version=f"{__version__}, {stated.model_sha256[:16]}",
            parameters=stated.parameters,
            manufacturer=MANUFACTURER,
        ),
        source_images=[sr.SourceImageForMeasurementGroup(image.sop_class, image.sop_instance)],
        **content,
    )


def _measurements(statement: Statement) -> Iterator[sr.Measurement]:
    from highdicom import sr

    for name, value in (
        (codes.PROBABILITY, statement.probability),
        (codes.THRESHOLD, statement.threshold),
        (codes.PERCENTILE, statement.percentile),
    ):
        if value is not None:
            yield sr.Measurement(
                name=_concept(name), value=round(value, 6), unit=_concept(codes.NO_UNITS)
            )


def _evaluation(name: Code, value: Code) -> sr.QualitativeEvaluation:
    from highdicom import sr

    return sr.QualitativeEvaluation(_concept(name), _concept(value))


def _comment(text: str) -> sr.TextContentItem:
    from highdicom import sr

    plain = text.encode("ascii", "replace").decode()[:LONGEST_TEXT]
    return sr.TextContentItem(
        name=_concept(codes.COMMENT),
        value=plain,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )


def _concept(code: Code) -> sr.CodedConcept:
    from highdicom import sr

    return sr.CodedConcept(
        value=code.value, scheme_designator=code.scheme, meaning=code.meaning[:64]
    )


def _serial(author: Author) -> str:
    """What tells two boxes apart."""
    return derived_uid(author.salt, "device").rpartition(".")[2][:16]


def character_set(header: Dataset) -> object:
    """The image's own, in which its archive took the patient's name; UTF-8 where it is none."""
    from pydicom.charset import python_encoding

    declared = header.get("SpecificCharacterSet")
    if not declared:
        return None
    names = [declared] if isinstance(declared, str) else list(declared)
    return declared if all(name in python_encoding for name in names) else "ISO_IR 192"


def moment(header: Dataset) -> datetime.datetime:
    """Now; the image's own time where the clock has not been set or is behind it."""
    now = datetime.datetime.now()
    for keyword in ("ContentDate", "AcquisitionDate", "SeriesDate", "StudyDate"):
        if date := str(header.get(keyword) or ""):
            time = str(header.get(keyword.replace("Date", "Time")) or "").partition(".")[0]
            taken = datetime.datetime.strptime(date + time.ljust(6, "0")[:6], "%Y%m%d%H%M%S")
            behind = taken - datetime.timedelta(days=1) > now
            return taken if now < EARLIEST or behind else now
    return now
