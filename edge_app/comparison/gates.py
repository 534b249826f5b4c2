"""The gates: how much a candidate may differ from its reference, and whether it stays within that.

A candidate that equals a reference which knows nothing is as good as nothing, so the first gates
are on the reference. One of these that is not met, or any gate whose quantity cannot be computed,
is "not proven": without a measurement there is no proof, and nothing passes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from edge_app.comparison.compare import ROLES, Comparison
from edge_app.comparison.reference import CHANCE, MIN_PATIENTS, above_chance, is_constant
from edge_app.core.errors import UsageError
from edge_app.core.plain_text import DECIMALS, decimal, percent
from edge_app.evaluation.of_scores import SCORES_FILE

if TYPE_CHECKING:
    from edge_app.comparison.document import ComparisonDocument, Repeated
    from edge_app.evaluation.document import Facts

YARDSTICK: Final = "noise"
"""The perturbation whose effect on the reference limits the candidate's difference."""

REFERENCE_GATES: Final = ("reference_support", "reference_auroc", "reference_constant")
"""Whether there is anything to be held to; not to be set, as nothing makes nothing a proof."""

FINEST: Final = 12
"""Decimals of a figure that count: those beyond are left by the computer's own rounding."""

MACRO_LOW: Final = "macro_auroc_low"

Outcome = Literal["met", "not met", "not proven"]
Verdict = Literal["passed", "not passed", "not proven"]


@dataclass(frozen=True)
class Gates:
    """The limits. Each is a gate of its own, except `label_support`.

    The gates on the reference have no limit that could be changed; see `reference`.

    Attributes:
        macro_auroc: smallest ΔAUROC, mean over the findings.
        macro_auroc_low: smallest lower end of its 95 % interval, and what may be left where next to
            no patient is ranked otherwise.
        label_auroc: smallest ΔAUROC of a label with at least `label_support` positives.
        label_support: see above; with fewer positives chance can explain the difference.
        agreement: smallest share of equal decisions at the default operating point; of a file of
            scores also the smallest lower end of its 95 % interval.
        agreement_over_noise: smallest upper end of the 95 % interval of the difference between that
            share and the reference's agreement with itself when one gray level of noise is added to
            the images: below it, the candidate surely changes more than the noise does.
        agreement_over_noise_low: smallest lower end of the same interval: what the candidate may
            change beyond the noise at most.
        tied: by how much the share of image pairs with equal logits (of exclusive labels, scores)
            may exceed the reference's, in the coarsest label; 0.05 are twenty steps evenly filled.
        saturated: by how much the share of images at an end of a label's range may exceed the
            reference's.
        misplaced: how many labels may follow another label of the reference more than their own.
        non_finite: how many logits may be no finite number.
    """

    macro_auroc: float = -0.002
    macro_auroc_low: float = -0.005
    label_auroc: float = -0.010
    label_support: int = 50
    agreement: float = 0.97
    agreement_over_noise: float = 0.0
    agreement_over_noise_low: float = -0.005
    tied: float = 0.05
    saturated: float = 0.05
    misplaced: int = 0
    non_finite: int = 0

    @classmethod
    def of(cls, settings: Iterable[str]) -> Gates:
        """Defaults changed by `NAME=VALUE` settings.

        Raises:
            UsageError: a name is unknown or repeated, or a value is out of range.
        """
        known = {field.name: field.default for field in fields(cls)}
        changed: dict[str, Any] = {}
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals:
                raise UsageError(f"--gate {setting}: write NAME=VALUE, such as agreement=0.98")
            if name not in known:
                raise UsageError(f"--gate {name}: there are {', '.join(known)}")
            if name in changed:
                raise UsageError(f"--gate {name}: is given twice")
            changed[name] = _limit(name, text, isinstance(known[name], int))
        return cls(**changed)


def _limit(name: str, text: str, count: bool) -> float:
    try:
        value = int(text) if count else float(text)
    except ValueError:
        value = math.nan
    if count and not value >= 0:
        raise UsageError(f"--gate {name}: {text!r} is no count, such as 0 or 50")
    if not -1 <= value <= 1 and not count:
        raise UsageError(f"--gate {name}: {text!r} is no number from -1 to 1")
    return value


