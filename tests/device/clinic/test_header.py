"""A header tells whose image it is, or in one line why it cannot; whatever bytes come."""

from __future__ import annotations

import hashlib
import io
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pydicom", reason="the clinic extra is not installed")

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword

from edge_app.clinic import header as headers
from edge_app.clinic.header import (
    IDENTIFIERS,
    HeaderError,
    about,
    content_digest,
    content_digest_of,
    instance_of,
    read_header,
    sop_instance,
)

from .images import CR, EXPLICIT, PATIENT, dicom

FILE = dicom()


def data_set(file: bytes) -> bytes:
    return file[144 + int.from_bytes(file[140:144], "little") :]


def test_it_tells_who_and_which_study() -> None:
    header = read_header(FILE)
    assert instance_of(header) == (
        *(CR, "1.2.276.0.9701.1.1.1"),
        *("1.2.276.0.9701.1", "1.2.276.0.9701.1.1"),
    )
    assert header.came["SpecificCharacterSet"] == b"ISO_IR 100"
    for keyword, value in PATIENT.items():
        if keyword not in ("SpecificCharacterSet", "Modality"):
            assert header.values[keyword].value == value


def test_the_digest_is_that_of_the_data_set_whoever_wrote_the_file() -> None:
    rewritten = dcmread(io.BytesIO(FILE))
    rewritten.file_meta.ImplementationVersionName = "ANOTHER"
    file = io.BytesIO()
    rewritten.save_as(file)
    assert file.getvalue() != FILE
    assert content_digest(file.getvalue()) == content_digest(FILE)
    assert content_digest(FILE) == hashlib.sha256(data_set(FILE)).hexdigest()
    assert content_digest(dicom(2)) != content_digest(FILE)


@pytest.mark.parametrize(
    ("elements", "line"),
    [
        ({}, "Müller, Jürgen · P-4711 · 1950-12-31 · 2024-01-02"),
        (
            {"PatientName": "Yamada^Tarou=山田^太郎", "PatientID": ""},
            "Yamada, Tarou · 1950-12-31 · 2024-01-02",
        ),
        ({"PatientName": "=山田^太郎", "PatientBirthDate": ""}, "山田, 太郎 · P-4711 · 2024-01-02"),
        ({"PatientName": None, "PatientID": None, "PatientBirthDate": "x", "StudyDate": ""}, ""),
    ],
)
def test_it_tells_people_whose_it_is(elements: dict[str, str | None], line: str) -> None:
    named = {"SpecificCharacterSet": "ISO_IR 192", **elements}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert about(read_header(dicom(**named))) == line


def test_blanks_within_a_number_stay_as_they_are() -> None:
    header = read_header(dicom(PatientID="A  1"))
    assert header.came["PatientID"] == b"A  1"  # and not another patient's
    assert "· A 1 ·" in about(header)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_backslash_in_a_number_stays_as_it_is_in_the_file() -> None:
    """The archive knows the patient by these very bytes."""
    header = read_header(dicom(PatientID="A\\B", PatientName="Doe^J\\Roe^K", StudyID="\\"))
    assert header.came["PatientID"] == b"A\\B "
    assert header.came["PatientName"] == b"Doe^J\\Roe^K "
    assert header.values.StudyID == ""
    assert "· A\\B ·" in about(header)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_what_claims_to_be_a_number_is_given_back_as_text() -> None:
    """Its bytes would be another text."""
    element = b"\x10\0\x20\0LO\x06\0P-4711"
    assert FILE.count(element) == 1
    header = read_header(FILE.replace(element, b"\x10\0\x20\0US\x02\0\x67\x12"))
    assert "PatientID" not in header.came
    assert header.values.PatientID == "4711"


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize(
    ("keyword", "kind", "text"),
    [("PatientAge", b"AS", "4\u5e74"), ("StudyDate", b"DA", "\uff12\uff10240102")],
)
def test_letters_in_an_element_that_has_none_are_left_out(
    keyword: str, kind: bytes, text: str
) -> None:
    """No report could be made with them, but one of nobody."""
    data = dicom(SpecificCharacterSet="ISO_IR 192", PatientAge="045Y", PatientName="Doe")
    tag = int(tag_for_keyword(keyword) or 0)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    before, after = data.split(head + kind)
    value = text.encode() + b" " * (len(text.encode()) % 2)
    rest = after[2 + int.from_bytes(after[:2], "little") :]
    length = len(value).to_bytes(2, "little")
    header = read_header(before + head + b"LO" + length + value + rest)
    assert not header.values.get(keyword)
    assert header.values.PatientID == "P-4711"


