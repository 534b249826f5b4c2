"""A box with a page that the tests of a file share, and a picture in it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from edge_app.images.phantom import synthetic_radiograph

from .serving import Served, serving


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Checking a password takes a fifth of a second, on purpose."""
    from edge_app.clinic.page import accounts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "COST", 1 << 4)
        patch.setattr(accounts, "NOBODY", accounts.hashed("of nobody"))
        yield


@pytest.fixture(scope="session")
def png() -> bytes:
    """A radiograph of nobody."""
    file = io.BytesIO()
    Image.fromarray(synthetic_radiograph(256, seed=1)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("box")) as running:
        yield running


@pytest.fixture(scope="module")
def answered(served: Served, png: bytes) -> int:
    """The number of an image that is answered."""
    number: int = served.client().upload(("Meier Hans.png", png)).json["images"][0]["number"]
    served.wait(number)
    return number
