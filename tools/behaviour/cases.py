"""What is recorded: command lines, grouped into cases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from tools.behaviour.folders import label_files
from tools.behaviour.settings import CNN, LITE, MODELS, POINTS


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        arguments: after `edge-cxr`.
        stdin: a drawn file's name, ``closed``, or nothing.
        stdout: ``""``, ``closed``, or ``full`` for a disk that is.
        environment: beyond the fixed one; ``{folder}`` in it stands for the case's.
        before: what happens to the case's folder first.
        keys: only the structure of the JSON printed is recorded: its values are times.
    """

    arguments: tuple[str, ...]
    stdin: str = ""
    stdout: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    before: Callable[[Path], None] | None = None
    keys: bool = False


@dataclass(frozen=True)
class Case:
    """Commands that run one after the other in a folder of their own."""

    name: str
    steps: tuple[Step, ...]
    keep: str = ""
    """Name of the case's folder for later cases; it is removed if empty."""


def step(*arguments: str, **options: Any) -> Step:
    return Step(arguments, **options)


def classify(*arguments: str, **options: Any) -> Step:
    """With one thread, so that nothing depends on what was fastest when it was tried."""
    return Step(("classify", "--threads", "1", *arguments), **options)


def evaluate(*arguments: str, **options: Any) -> Step:
    return Step(("evaluate", "--threads", "1", *arguments), **options)


def compare(*arguments: str, **options: Any) -> Step:
    return Step(("compare", "--resamples", "200", *arguments), **options)


SINGLES: Final = (
    *("png-gray8.png", "png-gray8-1024.png", "png-gray16.png", "png-gray16-faint.png"),
    *("png-rgb-colour.png", "png-rgba-half.png", "png-palette.png", "png-gray1.png"),
    *("png-exif-6.png", "png-animated.png", "png-vast.png", "png-crc-of-pixels.png"),
    *("jpeg-gray-1024.jpg", "jpeg-cmyk.jpg", "jpeg-exif-6.jpg", "cut-jpeg-gray-0.4.jpg"),
    *("tiff-16-white-is-zero.tif", "tiff-two-pages.tif", "webp-alpha.webp", "bmp-gray.bmp"),
    *("dicom-12.dcm", "dicom-monochrome1.dcm", "dicom-window-narrow.dcm", "dicom-rle.dcm"),
    *("dicom-jpeg2000.dcm", "dicom-ct.dcm", "dicom-frames-3.dcm", "dicom-lateral.dcm"),
    *("shape-inverted.png", "shape-500x200.png", "shape-320x200.png", "shape-blank-gray.png"),
    *("empty.png", "foreign.txt", "folder.png", "pipe.png", "link-loop.png", "no-such-file.png"),
    *("name\nof two lines.png", "name\x1b[31mred.png", os.fsdecode(b"name\x80\xff.png")),
)
"""The drawn files that are also classified one by one, as table and as JSON."""

COMMANDS: Final = (
    *((), ("classify",), ("evaluate",), ("compare",), ("benchmark",), ("doctor",)),
    *(("models",), ("models", "list"), ("models", "inspect"), ("models", "verify")),
)


def help_cases() -> Iterator[Case]:
    yield Case("help", tuple(step(*command, "--help") for command in COMMANDS))
    yield Case("version", (step("--version"), step("--version", "classify")))
    wrong = (
        *((), ("models",), ("classify",), ("evaluate",), ("compare",), ("models", "inspect")),
        *(("nonsense",), ("--nonsense",), ("models", "nonsense"), ("clasify", "files/empty.png")),
        *(("classify", "--nonsense", "a.png"), ("compare", "a.json"), ("doctor", "more")),
        *(("evaluate", "a", "b"), ("models", "list", "more"), ("-h",), ("compare", "a", "b", "c")),
    )
    yield Case("usage-commands", tuple(step(*each) for each in wrong))


