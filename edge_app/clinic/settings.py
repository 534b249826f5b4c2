"""The settings file of the box: TOML, checked key by key before anything starts.

Only what is switched on in it runs: a table ``[node]`` is the DICOM node, ``[watch]`` the watch
folder, each ``[[receiver]]`` an archive that gets results, ``[page]`` the page for readers,
``[metrics]`` what Prometheus asks for. ``docs/serve.md`` and ``docs/page.md`` describe the keys.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from edge_app.backends.options import AUTO
from edge_app.clinic.faults import SettingsError
from edge_app.core.advice import MAX_PIXELS, RAISE_BYTES
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.images.radiograph import Limits
from edge_app.model.shipped import DEFAULT_MODEL

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES: Final = 1 << 20
ALIKE: Final = 0.7
"""The similarity from which a key may be a misspelling of another (see `difflib`)."""

AE_TITLE: Final = re.compile(r"(?=.*\S)[\x20-\x5b\x5d-\x7e]{1,16}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[a-z]{2,8})?")
HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})")
LOOPBACK: Final = "127.0.0.1"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Kind = TypeVar("Kind", int, float, str, bool)


class Tls(NamedTuple):
    """Files in PEM: what proves who this is, and whose signature a peer has to show."""

    certificate: Path
    key: Path
    authority: Path


class Peer(NamedTuple):
    """Who may send: an AE title, from these addresses."""

    ae_title: str
    hosts: tuple[Network, ...]


class Node(NamedTuple):
    """The DICOM node.

    Attributes:
        peers: who may send; whoever is on this machine where there are none.
        associations: at once.
        silence: seconds without a word after which an association is ended.
        max_bytes: of an image.
        pdu: bytes that are offered to be received in one piece.
        receivers: who gets the results.
    """

    ae_title: str
    host: str
    port: int
    peers: tuple[Peer, ...]
    tls: Tls | None
    associations: int
    silence: float
    max_bytes: int
    pdu: int
    receivers: tuple[str, ...]


class Receiver(NamedTuple):
    """An archive that gets results.

    Attributes:
        ae_title, host, port: its own.
        calling: what this node calls itself there.
        heatmap: whether it gets heatmaps, too.
        pause: seconds at most between two tries.
    """

    name: str
    ae_title: str
    host: str
    port: int
    calling: str
    tls: Tls | None
    heatmap: bool
    pause: float


class Watch(NamedTuple):
    """The watch folder.

    Attributes:
        outbox: where answers, and answered images, go, which is not made; ``answered`` in the
            folder if None.
        settle: seconds for which a file must not change before it is taken.
    """

    folder: Path
    outbox: Path | None
    settle: float


class Certificate(NamedTuple):
    """Files in PEM: what proves to a browser who this is."""

    certificate: Path
    key: Path


class Listener(NamedTuple):
    """Where something is served over HTTP.

    Attributes:
        names: by which browsers may call this machine, beside its addresses and its own name.
        users: whoever may come in; None for anybody who can reach it.
    """

    host: str
    port: int
    names: tuple[str, ...]
    certificate: Certificate | None
    users: Path | None

    @property
    def url(self) -> str:
        """Its address, as a browser takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}/"


class Page(NamedTuple):
    """The page for readers.

    Attributes:
        max_bytes: of an uploaded file.
        language: of its texts, the name of a file in ``page/texts``.
        session: seconds after which a reader has to sign in again.
        collect: a folder that keeps copies of what readers have labelled; None for none.
        receivers: who gets the results of uploaded DICOM images.
    """

    listener: Listener
    max_bytes: int
    language: str
    session: float
    collect: Path | None
    receivers: tuple[str, ...]


class Settings(NamedTuple):
    """All of it.

    Attributes:
        site: what the model's answers mean here; None where it decides as it came.
        users: the file of those who may come in over HTTP; None where there is none.
        min_free: bytes of the spool's disk below which new images are refused.
        keep: seconds for which finished images are kept.
        isolate: whether processes of their own decode images.
    """

    file: Path
    spool: Path
    model: str
    site: Path | None
    operating_point: str | None
    backend: str
    workers: int
    min_free: int
    keep: float
    audit: bool
    isolate: bool
    limits: Limits
    node: Node | None
    receivers: tuple[Receiver, ...]
    watch: Watch | None
    users: Path | None
    page: Page | None
    metrics: Listener | None


