"""An imported network and labelled images → a model file with both evaluations: the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_app.backends.interpreters import find_interpreter
from edge_app.comparison.compare import compare
from edge_app.comparison.gates import GateResult, judge, record
from edge_app.comparison.tables import print_comparison
from edge_app.core import machine
from edge_app.core.errors import UsageError
from edge_app.core.files import write_whole
from edge_app.core.plain_text import percent
from edge_app.evaluation import report
from edge_app.evaluation.report import Evaluated, Report
from edge_app.images.perturb import perturbed
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.labels import Labels
from edge_app.model.model_file import MAX_FILE_BYTES, ModelFile, assemble
from edge_app.model.preprocess import InputSpec, resize
from quantize.child_process import doing
from quantize.convert import CALIBRATION_IMAGES, calibration_rows
from quantize.errors import ConversionError
from quantize.importing.card import CARD, import_card
from quantize.importing.choose import SPLIT as CHOOSING
from quantize.importing.choose import Tried, choosers, chosen, with_reserve
from quantize.importing.convert import (
    LARGEST,
    Converted,
    attempts,
    calibrated,
    in_float,
    packaged_as_is,
)
from quantize.importing.data import decoded_images, read_images, shortages
from quantize.importing.decide import Decided, decided, undecided
from quantize.importing.network import (
    ONNX,
    ImportedNetwork,
    NetworkOptions,
    open_network,
    require_logits,
)
from quantize.importing.order import doubts
from quantize.importing.ranking import ranking, turned, with_own
from quantize.importing.tflite_file import ImportedTflite, open_tflite
from quantize.int8_report import evaluate
from quantize.package import (
    GOLDEN_SEEDS,
    GOLDEN_TOLERANCE,
    golden_vectors,
    with_evidence,
)
from quantize.repairs.registry import SHIPPED
from train.backend import versions
from train.cache import Cached
from train.calibrate import DEFAULT_POINT
from train.chosen_check import Chosen, shipped
from train.data_facts import dataset_facts
from train.errors import RunError
from train.input_check import with_check
from train.labels import LabelSet
from train.own_labels import read_labels

Opened: TypeAlias = ImportedNetwork | ImportedTflite

NOT_STATED: Final = "not stated"
SPAN_IMAGES: Final = 1000
YARDSTICK: Final = "noise"
"""The one perturbation that the gates need."""

SHARES_TOLERANCE: Final = 1e-4
CHECKED: Final = 8
"""Number of pictures on which the import is compared with the original."""

MISSING: Final = (
    "without DATA there is nothing to calibrate int8 with, to fit thresholds and probabilities on, "
    "or to compare with: the model file is {scheme}, gives the network's own scores, decides "
    "nothing and proves nothing. Give a folder of labelled images for the rest"
)


@dataclass(frozen=True)
class Request:
    """What is to be imported.

    Attributes:
        model: the network's file or folder.
        data: a folder of labelled images; None without.
        labels: the file that names what the scores stand for.
        out: the model file to write.
        name: the model's.
        options: what the user says of the network.
        facts: `licence`, `intended_use` and `trained_on`, as far as the user states them.
        cache: folder to keep decoded images in; None: they are gone at the end.
        images: the largest number of training images to calibrate with.
        seed: of their choice.
        limit: images of each split; None for all.
        reference: the float network that a `.tflite` was made of, to compare it with.
        checked: whether it gets a shipped model's input check.
        int8_only: whether it stays int8 as a whole where that does not meet the gates.
    """

    model: Path
    data: Path | None
    labels: Path
    out: Path
    name: str
    options: NetworkOptions
    facts: Mapping[str, str]
    cache: Path | None
    images: int = CALIBRATION_IMAGES
    seed: int = 0
    limit: int | None = None
    reference: Path | None = None
    checked: bool = True
    int8_only: bool = False

    @property
    def reports(self) -> Path:
        """Folder of its reports and its card."""
        return self.out.with_name(f"{self.out.stem}-reports")


def open_any(path: Path, options: NetworkOptions) -> Opened:
    """An imported network by what its file is.

    Raises:
        ConversionError, UsageError: as of `open_network` and `open_tflite`.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.suffix == ".tflite":
        return open_tflite(path, options)
    if path.is_dir() or path.suffix in (".keras", ".h5", ".hdf5", ONNX):
        return open_network(path, options)
    raise UsageError(
        f"{path}: a network is a .keras, .h5, .tflite or .onnx file, or the folder of a "
        "SavedModel; docs/import.md says how PyTorch's become one"
    )


