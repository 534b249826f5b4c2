"""Parsing a model file's manifest, upgrading it to version 2, and validating it.

Version 1 had 15 labels, one accelerator, a gray input and always a map. It is upgraded to version 2
when it is read, so that no other code knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from edge_app.core import strict_json
from edge_app.core.errors import InvalidError, ModelError
from edge_app.model import archive
from edge_app.model.input_check import KINDS, details_of
from edge_app.model.labels import FINDING, NORMAL, NORMAL_OF_VERSION_1, Labels
from edge_app.model.overall import method_of
from edge_app.model.preprocess import STRETCH

if TYPE_CHECKING:
    from edge_app.model.manifest_types import (
        Activation,
        Affine,
        Head,
        Input,
        Manifest,
        Output,
        OverallFacts,
        Reference,
    )

SCHEMA_VERSION: Final = 2

COMPILED_OF_VERSION_1: Final = "edgetpu"
"""The only backend with a compiled network in version 1, by its name there."""
MEMBER_OF_VERSION_1: Final = f"{COMPILED_OF_VERSION_1}.tflite"
LABELS_OF_VERSION_1: Final = 15
HEADS: Final[dict[Activation, Head]] = {"sigmoid": "independent", "softmax": "exclusive"}
"""Activation at a graph's end → the head that it implies."""

NEW_IN_VERSION_2: Final = frozenset({"head", "compiled", "reference", "overall", "prevalence"})