def read_settings(path: Path) -> Settings:
    """The settings in a file.

    Raises:
        SettingsError: the first thing that is wrong with it, with the key at fault.
    """
    try:
        data = read_bounded(path, MAX_BYTES)
    except UnreadableError as error:
        raise SettingsError(f"{path}: {error}") from None
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: is no TOML: {error}") from None
    table = _Table(path, "", content)
    settings = _settings(path, table)
    table.done()
    return settings


class _Table:
    """A table of the file; what nobody asked for is an error, for it may be a slip of the pen."""

    def __init__(self, file: Path, name: str, content: Mapping[str, Any]) -> None:
        self.file, self.name, self.content = file, name, content
        self._known_keys: set[str] = set()

    def wrong(self, key: str, what: str) -> SettingsError:
        place = f"[{self.name}] {key}" if self.name else key
        return SettingsError(f"{self.file}: {place} {what}")

    def get(self, key: str, kind: type[Kind], default: Kind | None = None) -> Kind:
        """A value of this kind; without a default it has to be there."""
        value = self.maybe(key, kind)
        if value is not None:
            return value
        if default is None:
            slip = get_close_matches(key, self.content.keys() - self._known_keys, 1, ALIKE)
            raise self.wrong(*((slip[0], _unknown([key])) if slip else (key, "is missing")))
        return default

    def maybe(self, key: str, kind: type[Kind]) -> Kind | None:
        self._known_keys.add(key)
        value = self.content.get(key)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if value is None or type(value) is kind:
            return value
        words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise self.wrong(key, f"must be {words[kind]}")

    def number(self, key: str, default: float, minimum: float, maximum: float) -> float:
        value = self.get(key, float, default)
        if not minimum <= value <= maximum:
            raise self.wrong(key, f"is {value:g}: give {minimum:g} to {maximum:g}")
        return value

    def whole(self, key: str, default: int | None, minimum: int, maximum: int) -> int:
        value = self.get(key, int, default)
        if not minimum <= value <= maximum:
            raise self.wrong(key, f"is {value}: give {minimum} to {maximum}")
        return value

    def matching(self, key: str, form: re.Pattern[str], what: str, default: str | None) -> str:
        value = self.get(key, str, default)
        if not form.fullmatch(value):
            raise self.wrong(key, f"is {value!r}: {what}")
        return value

    def ae_title(self, key: str, default: str | None = None) -> str:
        what = "an AE title has 1 to 16 characters of ASCII, without \\"
        return self.matching(key, AE_TITLE, what, default).strip()

    def path(self, key: str, default: Path | None = None) -> Path:
        """A path; below the settings file's folder where it does not begin with /."""
        value = self.get(key, str, None if default is None else str(default))
        if "\0" in value:
            raise self.wrong(key, f"is {value!r}: no path has a null character")
        return self.file.parent.absolute() / value

    def texts(self, key: str) -> list[str] | None:
        self._known_keys.add(key)
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "must be a list of texts")
        return value

    def table(self, key: str) -> _Table | None:
        self._known_keys.add(key)
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return _Table(self.file, f"{self.name}.{key}".strip("."), value)

    def tables(self, key: str) -> Sequence[_Table]:
        self._known_keys.add(key)
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(key, "must be tables")
        return [_Table(self.file, f"{self.name}.{key}".strip("."), each) for each in value]

    def done(self) -> None:
        """Complain of what nobody asked for."""
        unknown = sorted(self.content.keys() - self._known_keys)
        if unknown:
            free = self._known_keys - self.content.keys()
            alike = get_close_matches(unknown[0], free, 1, ALIKE)
            raise self.wrong(unknown[0], _unknown(alike, sorted(self._known_keys)))


def _unknown(alike: Sequence[str], known: Sequence[str] = ()) -> str:
    """What is wrong with a key that nobody asked for."""
    meant = f": is {alike[0]} meant?" if alike else ""
    there = f"; there are: {', '.join(known)}" if known else ""
    return f"is not known{meant}{there}"


