"""pynetdicom's acceptor with bounds on what a peer can make it hold, and for how long.

pynetdicom 3 reads a PDU of whatever length it announces, keeps a message of whatever length it
gets, and waits for each piece anew. Here a PDU and a message have a longest length, all messages
together have one, and a PDU has an end to come to. It also copies what it reads six times, with
Python's lock; here a large fragment is copied once, and a data set stays in its pieces.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from queue import Empty
from typing import TYPE_CHECKING, Any, Final
from weakref import ReferenceType, WeakSet, ref

import numpy as np
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import (
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from edge_app.clinic.lobby import LONGEST_REQUEST, Lobby
from edge_app.clinic.upper_layer import WaitingUpperLayer, with_upper_layer

if TYPE_CHECKING:
    from pynetdicom.association import Association

WAITING_MESSAGES: Final = 4
"""Received and unhandled messages of one association: a peer has to wait for its answers."""

READ_OUT: Final = 4
"""Times the longest message is read to its end, so that it can be refused by its status."""

PATIENCE: Final = 5.0
"""Seconds without a word after which an association may have to go, so that another may come."""

PIECE: Final = 1 << 16
"""Bytes below which the next fragment joins a piece: each piece costs some of its own."""

LONGEST_COMMAND: Final = 1 << 12
"""Bytes of a message's command set: those of C-STORE and C-ECHO have some hundreds."""

ABOUT: Final = 0.5
"""Seconds by which the end of a PDU may be waited for too long: a new limit costs a system call."""

TICK: Final = 0.1
"""Seconds for which a message is waited for before the end of its association is looked for."""

DATA_CAME: Final = "Evt10"
CLOSED: Final = "Evt17"
INVALID: Final = "Evt19"
"""Events of the state machine (PS3.8 table 9-10): a P-DATA-TF, the end of the connection, and an
invalid PDU, which it answers with A-ABORT."""

P_DATA_TF: Final = 0x04
TRANSFER: Final = "Sta6"
"""The state in which messages come and go (PS3.8 9.2)."""

HEADER: Final = 6
"""Bytes of a PDU before its items (PS3.8 9.3.1)."""

ABORTED: Final = b"\x07\0\0\0\0\x04\0\0\x02\x06"
"""An A-ABORT by the service provider, for a PDU that cannot be (PS3.8 9.3.8)."""

STRANGE: Final = "what it says is not understood here"
FAILS: Final = "receiving it fails here"
BROKEN: Final = "its connection ends within a message"
TOO_LONG: Final = "a message is larger than max_mb, and does not end"
LONG_COMMAND: Final = f"a command set has more than {LONGEST_COMMAND} bytes"
TOO_MANY: Final = "its messages wait for no answers"
NO_ROOM: Final = "the messages of all peers take too much memory"
UNENDED: Final = "a PDU is longer than allowed, or does not come to its end"
SILENT: Final = "it says nothing"
ENDED: Final = "others wait, and it says nothing"
"""Reasons for which an association is aborted, or ends early."""


class Bounds:
    """The most that one node holds.

    Args:
        message: bytes of a message.
        together: bytes of all messages.
        pdu: bytes of a PDU.
        silence: seconds in which a PDU has to come to its end.
        tell: is told why an association has ended, where its peer cannot be told any more.
        refused: is told an address from which no association can come, and why.
    """

    def __init__(
        self,
        message: int,
        together: int,
        pdu: int,
        silence: float,
        tell: Callable[[Association, str], None],
        refused: Callable[[Any, str], None],
    ) -> None:
        self.message, self.together = message, together
        self.pdu, self.silence = max(pdu, LONGEST_REQUEST), silence
        self.tell, self.refused = tell, refused
        self._providers: WeakSet[BoundedMessages] = WeakSet()
        self._lock = threading.Lock()

    def count(self, provider: BoundedMessages) -> None:
        """Count what a further association holds."""
        with self._lock:
            self._providers.add(provider)

    def held(self) -> int:
        """Bytes of all messages that are received or handled now."""
        with self._lock:
            providers = [*self._providers]
        return sum(each.held for each in providers)


