"""`MODEL_CARD.md` of an imported model: what is known of it, what it lost, and what is not stated.

After Mitchell et al., Model Cards for Model Reporting, FAT* 2019. Every number comes out of the
model file's manifest or a report next to the card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge_app.core.about import DISCLAIMER
from edge_app.core.plain_text import percent
from edge_app.evaluation.report import Report
from edge_app.model.model_file import ModelFile
from quantize.card import markdown_table, operating_points_table
from quantize.importing.ranking import ranking, turned

if TYPE_CHECKING:
    from quantize.importing.pipeline import Opened

CARD: Final = "MODEL_CARD.md"

NO_CHECK: Final = (
    "It has no input check: any picture is scored, and what is no chest radiograph gets scores "
    "that look like any others."
)
BROKEN: Final = ("not met", "not proven")
"""The words for a gate that is not met; the terminal prints them in capitals."""

LIMITS: Final = (
    "What the network was trained on is known to its maker alone. If any of these test patients, "
    "or of the validation patients that the thresholds are from, were among them, all figures here "
    "are too good.",
    "A threshold's sensitivity and specificity were fitted on validation patients: compare the two "
    "columns before relying on either.",
)


def import_card(model: ModelFile, reference: Report, shipped: Report, source: Opened) -> str:
    """The card's Markdown.

    Args:
        model: the model file.
        reference: the report of what it is compared with.
        shipped: its own, on the same images.
        source: what it is compared with.
    """
    sections = [
        f"# {model.name}",
        f"**{DISCLAIMER}**",
        _facts(model, source),
        "## How well it ranks, and what the import lost",
        _ranking(reference, shipped),
        "## Gates",
        _gates(model),
        "## Operating points",
        operating_points_table(shipped),
        "## Limits",
        "\n".join(f"- {limit}" for limit in (*LIMITS, _check(model))),
        f"Intended use: {model.manifest['intended_use']}.",
    ]
    return "\n\n".join(sections) + "\n"


def _check(model: ModelFile) -> str:
    """What keeps other pictures from it."""
    tried = model.manifest["training"].get("input_check")
    if model.input_check is None or tried is None:
        return NO_CHECK
    drawn, real = tried["drawn"], tried.get("radiographs")
    on_radiographs = (
        f"{percent(real['flagged'], 1, '%')} of {real['on']}"
        if real
        else "no radiograph was there to try"
    )
    return (
        f"Its input check is that of {tried['as_in']}, which never saw these radiographs: it flags "
        f"{percent(drawn['flagged'], 0, '%')} of {drawn['pictures']} drawn pictures that are none, "
        f"and {on_radiographs}."
    )


def _facts(model: ModelFile, source: Opened) -> str:
    manifest, origin = model.manifest, model.manifest["training"]["imported_from"]
    image = manifest["input"]
    dataset = manifest["quantization"].get("calibration", {})
    calibrated = (
        f"{dataset['images']} images of {dataset['patients']} patients"
        if dataset
        else ("as it came")
    )
    return markdown_table(
        ("", ""),
        [
            ("imported from", f"{origin['file']} ({origin['kind']}), SHA-256 `{origin['sha256']}`"),
            ("compared with", f"{source.path.name} ({source.kind})"),
            ("architecture", manifest["architecture"]),
            (
                "input",
                f"{image['height']}×{image['width']}×{image['channels']}, {image['dtype']}, "
                f"(gray − {image['mean']}) / {image['std']}, {image['resize']}",
            ),
            ("labels", f"{', '.join(model.labels.names)}; {model.head}"),
            ("heatmap", "yes" if model.has_map else "none"),
            ("network", f"{len(model.flatbuffer) / 1e6:.2f} MB, SHA-256 `{model.sha256}`"),
            ("scheme", manifest["quantization"]["scheme"]),
            *_in_float32(manifest["quantization"]),
            *_chosen(manifest["quantization"]),
            ("calibrated with", calibrated),
            ("trained on", manifest["training"]["trained_on"]),
            ("licence", manifest["licence"]),
            ("created", manifest["created"]),
        ],
    )


def _in_float32(quantization: dict[str, Any]) -> list[tuple[str, str]]:
    """A row of what is not int8, where there is any, and what that costs."""
    kept = quantization.get("in_float32")
    if kept is None or not kept["operators"]:
        return []
    words = f"{len(kept['operators'])} of {kept['of']} operators, as it came"
    if "times_as_long_as_int8" in kept:
        words = (
            f"{len(kept['operators'])} of {kept['of']} operators, as int8 alone did not meet the "
            "gates where it was chosen. An image takes "
            f"{kept['times_as_long_as_int8']} times as long as in int8 on one thread of the "
            "machine that made it"
        )
    return [("in float32", f"{words}. What computes in int8 alone cannot map them.")]


def _chosen(quantization: dict[str, Any]) -> list[tuple[str, str]]:
    """A row of how the precision was chosen, where there was a choice."""
    found = quantization.get("chosen")
    if found is None:
        return []
    on, count = found["on"], len(found["attempts"])
    which = f"attempt {found['attempt']} of {count}" if count > 1 else "the first attempt"
    too = f", {on['calibrate']} of which calibrate int8 too" if on["calibrate"] else ""
    met = "met all gates" if found["passed"] else "did not meet all gates"
    return [
        (
            "precision chosen",
            f"on {on['images']} images of {on['patients']} patients of {on['split']}, none of them "
            f"a test image{too}: {which}, which {met} there. The test images judged it alone, "
            "once.",
        )
    ]


FITTED: Final = (
    "As it came is by the network's own softmax. Fitting gives its exclusive labels one "
    "temperature and an intercept each, which move their scores and so their ranking; the model "
    "file's scores are fitted likewise, and the gates compare them with those after fitting."
)


def _ranking(reference: Report, shipped: Report) -> str:
    dataset = shipped.content["dataset"]
    found = ranking(reference, shipped)
    *rows, macro = found.rows
    bold = [f"**{each}**" if each else "" for each in macro]
    parts = [
        f"{dataset['name']}, {dataset['split']}: {dataset['images']} images of "
        f"{dataset['patients']} patients, with 95 % intervals from resampled patients."
        + (f" {FITTED}" if found.moved else ""),
        markdown_table(found.header, [*rows, bold]),
        *(f"**{each}.**" for each in turned(reference)),
    ]
    return "\n\n".join(parts)


def _gates(model: ModelFile) -> str:
    gates: dict[str, Any] = model.manifest["quantization"]["gates"]
    rows = [
        (
            name,
            gate["measure"],
            "not computable" if gate["value"] is None else f"{gate['value']:.4g}",
            f"{gate['limit']:.4g}",
            "met" if gate["passed"] else f"**{gate['outcome'].upper()}**",
        )
        for name, gate in gates["gates"].items()
    ]
    verdict = _verdict(gates)
    if "note" in gates:
        verdict += f" **It was {gates['note']}.**"
    return f"{verdict}\n\n{markdown_table(('gate', 'of', 'value', 'limit', ''), rows)}"


def _verdict(gates: dict[str, Any]) -> str:
    """In the words of the terminal."""
    if gates["passed"]:
        return "All gates are met."
    outcomes = [gate["outcome"] for gate in gates["gates"].values()]
    counts = [f"{outcomes.count(each)} {each}" for each in BROKEN if each in outcomes]
    return f"**{gates['verdict'].upper()}**: of {len(outcomes)} gates {', '.join(counts)}."