def _model(table: _Table) -> str:
    """A model's name, or its path; as all paths, below the settings file's folder."""
    value = table.get("model", str, DEFAULT_MODEL)
    is_name = "/" not in value and not value.endswith(".tflite")
    return value if is_name else str(table.path("model"))


def _settings(path: Path, table: _Table) -> Settings:
    receivers = tuple(map(_receiver, table.tables("receiver")))
    names = [each.name for each in receivers]
    if len({*names, WATCH}) <= len(names):
        raise table.wrong("receiver", f"names must differ, and not be {WATCH!r}")
    node, watch = table.table("node"), table.table("watch")
    page, metrics = table.table("page"), table.table("metrics")
    users = table.path("users") if table.maybe("users", str) is not None else None
    has_site = table.maybe("site", str) is not None
    made = Settings(
        file=path,
        spool=table.path("spool"),
        model=_model(table),
        site=table.path("site") if has_site else None,
        operating_point=table.maybe("operating_point", str),
        backend=table.get("backend", str, AUTO),
        workers=table.whole("workers", 1, 1, 64),
        min_free=table.whole("least_free_mb", 500, 0, 1 << 24) << 20,
        keep=table.number("keep_hours", 24, 0, 24 * 3660) * 3600,
        audit=table.get("audit", bool, True),
        isolate=table.get("isolate", bool, True),
        limits=Limits(max_pixels=table.whole("max_pixels", Limits().max_pixels, 1, 1 << 32)),
        node=_node(node, names) if node else None,
        receivers=receivers,
        watch=_watch(watch) if watch else None,
        users=users,
        page=_page(page, users, names) if page else None,
        metrics=_metrics(metrics, users) if metrics else None,
    )
    _require_apart(table, made)
    if made.node is None and made.watch is None and made.page is None:
        raise table.wrong("[node],", "[page] and [watch] are missing: there is nothing to do")
    return made


IN_SETTINGS: Final = {
    MAX_PIXELS: "max_pixels in the box's settings",
    f": {RAISE_BYTES}": ": this box takes no larger one",
}
"""Advice for the command line → the same advice for a box."""


def in_settings(advice: str) -> str:
    """What is wrong with an image, with advice for whoever has the settings of a box."""
    for option, words in IN_SETTINGS.items():
        advice = advice.replace(option, words)
    return advice


OF_THE_SPOOL: Final = ("images", "forms", "results")
"""Folders of the spool's own; others may lie beside them."""

NODE: Final = "node"
"""The name of the DICOM node among the entrances."""

WATCH: Final = "watch"
"""The name of the watch folder among the entrances, and among the receivers."""

PAGE: Final = "page"
"""The name of the page among the entrances."""


def _node(table: _Table, receivers: Sequence[str]) -> Node:
    host = table.get("host", str, LOOPBACK)
    peers = tuple(map(_peer, table.tables("peer")))
    if not _is_loopback(table, host) and not peers:
        raise table.wrong(
            "peer", f"is missing: with host = {host!r} say who may send, in [[node.peer]]"
        )
    node = Node(
        ae_title=table.ae_title("ae_title", "EDGECXR"),
        host=host,
        port=table.whole("port", 11112, 1, 65535),
        peers=peers,
        tls=_tls(table),
        associations=table.whole("associations", 10, 1, 1000),
        silence=table.number("silence_seconds", 60, 1, 3600),
        max_bytes=table.whole("max_mb", 128, 1, Limits().max_bytes >> 20) << 20,
        pdu=table.whole("pdu_bytes", 131072, 4096, 1 << 20),
        receivers=_results(table, receivers, receivers),
    )
    table.done()
    return node


def _results(table: _Table, known: Sequence[str], default: Sequence[str]) -> tuple[str, ...]:
    """Who gets the results of an entrance."""
    names = table.texts("results")
    for name in names or ():
        if name not in known:
            raise table.wrong("results", f"names {name!r}, and there is no such [[receiver]]")
        if names and names.count(name) > 1:
            raise table.wrong("results", f"names {name!r} twice: name each [[receiver]] once")
    return tuple(default if names is None else names)


