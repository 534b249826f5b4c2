"""What is wrong with the settings and with this machine, before anything starts."""

from __future__ import annotations

import errno
import importlib.util
import ipaddress
import os
import shutil
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.backends.options import AUTO, BackendOptions
from edge_app.clinic.places import not_mounted, unwritable
from edge_app.clinic.remembered import gone, unmounted
from edge_app.clinic.settings import (
    LOOPBACK,
    WATCH,
    Certificate,
    Listener,
    Node,
    Page,
    Receiver,
    Settings,
    Tls,
    Watch,
    read_settings,
)
from edge_app.clinic.spool_check import SECONDS, SpoolCheck, check_spool
from edge_app.clinic.store import in_use, is_there
from edge_app.core.errors import EdgeCxrError

EXTRA: Final = ("pydicom", "pynetdicom", "highdicom")
EXTRA_OF_PAGE: Final = ("starlette", "uvicorn", "jinja2", "python_multipart")
EXTRA_OF_METRICS: Final = ("starlette", "uvicorn", "prometheus_client")


class Finding(NamedTuple):
    """The result of a check of a settings file and this machine.

    Attributes:
        faults: one line each, with the file's name.
        remark: a line where there is none.
        cautions: one line each on what may be wrong, where there is no fault.
    """

    faults: tuple[str, ...]
    remark: str
    cautions: tuple[str, ...] = ()


def examined(file: Path, *, as_visitor: bool = False) -> Finding:
    """Look at a settings file and at this machine.

    Args:
        as_visitor: who asks is not who runs the box: a spool that they cannot see is no fault.
    """
    try:
        settings = read_settings(file)
    except EdgeCxrError as error:
        return Finding((str(error),), "")
    if as_visitor and _is_hidden(settings.spool):
        return Finding((), f"{file}: its spool is another user's: look as that user, or by sudo")
    seen = _looked_at(settings.spool)
    found = tuple(f"{file}: {fault}" for fault in faults(settings, seen))
    doubts = () if found else (*cautions(settings), *_unclaimed(settings, seen))
    perhaps = tuple(f"{file}: {doubt}" for doubt in doubts)
    remark = running(settings) or _nothing_wrong(settings, bool(perhaps))
    more = (
        "" if seen.to_the_end else f"; after {SECONDS:.0f} s its spool was not looked at any more"
    )
    return Finding(found, f"{file}: {remark}{more}", perhaps)


def _nothing_wrong(settings: Settings, but_cautions: bool) -> str:
    unheard = settings.node is not None and not settings.node.receivers
    more = "the node's results go to no receiver" if unheard else "receivers are not asked"
    return f"nothing {'else ' if but_cautions else ''}is wrong here; {more}"


def _looked_at(spool: Path) -> SpoolCheck:
    """See `check_spool`; a spool that does not exist yet has no faults."""
    return check_spool(spool) if spool.is_dir() and is_there(spool) else SpoolCheck((), True)


def _is_hidden(spool: Path) -> bool:
    """Whether this user cannot see into a spool that is there, and so can judge nothing of it."""
    return spool.is_dir() and not os.access(spool, os.R_OK | os.X_OK)


def running(settings: Settings) -> str | None:
    """A remark that the box runs, if it does: it is most likely what listens at its ports."""
    if not in_use(settings.spool):
        return None
    listening = [
        f"[{table}] {host}:{port}"
        for table, host, port in _ports(settings)
        if _why_taken(host, port) == errno.EADDRINUSE
    ]
    more = f", and it seems to be what listens at {', '.join(listening)}" if listening else ""
    return f"the box runs: its spool is in use{more}"


def faults(settings: Settings, seen: SpoolCheck | None = None) -> Iterator[str]:
    """One line for each fault that would keep the box from its work.

    Args:
        seen: of its spool; it is looked at now if None.
    """
    yield from missing(settings)
    yield from _taken(settings)
    yield from _spool(settings, seen)
    yield from _model(settings)
    if settings.node:
        yield from _node(settings.node)
    for receiver in settings.receivers:
        yield from _receiver(receiver)
    if settings.watch:
        yield from _watch(settings.watch)
    if settings.page:
        yield from _page(settings.page)
    if settings.metrics:
        yield from _listener("metrics", settings.metrics)
    if settings.users:
        yield from _users(settings.users)


def cautions(settings: Settings) -> Iterator[str]:
    """One line for each folder that may be meant for a disk that is not mounted.

    Once one was, a note tells it for certain: see `remembered`.
    """
    watch, page = settings.watch, settings.page
    folders = {
        "spool": settings.spool,
        "[watch] folder": watch.folder if watch else None,
        "[watch] outbox": watch.outbox if watch else None,
        "[page] collect": page.collect if page else None,
    }
    for name, folder in folders.items():
        if folder and (why := not_mounted(folder)):
            yield f"{name}: {why}"


def _unclaimed(settings: Settings, seen: SpoolCheck) -> Iterator[str]:
    """One line for each receiver that results wait for, and that the settings do not have."""
    if settings.watch is None and WATCH in seen.receivers:
        yield "answers of the watch folder wait, and [watch] is missing: put it back"
    for name in sorted(seen.receivers - {WATCH, *(each.name for each in settings.receivers)}):
        yield (
            f"results wait for {name!r}, and there is no such [[receiver]]: give one that name; "
            "its address may be another"
        )


def missing(settings: Settings) -> Iterator[str]:
    """One line for each package that the settings need and that is not installed."""
    required: tuple[str, ...] = EXTRA if settings.node or settings.receivers else ()
    required += EXTRA_OF_PAGE if settings.page else ()
    required += EXTRA_OF_METRICS if settings.metrics else ()
    for name in dict.fromkeys(required):
        if importlib.util.find_spec(name) is None:
            yield f"{name} is not installed: pip install 'edge-cxr[clinic]'"


