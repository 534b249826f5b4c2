"""A report says what the answer says, in the patient's study; others' programs read it."""

from __future__ import annotations

import datetime
import hashlib
import io
import itertools
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("pydicom", reason="the clinic extra is not installed")
pytest.importorskip("highdicom", reason="the clinic extra is not installed")

from pydicom import dcmread
from pydicom.filereader import read_dataset, read_sequence_item

from edge_app.classifier import Classifier
from edge_app.clinic import codes, make_report_forms, report_forms, structured_report
from edge_app.clinic.archive import _in_implicit_vr
from edge_app.clinic.header import (
    TEXTS,
    HeaderError,
    bare,
    content_digest,
    instance_of,
    read_header,
)
from edge_app.clinic.identifiers import derived_uid
from edge_app.clinic.report_forms import FormBook, Kind
from edge_app.clinic.statements import OVERALL, Statement, stated
from edge_app.clinic.structured_report import Author, report
from edge_app.core.errors import EdgeCxrError, ImageError
from edge_app.images.radiograph import Limits
from edge_app.images.read import decode
from edge_app.model.labels import Code
from edge_app.model.model_file import read
from edge_app.pipeline.json_answer import answered, origin, refused

from .images import dicom, miscoded
from .peers import dump, verify

AUTHOR = Author(b"salt", "EDGECXR")


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> FormBook:
    return FormBook(tmp_path_factory.mktemp("forms"))


@pytest.fixture(scope="session")
def classifier(cnn28: Path) -> Classifier:
    return Classifier(read(cnn28))


@pytest.fixture(scope="session")
def answer(classifier: Classifier) -> dict[str, Any]:
    image = decode(dicom(), Limits())
    made = answered("x", image, classifier.classify(image), origin(classifier))
    return json.loads(json.dumps(made))


@pytest.fixture
def made(tmp_path: Path, book: FormBook, classifier: Classifier) -> Any:
    def make(answer: Any, data: bytes | None = None, remark: str | None = None) -> Path:
        path = tmp_path / "report.dcm"
        image = dicom() if data is None else data
        header, content = read_header(image), content_digest(image)
        said = stated(answer, classifier.labels)
        path.write_bytes(report(header, content, said, AUTHOR, book, remark))
        return path

    return make


def groups(text: str) -> list[str]:
    return text.split("Measurement Group")[1:]


def test_every_finding_is_there_with_code_score_threshold_and_decision(
    made: Any, answer: dict[str, Any], classifier: Classifier
) -> None:
    text = dump(made(answer))
    by_label = {re.search(r'Tracking Identifier.*="(.*)"', each)[1]: each for each in groups(text)}
    assert by_label.keys() == {"Input check", *classifier.labels.names} | (
        {OVERALL} if answer.get("overall") else set()
    )
    for finding, label in zip(answer["findings"], classifier.labels, strict=True):
        group = by_label[finding["label"]]
        assert f'"Probability")="{finding["score"]:.6f}"' in group
        if finding["above"] is None:
            assert f"(UNDECIDED,{codes.SCHEME}" in group
        else:
            reached = finding["score"] >= finding["threshold"]
            decision = "ABOVE" if finding["above"] else "OUTWEIGHED" if reached else "BELOW"
            assert f"({decision},{codes.SCHEME}" in group
        if finding["threshold"] is None:
            assert "THRESHOLD" not in group
        else:
            threshold = re.search(r'"Threshold of the operating point"\)="([\d.]+)"', group)
            assert float(threshold[1]) == pytest.approx(finding["threshold"], abs=1e-6)
        if label.code:
            assert f"({label.code.value},{label.code.scheme}" in group
        else:
            assert f'{codes.SCHEME},"{label.name}")' in group
        assert answer["model"]["sha256"] in group


@pytest.mark.parametrize(
    ("probability", "above", "decision"),
    [(0.5, True, "ABOVE"), (0.4, False, "BELOW"), (0.5, False, "OUTWEIGHED"), (0.5, None, None)],
)
def test_no_finding_that_reached_its_threshold_is_said_to_be_below(
    made: Any, answer: dict[str, Any], probability: float, above: bool | None, decision: str | None
) -> None:
    first, *others = answer["findings"]
    said = {"score": probability, "threshold": None if decision is None else 0.5, "above": above}
    text = dump(made({**answer, "findings": [{**first, **said}, *others]}))
    group = next(each for each in groups(text) if f'"{first["label"]}"' in each)
    assert f"({decision or 'UNDECIDED'},{codes.SCHEME}" in group


