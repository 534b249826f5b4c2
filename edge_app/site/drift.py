"""Whether a period's answers still look as they did where the site was calibrated.

A quantity has changed where that is both sure and large: a test rejects that nothing changed, and
the difference is one that matters. The level of the tests, 0.05, is shared among all looks that
are planned (Bonferroni: Dunn, JASA 56, 1961) and, in each of them, among the quantities (Holm,
1979): so that a site where nothing changes is told of a change with a probability of 0.05 at most
over all of the looks. A quantity is as before only where a large change would have been seen, and
none is: what is far off and may be so by chance is not sure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.errors import ReportError
from edge_app.core.plain_text import percent
from edge_app.model.model_file import ModelFile
from edge_app.site import two_samples
from edge_app.site.results import Period, in_words
from edge_app.site.two_samples import Mean

if TYPE_CHECKING:
    from edge_app.model.site import Site

Floats = NDArray[np.float64]

KIND: Final = "edge-cxr drift"
LEVEL: Final = 0.05
MIN_REPORTED: Final = 1e-15
"""A smaller probability is lost in the digits of what it is computed from."""
CHANGED, AS_BEFORE = "changed", "as before"
UNSURE, TOO_FEW = "not sure", "too few"


class Reference(NamedTuple):
    """What answers looked like when all was well.

    Attributes:
        source: says where that is from.
        design: how many images tell as much as one independent one.
        images: effective number of those behind `quantiles`.
        quantiles: of the overall probability, at evenly spaced shares; None where unknown.
        means: by the quantity's name.
        seen: how many images that was.
        a_patient: images a patient.
    """

    source: str
    design: float
    images: float
    quantiles: Floats | None
    means: dict[str, Mean]
    seen: int = 0
    a_patient: float = 1.0

    def design_of(self, name: str) -> float:
        """How many images tell as much of a quantity as one independent one.

        Where patients have several images each that are alike, more; a later period is taken to
        have as many a patient. Who is withheld is known of other images than those seen.
        """
        if name == WITHHELD:
            return self.a_patient
        known = self.means[name].effective
        return max(1.0, self.seen / known) if 0 < known < math.inf else self.a_patient


class Quantity(NamedTuple):
    """What is said of one quantity.

    Attributes:
        name: for people.
        before, now: mean, share, or None and the population stability index.
        is_index: whether `now` is that index.
        probability: of so large a difference if nothing changed; None where too few images tell.
        verdict: one of `CHANGED`, `AS_BEFORE`, `UNSURE`, `TOO_FEW`.
        needed: images in which a large change would be seen; None where no number would do.
    """

    name: str
    before: float | None
    now: float
    is_index: bool
    probability: float | None
    verdict: str
    needed: int | None


FLAGGED, WITHHELD, OVERALL = "images flagged", "images withheld", "probability of not normal"
SCORES: Final = "overall scores"


def reference_of(model: ModelFile, site: Site | None, point: str | None = None) -> Reference:
    """The site's reference; without a site file, the model's own, which knows means alone.

    Args:
        model, site: see `drift`.
        point: of the model's operating points; None for the default one.

    Raises:
        ReportError: the model states nothing to compare with.
    """
    check = model.manifest.get("input_check")
    withheld = {}
    if check:
        withheld[WITHHELD] = _rate(check["flagged"], _counted(check["limits_from"])[1])
    if site:
        stated = site.content["reference"]
        findings = {name: Mean(**each) for name, each in stated["findings"].items()}
        return Reference(
            f"site file {site.digest[:16]}",
            stated["design"],
            stated["images"] / stated["design"],
            np.array(stated["quantiles"]),
            {
                OVERALL: Mean(**stated["overall"]),
                FLAGGED: Mean(**stated["flagged"]),
                **withheld,
                **findings,
            },
            stated["images"],
            site.content["data"]["images"] / site.content["data"]["patients"],
        )
    overall, prevalence = model.manifest.get("overall"), model.manifest.get("prevalence")
    if overall is None or prevalence is None:
        raise ReportError(f"{model.name}: states nothing to compare with: calibrate it first")
    points, usually = overall["operating_points"], overall["usually"]
    worth = points.get(point or "", points[overall["default_operating_point"]])
    flagged = usually * worth["sensitivity"] + (1 - usually) * (1 - worth["specificity"])
    images, patients = _counted(overall["fitted_on"])
    of_findings = {
        model.labels[channel].name: _rate(prevalence[channel], patients)
        for channel in model.labels.findings
    }
    known = {OVERALL: _rate(usually, patients), FLAGGED: _rate(flagged, patients), **withheld}
    each = images / patients if math.isfinite(images) else 1.0
    return Reference(
        *("the model's validation images", each, patients, None, known | of_findings),
        *(int(images) if math.isfinite(images) else 0, each),
    )


OF_PATIENTS: Final = re.compile(r"\b(\d+) images of (\d+) patients\b")


def _counted(fitted_on: str | None) -> tuple[float, float]:
    """Images and patients that a model was fitted on, by its words; infinite where these do not
    say. Nothing tells how alike a patient's images are, so that the patients count."""
    found = OF_PATIENTS.search(fitted_on or "")
    counts = [float(each) for each in found.groups()] if found else [0.0]
    return (counts[0], counts[1]) if min(counts) > 0 else (math.inf, math.inf)