def single_cases(files: Path) -> Iterator[Case]:
    """Each of `SINGLES` as a table and as JSON."""
    for model in MODELS:
        for name in SINGLES:
            if "dicom-" in name and not (files / "files" / name).exists():
                continue
            plain = "".join(c if c.isalnum() or c in ".-_" else "_" for c in name)
            ask = ("-m", model, f"files/{name}")
            yield Case(
                f"single-{model}-{plain}",
                (classify(*ask), classify("--json", *ask), classify("--csv", *ask)),
            )


def folder_cases() -> Iterator[Case]:
    for model in MODELS:
        ask = ("-m", model)
        for forced in ((), ("--force",)):
            yield Case(
                f"files-{model}-json{'-forced' if forced else ''}",
                (classify(*ask, "--json", "--workers", "1", *forced, "files"),),
            )
        yield Case(f"files-{model}-table", (classify(*ask, "--workers", "2", "files"),))
        yield Case(f"files-{model}-csv", (classify(*ask, "--csv", "--workers", "2", "files"),))
        for form in ("--json", "--csv", ""):
            forms = (form,) if form else ()
            yield Case(
                f"folder-{model}-{form.strip('-') or 'table'}",
                (
                    classify(*ask, *forms, "--workers", "1", "folder"),
                    classify(*ask, *forms, "--workers", "2", "-r", "folder"),
                    classify(*ask, *forms, "--force", "folder"),
                    classify(*ask, *forms, "--top", "3", "folder", "files/png-gray8.png"),
                ),
            )
        yield Case(
            f"points-{model}",
            tuple(
                classify(*ask, *form, "--operating-point", point, "folder/a.png", "folder/b.jpg")
                for point in (*POINTS, "unheard-of")
                for form in ((), ("--json",), ("--csv",))
            ),
        )
        yield Case(
            f"top-{model}",
            tuple(
                classify(*ask, *form, "--top", top, "folder/a.png")
                for top in ("1", "15", "0", "16", "many")
                for form in ((), ("--json",), ("--csv",))
            ),
        )
        yield Case(f"heatmaps-{model}", tuple(heatmap_steps(ask)))
        yield Case(f"film-{model}", tuple(film_steps(ask)))


def heatmap_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    yield classify(*ask, "--heatmap", "maps", "folder/a.png")
    yield classify(*ask, "--heatmap", "maps", "folder/a.png")
    yield classify(*ask, "--heatmap", "maps", "--overwrite", "folder/a.png")
    yield classify(*ask, "--json", "--heatmap", "json/below", "folder/b.jpg")
    yield classify(*ask, "--json", "--heatmap", "json", "--force", "--workers", "2", "folder")
    yield classify(*ask, "--csv", "--heatmap", "csv", "--top", "2", "-r", "folder")
    yield classify(*ask, "--heatmap", "large", "files/jpeg-gray-1024.jpg")
    yield classify(*ask, "--heatmap", "large", "files/png-rgba-half.png")
    yield classify(*ask, "--heatmap", "small", "--force", "files/shape-16x16.png")
    yield classify(*ask, "--heatmap", "long", "--force", "files/shape-3000x30.png")
    yield classify(*ask, "--heatmap", "point", "--operating-point", "rule-in", "folder/a.png")
    yield classify(*ask, "--heatmap", "stdin", "-", stdin="folder/a.png")
    yield classify(*ask, "--heatmap", "folder/a.png", "folder/a.png")
    yield classify(*ask, "--html", "page.html", "folder/a.png")
    yield classify(*ask, "--html", "folder/a.png", "folder/a.png")
    yield classify(*ask, "--heatmap", "/dev/null/maps", "folder/a.png")
    yield classify(*ask, "--overwrite", "folder/a.png")


def film_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    yield classify(*ask, "--film", "photographs/light-box.jpg")
    yield classify(*ask, "--film", "--json", "--workers", "1", "photographs")
    yield classify(*ask, "--film", "--json", "--heatmap", "maps", "photographs/wall.jpg")
    yield classify(*ask, "--film", "--csv", "--force", "--workers", "2", "photographs")
    yield classify(*ask, "--json", "--workers", "1", "photographs")
    yield classify(*ask, "--film", "folder")
    yield classify(*ask, "--camera", "63")
    yield classify(*ask, "--camera", "0", "folder/a.png")
    yield classify(*ask, "--camera", "-1")


