"""The node meets modalities as dcmtk plays them, and peers that mean it ill."""

from __future__ import annotations

import gc
import io
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pynetdicom", reason="the clinic extra is not installed")

from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_CANCEL, C_STORE

from edge_app.clinic import bounded, lobby
from edge_app.clinic.archive import Archive
from edge_app.clinic.deliveries import Delivery
from edge_app.clinic.delivering import UndeliveredError
from edge_app.clinic.events import Events
from edge_app.clinic.image_file import LostError, read_kept
from edge_app.clinic.node import DicomNode
from edge_app.clinic.settings import Node, Peer, Receiver, Tls
from edge_app.clinic.spool import Spool
from edge_app.clinic.upper_layer import Requestor, WaitingUpperLayer
from edge_app.images.radiograph import Limits

from .conversations import Recorder, damaged
from .images import CR, DX, EXPLICIT, SC, SECRETS, dicom
from .peers import dcmtk, free_port, program, storescu, wait_for

MUTATIONS = int(os.environ.get("EDGE_CXR_CLINIC_MUTATIONS", "200"))
Start = Callable[..., "Served"]
PLAIN = Node("EDGECXR", "127.0.0.1", 0, (), None, 10, 30, 4 << 20, 131072, ())


class Served:
    """A node that runs within the tests."""

    def __init__(self, node: DicomNode, spool: Spool, log: io.StringIO) -> None:
        self.node, self.spool, self._log = node, spool, log
        self.port = node.node.port

    @property
    def log(self) -> str:
        return self._log.getvalue()

    def associations(self) -> int:
        return len(self.node._server.active_associations)

    def held(self) -> int:
        """Bytes of messages."""
        return self.node._server.bounds.held()


@pytest.fixture
def serve(spool: Spool) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(**changed: Any) -> Served:
            log = io.StringIO()
            settings = PLAIN._replace(port=free_port(), **changed)
            node = DicomNode(settings, spool, Events(b"salt", None, log))
            node.start()
            stack.callback(node.stop)
            return Served(node, spool, log)

        yield start


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.dcm"
    path.write_bytes(dicom())
    return path


VERIFICATION = "1.2.840.10008.1.1"


def echoes(port: int, *arguments: object) -> bool:
    done = dcmtk("echoscu", "-aec", "EDGECXR", *arguments, "127.0.0.1", port)
    return done.returncode == 0


def associated(port: int, sop_class: str = CR) -> Any:
    entity = AE("MODALITY")
    entity.add_requested_context(sop_class, EXPLICIT)
    association = entity.associate("127.0.0.1", port, ae_title="EDGECXR")
    assert association.is_established
    return association


# What it is for


@pytest.mark.parametrize("sop_class", [CR, DX, SC])
def test_radiographs_are_stored_as_they_were_sent(
    serve: Start, tmp_path: Path, sop_class: str
) -> None:
    served = serve()
    path = tmp_path / "image.dcm"
    path.write_bytes(dicom(sop_class=sop_class))
    done = storescu(served.port, path)
    assert "Received Store Response (Success)" in done.stderr + done.stdout
    image = served.spool.take()
    assert image is not None
    got, sent = dcmread(image.path), dcmread(path)
    assert got.PixelData == sent.PixelData
    assert got.PatientName == sent.PatientName
    assert image.identity == sent.SOPInstanceUID


def test_any_other_byte_of_what_is_kept_of_an_image_is_noticed(serve: Start, file: Path) -> None:
    """Its transfer syntax, say, which is beside what was sent, and decides how that is read."""
    served = serve()
    assert storescu(served.port, file).returncode == 0
    image = served.spool.take()
    assert image is not None
    kept = read_kept(image.path, image.entrance, image.sha256, Limits())
    begins = len(kept) - len(_data_set(kept))
    assert EXPLICIT.encode() in kept[:begins]
    for at in range(begins + 8):
        other = bytearray(kept)
        other[at] ^= 0x04
        image.path.write_bytes(other)
        with pytest.raises(LostError, match="has changed on the disk since it arrived"):
            read_kept(image.path, image.entrance, image.sha256, Limits())


