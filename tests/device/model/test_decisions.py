"""What is said of a radiograph: never that it is normal and a finding present."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.core.errors import UsageError
from edge_app.model.decisions import Decisions, Finding, mark, marked, reported
from edge_app.model.labels import FINDING, NORMAL, Label, Labels
from edge_app.model.manifest_types import Manifest
from edge_app.model.operating_points import chosen
from edge_app.model.overall import Overall

LABELS = Labels((Label("A"), Label("Clear", NORMAL), Label("B"), Label("C")))
IMAGE_LEVEL = {
    "method": "normal",
    "slope": 1.3,
    "intercept": -0.2,
    "usually": 0.4,
    "fitted_on": "made up",
    "operating_points": {
        "one-in-ten": {"rule": "", "threshold": 0.7, "sensitivity": 0.5, "specificity": 0.9},
        "screening": {"rule": "", "threshold": 0.2, "sensitivity": 0.9, "specificity": 0.5},
    },
    "default_operating_point": "one-in-ten",
}


def manifest(thresholds: list[float | None], whole: bool = True) -> Manifest:
    point = {"rule": "", "fitted_on": "", "thresholds": thresholds}
    points = dict.fromkeys(("low", "screening"), point)
    stated: dict[str, Any] = {
        "name": "m",
        "head": "independent",
        "operating_points": points,
        "default_operating_point": "low",
    }
    if whole:
        stated |= {
            "overall": IMAGE_LEVEL,
            "prevalence": [0.1, 0.6, 0.2, 0.3],
            "reference": {
                "images": "9 normal images of validation, 20 images",
                "shares": [0.5, 1.0],
                "labels": [[0.1, 0.9]] * 4,
                "overall": [0.3, 0.8],
            },
        }
    return cast("Manifest", stated)


shares = st.floats(0, 1)
point = st.sampled_from([None, "one-in-ten", "screening", "per-label:low", "per-label:screening"])


@given(
    st.lists(shares, min_size=4, max_size=4),
    st.lists(st.none() | shares, min_size=4, max_size=4),
    point,
    st.booleans(),
)
def test_no_answer_contradicts_itself(
    scores: list[float], thresholds: list[float | None], name: str | None, whole: bool
) -> None:
    stated = manifest(thresholds, whole)
    points = chosen(stated, name if whole else name and "low")
    findings, overall = Decisions(stated, LABELS, points).of(
        np.zeros(4, np.float32), np.array(scores)
    )
    assert overall is not None
    present = [each.label for each in findings if each.kind == FINDING and each.above]
    (normal,) = (each for each in findings if each.kind == NORMAL)
    assert not (normal.above and present)
    if overall.flagged is False:
        assert not present
    if overall.flagged:
        assert not normal.above
    assert (overall.flagged is None) == (points.image is None)
    assert [each.above is None for each in findings] == [
        at is None and not (each.kind == NORMAL and (overall.flagged or present))
        for at, each in zip(thresholds, findings, strict=True)
    ]


def test_a_score_is_shown_with_its_usual_frequency_and_normal_images() -> None:
    stated = manifest([0.5] * 4)
    findings, overall = Decisions(stated, LABELS, chosen(stated, None)).of(
        np.zeros(4, np.float32), np.array([0.05, 0.1, 0.5, 0.93])
    )
    assert [each.usually for each in findings] == [0.1, 0.6, 0.2, 0.3]
    assert [each.percentile for each in findings] == [0.0, 0.0, 0.5, 1.0]
    assert overall is not None
    odds = 1.3 * np.log(0.9 / 0.1) - 0.2
    assert overall.probability == pytest.approx(1 / (1 + np.exp(-odds)))
    assert (overall.percentile, overall.flagged, overall.usually) == (1.0, True, 0.4)


def test_an_image_level_point_goes_before_one_of_labels_with_its_name() -> None:
    stated = manifest([0.5] * 4)
    assert chosen(stated, None) == ("one-in-ten", "one-in-ten", "low")
    assert chosen(stated, "screening") == ("screening", "screening", "low")
    assert chosen(stated, "per-label:screening") == ("per-label:screening", None, "screening")
    assert chosen(stated, "low") == ("per-label:low", None, "low")
    assert chosen(stated, chosen(stated, "low").name) == chosen(stated, "low")
    with pytest.raises(UsageError, match="one-in-ten, screening, per-label:low, per-label:scr"):
        chosen(stated, "high")


def test_without_image_level_points_names_are_what_they_were() -> None:
    stated = manifest([0.5] * 4, whole=False)
    assert chosen(stated, None) == ("low", None, "low")
    assert chosen(stated, "screening") == ("screening", None, "screening")
    with pytest.raises(UsageError, match="it has: low, screening"):
        chosen(stated, "high")


@pytest.mark.parametrize(
    ("score", "usually", "above", "by_label", "word"),
    [
        *((0.2, 0.1, False, False, "raised"), (0.1, 0.2, True, False, "")),
        *((0.1994, 0.1, False, False, ""), (0.1996, 0.1, False, False, "raised")),
        (0.125, 0.0625, False, False, "raised"),  # 12.5 % and, as it is shown, 6.2 %
        *((0.0994, 0.0002, False, False, ""), (0.0996, 0.0002, False, False, "raised")),
        *((0.2, None, True, False, ""), (0.2, 0.0, False, False, "")),
        *((0.1, 0.2, True, True, "above"), (0.2, 0.1, False, True, ""), (0.2, 0.1, None, True, "")),
    ],
)
def test_a_finding_is_marked_by_one_word(
    score: float, usually: float | None, above: bool | None, by_label: bool, word: str
) -> None:
    """As far as the digits that stand beside it tell: 19.9 % is not twice 10.0 %."""
    assert mark(score, usually, above, by_label) == word


@pytest.mark.parametrize(
    ("score", "threshold", "said"),
    [
        (0.0854, 0.0852, "above, borderline"),
        (0.0852, 0.0854, "not above, borderline"),
        (0.0852, 0.0856, ""),
        (0.0002, 0.0004, "not above, borderline"),
        (0.5, None, ""),
    ],
)
def test_a_finding_that_reads_like_its_own_threshold_is_borderline(
    score: float, threshold: float | None, said: str
) -> None:
    """8.5 % beside a threshold of 8.5 % reads as above it, whether it is or not."""
    above = None if threshold is None else score >= threshold
    assert marked(score, 0.01, above, True, threshold) == said
    assert "borderline" not in marked(score, 0.01, above, False, threshold)


def test_the_normal_label_is_undecided_where_the_image_as_a_whole_is_decided() -> None:
    """*No Finding: above* beside *not flagged* would say more than the image's threshold does."""
    bears = Finding("Edema", 0.0, 0.6, 0.5, True)
    normal = Finding("No Finding", 0.0, 0.6, 0.5, True, "normal")
    for flagged in (True, False):
        whole = Overall(0.4, None, None, 0.5, flagged)
        assert reported([bears, normal], whole) == (bears, normal._replace(above=None))
    for undecided in (None, Overall(0.4, None, None, None, None)):
        assert reported([bears, normal], undecided) == (bears, normal)