def import_model(request: Request, console: Console) -> tuple[ModelFile, bool]:
    """Import, compare, write the model file, with its reports and card next to it.

    Returns:
        The model file, and whether all gates are met; without data none is.

    Raises:
        ConversionError: the network cannot be imported.
        DatasetError: the images or their labels cannot be used.
        UsageError: an option is missing or contradicts the rest.
    """
    stated = read_labels(request.labels)
    labels = stated.labels
    doing(f"opening {request.model}", "save it again by the version of Keras that is here")
    opened = open_any(request.model, request.options)
    _require_fit(request, opened, stated)
    for note in _description(opened):
        console.print(note, highlight=False, soft_wrap=True)
    if request.data is None:
        return _alone(request, opened, labels, console), False
    exclusive = opened.head == "exclusive"
    with decoded_images(request.cache, request.out) as folder:
        cached = read_images(
            *(request.data, labels, exclusive, opened.spec, folder, request.limit, console)
        )
        for note in shortages(cached, labels):
            console.print(note, highlight=False, soft_wrap=True)
        _require_equal(opened, _pictures(cached.split("validation"))[:CHECKED], console)
        return _judged(request, opened, labels, cached, console)


def _require_fit(request: Request, opened: Opened, stated: LabelSet) -> None:
    labels = stated.labels
    if opened.outputs != len(labels):
        raise UsageError(
            f"{request.model}: gives {opened.outputs} scores, and {request.labels} names "
            f"{len(labels)} labels ({', '.join(labels.names)[:80]}): name each score, in the order "
            "of the outputs"
        )
    if opened.head == "exclusive" and len(labels) < 2:
        raise UsageError("of exclusive labels there must be two at least")
    if stated.head == "exclusive" and opened.head != stated.head:
        raise UsageError(
            f"{request.labels}: says that just one label applies, and {request.model} asks of each "
            "whether it does: take exclusive = true out, or import a network that ends in a softmax"
        )
    if request.reference is not None and not isinstance(opened, ImportedTflite):
        raise UsageError(
            "--reference: is for a .tflite; any other network is compared with itself in float"
        )


def _description(opened: Opened) -> list[str]:
    spec = opened.spec
    how = {"independent": "each a question of its own", "exclusive": "of which just one applies"}
    end = f"its {opened.activation} is undone" if opened.activation else "they are logits"
    return [
        f"{opened.path}: {opened.kind}, {opened.architecture}",
        f"takes {spec.height}x{spec.width}x{spec.channels}, (gray - {spec.mean}) / {spec.std}, "
        f"pictures made to fit by {spec.resize}; gives {opened.outputs} scores, "
        f"{how[opened.head]}; {end}",
        *opened.notes,
    ]


def _pictures(cached: Cached) -> NDArray[np.uint8]:
    return cached.images[cached.rows]


def _require_equal(opened: Opened, pictures: NDArray[np.uint8], console: Console) -> None:
    if isinstance(opened, ImportedNetwork):
        off = opened.require_equal(pictures)
        console.print(
            f"imported in float32, its scores are {off:.1e} off the original's at most",
            highlight=False,
        )