def classify_cases() -> Iterator[Case]:
    """What does not depend on the network, mostly with the quick one."""
    ask = ("-m", CNN)
    good = "files/png-gray8.png"
    limits = (
        *(("--max-bytes", "1000"), ("--max-bytes", "1"), ("--max-bytes", "0")),
        *(("--max-pixels", "65536"), ("--max-pixels", "65535"), ("--max-pixels", "-3")),
        *(("--max-pixels", "1000000000"), ("--max-bytes", "1e6")),
    )
    many = (good, "files/jpeg-gray.jpg", "files/png-vast.png", "files/tiff-16.tif")
    yield Case("limits", tuple(classify(*ask, *limit, *many) for limit in limits))
    yield Case(
        "several",
        (
            classify(*ask, good, good, "files/no-such-file.png"),
            classify(*ask, "folder", good, "folder/inner"),
            classify(*ask, "--json", good, good),
            classify(*ask, "--", "-name-with-dash.png"),
            classify(*ask, "files/-name-with-dash.png"),
            classify(*ask, "folder/empty"),
            classify(*ask, "--json", "folder/empty"),
            classify(*ask, "--csv", "folder/empty"),
            classify(*ask, "-r", "folder/inner"),
            classify(*ask, "folder/", "./folder"),
            classify(*ask, "files/subfolder/../png-gray8.png"),
            classify(*ask, "folder/.hidden.png"),
            classify(*ask, "/dev/null"),
            classify(*ask, "/dev/zero"),
            classify(*ask, good + "/below.png"),
            classify(*ask, ""),
            classify(*ask, "x" * 300),
        ),
    )
    yield Case("stdin", tuple(stdin_steps(ask)))
    yield Case("sinks", tuple(sink_steps(ask)))
    yield Case("usage-classify", tuple(classify(*each) for each in misused_options(ask, good)))
    yield Case(
        "threads-by-themselves",
        (
            step("classify", *ask, good),
            step("classify", *ask, "--json", good),
            step("classify", *ask, "--json", "--workers", "2", good),
            step("classify", *ask, "--json", "--threads", "2", good),
            step("classify", *ask, "--json", "--workers", "2", "--top", "1", "folder"),
        ),
    )
    yield Case("environment", tuple(environment_steps(ask)))


def misused_options(ask: tuple[str, ...], good: str) -> tuple[tuple[str, ...], ...]:
    """Arguments of `classify`, most of them wrong."""
    return (
        *(("-m", "unheard-of", good), ("-m", "", good), ("-m", "no/such.tflite", good)),
        *(("--runtime", "unheard-of", good), ("--runtime", "tflite", good)),
        *(("--runtime", "litert", "--json", *ask, good), ("--runtime", "LITERT", good)),
        *(("--delegate", "unheard-of", good), ("--delegate", "edgetpu", good)),
        *(("--delegate", "cpu", "--json", *ask, good), ("--delegate", "folder", good)),
        *(("--delegate", "files/foreign.txt", good), ("--delegate", "no/such.so", good)),
        *(("--json", "--csv", good), (), ("--workers", "0", good)),
        *(("--workers", "65", good), ("--threads", "0", good), ("--threads", "65", good)),
        *(("--threads", "two", good), ("--recursive",), ("--camera", "x")),
    )


def stdin_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    for name in ("png-gray8.png", "jpeg-exif-6.jpg", "empty.png", "foreign.txt", "png-vast.png"):
        yield classify(*ask, "-", stdin=f"files/{name}")
        yield classify(*ask, "--json", "-", stdin=f"files/{name}")
    yield classify(*ask, "--csv", "-", "folder/a.png", stdin="folder/b.jpg")
    yield classify(*ask, "-", "-", stdin="folder/b.jpg")
    yield classify(*ask, "--max-bytes", "100", "-", stdin="folder/b.jpg")
    yield classify(*ask, "-", stdin="closed")
    yield classify(*ask, "-")