@dataclass(frozen=True)
class GateResult:
    """One gate's outcome.

    Attributes:
        gate: its name in `Gates`, or one of the reference's.
        outcome: whether it is met, or that this cannot be said.
        value: what was found; None where it could not be computed.
        limit: what the value is compared with.
        measure: what is judged, in words.
        found, required: value and limit as people read them.
        hint: which label is the worst, or how to measure what is missing; may be empty.
    """

    gate: str
    outcome: Outcome
    value: float | None
    limit: float
    measure: str
    found: str
    required: str
    hint: str

    @property
    def passed(self) -> bool:
        """Whether it is met."""
        return self.outcome == "met"

    @property
    def message(self) -> str:
        """One line."""
        hint = f" ({self.hint})" if self.hint else ""
        outcome = f"{self.outcome}: " if self.outcome == "not proven" else ""
        return f"{self.gate}: {outcome}{self.measure}: {self.found}, required {self.required}{hint}"


def verdict(results: Iterable[GateResult]) -> Verdict:
    """Of all gates: a broken one weighs more than one that could not be proven."""
    outcomes = {result.outcome for result in results}
    if "not met" in outcomes:
        return "not passed"
    return "not proven" if "not proven" in outcomes else "passed"


def judge(comparison: Comparison, gates: Gates | None = None) -> list[GateResult]:
    """Hold a comparison against the limits; the reference's gates first, then those of `Gates`."""
    gates = gates or Gates()
    content = comparison.content
    labels, macro = content["labels"], content["macro"]["auroc"]["difference"]
    return [
        *_reference(content),
        _floor("macro_auroc", gates, macro["value"], "macro ΔAUROC", _points, NO_POSITIVES),
        _macro_low(gates, content),
        _label_auroc(gates, labels),
        *_agreement(gates, content),
        _coarsest("tied", gates, labels, ("tied",), "excess of tied pairs in the coarsest label"),
        _coarsest(
            "saturated", gates, labels, ("lowest", "highest"),
            "excess of images at an end of a label's range",
        ),
        _misplaced(gates, labels),
        _non_finite(gates, labels),
    ]  # fmt: skip


def record(verdicts: Iterable[GateResult]) -> dict[str, Any]:
    """The outcome as plain JSON: what a manifest keeps under `quantization`."""
    results = list(verdicts)
    return {
        "gates": {
            result.gate: {
                "measure": result.measure,
                "value": _written(result.value, result.limit),
                "limit": result.limit,
                "passed": result.passed,
                "outcome": result.outcome,
            }
            for result in results
        },
        "passed": all(result.passed for result in results),
        "verdict": verdict(results),
    }


def _written(value: float | None, limit: float) -> float | None:
    """A figure as it is written, with as many decimals as tell it from a limit that it is not."""
    if value is None or _is(value, limit):
        return value if value is None else limit
    near = (round(value, digits) for digits in range(DECIMALS, FINEST))
    return next(
        (each for each in near if each != limit and (each < limit) == (value < limit)), value
    )


def _is(value: float, limit: float) -> bool:
    """Whether a figure is the limit, but for the last bits that a computer leaves in it."""
    return math.isclose(value, limit, rel_tol=0, abs_tol=10.0**-FINEST)


def as_json(comparison: Comparison, verdicts: Iterable[GateResult]) -> str:
    """A comparison with its verdict first, indented."""
    outcome = record(verdicts)
    first = {key: outcome[key] for key in ("passed", "verdict", "gates")}
    content = {**first, **comparison.written}
    return json.dumps(content, indent=2, allow_nan=False)


