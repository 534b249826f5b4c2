"""Radiographs stored anew: which forms change what is seen and decided."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import apply_voi_lut, pixel_array
from rich.console import Console

from edge_app.core.errors import ImageError
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.read import read_image
from edge_app.model.model_file import SHIPPED, read
from quantize.studies.forms import forms
from quantize.studies.result import Result
from quantize.studies.storage import (
    FORMS,
    Form,
    Page,
    Picture,
    deep,
    encoded,
    plain,
    tiff,
    unsigned,
    voi_lut,
)
from train.cache import Cached

COUNT = 8
PICTURE = synthetic_radiograph(64, seed=3)


def measured(registered: Sequence[Form]) -> Result:
    images = np.stack([synthetic_radiograph(28, seed) for seed in range(COUNT)])
    names = [f"{seed}.png" for seed in range(COUNT)]
    table = pd.DataFrame({"image": names, "patient": names, "split": "test", "sha256": "0" * 64})
    targets = np.zeros((COUNT, 15), np.uint8)
    cached = Cached(images, targets, table, np.arange(COUNT), "synthetic")
    quiet = Console(file=io.StringIO())
    return forms(read(SHIPPED / "cxr-cnn28.tflite"), cached, 5, quiet, registered)


def negative(picture: Picture) -> bytes:
    """What is meant to be bright is dark, and nothing says so."""
    return plain((255 - picture.astype(int)).astype(np.uint8))


def darkened(picture: Picture) -> bytes:
    """Half as bright: a 15-bit picture taken for one of 16."""
    return plain(picture // 2)


def broken(picture: Picture) -> bytes:
    return plain(picture)[:40]


def test_a_form_that_keeps_the_picture_changes_no_decision(tmp_path: Path) -> None:
    result = measured([Form("plain", plain), Form("deep", unsigned)])
    assert result.failure is None
    for form in result.content["forms"].values():
        assert (form["compared"], form["decisions"], form["gray_levels"]) == (5 * 15, 0, 0)
        assert (form["refused"], form["withheld"], form["warned"]) == (0, 0, 0)
    assert "0 of 150 decisions differ" in result.caption
    result.write(tmp_path)


def test_a_wrong_picture_shows_as_decisions_unsaid_and_a_failure() -> None:
    result = measured([Form("plain", plain), Form("dark", darkened), Form("negative", negative)])
    found = result.content["forms"]
    assert found["dark"]["gray_levels"] > 100
    assert found["dark"]["decisions"] + found["dark"]["withheld"] > 0
    assert found["dark"]["unsaid"] == found["dark"]["images"] + found["dark"]["withheld"]
    assert found["negative"]["decisions"] + found["negative"]["withheld"] > 0
    assert result.failure == "not read as they should be: dark; negative"


def test_a_refused_file_is_no_decision_and_allowed_where_the_form_is_not_exact() -> None:
    result = measured([Form("broken", broken), Form("doubtful", broken, exact=False)])
    found = result.content["forms"]
    for form in found.values():
        assert (form["refused"], form["compared"], form["decisions"]) == (5, 0, 0)
        assert "damaged" in form["said"]
    assert result.failure == "not read as they should be: broken"
    assert [row[0] for row in result.rows] == ["broken", "(doubtful)"]


def test_a_form_is_held_against_what_it_is_meant_to_show() -> None:
    def left(picture: Picture) -> Picture:
        return np.where(np.arange(picture.shape[1]) < 9, np.uint8(0), picture)

    result = measured([Form("left", lambda picture: plain(left(picture)), seen=left)])
    assert result.failure is None
    assert result.content["forms"]["left"]["gray_levels"] == 0


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_comes_back_as_its_picture_or_with_a_word(form: Form) -> None:
    """Of a picture with all grays; a form that is not exact may be refused or warned of."""
    picture = PICTURE.copy()
    picture[0] = np.arange(64) * 255 // 63
    try:
        image = read_image(io.BytesIO(form.store(picture)))
    except ImageError:
        assert not form.exact
        return
    difference = np.abs(image.pixels.astype(int) - form.seen(picture))
    assert difference.max() == 0 or (image.warnings and not form.exact)


def test_other_readers_see_the_same_in_the_forms_that_nobody_doubts() -> None:
    """Pillow reads the TIFFs, pydicom the tables."""
    page = Page(np.stack([deep(PICTURE, 16)] * 3))
    with Image.open(io.BytesIO(tiff(Page(PICTURE), page))) as image:
        np.testing.assert_array_equal(np.asarray(image), PICTURE)
        assert image.n_frames == 2
    whole = dcmread(io.BytesIO(voi_lut(PICTURE, bits=16, called=16)))
    shown = apply_voi_lut(pixel_array(whole), whole)
    np.testing.assert_array_equal(shown >> 8, PICTURE)
    with Image.open(io.BytesIO(encoded(deep(PICTURE, 16), "PNG"))) as image:
        np.testing.assert_array_equal(np.asarray(image), deep(PICTURE, 16))


def test_no_two_forms_share_a_name_or_a_file() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS)
    files = [form.store(PICTURE) for form in FORMS]
    assert len(set(files)) == len(files)