def test_what_is_not_decided_keeps_its_threshold_and_nothing_denies_that(
    made: Any, answer: dict[str, Any]
) -> None:
    first, *others = answer["findings"]
    said = {"score": 0.5, "threshold": 0.4, "above": None}
    text = dump(made({**answer, "findings": [{**first, **said}, *others]}))
    group = next(each for each in groups(text) if f'"{first["label"]}"' in each)
    assert '"Threshold of the operating point")="0.4' in group
    assert f'(UNDECIDED,{codes.SCHEME},"No decision of its own")' in group


def test_what_others_judge_is_without_error(made: Any, answer: dict[str, Any]) -> None:
    assert verify(made(answer)) == []


def test_it_lies_in_the_patient_s_study_as_the_archive_knows_it(
    made: Any, answer: dict[str, Any]
) -> None:
    image = dcmread(io.BytesIO(dicom()))
    got = dcmread(made(answer))
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"),
        *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "SpecificCharacterSet"),
    ):
        assert got[keyword].value == image[keyword].value, keyword
    assert got.SeriesInstanceUID != image.SeriesInstanceUID
    assert got.Modality == "SR"
    assert got.VerificationFlag == "UNVERIFIED"
    evidence = got.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == image.StudyInstanceUID
    series = evidence.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({"input_check": {"score": 3.0, "flagged": True, "kind": "other", "reason": "is a cat"},
          "findings": [], "overall": None}, "WITHHELD", "was not judged: it is a cat"),
        ({"input_check": {"score": 3.0, "flagged": True, "kind": "blurred", "reason": "is soft"},
          "findings": [], "overall": None},
         "WITHHELD", "Not judged: unlike an upright frontal chest radiograph"),
        ({"blank": True, "findings": [], "overall": None,
          "input_check": {"score": 9.0, "flagged": True, "kind": "blank", "reason": "is blank"}},
         "BLANK", "was not judged: it is blank"),
    ],
)  # fmt: skip
def test_what_was_not_judged_is_said_and_has_no_findings(
    made: Any, answer: dict[str, Any], change: dict[str, Any], verdict: str, words: str
) -> None:
    path = made({**answer, **change})
    text = dump(path)
    assert len(groups(text)) == 1
    assert f"({verdict},{codes.SCHEME}" in text
    assert words in text
    assert verify(path) == []


def test_what_could_not_be_read_gets_a_report_too(made: Any, classifier: Classifier) -> None:
    path = made(refused("x", ImageError("is a truncated file"), origin(classifier)))
    text = dump(path)
    assert f"(UNREADABLE,{codes.SCHEME}" in text
    assert "was not judged: it is a truncated file" in text
    assert verify(path) == []


def test_the_score_of_the_whole_image_comes_first_where_there_is_one(
    made: Any, answer: dict[str, Any]
) -> None:
    overall = {"probability": 0.25, "percentile": 0.5, "threshold": 0.2, "flagged": True}
    path = made({**answer, "overall": overall})
    first = groups(dump(path))[1]
    assert f'"{OVERALL}"' in first
    assert '"Probability")="0.250000"' in first
    assert '="0.500000"' in first
    assert "(ABOVE," in first
    assert verify(path) == []


def test_warnings_and_a_second_image_of_the_same_uid_are_told(
    made: Any, answer: dict[str, Any]
) -> None:
    text = dump(made({**answer, "warnings": ["is odd: \x1b[31m é"]}, remark="There are two"))
    assert "The image is odd: ?[31m ?" in text.replace("\x1b", "?")
    assert "There are two" in text


def test_it_is_the_same_instance_whenever_made_and_another_box_s_is_another(
    classifier: Classifier, book: FormBook, answer: dict[str, Any]
) -> None:
    said = stated(answer, classifier.labels)

    def of(author: Author, data: bytes) -> Any:
        header, content = read_header(data), content_digest(data)
        return dcmread(io.BytesIO(report(header, content, said, author, book)))

    first, again = of(AUTHOR, dicom()), of(AUTHOR, dicom())
    assert first.SOPInstanceUID == again.SOPInstanceUID
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID
    sibling = of(AUTHOR, dicom(2))
    namesake = of(AUTHOR, dicom(StudyDescription="another image of the same UID"))
    for other in (sibling, namesake):
        assert first.SOPInstanceUID != other.SOPInstanceUID
        assert first.SeriesInstanceUID == other.SeriesInstanceUID
    assert first.SOPInstanceUID != of(Author(b"other", "EDGECXR"), dicom()).SOPInstanceUID
    for uid in (first.SOPInstanceUID, first.SeriesInstanceUID):
        assert re.fullmatch(r"2\.25\.[1-9]\d{1,38}", uid)