def _reference(content: ComparisonDocument) -> list[GateResult]:
    """Whether the reference knows anything that a candidate could be held to."""
    proven = content["proven"]
    auroc, patients = proven["auroc"], proven["patients"]
    constant = [row["label"] for row in content["labels"] if is_constant(row["spread"])]
    found = "not computable"
    if auroc["low"] is not None:
        found = _apart(decimal, auroc["low"], CHANCE)[0]
    return [
        _proof(
            "reference_support", patients >= MIN_PATIENTS, patients, MIN_PATIENTS,
            "patients with, and without, the finding that most have",
            str(patients), f"≥ {MIN_PATIENTS}",
        ),
        _proof(
            "reference_auroc", above_chance(auroc), auroc["low"], CHANCE,
            "lower end of the reference's macro AUROC's 95 % interval", found, f"> {CHANCE}",
            f"over {proven['findings']} findings of ≥ {MIN_PATIENTS} patients",
        ),
        _proof(
            "reference_constant", not constant, len(constant), 0,
            "labels whose logits are constant in the reference", str(len(constant)), "≤ 0",
            ", ".join(constant[:3]) + (f" and {len(constant) - 3} more" if constant[3:] else ""),
        ),
    ]  # fmt: skip


def _proof(
    gate: str,
    proven: bool,
    value: float | None,
    limit: float,
    measure: str,
    found: str,
    required: str,
    hint: str = "",
) -> GateResult:
    outcome: Outcome = "met" if proven else "not proven"
    return GateResult(gate, outcome, value, limit, measure, found, required, hint)


NO_POSITIVES: Final = "no finding has both positives and negatives"


def _points(value: float, digits: int = 4) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _percent(value: float, digits: int = 1) -> str:
    return percent(value, digits).replace("-", "−")


def _percentage_points(value: float, digits: int = 1) -> str:
    return f"{100 * value:+.{digits}f} points".replace("-", "−")


def _apart(text: Any, value: float, limit: float) -> tuple[str, str]:
    """Value and limit as text, with enough digits to differ."""
    for digits in range(DIGITS[text], FINEST):
        found, required = text(value, digits), text(limit, digits)
        if found != required or _is(value, limit):
            break
    return found, required


DIGITS: Final[dict[Any, int]] = {_points: 4, _percent: 1, _percentage_points: 1, decimal: 3}


def _floor(
    gate: str,
    gates: Gates,
    value: float | None,
    measure: str,
    text: Any,
    missing: str,
    hint: str = "",
) -> GateResult:
    """`value` must be the limit or more."""
    limit = getattr(gates, gate)
    if value is None:
        required = text(limit, DIGITS[text])
        return GateResult(
            gate, "not proven", None, limit, measure, "not computable", f"≥ {required}", missing
        )
    found, required = _apart(text, value, limit)
    outcome = _outcome(value >= limit or _is(value, limit))
    return GateResult(gate, outcome, value, limit, measure, found, f"≥ {required}", hint)


def _outcome(met: bool) -> Outcome:
    return "met" if met else "not met"


def _macro_low(gates: Gates, content: ComparisonDocument) -> GateResult:
    """Patients who are all ranked alike prove nothing of others while they are few."""
    macro = content["macro"]
    difference, unseen = macro["auroc"]["difference"], macro["unseen"]
    result = _floor(
        MACRO_LOW, gates, difference["low"],
        "lower end of macro ΔAUROC's 95 % interval", _points,
        "an interval needs several patients and both classes",
    )  # fmt: skip
    if result.passed and unseen is not None and difference["value"] - unseen < result.limit:
        hint = (
            f"next to none of the {content['dataset']['patients']} patients is ranked otherwise: "
            f"a loss of {unseen:.4f} may be unseen"
        )
        return replace(result, outcome="not proven", hint=hint)
    return result


def _label_auroc(gates: Gates, labels: list[Facts]) -> GateResult:
    judged = [
        (row["auroc"]["difference"]["value"], row["label"])
        for row in labels
        if row["support"] >= gates.label_support and row["auroc"]["difference"]["value"] is not None
    ]
    value, label = min(judged, default=(None, ""))
    return _floor(
        "label_auroc",
        gates,
        value,
        f"ΔAUROC of the worst label with ≥ {gates.label_support} positives",
        _points,
        "no label has as many and negatives too: see --gate label_support=N",
        label,
    )


