"""Pictures are drawn by a process of their own: what ends it ends no more."""

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
from edge_app.images.phantom import synthetic_radiograph

from ..peers import wait_for

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[4]
LIMITS = (1 << 20, 1_000_000)

DEADLY = """
import os, time
import edge_app.images.read as read
right = read.read_image
def deadly(source, *more, **named):
    data = open(source, "rb").read()
    if b"DEADLY" in data:
        os.kill(os.getpid(), 11)
    if b"ENDLESS" in data:
        time.sleep(1000)
    return right(source, *more, **named)
read.read_image = deadly
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, and with others on which a decoder dies, or never ends."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{REPOSITORY}")
    Image.fromarray(synthetic_radiograph(300, seed=1)).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    for name in ("DEADLY", "ENDLESS"):
        (tmp_path / name).write_bytes(data + name.encode())
    (tmp_path / "letter").write_text("Dear colleague")
    return tmp_path


@pytest.fixture
def draws() -> Iterator[Drawing]:
    opened = Drawing()
    yield opened
    opened.close()


def test_what_ends_the_process_is_said_and_the_next_picture_drawn(
    files: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Image.open(io.BytesIO(draws.png(files / "whole.png", 1000, *LIMITS)))
    assert (np.asarray(whole) == synthetic_radiograph(300, seed=1)).all()
    with pytest.raises(ImageError, match="is not a PNG"):
        draws.png(files / "letter", 1000, *LIMITS)
    with pytest.raises(ImageError, match="ends the program"):
        draws.png(files / "DEADLY", 1000, *LIMITS)
    small = Image.open(io.BytesIO(draws.png(files / "whole.png", 100, *LIMITS)))
    assert small.size == (100, 100)
    monkeypatch.setattr(drawing, "LONGEST_SECONDS", 0.5)
    with pytest.raises(ImageError, match="ends the program"):
        draws.png(files / "ENDLESS", 1000, *LIMITS)


def test_who_waits_too_long_for_others_is_told(
    files: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "WAITING_SECONDS", 0.05)
    monkeypatch.setattr(drawing, "LONGEST_SECONDS", 1.5)
    began = threading.Event()

    def occupy() -> None:
        began.set()
        with pytest.raises(ImageError):
            draws.png(files / "ENDLESS", 1000, *LIMITS)

    other = threading.Thread(target=occupy)
    other.start()
    began.wait()
    wait_for(draws._lock.locked, "the other one's turn")
    with pytest.raises(BusyError):
        draws.png(files / "whole.png", 1000, *LIMITS)
    other.join()


def test_the_process_ends_when_nobody_looks_any_more(
    files: Path, draws: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "IDLE_SECONDS", 0.01)
    draws.png(files / "whole.png", 1000, *LIMITS)
    process = draws._process
    if process is not None:
        process.wait(60)
    assert draws.png(files / "whole.png", 1000, *LIMITS)