@pytest.mark.parametrize(
    "change",
    [
        {"overall": {"probability": 0.123, "threshold": 0.5, "flagged": False}},
        {"warnings": ["is smaller than the network's input"]},
        {"blank": True, "findings": [], "overall": None},
    ],
    ids=["other numbers", "another remark", "another verdict"],
)
def test_what_says_something_else_of_an_image_is_another_instance(
    made: Any, answer: dict[str, Any], change: dict[str, Any]
) -> None:
    """As after an upgrade: an archive keeps the first one that it has of an instance."""
    before = dcmread(made(answer)).SOPInstanceUID
    assert dcmread(made({**answer, **change})).SOPInstanceUID != before
    assert dcmread(made(answer, remark="There are two")).SOPInstanceUID != before
    assert dcmread(made(answer)).SOPInstanceUID == before


@pytest.mark.parametrize("number", ["  4711", "47  11", "4711  "])
def test_a_patient_s_number_is_to_the_archive_what_the_image_s_is(
    made: Any, answer: dict[str, Any], number: str
) -> None:
    """Which takes one with leading spaces for another patient's; at the end they fill up."""
    data = dicom(PatientID=number, AccessionNumber=" A", PatientName=" Doe^J")
    image, report = dcmread(io.BytesIO(data)), dcmread(made(answer, data))
    for keyword in ("PatientID", "AccessionNumber", "PatientName"):
        assert report[keyword].value == image[keyword].value


@pytest.mark.parametrize(
    "elements",
    [
        {"StudyDate": "00010101"},
        {"StudyTime": "235960"},
        {"ContentDate": "00010101", "ContentTime": "000000"},
        {"ContentDate": "99991231", "ContentTime": "235960.5"},
    ],
)
def test_a_date_at_the_end_of_time_loses_no_patient(
    made: Any, answer: dict[str, Any], elements: dict[str, str]
) -> None:
    """Devices write the first of all days where they know none, and a leap second is a time."""
    data = dicom(**elements)
    report = dcmread(made(answer, data))
    assert report.PatientID == "P-4711"
    assert report.StudyDate == elements.get("StudyDate", "20240102")


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("declared", ["ISO_IR 192", "ISO 2022 IR 87", "NO SUCH SET", "", None])
@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
def test_what_is_wrongly_declared_is_given_back_as_it_came(
    made: Any, answer: dict[str, Any], declared: str | None, implicit: bool
) -> None:
    """An archive that cannot decode a patient's number takes another one for another patient."""
    data = miscoded(declared, StudyDescription="Thorax \xfc", IssuerOfPatientID="\xd6")
    path = made(answer, data)
    if implicit:
        report = read_dataset(io.BytesIO(_in_implicit_vr(path.read_bytes())), True, True)
    else:
        report = dcmread(path)
    image = dcmread(io.BytesIO(data))
    declaration, *texts = TEXTS
    for keyword in texts:
        if keyword in image:
            assert report.get_item(keyword).value == image.get_item(keyword).value, keyword
        else:
            assert not report.get(keyword), keyword
    assert (declaration in report) == (declared is not None)
    assert report.get(declaration) == image.get(declaration)
    assert (report.PatientName, report.PatientID) == (image.PatientName, image.PatientID)
    assert b"P-\xc44711" in path.read_bytes()


@pytest.mark.parametrize("declared", ["ISO_IR 100", "ISO_IR 192"])
def test_texts_of_its_own_are_ascii_whatever_the_image_declares(
    made: Any, answer: dict[str, Any], declared: str
) -> None:
    """Labels that a site has named in its own language: those of two findings stay two."""
    first, second, *others = answer["findings"]
    findings = [{**first, "label": "Pneumonie \xe9"}, {**second, "label": "\u80ba\u708e"}, *others]
    path = made(
        {**answer, "findings": findings}, dicom(PatientName="Doe", SpecificCharacterSet=declared)
    )
    assert path.read_bytes()[132:].find(b"Pneumonie &#233;") > 0
    assert b"&#32954;&#28814;" in path.read_bytes()
    report = dcmread(path)
    for item in report.ContentSequence:
        assert "?" not in str(item)
    assert verify(path) == []


