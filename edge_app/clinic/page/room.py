"""The reading room: all that the page's handlers look at and act on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.events import Events
from edge_app.clinic.header import HeaderError, read_header
from edge_app.clinic.image_file import read_kept
from edge_app.clinic.page import study
from edge_app.clinic.page.accounts import Accounts
from edge_app.clinic.page.drawing import Drawing
from edge_app.clinic.page.readings import Readings
from edge_app.clinic.page.sessions import Sessions
from edge_app.clinic.page.texts import Texts
from edge_app.clinic.page.tries import Tries
from edge_app.clinic.page.upload import File
from edge_app.clinic.page.worklist import Worklist
from edge_app.clinic.settings import PAGE, Page, Settings
from edge_app.clinic.spool import Offered, Receipt, Spool
from edge_app.clinic.strays import HEADER_BYTES, identified
from edge_app.core.errors import ImageError
from edge_app.core.plain_text import plain
from edge_app.model.cautions import Cautions
from edge_app.model.usual import normal_images, referred_to
from edge_app.pipeline.words import promises, seen_at

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.clinic.page.overlay import Overlays
    from edge_app.clinic.results import Results

UPLOADS: Final = 8
"""Uploads at the same time."""

LONGEST_NAME: Final = 120


class ModelFacts(NamedTuple):
    """Of the model that answers now.

    Attributes:
        site: digest of the site file that decides; None without one.
        worth: what its operating point is worth, in lines.
        cautions, normal_images: of its verdicts; see `Overall`.
        refers: which images "usually" and "normal images" are of, in lines.
        seen: how little of a picture its network gets, in a line.
        runtime: what computes, and why.
    """

    name: str
    dtype: str
    sha256: str
    digest: str | None
    site: str | None
    operating_point: str
    worth: list[str]
    cautions: Cautions
    normal_images: str
    refers: list[str]
    seen: str
    runtime: str

    def gave(self, said: study.Study) -> bool:
        """Whether an answer is this model's, its calibration and thresholds included."""
        ours = (self.sha256, self.digest, self.site)
        return (said.model_sha256, said.model_digest, said.site) == ours

    def decided(self, said: study.Study) -> bool:
        """Whether it is this model's at the operating point that is in use, too."""
        return self.gave(said) and said.operating_point == self.operating_point

    def study_of(self, answer: Mapping[str, Any]) -> study.Study:
        """What an answer says, and what it is worth where this model gave it at this point."""
        said = study.study_of(answer)
        if self.decided(said):
            return study.study_of(answer, self.cautions, self.normal_images)
        return said


class ReadingRoom:
    """See the module.

    Args:
        settings: of the box.
        page: of the page.
        spool, deliveries, events, results: of the box.
        classifier: of the model that answers.
        ill: says what does not work; None where all does.
    """

    def __init__(
        self,
        settings: Settings,
        page: Page,
        spool: Spool,
        deliveries: Deliveries,
        events: Events,
        results: Results,
        classifier: Classifier,
        ill: Callable[[], str | None],
    ) -> None:
        self.settings, self.page, self.ill = settings, page, ill
        self.spool, self.store, self.deliveries = spool, spool.store, deliveries
        self.events, self.results = events, results
        self.texts = Texts(page.language)
        self.worklist = Worklist(self.store)
        self.sessions = Sessions(self.store.salt, page.session)
        self.accounts = Accounts(page.listener.users) if page.listener.users else None
        self.tries = Tries()
        say = lambda why: events.tell("isolation-incomplete", why=why)  # noqa: E731
        self.drawing = Drawing(settings.limits, say)
        self.labels = classifier.labels
        self.readings = Readings(self.store, self.labels, page.collect, self.kept)
        self.uploads = threading.BoundedSemaphore(UPLOADS)
        self.began = time.time()
        self.model = _facts(classifier)
        self.overlays = _overlays(classifier)

    def close(self) -> None:
        """Let go of the database, and of what draws."""
        self.drawing.close()
        self.worklist.close()

    def accept(self, file: File, reader: str, host: str) -> Receipt:
        """Have an uploaded file in the spool.

        Raises:
            SpoolFullError: there is no room for it now.
            SpoolError: the disk or the database fails.
        """
        identity, whose = self._identified(file)
        sender = f"{reader}@{host}" if reader else host
        offered = Offered(PAGE, identity, file.sha256, file.path, sender, whose)
        receipt = self.spool.accept(offered)
        self.events.audit(
            "received",
            image=self.events.digest(identity),
            number=receipt.id,
            verdict=receipt.verdict,
            peer=reader or PAGE,
            host=host,
            bytes=file.size,
        )
        return receipt

    def _identified(self, file: File) -> tuple[str, str]:
        """What makes a file this image, and what people call it."""
        with file.path.open("rb") as opened:
            identity, whose = identified(opened.read(HEADER_BYTES), file.sha256)
        return identity, whose or plain(file.name)[:LONGEST_NAME]

    def kept(self, image: Any) -> bytes:
        """An image's file, by its row.

        Raises:
            ImageError, SpoolError: see `read_kept`.
        """
        path = self.store.images / image["file"]
        return read_kept(path, image["entrance"], image["sha256"], self.settings.limits)

    def patient(self, image: Any) -> str:
        """A digest that is the same for all images of a patient; of the image's own where unknown.

        Of a DICOM image it is that of the patient's ID and birth date, else of its bytes.
        """
        try:
            values = read_header(self.kept(image)).values
            number = str(values.get("PatientID") or "").strip()
            if number:
                return self.events.digest(f"{number}\0{values.get('PatientBirthDate') or ''}")
        except (HeaderError, ImageError):
            pass
        return self.events.digest(image["sha256"])


def _facts(classifier: Classifier) -> ModelFacts:
    model, session = classifier.model, classifier.session.as_dict()
    return ModelFacts(
        name=model.name,
        dtype=model.precision,
        sha256=model.sha256,
        digest=model.digest,
        site=classifier.site.digest if classifier.site else None,
        operating_point=classifier.points.name,
        worth=list(promises(classifier)),
        cautions=classifier.cautions,
        normal_images=normal_images(model.manifest),
        refers=list(referred_to(model.manifest, classifier.site)),
        seen=seen_at(classifier.spec),
        runtime=f"{session['name']} {session['version']}",
    )


def _overlays(classifier: Classifier) -> Overlays | None:
    if not classifier.model.has_map:
        return None
    from edge_app.clinic.page.overlay import Overlays

    return Overlays(classifier.model.manifest, classifier.spec)
