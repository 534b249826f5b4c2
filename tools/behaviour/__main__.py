"""Record the behaviour of `edge-cxr` on many inputs, and compare two recordings.

    python -m tools.behaviour record --python PYTHON OUT_DIR [--data NIH_SUBSET] [--files DIR]
    python -m tools.behaviour compare BEFORE_DIR AFTER_DIR

`record` draws good and broken input files, runs every command on them as `PYTHON -m edge_app …`,
and writes one readable text file of output for each case. It does not import the recorded packages,
so the same recorder works with any version. `--files DIR` keeps the drawn files in DIR and reuses
them: with the same folder for both recordings, another Pillow or pydicom in the recorder's Python
makes no difference. `--pythonpath DIR` records the checkout in DIR in an environment that was made
for another one.

Both recordings must be made on the same machine, whose name, memory and packages are in the
answers. Only what varies between runs of one version is replaced; see `NORMALISED` and
`Places.replace`.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tools.behaviour.cases import all_cases, made_reports, step
from tools.behaviour.folders import break_reports, draw
from tools.behaviour.running import Places, digest, escaped, run_case, run_step
from tools.behaviour.settings import AT_ONCE, FINISHED, MODELS, SUBSET


def inputs(files: Path) -> str:
    """The list of drawn files with digests: recordings of different files cannot be compared."""
    lines = []
    for path in sorted(files.rglob("*")):
        name = os.fsencode(path.relative_to(files)).decode("utf-8", "backslashreplace")
        if path.is_symlink():
            lines.append(f"{name} -> {os.readlink(path)}")
        elif path.is_file():
            lines.append(f"{name}: {digest(path.read_bytes())}")
    return escaped("\n".join(lines)) + "\n"


def output_of(places: Places, code: str) -> str:
    """The output of a line of Python in the recorded interpreter; ends the recorder if it fails."""
    done = subprocess.run(
        [str(places.python), "-c", code],
        cwd=places.scratch,
        env=places.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{places.python}: {done.stderr.strip()}")
    return done.stdout.strip()


def shipped_models(places: Places) -> dict[str, Path]:
    """The model files that the recorded version lists."""
    done = subprocess.run(
        [str(places.python), "-m", "edge_app", "models", "list", "--json"],
        cwd=places.scratch,
        env=places.environment(),
        capture_output=True,
        check=True,
    )
    return {each["name"]: Path(each["path"]) for each in json.loads(done.stdout)}


def some_radiographs(subset: Path | None, count: int = 40) -> list[Path]:
    if subset is None:
        return []
    every = sorted((subset / "images").glob("*.png"))
    return every[:: max(1, len(every) // count)][:count]


def record(options: argparse.Namespace) -> int:
    out: Path = options.out
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out}: is not empty")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edge-cxr-behaviour-") as scratch:
        places = prepared(options, Path(scratch).resolve())
        drawn = inputs(places.files)
        (out / "inputs.txt").write_text(drawn)
        start = time.monotonic()
        say(f"recording {places.checkout}; {len(drawn.splitlines())} input files")
        run_all(out, places, options.only)
        say(f"{len([*out.glob('*.txt')])} cases in {time.monotonic() - start:.0f} s: {out}")
    return 0


def prepared(options: argparse.Namespace, scratch: Path) -> Places:
    """The places, with all input files drawn and each runtime tried once before the cases."""
    subset = options.data if (options.data / "images").is_dir() else None
    files = (options.files or scratch / "drawn").resolve()
    pythonpath = options.pythonpath.resolve() if options.pythonpath else None
    # Not resolved: an environment's python is a link, and its place identifies the environment.
    python = Path(os.path.abspath(options.python))
    places = Places(python, pythonpath, files, subset and subset.resolve(), scratch)
    (scratch / "home").mkdir()
    package = output_of(places, "import edge_app; print(edge_app.__path__[0])")
    prefix = output_of(places, "import sys; print(sys.prefix)")
    places = Places(
        python, pythonpath, files, places.subset, scratch, str(Path(package).parent), prefix
    )
    if not (files / FINISHED).is_file():
        if files.exists() and any(files.iterdir()):
            raise SystemExit(f"{files}: holds something else than drawn files")
        say("drawing the input files")
        draw(files, some_radiographs(subset), shipped_models(places))
    for model in MODELS:
        run_step(step("models", "verify", model), scratch, places)
    return places


def run_all(out: Path, places: Places, only: str) -> None:
    first = made_reports()
    (out / f"{first.name}.txt").write_text(run_case(first, places))
    break_reports(places.kept[first.keep])
    cases = [
        case
        for case in all_cases(places.files, places.subset)
        if fnmatch.fnmatchcase(case.name, only)
    ]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(run_case, case, places): case for case in cases}
        for count, each in enumerate(as_completed(running), 1):
            (out / f"{running[each].name}.txt").write_text(each.result())
            if count % 20 == 0 or count == len(cases):
                say(f"{count} of {len(cases)} cases")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# Comparing


def difference(before: str, after: str, maximum: int) -> list[str]:
    """A unified diff, shortened."""
    lines = [
        line if len(line) <= 240 else line[:240] + "…"
        for line in difflib.unified_diff(
            before.split("\n"), after.split("\n"), "before", "after", n=2, lineterm=""
        )
    ]
    more = len(lines) - maximum
    return lines if more <= 0 else [*lines[:maximum], f"… and {more} more lines of differences"]


def compare_recordings(options: argparse.Namespace) -> int:
    """Print what differs; the exit code says whether anything does."""
    folders = (options.before, options.after)
    found = [{path.stem: path for path in folder.glob("*.txt")} for folder in folders]
    for folder, cases in zip(folders, found, strict=True):
        if not cases:
            raise SystemExit(f"{folder}: holds no recording")
    before, after = found
    names = [name for name in sorted({*before, *after}) if fnmatch.fnmatchcase(name, options.only)]
    differing = 0
    for name in names:
        texts = [cases[name].read_text() if name in cases else None for cases in found]
        if texts[0] == texts[1]:
            continue
        differing += 1
        print(f"=== {name}")
        if texts[0] is None or texts[1] is None:
            print(f"only in {options.after if texts[0] is None else options.before}")
        else:
            print("\n".join(difference(texts[0], texts[1], options.lines)))
    print(f"{len(names)} cases, {differing} differ")
    return 1 if differing else 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="run everything and write down what came out")
    recorder.add_argument("out", type=Path, metavar="OUT_DIR", help="new, or empty")
    recorder.add_argument(
        "--python", type=Path, required=True, help="has the package's dependencies"
    )
    recorder.add_argument(
        "--pythonpath", type=Path, metavar="DIR", help="a checkout to run instead of the installed"
    )
    recorder.add_argument("--data", type=Path, default=SUBSET, help="the NIH subset, if there")
    recorder.add_argument("--files", type=Path, metavar="DIR", help="keep drawn files here")
    comparer = commands.add_parser("compare", help="two recordings; exit code 1 if they differ")
    comparer.add_argument("before", type=Path, metavar="BEFORE_DIR")
    comparer.add_argument("after", type=Path, metavar="AFTER_DIR")
    comparer.add_argument("--lines", type=int, default=60, help="of a case's diff at most")
    for each in (recorder, comparer):
        each.add_argument("--only", default="*", metavar="PATTERN", help="only cases so named")
    return parser.parse_args(arguments)


def main() -> int:
    options = parsed(sys.argv[1:])
    return record(options) if options.command == "record" else compare_recordings(options)


if __name__ == "__main__":
    sys.exit(main())