def _alone(request: Request, opened: Opened, labels: Labels, console: Console) -> ModelFile:
    """The model file without any data."""
    spec = opened.spec
    side = max(spec.height, spec.width)
    drawn = [resize(synthetic_radiograph(side, seed), spec) for seed in range(CHECKED)]
    _require_equal(opened, np.stack(drawn), console)
    require_logits(opened, opened.logits(np.stack(drawn)))
    doing(f"converting {request.model} to float32", "save it as another kind of file")
    made = in_float(opened) if isinstance(opened, ImportedNetwork) else packaged_as_is(opened)
    if len(made.flatbuffer) > LARGEST:
        raise ConversionError(
            f"{request.model}: has {len(made.flatbuffer) / 1e6:.0f} MB in float32, and a model "
            f"file holds {MAX_FILE_BYTES >> 20} MB: give DATA, which int8 is calibrated with"
        )
    console.print(MISSING.format(scheme=made.facts["scheme"]), highlight=False, soft_wrap=True)
    alone = packaged(request, opened, labels, made, undecided(len(labels)), request.out)
    return _checked(alone, _shipped_check(request, spec, None, console)).save()


UNCHECKED: Final = "it scores any picture, also what is no chest radiograph"


def _shipped_check(
    request: Request, spec: InputSpec, validation: Cached | None, console: Console
) -> Chosen | None:
    """A shipped model's input check, where one does; says which, or why not."""
    if not request.checked:
        console.print(f"input check: none, as asked for: {UNCHECKED}", soft_wrap=True)
        return None
    try:
        check = shipped(spec, validation, request.seed, "an import teaches none")
    except RunError as error:
        console.print(f"{error}; {UNCHECKED}", highlight=False, soft_wrap=True)
        return None
    drawn, real = check.tried["drawn"], check.tried.get("radiographs")
    flags = percent(drawn["flagged"], 0, "%")
    tried = "not tried on any radiograph"
    if real:
        tried = f"{percent(real['flagged'], 2, '%')} of {real['on']}"
    console.print(
        f"input check: {check.said}; flags {flags} of {drawn['pictures']} drawn pictures; {tried}",
        highlight=False,
        soft_wrap=True,
    )
    return check


def _checked(model: ModelFile, check: Chosen | None) -> ModelFile:
    if check is None:
        return model
    return with_check(model, check.facts, check.weights, check.tried)


def _judged(
    request: Request, opened: Opened, labels: Labels, cached: Cached, console: Console
) -> tuple[ModelFile, bool]:
    training, validation, test = (cached.split(s) for s in ("train", "validation", "test"))  # type: ignore[arg-type]
    patients = validation.table["patient"].nunique()
    where = f"validation, {len(validation)} images of {patients} patients"
    source = _reference(request, opened)
    made, calibration = _converted(request, opened, training, console)
    # The thresholds are those of what is shipped where it is shipped as it came.
    doing(f"running {request.model} on validation images", "try again with --limit 500")
    logits = opened.logits(_pictures(validation))
    require_logits(opened, logits)
    fitted = decided(validation.targets, logits, labels, opened.head, where)
    check = _shipped_check(request, opened.spec, validation, console)

    def drafted(one: Converted, place: Path) -> ModelFile:
        with_facts = one._replace(facts={**one.facts, **calibration})
        return _checked(packaged(request, opened, labels, with_facts, fitted, place), check).save()

    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        # The trial of a backend reads a file, and the gates' results are not known yet.
        place = Path(folder) / request.out.name
        one = _chosen(request, source, labels, fitted, made, cached, place, drafted, console)
        console.print(f"Comparing on {len(test)} test images", highlight=False)
        doing(f"comparing {request.model} with its model file", "try again with --limit 500")
        first = with_own(reference_report(source, test, "test", labels, fitted, request.name))
        draft = drafted(one, place)
        second = evaluate(draft, test, "test", console)
    targets = np.concatenate([validation.targets, test.targets])
    scores = np.concatenate([logits, first.evaluated.logits])
    for note in doubts(targets, scores, labels, opened.head):
        console.print(note, highlight=False, soft_wrap=True)
    comparison = compare(first, second)
    results = judge(comparison)
    print_comparison(comparison, results)
    for line in (*ranking(first, second).lines(), *turned(first)):
        print(line)  # where the comparison stands, which it qualifies
    for note in _notes(opened, source, one, results):
        console.print(note, highlight=False, soft_wrap=True)
    outcome = record(results) | ({"note": OWN_SCORES} if _is_held_to_itself(opened, source) else {})
    model = with_evidence(draft, request.out, {"": second, "float_": first}, outcome)
    request.reports.mkdir(parents=True, exist_ok=True)
    report.write(first, request.reports / "float.json")
    report.write(second, request.reports / "int8.json")
    card = import_card(model, first, second, source)
    write_whole(request.reports / CARD, card.encode())
    return model, bool(outcome["passed"])


