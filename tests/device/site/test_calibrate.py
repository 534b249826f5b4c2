"""From a labelled set of a site to its site file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_app.core.errors import DatasetError, ModelError, ReportError, UsageError
from edge_app.evaluation.report import Evaluated
from edge_app.model.calibration import calibrated
from edge_app.model.model_file import read
from edge_app.model.overall import OverallScore
from edge_app.model.site import Site
from edge_app.model.site_types import SiteDocument
from edge_app.site.calibrate import calibrate
from edge_app.site.labelled_set import groups, pooled
from edge_app.site.page import page
from edge_app.site.performance import performance, performance_in_routine
from edge_app.site.target import Target, TooFewError, target, threshold
from edge_app.site.words import percent, summary, thousand, with_ends

from .made import evaluated, model, report

THREE = read(Path(__file__).parents[2] / "models" / "three-exclusive.tflite")
ONE_IN_TEN = Target("false-alarms", 10)


def made(
    answers: Evaluated, aim: Target = ONE_IN_TEN, prevalence: float | None = None
) -> SiteDocument:
    return calibrate(pooled([report(answers)], model()), model(), aim, prevalence)


def decided(site: SiteDocument, answers: Evaluated) -> tuple[np.ndarray, np.ndarray]:
    """What a device with this site file says of images: probabilities, and which are flagged."""
    at_site = Site(Path("site.json"), site).applied(model())
    manifest = at_site.manifest
    scores = calibrated(answers.logits, manifest["calibration"], at_site.head)
    score = OverallScore.of(manifest, at_site.labels)
    assert score
    probability = score.probability(scores)
    overall = manifest["overall"]
    return probability, probability >= overall["operating_points"]["site"]["threshold"]


def bearing(answers: Evaluated) -> np.ndarray:
    return answers.targets[:, model().labels.findings].any(axis=1)


@pytest.mark.parametrize("shift", [-2.0, 0.0, 3.0])
def test_probabilities_are_true_at_the_site_whatever_its_exposures_do_to_logits(
    shift: float,
) -> None:
    """Other patients of the same site than those that calibrated it."""
    first, other = evaluated(seed=1), evaluated(seed=2)
    moved = [replace(each, logits=(0.5 * each.logits + shift)) for each in (first, other)]
    probability, _ = decided(made(moved[0]), moved[1])
    truth = bearing(other)
    assert probability.mean() == pytest.approx(truth.mean(), abs=0.03)
    sure = probability > np.quantile(probability, 0.8)
    assert probability[sure].mean() == pytest.approx(truth[sure].mean(), abs=0.06)


@pytest.mark.parametrize(
    "aim",
    [
        ONE_IN_TEN,
        Target("specificity", 0.8),
        Target("sensitivity", 0.9),
        Target("sensitivity", 0.8, 0.8),
    ],
)
def test_other_patients_get_what_was_promised(aim: Target) -> None:
    site, other = made(evaluated(seed=3), aim), evaluated(2000, seed=4)
    _, flagged = decided(site, other)
    truth = bearing(other)
    reached = flagged[truth].mean() if aim.of_bearers else (~flagged[~truth]).mean()
    assert aim.promised is not None
    assert aim.promised <= reached < aim.promised + 0.08


def test_a_cost_ratio_flags_where_that_costs_least() -> None:
    answers = evaluated(2000, seed=5)
    site = made(answers, Target("cost-ratio", 4))
    assert site["overall"]["threshold"] == 0.2
    probability, flagged = decided(site, answers)
    truth = bearing(answers)

    def cost(flagged: np.ndarray) -> float:
        return float(4 * (truth & ~flagged).sum() + (~truth & flagged).sum())

    for other in (0.1, 0.4):
        assert cost(flagged) < cost(probability >= other)


def test_only_a_finding_that_was_calibrated_here_bounds_the_image() -> None:
    """A Hernia that nobody of the site bore says what it likes where exposures differ."""
    answers = evaluated(seed=1)
    labels = model().labels
    site = made(replace(answers, logits=answers.logits + 3))
    effusion, hernia = labels.names.index("Effusion"), labels.names.index("Hernia")
    assert site["decisions"]["overall"]["bounded_by"] == [effusion]
    logits = np.zeros((1, len(labels)), np.float32)
    logits[0, [hernia, labels.names.index("No Finding")]] = 9, 6
    probability, _ = decided(site, replace(answers, logits=logits))
    assert probability < 0.5
    logits[0, effusion] = 9
    probability, _ = decided(site, replace(answers, logits=logits))
    assert probability > 0.9


def test_too_few_patients_are_counted_and_enough_are_named() -> None:
    answers = evaluated(100, prevalence=0.12)
    patients = len(np.unique(answers.patients[bearing(answers)]))
    with pytest.raises(TooFewError) as refused:
        made(answers, Target("sensitivity", 0.95))
    assert refused.value.there == patients < refused.value.needed
    assert f"{patients} patients have images with a finding, and 61 would do" in str(refused.value)
    assert made(answers, ONE_IN_TEN)["overall"]["specificity"]["value"] >= 0.9


def exclusive(patients: int, prevalence: float, seed: int) -> Evaluated:
    """One of Healthy, Bacterial and Viral each; logits that a site's exposures have moved."""
    generator = np.random.default_rng(seed)
    present = np.where(
        generator.random(patients) < prevalence, generator.choice((1, 1, 2), patients), 0
    )
    targets = np.eye(3, dtype=np.uint8)[present]
    logits = 3 * targets + generator.normal(0, 1.5, targets.shape) + (4, 0, 1)
    each = np.array([f"{place:06d}" for place in range(patients)])
    return Evaluated(each, each, targets, logits.astype(np.float32))


