"""Where connections wait until they have asked for an association.

A thread for each connection would let a hundred peers that never speak keep the next one out. Here
a silent one costs a socket, and is sent away after a while; so is what does not begin as DICOM's
upper layer protocol does (PS3.8 9.3.2), or TLS.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from edge_app.clinic.faults import in_words

PLACES: Final = 256
"""Connections that may wait; with one more, the one that has waited longest is closed."""

PATIENCE: Final = 10.0
"""Seconds from a connection to its complete request."""

TICK: Final = 0.05
"""Seconds between two looks at requests of which a part has come."""

HEADER: Final = 6
REQUEST: Final = 0x01
LONGEST_REQUEST: Final = 1 << 16

HANDSHAKE: Final = 0x16
"""With which TLS begins (RFC 8446 5.1)."""

HUNG_UP: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
SPEAKS_TLS: Final = "it speaks TLS: set [node.tls], or switch it off there"
STRANGE: Final = "it does not speak DICOM"

Address = Any


class _Guest(NamedTuple):
    connection: socket.socket
    address: Address
    since: float


class Lobby(threading.Thread):
    """Waits for requests, and admits who has made one.

    Args:
        admit: is given a connection, and its peer's address; blocks for no time.
        refused: is told the address of a peer whose request cannot be one, and why.
        tls: whether connections are TLS sockets, whose handshake is still to be made.
    """

    def __init__(
        self,
        admit: Callable[[socket.socket, Address], None],
        refused: Callable[[Address, str], None],
        *,
        tls: bool,
    ) -> None:
        super().__init__(name="lobby", daemon=True)
        self._admit, self._refused, self._tls = admit, refused, tls
        self._selector = selectors.DefaultSelector()
        self._guests: dict[int, _Guest] = {}
        self._partial: set[int] = set()
        self._entered: list[_Guest] = []
        self._lock = threading.Lock()
        self._bell, bell = socket.socketpair()
        self._bell.setblocking(False)
        self._ring = bell
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._stopping = False

    def enter(self, connection: socket.socket, address: Address) -> None:
        """Let a connection wait."""
        connection.setblocking(False)
        with self._lock:
            self._entered.append(_Guest(connection, address, time.monotonic()))
        self._wake()

    def stop(self) -> None:
        """Close all connections, and end."""
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._ring.send(b"!")

    def run(self) -> None:
        while not self._stopping:
            wait = TICK if self._partial else 1.0 if self._guests else None
            ready = {key.fd for key, _ in self._selector.select(wait)}
            if self._bell.fileno() in ready:
                with suppress(OSError):
                    self._bell.recv(4096)
            self._seat()
            for place in [*(ready & self._guests.keys()), *self._partial]:
                if place in self._guests:
                    self._look(self._guests[place])
            for guest in [*self._guests.values()]:
                if time.monotonic() - guest.since > PATIENCE:
                    self._send_away(guest)
        for guest in [*self._guests.values()]:
            self._send_away(guest)
        self._selector.close()
        self._bell.close()
        self._ring.close()

    def _seat(self) -> None:
        with self._lock:
            entered, self._entered = self._entered, []
        for guest in entered:
            if len(self._guests) >= PLACES:
                self._send_away(min(self._guests.values(), key=lambda each: each.since))
            self._guests[guest.connection.fileno()] = guest
            self._selector.register(guest.connection, selectors.EVENT_READ)

    def _look(self, guest: _Guest) -> None:
        """Admit a guest whose request is complete, wait for its rest, or send it away."""
        place = guest.connection.fileno()
        try:
            if self._tls:
                self._shake_hands(guest)
                return
            begun = guest.connection.recv(HEADER + LONGEST_REQUEST, socket.MSG_PEEK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except (OSError, ValueError) as error:
            self._send_away(guest)
            if isinstance(error, ssl.SSLError) and not isinstance(error, HUNG_UP):
                self._refused(guest.address, in_words(error))
            return
        length = int.from_bytes(begun[2:HEADER], "big")
        if not begun:  # it has hung up
            self._send_away(guest)
        elif begun[0] != REQUEST or length > LONGEST_REQUEST:
            self._send_away(guest)
            self._refused(guest.address, SPEAKS_TLS if begun[0] == HANDSHAKE else STRANGE)
        elif len(begun) < HEADER or len(begun) < HEADER + length:
            if place not in self._partial:  # it stays readable: look at it from time to time
                self._partial.add(place)
                self._selector.unregister(guest.connection)
        else:
            self._admit_now(guest)

    def _shake_hands(self, guest: _Guest) -> None:
        connection = guest.connection
        assert isinstance(connection, ssl.SSLSocket)
        try:
            connection.do_handshake()
        except ssl.SSLWantWriteError:
            self._selector.modify(connection, selectors.EVENT_WRITE)
        except ssl.SSLWantReadError:
            self._selector.modify(connection, selectors.EVENT_READ)
        else:
            self._admit_now(guest)

    def _admit_now(self, guest: _Guest) -> None:
        self._forget(guest)
        try:
            guest.connection.setblocking(True)
            self._admit(guest.connection, guest.address)
        except Exception:  # no thread can be started, say: others may still be let in
            guest.connection.close()

    def _send_away(self, guest: _Guest) -> None:
        self._forget(guest)
        with suppress(OSError):
            guest.connection.close()

    def _forget(self, guest: _Guest) -> None:
        place = guest.connection.fileno()
        del self._guests[place]
        if place in self._partial:
            self._partial.discard(place)
        else:
            self._selector.unregister(guest.connection)