def test_a_data_set_alone_is_read_in_its_transfer_syntax() -> None:
    assert read_header(data_set(FILE), EXPLICIT).values.PatientID == "P-4711"


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("keyword", IDENTIFIERS)
@pytest.mark.parametrize("value", [None, "", "abc", "1.2.", "1." * 40 + "1", "1.02.3"])
def test_without_an_identifier_there_is_no_place_for_a_result(
    keyword: str, value: str | None
) -> None:
    dataset = dcmread(io.BytesIO(FILE))
    if value is None:
        del dataset[keyword]
    else:
        dataset[keyword].value = value
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=False)
    with pytest.raises(HeaderError, match=keyword):
        read_header(file.getvalue())


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("other", [b"1.2.276.0.9701.1", b"1.2.276.0.9701.2"])
def test_one_that_names_two_studies_is_of_none(other: bytes) -> None:
    """An archive may take the first of them, and another one the last."""
    whole = data_set(FILE)
    element = b"\x20\0\x0d\0UI\x10\0" + b"1.2.276.0.9701.1"
    assert whole.count(element) == 1
    twice = whole.replace(element, element + element[:8] + other)
    with pytest.raises(HeaderError, match=r"it has two elements \(0020,000[dD]\)"):
        read_header(twice, EXPLICIT)


def test_an_instance_is_known_whatever_else_its_header_lacks() -> None:
    uid = "1.2.276.0.9701.1.1.1"
    for lacking in ("StudyInstanceUID", "SeriesInstanceUID"):
        assert sop_instance(dicom(**{lacking: None})) == uid
    assert sop_instance(FILE.replace(b"P-4711", b"P-\xff\xfe11")) == uid
    for wrong in ("1.02.3", "abc", "", ["1.2.3", "1.2.4"]):
        dataset = dcmread(io.BytesIO(FILE))
        dataset.SOPInstanceUID = wrong
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=False)
        assert sop_instance(file.getvalue()) is None
    for damaged in (b"", FILE[132:], FILE[:132], FILE[:140] + b"\xff" * 4000):
        assert sop_instance(damaged) is None


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.1.99", "1.2.3", "", "1.2.840.10008.5.1.4.1.1.1"]
)
def test_other_transfer_syntaxes_are_named(syntax: str) -> None:
    with pytest.raises(HeaderError, match="transfer syntax"):
        read_header(data_set(FILE), syntax)


def test_a_header_of_too_many_elements_is_given_up() -> None:
    with pytest.raises(HeaderError, match="elements"):
        read_header(b"\x09\x00\x10\x10LO\0\0" * 60_000 + data_set(FILE), EXPLICIT)


def test_a_file_is_read_where_its_data_set_alone_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what the node has accepted could have no report."""
    for most in range(1, 200):
        monkeypatch.setattr(headers, "MAX_READS", most)
        with suppress(HeaderError):
            read_header(data_set(FILE), EXPLICIT)
            break
    assert 20 < most < 199
    assert read_header(FILE).values.PatientID == "P-4711"


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@settings(max_examples=300)
@given(st.data())
def test_whatever_bytes_come_it_is_a_header_or_one_line(draw: st.DataObject) -> None:
    data = bytearray(FILE[:2000])
    for _ in range(draw.draw(st.integers(1, 12))):
        data[draw.draw(st.integers(132, len(data) - 1))] = draw.draw(st.integers(0, 255))
    with suppress(HeaderError):
        header = read_header(bytes(data[: draw.draw(st.integers(0, len(data)))]))
        assert all(instance_of(header))


def test_a_file_is_digested_in_pieces_as_it_is_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(FILE)
    for size in (1 << 10, 1 << 20):
        monkeypatch.setattr(headers, "PIECE", size)
        assert content_digest_of(path) == content_digest(FILE)
    path.write_bytes(b"no DICOM file")
    with pytest.raises(HeaderError, match="is no DICOM file"):
        content_digest_of(path)


@given(size=st.integers(1, 700))
def test_of_a_data_set_in_pieces_it_is_the_same(size: int) -> None:
    data = data_set(FILE)
    pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
    assert read_header(pieces, EXPLICIT) == read_header(data, EXPLICIT)
    assert sum(map(len, pieces)) > len(data) / 2, "of the pixels nothing is read"