def test_findings_whose_long_names_begin_alike_stay_two(made: Any, answer: dict[str, Any]) -> None:
    """By their numbers, nine letters of another script fill what a name may be long."""
    first, second, *others = answer["findings"]
    names = "\u0443" * 10, "\u0443" * 11
    findings = [{**first, "label": names[0]}, {**second, "label": names[1]}, *others]
    report = made({**answer, "findings": findings}, dicom(PatientName="Doe")).read_bytes()
    found = re.findall(rb"(?:&#1091;)+[ -~]*", report)
    assert len(set(found)) == 2
    for each in found:
        assert re.fullmatch(rb"(&#1091;){8}-[0-9a-f]{6} ?", each)


@pytest.mark.parametrize("space", ["\u3000", "\xa0"], ids=["ideographic", "no-break"])
def test_a_space_of_another_kind_stays_what_it_is_in_the_image(
    made: Any, answer: dict[str, Any], space: str
) -> None:
    name = f"Yamada^Tarou=山田{space}^太郎"
    data = dicom(SpecificCharacterSet="ISO_IR 192", PatientName=name, PatientID=f"A{space}1")
    report = dcmread(made(answer, data))
    assert (str(report.PatientName), report.PatientID) == (name, f"A{space}1")


def test_a_model_of_other_thresholds_makes_another_report_and_is_named_in_it(
    made: Any, answer: dict[str, Any]
) -> None:
    before = dcmread(made(answer)).SOPInstanceUID
    path = made({**answer, "model": {**answer["model"], "digest": "0" * 64}})
    assert "0" * 64 in dump(path)
    assert dcmread(path).SOPInstanceUID != before


def test_a_site_file_is_among_the_parameters_that_make_a_report(
    classifier: Classifier, answer: dict[str, Any]
) -> None:
    before = {*stated(answer, classifier.labels).parameters}
    after = {*stated({**answer, "site": "5" * 64}, classifier.labels).parameters}
    assert after - before == {f"site file SHA-256: {'5' * 64}"}


