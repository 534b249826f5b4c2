"""An answer → the documents that its receivers get: which ones depends on how the image came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_app.clinic.forms import FormBook
from edge_app.clinic.header import HeaderError, bare, content_digest, header_of
from edge_app.clinic.settings import NODE, PAGE, WATCH, Settings
from edge_app.clinic.spool import Document, Image
from edge_app.clinic.statements import JUDGED, stated
from edge_app.clinic.store import Store
from edge_app.clinic.structured_report import Author, report
from edge_app.core.errors import EdgeCxrError
from edge_app.core.files import read_bounded

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

BARE: Final = "The patient's data could not be copied from the image: its header is damaged"


def report_name(number: int) -> str:
    """What an image's report is called in the folder of results."""
    return f"{number}-sr.dcm"


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
        self.max_bytes = max(
            settings.node.max_bytes if settings.node else settings.limits.max_bytes,
            settings.page.max_bytes if settings.page else 0,
        )
        self.reports = {
            NODE: settings.node.receivers if settings.node else (),
            PAGE: settings.page.receivers if settings.page else (),
        }
        drawn = [each.name for each in settings.receivers if each.heatmap]
        self.heatmaps = {
            entrance: tuple(name for name in names if name in drawn)
            for entrance, names in self.reports.items()
        }

    def documents(self, image: Image, answer: Mapping[str, Any]) -> list[Document]:
        """What is made of an answer, or of a refusal.

        Args:
            image: that was answered.
            answer: as the pipeline gives it.
        """
        if image.entrance == WATCH:
            text = json.dumps(answer, indent=2, ensure_ascii=False) + "\n"
            return [Document(f"{image.id}.json", text.encode("utf-8"), (WATCH,))]
        receivers = self.reports[image.entrance]
        if not receivers:
            return []
        if "error" in answer and not image.path.exists():  # its study went with its file
            return []
        try:
            made = self.report(image.path, answer, image.differs, _content(image))
        except HeaderError:
            if image.entrance == NODE:  # which accepts none of these
                raise
            return []  # an uploaded picture belongs to no study
        return [Document(report_name(image.id), made, receivers)]

    def report(
        self, path: Path, answer: Mapping[str, Any], differs: bool, content: str | None = None
    ) -> bytes:
        """An answer as a DICOM structured report.

        Args:
            path: of the image, whose header tells the study.
            differs: another image of the same identity has other bytes.
            content: see `content_digest`; worked out if None.

        Raises:
            HeaderError: the image is no DICOM file, or has no identifiers.
            EdgeCxrError: the report's forms cannot be made.
            OSError, UnreadableError: the image cannot be read.
        """
        header = header_of(path)
        content = content or self._content_in(path)
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
        seen: Radiograph,
        classifier: Classifier,
        findings: Findings,
    ) -> list[Document]:
        """The heatmap as a Secondary Capture, for who wants it; none where there is no map."""
        receivers = self.heatmaps.get(image.entrance, ())
        if not receivers or findings.map is None:
            return []
        if stated(answer, self.labels).verdict != JUDGED:
            return []
        from edge_app.clinic.secondary_capture import capture

        try:
            header = header_of(image.path)
        except HeaderError:
            if image.entrance == NODE:
                raise
            return []
        content = _content(image) or self._content_in(image.path)
        made = capture(header, content, seen, findings, classifier, self.author)
        return [Document(f"{image.id}-heatmap.dcm", made, receivers)]

    def _content_in(self, path: Path) -> str:
        return content_digest(read_bounded(path, self.max_bytes + (1 << 20)))


def _content(image: Image) -> str | None:
    """See `content_digest`; None where it is not known: others than the node take whole files."""
    return image.sha256 if image.entrance == NODE else None
