"""Keeping answers in the spool, with the documents made of them, and logging them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from edge_app.clinic.events import Events
from edge_app.clinic.header import HeaderError
from edge_app.clinic.image_file import LostError
from edge_app.clinic.results import Provenance, Results
from edge_app.clinic.retries import MIN_SECONDS
from edge_app.clinic.settings import NODE, WATCH, in_settings
from edge_app.clinic.spool import Document, Image, Spool
from edge_app.clinic.summary import summary_of
from edge_app.core.errors import ImageError, MachineError
from edge_app.core.pieces import Pieces
from edge_app.pipeline.json_answer import refused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_app.pipeline.answer import Origin


class Keeper:
    """Keeps answers. Threads share it.

    Args:
        spool: where answers go.
        results: makes what receivers get.
        events: what happens is told there.
        by: says what answers.
    """

    def __init__(
        self, spool: Spool, results: Results, events: Events, by: Callable[[], Origin]
    ) -> None:
        self.spool, self.results, self.events, self.by = spool, results, events, by

    def provenance(self, image: Image, data: bytes | Pieces) -> Provenance | None:
        """What a report is tied to; None where none is wanted, or the image belongs to no study."""
        try:
            return self.results.provenance(image, data)
        except HeaderError as error:
            if image.entrance == NODE:  # which accepts none of these
                why = f"no report can be made: its header {error}"
                self.events.tell("answering-failed", why=why, number=image.id)
            return None

    def refused(self, image: Image, error: ImageError) -> Mapping[str, Any]:
        """The answer that an image cannot be read."""
        reworded = type(error)(in_settings(str(error)))
        return cast("Mapping[str, Any]", refused(name_of(image), reworded, self.by()))

    def keep(
        self,
        image: Image,
        answer: Mapping[str, Any],
        whose: Provenance | None,
        began: float,
        activation: NDArray[np.float32] | None = None,
        more: Sequence[Document] = (),
    ) -> None:
        """Keep an answer.

        Args:
            whose: what its report is tied to.
            began: when answering began, by the monotonic clock.
            activation: the map of the network, where there is one.
            more: documents besides the report.

        Raises:
            SpoolError: it is not kept.
        """
        text, seen = json.dumps(answer, ensure_ascii=False), summary_of(answer, activation)
        is_kept = False
        while not is_kept:
            now = self.spool.renewed(image)
            documents = [*self.results.documents(now, answer, whose), *more]
            is_kept = self.spool.answer(now, text, documents, seen)
        self.events.tell(
            "answered",
            image=self.events.digest(image.identity),
            number=image.id,
            judged="error" not in answer and bool(answer["findings"]),
            seconds=round(time.monotonic() - began, 3),
            documents=len(documents),
        )

    def keep_lost(self, image: Image, error: LostError, began: float) -> None:
        """Answer that the spool lost an image: what is left of it belongs to no study."""
        self.events.tell("image-lost", why=str(error), number=image.id)
        self.keep(image, self.refused(image, error), None, began)

    def put_off(self, image: Image, error: MachineError, began: float) -> bool:
        """Have an image that the machine lacked something for tried again later; in the end that is
        its answer. No report says so: it would be the instance that the image's own is when it is
        sent again.

        Returns:
            Whether it is tried again, and in nobody's hand.

        Raises:
            SpoolError: neither is kept, and it is still in hand.
        """
        pause, why = self.spool.put_off(image), in_settings(str(error))
        if pause is not None:
            self.events.tell("answering-stalled", why=why, number=image.id, pause=pause)
            return True
        self.events.tell("image-given-up", why=why, number=image.id)
        last = MachineError(
            f"{why} (tried for {MIN_SECONDS / 60:.0f} minutes or more): then send it again"
        )
        self.keep(image, self.refused(image, last), None, began)
        return False


def name_of(image: Image) -> str:
    """What the answer calls the image: its file's name, or its number, which names nobody."""
    return image.identity if image.entrance == WATCH else f"image {image.id}"