def parse(data: bytes) -> Manifest:
    """The manifest in a JSON text, upgraded to version 2.

    Raises:
        ModelError: it is no manifest, an invalid one, or one of a newer version.
    """
    try:
        stated = strict_json.parse(data)
    except ValueError as error:
        raise ModelError(f"manifest.json is not JSON: {error}") from None
    version = stated.get("schema_version") if isinstance(stated, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(f"its manifest has version {version}: update edge-cxr to use it")
    manifest = upgraded(stated) if version == 1 else stated
    check(manifest)
    return cast("Manifest", manifest)


def upgraded(stated: dict[str, Any]) -> dict[str, Any]:
    """A manifest of version 1 as one of version 2, not yet validated.

    Raises:
        ModelError: a part that changed between the versions is not as in version 1.
    """
    newer = stated | {"head": "independent", "schema_version": SCHEMA_VERSION}
    unknown = sorted(NEW_IN_VERSION_2 & stated.keys())
    if unknown:
        raise _bad(f"version 1 has no {unknown[0]!r}")
    names = stated.get("labels")
    if not isinstance(names, list) or len(names) != LABELS_OF_VERSION_1:
        raise _bad(f"version 1 has a list of {LABELS_OF_VERSION_1} labels")
    newer["labels"] = [
        {"name": name, "kind": NORMAL if name == NORMAL_OF_VERSION_1 else FINDING} for name in names
    ]
    if COMPILED_OF_VERSION_1 in stated:
        part = newer.pop(COMPILED_OF_VERSION_1)
        count = part.get("operations") if isinstance(part, dict) else None
        if not isinstance(count, dict) or count.keys() != {COMPILED_OF_VERSION_1, "cpu"}:
            raise _bad(f"its {COMPILED_OF_VERSION_1} does not say how many operations run where")
        operations = {"accelerator": count[COMPILED_OF_VERSION_1], "cpu": count["cpu"]}
        newer["compiled"] = {COMPILED_OF_VERSION_1: part | {"operations": operations}}
    return newer


def check(manifest: Any) -> None:
    """Validate a manifest of version 2 by ``manifest.schema.json`` and by further rules.

    Raises:
        ModelError: the first error, by its place in the manifest.
    """
    from edge_app.model import manifest_check_generated

    try:
        manifest_check_generated.validate(manifest)
    except InvalidError as error:
        raise ModelError(f"bad manifest: {str(error)[:200]}") from None
    _check_details(manifest)


def _check_details(stated: Manifest) -> None:
    _check_labels(stated)
    _check_tensors(stated)
    _check_numbers(stated)
    _check_compiled(stated)
    if "input_check" in stated:
        _check_input_check(stated)
    if "reference" in stated:
        _check_reference(stated["reference"], len(stated["labels"]))
    if "overall" in stated:
        _check_overall(stated["overall"], Labels.of(stated["labels"]), stated["head"])
    if len(stated.get("prevalence", stated["labels"])) != len(stated["labels"]):
        raise _bad("its prevalence is not for its labels")
    _check_texts(stated)


def _check_texts(part: object) -> None:
    """Refuse texts with control characters, which could steer a terminal or forge a line."""
    pending = [part]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending += (*part, *part.values())
        elif isinstance(part, list):
            pending += part
        elif isinstance(part, str) and not part.isprintable():
            raise _bad(f"{part[:40]!r} holds characters that cannot be printed")


def _bad(what: str) -> ModelError:
    return ModelError(f"bad manifest: {what}")


def _check_labels(stated: Manifest) -> None:
    names = [label["name"] for label in stated["labels"]]
    for name in names:
        if not name.isprintable() or name != name.strip() or "|" in name:
            raise _bad(
                f"{name!r} is no label: it is empty, not printable, or holds | or outer blanks"
            )
    if len(set(names)) < len(names):
        raise _bad("two of its labels have the same name")
    kinds = [label["kind"] for label in stated["labels"]]
    if kinds.count(NORMAL) > 1 or FINDING not in kinds:
        raise _bad("its labels need a finding, and one normal label at most")
    if stated["head"] == "exclusive" and len(names) < 2:
        raise _bad("of exclusive labels there must be two at least")


def _check_tensors(stated: Manifest) -> None:
    image, outputs = stated["input"], stated["outputs"]
    for part in (image, *outputs.values()):
        _check_stored(part, takes_grays=part is image)  # type: ignore[arg-type]
    activation = outputs["logits"].get("activation")
    if activation is not None:
        if HEADS[activation] != stated["head"]:
            raise _bad(f"a {activation} is the end of no {stated['head']} labels")
        if "map" in outputs or "spans" in stated:
            raise _bad("probabilities have neither a map nor spans")
    if "pooling" in stated and "map" not in outputs:
        raise _bad("its logits are pooled from a map, and it has none")
    for value in (image["mean"], image["std"]):
        if isinstance(value, list) and len(value) != image["channels"]:
            raise _bad(f"its mean and std need one number, or {image['channels']}, one a channel")
    channels = len(stated["labels"])
    logits = outputs["logits"]["shape"]
    maps = outputs["map"]["shape"] if "map" in outputs else [1, 1, 1, channels]
    if logits != [1, channels] or len(maps) != 4 or maps[0] != 1 or maps[3] != channels:
        shapes = f"{logits} and {maps}" if "map" in outputs else f"{logits}"
        raise _bad(f"outputs of shape {shapes} are not {channels} labels'")


def _check_stored(part: Input | Output, takes_grays: bool) -> None:
    """Require a quantization for integers, except for a uint8 input that takes gray levels."""
    dtype, quantization = part["dtype"], part["quantization"]
    if dtype == "float32":
        if quantization is not None:
            raise _bad("numbers of float32 have no quantization")
    elif quantization is None:
        if not (takes_grays and dtype == "uint8"):
            raise _bad(f"numbers of {dtype} need a quantization")
    elif not np.iinfo(dtype).min <= quantization["zero_point"] <= np.iinfo(dtype).max:
        raise _bad(f"a zero point of {quantization['zero_point']} is none of {dtype}")


def _check_numbers(stated: Manifest) -> None:
    channels = len(stated["labels"])
    if stated["default_operating_point"] not in stated["operating_points"]:
        raise _bad("its default operating point is not among its points")
    affine: dict[str, Affine] = {"calibration": stated["calibration"]}
    if "spans" in stated:
        affine["spans"] = stated["spans"]
    for name, part in affine.items():
        if not len(part["slope"]) == len(part["intercept"]) == channels:
            raise _bad(f"its {name} is not for its {channels} labels")
        if not np.isfinite([part["slope"], part["intercept"]]).all():
            raise _bad(f"its {name} is not finite")
    for name, point in stated["operating_points"].items():
        lists = (point["thresholds"], point["sensitivity"], point["specificity"])
        if any(len(values) != channels for values in lists):
            raise _bad(f"its operating point {name!r} is not for its {channels} labels")


def _check_compiled(stated: Manifest) -> None:
    for backend, part in stated.get("compiled", {}).items():
        if not archive.is_backend(backend):
            raise _bad(f"{backend!r} is no backend's name")
        if part["compiled_from"] != stated["flatbuffer"]["sha256"]:
            raise ModelError(
                f"the network for {backend} was compiled from another one: compile it again"
            )


def _check_input_check(stated: Manifest) -> None:
    check, image = stated["input_check"], stated["input"]
    kinds = check["kinds"]
    if unknown := set(kinds) - set(KINDS):
        raise ModelError(
            f"its input check knows {min(unknown)!r}, which this version does not: update edge-cxr "
            "to use it"
        )
    if len(set(kinds)) != len(kinds) or len(check["limits"]) != len(kinds):
        raise _bad("its input check has not one limit for each of its kinds")
    if image["height"] != image["width"] or image["resize"] != STRETCH:
        raise _bad("an input check needs a square input that pictures are stretched to")
    if image["height"] % check["grid"]:
        raise _bad("its input check's grid does not divide the input's side")
    if check.get("details", 0) > details_of(image["height"], check["grid"]):
        raise _bad("its input check looks at detail that is smaller than a pixel")


def _check_overall(overall: OverallFacts, labels: Labels, head: Head) -> None:
    if overall["default_operating_point"] not in overall["operating_points"]:
        raise _bad("its default image-level operating point is not among its points")
    if not set(overall.get("bounded_by", ())) <= set(labels.findings):
        raise _bad("what bounds its image-level score is no finding of it")
    if not np.isfinite([overall["slope"], overall["intercept"]]).all():
        raise _bad("its overall score is not finite")
    if overall["method"] != method_of(labels, head):
        raise _bad(f"its labels make no overall score by {overall['method']!r}")


def _check_reference(reference: Reference, channels: int) -> None:
    rows = [reference["shares"], *reference["labels"], reference["overall"]]
    if len(reference["labels"]) != channels:
        raise _bad(f"its reference is not for its {channels} labels")
    if len({len(row) for row in rows}) > 1:
        raise _bad("its reference needs as many quantiles for each label as there are shares")
    if any(row != sorted(row) for row in rows):
        raise _bad("the quantiles of its reference do not ascend")