def _chosen(
    request: Request,
    source: Opened,
    labels: Labels,
    fitted: Decided,
    made: Iterator[Converted],
    cached: Cached,
    place: Path,
    drafted: Callable[[Converted, Path], ModelFile],
    console: Console,
) -> Converted:
    """The conversion that is written; chosen on images that do not judge it, where one may."""
    if request.int8_only or isinstance(source, ImportedTflite) or request.reference:
        return next(made)
    doing(f"choosing the precision of {request.model}", "try again with --int8-only")
    found = choosers(cached, request.images, request.seed)
    images = found.images
    first = reference_report(source, images, CHOOSING, labels, fitted, request.name)

    def judged(one: Converted) -> Tried:
        second = evaluate(drafted(one, place), images, CHOOSING, console)
        comparison = compare(first, second)
        strict = judge(comparison, with_reserve(comparison.content))
        return Tried(one, judge(comparison), all(each.passed for each in strict))

    best = chosen(made, judged, found, console)
    return best.made._replace(facts={**best.made.facts, "chosen": best.facts})


OWN_SCORES: Final = (
    "compared with its own scores: that shows what packaging lost, not what its conversion did; "
    "--reference names the network that it was made of"
)
"""The words on the gates of a `.tflite` that is not compared with another network."""

UNCONFIRMED: Final = (
    "it met all gates on the images that chose its precision, and the test images do not confirm "
    "it: nothing else is tried on them, as what is tried until it passes is proven by luck; add "
    "images, training ones to choose by and test ones to prove it with"
)


def _is_held_to_itself(opened: Opened, source: Opened) -> bool:
    return isinstance(opened, ImportedTflite) and source is opened


def _notes(
    opened: Opened, source: Opened, one: Converted, results: list[GateResult]
) -> Iterator[str]:
    """The lines below the comparison."""
    if _is_held_to_itself(opened, source):
        yield OWN_SCORES
    if one.facts.get("chosen", {}).get("passed") and not all(each.passed for each in results):
        yield UNCONFIRMED


def _reference(request: Request, opened: Opened) -> Opened:
    """What the model file is compared with: the float network."""
    if request.reference is None:
        return opened
    found = open_any(request.reference, request.options)
    if (found.outputs, found.head) != (opened.outputs, opened.head):
        raise UsageError(f"--reference {request.reference}: is of other scores than {opened.path}")
    if found.spec[:4] != opened.spec[:4]:
        raise UsageError(f"--reference {request.reference}: takes other images than {opened.path}")
    return found


def _converted(
    request: Request, opened: Opened, training: Cached, console: Console
) -> tuple[Iterator[Converted], dict[str, Any]]:
    """Conversions, each more exact than those before it, and what they were calibrated with."""
    if isinstance(opened, ImportedTflite):
        return iter([packaged_as_is(opened)]), {"packages": versions("ai-edge-litert")}
    rows = calibration_rows(training, max(request.images, SPAN_IMAGES), request.seed)
    pictures = training.images[training.rows[rows]]
    few = pictures[: request.images]
    console.print(f"Converting to int8 with {len(few)} training images", highlight=False)
    made, repair = calibrated(opened, few, pictures[len(few) :])
    if made.spec.mean != opened.spec.mean:
        console.print(
            f"its zero, gray {opened.spec.mean}, lies between two levels: the model file takes "
            f"(gray - {made.spec.mean}) / {made.spec.std}, and its first layer makes up for it",
            highlight=False,
            soft_wrap=True,
        )
    if repair != SHIPPED:
        console.print(f"repairs: {repair}", highlight=False, soft_wrap=True)
    facts = {
        **dataset_facts(training, "train"),
        "images": len(few),
        "patients": int(training.table["patient"].iloc[rows[: len(few)]].nunique()),
        "seed": request.seed,
    }
    return attempts(opened, made, repair), {
        "calibration": facts,
        "packages": versions("ai-edge-litert"),
    }


