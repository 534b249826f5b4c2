"""A spool in a folder of its own, and images to offer it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_app.clinic.spool import Offered, Spool
from edge_app.clinic.store import Store


def offered(identity: str, content: bytes = b"pixels", entrance: str = "node") -> Offered:
    return Offered(entrance, identity, hashlib.sha256(content).hexdigest(), (content,), "MODALITY")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    opened = Store(folder)
    yield opened
    opened.close()


@pytest.fixture
def spool(store: Store) -> Spool:
    return Spool(store)
