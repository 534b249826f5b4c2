"""A thread that serves HTTP: uvicorn, with bounds on what a peer can make it hold."""

from __future__ import annotations

import resource
import socket
import threading
from contextlib import suppress
from typing import Any, Final

import uvicorn

from edge_app.clinic.page.http_deadlines import DeadlineProtocol
from edge_app.clinic.settings import Listener

ENDING_SECONDS: Final = 5
LONGEST_HEAD: Final = 16 << 10
"""Bytes of a request's first line and headers."""

FILES: Final = 2048
"""Descriptors that this process would like to have: each connection is one."""


class HttpServer:
    """Serves an application at an address until it is stopped.

    Args:
        name: of its thread.
        listener: where.
        app: the ASGI application.

    Raises:
        OSError: its port is taken, or its TLS files cannot be used.
    """

    def __init__(self, name: str, listener: Listener, app: Any) -> None:
        _many_files()
        self._socket = bound(listener.host, listener.port)
        self.port: int = self._socket.getsockname()[1]
        try:
            config = uvicorn.Config(
                app,
                http=DeadlineProtocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=ENDING_SECONDS,
                h11_max_incomplete_event_size=LONGEST_HEAD,
                ssl_certfile=listener.certificate and listener.certificate.certificate,
                ssl_keyfile=listener.certificate and listener.certificate.key,
            )
            config.load()
        except BaseException:
            self._socket.close()
            raise
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        with suppress(SystemExit):  # which would end a thread without a word
            self._server.run(sockets=[self._socket])
        if not self._server.should_exit:
            raise RuntimeError("the server has ended")

    def start(self) -> None:
        """Let connections in."""
        self._socket.listen(128)
        self._thread.start()

    def stop(self) -> None:
        """End all connections; what is being answered is answered first."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2 * ENDING_SECONDS)
        self._socket.close()


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address of this machine.

    Raises:
        OSError: it cannot be had.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
