"""The map enlarged, its peak, and which findings are worth showing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_app.classifier import Findings
from edge_app.heatmap.colours import INFERNO, coloured
from edge_app.heatmap.maps import (
    FULL,
    MARKED,
    cell_box,
    evidence,
    outlined,
    peak,
    share_shown,
    shown,
    strength,
    strongest,
)
from edge_app.model.decisions import Finding
from edge_app.model.labels import FINDING, NORMAL
from edge_app.model.overall import Overall
from edge_app.model.preprocess import WHOLE, Box
from train.labels import LABELS

SIZES = st.sampled_from([(4, 4), (7, 7), (3, 5)])


@given(st.integers(0, 2**32 - 1), SIZES)
def test_the_peak_is_in_the_cell_that_adds_most(seed: int, size: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    cells = generator.normal(0, 0.2, size).astype(np.float32)
    row, column = (int(generator.integers(n)) for n in size)
    cells[row, column] += 3
    found = peak(cells)
    assert found is not None
    assert (int(found[1] * size[0]), int(found[0] * size[1])) == (row, column)


@given(st.integers(0, 2**32 - 1), SIZES, st.floats(-50, 50), st.floats(0.1, 10))
def test_evidence_is_relative_to_the_map_itself(
    seed: int, size: tuple[int, int], offset: float, scale: float
) -> None:
    cells = np.random.default_rng(seed).normal(0, 1, size)
    found = evidence(cells, 40, 60)
    assert found.shape == (40, 60)
    assert found.min() >= 0
    assert found.max() == 1
    np.testing.assert_allclose(evidence(scale * cells + offset, 40, 60), found, atol=1e-3)


SEEN = st.sampled_from(
    [
        WHOLE,
        (0.2, 0.0, 0.8, 1.0),
        (0.0, 0.1, 1.0, 0.7),
        (-0.5, 0.0, 1.5, 1.0),
        (0.0, -2.0, 1.0, 3.0),
    ]
)
"""All of the picture, two crops of it, two with padding."""


@given(st.integers(0, 2**32 - 1), SIZES, SEEN)
def test_the_strongest_cells_box_is_where_the_picture_is_brightest(
    seed: int, size: tuple[int, int], seen: Box
) -> None:
    cells = np.random.default_rng(seed).uniform(0.1, 0.9, size) * np.log(FULL)
    bright = strength(cells, 300, 240, seen)
    left, top, right, bottom = cell_box(strongest(cells, seen), size, seen)
    inside = bright[
        round(300 * top) + 1 : round(300 * bottom) - 1,
        round(240 * left) + 1 : round(240 * right) - 1,
    ]
    assert inside.size
    assert (inside == bright.max()).all()
    assert (bright == bright.max()).sum() < 1.3 * (inside.shape[0] + 4) * (inside.shape[1] + 4)


def test_a_cell_stands_out_by_what_it_is_within_the_picture() -> None:
    cells = np.zeros((4, 4))
    cells[0, 0] = np.log(FULL)  # in the padding above a picture of half the network's height
    padded = (0.0, -0.5, 1.0, 1.5)
    assert outlined(cells, padded) is None
    assert outlined(cells) == (0, 0, 0.25, 0.25)
    cells[1, 2] = 1.01 * np.log(MARKED)
    assert outlined(cells, padded) == (0.5, 0.0, 0.75, 0.5)


def test_of_equal_cells_none_stands_out() -> None:
    assert outlined(np.full((4, 4), np.log(FULL))) is None


def test_nothing_is_drawn_where_the_network_does_not_see() -> None:
    cells = np.full((4, 4), np.log(FULL))
    bright = strength(cells, 100, 100, (0.2, 0.0, 0.8, 1.0))
    assert (bright[:, 20:80] == 1).all()
    assert not bright[:, :20].any()
    assert not bright[:, 80:].any()


def test_a_flat_map_has_no_peak() -> None:
    cells = np.full((4, 4), -2.5, np.float32)
    assert peak(cells) is None
    assert not evidence(cells, 30, 30).any()


def test_a_peak_in_a_corner_is_not_pushed_to_the_edge() -> None:
    cells = np.zeros((4, 4), np.float32)
    cells[0, 3] = 1
    x, y = peak(cells) or (0, 0)
    assert abs(x - 0.875) < 0.02
    assert abs(y - 0.125) < 0.02


def findings(**scores: tuple[float, float | None]) -> Findings:
    made = [
        Finding(
            label,
            0.0,
            *(value := scores.get(label.replace(" ", "_"), (0.01, 0.5))),
            None if value[1] is None else value[0] >= value[1],
            NORMAL if label == "No Finding" else FINDING,
        )
        for label in LABELS
    ]
    return Findings(tuple(made), np.zeros((4, 4, 15), np.float32), (), False)


USUAL = {"Mass": 0.1, "Hernia": 0.002, "Edema": 0.4, "Nodule": 0.05, "Fibrosis": 0.01}


def with_usual(found: Findings) -> Findings:
    """As a flagged image's, of a model that tells what is usual."""
    rows = tuple(each._replace(usually=USUAL.get(each.label, 0.5)) for each in found.findings)
    return found._replace(findings=rows, overall=Overall(0.9, 0.4, 0.9, 0.5, True))


