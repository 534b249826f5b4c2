"""Makes report forms with highdicom, in a process of its own.

``python -m edge_app.clinic.make_report_forms`` reads a JSON list of kinds (`Kind.text`)
from standard input, and prints the form of each in base64.

TID 1500 Measurement Report (DICOM PS3.16) as a Comprehensive 3D SR, as the IHE profile AI Results
asks: a measurement group (TID 1501) a finding with its code, probability, threshold and decision;
the algorithm (TID 4019) with version, network digest and operating point; the verdict of the input
check; and the image that all of it is about.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Iterator
from io import BytesIO

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom import Dataset
from pydicom.sr.codedict import codes as dicom_codes

from edge_app.clinic import codes
from edge_app.clinic.codes import LONGEST_MEANING
from edge_app.clinic.header import EMPTY_WHERE_ABSENT, IDENTIFIERS
from edge_app.clinic.identifiers import MANUFACTURER
from edge_app.clinic.report_forms import (
    GAP,
    INSTANCE,
    NUMBERS,
    REPORT,
    SERIES,
    TRACKING,
    Kind,
    encoded,
    open_ended,
)
from edge_app.core.about import __version__
from edge_app.model.labels import Code

SERIES_NUMBER = 9701
SERIES_DESCRIPTION = "edge-cxr findings (research, no diagnosis)"


def form(kind: Kind) -> bytes:
    """A group as an item, or a whole report as a file."""
    return encoded(_finding_group(kind)[0]) if kind.group else _report(kind)


def _report(kind: Kind) -> bytes:
    document = sr.Comprehensive3DSR(
        evidence=[_header()],
        content=_content(kind)[0],
        series_instance_uid=SERIES,
        series_number=SERIES_NUMBER,
        sop_instance_uid=REPORT,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        series_description=SERIES_DESCRIPTION,
        manufacturer_model_name=kind.model[:64],
        software_versions=__version__,
        device_serial_number=_serial(kind),
        coding_schemes=[
            CodingSchemeIdentificationItem(designator=codes.SCHEME, name=codes.SCHEME_NAME)
        ],
    )
    open_ended(document)
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _header() -> Dataset:
    """Of an image that is nobody's."""
    header = Dataset()
    for keyword in EMPTY_WHERE_ABSENT:
        setattr(header, keyword, "")
    for keyword, value in zip(IDENTIFIERS, INSTANCE, strict=True):
        setattr(header, keyword, value)
    return header


def _content(kind: Kind) -> sr.MeasurementReport:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=kind.device,
        name=kind.author,
        manufacturer_name=MANUFACTURER,
        model_name=kind.model[:64],
        serial_number=_serial(kind),
    )
    observer = sr.ObserverContext(
        observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device
    )
    checked = _group(
        kind,
        "Input check",
        codes.IMAGE,
        qualitative_evaluations=[_evaluation(codes.VERDICT, codes.VERDICTS[kind.verdict])],
    )
    checked[0].ContentSequence.append(_comment(GAP))
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=_concept(codes.PROCEDURE),
        imaging_measurements=[checked],
        title=_concept(codes.TITLE),
    )


def _finding_group(kind: Kind) -> sr.MeasurementsAndQualitativeEvaluations:
    name, scheme, value, meaning, threshold, decision, has_percentile, point = kind.group
    decided = next(code for code in codes.DECISIONS if code.value == decision)
    first, second = NUMBERS
    made = _group(
        kind,
        name,
        Code(scheme, value, meaning),
        measurements=[*_measurements(first, threshold, second if has_percentile else None)],
        qualitative_evaluations=[_evaluation(codes.DECISION, decided)],
    )
    made[0].ContentSequence.append(_comment(f"Operating point: {point}"))
    return made


def _group(
    kind: Kind, name: str, finding: Code, **content: object
) -> sr.MeasurementsAndQualitativeEvaluations:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=TRACKING, identifier=_named(name)),
        finding_type=_concept(finding),
        algorithm_id=sr.AlgorithmIdentification(
            name=kind.model[:64],
            version=f"{__version__}, {kind.model_sha256[:16]}",
            parameters=[*map(_ascii, kind.parameters)],
            manufacturer=MANUFACTURER,
        ),
        source_images=[
            sr.SourceImageForMeasurementGroup(INSTANCE.sop_class, INSTANCE.sop_instance)
        ],
        **content,
    )


def _measurements(
    probability: float, threshold: float | None, percentile: float | None
) -> Iterator[sr.Measurement]:
    for name, value in (
        (codes.PROBABILITY, probability),
        (codes.THRESHOLD, threshold),
        (codes.PERCENTILE, percentile),
    ):
        if value is not None:
            yield sr.Measurement(
                name=_concept(name), value=round(value, 6), unit=_concept(codes.NO_UNITS)
            )


def _evaluation(name: Code, value: Code) -> sr.QualitativeEvaluation:
    return sr.QualitativeEvaluation(_concept(name), _concept(value))


def _comment(text: str) -> sr.TextContentItem:
    return sr.TextContentItem(
        name=_concept(codes.COMMENT),
        value=_ascii(text),
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )


def _concept(code: Code) -> sr.CodedConcept:
    return sr.CodedConcept(
        value=code.value, scheme_designator=code.scheme, meaning=_named(code.meaning)
    )


def _ascii(text: str) -> str:
    """A text that is what it is in whichever character sets an image declares, and no other's."""
    return text.encode("ascii", "xmlcharrefreplace").decode()


def _named(text: str) -> str:
    """An ASCII name of `LONGEST_MEANING` at most; two names that begin alike stay two."""
    name = _ascii(text)
    if len(name) <= LONGEST_MEANING:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    whole = re.sub(r"&#\d*\Z|&\Z", "", name[: LONGEST_MEANING - len(digest) - 1])
    return f"{whole}-{digest}"


def _serial(kind: Kind) -> str:
    """What tells two boxes apart."""
    return kind.device.rpartition(".")[2][:16]


def main() -> None:
    warnings.simplefilter("ignore")
    kinds = map(Kind.of, json.load(sys.stdin))
    print(json.dumps([base64.b64encode(form(kind)).decode() for kind in kinds]))


if __name__ == "__main__":
    main()