def of_exclusive(answers: Evaluated, prevalence: float | None = None) -> SiteDocument:
    return calibrate(pooled([report(answers, of=THREE)], THREE), THREE, ONE_IN_TEN, prevalence)


@pytest.mark.parametrize("prevalence", [None, 0.05])
def test_exclusive_labels_are_calibrated_together(prevalence: float | None) -> None:
    site = of_exclusive(exclusive(1500, 0.5, seed=1), prevalence)
    assert {row["recalibrated"] for row in site["labels"]} == {"slope and intercept"}
    routine = exclusive(20_000, prevalence or 0.5, seed=2)
    scores = calibrated(routine.logits, site["decisions"]["calibration"], "exclusive")
    share = routine.targets.mean(axis=0)
    np.testing.assert_allclose(scores.mean(axis=0), share, rtol=0.15)
    np.testing.assert_allclose(site["decisions"]["prevalence"], share, rtol=0.15)
    for channel in range(3):
        highest = scores[:, channel] >= np.quantile(scores[:, channel], 0.97)
        bears = routine.targets[highest, channel].mean()
        assert scores[highest, channel].mean() == pytest.approx(bears, abs=0.06)


def test_what_is_not_calibrated_moves_to_a_stated_prevalence_with_what_is_usual() -> None:
    """Otherwise every image would have twice as much of it as is usual there."""
    answers = exclusive(200, 0.5, seed=3)
    few = np.flatnonzero(answers.targets[:, 2])
    kept = np.delete(np.arange(200), few)
    some = Evaluated(
        *(answers.images[kept], answers.patients[kept], answers.targets[kept], answers.logits[kept])
    )
    as_counted, as_stated = of_exclusive(some), of_exclusive(some, 0.05)
    assert {row["recalibrated"] for row in as_stated["labels"]} == {"nothing"}
    usual, shares = [], []
    for site in (as_counted, as_stated):
        usual.append(site["decisions"]["prevalence"])
        calibration = site["decisions"]["calibration"]
        shares.append(calibrated(some.logits, calibration, "exclusive"))
    expected = (usual[1][1] / usual[1][0]) / (usual[0][1] / usual[0][0])
    for channel in (1, 2):  # nobody bears the latter
        ratios = [share[:, channel] / share[:, 0] for share in shares]
        np.testing.assert_allclose(ratios[1] / ratios[0], expected, rtol=1e-3)


