"""pynetdicom's upper layer, waiting for what there is to do.

pynetdicom 3 looks a thousand times a second, in each association, whether its peer has said
something, or whether something is to be sent: a tenth of the processor where images come one
after the other. Here it sleeps until one or the other is so.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import AE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

from edge_app.clinic.c_store import WaitingMessages

if TYPE_CHECKING:
    from pynetdicom.association import Association

TICK: Final = 0.1
"""Seconds after which its timers, which are of seconds, are looked at all the same."""

IDLE, CLOSING = "Sta1", "Sta13"
"""States of the upper layer (PS3.8 9.2): no association; the connection is to be closed."""


class WaitingUpperLayer(DULServiceProvider):
    """Looks at its connection when something has come, or another thread has rung.

    Args:
        association: whose it is, in place of the one that it began with.
    """

    socket: Any

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self._run_loop_delay = 0  # it waits elsewhere
        self._prompt: Any = None
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)

    def run_reactor(self) -> None:
        """See pynetdicom."""
        with self._bell, self._ring:
            super().run_reactor()

    def send_pdu(self, primitive: Any) -> None:
        """See pynetdicom."""
        super().send_pdu(primitive)
        self._wake()

    def kill_dul(self) -> None:
        """See pynetdicom."""
        super().kill_dul()
        self._wake()

    def stop_dul(self) -> bool:
        """See pynetdicom."""
        if self.state_machine.current_state != IDLE:
            return False
        self.kill_dul()
        self.join()
        return True

    def _wake(self) -> None:
        with suppress(OSError):  # it is awake already, or has ended
            self._ring.send(b"!")

    def _is_transport_event(self) -> bool:
        """See pynetdicom, which calls this where there is nothing to send."""
        if self.event_queue.empty() and self.state_machine.current_state != CLOSING:
            self._wait()
        return super()._is_transport_event()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        connection = self.socket.socket if self.socket and self.socket._is_connected else None
        self._be_prompt(connection)
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return
        if connection is not None:
            poll.register(connection, select.POLLIN)
        if self._bell.fileno() in dict(poll.poll(1000 * TICK)):
            with suppress(BlockingIOError):
                self._bell.recv(1024)

    def _be_prompt(self, connection: Any) -> None:
        with suppress(OSError):  # it has ended
            if connection is not None and connection is not self._prompt:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._prompt = connection
            if connection is not None and hasattr(socket, "TCP_QUICKACK"):  # not kept by the kernel
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def with_upper_layer(association: Association, layer: DULServiceProvider) -> None:
    """Give an association that has not begun another upper layer."""
    association.dul = layer
    # It begins with timers of its own; these setters give it those of the association.
    association.network_timeout = association.network_timeout
    association.acse_timeout = association.acse_timeout


class PatientSocket(AssociationSocket):
    """Waits no longer than the association does for what it reads and sends."""

    def connect(self, primitive: Any) -> None:
        """See pynetdicom, which leaves it without a limit."""
        super().connect(primitive)
        if self.socket is not None:
            self.socket.settimeout(self.assoc.network_timeout)

    def _shutdown_socket(self) -> None:
        """See pynetdicom, which calls this with the fault in hand that it tells nobody."""
        fault, entity = sys.exc_info()[1], self.assoc.ae
        if isinstance(fault, OSError) and isinstance(entity, Requestor):
            entity.fault = fault
        super()._shutdown_socket()


class Requestor(AE):
    """An application entity whose associations wait for what there is to do.

    Attributes:
        fault: why no connection can be had; None where nothing has said so.
    """

    fault: OSError | None = None

    def _create_socket(self, assoc: Association, address: Any, tls_args: Any) -> AssociationSocket:
        """See pynetdicom, which calls this before an association begins."""
        with_upper_layer(assoc, WaitingUpperLayer(assoc))
        assoc.dimse = WaitingMessages(assoc)
        made = PatientSocket(assoc, address=address)
        made.tls_args = tls_args
        return made
