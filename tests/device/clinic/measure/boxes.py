"""A box as a process of its own, and what the system says of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..peers import Box, free_port, wait_for


class Ports(NamedTuple):
    """Where a box listens, and an archive for its results."""

    node: int
    page: int
    metrics: int
    archive: int
    http: int


class Held(NamedTuple):
    """What a process holds: resident memory, open files, threads, connections to its ports."""

    megabytes: int
    files: int
    threads: int
    connections: int

    def __str__(self) -> str:
        return (
            f"{self.megabytes} MB, {self.files} files, {self.threads} threads, "
            f"{self.connections} connections"
        )


def free_ports() -> Ports:
    """Ports at which nothing listens now."""
    return Ports(*(free_port() for _ in Ports._fields))


@contextmanager
def serving_box(
    folder: Path, top: str = "", more: str = "", node: str = "", ports: Ports | None = None
) -> Iterator[tuple[Box, Ports]]:
    """A box with node, page and metrics.

    Args:
        top: lines before the first table.
        more: tables; ``{archive}`` stands for a free port.
        node: more lines of the node's table.
        ports: those that it takes; free ones if None.
    """
    ports = ports or free_ports()
    box = Box(
        folder,
        f'spool = "spool"\nleast_free_mb = 10\n{top}\n'
        f"[node]\nport = {ports.node}\n{node}\n[page]\nport = {ports.page}\n"
        f"[metrics]\nport = {ports.metrics}\n{more.format(**ports._asdict())}",
    )
    box.start("serving")
    wait_for(lambda: box.log().count(" serving ") >= 2, "the metrics")
    try:
        yield box, ports
    finally:
        box.kill()


def processor_seconds(process: int) -> float:
    """Of a process and all that it started, those that have ended too (proc(5), /proc/PID/stat)."""
    parents: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(place.name))
            spent[int(place.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def of(number: int) -> float:
        return spent.get(number, 0.0) + sum(map(of, parents.get(number, ())))

    return of(process)


def process_of(box: Box) -> int:
    assert box.process is not None
    return box.process.pid


def held(box: Box, ports: Ports) -> Held:
    """What a box holds now."""
    place = Path(f"/proc/{process_of(box)}")
    status = (place / "status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return Held(
        int(found[1]) // 1024,
        len(os.listdir(place / "fd")),
        len(os.listdir(place / "task")),
        _connections(ports),
    )


def _connections(ports: Ports) -> int:
    """Established ones, as the kernel lists them (proc(5), /proc/net/tcp)."""
    ends = {f"{port:04X}" for port in (ports.node, ports.page, ports.metrics)}
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "01" and row[1].rpartition(":")[2] in ends for row in rows)
