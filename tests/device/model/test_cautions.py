"""What stands under a verdict: how often it is right where few are ill, and how many are missed."""

from __future__ import annotations

from typing import Any

import pytest

from edge_app.model.cautions import NOT_ILL, NOT_NORMAL, Cautions


def point(found: tuple[Any, Any], normal: tuple[Any, Any]) -> Any:
    """Sensitivity and specificity, each on validation and on test."""
    return {
        "sensitivity": found[0],
        "specificity": normal[0],
        "test": {"sensitivity": {"value": found[1]}, "specificity": {"value": normal[1]}},
    }


def test_a_flag_is_told_by_what_it_is_worth_where_one_in_ten_is_not_normal() -> None:
    """Of 1,000 images, 100 not normal: 40 and 90 flagged, or 62 and 455."""
    cautions = Cautions.of(point((0.401, 0.623), (0.9, 0.494)))
    assert cautions.flagged == (
        "'flagged' does not mean ill: where 1 image in 10 is not normal, of all flags "
        "31 % are right on validation images, 12 % on test images"
    )
    assert cautions.clear == (
        "'not flagged' does not mean normal: of all that are not normal 60 % are missed "
        "on validation images, 38 % on test images"
    )


def marks(right: float, wrong: float, of_normal: float) -> Any:
    return {"right": right, "wrong": wrong, "of_normal": of_normal}


def test_marks_are_told_by_what_they_are_worth_where_one_in_ten_is_not_normal() -> None:
    """Of 1,000 images, 100 not normal: 40 of 440 marks are right, or 60 of 1,500."""
    here = {"validation": marks(0.4, 0.4, 0.4), "test": marks(0.6, 0.9, 1.5)}
    cautions = Cautions.of(point((0.4, 0.6), (0.9, 0.5)), None, here)  # type: ignore[arg-type]
    worth = "of all raised findings 9 % are right on validation images, 4 % on test images"
    assert cautions.under(flagged=True, raised=True) == (
        "'flagged' does not mean ill: where 1 image in 10 is not normal, these are right: on "
        "validation images 31 % of all flags and 9 % of all raised findings; on test images 12 % "
        "and 4 %"
    )
    assert cautions.under(flagged=False, raised=True) == (
        f"{cautions.clear}; where 1 image in 10 is not normal, {worth}"
    )


def test_of_marks_that_were_not_tested_or_never_right_nothing_is_claimed() -> None:
    flags = point((0.4, 0.6), (0.9, 0.5))
    for facts in (
        None,
        {"validation": marks(0.4, 0.4, 0.4)},
        {"validation": marks(0.4, 0.4, 0.4), "test": marks(0, 0.9, 1.5)},
        {"validation": marks(0.4, 0, 0), "test": marks(0.6, 0.9, 1.5)},
    ):
        assert Cautions.of(flags, None, facts).raised == ""  # type: ignore[arg-type]


def test_a_good_point_is_told_as_good() -> None:
    cautions = Cautions.of(point((0.95, 0.93), (0.99, 0.98)))
    assert cautions.flagged.endswith(
        "of all flags 91 % are right on validation images, 84 % on test images"
    )
    assert cautions.clear.endswith("5 % are missed on validation images, 7 % on test images")
    alike = Cautions.of(point((0.8, 0.8), (0.9, 0.9)))
    assert alike.flagged.endswith("of all flags 47 % are right on validation and on test images")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((0.5, 0.996), "50 % are missed on validation images, less than 1 % on test images"),
        ((0.996, 0.997), "less than 1 % are missed on validation and on test images"),
        ((0.004, 0.003), "more than 99 % are missed on validation and on test images"),
        ((0.004, 0.5), "more than 99 % are missed on validation images, 50 % on test images"),
    ],
)
def test_no_rounding_makes_none_of_some_or_all_of_most(
    found: tuple[float, float], said: str
) -> None:
    cautions = Cautions.of(point(found, (0.9, 0.9)))
    assert cautions.clear == f"{NOT_NORMAL}: of all that are not normal {said}"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_of_those_seen_is_not_told_as_none(share: float) -> None:
    assert Cautions.of(point((0.5, share), (0.9, 0.9))).clear == NOT_NORMAL
    assert Cautions.of(point((0.0, 0.0), (1.0, 1.0))) == (NOT_ILL, NOT_NORMAL, "", "")


def test_nothing_is_claimed_of_what_was_not_tested() -> None:
    untested = {key: value for key, value in point((0.4, 0.6), (0.9, 0.5)).items() if key != "test"}
    assert Cautions.of(untested) == (NOT_ILL, NOT_NORMAL, "", "")  # type: ignore[arg-type]
    assert Cautions.of(None) == (NOT_ILL, NOT_NORMAL, "", "")
    assert Cautions.of(point((0.4, None), (0.9, 0.5))) == (NOT_ILL, NOT_NORMAL, "", "")
    only_found = Cautions.of(point((0.4, 0.6), (0.9, None)))
    assert only_found.flagged == NOT_ILL
    assert "60 % are missed on validation images, 40 % on test images" in only_found.clear


class Place:
    """A site file's predictive values."""

    def __init__(self, ppv: tuple[Any, Any, Any], npv: tuple[Any, Any, Any]) -> None:
        keys = ("value", "low", "high")
        ends = {"ppv": dict(zip(keys, ppv, strict=True)), "npv": dict(zip(keys, npv, strict=True))}
        self.content = {"overall": ends}


def test_a_site_s_own_predictive_values_go_first() -> None:
    here: Any = Place((0.31, 0.25, 0.38), (0.9, 0.85, 0.92))
    cautions = Cautions.of(point((0.4, 0.6), (0.9, 0.5)), here)
    assert cautions.flagged == f"{NOT_ILL}: at this site 25 % to 38 % of flags are right"
    assert cautions.clear == (
        f"{NOT_NORMAL}: at this site 8 % to 15 % of images that are not flagged are not normal"
    )
    unknown: Any = Place((None, None, None), (0.9, None, None))
    assert Cautions.of(point((0.4, 0.6), (0.9, 0.5)), unknown) == (NOT_ILL, NOT_NORMAL, "", "")
