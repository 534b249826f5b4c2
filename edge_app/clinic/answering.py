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
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from edge_app.backends.options import CPU
from edge_app.clinic.delivering import pause_after
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.gist import Gist, gist
from edge_app.clinic.results import Results
from edge_app.clinic.settings import WATCH, Settings
from edge_app.clinic.spool import Document, Image, Spool
from edge_app.core.errors import EXIT_DONE, EXIT_INPUT, EdgeCxrError, ImageError, MachineError
from edge_app.core.site_place import NONE
from edge_app.pipeline.json_answer import answered, origin, refused
from edge_app.pipeline.reader import read_source
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import classified, classified_only

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.images.radiograph import Limits, Radiograph
    from edge_app.images.read import Decoder

IDLE: Final = 5.0
"""Seconds between two looks whether to stop."""

LONGEST_PAUSE: Final = 60.0
ALONE_SECONDS: Final = 300
MOST_TRIES: Final = 5
GONE: Final = "its file is gone from the spool: send it again"


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
        self._decoder = decoder
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
        read = partial(_read, least=least, decoder=self._decoder)
        score = classified if whole else classified_only
        by = origin(self._classifier)
        limits = self.settings.limits
        for image, outcome in score_all(self._taken(), self._classifier, read, score, limits):
            if isinstance(outcome, MachineError):
                raise outcome
            if isinstance(outcome, ImageError):
                answer: Mapping[str, Any] = refused(_name(image), outcome, by)
                self._keep(image, answer, gist(answer))
                continue
            seen, findings = outcome
            answer = answered(_name(image), seen, findings, by)
            more = self.results.heatmap(image, answer, seen, self._classifier, findings)
            self._keep(image, answer, gist(answer, findings.map), more)

    def _taken(self) -> Iterator[Image]:
        while not self._stopping.is_set():
            image = self.spool.take(wait=IDLE)
            if image is None:
                continue
            self._in_hand = image
            self._began = time.monotonic()
            if _is_gone(image):
                self.events.tell("answering-failed", why=GONE, number=image.id)
                lost = self._ends(image, GONE)
                self._keep(image, lost, gist(lost))
            elif not image.begun:
                yield image
            elif answer := self._alone(image):
                self._keep(image, answer, gist(answer))

    def _keep(
        self,
        image: Image,
        answer: Mapping[str, Any],
        kept: Gist,
        more: list[Document] | None = None,
    ) -> None:
        documents = [*self.results.documents(image, answer), *(more or ())]
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
        """
        self.events.tell("answered-alone", image=self.events.digest(image.identity))
        line = [sys.executable, "-m", "edge_app", "classify", "--json"]
        # A device is this process's; what computes must not be what it dies of, either.
        site = str(self.settings.site or NONE)
        line += ["--model", self.settings.model, "--site", site, "--backend", CPU]
        if self.settings.operating_point:
            line += ["--operating-point", self.settings.operating_point]
        if self._decoder:
            line.append("--isolate")
        line += ["--max-pixels", str(self.settings.limits.max_pixels), str(image.path)]
        try:
            done = subprocess.run(
                line, capture_output=True, timeout=ALONE_SECONDS, start_new_session=True
            )
        except subprocess.TimeoutExpired:
            return self._ends(image, f"takes more than {ALONE_SECONDS} s to read")
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            return self._ends(image, f"ends the program that reads it ({name})")
        if done.returncode not in (EXIT_DONE, EXIT_INPUT) and not done.stdout:
            if image.begun >= MOST_TRIES:
                return self._ends(image, f"was tried {image.begun} times and could not be answered")
            self._suspect(f"exit code {done.returncode} of a process of its own")
            return None
        answer: dict[str, Any] = json.loads(done.stdout)
        if answer.get("error", {}).get("kind") == MachineError.kind:
            raise MachineError(answer["error"]["message"])
        if "image" in answer:
            answer["image"]["sha256"] = image.sha256
        return {**answer, "file": _name(image)}

    def _ends(self, image: Image, reason: str) -> Mapping[str, Any]:
        return cast(
            "Mapping[str, Any]",
            refused(_name(image), ImageError(reason), origin(self._classifier)),
        )


def _name(image: Image) -> str:
    """What the answer calls the image: its file's name, or its number, which names nobody."""
    return image.identity if image.entrance == WATCH else f"image {image.id}"


def _is_gone(image: Image) -> bool:
    """Whether an image's file is no longer in the spool.

    Raises:
        SpoolError: its folder is gone, too: that is no fault of this image.
    """
    if image.path.exists():
        return False
    if not image.path.parent.is_dir():
        raise SpoolError(f"{image.path.parent}: is gone: put it back, or look at its disk")
    return True


def _read(
    image: Image, limits: Limits, *, least: int | None, decoder: Decoder | None
) -> Radiograph:
    seen = read_source(str(image.path), limits, least, digest=False, decoder=decoder)
    seen.facts["sha256"] = image.sha256  # worked out when it came
    return seen