def test_what_is_raised_is_shown_the_most_probable_first() -> None:
    found = findings(Mass=(0.2, 0.1), Hernia=(0.12, 0.01), Edema=(0.6, 0.5), No_Finding=(0.9, 0.1))
    assert [f.label for f in shown(with_usual(found))] == ["Mass", "Hernia"]
    assert share_shown(with_usual(found)) == "2 of 14 findings shown: what is raised"


def test_of_many_raised_findings_three_are_shown() -> None:
    found = findings(
        Mass=(0.2, 0.1),
        Hernia=(0.12, 0.01),
        Nodule=(0.3, 0.1),
        Fibrosis=(0.11, 0.5),
        Edema=(0.6, 0.5),
    )
    assert [f.label for f in shown(with_usual(found))] == ["Nodule", "Mass", "Hernia"]
    assert share_shown(with_usual(found)) == (
        "3 of 14 findings shown: the most probable of 4 raised, without Fibrosis"
    )


def test_where_none_is_raised_none_is_shown() -> None:
    found = findings(Mass=(0.19, 0.1), Edema=(0.6, 0.5), Hernia=(0.003, 0.5), Fibrosis=(0.01, 0.5))
    assert shown(with_usual(found)) == []
    assert share_shown(with_usual(found)) == "nothing is raised: no map"


def test_of_a_model_that_cannot_mark_anything_the_most_probable_is_shown() -> None:
    found = findings(Mass=(0.19, None), Edema=(0.6, None))
    untold = found._replace(overall=Overall(0.9, None, None, 0.5, True))
    assert [f.label for f in shown(untold)] == ["Edema"]
    assert share_shown(untold) == "1 of 14 findings shown: the most probable"
    assert untold.verdict == ["flagged"]  # "nothing is raised" would be made up


def test_nothing_is_below_thresholds_that_are_not_there() -> None:
    found = findings(Mass=(0.19, None), Edema=(0.6, None))
    rows = tuple(each._replace(threshold=None, above=None) for each in found.findings)
    undecided = found._replace(findings=rows)
    assert undecided.verdict == ["no finding has a threshold: nothing is decided"]
    assert [f.label for f in shown(undecided)] == ["Edema"]
    unlimited = [each._replace(threshold=None, above=None) for each in found.findings]
    assert [f.label for f in shown(found._replace(findings=tuple(unlimited)))] == ["Edema"]


def test_where_labels_decide_those_above_are_shown_else_none() -> None:
    found = findings(
        Mass=(0.2, 0.1),
        Hernia=(0.03, 0.01),
        Edema=(0.6, 0.7),
        Nodule=(0.9, 0.8),
        No_Finding=(0.9, 0.1),
    )
    assert [f.label for f in shown(found)] == ["Nodule", "Mass", "Hernia"]
    none = findings(Mass=(0.09, 0.1), Hernia=(0.9, None), No_Finding=(0.9, 0.1))
    assert shown(none) == []
    assert share_shown(none) == "nothing is above its threshold: no map"


def test_colours_run_through_their_table_and_grow_lighter() -> None:
    steps = coloured(np.linspace(0, 1, len(INFERNO)))
    assert np.abs(steps.astype(int) - np.array(INFERNO)).max() <= 3
    lightness = coloured(np.linspace(0, 1, 256)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -1).all()
    np.testing.assert_array_equal(coloured(np.array([-1.0, 2.0])), [INFERNO[0], INFERNO[-1]])
