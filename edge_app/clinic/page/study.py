"""An answer as a reader sees it: its own words and numbers, in the order in which they matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from edge_app.clinic.image_file import UNJUDGED
from edge_app.core.plain_text import percent, readable
from edge_app.model.cautions import NOTHING_KNOWN, Cautions
from edge_app.model.decisions import Share, mark, marked
from edge_app.model.overall import Overall, verdict
from edge_app.model.usual import NORMAL_IMAGES, of_normal


class Row(NamedTuple):
    """A finding.

    Attributes:
        channel: of its label in the model's map.
        probability, usually, percentile, threshold: in words; empty where not known.
        share: the probability, 0 to 1.
        limit: the threshold, 0 to 1; None where none decides.
        mark, word: see `decisions.mark` and `decisions.marked`.
        right: of images at the site where it is above its threshold, the share that bears it, in
            words; empty where it is not above, or that is not known.
    """

    label: str
    channel: int
    probability: str
    usually: str
    percentile: str
    threshold: str
    share: float
    limit: float | None
    mark: str
    word: str
    right: str


class Study(NamedTuple):
    """What an answer says.

    Attributes:
        error: why there is none; None where there is.
        unjudged: what of the box it is due to, one of `UNJUDGED`; None where it is the image.
        verdict: in a few words; empty where nothing was scored.
        overall: of the image as a whole, in a line; empty where nothing is said.
        caution: what is said right under it; None where nothing is decided.
        knows_worth: whether that says how often such a verdict is wrong.
        share, mark: its probability and threshold, 0 to 1.
        rows: the findings, the most probable first.
        by_label: whether each finding is decided by its own threshold.
        check: what the input check objects to; None where to nothing.
        checked: whether there was an input check.
        warnings: one line each.
        facts: of the image: format, size.
        model, model_sha256, operating_point, runtime: whose answer it is.
        model_digest: of all parts of the model file; None where it is not known.
        site: digest of the site file that decided; None without one.
    """

    error: str | None
    unjudged: str | None
    verdict: str
    overall: str
    caution: str | None
    knows_worth: bool
    share: float | None
    mark: float | None
    rows: list[Row]
    by_label: bool
    check: str | None
    checked: bool
    warnings: list[str]
    facts: str
    model: str
    model_sha256: str
    operating_point: str
    runtime: str
    model_digest: str | None
    site: str | None


DECIDED: Final = ("probability", "usually", "percentile", "threshold", "flagged")
"""Keys of an answer's `overall`, which `Overall` has as well."""


def study_of(
    answer: Mapping[str, Any],
    cautions: Cautions = NOTHING_KNOWN,
    normal_images: str = NORMAL_IMAGES,
) -> Study:
    """What an answer says.

    Args:
        answer: the object that `classify --json` prints.
        cautions, normal_images: as of `Overall`, which an answer itself does not tell.
    """
    error = answer.get("error", {})
    kind = error.get("kind")
    blank = bool(answer.get("blank"))  # its scores mean nothing, and are not shown
    overall = None if blank else answer.get("overall")
    decided = {key: overall[key] for key in DECIDED} if overall else None
    whole = Overall(**decided, cautions=cautions, normal_images=normal_images) if decided else None
    by_label = whole is None or whole.flagged is None
    rows = [] if blank else _rows(answer, by_label)
    check = answer.get("input_check")
    image, model, runtime = answer.get("image", {}), answer["model"], answer["runtime"]
    facts = f"{image['width']} × {image['height']} {image['format']}" if image else ""
    return Study(
        error=error.get("message"),
        unjudged=kind if kind in UNJUDGED else None,
        verdict=_verdict(whole, rows, by_label) if rows else "",
        overall=whole.in_words() if whole else "",
        caution=whole.caution(any(row.mark for row in rows)) if whole else None,
        knows_worth=whole is not None and whole.caution(raised=False) not in NOTHING_KNOWN,
        share=whole.probability if whole else None,
        mark=whole.threshold if whole else None,
        rows=rows,
        by_label=by_label,
        check=check["reason"] if check else None,
        checked=bool(check),
        warnings=list(answer.get("warnings", ())),
        facts=facts,
        model=f"{model['name']}, {model['dtype']}",
        model_sha256=model["sha256"],
        operating_point=answer["operating_point"],
        runtime=f"{runtime['name']} {runtime['version']}",
        model_digest=model["digest"],
        site=answer.get("site"),
    )


def _verdict(whole: Overall | None, rows: Sequence[Row], by_label: bool) -> str:
    marks = any(row.limit is not None if by_label else row.usually for row in rows)
    names = [row.label for row in rows if row.mark]
    return "; ".join(verdict(whole, names if marks else None))


def _rows(answer: Mapping[str, Any], by_label: bool) -> list[Row]:
    ranked = [
        (each["rank"], channel, each)
        for channel, each in enumerate(answer.get("findings", ()))
        if each["rank"] is not None
    ]
    rows = []
    for _, channel, each in sorted(ranked, key=lambda entry: entry[0]):
        decided = each["probability"], each["prevalence"], each["above"], by_label
        row = Row(
            readable(each["label"]),
            channel,
            percent(each["probability"]),
            _share(each["prevalence"]),
            "" if each["percentile"] is None else of_normal(each["percentile"]),
            _share(each["threshold"]),
            each["probability"],
            each["threshold"],
            mark(*decided),
            marked(*decided, each["threshold"]),
            str(Share(**each["ppv"])) if each["above"] and each.get("ppv") else "",
        )
        rows.append(row)
    return rows


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)
