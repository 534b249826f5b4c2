"""How a box stands, in lines for a person: what waits, who has not got what, and why."""

from __future__ import annotations

import time
from collections.abc import Iterator

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.settings import WATCH, Settings
from edge_app.clinic.spool import Spool
from edge_app.clinic.store import Store


def lines(store: Store, settings: Settings) -> Iterator[str]:
    """One line for the spool, one for each receiver, known or not."""
    counts = Spool(store).counts()
    unsent = counts["answered"] - counts["finished"]
    yield (
        f"images: {counts['waiting']} wait to be answered, {unsent} answered ones to be "
        f"delivered, {counts['finished']} are finished"
    )
    free, min_free = store.free() >> 20, settings.min_free >> 20
    refusing = ": new images are refused" if free < min_free else ""
    yield f"disk: {free} MiB free, of which {min_free} are to be left{refusing}"
    known = [each.name for each in settings.receivers] + ([WATCH] if settings.watch else [])
    deliveries = Deliveries(store)
    for name in [*known, *sorted(deliveries.receivers() - {*known})]:
        stranger = "" if name in known else " (no longer in the settings)"
        standing = deliveries.standing(name)
        if not standing.waiting:
            yield f"receiver {name}{stranger}: has everything"
            continue
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(standing.oldest))
        trouble = f": {standing.trouble}" if standing.trouble else ""
        yield f"receiver {name}{stranger}: {standing.waiting} wait since {since}{trouble}"