def sink_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    for sink in ("closed", "full"):
        yield classify(*ask, "folder/a.png", stdout=sink)
        yield classify(*ask, "--json", "folder", stdout=sink)
        yield step("models", "list", stdout=sink)
        yield step("--help", stdout=sink)


def environment_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    """The environment variables of the manual, with good and bad values."""
    settings: tuple[tuple[tuple[str, str], ...], ...] = (
        (("XDG_CACHE_HOME", "cold"),),
        (("XDG_CACHE_HOME", "{folder}/cold"),),
        (("XDG_CACHE_HOME", "{folder}/cold"),),
        (("XDG_CACHE_HOME", "/dev/null/nowhere"), ("HOME", "/dev/null")),
        (("EDGE_CXR_EDGETPU_LIBRARY", "files/foreign.txt"),),
        (("EDGE_CXR_EDGETPU_LIBRARY", "no/such.so"),),
        (("EDGE_CXR_EDGETPU_LIBRARY", ""),),
        (("EDGE_CXR_TRIAL_SECONDS", "soon"), ("XDG_CACHE_HOME", "{folder}/soon")),
        (("EDGE_CXR_TRIAL_SECONDS", "-1"), ("XDG_CACHE_HOME", "{folder}/minus")),
        (("LANG", "C"), ("PYTHONUTF8", "0")),
        (("NO_COLOR", "1"),),
        (("COLUMNS", "40"),),
    )
    for setting in settings:
        yield classify(*ask, "--top", "1", "folder/a.png", environment=setting)
    broken = (("EDGE_CXR_EDGETPU_LIBRARY", "files/foreign.txt"),)
    yield classify(*ask, "--json", "folder/a.png", environment=broken)
    yield classify(*ask, "--delegate", "edgetpu", "folder/a.png", environment=broken)
    plain = (("LANG", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"))
    yield classify(*ask, "files/name-r\u00f6ntgen-\u80ba.png", environment=plain)


def model_cases(files: Path) -> Iterator[Case]:
    listing = (step("models", "list"), step("models", "list", "--json"))
    yield Case("models-list", listing)
    for model in MODELS:
        verify = ("models", "verify", "--threads", "1")
        yield Case(
            f"models-{model}",
            (
                step("models", "inspect", model),
                step("models", "inspect", "--json", model),
                step("models", "inspect", f"models/{model}.tflite"),
                step(*verify, model),
                step(*verify, "--json", model),
                step(*verify, f"models/{model}.tflite"),
                classify("--json", "-m", f"models/{model}.tflite", "folder/a.png"),
            ),
        )
    yield Case(
        "models-verify-all",
        (
            step("models", "verify"),
            step("models", "verify", "--json"),
            step("models", "verify", "--threads", "2", CNN, "models/text.tflite", LITE),
            step("models", "verify", "--json", CNN, "models/text.tflite"),
            step("models", "verify", "--runtime", "unheard-of"),
            step("models", "verify", "--runtime", "tflite"),
            step("models", "verify", "--delegate", "edgetpu"),
            step("models", "verify", "--delegate", "cpu", CNN),
            step("models", "verify", "--threads", "0"),
        ),
    )
    broken = sorted(path.name for path in (files / "models").iterdir())
    for name in (*broken, "no-such.tflite", "unheard-of"):
        if name.removesuffix(".tflite") in MODELS:
            continue
        path = name if name == "unheard-of" else f"models/{name}"
        yield Case(
            f"model-file-{name.replace(' ', '_')}",
            (
                step("models", "inspect", path),
                step("models", "verify", "--threads", "1", path),
                step("models", "verify", "--threads", "1", "--json", path),
                classify("-m", path, "--top", "2", "folder/a.png"),
            ),
        )


def occupy(name: str, folder: Path) -> None:
    """A folder stands where the report is to be written."""
    (folder / name / "in the way").mkdir(parents=True)


def make_room(name: str, folder: Path) -> None:
    shutil.rmtree(folder / name)


def make_room_and_cut(name: str, cut: int, folder: Path) -> None:
    """As after a power cut: the journal has lost its end."""
    make_room(name, folder)
    journal = folder / f"{name}.journal"
    if journal.is_file():
        journal.write_bytes(journal.read_bytes()[:-cut])


def spoil(name: str, folder: Path) -> None:
    (folder / name).write_text("no journal\n")


def evaluate_cases(subset: Path | None) -> Iterator[Case]:
    yield from _evaluations_by_model()
    yield from _evaluation_options(("-m", CNN))
    if subset:
        yield from _evaluations_of_the_subset()


def _evaluations_by_model() -> Iterator[Case]:
    for model in MODELS:
        ask = ("-m", model)
        yield Case(f"evaluate-{model}-clean", (evaluate(*ask, "--json", "clean"),))
        yield Case(f"evaluate-{model}-gappy", (evaluate(*ask, "gappy"),))
        yield Case(
            f"evaluate-{model}-clinic",
            (
                evaluate(*ask, "clinic"),
                evaluate(*ask, "nobody", "--out", "nobody.json", "--operating-point", "rule-in"),
            ),
        )
        yield Case(
            f"evaluate-{model}-retest",
            (evaluate(*ask, "--retest", "--limit", "12", "--json", "clean"),),
        )


def _evaluation_options(ask: tuple[str, ...]) -> Iterator[Case]:
    yield Case(
        "evaluate-splits",
        tuple(
            evaluate(*ask, "gappy", "--split", split)
            for split in ("test", "validation", "train", "all", "unheard-of", "")
        ),
    )
    yield Case(
        "evaluate-parts",
        (
            evaluate(*ask, "clean", "--limit", "1"),
            evaluate(*ask, "clean", "--limit", "7", "--out", "seven.json"),
            evaluate(*ask, "clinic", "--split", "validation", "--out", "validation.json"),
            evaluate(*ask, "clinic", "--limit", "0"),
            evaluate(*ask, "clinic", "--limit", "9", "--max-bytes", "8000", "--out", "bytes.json"),
            evaluate(*ask, "clinic", "--limit", "9", "--max-pixels", "100"),
        ),
    )
    yield Case("evaluate-again", tuple(again_steps(ask)))
    yield Case(
        "evaluate-usage",
        tuple(
            evaluate(*ask, *each)
            for each in (
                *(("no-such-folder",), ("folder/a.png",), ("tables/chestmnist.npz",)),
                *(("tables/pixels.csv",), ("tables",), ("tables", "--labels", "tables/pixels.csv")),
                *(("bare",), ("two-lists",), ("folder",), ("clean", "--out", "report.txt")),
                *(("clean", "--out", "no/such/folder.json"), ("clean", "--out", "folder")),
                *(("clean", "--operating-point", "unheard-of"), ("clean", "--runtime", "x")),
                *(("clean", "--delegate", "edgetpu"), ("clean", "-m", "models/text.tflite")),
                *(("clinic", "--labels", "no/such.csv"), ("clinic", "--labels", "folder")),
            )
        ),
    )
    yield Case(
        "evaluate-labels",
        tuple(
            evaluate(*ask, "clinic", "--labels", f"labels/{name}", "--out", f"{name[:-4]}.json")
            for name in label_files()
        ),
    )


def _evaluations_of_the_subset() -> Iterator[Case]:
    for model in MODELS:
        yield Case(
            f"nih-{model}",
            (
                evaluate("-m", model, "nih", "--limit", "60"),
                evaluate("-m", model, "nih", "--limit", "40", "--split", "validation"),
            ),
        )
    retest = evaluate("-m", CNN, "nih", "--limit", "20", "--retest", "--json")
    yield Case("nih-retest", (retest,))


def again_steps(ask: tuple[str, ...]) -> Iterator[Step]:
    """Resuming with a journal, and refusing a journal of another evaluation."""
    out = ("clean", "--limit", "20", "--out", "a.json")
    yield evaluate(*ask, *out, before=partial(occupy, "a.json"))
    yield evaluate("-m", LITE, *out)
    yield evaluate(*ask, *out, "--operating-point", "rule-in")
    yield evaluate(*ask, *out, "--retest")
    yield evaluate(*ask, "clean", "--limit", "19", "--out", "a.json")
    yield evaluate(*ask, *out, before=partial(make_room, "a.json"))
    yield evaluate(*ask, *out)
    out = ("clean", "--limit", "20", "--out", "b.json")
    yield evaluate(*ask, *out, before=partial(occupy, "b.json"))
    yield evaluate(*ask, *out, before=partial(make_room_and_cut, "b.json", 1500))
    yield evaluate(*ask, "clean", "--out", "c.json", before=partial(spoil, "c.json.journal"))


def made_reports() -> Case:
    """Reports for the comparisons; they are recorded as well."""
    clean = ("clean", "--out")
    return Case(
        "evaluate-for-comparisons",
        (
            evaluate("-m", LITE, *clean, "lite.json"),
            evaluate("-m", CNN, *clean, "cnn.json"),
            evaluate("-m", LITE, *clean, "lite-retest.json", "--retest"),
            evaluate("-m", LITE, *clean, "lite-rule-in.json", "--operating-point", "rule-in"),
            evaluate("-m", LITE, *clean, "lite-few.json", "--limit", "10"),
            evaluate("-m", LITE, "clinic", "--out", "lite-clinic.json"),
            evaluate("-m", LITE, *clean, "lite-one.json", "--limit", "1"),
        ),
        keep="made",
    )


def compare_cases() -> Iterator[Case]:
    made = {
        "other-model": ("made/lite.json", "made/cnn.json"),
        "same-file": ("made/lite.json", "made/lite.json"),
        "retest": ("made/lite-retest.json", "made/cnn.json"),
        "retest-second": ("made/cnn.json", "made/lite-retest.json"),
        "other-point": ("made/lite.json", "made/lite-rule-in.json"),
        "one-image": ("made/lite-one.json", "made/lite-one.json"),
        "shipped-lite": (f"reports/{LITE}/float.json", f"reports/{LITE}/int8.json"),
        "shipped-cnn": (f"reports/{CNN}/float.json", f"reports/{CNN}/int8.json"),
    }
    for name, pair in made.items():
        yield Case(
            f"compare-{name}",
            (compare(*pair), compare(*pair, "--json", "--html", "page.html")),
        )
    yield Case("compare-gates", tuple(gate_steps()))
    yield Case("compare-pages", tuple(page_steps()))
    refused = (
        *(("made/lite.json", "made/lite-few.json"), ("made/lite.json", "made/lite-clinic.json")),
        *(("made/lite.json", f"reports/{LITE}/int8.json"), ("made/lite.json", "no/such.json")),
        *(("made", "made/lite.json"), ("made/lite.npz", "made/lite.json")),
        *(("files/foreign.json", "made/lite.json"), ("files/png-gray8.png", "made/lite.json")),
    )
    broken = (
        *("no-scores", "cut", "text", "list", "empty", "version-99", "kind", "no-labels"),
        *("cut-scores", "flipped-scores", "other-scores"),
    )
    yield Case(
        "compare-refused",
        (
            *(compare(*pair) for pair in refused),
            *(compare(f"made/broken-{name}/lite.json", "made/lite.json") for name in broken),
            *(compare("made/lite.json", f"made/broken-{name}/lite.json") for name in broken),
        ),
    )
    pair = made["other-model"]
    yield Case(
        "compare-usage",
        tuple(
            Step(("compare", *each))
            for each in (
                *((*pair, "--resamples", "99"), (*pair, "--resamples", "100001")),
                *((*pair, "--html", "no/such/page.html", "--resamples", "100"),),
                *((*pair, "--nonsense"),),
                *((*pair, "--resamples", "100"), (*pair, "--resamples", "1000", "--json")),
            )
        ),
    )


def page_steps() -> Iterator[Step]:
    """Pages written where a file or folder exists already."""
    pair = ("made/lite.json", "made/cnn.json")
    yield compare(*pair, "--html", "page.html", before=partial(occupy, "page.html"))
    yield compare(*pair, "--html", "page.html", before=partial(make_room, "page.html"))
    yield compare(*pair, "--html", "page.html")
    yield compare(*pair, "--html", "no-suffix")


def gate_steps() -> Iterator[Step]:
    pair = ("made/lite-retest.json", "made/cnn.json")
    wide = (
        *("macro_auroc=-1", "macro_auroc_low=-1", "label_auroc=-1", "agreement=0"),
        *(
            "agreement_over_noise=-1",
            "agreement_over_noise_low=-1",
            "tied=1",
            "saturated=1",
            "misplaced=15",
            "label_support=1",
        ),
    )
    settings = (
        *(wide, ("agreement=0.5",), ("label_support=5",), ("label_support=0",)),
        *(("unheard-of=1",), ("agreement",), ("agreement=",), ("agreement=2",), ("tied=nan",)),
        *(("misplaced=1.5",), ("misplaced=-1",), ("tied=0.1", "tied=0.2"), ("=1",)),
        *(("non_finite=3", "saturated=-1"), ("agreement=0.5=0.6",)),
    )
    for setting in settings:
        gates = [word for gate in setting for word in ("--gate", gate)]
        yield compare(*pair, *gates)
    yield compare(*pair, "--json", *(word for gate in wide for word in ("--gate", gate)))


def machine_cases() -> Iterator[Case]:
    wide = (("COLUMNS", "200"),)  # what a table wraps depends on how long a time is written
    yield Case(
        "doctor",
        (
            step("doctor", environment=wide),
            step("doctor", "--json"),
            step("doctor", "--json", "--delegate", "cpu"),
            step("doctor", "--runtime", "litert", environment=wide),
            step("doctor", "--runtime", "tflite", environment=wide),
            step("doctor", "--runtime", "tflite", "--json"),
            step("doctor", "--runtime", "unheard-of"),
            step("doctor", "--delegate", "edgetpu", environment=wide),
            step("doctor", "--delegate", "edgetpu", "--json"),
            step("doctor", "--delegate", "files/foreign.txt", environment=wide),
            step("doctor", "--delegate", "no/such.so"),
            step("doctor", environment=(*wide, ("EDGE_CXR_EDGETPU_LIBRARY", "files/foreign.txt"))),
        ),
    )
    fast = ("benchmark", "-m", CNN, "--seconds", "0", "--workers", "1")
    wrong = (
        *(("no-such-file.png",), ("files/foreign.txt",), ("folder",), ("folder/empty",)),
        *(("--plot", "no/such/plot.svg"), ("--threads", "0"), ("--workers", "0")),
        *(("--precision", "0"), ("--precision", "2"), ("--seconds", "-1"), ("--runtime", "x")),
        *(("--delegate", "x"), ("-m", "unheard-of"), ("-m", "models/text.tflite")),
    )
    compared = (
        *((), ("a.json",), ("a.json", "b.json"), ("files/foreign.json", "files/foreign.txt")),
        *(("made/lite.json", "made/lite.json"), ("--workers", "2", "a", "b"), ("folder", "made")),
    )
    yield Case(
        "benchmark-usage",
        (
            *(step("benchmark", "--seconds", "0", *each) for each in wrong),
            *(step("benchmark", "--compare", *each) for each in compared),
        ),
    )
    yield Case(
        "benchmark-structure",
        (
            step(*fast, "--json", "files/png-gray8.png", "--plot", "plot.svg", keys=True),
            step(*fast, "--json", "--delegate", "cpu", "--delegate", "edgetpu", keys=True),
        ),
    )


def all_cases(files: Path, subset: Path | None) -> list[Case]:
    """Long cases first, so that none of them runs alone at the end."""
    return [
        *(*machine_cases(), *folder_cases(), *evaluate_cases(subset), *compare_cases()),
        *(*model_cases(files), *classify_cases(), *single_cases(files), *help_cases()),
    ]
