"""A heatmap as a Secondary Capture image in the patient's own study, a series of its own.

Modules of the Secondary Capture Image IOD (DICOM PS3.3 A.8.1), with pixels in RGB.
"""

from __future__ import annotations

import hashlib
from io import SEEK_END, BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_app.clinic.header import instance_of
from edge_app.clinic.identifiers import (
    HEATMAPS,
    MANUFACTURER,
    SECONDARY_CAPTURE,
    heatmap_uid,
    heatmaps_uid,
)
from edge_app.clinic.report_forms import encoded_element
from edge_app.clinic.report_frame import PREAMBLE
from edge_app.clinic.structured_report import Author, date_and_describe
from edge_app.core.about import __version__
from edge_app.heatmap.draw import draw
from edge_app.heatmap.maps import EvidenceScale
from edge_app.pipeline.words import under_maps

if TYPE_CHECKING:
    from pydicom import Dataset

    from edge_app.classifier import Classifier, Findings
    from edge_app.clinic.header import Header
    from edge_app.images.radiograph import Radiograph

EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
SERIES_NUMBER: Final = 9702


def capture(
    header: Header,
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

    model, image = classifier.model, instance_of(header)
    document = Dataset()
    date_and_describe(document, header)
    _put_pixels(document, seen, findings, classifier)
    document.SOPClassUID = SECONDARY_CAPTURE
    document.SOPInstanceUID = heatmap_uid(
        *(author.salt, "heatmap", *image, content, model.sha256, model.digest or ""),
        *(classifier.site.digest if classifier.site else "", classifier.points.name),
        hashlib.sha256(document.PixelData).hexdigest(),
    )
    document.SeriesInstanceUID = heatmaps_uid(author.salt, image.study, model.sha256)
    document.Modality, document.ConversionType = "OT", "WSD"
    document.BodyPartExamined = "CHEST"
    document.SeriesNumber, document.InstanceNumber = SERIES_NUMBER, 1
    document.SeriesDescription = HEATMAPS
    document.Manufacturer, document.ManufacturerModelName = MANUFACTURER, model.name[:64]
    document.SoftwareVersions = __version__
    document.ImageType = ["DERIVED", "SECONDARY"]
    document.DerivationDescription = "What a network looked at; no diagnosis"
    document.PatientOrientation = ""
    document.BurnedInAnnotation = "NO"  # the legend names findings, and nobody
    document.SourceImageSequence = [Dataset()]
    document.SourceImageSequence[0].ReferencedSOPClassUID = image.sop_class
    document.SourceImageSequence[0].ReferencedSOPInstanceUID = image.sop_instance
    return _as_file(document)


def _as_file(document: Dataset) -> bytes:
    """A file of ASCII texts and undecoded elements, which pydicom itself would encode anew."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filewriter import write_file_meta_info

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = document.SOPClassUID
    meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    meta.TransferSyntaxUID = EXPLICIT_LITTLE_ENDIAN
    file = BytesIO(PREAMBLE)
    file.seek(0, SEEK_END)
    write_file_meta_info(file, meta)
    file.writelines(map(encoded_element, document.elements()))
    return file.getvalue()


def _put_pixels(
    document: Dataset, seen: Radiograph, findings: Findings, classifier: Classifier
) -> None:
    height, width = seen.pixels.shape
    scale = EvidenceScale(classifier.model.manifest)
    drawn = draw(
        seen.pixels, findings, scale, under_maps(classifier), classifier.spec.seen(width, height)
    )
    pixels = np.asarray(drawn.image.convert("RGB"))
    document.Rows, document.Columns = pixels.shape[:2]
    document.SamplesPerPixel, document.PlanarConfiguration = 3, 0
    document.PhotometricInterpretation = "RGB"
    document.BitsAllocated = document.BitsStored = 8
    document.HighBit, document.PixelRepresentation = 7, 0
    data = pixels.tobytes()
    document.PixelData = data + b"\0" * (len(data) % 2)
    document["PixelData"].VR = "OB"
