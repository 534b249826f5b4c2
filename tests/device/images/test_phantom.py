"""The synthetic radiograph: repeatable, the right way round, and the same picture at every size."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_app.images.phantom import MIN_SIZE, synthetic_radiograph
from edge_app.images.read import read_image

EXAMPLE = Path(__file__).parents[3] / "examples" / "synthetic-radiograph.png"
SEEDS = range(5)

Pixels = NDArray[np.uint8]


def region(pixels: Pixels, x: tuple[float, float], y: tuple[float, float]) -> Pixels:
    """The part between film coordinates, which run from -1 (left, top) to 1."""
    (left, right), (top, bottom) = (
        (round((a + 1) * pixels.shape[0] / 2), round((b + 1) * pixels.shape[0] / 2))
        for a, b in (x, y)
    )
    return pixels[top:bottom, left:right]


def brightness(pixels: Pixels, x: tuple[float, float], y: tuple[float, float]) -> float:
    return float(region(pixels, x, y).mean())


def halved(pixels: Pixels) -> NDArray[np.float64]:
    n = pixels.shape[0] // 2
    mean: NDArray[np.float64] = pixels.reshape(n, 2, n, 2).mean(axis=(1, 3))
    return mean


def dome_row(pixels: Pixels, x: tuple[float, float]) -> int:
    """Where, going down the film, lung turns to diaphragm: the steepest rise."""
    profile = region(pixels, x, (0.3, 0.8)).mean(axis=1)
    return int(np.argmax(profile[4:] - profile[:-4]))


@pytest.fixture(scope="module", params=SEEDS)
def radiograph(request: pytest.FixtureRequest) -> Pixels:
    return synthetic_radiograph(256, request.param)


@pytest.mark.parametrize("size", [MIN_SIZE, 96, 225, 1040])
def test_is_a_square_of_bytes(size: int) -> None:
    pixels = synthetic_radiograph(size)
    assert pixels.shape == (size, size)
    assert pixels.dtype == np.uint8


def test_refuses_a_size_too_small_to_draw() -> None:
    with pytest.raises(ValueError, match="at least"):
        synthetic_radiograph(MIN_SIZE - 1)


def test_same_seed_gives_same_pixels() -> None:
    np.testing.assert_array_equal(synthetic_radiograph(128, 7), synthetic_radiograph(128, 7))


def test_default_seed_is_zero() -> None:
    np.testing.assert_array_equal(synthetic_radiograph(64), synthetic_radiograph(64, 0))


def test_seeds_give_different_anatomies_not_just_different_noise() -> None:
    pictures = [synthetic_radiograph(128, seed).astype(int) for seed in SEEDS]
    for i, first in enumerate(pictures):
        for second in pictures[:i]:
            assert np.abs(first - second).mean() > 2.0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_size_shows_the_same_picture(seed: int) -> None:
    reduced = halved(synthetic_radiograph(1024, seed))
    difference = np.abs(synthetic_radiograph(512, seed) - reduced)
    assert difference.mean() < 1.0
    assert np.quantile(difference, 0.999) < 10.0


def test_is_exposed_like_a_radiograph(radiograph: Pixels) -> None:
    assert 115 < radiograph.mean() < 145
    dark, middle, bright = np.quantile(radiograph, [0.05, 0.5, 0.95])
    assert dark < 20
    assert 90 < middle < 150
    assert 220 < bright < 250


def test_air_is_black_and_lungs_are_darker_than_what_surrounds_them(radiograph: Pixels) -> None:
    air = brightness(radiograph, (-1.0, -0.6), (-1.0, -0.95))
    mediastinum = brightness(radiograph, (-0.08, 0.08), (0.0, 0.3))
    abdomen = brightness(radiograph, (-0.6, 0.6), (0.85, 1.0))
    assert air < 15
    for x in ((-0.65, -0.35), (0.5, 0.65)):
        lung = brightness(radiograph, x, (-0.2, 0.3))
        assert air + 40 < lung
        assert lung + 100 < min(mediastinum, abdomen)


def test_heart_points_to_the_images_right(radiograph: Pixels) -> None:
    apex = brightness(radiograph, (0.28, 0.38), (0.2, 0.35))
    assert apex > brightness(radiograph, (-0.38, -0.28), (0.2, 0.35)) + 60


def test_aortic_knob_is_on_the_images_right(radiograph: Pixels) -> None:
    knob = brightness(radiograph, (0.13, 0.165), (-0.33, -0.27))
    assert knob > brightness(radiograph, (0.22, 0.26), (-0.33, -0.27)) + 60


def test_right_lung_is_larger(radiograph: Pixels) -> None:
    y = (-0.6, 0.4)
    right = (region(radiograph, (-0.8, -0.05), y) < 130).sum()
    left = (region(radiograph, (0.05, 0.8), y) < 130).sum()
    assert right > 1.1 * left


def test_right_dome_of_the_diaphragm_is_higher(radiograph: Pixels) -> None:
    assert dome_row(radiograph, (-0.62, -0.58)) < dome_row(radiograph, (0.58, 0.62))


def test_windpipe_shows_as_a_dark_band_in_the_neck(radiograph: Pixels) -> None:
    windpipe = brightness(radiograph, (-0.02, 0.02), (-0.85, -0.65))
    assert windpipe + 5 < brightness(radiograph, (0.06, 0.10), (-0.85, -0.65))


def test_ribs_cross_the_lungs(radiograph: Pixels) -> None:
    for x in ((-0.52, -0.48), (0.48, 0.52)):
        profile = region(radiograph, x, (-0.4, 0.2)).mean(axis=1)
        rises = np.diff(np.sign(np.diff(profile))) < 0
        assert rises.sum() >= 4


def test_shipped_example_is_this_drawing_and_says_it_is_synthetic() -> None:
    assert EXAMPLE.stat().st_size < 700_000
    with Image.open(EXAMPLE) as image:
        assert (image.mode, image.size) == ("L", (1024, 1024))
        assert "synthetic" in str(image.info["Description"]).lower()
        difference = np.abs(np.asarray(image, dtype=int) - synthetic_radiograph(1024, 0))
    assert difference.max() <= 1


def test_shipped_dicom_file_is_this_drawing_of_nobody() -> None:
    pydicom = pytest.importorskip("pydicom", reason="the dicom extra is not installed")
    place = EXAMPLE.with_suffix(".dcm")
    assert place.stat().st_size < 300_000
    image = pydicom.dcmread(place)
    assert "synthetic" in image.ImageComments.lower()
    assert image.PatientName == "Example^Synthetic"
    difference = np.abs(image.pixel_array.astype(int) - synthetic_radiograph(512, 0))
    assert difference.max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".dcm"])
def test_the_example_is_drawn_anew_by_its_script(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="the dicom extra is not installed")
    drawn = tmp_path / f"drawn{suffix}"
    script = EXAMPLE.with_name("draw_synthetic_radiograph.py")
    subprocess.run([sys.executable, script, drawn, "--size", "64"], check=True)
    np.testing.assert_array_equal(read_image(drawn).pixels, synthetic_radiograph(64, 0))
