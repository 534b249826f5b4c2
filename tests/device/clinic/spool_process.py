"""A process with a spool for the tests to kill: accepts what it reads, answers, delivers.

``python spool_process.py SPOOL`` opens the spool, as after an unclean end, and ends.
``python spool_process.py SPOOL OUTBOX`` reads ``IDENTITY CONTENT`` from standard input, a line
each, and prints the identity as soon as the image is accepted. Every second image is offered as a
file that lies in the spool's folder already, the others as bytes.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.durable import replace
from edge_app.clinic.image_file import digest_of
from edge_app.clinic.spool import Document, Offered, Spool
from edge_app.clinic.store import Store
from edge_app.clinic.strays import offered_again, sweep
from edge_app.images.radiograph import Limits

PATIENT = b"\x10\0\x20\0LO"


def element(tag: int, kind: bytes, value: bytes) -> bytes:
    value += (b" " if kind == b"LO" else b"\0") * (len(value) % 2)
    group = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    return group + kind + len(value).to_bytes(2, "little") + value


def file_of(identity: str, content: str) -> bytes:
    """A DICOM file with no picture; pydicom, which would make one, takes long to load."""
    syntax = element(0x00020010, b"UI", b"1.2.840.10008.1.2.1")
    meta = element(0x00020000, b"UL", len(syntax).to_bytes(4, "little")) + syntax
    elements = (
        element(0x00080016, b"UI", b"1.2.840.10008.5.1.4.1.1.1"),
        element(0x00080018, b"UI", identity.encode()),
        element(0x00100020, b"LO", content.encode()),
        element(0x0020000D, b"UI", b"1.2.3"),
        element(0x0020000E, b"UI", b"1.2.3.4"),
    )
    return b"".join((bytes(128), b"DICM", meta, *elements))


def content_of(data: bytes) -> str:
    """See `file_of`."""
    begin = data.index(PATIENT) + len(PATIENT)
    length = int.from_bytes(data[begin : begin + 2], "little")
    return data[begin + 2 :][:length].decode().strip()


def answer(spool: Spool) -> None:
    while True:
        image = spool.take(wait=1)
        if image is not None:
            text = f"{image.identity} {content_of(image.path.read_bytes())}"
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


def repaired(store: Store) -> Spool:
    """A spool as a box has it after its start."""
    spool = Spool(store)
    for path in sweep(store).accepted:
        spool.enter_again(offered_again(path, Limits()), path)
    return spool


def main() -> None:
    store = Store(Path(sys.argv[1]))
    spool = repaired(store)
    if len(sys.argv) == 2:
        store.close()
        return
    threading.Thread(target=answer, args=(spool,), daemon=True).start()
    threading.Thread(target=deliver, args=(store, Path(sys.argv[2])), daemon=True).start()
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        identity, content = line.split()
        data = file_of(identity, content)
        digest = digest_of(data, "node")
        assert digest
        arrived = store.images / f"{number}.arriving"
        if number % 2:  # as an upload comes
            arrived.write_bytes(data)
        pieces = arrived if number % 2 else (data,)
        spool.accept(Offered("node", identity, digest, pieces))
        arrived.unlink(missing_ok=True)  # it was known
        print(identity, flush=True)


if __name__ == "__main__":
    main()