def test_the_study_s_own_dates_stand_where_the_clock_is_not_set(
    made: Any, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Clock:
            return cls(1970, 1, 1, 0, 3)

    monkeypatch.setattr(structured_report.datetime, "datetime", Clock)
    got = dcmread(made(answer))
    assert (got.ContentDate, got.ContentTime) == ("20240102", "101112")
    assert (got.InstanceCreationDate, got.SeriesDate) == ("20240102", "20240102")


@pytest.mark.parametrize(("offset", "hour"), [("+0930", "20"), ("-0300", "08"), ("0930", "11")])
def test_its_times_are_in_the_time_zone_that_it_names(
    made: Any, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch, offset: str, hour: str
) -> None:
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Clock:
            at = cls(2026, 5, 4, 11, 0, tzinfo=datetime.timezone.utc)
            return at.astimezone(tz) if tz else at.replace(tzinfo=None)

    monkeypatch.setattr(structured_report.datetime, "datetime", Clock)
    got = dcmread(made(answer, dicom(TimezoneOffsetFromUTC=offset)))
    assert got.TimezoneOffsetFromUTC == offset
    assert got.ContentTime[:2] == hour


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize(
    "elements",
    [
        {"PatientSex": "X", "PatientBirthDate": "unknown", "StudyTime": "25", "StudyDate": None},
        {"PatientName": None, "PatientID": None, "SpecificCharacterSet": None},
        {"PatientID": "7" * 80, "StudyID": "S" * 40, "AccessionNumber": "A" * 40},
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山田^太郎"},
        {"SpecificCharacterSet": "NO SUCH SET", "PatientName": "Doe^J"},
    ],
)
def test_a_header_that_is_wrong_or_poor_keeps_no_report_back(
    made: Any, answer: dict[str, Any], elements: dict[str, Any]
) -> None:
    from pydicom import config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
        data = dicom(**elements)
    path = made(answer, data)
    assert '"Probability"' in dump(path)
    assert dcmread(path).StudyInstanceUID == "1.2.276.0.9701.1"


def test_a_form_that_is_filled_is_what_highdicom_reads(made: Any, answer: dict[str, Any]) -> None:
    from highdicom.sr import srread

    content = srread(made(answer)).content
    found = content.get_image_measurement_groups()
    assert len(found) == 1 + len(answer["findings"]) + bool(answer.get("overall"))
    for group, finding in zip(found[-len(answer["findings"]) :], answer["findings"], strict=True):
        assert group.tracking_identifier == finding["label"]
        measured = group.get_measurements()
        assert measured[0].value == pytest.approx(finding["score"], abs=1e-6)
        if finding["threshold"] is not None:
            assert measured[1].value == pytest.approx(finding["threshold"], abs=1e-6)
        assert group.source_images[0].referenced_sop_instance_uid == "1.2.276.0.9701.1.1.1"


@pytest.mark.parametrize("name", ["Müller^Jürgen", "Doe^J"])
def test_it_is_what_highdicom_makes_with_these_values(
    made: Any, answer: dict[str, Any], classifier: Classifier, monkeypatch: Any, name: str
) -> None:
    data = dicom(PatientName=name, SeriesInstanceUID="1.2.276.0.9701.1.77")
    got, header = dcmread(made(answer, data)), dcmread(io.BytesIO(data))
    said, salt = stated(answer, classifier.labels), AUTHOR.salt
    image = instance_of(read_header(data))
    lines = structured_report._lines(said, None)
    parts = structured_report._made_of(image, content_digest(data), said, lines)
    frame = Kind(said.model, said.model_sha256, said.parameters)
    device = derived_uid(salt, "device")
    whole = frame._replace(author=AUTHOR.name, device=device, verdict=said.verdict)
    monkeypatch.setattr(make_report_forms, "INSTANCE", image)
    monkeypatch.setattr(make_report_forms, "_header", lambda: header)
    monkeypatch.setattr(make_report_forms, "REPORT", derived_uid(salt, "report", *parts))
    series = derived_uid(salt, "series", image.study, said.model_sha256)
    monkeypatch.setattr(make_report_forms, "SERIES", series)
    monkeypatch.setattr(make_report_forms, "GAP", said.disclaimer)
    monkeypatch.setattr(make_report_forms, "TRACKING", derived_uid(salt, "check", *image))
    expected = dcmread(io.BytesIO(make_report_forms.form(whole)))
    groups = next(
        item.ContentSequence
        for item in expected.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == codes.GROUPS.value
    )
    for each, finding in zip(said.statements, codes.findings(said.statements), strict=True):
        numbers = each.probability, each.percentile
        monkeypatch.setattr(make_report_forms, "NUMBERS", numbers)
        monkeypatch.setattr(
            make_report_forms, "TRACKING", derived_uid(salt, "group", each.name, *parts)
        )
        kind = structured_report._group_kind(frame, each, finding, codes.decision(each))
        groups.append(make_report_forms._finding_group(kind)[0])
    for keyword in ("InstanceCreation", "Series", "Content"):
        for part in ("Date", "Time"):
            setattr(expected, keyword + part, got[keyword + part].value)
    made_by = got.ContributingEquipmentSequence[0].ContributionDateTime

    def as_told(dataset: Any, element: Any) -> None:
        """Numbers with six digits; when highdicom had its part in it."""
        if element.keyword == "NumericValue":
            element.value = f"{float(element.value):.6f}"
        elif element.keyword == "ContributionDateTime":
            element.value = made_by

    expected.walk(as_told)
    assert got == expected
    assert got.file_meta == expected.file_meta


def test_reports_made_at_the_same_time_are_each_of_their_own_image(
    book: FormBook, classifier: Classifier, answer: dict[str, Any]
) -> None:
    said = stated(answer, classifier.labels)

    def of(number: int) -> tuple[str, str, str]:
        data = dicom(number, SpecificCharacterSet=("ISO_IR 100", "ISO_IR 192")[number % 2])
        got = dcmread(
            io.BytesIO(report(read_header(data), content_digest(data), said, AUTHOR, book))
        )
        evidence = got.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
        return (
            evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID.rpartition(".")[2],
            str(got.file_meta.MediaStorageSOPInstanceUID == got.SOPInstanceUID),
            str(got.PatientName),
        )

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(of, range(40))] == [
            (str(number), "True", "Müller^Jürgen") for number in range(40)
        ]


