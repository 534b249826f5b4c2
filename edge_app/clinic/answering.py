"""The worker pool: images out of the spool, through the pipeline, their answers back into it.

An image at which this process died before is answered in quarantine, and nobody waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from edge_app.clinic.delivering import LONGEST_PAUSE, pause_after
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.image_file import LostError, read_unchecked, require_same
from edge_app.clinic.keeper import Keeper, name_of
from edge_app.clinic.quarantine import Quarantine
from edge_app.clinic.results import Provenance, Results
from edge_app.clinic.settings import Settings
from edge_app.clinic.spool import Image, Spool
from edge_app.core.errors import EdgeCxrError, ImageError, ImageTooLargeError, MachineError
from edge_app.core.pieces import Pieces, size_of
from edge_app.images.read import decode
from edge_app.pipeline.json_answer import answered, origin
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import classified, classified_only

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Findings
    from edge_app.images.radiograph import Limits, Radiograph
    from edge_app.images.read import Decoder

IDLE: Final = 5.0
"""Seconds between two looks at the spool where nothing is notified."""

LONGEST_REST: Final = 10.0
"""Seconds at most between two retried images while one after the other lacks something: each also
has a longer pause of its own."""

SHARE_OF_OTHERS: Final = 9
"""After a try that failed because the machine lacked something, no other retry begins for so many
times as long as it took: a process that is killed for memory may have delayed others."""


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
        self._digests = ThreadPoolExecutor(1, "digest")  # while the picture is decoded
        self._provenance: Provenance | None = None
        self._stopping = threading.Event()
        self._keeper = Keeper(spool, results, events, lambda: origin(self._classifier))
        self._quarantine = Quarantine(
            self._keeper, settings, self._stopping, isolated=decoder is not None
        )
        self._in_hand: Image | None = None
        self._failures, self._shortages = 0, 0
        self._rests_until = 0.0

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
        self._quarantine.close()

    def _recover(self, error: EdgeCxrError) -> None:
        """After an error that is not the image's fault: it waits, and so does this worker."""
        self._failures += 1
        pause = pause_after(self._failures, LONGEST_PAUSE)
        self.events.tell("answering-stalled", why=str(error), pause=pause)
        self._stopping.wait(pause)
        image, self._in_hand = self._in_hand, None
        try:
            if image is not None:
                self.spool.give_back(image)
            if not isinstance(error, SpoolError):
                self._classifier = self._open()
        except EdgeCxrError as another:
            self.events.tell("answering-stalled", why=str(another))

    def _suspect(self, why: str) -> None:
        """After an error that may be the image's fault: others go first, then it is tried alone."""
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
        min_side = None if whole else spec.min_side

        def read(image: Image, limits: Limits) -> Radiograph:
            return self._read(image, limits, min_side)

        score = classified if whole else classified_only
        limits = self.settings.limits
        for image, outcome in score_all(self._taken(), self._classifier, read, score, limits):
            if isinstance(outcome, MachineError):
                self._put_off(image, outcome)
                continue
            if isinstance(outcome, LostError):
                self._keeper.keep_lost(image, outcome, self._began)
            elif isinstance(outcome, ImageError):
                refusal = self._keeper.refused(image, outcome)
                self._keeper.keep(image, refusal, self._provenance, self._began)
            else:
                self._keep(image, *outcome)
            self._in_hand, self._failures, self._shortages = None, 0, 0

    def _put_off(self, image: Image, error: MachineError) -> None:
        """Others may need less, and are answered at once; those that were put off wait a little
        longer where this machine lacks something for one after the other."""
        is_tried_again = self._keeper.put_off(image, error, self._began)
        self._in_hand = None
        if is_tried_again:
            self._shortages += 1
            now = time.monotonic()
            rest = pause_after(self._shortages, LONGEST_REST)
            self._rests_until = now + max(rest, SHARE_OF_OTHERS * (now - self._began))

    def _keep(self, image: Image, seen: Radiograph, findings: Findings) -> None:
        answer = answered(name_of(image), seen, findings, origin(self._classifier))
        whose = self._provenance
        more = self.results.heatmap(image, answer, whose, seen, self._classifier, findings)
        self._keeper.keep(image, answer, whose, self._began, findings.map, more)

    def _taken(self) -> Iterator[Image]:
        while not self._stopping.is_set():
            rest = self._rests_until - time.monotonic()
            wait = min(IDLE, rest) if rest > 0 else IDLE
            image = self.spool.take(wait, again=rest <= 0, stopped=self._stopping.is_set)
            if image is None:
                continue
            if image.begun:
                self._quarantine.submit(image)
                continue
            self._in_hand = image
            self._began = time.monotonic()
            yield image

    def _read(self, image: Image, limits: Limits, min_side: int | None) -> Radiograph:
        """See `read_image`; the bytes that are decoded are those that came."""
        self._provenance = None
        pieces = self.spool.recent.take(image.path)
        if pieces is not None:
            return self._decoded(image, pieces, limits, min_side)
        data = read_unchecked(image.path, limits)
        same = self._digests.submit(require_same, data, image.entrance, image.sha256)
        try:
            return self._decoded(image, data, limits, min_side)
        finally:
            same.result()  # what else is wrong with other bytes is not told

    def _decoded(
        self, image: Image, data: bytes | Pieces, limits: Limits, min_side: int | None
    ) -> Radiograph:
        """The picture in an image's file, and what ties a result to it."""
        self._provenance = self._keeper.provenance(image, data)
        if size_of(data) > limits.max_bytes:
            raise ImageTooLargeError(f"is larger than {limits.max_bytes} bytes")
        seen = self._decode(data, limits, min_side, digest=False)
        seen.facts["sha256"] = image.sha256
        return seen