def _page(table: _Table, users: Path | None, receivers: Sequence[str]) -> Page:
    has_collect = table.maybe("collect", str) is not None
    page = Page(
        listener=_listener(table, 8080, users),
        max_bytes=table.whole("max_mb", 128, 1, Limits().max_bytes >> 20) << 20,
        language=table.matching("language", LANGUAGE, "give one as 'en'", "en"),
        session=table.number("session_hours", 12, 0.1, 24 * 30) * 3600,
        collect=table.path("collect") if has_collect else None,
        receivers=_results(table, receivers, ()),
    )
    table.done()
    return page


def _metrics(table: _Table, users: Path | None) -> Listener:
    listener = _listener(table, 9117, users)
    table.done()
    return listener


def _listener(table: _Table, port: int, users: Path | None) -> Listener:
    host = table.get("host", str, LOOPBACK)
    if not _is_loopback(table, host) and users is None:
        raise table.wrong(
            "host",
            f"is {host!r}, and users is missing: say in which file those are who may come in",
        )
    names = table.texts("names") or []
    for name in names:
        if not HOST_NAME.fullmatch(name):
            raise table.wrong("names", f"has {name!r}: give names of this machine, without a port")
    inner = table.table("tls")
    certificate = None
    if inner is not None:
        certificate = Certificate(*(inner.path(key) for key in Certificate._fields))
        inner.done()
    return Listener(
        host=host,
        port=table.whole("port", port, 1, 65535),
        names=tuple(name.lower() for name in names),
        certificate=certificate,
        users=users,
    )


def _is_loopback(table: _Table, host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise table.wrong("host", f"is {host!r}: give an address of this machine") from None


def _peer(table: _Table) -> Peer:
    hosts = table.texts("hosts")
    if not hosts:
        raise table.wrong("hosts", "is missing: give a list of addresses or networks")
    try:
        networks = tuple(ipaddress.ip_network(host, strict=False) for host in hosts)
    except ValueError as error:
        raise table.wrong("hosts", f"must be addresses or networks: {error}") from None
    peer = Peer(table.ae_title("ae_title"), networks)
    table.done()
    return peer


def _receiver(table: _Table) -> Receiver:
    receiver = Receiver(
        name=table.matching("name", NAME, "give letters, digits, - and _, at most 32", None),
        ae_title=table.ae_title("ae_title"),
        host=_host(table),
        port=table.whole("port", None, 1, 65535),
        calling=table.ae_title("calling", "EDGECXR"),
        tls=_tls(table),
        heatmap=table.get("heatmap", bool, False),
        pause=table.number("pause_seconds", 600, 1, 86400),
    )
    table.done()
    return receiver


def _host(table: _Table) -> str:
    host = table.get("host", str)
    try:
        named = host.encode("idna")  # as it is done where its address is looked for
    except UnicodeError:
        named = b""
    if not named:
        raise table.wrong("host", f"is {host!r}: give a name or an address")
    return host


def _tls(table: _Table) -> Tls | None:
    inner = table.table("tls")
    if inner is None:
        return None
    tls = Tls(*(inner.path(key) for key in ("certificate", "key", "authority")))
    inner.done()
    return tls


def _watch(table: _Table) -> Watch:
    has_outbox = table.maybe("outbox", str) is not None
    watch = Watch(
        folder=table.path("folder"),
        outbox=table.path("outbox") if has_outbox else None,
        settle=table.number("settle_seconds", 2, 0, 3600),
    )
    table.done()
    return watch


def _require_apart(table: _Table, made: Settings) -> None:
    """Have no two folders of which one's files would be taken for the other's.

    Raises:
        SettingsError: they are the same, however they are called.
    """
    watch, page = made.watch, made.page
    folders = {
        "[watch] folder": watch.folder if watch else None,
        "[watch] outbox": watch.outbox if watch else None,
        "[page] collect": page.collect if page else None,
    }
    places = {key: os.path.realpath(each) for key, each in folders.items() if each}
    own = {os.path.realpath(made.spool / each) for each in ("", *OF_THE_SPOOL)}
    watched = places.get("[watch] folder")
    for key, place in places.items():
        if place in own:
            raise table.wrong(key, "is a folder of the spool: give another one")
        if place == watched and key != "[watch] folder":
            raise table.wrong(key, "is the watched folder: give another one")