def _rate(value: float, effective: float) -> Mean:
    return Mean(value, math.sqrt(value * (1 - value)), effective)


def drift(period: Period, model: ModelFile, site: Site | None, looks: int) -> dict[str, Any]:
    """What has changed, for JSON.

    Args:
        period: the answers.
        model, site: who must have given them.
        looks: how many times this is going to be asked.

    Raises:
        ReportError: the answers are of another model or site file.
    """
    _require(period, model, site)
    reference = reference_of(model, site, period.point)
    level = LEVEL / looks
    quantities = _judged(period, reference, model, level)
    said = [each for each in quantities if each.verdict in (CHANGED, AS_BEFORE)]
    return {
        "kind": KIND,
        "schema_version": 1,
        "edge_cxr": __version__,
        "disclaimer": DISCLAIMER,
        "model": {"name": model.name, "sha256": model.sha256},
        "site": site.digest if site else None,
        "reference": reference.source,
        "images": len(period.overall),
        "withheld": period.withheld,
        "refused": period.refused,
        "left_out": [{"why": why, "answers": count} for why, count in period.left_out],
        "looks": looks,
        "level": LEVEL,
        "quantities": [each._asdict() for each in quantities],
        "verdict": TOO_FEW
        if not said
        else CHANGED
        if any(each.verdict == CHANGED for each in said)
        else AS_BEFORE,
    }


def _require(period: Period, model: ModelFile, site: Site | None) -> None:
    if period.model != model.sha256:
        raise ReportError(f"the answers are of another network than {model.name}: see --model")
    if period.site != (site.digest if site else None):
        by = f"site file {period.site[:16]}" if period.site else "no site file"
        known = f"site file {site.digest[:16]}" if site else "none"
        raise ReportError(f"the answers were made with {by}, and {known} is named: see --site")


def _judged(period: Period, reference: Reference, model: ModelFile, level: float) -> list[Quantity]:
    """Every quantity with its verdict."""
    tested = list(_tested(period, reference, model, level))
    known = [each for each in tested if each.probability is not None]
    sure = two_samples.holm([each.probability or 0.0 for each in known], level)
    rejected = {each.name for each, at in zip(known, sure, strict=True) if at}
    return [
        each
        if not _large(each, reference)
        else each._replace(verdict=CHANGED)
        if each.name in rejected
        else each._replace(verdict=UNSURE)
        if each.verdict == AS_BEFORE
        else each
        for each in tested
    ]


def _tested(
    period: Period, reference: Reference, model: ModelFile, level: float
) -> Iterator[Quantity]:
    """Every quantity as if it had not changed."""
    now = dict(_means(period, reference, model))
    each_level = level / (len(now) + (reference.quantiles is not None))
    scores = period.overall
    if reference.quantiles is not None and len(scores):
        needed = two_samples.images_for_index(reference.images, each_level, reference.design)
        independent = len(scores) / reference.design
        yield Quantity(
            SCORES,
            None,
            round(two_samples.stability_index(reference.quantiles, scores), 6),
            True,
            two_samples.kolmogorov(reference.quantiles, scores, reference.images, independent)
            if min(independent, reference.images) >= two_samples.FEW
            else None,
            *_verdict(len(scores), needed),
        )
    for name, (mean, images) in now.items():
        before = reference.means[name]
        needed = two_samples.images_for_mean(before, each_level, reference.design_of(name))
        yield Quantity(
            name,
            before.value,
            round(mean.value, 6),
            False,
            two_samples.same_mean(_if_it_were(before, mean, reference, name), mean)
            if min(mean.effective, before.effective) >= two_samples.INDEPENDENT
            else None,
            *_verdict(images, needed),
        )


