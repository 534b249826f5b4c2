"""A courier brings every document, however often its receiver is down or refuses one."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from edge_app.clinic import delivering
from edge_app.clinic.deliveries import Deliveries, Delivery
from edge_app.clinic.delivering import Courier, UndeliveredError, pause_after
from edge_app.clinic.events import Events
from edge_app.clinic.spool import Document, Spool

from .conftest import offered
from .peers import wait_for


class Receiver:
    """Takes what it is given as `answer` says."""

    name = "archive"

    def __init__(self, answer: Callable[[int, int], None]) -> None:
        self.answer = answer
        self.tries: list[int] = []
        self.got: list[int] = []
        self.rests = 0

    def deliver(self, delivery: Delivery) -> str | None:
        self.tries.append(delivery.image)
        self.answer(delivery.image, len(self.tries))
        self.got.append(delivery.image)
        return None

    def rest(self) -> None:
        self.rests += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "FIRST_PAUSE", 0.001)


def brought(spool: Spool, receiver: Receiver, count: int) -> str:
    for number in range(count):
        spool.accept(offered(f"1.{number}"))
        image = spool.take()
        assert image is not None
        spool.answer(image, "{}", [Document(f"{number}.dcm", b"x", ("archive",))])
    log = io.StringIO()
    deliveries = Deliveries(spool.store)
    courier = Courier(deliveries, receiver, Events(b"salt", None, log), 0.05)
    courier.start()
    wait_for(lambda: spool.counts()["finished"] == count, "all deliveries")
    courier.stop()
    courier.join()
    assert receiver.rests
    return log.getvalue()


def test_a_receiver_that_is_down_gets_all_in_order_when_it_is_back(spool: Spool) -> None:
    def answer(image: int, tries: int) -> None:
        if tries <= 5:
            raise UndeliveredError("is down")

    receiver = Receiver(answer)
    log = brought(spool, receiver, 3)
    assert receiver.got == [1, 2, 3]
    assert receiver.tries == [1, 1, 1, 1, 1, 1, 2, 3]
    assert log.count("undelivered") == 5
    assert 'why="is down"' in log


def test_one_that_is_refused_keeps_no_other_back_and_is_tried_again(spool: Spool) -> None:
    def answer(image: int, tries: int) -> None:
        if image == 1 and tries < 6:
            raise UndeliveredError("status A700h", refused=True)

    receiver = Receiver(answer)
    brought(spool, receiver, 3)
    assert receiver.got[:2] == [2, 3]
    assert receiver.got[-1] == 1
    assert sorted(receiver.got) == [1, 2, 3]


def test_a_courier_that_is_stopped_after_it_has_looked_does_not_wait(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would wake it: that it is to stop was said before it waits."""
    deliveries, receiver = Deliveries(spool.store), Receiver(lambda image, tries: None)
    courier = Courier(deliveries, receiver, Events(b"salt", None, io.StringIO()), 0.05)
    look = courier._next

    def looked() -> list[Delivery]:
        courier.stop()
        return look()

    monkeypatch.setattr(courier, "_next", looked)
    monkeypatch.setattr(spool.store.changed, "wait", lambda seconds: pytest.fail("it waits"))
    courier.run()
    assert receiver.rests == 1


def test_pauses_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "FIRST_PAUSE", 1.0)
    assert [pause_after(failures, 60) for failures in (1, 2, 3, 4, 10, 10_000)] == [
        *(1, 2, 4, 8, 60, 60)
    ]


def test_a_receiver_s_own_words_are_told_beside_the_box_and_not_in_its_log(spool: Spool) -> None:
    said: list[str | None] = []

    def answer(image: int, tries: int) -> None:
        if tries == 1:
            raise UndeliveredError("status C000h", refused=True, comment="DOE^JOHN is another")
        said.append(Deliveries(spool.store).standing("archive").trouble)

    log = brought(spool, Receiver(answer), 1)
    assert said == ["status C000h DOE^JOHN is another"]
    assert "status C000h" in log
    assert "DOE" not in log