def test_a_finding_of_too_few_patients_moves_as_what_is_usual_does() -> None:
    answers = evaluated(600, 0.33, seed=6, per_patient=1)
    hernia, nodule = map(model().labels.names.index, ("Hernia", "Nodule"))
    answers.targets[np.flatnonzero(bearing(answers))[:8], hernia] = 1
    site = made(answers, prevalence=0.05)
    assert site["labels"][hernia]["recalibrated"] == "nothing"
    decisions, known = site["decisions"], model().manifest["calibration"]
    there, here = 8 / 600, decisions["prevalence"][hernia]
    assert 0 < here < there / 5
    moved = decisions["calibration"]["intercept"][hernia] - known["intercept"][hernia]
    assert moved == pytest.approx(np.log(here / (1 - here) / there * (1 - there)), abs=1e-3)
    assert decisions["calibration"]["slope"][hernia] == known["slope"][hernia]
    of_none = decisions["calibration"]["intercept"][nodule] - known["intercept"][nodule]
    assert of_none == pytest.approx(moved, abs=0.05)


def test_scores_of_1_that_no_threshold_leaves_out_are_refused_in_words() -> None:
    """As a softmax gives them that is very sure of itself."""
    generator = np.random.default_rng(0)
    truth, patients = generator.random(400) < 0.4, np.arange(400).astype(str)
    probability = np.where(generator.random(400) < 0.3, 1.0, generator.random(400))
    with pytest.raises(DatasetError, match="images without a finding have a probability of 1"):
        threshold(ONE_IN_TEN, probability, truth, patients)
    assert threshold(Target("sensitivity", 0.8), probability, truth, patients) < 0.5


def test_a_label_of_too_few_patients_has_no_threshold_and_keeps_its_calibration() -> None:
    answers = evaluated()
    channel = model().labels.names.index("Hernia")
    targets = answers.targets.copy()
    targets[np.flatnonzero(targets[:, model().labels.names.index("Effusion")])[:4], channel] = 1
    site = made(replace(answers, targets=targets), Target("sensitivity", 0.9))
    row = site["labels"][channel]
    assert row["recalibrated"] == "nothing"
    assert row["performance"] is None
    assert row["why_not"] is not None
    assert row["why_not"].endswith("patients have it; 31 would do")
    decisions = site["decisions"]
    assert decisions["operating_points"]["site"]["thresholds"][channel] is None
    kept = model().manifest["calibration"]["slope"][channel]
    assert decisions["calibration"]["slope"][channel] == kept


def test_what_flagged_means_at_a_stated_prevalence() -> None:
    """An enriched set: a third have a finding, of whom routine has one in twenty."""
    enriched, routine = evaluated(600, 0.33, seed=6), evaluated(4000, 0.05, seed=7)
    site = made(enriched, prevalence=0.05)
    probability, flagged = decided(site, routine)
    truth = bearing(routine)
    assert probability.mean() == pytest.approx(0.05, abs=0.01)
    ppv = site["overall"]["ppv"]
    assert ppv["low"] is not None
    assert ppv["high"] is not None
    assert ppv["low"] <= truth[flagged].mean() <= ppv["high"]
    thousand = site["overall"]["per_thousand"]
    assert thousand["found"]["value"] + thousand["missed"]["value"] == pytest.approx(50, abs=0.2)
    assert site["decisions"]["overall"]["usually"] == 0.05
    assert site["reference"]["overall"]["value"] == pytest.approx(0.05, abs=0.01)


def test_whose_images_a_labels_threshold_keeps_its_target_among_is_said() -> None:
    enriched = two_findings(400, 0.5, seed=1)
    said = "keeps the target among this set's images"
    for text in (summary, page):
        assert said not in text(made(enriched))
        assert said in text(made(enriched, prevalence=0.05)).replace("&#x27;", "'")


