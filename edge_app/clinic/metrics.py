"""What Prometheus asks for: how much waits, how much room there is, what has happened.

Nothing in it names a patient or an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.events import Events, Value
from edge_app.clinic.page.accounts import Accounts
from edge_app.clinic.page.guard import Guard
from edge_app.clinic.page.texts import Texts
from edge_app.clinic.page.tries import Tries
from edge_app.clinic.page.worklist import Worklist
from edge_app.clinic.settings import WATCH, Listener, Settings
from edge_app.clinic.store import Store
from edge_app.core.about import __version__

if TYPE_CHECKING:
    from edge_app.classifier import Classifier

SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The state of a box as Prometheus reads it, and what happens in it, counted.

    Args:
        settings: of the box.
        store, events: of the box.
        classifier: of the model that answers.
    """

    def __init__(
        self, settings: Settings, store: Store, events: Events, classifier: Classifier
    ) -> None:
        self.settings, self.store = settings, store
        self.deliveries, self.worklist = Deliveries(store), Worklist(store)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._events = Counter(
            "edge_cxr_events", "What happened, by its name in the log", ["event"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "edge_cxr_answer_seconds", "From taking an image to keeping its answer",
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        about = Info("edge_cxr", "Version and model", registry=self.registry)
        about.info(
            {
                "version": __version__,
                "model": classifier.model.name,
                "model_sha256": classifier.model.sha256,
            }
        )
        self.registry.register(self)
        events.hearers.append(self._count)

    def close(self) -> None:
        """Let go of the database."""
        self.worklist.close()

    def _count(self, event: str, facts: Mapping[str, Value]) -> None:
        self._events.labels(event).inc()
        seconds = facts.get("seconds")
        if event == "answered" and isinstance(seconds, float):
            self._seconds.observe(seconds)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus-client: what is asked of the spool at each scrape."""
        images = GaugeMetricFamily("edge_cxr_images", "Images in the spool", labels=["state"])
        for state, count in self.worklist.counts().items():
            images.add_metric([state], count)
        yield images
        oldest = self.worklist.oldest_waiting()
        yield GaugeMetricFamily(
            "edge_cxr_oldest_waiting_timestamp_seconds",
            "When the image came that waits longest; 0 where none waits",
            value=oldest or 0,
        )
        waiting = GaugeMetricFamily(
            "edge_cxr_deliveries_waiting",
            "Results that a receiver has not got",
            labels=["receiver"],
        )
        known = {each.name for each in self.settings.receivers}
        known |= {WATCH} if self.settings.watch else set()
        for name in sorted(known | self.deliveries.receivers()):
            waiting.add_metric([name], self.deliveries.standing(name).waiting)
        yield waiting
        yield GaugeMetricFamily(
            "edge_cxr_disk_free_bytes", "Of the spool's disk", value=self.store.free()
        )
        yield GaugeMetricFamily(
            "edge_cxr_disk_least_free_bytes",
            "Below which new images are refused",
            value=self.settings.min_free,
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus-client: nothing is asked before the first scrape."""
        return iter(())

    def text(self) -> bytes:
        """In the exposition format of Prometheus."""
        return bytes(generate_latest(self.registry))


def application(
    metrics: Metrics,
    listener: Listener,
    events: Events,
    ill: Callable[[], str | None],
) -> Any:
    """``/metrics`` and ``/healthz``, for machines.

    Args:
        ill: says what does not work; None where all does.
    """

    def scraped(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    def health(request: Request) -> Response:
        why = ill()
        return PlainTextResponse(f"{why or 'ok'}\n", 503 if why else 200)

    app = Starlette(routes=[Route("/metrics", scraped), Route("/healthz", health)])
    accounts = Accounts(listener.users) if listener.users else None
    return Guard(app, listener, events, accounts, Tries(), Texts("en"))
