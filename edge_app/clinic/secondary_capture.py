"""A heatmap as a Secondary Capture image in the patient's own study, a series of its own.

Modules of the Secondary Capture Image IOD (DICOM PS3.3 A.8.1), with pixels in RGB.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_app.clinic.header import instance_of
from edge_app.clinic.identifiers import derived_uid, heatmaps_uid
from edge_app.clinic.structured_report import Author, date_and_describe
from edge_app.core.about import __version__
from edge_app.heatmap.draw import draw
from edge_app.heatmap.maps import EvidenceScale
from edge_app.model.usual import referred_to

if TYPE_CHECKING:
    from pydicom import Dataset

    from edge_app.classifier import Classifier, Findings
    from edge_app.images.radiograph import Radiograph

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
SERIES_NUMBER: Final = 9702
SERIES_DESCRIPTION: Final = "edge-cxr heatmaps (research, no diagnosis)"


def capture(
    header: Dataset,
    content: str,
    seen: Radiograph,
    findings: Findings,
    classifier: Classifier,
    author: Author,
) -> bytes:
    """A DICOM file with the picture that `classify --heatmap` draws.

    Args:
        header, content: of the image, see `read_header` and `content_digest`.
        seen: the image with its picture.
        findings: its answer, with a map.
        classifier: whose answer it is.
        author: who reports.
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    model, image = classifier.model, instance_of(header)
    document = Dataset()
    date_and_describe(document, header)
    _put_pixels(document, seen, findings, classifier)
    document.SOPClassUID = SECONDARY_CAPTURE
    document.SOPInstanceUID = derived_uid(
        *(author.salt, "heatmap", *image, content, model.sha256, model.digest or ""),
        *(classifier.site.digest if classifier.site else "", classifier.points.name),
        hashlib.sha256(document.PixelData).hexdigest(),
    )
    document.SeriesInstanceUID = heatmaps_uid(author.salt, image.study, model.sha256)
    document.Modality, document.ConversionType = "OT", "WSD"
    document.BodyPartExamined = "CHEST"
    document.SeriesNumber, document.InstanceNumber = SERIES_NUMBER, 1
    document.SeriesDescription = SERIES_DESCRIPTION
    document.Manufacturer, document.ManufacturerModelName = "edge-cxr", model.name[:64]
    document.SoftwareVersions = __version__
    document.ImageType = ["DERIVED", "SECONDARY"]
    document.DerivationDescription = "What a network looked at; no diagnosis"
    document.PatientOrientation = ""
    document.BurnedInAnnotation = "NO"  # the legend names findings, and nobody
    document.SourceImageSequence = [Dataset()]
    document.SourceImageSequence[0].ReferencedSOPClassUID = image.sop_class
    document.SourceImageSequence[0].ReferencedSOPInstanceUID = image.sop_instance
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = EXPLICIT_LITTLE_ENDIAN
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _put_pixels(
    document: Dataset, seen: Radiograph, findings: Findings, classifier: Classifier
) -> None:
    height, width = seen.pixels.shape
    by = [
        *referred_to(classifier.model.manifest, classifier.site),
        f"{classifier.model.name}, operating point '{classifier.points.name}'",
    ]
    scale = EvidenceScale(classifier.model.manifest)
    drawn = draw(seen.pixels, findings, scale, by, classifier.spec.seen(width, height))
    pixels = np.asarray(drawn.image.convert("RGB"))
    document.Rows, document.Columns = pixels.shape[:2]
    document.SamplesPerPixel, document.PlanarConfiguration = 3, 0
    document.PhotometricInterpretation = "RGB"
    document.BitsAllocated = document.BitsStored = 8
    document.HighBit, document.PixelRepresentation = 7, 0
    data = pixels.tobytes()
    document.PixelData = data + b"\0" * (len(data) % 2)
    document["PixelData"].VR = "OB"
