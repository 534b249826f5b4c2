"""A process with a spool for the tests to kill: accepts what it reads, answers, delivers.

``python spool_process.py SPOOL`` opens the spool, as after an unclean end, and ends.
``python spool_process.py SPOOL OUTBOX`` reads ``IDENTITY CONTENT`` from standard input, a line
each, and prints the identity as soon as the image is accepted. Every second image is offered as a
file that lies in the spool's folder already, the others as bytes.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from pathlib import Path

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.durable import replace
from edge_app.clinic.retention import sweep
from edge_app.clinic.spool import Document, Offered, Spool
from edge_app.clinic.store import Store


def answer(spool: Spool) -> None:
    while True:
        image = spool.take(wait=1)
        if image is not None:
            content = image.path.read_bytes()
            text = f"{image.identity} {content.decode()}"
            report = Document(f"{image.id}.txt", text.encode(), ("outbox",))
            spool.answer(image, "{}", (report,))


def deliver(store: Store, outbox: Path) -> None:
    deliveries = Deliveries(store)
    while True:
        with store.changed:
            due = deliveries.due("outbox")
            if not due:
                store.changed.wait(1)
        store.sync()
        for delivery in due:
            replace(outbox / f"{delivery.image}.txt", delivery.content)
            deliveries.delivered(delivery)


def main() -> None:
    store = Store(Path(sys.argv[1]))
    sweep(store)
    if len(sys.argv) == 2:
        store.close()
        return
    spool = Spool(store)
    threading.Thread(target=answer, args=(spool,), daemon=True).start()
    threading.Thread(target=deliver, args=(store, Path(sys.argv[2])), daemon=True).start()
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        identity, content = line.split()
        digest = hashlib.sha256(content.encode()).hexdigest()
        arrived = store.images / f"{number}.arriving"
        if number % 2:  # as an upload comes
            arrived.write_bytes(content.encode())
        pieces = arrived if number % 2 else (content.encode(),)
        spool.accept(Offered("node", identity, digest, pieces))
        arrived.unlink(missing_ok=True)  # it was known
        print(identity, flush=True)


if __name__ == "__main__":
    main()