@pytest.mark.parametrize(
    ("word", "other"), [(b"Below the", b"Above the"), (b"belong here", b"belong thxe")]
)
def test_a_form_that_the_disk_has_changed_is_made_anew(
    book: FormBook, classifier: Classifier, answer: Any, tmp_path: Path, word: bytes, other: bytes
) -> None:
    """It might say something else of every image."""
    said, header = stated(answer, classifier.labels), read_header(dicom())
    right = dcmread(io.BytesIO(report(header, "content", said, AUTHOR, book)))
    folder = shutil.copytree(book.folder, tmp_path / "forms")
    changed = 0
    for kept in folder.iterdir():
        form = kept.read_bytes()
        changed += word in form
        kept.write_bytes(form.replace(word, other))
    assert changed
    made = dcmread(io.BytesIO(report(header, "content", said, AUTHOR, FormBook(folder))))
    assert made.ContentSequence == right.ContentSequence


def test_a_damaged_form_is_told(book: FormBook, classifier: Classifier, answer: Any) -> None:
    said, header = stated(answer, classifier.labels), read_header(dicom())
    damaged = FormBook(book.folder)
    report(header, "content", said, AUTHOR, damaged)
    for kind, form in damaged._forms.items():
        damaged._forms[kind] = form.replace(b"belong here", b"belong thxe")
    with pytest.raises(EdgeCxrError, match="remove the folder 'forms'"):
        report(header, "content", said, AUTHOR, damaged)


def said(name: str, code: Code | None = None) -> Statement:
    return Statement(name, code, 0.5, None, None, None, "p")


def test_long_labels_get_codes_that_differ() -> None:
    names = ("Pleural_Thickening", "Pleural Thickness", "Pleural_Thickening_left", "é", "è")
    names += ("肺炎 1", "結節 1", "Mass", "Mass (?)", "Masse", "Massé")
    made = codes.findings([said(name) for name in names])
    assert len({code.value for code in made}) == len(names)
    assert all(len(code.value) <= 16 for code in made)


def test_labels_that_differ_in_blanks_signs_or_capitals_get_codes_that_differ() -> None:
    names = ("Lung Mass", "Lung_Mass", "lung mass", "LungMass", "Nodule")
    made = codes.findings([said(name) for name in (OVERALL, *names)])
    values = [code.value for code in made]
    assert len(set(values)) == len(values)
    assert (values[0], values[-1]) == ("IMAGE", "L-NODULE")
    assert all(re.fullmatch(r"L-LUNGMAS-[0-9A-F]{6}", value) for value in values[1:-1])
    assert codes.findings([said(name) for name in reversed(names)]) == made[:0:-1]
    assert [code.value for code in codes.findings([said("Lung_Mass")])] == ["L-LUNGMASS"]


def test_no_label_gets_what_its_model_calls_another() -> None:
    mine = Code(codes.SCHEME, "L-MASS", "Mass, large")
    one, other, third = codes.findings([said("Large", mine), said("Mass"), said(OVERALL)])
    assert one == mine
    assert re.fullmatch(r"L-MASS-[0-9A-F]{6}", other.value)
    assert third.value == "L-OVERALL"


def test_labels_whose_digests_begin_alike_get_codes_that_differ() -> None:
    """Of these names, which were found by trying."""
    names = [f"Pleural Thickening {number}" for number in (4409, 5885)]
    assert len({hashlib.sha256(name.encode()).hexdigest()[:6] for name in names}) == 1
    one, other = (code.value for code in codes.findings([said(name) for name in names]))
    assert one != other
    assert len(one) == len(other) == 16


def test_codes_of_the_shipped_models_stay_what_they_are(classifier: Classifier) -> None:
    """Archives and those who read them know these by name: docs/conformance.md."""
    made = codes.findings([said(label.name, label.code) for label in classifier.labels])
    assert [code.value for code in made] == [
        *("RID28493", "RID43255", "L-INFILTRATION", "RID5352", "L-EDEMA", "RID4799"),
        *("L-FIBROSIS", "RID34539", "RID5350", "L-PLEURAL-04FB6C", "L-CARDIOMEGALY"),
        *("L-NODULE", "L-HERNIA", "L-MASS", "L-NOFINDING"),
    ]


def test_a_report_tells_labels_apart_that_differ_in_a_blank(
    made: Any, answer: dict[str, Any]
) -> None:
    findings = answer["findings"][:2]
    for each, name in zip(findings, ("Lung Mass", "Lung_Mass"), strict=True):
        findings = [*findings[1:], {**each, "label": name}]
    text = dump(made({**answer, "findings": findings}))
    told = re.findall(r'"Finding"\)=\((L-[^,]*),99EDGECXR', text)
    assert len(told) == 2
    assert told[0] != told[1]


