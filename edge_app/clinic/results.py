"""An answer → the documents that its receivers get: which ones depends on how the image came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.clinic.header import Header, bare, content_digest, instance_of, read_header
from edge_app.clinic.identifiers import (
    HEATMAPS,
    MANUFACTURER,
    SECONDARY_CAPTURE,
    is_derived,
    is_of_heatmap,
)
from edge_app.clinic.report_forms import FormBook
from edge_app.clinic.settings import NODE, PAGE, WATCH, Settings
from edge_app.clinic.spool import Document, Image
from edge_app.clinic.statements import JUDGED, stated
from edge_app.clinic.store import Store
from edge_app.clinic.structured_report import Author, report
from edge_app.core.errors import EdgeCxrError
from edge_app.core.pieces import Pieces, whole

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Findings
    from edge_app.images.radiograph import Radiograph
    from edge_app.model.labels import Labels

FORMS: Final = "forms"
"""The folder of what all reports of a kind have in common, in the spool's."""

DIFFERS: Final = (
    "The image has the SOP Instance UID of another one with other bytes (another picture, or the "
    "same one in another encoding): this report is of one of the two, and the archive can hold "
    "only one of them"
)

DIFFERS_HERE: Final = (
    "has the SOP Instance UID of another image with other bytes (another picture, or the same one "
    "in another encoding): this answer is of one of the two"
)
"""The same, for an answer as JSON."""

BARE: Final = "Some of the patient's data could not be copied from the image: its header is damaged"


HEATMAP: Final = "-heatmap.dcm"
"""How the names of heatmaps end in the folder of results."""


def report_name(number: int) -> str:
    """What an image's report is called in the folder of results."""
    return f"{number}-sr.dcm"


def as_json(answer: Mapping[str, Any], differs: bool) -> str:
    """An answer as the text that people and programs get.

    Args:
        differs: another image of the same identity has other bytes.
    """
    if differs and "error" not in answer:
        answer = {**answer, "warnings": [*answer["warnings"], DIFFERS_HERE]}
    return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


def is_heatmap(header: Header) -> bool:
    """Whether an image is a heatmap of this box or one like it, of whichever model.

    An archive may send it with all of a study. A report of it would lie beside that of the
    radiograph, in the radiograph's own study, and its own heatmap would come back in turn.

    Its UIDs say so. Where they do not, since an older box made it, or something on its way gave it
    others, two of three do: the manufacturer, what its series is called, and the form of its UIDs.
    One alone is not enough: archives replace any, and people relabel.
    """
    sop_class, sop_instance, _, series = instance_of(header)
    if sop_class != SECONDARY_CAPTURE:
        return False
    if is_of_heatmap(sop_instance) or is_of_heatmap(series):
        return True
    signs = (
        header.values.get("Manufacturer") == MANUFACTURER,
        header.values.get("SeriesDescription") == HEATMAPS,
        is_derived(sop_instance) and is_derived(series),
    )
    return sum(signs) > 1


class Provenance(NamedTuple):
    """What ties a result to the image that it is of, from the bytes that were answered.

    Attributes:
        header: see `read_header`.
        content: see `content_digest`.
    """

    header: Header
    content: str


def provenance(data: bytes | Pieces, entrance: str, sha256: str) -> Provenance:
    """The same of an accepted image.

    Args:
        data: its file.
        entrance, sha256: of its row.

    Raises:
        HeaderError: it is no DICOM file, or has no identifiers.
    """
    header = read_header(data)
    return Provenance(header, sha256 if entrance == NODE else content_digest(whole(data)))


class Results:
    """Makes the documents of an answer.

    Args:
        settings: who gets what.
        store: whose salt and forms are used.
        labels: of the model that answers.
    """

    def __init__(self, settings: Settings, store: Store, labels: Labels) -> None:
        title = settings.node.ae_title if settings.node else "EDGECXR"
        self.author, self.labels = Author(store.salt, title), labels
        self.book = FormBook(store.folder / FORMS)
        everybody = tuple(each.name for each in settings.receivers)
        self.reports = {
            # Without [node] images may wait that it has accepted.
            NODE: settings.node.receivers if settings.node else everybody,
            PAGE: settings.page.receivers if settings.page else (),
        }
        drawn = [each.name for each in settings.receivers if each.heatmap]
        self.heatmaps = {
            entrance: tuple(name for name in names if name in drawn)
            for entrance, names in self.reports.items()
        }

    def provenance(self, image: Image, data: bytes | Pieces) -> Provenance | None:
        """See `provenance`; None where nothing is made that needs it, nor of what is made here.

        Raises:
            HeaderError: see there.
        """
        if not self.reports.get(image.entrance):
            return None
        made = provenance(data, image.entrance, image.sha256)
        return None if is_heatmap(made.header) else made

    def documents(
        self, image: Image, answer: Mapping[str, Any], whose: Provenance | None
    ) -> list[Document]:
        """What is made of an answer, or of a refusal.

        Args:
            image: that was answered.
            answer: as the pipeline gives it.
            whose: without it no report is made.
        """
        if image.entrance == WATCH:
            text = as_json(answer, image.differs)
            return [Document(f"{image.id}.json", text.encode("utf-8"), (WATCH,))]
        receivers = self.reports[image.entrance]
        if not receivers or whose is None:
            return []
        made = self.report(whose, answer, image.differs)
        return [Document(report_name(image.id), made, receivers)]

    def report(self, whose: Provenance, answer: Mapping[str, Any], differs: bool) -> bytes:
        """An answer as a DICOM structured report.

        Args:
            whose: see `provenance`.
            answer: as the pipeline gives it.
            differs: another image of the same identity has other bytes.

        Raises:
            EdgeCxrError: the report's forms cannot be made.
        """
        header, content = whose
        said = stated(answer, self.labels)
        remark = DIFFERS if differs else None
        try:
            return report(header, content, said, self.author, self.book, remark)
        except EdgeCxrError:
            raise
        except Exception:  # a value that pydicom cannot write, say
            return report(bare(header), content, said, self.author, self.book, BARE)

    def heatmap(
        self,
        image: Image,
        answer: Mapping[str, Any],
        whose: Provenance | None,
        seen: Radiograph,
        classifier: Classifier,
        findings: Findings,
    ) -> list[Document]:
        """The heatmap as a Secondary Capture, for who wants it; none where there is no map."""
        receivers = self.heatmaps.get(image.entrance, ())
        if not receivers or findings.map is None or whose is None:
            return []
        if stated(answer, self.labels).verdict != JUDGED:
            return []
        from edge_app.clinic.secondary_capture import capture

        made = capture(*whose, seen, findings, classifier, self.author)
        return [Document(f"{image.id}{HEATMAP}", made, receivers)]
