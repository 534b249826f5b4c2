"""Peers that never speak, at the node and at the page: whether the next one is served."""

from __future__ import annotations

import argparse
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from ..page.serving import Client
from ..peers import dcmtk
from .boxes import held, serving_box


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peers", type=int, default=100, help="at each of the two")


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print how long the next one takes, without the silent ones and beside them."""
    with serving_box(folder, 'model = "cxr-cnn28"') as (box, ports):
        served = _served(ports.node, ports.page, "alone")
        with ExitStack() as stack:
            for number in range(arguments.peers):
                for port in (ports.node, ports.page):
                    peer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                    if number % 2:  # half a request: of an association, or of HTTP
                        peer.sendall(b"\x01\x00\x00\x00\x01" if port == ports.node else b"GET / ")
            served &= _served(
                ports.node, ports.page, f"beside {arguments.peers} silent ones at each"
            )
            print(f"meanwhile the box holds {held(box, ports)}")
        time.sleep(2)
        print(f"2 s after their end {held(box, ports)}")
    return served


def _served(node: int, page: int, when: str) -> bool:
    began = time.perf_counter()
    echo = dcmtk("echoscu", "-aec", "EDGECXR", "127.0.0.1", node).returncode
    between = time.perf_counter()
    status = Client(page).get("/").status
    end = time.perf_counter()
    print(
        f"{when}: C-ECHO {'answered' if not echo else 'REFUSED'} in {between - began:.3f} s, "
        f"the page {status} in {end - between:.3f} s"
    )
    return not echo and status == 200