def test_it_echoes(serve: Start) -> None:
    assert echoes(serve().port)


def test_an_association_at_rest_sleeps(serve: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom's own layer looks several hundred times meanwhile."""
    looks: dict[object, int] = {}
    look = WaitingUpperLayer._is_transport_event

    def counted(layer: WaitingUpperLayer) -> bool:
        looks[layer] = looks.get(layer, 0) + 1
        return look(layer)

    served = serve()
    entity = Requestor("MODALITY")
    entity.add_requested_context(CR, EXPLICIT)
    association = entity.associate("127.0.0.1", served.port, ae_title="EDGECXR")
    assert association.is_established
    (node,) = served.node._server.active_associations
    monkeypatch.setattr(WaitingUpperLayer, "_is_transport_event", counted)
    time.sleep(1)
    ends = [looks[each.dul] for each in (association, node)]  # others may be left of other tests
    assert all(0 < each < 50 for each in ends)
    association.release()
    assert association.is_released
    wait_for(lambda: served.associations() == 0, "the end of the association")


def test_the_same_again_is_known_and_other_bytes_are_kept_apart(
    serve: Start, tmp_path: Path
) -> None:
    served = serve()
    for data in (dicom(), dicom(), dicom(PatientID="another")):
        (tmp_path / "image.dcm").write_bytes(data)
        assert storescu(served.port, tmp_path / "image.dcm").returncode == 0
    assert [line.split("verdict=")[1].split()[0] for line in served.log.splitlines()] == [
        *("new", "known", "differs")
    ]
    assert served.spool.counts()["waiting"] == 2


def test_nothing_of_the_patient_is_in_the_log(serve: Start, file: Path) -> None:
    served = serve()
    storescu(served.port, file)
    wait_for(lambda: "received" in served.log, "the event")
    assert not [secret for secret in SECRETS if secret in served.log]


# What is refused, and how


def test_other_classes_and_names_are_refused(serve: Start, tmp_path: Path, file: Path) -> None:
    served = serve()
    mr = tmp_path / "mr.dcm"
    mr.write_bytes(dicom(sop_class="1.2.840.10008.5.1.4.1.1.4", Modality="MR"))
    assert storescu(served.port, mr).returncode != 0
    wrong = dcmtk("storescu", "-aec", "OTHER", "127.0.0.1", served.port, file)
    assert wrong.returncode != 0
    assert "Called AE Title" in wrong.stderr + wrong.stdout
    assert served.spool.counts()["waiting"] == 0
    assert 'why="wrong called AE title"' in served.log


def test_an_association_too_many_is_told_as_that(serve: Start, file: Path) -> None:
    served = serve(associations=1)
    first = associated(served.port)
    assert storescu(served.port, file).returncode != 0
    first.release()
    assert 'why="too many associations"' in served.log


@pytest.mark.parametrize(
    ("title", "host", "allowed"),
    [
        ("MODALITY", "127.0.0.0/8", True),
        ("OTHER", "127.0.0.0/8", False),
        ("MODALITY", "10.1.2.0/24", False),
    ],
)
def test_only_listed_peers_are_let_in(serve: Start, title: str, host: str, allowed: bool) -> None:
    served = serve(peers=(Peer(title, (ip_network(host),)),))
    assert echoes(served.port, "-aet", "MODALITY") is allowed
    assert allowed or "peer=MODALITY" in served.log


def test_a_full_disk_is_a700_and_the_next_one_is_taken_when_there_is_room(
    serve: Start, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    with monkeypatch.context() as patch:
        patch.setattr(served.spool, "min_free", 1 << 60)
        done = storescu(served.port, file)
        assert "OutOfResources" in done.stderr + done.stdout
    assert "status=A700h" in served.log
    assert storescu(served.port, file).returncode == 0
    assert served.spool.counts()["waiting"] == 1


def test_an_image_that_is_too_large_is_a700_and_the_association_goes_on(serve: Start) -> None:
    served = serve(max_bytes=1 << 20)
    association = associated(served.port)
    large = dcmread(io.BytesIO(dicom(1, np.zeros((1200, 1200), np.uint8))))
    for _ in range(2):
        assert association.send_c_store(large).Status == 0xA700
        assert association.send_c_store(dcmread(io.BytesIO(dicom(2)))).Status == 0
    association.release()
    assert served.spool.counts()["waiting"] == 1


def test_an_image_without_end_ends_the_association(serve: Start) -> None:
    served = serve(max_bytes=1 << 20)
    association = associated(served.port)
    endless = dcmread(io.BytesIO(dicom(1, np.zeros((2500, 2000), np.uint8))))
    assert "Status" not in association.send_c_store(endless)
    assert echoes(served.port)


def sent_as(association: Any, data: bytes, uid: str) -> int:
    """The status for a data set that is sent under this SOP Instance UID, whatever is in it."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CR, uid
    request.DataSet = io.BytesIO(data)
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    return int(answer.Status)


@pytest.mark.parametrize(
    ("elements", "uid", "status"),
    [
        ({}, "1.2.3", 0xA900),
        ({"StudyInstanceUID": None}, "1.2.276.0.9701.1.1.1", 0xC000),
        ({"SeriesInstanceUID": ""}, "1.2.276.0.9701.1.1.1", 0xC000),
        (None, "1.2.276.0.9701.1.1.1", 0xC000),
    ],
)
def test_what_no_result_could_be_tied_to_is_refused(
    serve: Start, elements: dict[str, Any] | None, uid: str, status: int
) -> None:
    served = serve()
    association = associated(served.port)
    data = b"\xff\x00garbage" * 40 if elements is None else _data_set(dicom(**elements))
    association._reactor_checkpoint.clear()  # the answer is this test's
    assert sent_as(association, data, uid) == status
    association._reactor_checkpoint.set()
    association.abort()
    assert served.spool.counts()["waiting"] == 0


def _data_set(file: bytes) -> bytes:
    """A file's data set, as it is sent."""
    meta = int.from_bytes(file[140:144], "little")
    return file[144 + meta :]


@pytest.mark.parametrize(
    ("error", "status", "named"),
    [(ValueError("of DOE^JOHN"), 0x0110, "ValueError"), (MemoryError(), 0xA700, "MemoryError")],
)
def test_a_fault_that_nobody_foresaw_is_told_and_answered_and_the_association_goes_on(
    serve: Start, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, named: str
) -> None:
    served = serve()
    association = associated(served.port)

    def fail(offered: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(served.spool, "accept", fail)
        assert association.send_c_store(dcmread(io.BytesIO(dicom()))).Status == status
    (line,) = served.log.splitlines()
    assert f'status={status:04X}h why="it fails here ({named})"' in line
    assert "DOE" not in line
    assert association.send_c_store(dcmread(io.BytesIO(dicom()))).Status == 0
    association.release()


def test_a_peer_whose_right_to_come_cannot_be_judged_is_not_let_in(
    serve: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()

    def fail(*args: object) -> bool:
        raise ValueError

    monkeypatch.setattr(served.node, "_is_allowed", fail)
    assert not echoes(served.port)
    assert "rejected" in served.log


# Peers that mean it ill


def fragment(association: Any, control: int, size: int) -> bytes:
    """A P-DATA-TF with one fragment (PS3.8 9.3.5): of a command set where control is odd."""
    context = association.accepted_contexts[0].context_id
    value = bytes([context, control]) + bytes(size)
    item = len(value).to_bytes(4, "big") + value
    return b"\x04\x00" + len(item).to_bytes(4, "big") + item


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((1, 1000), "a command set has more than 4096 bytes"),
        ((0, 60_000), "a message is larger than max_mb, and does not end"),
        ((3, 7), "what it says is not understood here"),
    ],
)
def test_an_association_that_is_aborted_is_told_in_one_line(
    serve: Start, said: tuple[int, int], why: str
) -> None:
    served = serve(max_bytes=1 << 16)
    association = associated(served.port)
    raw = association.dul.socket.socket
    with suppress(OSError):
        for _ in range(20):
            raw.sendall(fragment(association, *said))
    wait_for(lambda: served.associations() == 0, "the end of the association")
    (line,) = served.log.splitlines()
    assert " aborted peer=MODALITY host=127.0.0.1 " in line
    assert why in line
    assert echoes(served.port)


def test_what_is_kept_of_a_message_is_counted_and_no_more() -> None:
    """Of one that is too long that is its command set."""
    whys: list[str] = []
    association: Any = SimpleNamespace(dul=SimpleNamespace(abort=whys.append))

    def tell(_of: Any, why: str) -> None:
        whys.append(why)

    bounds = bounded.Bounds(2000, 10_000, 1, 1, tell, tell)
    messages = bounded.BoundedMessages(association, bounds)
    held = []
    for control, size in ((1, 600), (0, 1000), (0, 600), (1, 300), (0, 600)):
        value = [1, memoryview(bytes([control]) + bytes(size))]
        messages.receive_primitive(bounded._Data([value]).to_primitive())
        held.append(messages.held)
    assert held == [601, 1602, 601, 902, 902]
    assert whys == []


@pytest.mark.parametrize("max_bytes", [4 << 20, 1 << 16], ids=["kept", "cut"])
def test_a_message_s_command_set_is_counted_until_it_is_answered(
    serve: Start, monkeypatch: pytest.MonkeyPatch, file: Path, max_bytes: int
) -> None:
    """Of one that is too long, too, though nothing else is kept of it."""
    served = serve(max_bytes=max_bytes)
    held = []
    right = served.node._store

    def stored(*args: Any) -> int:
        held.append(served.held())
        return right(*args)

    monkeypatch.setattr(served.node, "_store", stored)
    size = len(_data_set(file.read_bytes())) if max_bytes > 1 << 16 else 0
    assert (storescu(served.port, file).returncode == 0) == bool(size)
    assert size + 100 < held[0] < size + 400


@pytest.mark.parametrize("control", [0, 1], ids=["data", "command"])
@pytest.mark.parametrize("how", ["it closes", "it is reset", "it aborts"])
def test_a_peer_that_is_gone_within_a_message_is_told_in_one_line(
    serve: Start, how: str, control: int
) -> None:
    served = serve()
    association = associated(served.port)
    raw = association.dul.socket.socket
    raw.sendall(fragment(association, control, 1000))
    wait_for(lambda: served.held() >= 1000, "its bytes")
    if how == "it aborts":
        association.abort()
    else:
        if how == "it is reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.shutdown(socket.SHUT_WR) if how == "it closes" else raw.close()
    wait_for(lambda: served.associations() == 0, "the end of the association")
    (line,) = served.log.splitlines()
    assert " aborted peer=MODALITY host=127.0.0.1 " in line
    assert line.endswith('why="its connection ends within a message"')


def test_a_fault_within_receiving_is_told_though_the_peer_is_gone(
    serve: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    association = associated(served.port)
    raw = association.dul.socket.socket

    def fail(*args: object) -> int:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        raise MemoryError

    monkeypatch.setattr(bounded.Fragments, "write", fail)
    raw.sendall(fragment(association, 0, 1000))
    wait_for(lambda: served.associations() == 0, "the end of the association")
    wait_for(lambda: bool(served.log), "the line")
    (line,) = served.log.splitlines()
    assert 'aborted peer=MODALITY host=127.0.0.1 why="receiving it fails here (Memory' in line


def test_peers_that_end_as_they_should_are_not_told_of(serve: Start, file: Path) -> None:
    served = serve()
    assert echoes(served.port)
    assert storescu(served.port, file).returncode == 0
    assert dcmtk("echoscu", "--abort", "-aec", "EDGECXR", "127.0.0.1", served.port).returncode == 0
    association = associated(served.port)
    raw = association.dul.socket.socket
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    wait_for(lambda: served.associations() == 0, "the end of the associations")
    assert [line.split()[1] for line in served.log.splitlines()] == ["received"]


def test_what_an_ended_association_had_is_held_no_longer(serve: Start) -> None:
    """Whenever Python finds what belongs to it."""
    served = serve()
    association = associated(served.port)
    gc.disable()
    try:
        association.dul.socket.socket.sendall(fragment(association, 0, 100_000))
        wait_for(lambda: served.held() >= 100_000, "its bytes")
        association.abort()
        wait_for(lambda: served.associations() == 0, "its end")
        wait_for(lambda: served.held() == 0, "nothing to be held")
    finally:
        gc.enable()


def test_a_hundred_silent_connections_do_not_keep_the_next_one_out(
    serve: Start, file: Path
) -> None:
    served = serve(associations=2)
    with ExitStack() as stack:
        for i in range(100):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            if i % 2:
                peer.sendall(b"\x01\x00\x00\x00\x01")  # the beginning of a request
        assert echoes(served.port)
        assert storescu(served.port, file).returncode == 0
        assert served.associations() <= 1


def test_silent_connections_are_sent_away(serve: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "PATIENCE", 0.2)
    served = serve()
    with socket.create_connection(("127.0.0.1", served.port)) as silent:
        silent.settimeout(60)
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", served.port)) as other:
        other.sendall(b"GET / HTTP/1.1\r\n\r\n")
        other.settimeout(60)
        with suppress(ConnectionResetError):
            assert other.recv(1) == b""


def test_no_more_associations_than_allowed_and_long_silent_ones_make_room(
    serve: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(associations=2)
    silent = [associated(served.port) for _ in range(2)]
    refused = dcmtk("echoscu", "-aec", "EDGECXR", "127.0.0.1", served.port)
    assert "Local Limit Exceeded" in refused.stderr + refused.stdout
    monkeypatch.setattr(bounded, "PATIENCE", 0.0)
    assert echoes(served.port)
    wait_for(lambda: not all(each.is_established for each in silent), "room")
    for each in silent:
        each.abort()


def test_an_association_that_falls_silent_is_ended_and_told(serve: Start) -> None:
    served = serve(silence=1)
    association = associated(served.port)
    association.network_timeout = None  # so that the peer does not end it
    wait_for(lambda: not association.is_established, "the end of the association")
    wait_for(lambda: served.associations() == 0, "the end of its threads")
    assert 'aborted peer=MODALITY host=127.0.0.1 why="it says nothing"' in served.log


def test_what_was_answered_is_held_no_longer(serve: Start) -> None:
    served = serve()
    association = associated(served.port, VERIFICATION)
    assert association.send_c_echo().Status == 0
    wait_for(lambda: served.held() == 0, "nothing to be held")
    association.release()


def test_messages_that_wait_are_held(serve: Start) -> None:
    served = serve()
    begun, release = threading.Semaphore(0), threading.Event()
    slow = served.spool.accept
    second = iter([False])

    def accept(offered: Any) -> Any:
        begun.release()
        if next(second, True):
            release.wait(60)
        return slow(offered)

    served.spool.accept = accept  # type: ignore[method-assign]
    association = associated(served.port)
    data = _data_set(dicom())
    for number in range(1, 4):
        request = C_STORE()
        request.MessageID, request.Priority = number, 2
        request.AffectedSOPClassUID = CR
        request.AffectedSOPInstanceUID = "1.2.276.0.9701.1.1.1"
        request.DataSet = io.BytesIO(data)
        association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    begun.acquire(timeout=30)
    begun.acquire(timeout=30)
    wait_for(lambda: served.held() >= 2 * len(data), "the second in hand, the third waiting")
    release.set()
    association.abort()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_outlives_its_association_is_ended(serve: Start) -> None:
    """pynetdicom's own thread fails on the eleventh C-CANCEL."""
    served = serve()
    association = associated(served.port)
    for number in range(12):
        cancel = C_CANCEL()
        cancel.MessageIDBeingRespondedTo = number + 1
        association.dimse.send_msg(cancel, association.accepted_contexts[0].context_id)
    wait_for(lambda: not association.is_established, "the end of the association")


def test_a_pdu_longer_than_agreed_ends_the_connection(serve: Start) -> None:
    served = serve()
    association = associated(served.port)
    raw = association.dul.socket.socket
    raw.sendall(b"\x04\x00\xff\xff\xff\xff" + bytes(1000))
    wait_for(lambda: served.associations() == 0, "the end of the association")
    assert echoes(served.port)
    (line,) = served.log.splitlines()
    assert 'aborted peer=MODALITY host=127.0.0.1 why="a PDU is longer than allowed' in line


@pytest.mark.parametrize("size", [1, 2, 100, 5000])
def test_small_fragments_cost_little_more_than_their_bytes(size: int) -> None:
    fragments, written = bounded.Fragments(), []
    for number in range(200_000 // size):
        written.append(bytes([number % 251]) * size)
        fragments.write(written[-1])
    assert fragments.getvalue() == b"".join(written)
    held = sum(map(sys.getsizeof, fragments.pieces)) + sys.getsizeof(fragments.pieces)
    assert held < 1.3 * 200_000


@given(st.lists(st.sampled_from([0, 1, 3, 40_000, 65_535, 65_536, 70_000])))
def test_a_data_set_is_what_was_sent_however_it_comes_apart(sizes: list[int]) -> None:
    fragments = bounded.Fragments()
    written = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    for each in written:
        assert fragments.write(each) == len(each)
    assert fragments.getvalue() == b"".join(written)
    assert all(len(piece) >= bounded.PIECE for piece in fragments.pieces[:-1])


def test_an_image_in_small_fragments_is_stored_as_it_was_sent(
    serve: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    association = associated(served.port)
    monkeypatch.setattr(DIMSEServiceProvider, "maximum_pdu_size", 64)
    data = _data_set(dicom())
    association._reactor_checkpoint.clear()  # the answer is this test's
    assert sent_as(association, data, "1.2.276.0.9701.1.1.1") == 0
    association._reactor_checkpoint.set()
    association.abort()
    image = served.spool.take()
    assert image is not None
    assert image.path.read_bytes().endswith(data)


def test_messages_that_wait_for_no_answer_are_bounded(serve: Start) -> None:
    served = serve()
    release = threading.Event()
    slow = served.spool.accept
    served.spool.accept = lambda offered: release.wait(60) and slow(offered)  # type: ignore[method-assign]
    association = associated(served.port)
    context = association.accepted_contexts[0].context_id
    data = _data_set(dicom())
    with suppress(Exception):
        for i in range(100):
            request = C_STORE()
            request.MessageID, request.Priority = i + 1, 2
            request.AffectedSOPClassUID = CR
            request.AffectedSOPInstanceUID = "1.2.276.0.9701.1.1.1"
            request.DataSet = io.BytesIO(data)
            association.dimse.send_msg(request, context)
    wait_for(lambda: not association.is_established, "the end of the association")
    release.set()
    wait_for(lambda: served.associations() == 0, "the end of its threads")
    assert echoes(served.port)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_mutated_conversations_crash_and_leak_nothing(
    serve: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, chance = serve(associations=50, silence=1), random.Random(7)
    monkeypatch.setattr(lobby, "PATIENCE", 1.0)
    small = tmp_path / "small.dcm"
    small.write_bytes(dicom(1, np.zeros((16, 16), np.uint8)))
    recorder = Recorder(served.port)
    assert storescu(recorder.port, small).returncode == 0
    said = bytes(recorder.said)
    assert echoes(served.port)
    wait_for(lambda: served.associations() == 0, "quiet")
    files = len(os.listdir("/proc/self/fd"))
    for _ in range(MUTATIONS):
        with socket.create_connection(("127.0.0.1", served.port)) as peer, suppress(OSError):
            peer.sendall(damaged(said, chance))
    wait_for(lambda: served.associations() == 0, "the end of all associations")
    assert echoes(served.port)
    assert storescu(served.port, small).returncode == 0
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= files + 2, "the files' end")
    print(f"{MUTATIONS} mutated conversations: no crash, no association and no file left")


# TLS


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for the node and one for a peer, each its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    openssl = program("openssl", "openssl")
    for name in ("node", "peer"):
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"),
            ],
            check=True,
            capture_output=True,
        )
    return folder


def rejections(served: Served) -> list[str]:
    """Why, for each that was told."""
    found = [line.partition(" rejected host=127.0.0.1 why=") for line in served.log.splitlines()]
    return [why for _, told, why in found if told]


def test_with_tls_only_who_shows_a_certificate_is_let_in(
    serve: Start, certificates: Path, file: Path
) -> None:
    of = certificates
    served = serve(tls=Tls(of / "node.pem", of / "node.key", of / "peer.pem"))
    with socket.create_connection(("127.0.0.1", served.port)):  # shakes no hands
        shown = ("+tls", of / "peer.key", of / "peer.pem", "+cf", of / "node.pem")
        assert storescu(served.port, *shown, file).returncode == 0
    anonymous = storescu(served.port, "+tla", "+cf", of / "node.pem", file)
    assert anonymous.returncode != 0
    assert storescu(served.port, file).returncode != 0
    assert served.spool.counts()["waiting"] == 1
    wait_for(lambda: len(rejections(served)) == 2, "the lines")
    assert rejections(served) == [
        '"TLS fails: peer did not return a certificate"',
        '"TLS fails: wrong version number"',
    ], "and nothing of who hung up"


def test_who_speaks_tls_or_no_dicom_to_a_node_without_tls_is_told_so(
    serve: Start, file: Path
) -> None:
    served = serve()
    assert storescu(served.port, "+tla", "-ic", file).returncode != 0
    with socket.create_connection(("127.0.0.1", served.port)) as other:
        other.sendall(b"GET / HTTP/1.1\r\n\r\n")
        wait_for(lambda: "DICOM" in served.log, "the line")
    with socket.create_connection(("127.0.0.1", served.port)):
        pass
    assert echoes(served.port)
    wait_for(lambda: len(rejections(served)) == 2, "the lines")
    assert rejections(served) == [
        '"it speaks TLS: set [node.tls], or switch it off there"',
        '"it does not speak DICOM"',
    ], "and nothing of who hung up"


def test_a_receiver_whose_certificate_is_refused_is_told_from_one_that_is_down(
    serve: Start, certificates: Path
) -> None:
    of = certificates
    served = serve(tls=Tls(of / "node.pem", of / "node.key", of / "peer.pem"))
    tls = Tls(of / "peer.pem", of / "peer.key", of / "peer.pem")  # which has not signed its own
    archive = Archive(Receiver("a", "EDGECXR", "127.0.0.1", served.port, "BOX", tls, False, 1.0))
    with pytest.raises(UndeliveredError, match="its certificate is refused: "):
        archive.deliver(Delivery(1, 1, "a", "1.2", "", 0, dicom()))


def test_time_is_not_what_ends_a_slow_but_honest_peer(serve: Start) -> None:
    served = serve(silence=30)
    association = associated(served.port)
    time.sleep(0.3)
    assert association.send_c_store(dcmread(io.BytesIO(dicom()))).Status == 0
    association.release()


def test_contexts_of_tls_are_not_older_than_1_2(certificates: Path) -> None:
    from edge_app.clinic.node import server_context

    of = certificates
    context = server_context(Tls(of / "node.pem", of / "node.key", of / "peer.pem"))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
