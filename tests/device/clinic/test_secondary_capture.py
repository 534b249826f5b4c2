"""A heatmap is the same instance whenever made by the same decisions, and another one by others."""

from __future__ import annotations

import io
from pathlib import Path
from uuid import uuid4

import pytest

pytest.importorskip("pydicom", reason="the clinic extra is not installed")

from pydicom import dcmread

from edge_app.classifier import Classifier
from edge_app.clinic.header import UID_FORM, content_digest, read_header
from edge_app.clinic.identifiers import derived_uid, heatmap_uid, is_derived, is_of_heatmap
from edge_app.clinic.secondary_capture import capture
from edge_app.clinic.structured_report import Author
from edge_app.images.radiograph import Limits
from edge_app.images.read import decode
from edge_app.model.model_file import read
from edge_app.model.site import read as read_site

from ..site.made import site_file
from .images import dicom, miscoded, phantom


def uid(classifier: Classifier, shown: bytes = b"") -> str:
    """Of the heatmap of an image, drawn over it or over another picture."""
    data = dicom()
    seen = decode(shown or data, Limits())
    made = capture(
        *(read_header(data), content_digest(data), seen, classifier.classify(seen)),
        *(classifier, Author(b"salt", "EDGECXR")),
    )
    return str(dcmread(io.BytesIO(made)).SOPInstanceUID)


def test_one_that_is_drawn_otherwise_is_another_instance(cnn28: Path) -> None:
    """As after an upgrade: an archive keeps the first one that it has of an instance."""
    classifier = Classifier(read(cnn28))
    other = dicom(pixels=phantom() ^ 1)
    assert uid(classifier, other) != uid(classifier) == uid(classifier)


def test_it_is_another_instance_where_the_model_file_or_the_site_file_is_another(
    cnn28: Path, tmp_path: Path
) -> None:
    model = read(cnn28)
    first = uid(Classifier(model))
    assert uid(Classifier(model)) == first
    other_thresholds = model._replace(digest="0" * 64)
    place = site_file(tmp_path)
    here = Classifier(model, site=read_site(place))
    others = {uid(Classifier(other_thresholds)), uid(here)}
    assert len({first, *others}) == 3
    # Of the same name of operating point, too: sites all call theirs the same.
    elsewhere = Classifier(model, site=read_site(place))
    assert elsewhere.site is not None
    elsewhere.site.content["digest"] = "1" * 64
    assert uid(elsewhere) != uid(here)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("declared", ["ISO_IR 192", "NO SUCH SET", None])
def test_the_patient_is_whom_the_archive_takes_the_image_for(
    cnn28: Path, declared: str | None
) -> None:
    """Whatever character set the texts are in, and whichever is declared."""
    data = miscoded(declared)
    seen, classifier = decode(data, Limits()), Classifier(read(cnn28))
    made = capture(
        *(read_header(data), content_digest(data), seen, classifier.classify(seen)),
        *(classifier, Author(b"salt", "EDGECXR")),
    )
    heatmap, image = dcmread(io.BytesIO(made)), dcmread(io.BytesIO(data))
    assert heatmap.get("SpecificCharacterSet") == declared
    for keyword in ("PatientName", "PatientID", "StudyID", "AccessionNumber"):
        assert heatmap.get_item(keyword).value == image.get_item(keyword).value
    assert (heatmap.PatientName, heatmap.PatientID) == (image.PatientName, image.PatientID)
    assert heatmap.pixel_array.shape == (heatmap.Rows, heatmap.Columns, 3)


def test_a_heatmap_is_told_by_its_uid_and_nothing_else_is() -> None:
    """Whichever box made it: the archive sends its heatmaps to another one as well."""
    for number in range(100):
        own = heatmap_uid(bytes([number]), "heatmap", "1.2.3")
        assert is_of_heatmap(own)
        assert is_derived(own)
        assert UID_FORM.fullmatch(own)
        last = own[:-1] + f"{(int(own[-1]) + 1) % 10}"
        of_report, random = derived_uid(bytes([number]), "report"), f"2.25.{uuid4().int}"
        for other in (last, of_report, random, f"2.25.0{own[5:]}", own.replace("2.25", "1.2")):
            assert not is_of_heatmap(other)
        assert is_derived(of_report)
        assert not is_derived(random)
    for other in ("2.25.", "2.25.1", "2.25.1.2", "2.25", "", f"2.25.{1 << 140}"):
        assert not is_of_heatmap(other)
