"""The worker pool: images out of the spool, through the pipeline, their answers back into it.

An image in whose hand this process died before is answered by a process of its own: if that one
dies too, the image is at fault and is told so, and nobody else waits for it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, cast

from edge_app.backends.options import CPU
from edge_app.clinic.delivering import pause_after
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.gist import Gist, gist
from edge_app.clinic.header import HeaderError
from edge_app.clinic.kept import LostError, read_kept, read_unchecked, require_same
from edge_app.clinic.results import Provenance, Results
from edge_app.clinic.settings import NODE, WATCH, Settings
from edge_app.clinic.spool import Document, Image, Spool
from edge_app.core.errors import EdgeCxrError, ImageError, ImageTooLargeError, MachineError
from edge_app.core.site_place import NONE
from edge_app.images.read import decode
from edge_app.pipeline.json_answer import answered, origin, refused
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import classified, classified_only
from edge_app.pipeline.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.images.radiograph import Limits, Radiograph
    from edge_app.images.read import Decoder

IDLE: Final = 5.0
"""Seconds between two looks whether to stop."""

LONGEST_PAUSE: Final = 60.0
ALONE_SECONDS: Final = 300
MOST_TRIES: Final = 5


class Worker(threading.Thread):
    """Answers one image after the other until it is stopped.

    Args:
        spool: where images come from and answers go.
        open_classifier: makes what answers; called again where a device failed.
        classifier: the first of these.
        results: makes what receivers get.
        settings: of the model and the limits.
        events: what happens is told there.
        decoder: see `read_image`.
    """

    def __init__(
        self,
        spool: Spool,
        open_classifier: Callable[[], Classifier],
        classifier: Classifier,
        results: Results,
        settings: Settings,
        events: Events,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__(name="worker", daemon=True)
        self.spool, self.results, self.settings, self.events = spool, results, settings, events
        self._open, self._classifier = open_classifier, classifier
        self._decode = decoder or decode
        self._is_isolated = decoder is not None
        self._digests = ThreadPoolExecutor(1, "digest")  # while the picture is decoded
        self._provenance: Provenance | None = None
        self._stopping = threading.Event()
        self._in_hand: Image | None = None
        self._failures = 0

    def stop(self) -> None:
        """End after the image in hand."""
        self._stopping.set()
        with self.spool.store.changed:
            self.spool.store.changed.notify_all()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._answer_all()
            except EdgeCxrError as error:
                if not self._stopping.is_set():
                    self._recover(error)
            except Exception as error:  # out of memory, or what nobody foresaw
                self._suspect(type(error).__name__)

    def _recover(self, error: EdgeCxrError) -> None:
        """No fault of the image: it waits, and so does this worker."""
        self._failures += 1
        pause = pause_after(self._failures, LONGEST_PAUSE)
        self.events.tell("answering-stalled", why=str(error), pause=pause)
        self._stopping.wait(pause)
        image, self._in_hand = self._in_hand, None
        try:
            if image is not None:
                if isinstance(error, MachineError):  # others may need less
                    self.spool.postpone(image)
                self.spool.give_back(image)
            if not isinstance(error, (SpoolError, MachineError)):
                self._classifier = self._open()
        except EdgeCxrError as another:
            self.events.tell("answering-stalled", why=str(another))

    def _suspect(self, why: str) -> None:
        """Perhaps the image's fault: others go first, and then it is tried alone."""
        image, self._in_hand = self._in_hand, None
        self.events.tell("answering-failed", why=why, number=image.id if image else None)
        try:
            if image is not None:
                self.spool.postpone(image)
        except SpoolError as error:
            self.events.tell("answering-stalled", why=str(error))
        self._stopping.wait(1)

    def _answer_all(self) -> None:
        spec = self._classifier.model.input_spec
        whole = any(self.results.heatmaps.values())
        least = None if whole else spec.least

        def read(image: Image, limits: Limits) -> Radiograph:
            return self._read(image, limits, least)

        score = classified if whole else classified_only
        by = origin(self._classifier)
        limits = self.settings.limits
        for image, outcome in score_all(self._taken(), self._classifier, read, score, limits):
            if isinstance(outcome, MachineError):
                raise outcome
            if isinstance(outcome, LostError):
                self._keep_lost(image, outcome)
                continue
            if isinstance(outcome, ImageError):
                answer: Mapping[str, Any] = refused(_name(image), outcome, by)
                self._keep(image, answer, gist(answer))
                continue
            seen, findings = outcome
            answer = answered(_name(image), seen, findings, by)
            whose = self._provenance
            more = self.results.heatmap(image, answer, whose, seen, self._classifier, findings)
            self._keep(image, answer, gist(answer, findings.map), more)

    def _taken(self) -> Iterator[Image]:
        while not self._stopping.is_set():
            image = self.spool.take(wait=IDLE)
            if image is None:
                continue
            self._in_hand = image
            self._began = time.monotonic()
            if not image.begun:
                yield image
                continue
            try:
                answer = self._alone(image)
            except LostError as error:
                self._keep_lost(image, error)
                continue
            if answer:
                self._keep(image, answer, gist(answer))

    def _read(self, image: Image, limits: Limits, least: int | None) -> Radiograph:
        """See `read_image`; the bytes that are decoded are those that came."""
        self._provenance = None
        data = read_unchecked(image.path, limits)
        same = self._digests.submit(require_same, data, image.entrance, image.sha256)
        try:
            self._provenance = self._provenance_of(image, data)
            if len(data) > limits.max_bytes:
                raise ImageTooLargeError(f"is larger than {limits.max_bytes} bytes")
            seen = self._decode(data, limits, least, digest=False)
        finally:
            same.result()  # what else is wrong with other bytes is not told
        seen.facts["sha256"] = image.sha256
        return seen

    def _provenance_of(self, image: Image, data: bytes) -> Provenance | None:
        """What a report is tied to; None where none is wanted, or the image belongs to no study."""
        try:
            return self.results.provenance(image, data)
        except HeaderError as error:
            if image.entrance == NODE:  # which accepts none of these
                why = f"no report can be made: its header {error}"
                self.events.tell("answering-failed", why=why, number=image.id)
            return None

    def _keep_lost(self, image: Image, error: LostError) -> None:
        """Answer that the spool has not kept an image: nothing that it has is tied to a study."""
        self._provenance = None
        self.events.tell("image-lost", why=str(error), number=image.id)
        answer = self._refused(image, error)
        self._keep(image, answer, gist(answer))

    def _keep(
        self,
        image: Image,
        answer: Mapping[str, Any],
        kept: Gist,
        more: list[Document] | None = None,
    ) -> None:
        documents = [*self.results.documents(image, answer, self._provenance), *(more or ())]
        self.spool.answer(image, json.dumps(answer, ensure_ascii=False), documents, kept)
        self._in_hand, self._failures = None, 0
        self.events.tell(
            "answered",
            image=self.events.digest(image.identity),
            number=image.id,
            judged="error" not in answer and bool(answer["findings"]),
            seconds=round(time.monotonic() - self._began, 3),
            documents=len(documents),
        )

    def _alone(self, image: Image) -> Mapping[str, Any] | None:
        """The answer of a process of its own, or that the image ends whatever reads it.

        Returns:
            None where that fails otherwise; after some tries that is the answer.

        Raises:
            LostError: see `read_kept`.
            MachineError: this machine lacks what it takes.
        """
        limits = self.settings.limits
        self._provenance = None
        data = read_kept(image.path, image.entrance, image.sha256, limits)
        self._provenance = self._provenance_of(image, data)
        self.events.tell("answered-alone", image=self.events.digest(image.identity))
        line = [sys.executable, "-m", "edge_app", "classify", "--json"]
        # A device is this process's; what computes must not be what it dies of, either.
        site = str(self.settings.site or NONE)
        line += ["--model", self.settings.model, "--site", site, "--backend", CPU]
        if self.settings.operating_point:
            line += ["--operating-point", self.settings.operating_point]
        if self._is_isolated:
            line.append("--isolate")
        line += ["--max-pixels", str(limits.max_pixels), STANDARD_INPUT]
        try:
            done = subprocess.run(
                line,
                input=data,
                capture_output=True,
                timeout=ALONE_SECONDS,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            return self._ends(image, f"takes more than {ALONE_SECONDS} s to read")
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            return self._ends(image, f"ends the program that reads it ({name})")
        answer = _object_in(done.stdout)
        if answer is None:
            if image.begun >= MOST_TRIES:
                return self._ends(image, f"was tried {image.begun} times and could not be answered")
            self._suspect(f"exit code {done.returncode} of a process of its own")
            return None
        if answer.get("error", {}).get("kind") == MachineError.kind:
            raise MachineError(answer["error"]["message"])
        if "image" in answer:
            answer["image"]["sha256"] = image.sha256
        return {**answer, "file": _name(image)}

    def _ends(self, image: Image, reason: str) -> Mapping[str, Any]:
        return self._refused(image, ImageError(reason))

    def _refused(self, image: Image, error: ImageError) -> Mapping[str, Any]:
        answer = refused(_name(image), error, origin(self._classifier))
        return cast("Mapping[str, Any]", answer)


def _name(image: Image) -> str:
    """What the answer calls the image: its file's name, or its number, which names nobody."""
    return image.identity if image.entrance == WATCH else f"image {image.id}"


def _object_in(text: bytes) -> dict[str, Any] | None:
    """The JSON object that a process printed; None where it printed none, or not all of it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