class BoundedSocket(AssociationSocket):
    """Reads a PDU within the bounds, or ends the connection.

    Attributes:
        heard: when the peer last said something, by the monotonic clock.
    """

    def __init__(self, association: Association, connection: socket.socket, bounds: Bounds) -> None:
        super().__init__(association, client_socket=connection)
        self.bounds, self.heard = bounds, time.monotonic()
        connection.settimeout(bounds.silence)
        self._unread = b""

    @property
    def ready(self) -> bool:
        """See pynetdicom, whose `select` takes no file of a number from 1024 on."""
        if self.socket is None or not self._is_connected:
            return False
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        poll = select.poll()
        try:
            poll.register(self.socket, select.POLLIN)
        except ValueError:  # it is closed
            self.event_queue.put(CLOSED)
            return False
        return bool(poll.poll(0))

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes; fewer where the connection ends before.

        Raises:
            OSError: it is more than allowed, or takes too long.
        """
        return bytearray(self.view(nr_bytes))

    def view(self, size: int) -> memoryview:
        """The same, in memory of their own.

        Raises:
            OSError: see `recv`.
        """
        if size > self.bounds.pdu:
            raise OSError(f"a PDU of {size} bytes is longer than allowed")
        connection: Any = self.socket
        view, got = np.empty(size, np.uint8).data, len(self._unread)  # not filled first
        view[:got], self._unread = self._unread, b""
        left = self.bounds.silence
        end = time.monotonic() + left
        try:
            while got < size:
                if left < self.bounds.silence - ABOUT:
                    connection.settimeout(left)
                count = connection.recv_into(view[got:])
                if not count:
                    break
                got += count
                left = end - time.monotonic()
                if left <= 0 and got < size:
                    raise TimeoutError("a PDU did not come to its end")
        finally:
            if left < self.bounds.silence - ABOUT:
                connection.settimeout(self.bounds.silence)
        self.heard = time.monotonic()
        return view[:got]

    def unread(self, head: bytes) -> None:
        """Have these bytes, no more than will be asked for, come again."""
        self._unread = head


class Fragments(BytesIO):
    """A data set as it came: large fragments where they are, small ones put together.

    Args:
        cut: nothing of it is kept.

    Attributes:
        pieces: of its bytes; all but the last are of `PIECE` bytes or more.
        size: of all of them, in bytes.
        command: bytes of the command set that it came with.
    """

    def __init__(self, *, cut: bool = False) -> None:
        super().__init__()
        self.cut = cut
        self.pieces: list[bytes | bytearray | memoryview] = []
        self.size = self.command = 0

    def write(self, data: Any, /) -> int:
        """One more fragment."""
        self.size += len(data)
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, bytearray) and len(last) < PIECE:
            last += data
        else:
            most = 2 * len(data) >= len(getattr(data, "obj", data))  # a view keeps all of its PDU
            self.pieces.append(data if len(data) >= PIECE and most else bytearray(data))
        return len(data)

    def getvalue(self) -> bytes:
        """All of it in one piece."""
        return b"".join(self.pieces)


class _Data:
    """A P-DATA-TF that is taken apart."""

    def __init__(self, values: list[list[Any]]) -> None:
        self.values = values

    def to_primitive(self) -> P_DATA:
        primitive = P_DATA()
        primitive._presentation_data_value_list = self.values  # its setter takes bytes alone
        return primitive


class BoundedUpperLayer(WaitingUpperLayer):
    """Takes what is most of all that comes apart without copying it.

    Attributes:
        why: the association is aborted; None where nothing has said so.
        informed: its peer has been told.
    """

    why: str | None = None
    informed = False

    def why_aborted(self) -> str:
        """Why the association is aborted."""
        return self.why or (SILENT if self.idle_timer_expired() else STRANGE)

    def run_reactor(self) -> None:
        """See pynetdicom; what the association holds goes with it."""
        messages = self.assoc.dimse
        try:
            super().run_reactor()
        except Exception as error:
            self.why = _failed(error)
            raise
        finally:
            why = self.why or (BROKEN if messages.message is not None else None)
            if why and not self.informed:
                messages.bounds.tell(self.assoc, why)
            messages.let_go()

    def abort(self, why: str) -> None:
        """Have the association end, from any of its threads."""
        self.why = why
        self.event_queue.put(INVALID)

    def _give_up(self) -> None:
        """End the connection: where a PDU stops, the next one cannot be found."""
        self.why = UNENDED
        self.socket.send(ABORTED)
        self.event_queue.put(CLOSED)

    def _is_transport_event(self) -> bool:
        """See pynetdicom, which ends the association where this fails."""
        try:
            return super()._is_transport_event()
        except Exception as error:
            self.why = _failed(error)
            raise

    def _wait(self) -> None:
        """See `WaitingUpperLayer`; who waits for a message hears of the association's end first."""
        if not self.assoc.is_alive():  # its thread has failed, and nobody would end the connection
            self.abort(FAILS)
            return
        messages = self.assoc.dimse.msg_queue
        if self.to_user_queue.queue and not messages.queue:
            messages.put((None, None))
        super()._wait()

    def _read_pdu_data(self) -> None:
        """See pynetdicom; what comes at once after a P-DATA-TF is read at once."""
        while self._read_one() and self.socket.ready and not self.to_provider_queue.queue:
            self._idle_timer.restart()

    def _read_one(self) -> bool:
        """Read a PDU; whether that is all that there is to do with it."""
        begun = False
        try:
            head = bytes(self.socket.view(HEADER))
            if len(head) < HEADER or head[0] != P_DATA_TF:
                self.socket.unread(head)
                super()._read_pdu_data()
                return False
            begun, length = True, int.from_bytes(head[2:], "big")
            items = self.socket.view(length)
        except ConnectionError:
            self.why = BROKEN if begun else None
            self.event_queue.put(CLOSED)
            return False
        except OSError:
            self._give_up()
            return False
        if len(items) != length:
            self._give_up()
            return False
        try:
            data = _Data(_values_in(items))
        except ValueError:
            self.abort(STRANGE)
            return False
        if self.state_machine.current_state == TRANSFER and not self._kill_thread:
            # The action of the state machine (DT-2), and the state stays; without its ways round.
            self.assoc.dimse.receive_primitive(data.to_primitive())
            return self.event_queue.empty()
        self._recv_pdu.put(data)  # type: ignore[arg-type]
        self.event_queue.put(DATA_CAME)
        return False


