"""Pictures are drawn from what an isolated process decodes: what ends it ends no more."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app.clinic.page import drawing
from edge_app.clinic.page.drawing import BusyError, Drawing
from edge_app.core.errors import ImageError
from edge_app.images import isolated
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Limits

from ...images.test_isolated import HOSTILE, taken_over
from ..peers import wait_for

pytestmark = pytest.mark.process

LIMITS = Limits(1 << 20, 1_000_000)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, and with others on which a decoder dies, or never ends."""
    monkeypatch.setattr(isolated, "BOOTSTRAP", HOSTILE)
    Image.fromarray(synthetic_radiograph(300, seed=1)).save(tmp_path / "whole.png")
    (tmp_path / "deadly").write_bytes(taken_over("import os; os._exit(1)"))
    (tmp_path / "endless").write_bytes(taken_over("import time; time.sleep(1000)"))
    (tmp_path / "letter").write_text("Dear colleague")
    return tmp_path


@pytest.fixture
def draws() -> Iterator[Drawing]:
    opened = Drawing(LIMITS, lambda line: None)
    yield opened
    opened.close()


def test_what_ends_the_process_is_said_and_the_next_picture_drawn(
    files: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Image.open(io.BytesIO(draws.png((files / "whole.png").read_bytes, 1000)))
    assert (np.asarray(whole) == synthetic_radiograph(300, seed=1)).all()
    with pytest.raises(ImageError, match="is not a PNG"):
        draws.png((files / "letter").read_bytes, 1000)
    with pytest.raises(ImageError, match="ends the process that decodes it"):
        draws.png((files / "deadly").read_bytes, 1000)
    small = Image.open(io.BytesIO(draws.png((files / "whole.png").read_bytes, 100)))
    assert small.size == (100, 100)
    monkeypatch.setattr(isolated, "SECONDS", 0.5)
    with pytest.raises(ImageError, match="took more than"):
        draws.png((files / "endless").read_bytes, 1000)


def test_pictures_are_drawn_after_one_beside_which_no_thread_could_be_started(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    draws = Drawing(LIMITS, lambda line: None)

    monkeypatch.setattr(drawing, "WAITING_SECONDS", 0.05)
    monkeypatch.setattr(threading.Timer, "start", start)
    for _ in range(2):
        assert draws.png((files / "whole.png").read_bytes, 100).startswith(b"\x89PNG")
    draws.close()


def test_who_waits_too_long_for_others_is_told(
    files: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "WAITING_SECONDS", 0.05)
    monkeypatch.setattr(isolated, "SECONDS", 1.5)

    def occupy() -> None:
        with pytest.raises(ImageError):
            draws.png((files / "endless").read_bytes, 1000)

    other = threading.Thread(target=occupy)
    other.start()
    wait_for(draws._lock.locked, "the other one's turn")
    with pytest.raises(BusyError):
        draws.png((files / "whole.png").read_bytes, 1000)
    other.join()


def test_the_process_ends_when_nobody_looks_any_more(
    files: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "IDLE_SECONDS", 0.01)
    draws.png((files / "whole.png").read_bytes, 1000)
    wait_for(lambda: draws._decoders is None, "the process's end")
    assert draws.png((files / "whole.png").read_bytes, 1000)
