"""The box: whatever the settings switch on, over one spool, from start to SIGTERM."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edge_app.backends.options import BackendOptions
from edge_app.clinic import malloc
from edge_app.clinic.answering import Worker
from edge_app.clinic.archive import Archive
from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.delivering import COURIER, Carrier, Courier
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SettingsError, SpoolError
from edge_app.clinic.image_file import LostError
from edge_app.clinic.instances import look_up
from edge_app.clinic.remembered import opened, remember
from edge_app.clinic.results import HEATMAP, Results
from edge_app.clinic.retention import Clock, give_back, remove_finished
from edge_app.clinic.settings import Listener, Settings
from edge_app.clinic.spool import KNOWN, Spool
from edge_app.clinic.statements import CHANGED, decided_by
from edge_app.clinic.strays import offered_again, sweep
from edge_app.clinic.watch import Outbox, WatchFolder
from edge_app.core.about import __version__
from edge_app.core.console import complain
from edge_app.core.errors import EdgeCxrError, ModelError
from edge_app.images.isolated import Decoders
from edge_app.pipeline.json_answer import origin

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.clinic.metrics import Metrics
    from edge_app.clinic.page.room import ReadingRoom

AUDIT: Final = "audit.log"
HOUSEKEEPING: Final = 60.0
"""Seconds between two looks at what may go."""

LOOK_SECONDS: Final = 10.0
"""Seconds spent on reading files of an older box, and then on files without a row, at the start and
at each housekeeping."""

OWN_THREADS: Final = ("worker", "watch", "node", "lobby", "page", "metrics")
"""Threads without which the box does not do its work."""

LIBRARIES: Final = (
    *("pydicom", "pynetdicom", "highdicom"),
    *("uvicorn", "asyncio", "python_multipart"),
)
"""Packages whose own logs are silenced."""

UNUSED: Final = ("gdcm", "pylibjpeg")
"""Packages that pydicom would load for its own decoders (18 MB), although `images` reads the
pictures and loads what it needs."""

TURN: Final = 0.0005
"""Seconds after which a thread that has Python's lock lets another one have it. Receiving needs it
for a moment, again and again: with Python's own 5 ms it would stand while a report is made."""

WATCH_PAUSE: Final = 60.0
ENDING_SECONDS: Final = 60.0
"""Seconds to wait at the end for images that are being answered."""