def _failed(error: Exception) -> str:
    """Why an association is aborted where something fails that its peer may have caused."""
    why = FAILS if isinstance(error, (MemoryError, OSError)) else STRANGE
    return f"{why} ({type(error).__name__})"


def _values_in(items: memoryview) -> list[list[Any]]:
    """Context and fragment, its control header first, of each item of a P-DATA-TF (PS3.8 9.3.5).

    Raises:
        ValueError: they do not end where it ends.
    """
    values, at = [], 0
    while at < len(items):
        length = int.from_bytes(items[at : at + 4], "big")
        end = at + 4 + length
        if length < 2 or end > len(items):
            raise ValueError
        values.append([items[at + 4], items[at + 5 : end]])
        at = end
    if not values:
        raise ValueError
    return values


class BoundedMessages(DIMSEServiceProvider):
    """Puts fragments together to messages no longer than the bounds.

    A longer one is read to its end, and of its data set nothing is kept, see `Fragments`. One that
    does not end, and one more than may wait, aborts the association.
    """

    message: DIMSEMessage | None

    def __init__(self, association: Association, bounds: Bounds) -> None:
        super().__init__(association)
        self.bounds = bounds
        self._length = self._command = self._kept = 0
        self._in_hand: ReferenceType[Any] | None = None
        bounds.count(self)

    @property
    def held(self) -> int:
        """Bytes of the messages that are not handled yet: under way, waiting, and in hand."""
        in_hand = self._in_hand() if self._in_hand else None
        waiting = sum(_size(message) for _, message in [*self.msg_queue.queue])
        return self._kept + waiting + _size(in_hand)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """See pynetdicom."""
        bounds, fragments = self.bounds, primitive.presentation_data_value_list
        self._length += sum(len(data) for _, data in fragments)
        self._command += sum(len(data) for _, data in fragments if _is_command(data))
        cut = self._length > bounds.message
        kept = self._command if cut else self._length
        if why := self._why_not(kept - self._kept):
            self.dul.abort(why)
            return
        self._kept = kept
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.data_set = Fragments()
        if cut:
            self.message.data_set = Fragments(cut=True)
            begun = [
                [context, data if _is_command(data) else data[:1]] for context, data in fragments
            ]
            primitive = _Data(begun).to_primitive()
        self.message.data_set.command = self._command
        super().receive_primitive(primitive)
        if self.message is None:
            self._length = self._command = self._kept = 0

    def _why_not(self, more: int) -> str | None:
        """Why so many more bytes are not kept; None where they are."""
        bounds = self.bounds
        if self.msg_queue.qsize() >= WAITING_MESSAGES:
            return TOO_MANY
        if self._command > LONGEST_COMMAND:
            return LONG_COMMAND
        if self._length > READ_OUT * bounds.message:
            return TOO_LONG
        return NO_ROOM if more > 0 and bounds.held() + more > bounds.together else None

    def get_msg(self, block: bool = False) -> Any:
        """See pynetdicom; its acceptor asks, and looks for the end of its association, in turns.

        Who asks for the next message is done with the one before.
        """
        self.handled()
        try:
            context, message = self.msg_queue.get(timeout=TICK)
        except Empty:
            return None, None
        self._in_hand = ref(message) if message is not None else None
        return context, message

    def handled(self) -> None:
        """The message in hand is done with."""
        self._in_hand = None

    def let_go(self) -> None:
        """Keep nothing of what nobody will handle any more: the association has ended."""
        self.message = None
        self._kept = 0
        with suppress(Empty):
            while True:
                self.msg_queue.get_nowait()