def _spool(settings: Settings, seen: SpoolCheck | None) -> Iterator[str]:
    if why := gone(settings.spool):
        yield f"spool: {why}"
        return
    place = _existing(settings.spool)
    if why := unwritable(place):
        yield f"spool: {why}"
        return
    if settings.spool.is_dir():
        mode = stat.S_IMODE(settings.spool.stat().st_mode)
        if mode & 0o077:
            yield f"spool: {settings.spool} is open to other users (mode {mode:o}): chmod 700 it"
    for fault in (seen or _looked_at(settings.spool)).faults:
        yield f"spool: {fault}"
    free = shutil.disk_usage(place).free
    if free < settings.min_free:
        yield (
            f"spool: {free >> 20} MiB of the disk are free, less than least_free_mb = "
            f"{settings.min_free >> 20}: no image would be accepted"
        )


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _model(settings: Settings) -> Iterator[str]:
    from edge_app.backends.choice import choose
    from edge_app.model.model_file import locate, read
    from edge_app.model.operating_points import chosen
    from edge_app.model.site import read as read_site

    try:
        model = read(locate(settings.model))
    except EdgeCxrError as error:
        yield f"model: {error}"
        return
    try:
        model = read_site(settings.site).applied(model) if settings.site else model
    except EdgeCxrError as error:
        yield f"site: {error}"
        return
    try:
        chosen(model.manifest, settings.operating_point)
    except EdgeCxrError as error:
        yield f"operating_point: {error}"
    # A running box may have the device to itself.
    if settings.backend != AUTO and not in_use(settings.spool):
        try:
            choose(model, BackendOptions(settings.backend, workers=settings.workers))
        except EdgeCxrError as error:
            yield f"backend: {str(error).removeprefix('--backend ')}"


def _ports(settings: Settings) -> Iterator[tuple[str, str, int]]:
    """Table, address and port of everything that listens."""
    if settings.node:
        yield "node", settings.node.host, settings.node.port
    if settings.page:
        yield "page", settings.page.listener.host, settings.page.listener.port
    if settings.metrics:
        yield "metrics", settings.metrics.host, settings.metrics.port


def _taken(settings: Settings) -> Iterator[str]:
    runs = in_use(settings.spool)
    for table, host, port in _ports(settings):
        why = _why_taken(host, port)
        if why is not None and not (runs and why == errno.EADDRINUSE):
            yield f"[{table}] port: cannot listen at {host}:{port}: {os.strerror(why)}"


def _why_taken(host: str, port: int) -> int | None:
    """The error of an attempt to listen there; None where it is possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return error.errno
    return None


def _page(page: Page) -> Iterator[str]:
    from edge_app.clinic.page.texts import Texts

    yield from _listener("page", page.listener)
    try:
        Texts(page.language)
    except EdgeCxrError as error:
        yield str(error)
    if page.collect and (why := unwritable(_existing(page.collect))):
        yield f"[page] collect: {why}"


def _listener(table: str, listener: Listener) -> Iterator[str]:
    if listener.certificate:
        yield from _tls(f"[{table}.tls]", listener.certificate, _load)
    elif not ipaddress.ip_address(listener.host).is_loopback:
        yield (
            f"[{table}.tls] is missing: over the network passwords and pictures would be readable "
            f"for others; give a certificate, or host = {LOOPBACK!r} behind a server that has one"
        )


def _load(certificate: Certificate) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)


def _users(path: Path) -> Iterator[str]:
    from edge_app.clinic.page.accounts import read

    try:
        known = read(path)
    except EdgeCxrError as error:
        yield f"users: {error}"
        return
    if not known:
        yield f"users: {path} holds nobody: add somebody with --password NAME"
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield f"users: {path} is open to other users: chmod 600 it"


def _node(node: Node) -> Iterator[str]:
    if node.tls:
        from edge_app.clinic.node import server_context

        yield from _tls("[node.tls]", node.tls, server_context)


def _receiver(receiver: Receiver) -> Iterator[str]:
    place = f"[[receiver]] {receiver.name}"
    try:
        socket.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield f"{place}: host {receiver.host!r} is not known here: {error.strerror}"
    if receiver.tls:
        from edge_app.clinic.archive import client_context

        yield from _tls(f"{place}, tls", receiver.tls, client_context)


def _tls(place: str, tls: Tls | Certificate, make: object) -> Iterator[str]:
    assert callable(make)
    for path in tls:
        if not os.access(path, os.R_OK):
            yield f"{place}: {path} cannot be read by this user"
            return
    try:
        make(tls)
    except OSError as error:
        yield f"{place}: its files cannot be used: {error.strerror or error}"
    if stat.S_IMODE(tls.key.stat().st_mode) & 0o077:
        yield f"{place}: {tls.key} is open to other users: chmod 600 it"


def _watch(watch: Watch) -> Iterator[str]:
    for name, path in (("folder", watch.folder), ("outbox", watch.outbox)):
        if path and not os.path.isdir(path):  # pathlib's raises where it may not look
            seen = f"{path} is no folder that this user can see"
            yield f"[watch] {name}: {seen}; make it, or mount its disk"
            return
    if watch.outbox and (why := unmounted(watch.outbox)):
        yield f"[watch] outbox: {why}"
    for name, path in (("folder", watch.folder), ("outbox", watch.outbox)):
        if path and (why := unwritable(_existing(path))):
            yield f"[watch] {name}: {why}"