def two_findings(patients: int, prevalence: float, seed: int) -> Evaluated:
    """The score of either finding is raised by the other one, too, as scores are."""
    generator, names = np.random.default_rng(seed), model().labels.names
    effusion, mass, normal = map(names.index, ("Effusion", "Mass", "No Finding"))
    bears = generator.random(patients) < prevalence
    first = bears & (generator.random(patients) < 0.3)
    targets = np.zeros((patients, len(names)), np.uint8)
    targets[:, effusion], targets[:, mass], targets[:, normal] = first, bears & ~first, ~bears
    logits = generator.normal(size=targets.shape)
    logits += np.where(bears, 1, -1)[:, np.newaxis] * np.where(
        np.arange(len(names)) == normal, -1, 1
    )
    logits[:, [effusion, mass]] += targets[:, [effusion, mass]]
    each = np.array([f"{place:06d}" for place in range(patients)])
    return Evaluated(each, each, targets, logits.astype(np.float32))


def test_a_finding_is_worth_in_routine_what_the_file_says_though_the_set_was_enriched() -> None:
    """Half of the set bear a finding: there, false alarms are of images with another one."""
    site = made(two_findings(2000, 0.5, seed=1), prevalence=0.05)
    routine = two_findings(100_000, 0.05, seed=2)
    scores = calibrated(routine.logits, site["decisions"]["calibration"])
    for name in ("Effusion", "Mass"):
        channel = model().labels.names.index(name)
        score, bears = scores[:, channel], routine.targets[:, channel] > 0
        assert score.mean() == pytest.approx(bears.mean(), rel=0.15)
        highest = score >= np.quantile(score, 0.99)
        assert score[highest].mean() == pytest.approx(bears[highest].mean(), abs=0.12)
        found = site["labels"][channel]["performance"]
        assert found
        above = score >= found["threshold"]
        reached = {
            "ppv": bears[above], "npv": ~bears[~above],
            "sensitivity": above[bears], "specificity": ~above[~bears],
        }  # fmt: skip
        for key, hits in reached.items():
            stated = found[key]
            assert stated["low"] <= hits.mean() <= stated["high"], (name, key)
        flagged = found["per_thousand"]["flagged"]
        assert flagged["low"] <= 1000 * above.mean() <= flagged["high"]


def test_yield_and_predictive_values_are_those_of_the_flagged_images() -> None:
    answers = evaluated(seed=8)
    site = made(answers)
    _, flagged = decided(site, answers)
    truth, overall = bearing(answers), site["overall"]
    assert overall["ppv"]["value"] == pytest.approx(truth[flagged].mean(), abs=1e-6)
    assert overall["npv"]["value"] == pytest.approx((~truth[~flagged]).mean(), abs=1e-6)
    counts = {"flagged": flagged, "found": flagged & truth, "missed": truth & ~flagged}
    for name, which in counts.items():
        assert overall["per_thousand"][name]["value"] == round(1000 * which.mean(), 1)


def test_images_of_a_patient_widen_the_intervals() -> None:
    """The same images, said to be of 40 patients."""
    answers = evaluated(400, per_patient=1)
    order = np.argsort(answers.logits[:, model().labels.names.index("Effusion")])
    of = np.empty(len(order), int)
    of[order] = np.arange(len(order)) // 10
    alike = replace(answers, patients=np.array([f"p{each}" for each in of]))

    def width(site: SiteDocument) -> float:
        prevalence = site["prevalence"]
        assert prevalence["low"] is not None
        assert prevalence["high"] is not None
        return prevalence["high"] - prevalence["low"]

    assert width(made(alike, Target("cost-ratio", 2))) > 1.5 * width(
        made(answers, Target("cost-ratio", 2))
    )


def test_labels_that_the_scores_do_not_know_are_refused() -> None:
    answers = evaluated()
    wrong = replace(answers, logits=-answers.logits)
    with pytest.raises(DatasetError, match="are these the right labels"):
        made(wrong)


