"""Boxes read as they are drawn, and maps held to them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from edge_app.heatmap.maps import GRID, NO_PLACE, EvidenceScale
from edge_app.model.model_file import read
from quantize.errors import ConversionError
from quantize.pipeline import quantize_run
from quantize.studies.localisation import (
    BOXES,
    CENTRE,
    Boxed,
    covered,
    judged,
    localise,
    pointed,
    read_boxes,
    stating,
)
from train.cache import Cached
from train.errors import DatasetError
from train.finished_run import FinishedRun

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"


def write_boxes(folder: Path, *lines: str) -> Path:
    (folder / BOXES).write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return folder


def test_boxes_are_shares_of_the_releases_side(tmp_path: Path) -> None:
    folder = write_boxes(
        tmp_path,
        "a.png,Infiltrate,256,512,128,256,,,",
        "a.png,Infiltrate,0,0,64,64,,,",
        "b.png,Mass,512,0,512,1024,,,",
    )
    first, second = read_boxes(folder)
    assert (first.image, first.label) == ("a.png", "Infiltration")
    assert first.boxes == [(0.25, 0.5, 0.375, 0.75), (0.0, 0.0, 0.0625, 0.0625)]
    assert first.mask.sum() == (GRID // 8) * (GRID // 4) + (GRID // 16) ** 2
    assert second.mask[:, GRID // 2 :].all()
    assert not second.mask[:, : GRID // 2].any()


@pytest.mark.parametrize(
    "line", ["a.png,Mass,1,2,3", "a.png,Mass,x,2,3,4", "a.png,Cat,1,2,3,4", "a.png,Mass,1,2,0,4"]
)
def test_a_line_that_holds_no_box_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DatasetError, match="line 2 holds no box"):
        read_boxes(write_boxes(tmp_path, line))


def test_a_folder_without_boxes_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        read_boxes(tmp_path)


def boxed(*boxes: tuple[float, float, float, float]) -> Boxed:
    return Boxed("a.png", "Mass", covered(list(boxes)), list(boxes))


@given(st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=16)
def test_a_map_that_is_right_hits_and_overlaps(row: int, column: int) -> None:
    cells = np.zeros((4, 4))
    cells[row, column] = 5
    around = (column / 4, row / 4, (column + 1) / 4, (row + 1) / 4)
    np.testing.assert_array_equal(judged(pointed(cells), boxed(around)), [1, 1, 1])
    away = ((column + 2) % 4 / 4, (row + 2) % 4 / 4)
    elsewhere = (*away, away[0] + 0.25, away[1] + 0.25)
    np.testing.assert_array_equal(judged(pointed(cells), boxed(elsewhere)), [0, 0, 0])


def test_any_of_several_boxes_counts_and_a_flat_map_points_nowhere() -> None:
    truth = boxed((0.0, 0.0, 0.1, 0.1), (0.4, 0.4, 0.6, 0.6))
    assert judged(CENTRE, truth)[0] == 1
    np.testing.assert_array_equal(judged(pointed(np.ones((4, 4))), truth), [0, 0, 0])


def test_float_int8_and_centre_stand_side_by_side(
    untrained: tuple[FinishedRun, Cached], tmp_path: Path
) -> None:
    run, cached = untrained
    quiet = Console(file=io.StringIO())
    path = tmp_path / "tiny.tflite"
    quantize_run(run, cached, "tiny", path, 40, 0, quiet)
    model = read(path)
    test = cached.split("test")
    names = test.table["image"].tolist()[:12]
    folder = write_boxes(
        tmp_path, *(f"{name},Mass,300,300,424,424,,," for name in names), "no.png,Mass,1,1,9,9,,,"
    )
    result = localise(model, run, test, read_boxes(folder), 0)
    assert [row[0] for row in result.rows] == ["Mass", "all"]
    mass = result.content["findings"]["Mass"]
    assert (mass["boxes"], mass["images"]) == (12, 12)
    assert mass["centre"]["pointing"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    for way in ("int8", "float"):
        for measure in ("pointing", "overlap 0.1", "overlap 0.25"):
            value = mass[way][measure]
            assert 0 <= value["low"] <= value["value"] <= value["high"] <= 1
    stated = stating(model, result.content).save(tmp_path / "stated.tflite")
    written = read(stated.path).manifest
    middle = written["metrics"]["pointing_of_middle"]
    assert isinstance(middle, dict)
    assert middle["on"] == "12 boxes that radiologists drew on test images"
    assert middle["value"] == 1.0
    assert EvidenceScale(written).worth == NO_PLACE  # nothing is better than always right
    assert EvidenceScale(model.manifest).worth is None
    with pytest.raises(ConversionError, match="no image with a box"):
        localise(model, run, test, read_boxes(write_boxes(tmp_path, "no.png,Mass,1,1,9,9,,,")), 0)
