"""HTTP/1.1 with deadlines: a client that connects and says nothing keeps nobody else out.

uvicorn waits for a request for as long as its sender likes. Here a request has to be complete
within a time, and an answer taken within a time; where all places are taken, the client that has
been silent longest makes room.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PLACES: Final = 256
"""Connections at once."""

ASKING_SECONDS: Final = 10.0
"""Seconds from a connection, or an answer, to the next complete head of a request."""

STALLED_SECONDS: Final = 30.0
"""Seconds that a request under way may neither give nor take a byte."""

LOOK: Final = 1.0
"""Seconds between two looks at one connection."""


class DeadlineProtocol(H11Protocol):
    """uvicorn's protocol, with deadlines."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._since = self._moved = time.monotonic()
        self._left = 0
        self._watching: asyncio.TimerHandle | None = self.loop.call_later(LOOK, self._look)
        if len(self.connections) > PLACES:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watching:
            self._watching.cancel()
            self._watching = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._moved = time.monotonic()
        # Neither a body nor a second request gives a client more time for its first head.
        super().data_received(data)

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except (h11.LocalProtocolError, UnicodeError, ValueError):
            self.transport.abort()  # it breaks the protocol in a way that uvicorn does not foresee

    def on_response_complete(self) -> None:
        self._since = self._moved = time.monotonic()
        super().on_response_complete()

    @property
    def silent(self) -> bool:
        """Whether nothing is being answered here."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _make_room(self) -> None:
        others: list[Any] = [each for each in self.connections if each is not self and each.silent]
        leaving = min(others, key=lambda each: each._since, default=self)
        leaving.transport.abort()

    def _look(self) -> None:
        """End the connection where it has been waited for long enough."""
        self._watching = None
        if self.transport.is_closing():
            with suppress(Exception):
                self.transport.abort()
            return
        now = time.monotonic()
        left = self.transport.get_write_buffer_size()
        if left != self._left:
            self._left, self._moved = left, now
        if self.silent:
            over = now - self._since > ASKING_SECONDS
        else:
            waits_for_peer = left > 0 or not self._has_requested()
            over = waits_for_peer and now - self._moved > STALLED_SECONDS
        if over:
            self.transport.abort()
            return
        self._watching = self.loop.call_later(LOOK, self._look)

    def _has_requested(self) -> bool:
        """Whether the body of the request is here."""
        return self.cycle is None or not self.cycle.more_body
