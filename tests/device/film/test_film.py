"""Photographs of films: found, straightened, evenly lit, upright; and what cannot be is said."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edge_app.core.errors import ImageError
from edge_app.film import camera
from edge_app.film.corners import find, ordered
from edge_app.film.rectify import rectified
from edge_app.film.synthetic import SURROUNDINGS, photographed
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Radiograph
from edge_app.model.model_file import ModelFile, locate, read
from edge_app.model.preprocess import InputSpec, resize
from tests.device.conftest import Run

if find_spec("cv2") is None:
    pytest.skip("OpenCV is not installed: pip install 'edge-cxr[opencv]'", allow_module_level=True)

RADIOGRAPH = synthetic_radiograph(512, seed=2)
SPEC = InputSpec.square(128)


def gray(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(colour).convert("L"))


def taken(pixels: NDArray[np.uint8]) -> Radiograph:
    return Radiograph(np.ascontiguousarray(pixels), {"sha256": "0" * 64})


def alike(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Correlation of two pictures at 64×64 pixels."""
    small = [resize(np.ascontiguousarray(p), InputSpec.square(64)).ravel() for p in (first, second)]
    return float(np.corrcoef(small)[0, 1])


@pytest.fixture(scope="module")
def shipped() -> ModelFile:
    model = read(locate("cxr-lite0-128"))
    if model.input_check is None:
        pytest.fail(f"no input check in it: python -m train input-check {model.name} DATA")
    return model


@pytest.mark.parametrize("surroundings", ["light box", "dark room"])
def test_the_film_is_found_and_straightened(surroundings: str) -> None:
    for seed in range(4):
        colour, corners = photographed(RADIOGRAPH, seed, surroundings)
        found = find(gray(colour))
        assert found is not None
        assert np.abs(found - corners).max() < 12
        straight = rectified(taken(gray(colour)), None, SPEC)
        assert alike(straight.pixels, RADIOGRAPH) > 0.93
        assert straight.facts["film"]["corners"] is not None
        assert straight.pixels.shape == (straight.facts["height"], straight.facts["width"])


def test_before_a_gray_wall_it_is_found_right_or_not_at_all() -> None:
    assert "wall" in SURROUNDINGS
    seen = 0
    for seed in range(12):
        colour, corners = photographed(RADIOGRAPH, seed, "wall")
        found = find(gray(colour))
        if found is not None:
            seen += 1
            assert np.abs(found - corners).max() < 15
    assert seen >= 4


def test_uneven_light_of_a_light_box_is_evened() -> None:
    for seed in range(4):
        colour, _ = photographed(RADIOGRAPH, seed, "light box")
        straight = rectified(taken(gray(colour)), None, SPEC)
        assert straight.facts["film"]["light_evened"] is True
        assert not any("how it was lit" in warning for warning in straight.warnings)


def test_what_a_dark_room_does_not_tell_is_said() -> None:
    colour, _ = photographed(RADIOGRAPH, 1, "dark room")
    straight = rectified(taken(gray(colour)), None, SPEC)
    assert straight.facts["film"]["light_evened"] is False
    assert any("how it was lit" in warning for warning in straight.warnings)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda film, photo: (255 - film, photo), ["inverted"]),
        (lambda film, photo: (film, lambda p: np.rot90(p, -1)), ["turned by 90° counter-"]),
        (lambda film, photo: (film, np.rot90), ["turned by 90° clockwise"]),
        (lambda film, photo: (film, lambda p: np.rot90(p, 2)), ["turned by 180°"]),
    ],
)
def test_it_is_turned_and_inverted_as_the_input_check_advises(
    shipped: ModelFile, spoil: Any, words: list[str]
) -> None:
    film, turn = spoil(RADIOGRAPH, lambda p: p)
    colour, _ = photographed(film, 3, "light box")
    straight = rectified(taken(turn(gray(colour))), shipped.input_check, shipped.input_spec)
    assert len(straight.facts["film"]["righted"]) == len(words)
    assert straight.facts["film"]["righted"][0].startswith(words[0])
    assert any("compare it" in warning for warning in straight.warnings)
    assert alike(straight.pixels, RADIOGRAPH) > 0.9


