"""The steps from a finished run to an int8 model file with its proof."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from edge_app.comparison.compare import compare
from edge_app.comparison.gates import judge, record
from edge_app.comparison.tables import print_comparison
from edge_app.evaluation.report import Report
from edge_app.model.model_file import ModelFile
from quantize.about import UNSTATED, About
from quantize.convert import calibration_rows
from quantize.int8 import in_int8, span_pictures
from quantize.int8_report import evaluate
from quantize.package import package, with_evidence
from quantize.repairs.fold import fold, mean_pooled
from quantize.repairs.registry import SHIPPED as SHIPPED_REPAIR
from quantize.repairs.registry import as_input, repaired
from quantize.repairs.rounding import IMAGES
from train.backend import versions
from train.cache import Cached
from train.console import say
from train.data_facts import dataset_facts
from train.errors import DatasetError
from train.finished_run import FinishedRun, images_to_judge
from train.float_report import evaluate as evaluate_float
from train.float_report import write_all


def quantize_run(
    run: FinishedRun,
    cached: Cached,
    name: str,
    path: Path,
    images: int,
    seed: int,
    console: Console,
    about: About = UNSTATED,
) -> ModelFile:
    """Convert a run's network, compare it with the float network on test, write the model file.

    The model file is written last, whether or not it passes the gates, whose results are in its
    manifest. Both reports go into `reports` of the run folder.

    Args:
        run: with the network.
        cached: images with a training and a test split.
        name: of the model.
        path: of the model file.
        images: the largest number of training images to calibrate with.
        seed: of their choice.
        console: for progress.
        about: its maker's statements.

    Raises:
        DatasetError: there are no training or no test images.
        ConversionError: the network does not convert to what the device expects.
    """
    training, test = _parts(run, cached)
    rows = calibration_rows(training, images, seed)
    say(console, f"Converting to int8 with {len(rows)} training images")
    pictures = training.images[training.rows[rows]]
    folded = fold(mean_pooled(run.model))
    say(console, "Repairing weights, layer by layer: minutes for a large network")
    network = repaired(folded, as_input(pictures))
    say(console, "Calibrating")
    flatbuffer, spans = in_int8(network, folded, pictures, span_pictures(training, seed))
    facts = {
        "scheme": "int8: weights per channel, activations, integer input and output",
        "repair": SHIPPED_REPAIR,
        "rounding": f"layer by layer, least squares over {min(IMAGES, len(rows))} training images",
        "calibration": {
            **dataset_facts(training, "train"),
            "images": len(rows),
            "patients": int(training.table["patient"].iloc[rows].nunique()),
            "seed": seed,
        },
        "packages": versions("ai-edge-litert"),
    }
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        # Scoring reads a file, and the gates' results are not known yet.
        draft = package(
            Path(folder) / path.name, name, flatbuffer, run, facts, spans.as_dict(), about
        )
        reports, gates = _judged(run, test, name, draft, console)
    return with_evidence(draft, path, reports, gates)


def _parts(run: FinishedRun, cached: Cached) -> tuple[Cached, Cached]:
    """The images to calibrate with, and those to judge on."""
    training, test = cached.split("train"), cached.split("test")
    if not len(training) or not len(test):
        lacks = "test" if len(training) else "training"
        raise DatasetError(
            f"{cached.name}: no {lacks} images in it: int8 is calibrated on training images and "
            "judged on test images"
        )
    return training, images_to_judge(run, cached, "test")


def _judged(
    run: FinishedRun, test: Cached, name: str, draft: ModelFile, console: Console
) -> tuple[dict[str, Report], dict[str, Any]]:
    """Both reports on test, by the prefix of their metrics, and the gates' results."""
    folder = run.folder / "reports"
    # Made again, because an older float report might be of another network.
    float_report = evaluate_float(run, test, "test", name)
    write_all(float_report, folder, "float")
    int8_report = evaluate(draft, test, "test", console)
    write_all(int8_report, folder, "int8")
    comparison = compare(float_report, int8_report)
    results = judge(comparison)
    print_comparison(comparison, results)
    return {"": int8_report, "float_": float_report}, record(results)