def _if_it_were(before: Mean, now: Mean, reference: Reference, name: str) -> Mean:
    """What is compared with, as uncertain as it would be if nothing had changed.

    Of few images a rare finding's rate may be none: as large as now it would have spread more.
    """
    if reference.quantiles is not None and name != WITHHELD:
        return before
    larger = _rate(max(before.value, now.value), before.effective)
    return before._replace(spread=max(before.spread, larger.spread))


def _verdict(images: int, needed: float) -> tuple[str, int | None]:
    enough = AS_BEFORE if images >= needed else TOO_FEW
    return enough, math.ceil(needed) if math.isfinite(needed) else None


def _large(quantity: Quantity, reference: Reference) -> bool:
    if quantity.is_index:
        return quantity.now >= two_samples.MOVED
    return two_samples.notable(reference.means[quantity.name].value, quantity.now)


def _means(
    period: Period, reference: Reference, model: ModelFile
) -> list[tuple[str, tuple[Mean, int]]]:
    """The period's means by name, each with the images behind it."""
    found: dict[str, Floats] = {OVERALL: period.overall}
    if len(period.flagged):
        found[FLAGGED] = period.flagged.astype(np.float64)
    seen = len(period.overall) + period.withheld
    found[WITHHELD] = (np.arange(seen) < period.withheld).astype(np.float64)
    names = [model.labels[channel].name for channel in model.labels.findings]
    found |= dict(zip(names, period.findings.T, strict=True))
    return [
        (name, (_mean(values, reference.design_of(name)), len(values)))
        for name, values in found.items()
        if name in reference.means and len(values)
    ]


def _mean(values: Floats, design: float) -> Mean:
    return Mean(float(values.mean()), float(values.std()), len(values) / design)


def summary(found: Mapping[str, Any]) -> str:
    """For a terminal."""
    quantities = found["quantities"]
    alone = found["level"] / found["looks"] / max(len(quantities), 1)
    lines = [
        f"{found['model']['name']}: {found['images']} images, {found['withheld']} withheld, "
        f"{found['refused']} could not be read; reference: {found['reference']}",
        *_left_out(found["left_out"]),
        f"in {found['looks']} looks together a change is told where there is none with a "
        f"probability of {found['level']:g} at most: p counts below {alone:.1g}",
        "",
    ]
    width = max(len(each["name"]) for each in quantities)
    lines.append(f"{'':<{width}}  {'before':>8}  {'now':>8}  {'p':>8}")
    for each in quantities:
        before = "" if each["before"] is None else percent(each["before"])
        now = f"{each['now']:.3f}" if each["is_index"] else percent(each["now"])
        probability = _probability(each["probability"])
        verdict = _in_words(each, alone)
        lines.append(f"{each['name']:<{width}}  {before:>8}  {now:>8}  {probability:>8}  {verdict}")
    words = {
        CHANGED: "CHANGED: look at the images, and calibrate again before relying on the answers",
        AS_BEFORE: "as before, as far as so many images can tell",
        TOO_FEW: "nothing can be said of so few images",
    }
    said = words[found["verdict"]] + _doubts(quantities) * (found["verdict"] == AS_BEFORE)
    return "\n".join([*lines, "", said, found["disclaimer"]])


def _doubts(quantities: Sequence[Mapping[str, Any]]) -> str:
    """The quantities of which nobody can say that they are as before; empty for none."""
    unsure = [each["name"] for each in quantities if each["verdict"] == UNSURE]
    return f"; not sure: {', '.join(unsure)}" if unsure else ""


def _probability(found: float | None) -> str:
    if found is None:
        return ""
    return f"{found:.2g}" if found > MIN_REPORTED else f"< {MIN_REPORTED:g}"


def _left_out(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    said = in_words((each["why"], each["answers"]) for each in answers)
    return [f"left out: {said}"] if said else []


def _in_words(quantity: Mapping[str, Any], alone: float) -> str:
    words = str(quantity["verdict"])
    if words == TOO_FEW:
        needed = quantity["needed"]
        words += f": {needed} images would do" if needed else ": so is the reference"
    limit = two_samples.MOVED if quantity["is_index"] else f"a factor of {two_samples.NOTABLE}"
    if words == UNSURE:
        words += f": off by {limit} or more, and that may be chance"
    elif words == AS_BEFORE and quantity["probability"] < alone:
        words = f"changed, but by less than {limit}"
    return f"{words} (population stability index)" if quantity["is_index"] else words