def test_scores_that_part_the_images_entirely_are_not_called_wrong_labels() -> None:
    answers = evaluated(60)
    sign = np.where(bearing(answers), 1, -1)[:, np.newaxis]
    parted = replace(answers, logits=answers.logits.copy())
    effusion, normal = map(model().labels.names.index, ("Effusion", "No Finding"))
    parted.logits[:, [effusion, normal]] = (
        sign * (5, -5) + answers.logits[:, [effusion, normal]] / 9
    )
    with pytest.raises(DatasetError, match="higher than every normal one"):
        made(parted, Target("cost-ratio", 2))


def test_several_reports_are_one_set_and_none_counts_twice() -> None:
    one, other = report(evaluated(200, seed=1)), evaluated(200, seed=2)
    named = replace(other, images=np.char.add("b", other.images))
    both = pooled([one, report(named)], model())
    assert len(both.images) == 1200
    assert len(np.unique(both.patients)) == 200  # a patient may be in both
    with pytest.raises(DatasetError, match="is in two of the reports"):
        pooled([one, one], model())
    with pytest.raises(ReportError, match="is of another network"):
        pooled([report(evaluated(), sha256="0" * 64)], model())


def test_groups_are_told_where_ten_patients_are_in_them() -> None:
    answers = evaluated(300)
    about = {
        str(image): {"sex": "F" if index % 2 else "M", "age": f"{index % 100:03d}Y"}
        for index, image in enumerate(answers.images)
    }
    about[str(answers.images[0])]["sex"] = "unheard of"
    labelled = pooled([report(answers)], model())
    members = groups(about, labelled.images)
    site = calibrate(labelled, model(), ONE_IN_TEN, None, members)
    counts = {(group["by"], group["name"]): group["images"] for group in site["groups"]}
    assert counts.keys() == {
        ("sex", "F"), ("sex", "M"),
        ("age", "under 40"), ("age", "40 to 59"), ("age", "60 and over"),
    }  # fmt: skip
    assert counts["sex", "F"] == 450


def test_a_group_has_all_its_people_however_a_table_writes_them() -> None:
    images = np.array([f"{i}" for i in range(6)])
    sexes = ("M", "male", "m", "F", "Female", "f")
    ages = ("018M", "006 M", "58 years", "045Y", "45", "unknown")
    about = {
        str(image): {"sex": sex, "age": age, "view": view}
        for image, sex, age, view in zip(images, sexes, ages, ("PA", "pa", "AP") * 2, strict=True)
    }
    counts = {
        kind: {name: int(inside.sum()) for name, inside in named.items()}
        for kind, named in groups(about, images).items()
    }
    assert counts == {
        "sex": {"F": 3, "M": 3},
        "view": {"AP": 2, "PA": 4},
        "age": {"under 40": 2, "40 to 59": 3, "60 and over": 0},
    }


def test_one_target_at_a_time_and_none_that_cannot_be() -> None:
    assert target(None, None, None, None) == ONE_IN_TEN
    with pytest.raises(UsageError, match="--sensitivity and --cost-ratio exclude each other"):
        target(0.9, None, None, 3)
    for wrong in ((1.0, None, None, None), (None, 0.2, None, None), (None, None, 1, None)):
        with pytest.raises(UsageError):
            target(*wrong)


def test_the_same_network_under_other_labels_is_another_model() -> None:
    """As of a network that was imported again, because its list of labels was wrong."""
    first, second, *others = model().manifest["labels"]
    relabelled = model().replace(manifest={**model().manifest, "labels": [second, first, *others]})
    assert relabelled.sha256 == model().sha256
    answers = evaluated()
    with pytest.raises(ReportError, match="another order"):
        pooled([report(answers)], relabelled)
    with pytest.raises(ModelError, match="another order"):
        Site(Path("site.json"), made(answers)).applied(relabelled)


