"""`edge-cxr models`: which model files there are, what is in them, whether they work here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app.backends.choice import open_session
from edge_app.backends.options import BackendOptions
from edge_app.backends.registry import all_backends
from edge_app.core.about import DISCLAIMER
from edge_app.core.console import complain
from edge_app.core.errors import EXIT_DONE, EXIT_MODEL, EdgeCxrError, UsageError
from edge_app.evaluation.report import interval_text
from edge_app.model.input_check import NO_CHECK
from edge_app.model.model_file import ModelFile, read
from edge_app.model.operating_points import PER_LABEL

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Input, Output, OverallPoint

AS_SAVED = "all parts, scores and decisions as they were saved"
AS_STATED = "network and tensors as stated; nothing covers the manifest: save the model file anew"
CAME_ALONG = "came with this package"
DEFAULT = " (default)"
EXCLUSIVE = "exclusive: just one of the labels applies, and their scores add up to 1"


def print_list(paths: Sequence[Path], default: str, as_json: bool) -> None:
    """One line a model: name, input, size, headline metrics."""
    models = [read(path) for path in paths]
    if as_json:
        print(json.dumps([_summary(model, default) for model in models], indent=2))
        return
    table = Table(box=None, header_style="bold")
    for heading in (
        "model",
        "input",
        "type",
        "size",
        "macro AUROC of the findings (95 % interval)",
    ):
        table.add_column(heading)
    for model in models:
        summary = _summary(model, default)
        table.add_row(
            model.name + (DEFAULT if summary["default"] else ""),
            f"{model.input_spec.width}x{model.input_spec.height}",
            summary["dtype"],
            f"{summary['bytes'] / 1e6:.2f} MB",
            _headline(model),
        )
    Console().print(table)


def _summary(model: ModelFile, default: str) -> dict[str, Any]:
    return {
        "name": model.name,
        "default": model.name == default,
        "path": str(model.path),
        "bytes": model.path.stat().st_size,
        "sha256": model.sha256,
        "origin": model.origin.as_dict() if model.origin else None,
        "dtype": model.precision,
        "input": model.input_spec.as_dict(),
        "metrics": model.manifest["metrics"],
    }


def _headline(model: ModelFile) -> str:
    metric = model.manifest["metrics"].get("macro_auroc")
    return _metrics({"": metric})[0][1] if metric else "not in the manifest"


def print_model(model: ModelFile, as_json: bool) -> None:
    """The manifest: all of it as JSON, or its main facts as tables."""
    if as_json:
        print(json.dumps(model.manifest, indent=2))
        return
    manifest, console = model.manifest, Console()
    outputs = cast("dict[str, Output]", manifest["outputs"])
    facts = Table(box=None, show_header=False)
    facts.add_column()
    facts.add_column(overflow="fold")
    for name, value in (
        ("name", model.name),
        ("architecture", manifest["architecture"]),
        ("created", manifest["created"]),
        ("licence", manifest["licence"]),
        ("flatbuffer", f"{manifest['flatbuffer']['bytes']} bytes, SHA-256 {model.sha256}"),
        ("digest", f"{model.digest or 'none'}, over all parts"),
        ("origin", _origin(model)),
        *_in_float32(model),
        *_compiled(model),
        *([("head", EXCLUSIVE)] if model.head == "exclusive" else []),
        ("input", _tensor(manifest["input"], [1, *_input_shape(model)])),
        *((f"output {key}", _tensor(part, part["shape"])) for key, part in outputs.items()),
        ("input check", _check(model)),
        ("golden vectors", f"{manifest['golden']['count']}, {manifest['golden']['source']}"),
        (
            "calibration",
            f"{_calibration(model)}, {manifest['calibration']['fitted_on']}",
        ),
        *_metrics(manifest["metrics"]),
        ("intended use", manifest["intended_use"]),
    ):
        facts.add_row(
            name, Text(value)
        )  # Text, so that brackets in a file are not taken for markup
    console.print(facts, highlight=False)
    for title, points in (*_image_points(model), *_label_points(model)):
        console.print(Text(f"\n{title}"))
        console.print(points)
    console.print(DISCLAIMER)


def _image_points(model: ModelFile) -> list[tuple[str, Table]]:
    """Title and table of the points that flag an image as a whole; none where there are none."""
    overall = model.manifest.get("overall")
    if not overall:
        return []
    points = overall["operating_points"]
    tested = next((point["test"]["on"] for point in points.values() if "test" in point), None)
    title = f"operating points of the image as a whole; {overall['fitted_on']}"
    title += f"; in brackets {tested}" if tested else ""
    table = _points_table("operating point", "promise")
    for name, point in points.items():
        mark = DEFAULT if name == overall["default_operating_point"] else ""
        reached = (_reached(point, "sensitivity"), _reached(point, "specificity"))
        table.add_row(Text(name + mark), Text(point["rule"]), _figure(point["threshold"]), *reached)
    return [(title, table)]


def _reached(point: OverallPoint, figure: Literal["sensitivity", "specificity"]) -> str:
    """What a point reaches where it was fitted, and in brackets on other images."""
    tested = f" ({_figure(point['test'][figure]['value'])})" if "test" in point else ""
    return _figure(point[figure]) + tested


def _label_points(model: ModelFile) -> list[tuple[str, Table]]:
    """Title and table of each operating point that decides label by label."""
    manifest, tables = model.manifest, []
    by_image = "overall" in manifest
    for name, point in manifest["operating_points"].items():
        default = name == manifest["default_operating_point"] and not by_image
        called = f"{PER_LABEL if by_image else ''}{name}"
        title = f"operating point '{called}'{DEFAULT if default else ''}: {point['rule']}"
        table = _points_table("label")
        columns = (point["thresholds"], point["sensitivity"], point["specificity"])
        for label, *values in zip(model.labels.names, *columns, strict=True):
            table.add_row(Text(label), *map(_figure, values))
        tables.append((f"{title}; {point['fitted_on']}", table))
    return tables


def _points_table(*headings: str) -> Table:
    table = Table(box=None)
    for heading in headings:
        table.add_column(heading)
    for heading in ("threshold", "sensitivity", "specificity"):
        table.add_column(heading, justify="right")
    return table


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _check(model: ModelFile) -> str:
    stated = model.manifest.get("input_check")
    return stated["fitted_on"] if stated else NO_CHECK


def _calibration(model: ModelFile) -> str:
    """How scores came of logits; exclusive labels share their softmax, and so one temperature."""
    method = model.manifest["calibration"]["method"]
    if method == "platt" and model.head == "exclusive":
        return "one temperature, and an intercept a label"
    return method


def _in_float32(model: ModelFile) -> list[tuple[str, str]]:
    """How much of an integer network is none; no row where all of it is."""
    if model.in_float32 is None:
        return []
    kept, count = model.in_float32
    return [("in float32", f"{kept} of {count} operators, which need more than int8's steps")]


def _compiled(model: ModelFile) -> list[tuple[str, str]]:
    """Title and summary of each backend that has something to tell about the model."""
    said = [(backend.title, backend.summary(model)) for backend in all_backends()]
    return [(title, words) for title, words in said if words is not None]


def _origin(model: ModelFile) -> str:
    return model.origin.words if model.origin else CAME_ALONG


def _input_shape(model: ModelFile) -> list[int]:
    spec = model.input_spec
    return [spec.height, spec.width, spec.channels]


def _tensor(part: Input | Output, shape: list[int]) -> str:
    stored = part["quantization"]
    text = f"{part['dtype']} {'x'.join(map(str, shape))}"
    if stored is None:
        return text
    return f"{text}, scale {stored['scale']:.6g}, zero point {stored['zero_point']}"


def _metrics(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name, metric in metrics.items():
        if isinstance(metric, dict):
            rows.append((name.replace("_", " "), f"{interval_text(metric)}, {metric['on']}"))
    return rows


def verify(paths: Sequence[Path], options: BackendOptions, as_json: bool) -> int:
    """Check each model file and run its golden vectors here; returns the exit code."""
    answers = [verified(path, options) for path in paths]
    if as_json:
        print(json.dumps(answers, indent=2))
    for answer in answers:
        for note in answer.get("notes", ()):
            complain(note)
        if "error" in answer:
            complain(answer["error"])
        elif not as_json:
            print(
                f"{answer['name']}: {answer['made']}; {answer['parts']}; {answer['vectors']} "
                f"golden vectors off by at most {answer['off']:g} {answer['unit']} "
                f"(allowed {answer['tolerance']:g}) with {answer['runtime']}"
            )
    return EXIT_MODEL if any("error" in answer for answer in answers) else EXIT_DONE


def verified(path: Path, options: BackendOptions, again: bool = False) -> dict[str, Any]:
    """The result of checking one model file, for JSON: all golden vectors on the chosen backend.

    Args:
        path: of the model file.
        options: which backend.
        again: try the backends anew, whatever earlier trials found.
    """
    from edge_app.backends.self_test import self_test

    try:
        model = read(path)
        session, choice = open_session(model, options, again)
        result = self_test(session)
    except UsageError:
        raise
    except EdgeCxrError as error:
        return {"path": str(path), "ok": False, "error": str(error)}
    return {
        "path": str(path),
        "ok": True,
        "name": model.name,
        "sha256": model.sha256,
        "digest": model.digest,
        "origin": model.origin.as_dict() if model.origin else None,
        "made": _origin(model),
        "parts": AS_SAVED if model.digest else AS_STATED,
        "vectors": len(model.golden.inputs),
        "off": max(result.logits, result.map),
        "unit": result.unit,
        "tolerance": result.tolerance,
        "runtime": choice.label,
        "choice": {**session.as_dict(), **choice.as_dict()},
        "notes": list(choice.notes),
    }
