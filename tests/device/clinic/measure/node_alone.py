"""A node over a spool, until a signal ends it; nothing answers what it receives.

python -m tests.device.clinic.measure.node_alone SPOOL PORT
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from edge_app.clinic import malloc
from edge_app.clinic.events import Events
from edge_app.clinic.node import DicomNode
from edge_app.clinic.settings import Node
from edge_app.clinic.spool import Spool
from edge_app.clinic.store import Store


def main() -> None:
    malloc.limit_arenas()
    store = Store(Path(sys.argv[1]))
    settings = Node(
        *("EDGECXR", "127.0.0.1", int(sys.argv[2])),
        *((), None, 200, 60, 128 << 20, 131072, ()),
    )
    with open(os.devnull, "w") as nowhere:
        events = Events(store.salt, store.folder / "audit.log", nowhere)
        DicomNode(settings, Spool(store), events).start()
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