def test_a_label_that_is_called_like_the_whole_image_has_a_group_of_its_own(
    made: Any, answer: dict[str, Any]
) -> None:
    overall = {"probability": 0.25, "percentile": 0.5, "threshold": 0.2, "flagged": True}
    first, *others = answer["findings"]
    findings = [{**first, "label": OVERALL}, *others]
    path = made({**answer, "overall": overall, "findings": findings})
    uids = re.findall(r'"Tracking Unique Identifier"\)="([0-9.]+)"', dump(path))
    assert len(set(uids)) == len(uids) > len(findings)
    assert verify(path) == []


@pytest.mark.parametrize("score", [0.0, 1.0, 1e-6, 0.123456, 0.9999996])
def test_no_stand_in_is_left_whatever_the_values(
    made: Any, answer: dict[str, Any], score: float
) -> None:
    from highdicom.sr import srread

    findings = [{**each, "score": score} for each in answer["findings"]]
    path = made({**answer, "findings": findings})
    for group in srread(path).content.get_image_measurement_groups()[-len(findings) :]:
        item = group.get_measurements()[0][0].MeasuredValueSequence[0]
        assert float(item.NumericValue) == item.FloatingPointValue == round(score, 6)
    for trace in (b"2.25.970", b"8.97030", b"belong here"):
        assert trace not in path.read_bytes()


def test_no_value_is_taken_for_a_stand_in() -> None:
    finding = ("Mass", "SCT", "4147007", "Mass", None, codes.ABOVE.value, True, "p")
    form = make_report_forms.form(Kind("model", "ab" * 32, (), group=finding))
    image = instance_of(read_header(dicom()))
    for numbers in itertools.product([0.0, 1.0, 0.5, 0.970301, 0.970302], repeat=2):
        group = io.BytesIO(report_forms.filled(form, image, "1.2.3", numbers))
        item: Any = read_sequence_item(group, False, True, "iso8859")
        measured = [each for each in item.ContentSequence if each.ValueType == "NUM"]
        values = [each.MeasuredValueSequence[0] for each in measured]
        assert tuple(float(each.NumericValue) for each in values) == numbers
        assert tuple(each.FloatingPointValue for each in values) == numbers


def test_forms_of_other_stand_ins_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind("model", "ab" * 32, ("p",))
    before = kind.text()
    monkeypatch.setattr(report_forms, "NUMBERS", (0.970301, 0.970302))
    assert kind.text() != before
    assert Kind.of(kind.text()) == Kind.of(before) == kind


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_a_report_is_made_of_whatever_header_was_accepted(
    draw: st.DataObject, book: FormBook, classifier: Classifier, answer: dict[str, Any]
) -> None:
    data = bytearray(dicom())
    for _ in range(draw.draw(st.integers(1, 30))):
        data[draw.draw(st.integers(300, 900))] = draw.draw(st.integers(0, 255))
    try:
        header = read_header(bytes(data))
    except HeaderError:
        return
    said = stated(answer, classifier.labels)
    try:
        made = report(header, "content", said, AUTHOR, book)
    except Exception:
        made = report(bare(header), "content", said, AUTHOR, book)
    assert dcmread(io.BytesIO(made)).StudyInstanceUID == header.values.StudyInstanceUID


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_report_without_what_cannot_be_written_is_of_the_same_patient(
    answer: dict[str, Any], book: FormBook, classifier: Classifier
) -> None:
    """An archive would have it under nobody."""
    header = read_header(miscoded(None))
    said = stated(answer, classifier.labels)
    made = dcmread(io.BytesIO(report(bare(header), "content", said, AUTHOR, book)))
    assert made.get_item("PatientID").value == header.came["PatientID"]
    assert made.get_item("PatientName").value == header.came["PatientName"]
    assert "SpecificCharacterSet" not in made
    assert made.PatientSex == ""


def test_forms_are_kept_for_the_next_start(
    book: FormBook, classifier: Classifier, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said, header = stated(answer, classifier.labels), read_header(dicom())
    first = report(header, "content", said, AUTHOR, book)
    monkeypatch.setattr(
        "edge_app.clinic.report_forms._made", lambda kinds: pytest.fail("made again")
    )
    again = report(header, "content", said, AUTHOR, FormBook(book.folder))
    assert len(first) == len(again)