def test_an_upright_film_is_left_upright(shipped: ModelFile) -> None:
    colour, _ = photographed(RADIOGRAPH, 3, "light box")
    straight = rectified(taken(gray(colour)), shipped.input_check, shipped.input_spec)
    assert straight.facts["film"]["righted"] == []


@pytest.mark.parametrize("level", [0, 128, 255])
def test_without_a_film_all_of_it_is_used_and_that_is_said(level: int) -> None:
    noise = np.random.default_rng(0).normal(level, 2, (600, 450))
    pixels = np.clip(noise, 0, 255).astype(np.uint8)
    straight = rectified(taken(pixels), None, SPEC)
    assert straight.pixels.shape == pixels.shape
    assert straight.facts["film"]["corners"] is None
    assert any("no film or screen" in warning for warning in straight.warnings)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_tiny_and_odd_pictures_do_no_harm(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    straight = rectified(taken(pixels), None, SPEC)
    assert straight.pixels.dtype == np.uint8
    assert straight.pixels.size > 0


@given(st.permutations(range(4)))
def test_corners_are_ordered_from_the_top_left(order: list[int]) -> None:
    corners = np.array([[10.0, 12.0], [90.0, 8.0], [95.0, 110.0], [5.0, 104.0]])
    np.testing.assert_array_equal(ordered(corners[order]), corners)


# --- the command ---------------------------------------------------------------------------------


def test_a_photograph_is_scored_as_the_film_in_it(run: Run, tmp_path: Path) -> None:
    colour, _ = photographed(RADIOGRAPH, 5, "light box")
    path = tmp_path / "photo.jpg"
    Image.fromarray(colour).save(path, quality=90)
    done = run("classify", "--json", "--film", "--heatmap", tmp_path / "maps", path)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(answer["findings"]) == 15
    assert answer["image"]["film"]["photograph"] == [960, 1200]
    assert len(answer["image"]["film"]["corners"]) == 4
    assert answer["image"]["width"] < 960
    (file,) = (tmp_path / "maps").iterdir()
    with Image.open(file) as image:  # the rectified picture, not the photograph
        assert (answer["image"]["width"], answer["image"]["height"]) == (
            image.width,
            answer["heatmap"]["height"],
        )


def test_images_or_a_camera_not_both_nor_neither(run: Run, picture: Path) -> None:
    for arguments in ((), ("--camera", "0", picture)):
        done = run("classify", *arguments)
        assert done.returncode == 2
        assert "--camera N" in done.stderr


def test_without_a_camera_one_line_says_so(run: Run) -> None:
    done = run("classify", "--json", "--camera", "97")
    assert done.returncode == 3
    assert "camera 97 cannot be opened" in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["error"]["kind"] == "image"


def test_without_opencv_the_extra_is_named(picture: Path, cnn28: Path, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for arguments in (["--film", str(picture)], ["--camera", "0"]):
        done = subprocess.run(
            [sys.executable, "-m", "edge_app", "classify", "-m", str(cnn28), *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 4
        assert "pip install 'edge-cxr[opencv]'" in done.stderr
        assert "Traceback" not in done.stderr


class StubCamera:
    """Gives dark frames, then a picture; or nothing."""

    def __init__(self, frames: list[NDArray[np.uint8] | None]) -> None:
        self.frames = frames
        self.released = False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        frame = self.frames.pop(0) if len(self.frames) > 1 else self.frames[0]
        return frame is not None, frame

    def release(self) -> None:
        self.released = True


def with_camera(monkeypatch: pytest.MonkeyPatch, stub: StubCamera) -> None:
    cv2 = camera.opencv()
    fake = SimpleNamespace(VideoCapture=lambda number: stub, imencode=cv2.imencode)
    monkeypatch.setattr(camera, "opencv", lambda: fake)


def test_a_cameras_settled_frame_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    dark, bright = (np.full((480, 640, 3), level, np.uint8) for level in (3, 200))
    stub = StubCamera([dark, dark, bright])
    with_camera(monkeypatch, stub)
    with Image.open(io.BytesIO(camera.capture(0))) as image:
        assert image.size == (640, 480)
        assert image.getpixel((5, 5)) == (200, 200, 200)
    assert stub.released


def test_a_camera_that_gives_nothing_is_said_and_released(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = StubCamera([None])
    with_camera(monkeypatch, stub)
    with pytest.raises(ImageError, match="camera 0 gives no picture"):
        camera.capture(0)
    assert stub.released