def test_no_rounding_says_that_nothing_is_missed() -> None:
    """Of a rare finding too few of 1,000 images are missed to make one, and still a fifth of it."""
    found = made(evaluated(), prevalence=0.0004)["overall"]
    assert found["sensitivity"]["value"] == pytest.approx(0.66, abs=0.05)
    said = thousand(found)
    assert ": fewer than 1 with a finding and " in said
    assert said.endswith(" normal ones. Fewer than 1 with a finding are not flagged.")
    assert percent(found["npv"]["value"]) == "> 99.9 %"
    all_found = {**found, "sensitivity": {"value": 1.0, "low": 0.9, "high": 1.0}}
    assert thousand(all_found).endswith(". 0 with a finding are not flagged.")
    for normal, words in ((0.0004, "more than 999"), (0.0, "1000")):
        nearly = {**all_found, "specificity": {"value": normal, "low": 0.0, "high": 0.1}}
        flagged = {"value": 1000 * (1 - 0.9996 * normal), "low": 990.0, "high": 1000.0}
        nearly["per_thousand"] = {**found["per_thousand"], "flagged": flagged}
        assert thousand(nearly).startswith(f"Of 1,000 images {words} are flagged: ")


def test_no_end_of_an_interval_is_rounded_to_none_or_all() -> None:
    for low, high, said in [
        (0.0, 1.0, "97.0 % (0.0 to 100.0)"),
        (0.0004, 0.9996, "97.0 % (< 0.1 to > 99.9)"),
        (0.92, 0.99, "97.0 % (92.0 to 99.0)"),
    ]:
        assert with_ends({"value": 0.97, "low": low, "high": high}) == said


def set_of(found: int, bearing: int, normal: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flagged and borne images of as many patients: `found` of those that bear it, no others."""
    truth = np.arange(bearing + normal) < bearing
    return np.arange(len(truth)) < found, truth, np.arange(len(truth))


def test_a_few_flags_that_are_all_right_are_no_certainty() -> None:
    """However many patients have images that are not flagged: 100 of 100 by Wilson is 96.3 %."""
    for found, low, high in ((3, 0.05, 0.44), (100, 0.95, 0.963)):
        ppv = performance(*set_of(found, 300, 700))["ppv"]
        assert (ppv.value, ppv.high) == (1, 1)
        assert low < ppv.low < high
    flagged, truth, patients = set_of(300, 300, 700)
    flagged[: 1000 - 10] = True  # ten are not, all of them normal
    npv = performance(flagged, truth, patients)["npv"]
    assert (npv.value, npv.high) == (1, 1)
    assert 0.6 < npv.low < 0.73


def test_flags_that_are_all_right_tell_less_of_a_routine_with_more_normal_images() -> None:
    """Of 700 normal images none was flagged, so that 0.5 % may be: at a prevalence of 1 % half of
    all flags could be wrong."""
    flagged, truth, patients = set_of(100, 300, 700)
    could = 0.01 / 3 / (0.01 / 3 + 0.99 * 0.0055)
    weights = np.where(truth, 0.01 / 0.3, 0.99 / 0.7)
    for found in (
        performance(flagged, truth, patients, 0.01),
        performance_in_routine(flagged, truth, patients, weights, truth),
    ):
        assert found["ppv"].value == found["ppv"].high == 1
        assert found["ppv"].low == pytest.approx(could, abs=0.02)
        assert found["flagged"].high > 0.0055


def test_the_interval_of_predictive_values_holds_the_truth_where_few_are_flagged() -> None:
    """One normal image in 500 is flagged, and one in ten of the others: 95.5 % of flags are right.
    Of most sets all are."""
    generator = np.random.default_rng(1)
    held = []
    for _ in range(200):
        truth = generator.random(300) < 0.3
        flagged = generator.random(300) < np.where(truth, 0.1, 0.002)
        ppv = performance(flagged, truth, np.arange(300))["ppv"]
        held.append(ppv.low <= 0.3 * 0.1 / (0.3 * 0.1 + 0.7 * 0.002) <= ppv.high)
    assert np.mean(held) > 0.88


def test_a_share_without_an_interval_says_so() -> None:
    """As where one patient's images alone are flagged: 100 % of them is no certainty."""
    assert with_ends({"value": 1.0, "low": None, "high": None}) == "100.0 % (no interval)"
    said = summary(made(evaluated(), prevalence=0.05))
    assert "prevalence of findings, as stated: 5.0 %\n" in said
