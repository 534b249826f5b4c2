"""Whether a period's answers still look as they did."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app.core.errors import ReportError
from edge_app.model.calibration import calibrated
from edge_app.model.model_file import locate
from edge_app.model.model_file import read as model_file
from edge_app.model.overall import OverallScore
from edge_app.model.site import Site
from edge_app.site import drift as drifting
from edge_app.site.calibrate import calibrate
from edge_app.site.drift import AS_BEFORE, CHANGED, TOO_FEW, UNSURE, drift
from edge_app.site.labelled_set import pooled
from edge_app.site.results import Maker, Period, read
from edge_app.site.target import Target
from edge_app.site.two_samples import Mean, holm, images_for_mean, kolmogorov, stability_index

from ..conftest import Run
from .made import evaluated, model, report


def site_of(seed: int = 0, patients: int = 800) -> Site:
    labelled = pooled([report(evaluated(patients, seed=seed))], model())
    return Site(Path("site.json"), calibrate(labelled, model(), Target("false-alarms", 10)))


def period(site: Site | None, patients: int = 700, seed: int = 9, **changes: float) -> Period:
    """What `classify` would answer of other patients; `shift` is what their logits are off."""
    answers = evaluated(patients, changes.get("prevalence", 0.3), seed=seed)
    at = site.applied(model()) if site else model()
    shift = np.float32(changes.get("shift", 0))
    scores = calibrated(answers.logits + shift, at.manifest["calibration"], at.head)
    score = OverallScore.of(at.manifest, at.labels)
    assert score
    probability = score.probability(scores)
    overall = at.manifest["overall"]
    threshold = overall["operating_points"][overall["default_operating_point"]]["threshold"]
    return Period(
        model().sha256,
        site.digest if site else None,
        probability,
        probability >= threshold,
        scores[:, at.labels.findings],
        int(changes.get("withheld", 8)),
        0,
    )


DEFAULT = Maker.of(model())


def verdicts(found: dict) -> dict[str, str]:
    return {each["name"]: each["verdict"] for each in found["quantities"]}


def test_other_patients_of_the_same_site_are_no_change() -> None:
    site = site_of()
    found = drift(period(site), model(), site, 12)
    assert found["verdict"] == AS_BEFORE
    assert CHANGED not in verdicts(found).values()


def test_more_patients_with_a_finding_are_a_change() -> None:
    site = site_of()
    found = verdicts(drift(period(site, prevalence=0.6), model(), site, 12))
    assert found[drifting.SCORES] == found[drifting.FLAGGED] == found["Effusion"] == CHANGED


def test_pictures_that_the_input_check_withholds_more_often_are_a_change() -> None:
    site = site_of()
    found = drift(period(site, 3000, withheld=400), model(), site, 12)
    changed = [name for name, verdict in verdicts(found).items() if verdict == CHANGED]
    assert changed == [drifting.WITHHELD]
    assert found["verdict"] == CHANGED


def test_what_is_not_told_of_few_images_is_not_as_before() -> None:
    """Whatever was not tested is one of those of which nothing can be said."""
    site = site_of(patients=60)
    found = drift(period(site, 60), model(), site, 12)
    for each in found["quantities"]:
        assert each["verdict"] == TOO_FEW or each["probability"] is not None


def test_of_few_images_nothing_is_said_and_enough_are_named() -> None:
    site = site_of()
    few = drift(period(site, 10, prevalence=0.9), model(), site, 12)
    assert few["verdict"] == TOO_FEW
    by_name = {each["name"]: each for each in few["quantities"]}
    needed = by_name[drifting.SCORES]["needed"]
    assert 100 < needed < 1000
    enough = drift(period(site, needed // 3 + 1), model(), site, 12)
    assert verdicts(enough)[drifting.SCORES] != TOO_FEW


def test_who_looks_more_often_needs_more_images() -> None:
    site = site_of()

    def needed(looks: int) -> int:
        found = drift(period(site), model(), site, looks)
        return next(each["needed"] for each in found["quantities"])

    assert needed(1) < needed(12) < needed(365)


def test_without_a_site_file_the_models_own_rates_are_the_reference() -> None:
    found = drift(period(None, 2000, prevalence=0.95), model(), None, 12)
    changes = verdicts(found)
    assert drifting.SCORES not in changes  # their distribution is not in the model file
    assert changes[drifting.OVERALL] == CHANGED
    assert "< 1e-15  changed" in drifting.summary(found)  # and not 0, which it is not


def test_the_models_own_rates_are_no_better_known_than_its_images_tell() -> None:
    """Those of 2,238 images of 633 patients: where one bears a finding, three may elsewhere, though
    nothing changed. At one look at 5 % told of a change."""
    manifest, labels = model().manifest, model().labels
    rates = np.append(np.linspace(0.0008, 0.03, len(labels) - 1), 0.6)
    generator, count = np.random.default_rng(3), 0
    for _ in range(60):
        seen = generator.binomial(2238, rates) / 2238
        overall = {**manifest["overall"], "usually": float(generator.binomial(2238, 0.4) / 2238)}
        checked = {
            **manifest["input_check"],
            "flagged": float(generator.binomial(2238, 0.005) / 2238),
        }
        stated = {"prevalence": seen.tolist(), "overall": overall, "input_check": checked}
        made = model()._replace(manifest={**manifest, **stated})
        spread = generator.gamma(2, 0.5, (4000, len(labels)))
        later = np.minimum(rates * spread, 1)[:, labels.findings]
        probability = generator.beta(4, 6, 4000)
        answers = Period(
            model().sha256, None, probability, np.empty(0, bool), later, generator.poisson(20), 0
        )
        count += drift(answers, made, None, 1)["verdict"] == CHANGED
    assert count <= 6


def test_what_is_far_off_and_not_sure_is_not_as_before() -> None:
    """A quarter fewer flags than before, with a p of some hundredths: a doubling would be seen."""
    site = site_of(patients=300)
    before = site.content["reference"]["flagged"]["value"]
    answers = period(site, 300)
    flagged = np.arange(len(answers.flagged)) < 0.75 * before * len(answers.flagged)
    found = drift(answers._replace(flagged=flagged), model(), site, 12)
    (quantity,) = (each for each in found["quantities"] if each["name"] == drifting.FLAGGED)
    assert quantity["needed"] < len(flagged)
    assert 0.05 / 12 / 18 < quantity["probability"] < 0.05
    assert quantity["verdict"] == UNSURE
    assert f"{drifting.FLAGGED} " in drifting.summary(found)
    assert "not sure: off by a factor of 1.25 or more" in drifting.summary(found)
    assert found["verdict"] == AS_BEFORE
    last = drifting.summary(found).splitlines()[-2]
    assert last == f"as before, as far as so many images can tell; not sure: {drifting.FLAGGED}"


def test_flagged_images_are_compared_with_the_rate_of_their_own_operating_point() -> None:
    overall = model().manifest["overall"]
    answers = period(None, 2000)
    for name, point in overall["operating_points"].items():
        usually = overall["usually"]
        rate = usually * point["sensitivity"] + (1 - usually) * (1 - point["specificity"])
        flagged = np.arange(len(answers.flagged)) < rate * len(answers.flagged)
        found = drift(answers._replace(flagged=flagged, point=name), model(), None, 12)
        assert verdicts(found)[drifting.FLAGGED] == AS_BEFORE, name


def test_answers_of_several_operating_points_are_refused(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    places = []
    for point in ("one-in-ten", "screening"):
        places.append(tmp_path / point)
        command = ("classify", "--json", "--operating-point", point, picture)
        places[-1].write_text(run(*command).stdout)
    assert read(places[:1], ["Mass"], DEFAULT).point == "one-in-ten"
    with pytest.raises(ReportError, match="several operating points"):
        read(places, ["Mass"], DEFAULT)


def test_a_file_named_twice_and_a_label_called_as_another_column_are_refused(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    place = tmp_path / "answers.csv"
    place.write_text(run("classify", "--csv", picture).stdout)
    assert len(read([place], ["Mass"], DEFAULT).overall) == 1
    with pytest.raises(ReportError, match="is named twice"):
        read([place, tmp_path / ".." / tmp_path.name / "answers.csv"], ["Mass"], DEFAULT)
    place.write_text(place.read_text().replace(",Mass,", ",overall,"))
    with pytest.raises(ReportError, match="is no heading"):
        read([place], ["overall"], DEFAULT)


def test_answers_of_another_model_or_site_file_are_refused() -> None:
    site, other = site_of(), site_of(1)
    with pytest.raises(ReportError, match="made with site file"):
        drift(period(site), model(), other, 12)
    with pytest.raises(ReportError, match="made with no site file"):
        drift(period(None), model(), site, 12)
    with pytest.raises(ReportError, match="of another network"):
        drift(period(site)._replace(model="0" * 64), model(), site, 12)


def of_another_check(model_path: Path, place: Path) -> Path:
    """The same network in a model file whose input check lets more pass, as of before an upgrade"""
    new = model_file(model_path)
    check = new.manifest["input_check"]
    limits = [limit + 1 for limit in check["limits"]]
    manifest = {**new.manifest, "input_check": {**check, "limits": limits}}
    return new.replace(path=place, manifest=manifest).save().path


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_answers_of_before_an_upgrade_of_the_input_check_are_left_out_and_counted(
    form: str, run: Run, tmp_path: Path, picture: Path
) -> None:
    """Its share of withheld images was another, though the network is the same."""
    old = of_another_check(locate("cxr-cnn28"), tmp_path / "cxr-cnn28.tflite")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    before, since, other = (tmp_path / name for name in ("before", "since", "other"))
    ask = ("classify", form, "--model")
    before.write_text(run(*ask, old, picture, picture, broken).stdout)
    since.write_text(run(*ask, "cxr-cnn28", picture).stdout)
    other.write_text(run(*ask, "cxr-lite0-128", picture).stdout)
    done = run("drift", before, since, other, "--model", "cxr-cnn28")
    first, second, *_ = done.stdout.splitlines()
    assert "1 images, 0 withheld, 0 could not be read" in first
    assert second == (
        "left out: 3 answers of another model file of the same network, whose input check or "
        "calibration may be another; 1 of another network"
    )
    report = json.loads(run("drift", before, since, "--model", "cxr-cnn28", "--json").stdout)
    assert [each["answers"] for each in report["left_out"]] == [3]
    alone = run("drift", before, "--model", "cxr-cnn28")
    assert alone.returncode == 3
    assert "before: of its answers none counts: 3 answers of another model file" in alone.stderr
    assert run("drift", before, "--model", old).stdout.count("left out") == 0


def test_answers_that_do_not_say_of_which_model_file_they_are_are_left_out(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    """As the CSV of earlier versions does not."""
    place = tmp_path / "answers.csv"
    rows = list(csv.reader(run("classify", "--csv", picture).stdout.splitlines()))
    at = rows[0].index("model_digest")
    with place.open("w", newline="") as file:
        csv.writer(file).writerows(row[:at] + row[at + 1 :] for row in rows)
    done = run("drift", place, "--model", "cxr-cnn28")
    assert done.returncode == 3
    assert "1 answer without the model file's digest" in done.stderr


def test_answers_of_another_site_file_are_left_out_beside_those_of_this_one(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    places = []
    for seed in (0, 1):
        places.append(tmp_path / f"site{seed}.json")
        places[-1].write_text(json.dumps(site_of(seed).content))
    ask = ("classify", "--json", "--model", "cxr-cnn28", picture, "--site")
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(run(*ask, places[0]).stdout)
    new.write_text(run(*ask, places[1]).stdout)
    done = run("drift", old, new, "--model", "cxr-cnn28", "--site", places[1])
    assert "1 images, 0 withheld" in done.stdout
    assert "left out: 1 answer made with another site file" in done.stdout


def test_the_index_is_0_for_the_same_and_grows_with_the_shift() -> None:
    generator = np.random.default_rng(0)
    quantiles = np.quantile(generator.normal(size=20000), np.linspace(0, 1, 101))
    same, moved, shifted = (
        stability_index(quantiles, generator.normal(by, 1, 20000)) for by in (0, 0.35, 0.8)
    )
    assert same < 0.01 < moved < 0.25 < shifted


def test_the_test_keeps_its_level() -> None:
    """Of 1,000 pairs of samples of one distribution, those told apart at the level 0.05."""
    generator = np.random.default_rng(1)
    alarms = 0
    for _ in range(1000):
        before, now = generator.normal(size=(2, 300))
        quantiles = np.quantile(before, np.linspace(0, 1, 101))
        alarms += kolmogorov(quantiles, now, 300, 300) < 0.05
    assert 15 <= alarms <= 65


def test_the_test_keeps_its_level_where_many_images_have_the_same_score() -> None:
    """As of outputs in int8."""
    generator = np.random.default_rng(2)

    def alarms(now: float, pairs: int) -> int:
        found = 0
        for _ in range(pairs):
            before, later = generator.normal(size=(2, 1000)) + [[0], [now]]
            quantiles = np.quantile(np.round(before, 1), np.linspace(0, 1, 101))
            found += kolmogorov(quantiles, np.round(later, 1), 1000, 1000) < 0.05
        return found

    assert alarms(0, 500) <= 30
    assert alarms(0.3, 20) == 20


def test_a_doubled_mean_is_seen_with_the_images_that_would_do() -> None:
    before = Mean(0.02, 0.14, 5000.0)
    needed = images_for_mean(before, 0.001, 1)
    assert images_for_mean(before, 0.001, 3) == pytest.approx(3 * needed)
    assert images_for_mean(Mean(0.02, 0.14, 50.0), 0.001, 1) == float("inf")


def test_holms_correction_is_the_printed_example() -> None:
    """Four tests at 0.05: 0.01 ≤ 0.0125, 0.015 ≤ 0.0167, then 0.03 > 0.025 ends it."""
    assert holm([0.03, 0.01, 0.04, 0.015], 0.05) == [False, True, False, True]


def test_what_classify_prints_is_what_is_read(run: Run, tmp_path: Path, picture: Path) -> None:
    labels = ["Effusion", "Mass"]
    broken, blank = tmp_path / "broken.png", tmp_path / "blank.png"
    broken.write_bytes(b"no image")
    Image.new("L", (64, 64)).save(blank)
    periods = {}
    for form in ("--json", "--csv"):
        place = tmp_path / f"answers{form}"
        place.write_text(run("classify", form, picture, broken, blank, picture).stdout)
        periods[form] = read([place], labels, DEFAULT)
    single, again = tmp_path / "single", tmp_path / "again"
    single.write_text(run("classify", "--json", picture).stdout)
    again.write_text(single.read_text())
    periods["one"] = read([single, again], labels, DEFAULT)
    one, *others = periods.values()
    assert (one.refused, one.withheld) == (1, 1)
    assert len(one.overall) == 2
    assert others[0].withheld == 1
    for other in others:
        np.testing.assert_allclose(other.findings, one.findings, atol=1e-6)
        np.testing.assert_allclose(other.overall, one.overall, atol=1e-6)
        assert other.flagged.tolist() == one.flagged.tolist()
        assert other.left_out == one.left_out == ()


@pytest.mark.parametrize("text", ["", "hello\n", "{}\n", '{"findings": [1]}\n', "a,b\n1,2\n"])
def test_what_is_no_result_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    place = tmp_path / "answers"
    place.write_text(text)
    with pytest.raises(ReportError) as refused:
        read([place], ["Effusion"], DEFAULT)
    assert str(place) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_answers_that_tell_the_first_findings_alone_are_refused(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    place = tmp_path / "answers"
    place.write_text(run("classify", "--json", "--top", "1", picture, picture).stdout)
    with pytest.raises(ReportError, match="classify without --top"):
        read([place], ["Effusion", "Mass"], DEFAULT)


def test_the_command_ends_with_5_for_a_change_and_3_where_nothing_can_be_said(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    site = site_of()
    (tmp_path / "site.json").write_text(json.dumps(site.content))
    names = [model().labels[channel].name for channel in model().labels.findings]

    def exit_code(answers: Period) -> int:
        with (tmp_path / "answers.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(
                ["file", "overall", "flagged", *names, "operating_point", "model_sha256", "site"]
                + ["withheld", "model_digest"]
            )
            for overall, flagged, findings in zip(
                answers.overall, answers.flagged, answers.findings, strict=True
            ):
                state = str(bool(flagged)).lower()
                cells = [overall, state, *findings, "site", answers.model, answers.site, "false"]
                cells.append(model().digest)
                rows.writerow(["a.png", *cells])
        options = ("--model", "cxr-cnn28", "--site", tmp_path / "site.json")
        done = run("drift", tmp_path / "answers.csv", *options)
        assert done.stdout.count("\n") > 10
        return done.returncode

    assert exit_code(period(site, withheld=0)) == 0
    assert exit_code(period(site, prevalence=0.6, withheld=0)) == 5
    assert exit_code(period(site, 10, withheld=0)) == 3
