"""What an archive answers to a result, and what is made of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pynetdicom", reason="the clinic extra is not installed")

from edge_app.clinic import archive as archives
from edge_app.clinic.archive import COMPREHENSIVE_3D_SR, Archive
from edge_app.clinic.deliveries import Delivery
from edge_app.clinic.delivering import UndeliveredError
from edge_app.clinic.settings import Receiver

from .images import EXPLICIT, SC, dicom
from .peers import free_port

DOCUMENT = Delivery(1, 1, "a", "1.2", "", 0, dicom(sop_class=COMPREHENSIVE_3D_SR))


@pytest.fixture
def answering() -> Iterator[Any]:
    """An archive that answers with one status, and keeps what it was sent."""
    from pynetdicom import AE, evt
    from pynetdicom.dimse_primitives import C_STORE

    servers = []

    def start(
        status: int,
        got: list[bytes],
        stalls: threading.Event | None = None,
        *,
        late: bool = False,
        syntax: str = EXPLICIT,
    ) -> Archive:
        def stored(event: Any) -> int:
            got.append(event.request.DataSet.getvalue())
            if late and len(got) > 1:
                again = C_STORE()
                again.MessageIDBeingRespondedTo = event.request.MessageID - 1
                again.AffectedSOPClassUID = event.request.AffectedSOPClassUID
                again.AffectedSOPInstanceUID = event.request.AffectedSOPInstanceUID
                again.Status = 0x0000
                event.assoc.dimse.send_msg(again, event.context.context_id)
                return 0xA700
            if stalls:
                event.assoc.dul.socket.socket.send(b"\x04\x00\x00")
                stalls.wait(60)
            return status

        entity, port = AE("PACS"), free_port()
        entity.add_supported_context(COMPREHENSIVE_3D_SR, syntax)
        servers.append(
            entity.start_server(
                ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, stored)]
            )
        )
        return Archive(Receiver("a", "PACS", "127.0.0.1", port, "BOX", None, False, 1.0))

    yield start
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0x0000, None),
        (0xB000, "stored with status B000h"),
        (0x0111, "had it already: status 0111h"),
    ],
)
def test_what_the_archive_has_is_delivered(answering: Any, status: int, said: str | None) -> None:
    got: list[bytes] = []
    archive = answering(status, got)
    assert archive.deliver(DOCUMENT) == said
    assert archive._association
    connection: Any = archive._association.dul.socket
    assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), (
        "nothing waits 40 ms"
    )
    archive.rest()
    assert len(got) == 1
    assert DOCUMENT.content.endswith(got[0]), "its bytes as they are"


def test_what_it_refuses_is_not(answering: Any) -> None:
    archive = answering(0xA700, [])
    with pytest.raises(UndeliveredError, match=r"a answered status A700h$") as caught:
        archive.deliver(DOCUMENT)
    assert caught.value.refused
    archive.rest()


def test_a_class_that_it_does_not_accept_is_named(answering: Any) -> None:
    archive = answering(0x0000, [])
    picture = DOCUMENT._replace(content=dicom(sop_class=SC))
    with pytest.raises(UndeliveredError, match="a does not accept Secondary Capture") as caught:
        archive.deliver(picture)
    assert caught.value.refused, "it keeps no report back"
    archive.rest()


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", r"PACS at 127\.0\.0\.1:\d+ cannot be reached: Connection refused"),
        ("no-such-host.invalid", "its host no-such-host.invalid is not known here: "),
    ],
)
def test_one_that_cannot_be_reached_keeps_all_waiting_and_why_is_said(host: str, why: str) -> None:
    archive = Archive(Receiver("a", "PACS", host, free_port(), "BOX", None, False, 1.0))
    with pytest.raises(UndeliveredError, match=why) as caught:
        archive.deliver(DOCUMENT)
    assert not caught.value.refused, "others wait with it, under one pause"


def test_an_answer_to_what_was_sent_before_is_none_to_this(answering: Any) -> None:
    """One that comes late, or twice, says nothing of the next document."""
    got: list[bytes] = []
    archive = answering(0x0000, got, late=True)
    assert archive.deliver(DOCUMENT) is None
    with pytest.raises(UndeliveredError) as caught:
        archive.deliver(DOCUMENT)  # which it refuses, after it has said Success once more
    assert caught.value.refused, "it keeps no other one back"
    assert len(got) == 2
    archive.rest()


def test_an_archive_that_knows_implicit_vr_alone_gets_it_so(answering: Any) -> None:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import read_dataset

    got: list[bytes] = []
    archive = answering(0x0000, got, syntax="1.2.840.10008.1.2")
    assert archive.deliver(DOCUMENT) is None
    archive.rest()
    there = read_dataset(DicomBytesIO(got[0]), True, True)
    assert there.SOPInstanceUID == "1.2.276.0.9701.1.1.1"


def _failed(association: Any, *, known: bool) -> None:
    """Have its thread end as pynetdicom has it where its connection's fails."""
    association.is_established = not known
    association._kill = True
    association.dimse.called.set()
    association.join()


@pytest.mark.parametrize("when", ["before the next document", "when it is about to be sent"])
def test_an_association_whose_thread_has_failed_is_not_waited_for(
    answering: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    got: list[bytes] = []
    archive = answering(0x0000, got)
    assert archive.deliver(DOCUMENT) is None
    association = archive._association
    if when == "before the next document":
        _failed(association, known=False)
        assert archive.deliver(DOCUMENT) is None, "by another association"
        _failed(archive._association, known=False)
        archive.rest()
        return

    def numbered() -> int:
        _failed(association, known=True)
        return 7

    monkeypatch.setattr(association.dimse, "next_number", numbered)
    with pytest.raises(UndeliveredError, match="ended without an answer"):
        archive.deliver(DOCUMENT)
    assert archive.deliver(DOCUMENT) is None
    archive.rest()
    assert len(got) == 2


def test_the_end_of_one_whose_thread_fails_just_then_is_not_waited_for(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = answering(0x0000, [])
    assert archive.deliver(DOCUMENT) is None

    def was_open(association: Any) -> bool:
        _failed(association, known=False)
        return True

    monkeypatch.setattr("edge_app.clinic.c_store.is_open", was_open)
    archive.rest()
    assert archive._association is None


def test_one_that_stalls_within_its_answer_is_given_up(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ANSWER_SECONDS", 1.0)
    goes_on = threading.Event()
    archive = answering(0x0000, [], goes_on)
    failures: list[UndeliveredError] = []

    def deliver() -> None:
        try:
            archive.deliver(DOCUMENT)
        except UndeliveredError as error:
            failures.append(error)

    courier = threading.Thread(target=deliver, daemon=True)
    courier.start()
    courier.join(30)
    goes_on.set()
    assert not courier.is_alive()
    assert [error.refused for error in failures] == [True], "it keeps no other one back"
