"""A heatmap as a Secondary Capture image in the patient's own study, a series of its own."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_app.clinic.header import instance_of
from edge_app.clinic.identifiers import derived_uid
from edge_app.clinic.structured_report import MANUFACTURER, Author, character_set, moment
from edge_app.core.about import __version__
from edge_app.heatmap.draw import draw

if TYPE_CHECKING:
    from pydicom import Dataset

    from edge_app.classifier import Classifier, Findings
    from edge_app.images.radiograph import Radiograph

SERIES_NUMBER: Final = 9702
SERIES_DESCRIPTION: Final = "edge-cxr heatmaps (research, no diagnosis)"


def capture(
    header: Dataset, seen: Radiograph, findings: Findings, classifier: Classifier, author: Author
) -> bytes:
    """A DICOM file with the picture that `classify --heatmap` writes.

    Args:
        header: of the image, see `read_header`.
        seen: the image with its picture.
        findings: its answer, with a map.
        classifier: whose answer it is.
        author: who reports.
    """
    from highdicom.sc import SCImage

    model = classifier.model
    height, width = seen.pixels.shape
    by = f"{model.name}, operating point '{classifier.operating_point}'"
    drawn = draw(seen.pixels, findings, by, classifier.spec.seen(width, height))
    image, made = instance_of(header), moment(header)
    parts = (*image, model.sha256, classifier.operating_point)
    document = SCImage(
        pixel_array=np.asarray(drawn.image.convert("RGB")),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=image.study,
        series_instance_uid=derived_uid(author.salt, "heatmaps", image.study, model.sha256),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derived_uid(author.salt, "heatmap", *parts),
        instance_number=1,
        manufacturer=MANUFACTURER,
        patient_id=str(header.PatientID),
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate or None,
        patient_sex=header.PatientSex or None,
        accession_number=str(header.AccessionNumber),
        study_id=str(header.StudyID),
        study_date=header.StudyDate or None,
        study_time=header.StudyTime or None,
        referring_physician_name=header.ReferringPhysicianName,
        patient_orientation=("L", "F"),
        anatomical_orientation_type="BIPED",
        specific_character_set=character_set(header),
        series_description=SERIES_DESCRIPTION,
        manufacturer_model_name=model.name[:64],
        software_versions=__version__,
        content_date=made.date(),
        content_time=made.time(),
    )
    document.InstanceCreationDate = made.strftime("%Y%m%d")
    document.InstanceCreationTime = made.strftime("%H%M%S")
    document.DerivationDescription = "Where the findings of a network are seen; no diagnosis"
    document.ImageType = ["DERIVED", "SECONDARY"]
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()