def _agreement(gates: Gates, content: ComparisonDocument) -> list[GateResult]:
    point = content["operating_points"][content["operating_point"]]
    agreement = point["agreement"]["value"]
    missing = "neither model has a threshold"
    share = _floor(
        "agreement", gates, agreement,
        f"share of equal decisions at '{content['operating_point']}'", _percent, missing,
    )  # fmt: skip
    if content["reference"]["runtime"].get("name") == SCORES_FILE:
        # Nobody can show its model the images again: the share alone must be certain.
        low = point["agreement"]["low"]
        if share.passed and low is not None and low < share.limit:
            hint = f"too few patients: it may be {_apart(_percent, low, share.limit)[0]}"
            return [replace(share, outcome="not proven", hint=hint)]
        return [share]
    return [share, *_beyond_noise(gates, point["retest"].get(YARDSTICK), agreement)]


def _beyond_noise(
    gates: Gates, repeated: Repeated | None, agreement: float | None
) -> list[GateResult]:
    """Both ends of the interval: a point estimate this close to its limit is decided by chance."""
    low, high, hint = None, None, ""
    missing = "an interval needs several patients"
    if agreement is None:
        missing = "neither model has a threshold"
    elif repeated is None:
        missing = "the reference report has no retest: evaluate its model again, which measures it"
    else:
        beyond = repeated["beyond"]
        low, high = beyond["low"], beyond["high"]
        if beyond["value"] is not None and repeated["agreement"] is not None:
            hint = (
                f"{_percentage_points(beyond['value'], 2)}; the reference keeps "
                f"{_percent(repeated['agreement'])} of its own decisions"
            )
    of = (
        "end of the 95 % interval of the agreement beyond the reference's own under one gray level "
        "of noise"
    )
    upper = _floor(
        "agreement_over_noise", gates, high, f"upper {of}", _percentage_points, missing, hint
    )
    lower = _floor(
        "agreement_over_noise_low", gates, low, f"lower {of}", _percentage_points, missing, hint
    )
    if (
        lower.outcome == "not met"
        and repeated
        and (repeated["beyond"]["value"] or 0) >= lower.limit
    ):
        return [upper, replace(lower, outcome="not proven")]  # by more images it may be
    return [upper, lower]


def _coarsest(
    gate: str, gates: Gates, labels: list[Facts], keys: tuple[str, ...], measure: str
) -> GateResult:
    """The largest excess of a share over the reference's must be the limit or less."""
    limit = getattr(gates, gate)
    found = []
    for row in labels:
        one, other = (row["resolution"][role] for role in ROLES)
        if all(side[key] is not None for side in (one, other) for key in keys):
            found.append((max(other[key] - one[key] for key in keys), row["label"]))
    if not found:
        required = f"≤ {_percentage_points(limit)}"
        return GateResult(
            gate, "not proven", None, limit, measure, "not computable", required,
            "it takes two images with finite logits",
        )  # fmt: skip
    value, label = max(found)
    text = _apart(_percentage_points, value, limit)
    return GateResult(
        gate, _outcome(value <= limit or _is(value, limit)), value, limit, measure, text[0],
        f"≤ {text[1]}", label if value > 0 else "",
    )  # fmt: skip


def _misplaced(gates: Gates, labels: list[Facts]) -> GateResult:
    moved = [(row["label"], row["logits"]["follows"]) for row in labels]
    moved = [(label, follows) for label, follows in moved if label != follows]
    hint = "; ".join(f"{label} follows {follows}" for label, follows in moved[:3])
    if len(moved) > 3:
        hint += f"; and {len(moved) - 3} more"
    return _ceiling("misplaced", gates, len(moved), "labels that follow another label", hint)


def _non_finite(gates: Gates, labels: list[Facts]) -> GateResult:
    counts = {
        row["label"]: sum(row["resolution"][role]["non_finite"] for role in ROLES) for row in labels
    }
    hint = ", ".join(label for label, count in counts.items() if count)
    measure = "logits that are no finite number"
    return _ceiling("non_finite", gates, sum(counts.values()), measure, hint)


def _ceiling(gate: str, gates: Gates, value: int, measure: str, hint: str) -> GateResult:
    limit = getattr(gates, gate)
    outcome = _outcome(value <= limit)
    return GateResult(gate, outcome, value, limit, measure, str(value), f"≤ {limit}", hint)
