"""Results to their receivers: tried until each has said that it has them.

A courier is a thread a receiver. Where the receiver cannot be reached, it pauses, ever longer up
to a limit. A document that the receiver refuses rests by itself, so that others get through.
Pauses are of this process: after a start everything is tried at once.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

from edge_app.clinic.deliveries import Deliveries, Delivery
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between two tries of an image at most."""

COURIER: Final = "courier"
"""The beginning of the threads' names."""

IDLE: Final = 10.0
"""Seconds without anything to deliver after which a connection is given back."""


class UndeliveredError(Exception):
    """Why a document was not delivered, in one line.

    Args:
        reason: which is told in the log, and so names nobody.

    Attributes:
        comment: what the receiver said in words of its own, which may name a patient.
        refused: the receiver can be reached, and does not take this one: others are tried.
    """

    def __init__(self, reason: str, *, refused: bool = False, comment: str = "") -> None:
        super().__init__(reason)
        self.refused, self.comment = refused, comment


class Carrier(Protocol):
    """Brings documents to one receiver."""

    name: str

    def deliver(self, delivery: Delivery) -> str | None:
        """Return when the receiver has said that it has it, with what else it said.

        Raises:
            UndeliveredError: it has not, or it is not known whether it has.
        """

    def rest(self) -> None:
        """Called while there is nothing to deliver."""


def pause_after(failures: int, longest: float) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(longest, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))


class Courier(threading.Thread):
    """Delivers to one receiver until it is stopped.

    Args:
        carrier: the way to it.
        longest: seconds between two tries at most.
    """

    def __init__(
        self, deliveries: Deliveries, carrier: Carrier, events: Events, longest: float
    ) -> None:
        super().__init__(name=f"{COURIER} {carrier.name}", daemon=True)
        self.deliveries, self.carrier, self.events = deliveries, carrier, events
        self.longest = longest
        self._stopping = threading.Event()
        self._failures = 0
        self._resting: dict[int, float] = {}

    def stop(self) -> None:
        """End after the delivery in hand."""
        self._stopping.set()
        with self.deliveries.store.changed:
            self.deliveries.store.changed.notify_all()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                for delivery in self._next():
                    if self._stopping.is_set() or not self._bring(delivery):
                        break
            except SpoolError as error:
                if self._stopping.is_set():
                    break
                self.events.tell("delivery-stalled", receiver=self.carrier.name, why=str(error))
                self._stopping.wait(self.longest)
        self.carrier.rest()

    def _next(self) -> list[Delivery]:
        """The next deliveries; waits a while for them."""
        store = self.deliveries.store
        with store.changed:
            now = time.monotonic()
            self._resting = {key: end for key, end in self._resting.items() if end > now}
            due = self.deliveries.due(self.carrier.name, self._resting.keys())
            came = bool(due) or self._stopping.is_set()  # with the lock: `stop` notifies after it
            if not came:
                soonest = min(self._resting.values(), default=now + IDLE)
                came = store.changed.wait(max(0.0, min(IDLE, soonest - now)))
        if due:
            store.sync()  # a power cut must not undo what is brought away
        elif not came:
            self.carrier.rest()
        return due

    def _bring(self, delivery: Delivery) -> bool:
        """Deliver one; returns whether others of this receiver may be tried at once."""
        facts = {"receiver": self.carrier.name, "image": self.events.digest(delivery.identity)}
        try:
            said = self._said(delivery)
        except UndeliveredError as error:
            self.deliveries.failed(delivery, f"{error} {error.comment}".strip())
            if error.refused:
                pause = pause_after(delivery.tries + 1, self.longest)
                self._resting[delivery.id] = time.monotonic() + pause
            else:
                self._failures += 1
                pause = pause_after(self._failures, self.longest)
            self.events.tell(
                "undelivered", **facts, tries=delivery.tries + 1, why=str(error), pause=pause
            )
            if not error.refused:
                self._stopping.wait(pause)
            return error.refused
        self._failures = 0
        self.deliveries.delivered(delivery)
        self.events.audit("delivered", **facts, number=delivery.image, note=said)
        return True

    def _said(self, delivery: Delivery) -> str | None:
        try:
            return self.carrier.deliver(delivery)
        except (UndeliveredError, SpoolError):
            raise
        except Exception as error:  # of a library, on what a peer did: it must not end the courier
            kind = type(error).__name__
            raise UndeliveredError(f"it fails here ({kind})", refused=True) from None