class _Part(Protocol):
    """What runs in a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Box:
    """All parts, opened; nothing of them runs before `run`.

    Args:
        settings: what is switched on.

    Attributes:
        store, spool, deliveries, events: what a page or a status command looks at.

    Raises:
        EdgeCxrError: the spool, the model or a port cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        _quiet()
        malloc.limit_arenas()
        sys.setswitchinterval(TURN)
        if settings.node or settings.receivers or settings.watch:
            _load_pydicom()
        self.settings = settings
        self._stopping = threading.Event()
        self._failed: str | None = None
        self._all_looked_up = False
        self._rowless: list[Path] = []
        self._workers: list[Worker] = []
        self._couriers: list[Courier] = []
        self._rooms: list[ReadingRoom | Metrics] = []
        self.store = opened(settings.spool)
        audit = settings.spool / AUDIT if settings.audit else None
        self.events = Events(self.store.salt, audit)
        self.spool = Spool(self.store, settings.min_free)
        self.deliveries = Deliveries(self.store)
        self._clock = Clock(self.store)
        self._decoders: Decoders | None = None
        try:
            classifier = open_classifier(settings)
            self.spool.decides = decided_by(origin(classifier))
            self._answers = classifier.model.name
            results = Results(settings, self.store, classifier.labels)
            self.spool.receivers = results.reports
            self._entrances = self._open_entrances()
            self._entrances += self._open_listeners(classifier, results)
        except BaseException:
            self.store.close()
            raise
        self._workers += self._open_workers(classifier, results)
        self._couriers += [
            Courier(self.deliveries, carrier, self.events, pause)
            for carrier, pause in self._carriers()
        ]

    def _open_entrances(self) -> list[_Part]:
        settings = self.settings
        entrances: list[_Part] = []
        if settings.watch:
            max_bytes = settings.limits.max_bytes
            entrances.append(WatchFolder(settings.watch, max_bytes, self.spool, self.events))
        if settings.node:
            from edge_app.clinic.node import DicomNode

            try:
                entrances.append(DicomNode(settings.node, self.spool, self.events))
            except OSError as error:
                where = f"{settings.node.host}:{settings.node.port}"
                raise SettingsError(
                    f"{settings.file}: [node] cannot listen at {where}: {error.strerror}"
                ) from None
        return entrances

    def _open_listeners(self, classifier: Classifier, results: Results) -> list[_Part]:
        """What is served over HTTP."""
        settings = self.settings
        opened: list[_Part] = []
        if settings.page:
            from edge_app.clinic.page.app import application
            from edge_app.clinic.page.room import ReadingRoom

            room = ReadingRoom(
                *(settings, settings.page, self.spool, self.deliveries, self.events),
                *(results, classifier, self.ill),
            )
            self._rooms.append(room)
            opened.append(self._listening("page", settings.page.listener, application(room)))
        if settings.metrics:
            from edge_app.clinic.metrics import Metrics
            from edge_app.clinic.metrics import application as machines

            metrics = Metrics(settings, self.store, self.events, classifier)
            self._rooms.append(metrics)
            app = machines(metrics, settings.metrics, self.events, self.ill)
            opened.append(self._listening("metrics", settings.metrics, app))
        return opened

    def _listening(self, name: str, listener: Listener, app: object) -> _Part:
        from edge_app.clinic.page.server import HttpServer

        try:
            return HttpServer(name, listener, app)
        except OSError as error:
            where = f"{listener.host}:{listener.port}"
            raise SettingsError(
                f"{self.settings.file}: [{name}] cannot listen at {where}: {error.strerror}"
            ) from None

    def ill(self) -> str | None:
        """What does not work; None where all does."""
        if self._failed:
            return self._failed
        dead = [each.name for each in (*self._workers, *self._couriers) if not each.is_alive()]
        return f"the part '{dead[0]}' has ended" if dead else None

    def _open_workers(self, classifier: Classifier, results: Results) -> list[Worker]:
        count = 1 if classifier.exclusive else self.settings.workers
        if self.settings.isolate:
            tell = self.events.tell
            say = lambda why: tell("isolation-incomplete", why=why)  # noqa: E731
            self._decoders = Decoders(count, self.settings.limits, say)
        decoder = self._decoders.decode if self._decoders else None
        opened = [classifier, *(classifier.duplicate() for _ in range(count - 1))]
        return [
            Worker(self.spool, self._open_again, each, results, self.settings, self.events, decoder)
            for each in opened
        ]

    def _open_again(self) -> Classifier:
        """What answers, after its device failed.

        Raises:
            EdgeCxrError: it cannot be opened, or decides otherwise than what this box began with,
                whose words are in reports and on the page: then the box ends.
        """
        made = open_classifier(self.settings)
        if decided_by(origin(made)) != self.spool.decides:
            self._failed = CHANGED
            self._stopping.set()
            raise ModelError(f"{made.model.path}: {CHANGED}")
        return made

    def _carriers(self) -> list[tuple[Carrier, float]]:
        carriers: list[tuple[Carrier, float]] = [
            (Archive(receiver), receiver.pause) for receiver in self.settings.receivers
        ]
        if self.settings.watch:
            outbox = Outbox(self.settings.watch, self.settings.limits.max_bytes)
            carriers.append((outbox, WATCH_PAUSE))
        return carriers

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; what is in hand then is finished.

        Raises:
            SpoolError: a part of the box has failed; whoever started it should start it again.
        """
        threading.excepthook = self._thread_failed
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a peer that hangs up ends no more than that
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        self.start()
        while not self._stopping.wait(HOUSEKEEPING):
            self._tidy()
        self.end()
        if self._failed:
            raise SpoolError(f"{self._failed}; start it again: nothing that was accepted is lost")

    def start(self) -> None:
        """Have all parts begin their work."""
        self._remember()
        strays = sweep(self.store)
        self._rowless = strays.accepted
        # Before others come that may be of the same UID.
        self._all_looked_up = look_up(self.store, LOOK_SECONDS)
        self._tidy_outbox()
        settings = self.settings
        ours = {"version": __version__, "model": self._answers}  # another one after an upgrade?
        self.events.tell("started", **ours, **self.spool.counts(), swept=strays.removed)
        self._enter_again()
        if strays.unknown:
            self._tell_unknown(strays.unknown)
        self._drop_heatmaps()
        for name in sorted(self.deliveries.receivers() - self._known_receivers()):
            waiting = self.deliveries.standing(name).waiting
            self.events.tell("receiver-unknown", receiver=name, waiting=waiting)
        parts: list[_Part] = [*self._workers, *self._couriers, *self._entrances]
        for part in parts:
            part.start()
        if settings.node:
            title, port = settings.node.ae_title, settings.node.port
            self.events.tell("listening", ae_title=title, host=settings.node.host, port=port)
        for name, listener in self._listeners():
            self.events.tell("serving", part=name, url=listener.url)

    def _remember(self) -> None:
        try:
            remember(self.store)
        except OSError as error:  # it would be made anew where its disk is not mounted
            why = f"that this spool was here cannot be kept: {error.strerror}"
            self.events.tell("housekeeping-failed", why=why)

    def _enter_again(self) -> None:
        """Take images that were accepted and have no row, for a while; the rest is for the next
        call."""
        end = time.monotonic() + LOOK_SECONDS
        limits, unknown, why = self.settings.limits, 0, ""
        later: list[Path] = []
        while self._rowless and time.monotonic() < end:
            path = self._rowless.pop(0)
            try:
                offered = offered_again(path, limits)
                receipt = self.spool.enter_again(offered, path)
            except LostError:
                unknown += 1
            except (EdgeCxrError, OSError) as error:
                why = str(error)
                later.append(path)
            else:
                if receipt.verdict != KNOWN:
                    image, number = self.events.digest(offered.identity), receipt.id
                    self.events.audit("taken-again", image=image, number=number)
        self._rowless += later
        if why:
            why = f"images without a row are not taken again yet: {why}"
            self.events.tell("housekeeping-failed", why=why)
        if unknown:
            self._tell_unknown(unknown)

    def _tell_unknown(self, count: int) -> None:
        self.events.tell("files-unknown", count=count, folder=str(self.store.images))

    def _drop_heatmaps(self) -> None:
        """Send no heatmap that was made before a receiver's settings said that it wants none."""
        for receiver in self.settings.receivers:
            if not receiver.heatmap and (count := self.deliveries.drop(receiver.name, HEATMAP)):
                self.events.audit("heatmaps-dropped", receiver=receiver.name, count=count)

    def _tidy_outbox(self) -> None:
        for courier in self._couriers:
            if isinstance(courier.carrier, Outbox):
                try:
                    courier.carrier.tidy()
                except OSError as error:  # names are tried again: see `Outbox.rest`
                    self.events.tell("housekeeping-failed", why=f"its outbox: {error.strerror}")

    def _listeners(self) -> Iterator[tuple[str, Listener]]:
        if self.settings.page:
            yield "page", self.settings.page.listener
        if self.settings.metrics:
            yield "metrics", self.settings.metrics

    def _thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        """One line for what nobody foresaw; its text may name patients, so its kind is told."""
        name = failed.thread.name if failed.thread else "thread"
        kind = failed.exc_type.__name__
        if name in OWN_THREADS or name.startswith(COURIER):
            self._failed = f"the part '{name}' has failed ({kind})"
            self._stopping.set()
        else:  # of an association: it ends, and nothing else
            name = "association"
        self.events.tell("thread-failed", thread=name, kind=kind)

    def _known_receivers(self) -> set[str]:
        return {each.carrier.name for each in self._couriers}

    def _tidy(self) -> None:
        malloc.give_back()
        if self._decoders:
            self._decoders.rest()
        try:
            self._clock.follow()
            removed = remove_finished(self.store, time.time() - self.settings.keep)
            if removed:
                self.events.audit("removed", images=removed)
            self._all_looked_up = self._all_looked_up or look_up(self.store, LOOK_SECONDS)
            self._enter_again()
            give_back(self.store)
            self.store.reserve_log()
        except (SpoolError, OSError) as error:
            self.events.tell("housekeeping-failed", why=str(error))

    def end(self) -> None:
        """Have all parts finish what is in hand, and let go of the spool."""
        self.events.tell("stopping")
        for part in (*self._entrances, *self._workers, *self._couriers):
            part.stop()
        end = time.monotonic() + ENDING_SECONDS
        for thread in (*self._workers, *self._couriers):
            thread.join(max(0.0, end - time.monotonic()))
        for room in self._rooms:
            room.close()
        self.events.tell("stopped", **self.spool.counts())
        if self._decoders:
            self._decoders.close()
        self.store.close()


def open_classifier(settings: Settings) -> Classifier:
    """What answers, as the settings name it."""
    from edge_app.classifier import Classifier
    from edge_app.model.model_file import locate, read
    from edge_app.model.site import read as read_site

    options = BackendOptions(settings.backend, workers=settings.workers)
    model = read(locate(settings.model))
    if model.origin is not None and model.origin.signature_missing:
        complain(f"{model.path}: {model.origin.words}")
    site = read_site(settings.site) if settings.site else None
    return Classifier(model, settings.operating_point, options, site=site)


def _load_pydicom() -> None:
    """Load pydicom without `UNUSED`; for the rest of this process these can be loaded."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # an import of None fails
    try:
        with suppress(ImportError):  # told where it is needed
            import pydicom.pixels  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def _quiet() -> None:
    """Libraries tell what they see, names of patients among it."""
    warnings.simplefilter("ignore")
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