def _size(message: Any) -> int:
    """Bytes of a message that has a data set; others have next to none."""
    data = getattr(message, "DataSet", None)
    return data.size + data.command if isinstance(data, Fragments) else 0


def _is_command(fragment: Any) -> bool:
    """Whether it belongs to a message's command set (PS3.8 E.2)."""
    return bool(fragment[:1]) and bool(fragment[0] & 1)


class BoundedHandler(RequestHandler):
    """Makes an association with bounds of an admitted connection."""

    server: BoundedServer

    def handle(self) -> None:
        """See pynetdicom."""
        self.server.make_room()
        super().handle()

    def _create_association(self) -> Association:
        association = super()._create_association()
        bounds = self.server.bounds
        with_upper_layer(association, BoundedUpperLayer(association))
        association.dul.socket = BoundedSocket(association, self.request, bounds)
        association.dimse = BoundedMessages(association, bounds)
        association.daemon = association.dul.daemon = True
        return association


class BoundedServer(ThreadedAssociationServer):
    """Lets connections wait in a lobby, and has a bounded association for each that is admitted.

    Args:
        tls: with which a connection begins; None for none.
        bounds: of each association, and of all.
        others: as of `ThreadedAssociationServer`.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, *others: Any, tls: ssl.SSLContext | None, bounds: Bounds, **named: Any
    ) -> None:
        self.tls, self.bounds = tls, bounds
        super().__init__(*others, request_handler=BoundedHandler, **named)
        self.lobby = Lobby(super().process_request, bounds.refused, tls=tls is not None)
        self.lobby.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """See socketserver; a TLS handshake is begun in the lobby."""
        connection, address = self.socket.accept()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """See socketserver."""
        self.lobby.enter(request, client_address)

    def make_room(self) -> None:
        """Where all associations are taken, end the one that has been silent longest, if long."""
        active = [each for each in self.active_associations if each.is_established]
        if len(active) < self.ae.maximum_associations:
            return
        silent = [each for each in active if not each.dimse.held]
        longest = min(silent, key=lambda each: each.dul.socket.heard, default=None)
        if longest and time.monotonic() - longest.dul.socket.heard > PATIENCE:
            longest.dul.why = ENDED
            ending = threading.Thread(target=longest.abort, daemon=True)
            ending.start()
            ending.join(1)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks while it is made is nobody's fault here."""
