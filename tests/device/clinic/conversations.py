"""What a modality says to a node: kept, and damaged."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress


class Recorder(threading.Thread):
    """Between a peer and the node: keeps what the peer says."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.to, self.said = port, bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        peer, _ = self.listener.accept()
        node = socket.create_connection(("127.0.0.1", self.to))
        back = threading.Thread(target=self._copy, args=(node, peer, bytearray()), daemon=True)
        back.start()
        self._copy(peer, node, self.said)

    def _copy(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def damaged(said: bytes, chance: random.Random) -> bytes:
    """With some bytes changed, and now and then without its end."""
    data = bytearray(said)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    return bytes(data)