def packaged(
    request: Request,
    opened: Opened,
    labels: Labels,
    made: Converted,
    fitted: Decided,
    place: Path,
) -> ModelFile:
    """Write the model file without evidence; its golden outputs are computed here."""
    runtime = find_interpreter()
    stored = made.outputs["logits"]
    shares = "activation" in stored and stored["dtype"] == "float32"
    integer = "int8" if stored["dtype"] != "float32" else "float32"
    facts = {key: request.facts.get(key) or NOT_STATED for key in ("licence", "intended_use")}
    manifest = {
        "name": request.name,
        "architecture": opened.architecture[:100],
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **facts,
        "labels": labels.entries(),
        "head": opened.head,
        "input": _as_json(made.image),
        "outputs": made.outputs,
        **({} if made.spans is None else {"spans": made.spans}),
        "calibration": fitted.calibration,
        "operating_points": fitted.operating_points,
        "default_operating_point": DEFAULT_POINT,
        **fitted.image_level,
        "golden": {
            "count": len(GOLDEN_SEEDS),
            "source": f"synthetic radiographs, seeds {GOLDEN_SEEDS[0]} to {GOLDEN_SEEDS[-1]}",
            "runtime": runtime.label,
            "tolerance": SHARES_TOLERANCE if shares else GOLDEN_TOLERANCE[integer],
        },
        "training": {
            "imported_from": {
                "file": request.model.name,
                "kind": opened.kind,
                "sha256": opened.sha256,
            },
            "trained_on": request.facts.get("trained_on") or NOT_STATED,
        },
        "quantization": made.facts,
        "metrics": {},
    }
    golden = golden_vectors(place, made.flatbuffer, manifest, runtime)
    return assemble(place, made.flatbuffer, manifest, golden).save()


def _as_json(image: dict[str, Any]) -> dict[str, Any]:
    """A manifest's `input` with lists for tuples."""
    return {key: list(each) if isinstance(each, tuple) else each for key, each in image.items()}


def reference_report(
    source: Opened, images: Cached, split: str, labels: Labels, fitted: Decided, name: str
) -> Report:
    """The report of the network as it came, in the framework that it came from."""
    pictures, names = _pictures(images), images.table["image"].to_numpy(str)
    pairs = zip(pictures, names, strict=True)
    noisy = np.stack([perturbed(picture, YARDSTICK, image) for picture, image in pairs])
    packages = versions("ai-edge-litert")
    made_by = "keras" if isinstance(source, ImportedNetwork) else "ai-edge-litert"
    return report.build(
        Evaluated(
            names,
            images.table["patient"].to_numpy(str),
            images.targets,
            source.logits(pictures),
            {YARDSTICK: source.logits(noisy)},
        ),
        labels=labels,
        head=source.head,
        model={
            "name": name,
            "format": "float32" if isinstance(source, ImportedNetwork) else source.image["dtype"],
            "sha256": source.sha256,
            "architecture": source.architecture,
        },
        dataset=dataset_facts(images, split),
        runtime={
            "name": made_by,
            "version": packages[made_by],
            "delegate": "cpu",
            **machine.identity(),
            "packages": packages,
        },
        calibration=fitted.calibration,
        operating_points=fitted.operating_points,
        operating_point=DEFAULT_POINT,
        overall=fitted.image_level.get("overall"),
    )
