"""Each system call of `classify`, `evaluate` and the box's spool, failed once.

    python -m tests.device.core.inject [--every N] [SCENARIO...]

As SQLite's tests do: a scenario runs once to count its calls, then as often as it makes any, and
each time another one fails. After each there must be no traceback, no line on standard error that
is not ours, no answer that differs, and nothing that was acknowledged may be lost: the same again,
without a fault, ends as if nothing had happened. A table is printed; exit code 1 where it does not
hold.

`first` is `classify` on a machine where nothing was tried yet, `isolate` is `classify --isolate`.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import faulthandler
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

HERE: Final = Path(__file__).parent
OURS: Final = "edge-cxr: "
SECONDS: Final = 60

KINDS: Final = ("open", "read", "write", "fsync", "rename", "fork", "thread", "mmap")
"""In the order of `faults.c`."""

ERRORS: Final = {
    "open": errno.EMFILE,
    "read": errno.EIO,
    "write": errno.ENOSPC,
    "fsync": errno.EIO,
    "rename": errno.EIO,
    "fork": errno.EAGAIN,
    "thread": errno.EAGAIN,
    "mmap": errno.ENOMEM,
}

BLAMES: Final = ("damaged", "truncated", "is not a PNG", "is empty", "missing")
"""Words that no sound file may be refused with because a call failed."""


class Scenario(NamedTuple):
    """What is run, and what must hold of it.

    Attributes:
        prepare: fills a folder.
        act: what is run in it; returns an exit code.
        wrong: after it ran with a fault, and has ended with this exit code and these words: what
            is wrong, or None. `expected` is what `found` said after a run without any.
        found: what it has made.
    """

    prepare: Callable[[Path], None]
    act: Callable[[Path, int], int]
    found: Callable[[Path, str], Any]
    wrong: Callable[[Path, int, str, str, Any], str | None]
    workers: int = 2


def command(*arguments: object) -> int:
    from edge_app.cli.app import run

    return run([str(each) for each in arguments], "edge-cxr")


def model() -> Path:
    from edge_app.model.model_file import SHIPPED

    return SHIPPED / "cxr-cnn28.tflite"


# classify


def draw(folder: Path) -> None:
    from PIL import Image

    from edge_app.images.phantom import synthetic_radiograph

    for index in range(3):
        pixels = synthetic_radiograph(128, seed=index)
        ending = ("png", "jpg", "tif")[index]
        Image.fromarray(pixels).save(folder / f"{index}.{ending}")


def classify(folder: Path, workers: int) -> int:
    images = sorted(folder.glob("[0-9].*"))
    line = (
        "classify",
        "--json",
        "--model",
        model(),
        "--workers",
        workers,
        "--heatmap",
        folder / "maps",
    )
    return command(*line, "--overwrite", *images)


def first_classify(folder: Path, workers: int) -> int:
    """With nothing remembered: the backend is tried in another process."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    return classify(folder, workers)


def isolated(folder: Path, workers: int) -> int:
    images = sorted(folder.glob("[0-9].*"))
    line = ("classify", "--json", "--model", model(), "--workers", workers, "--isolate")
    return command(*line, *images)


def answers(folder: Path, out: str) -> Any:
    found = [json.loads(line) for line in out.splitlines() if line.strip()]
    return {Path(each["file"]).name: each.get("findings") or each.get("error") for each in found}


def wrong_classify(folder: Path, code: int, out: str, said: str, expected: Any) -> str | None:
    whole = out[: out.rfind("\n") + 1]  # where a write failed, the last line may be a part
    try:
        found = answers(folder, whole)
    except ValueError:
        return "prints what is no JSON"
    for name, answer in found.items():
        if isinstance(answer, dict):
            if any(word in answer["message"] for word in BLAMES):
                return f"blames the file: {answer['message']}"
            if code not in (3, 4):
                return f"exit code {code} beside a refusal"
        elif answer != expected[name]:
            return f"answers {name} otherwise"
    if code == 0 and found != expected:
        return "exit code 0, and an answer is missing"
    if code and not said:
        return "says nothing"
    return None


# evaluate


def label(folder: Path) -> None:
    draw(folder)
    rows = [f"{index}.{ending},{label}" for index, (ending, label) in enumerate(
        (("png", "Mass"), ("jpg", "No Finding"), ("tif", "Mass"))
    )]  # fmt: skip
    (folder / "labels.csv").write_text("\n".join(["image,labels", *rows, ""]))


def evaluate(folder: Path, workers: int = 1) -> int:
    line = ("evaluate", "--model", model(), "--workers", workers, "--threads", 1)
    return command(*line, folder, "--out", folder / "report.json")


def reports(folder: Path, out: str) -> Any:
    report = folder / "report.json"
    if not report.is_file():
        return None
    content = json.loads(report.read_text())
    content.pop("runtime", None)
    return content, (folder / "report.npz").read_bytes()


def wrong_evaluate(folder: Path, code: int, out: str, said: str, expected: Any) -> str | None:
    try:
        found = reports(folder, out)
    except (OSError, ValueError):
        return "leaves half a report"
    if found is not None and found != expected:
        return "writes another report"
    if code == 0 and found is None:
        return "exit code 0 without a report"
    if code and not said:
        return "says nothing"
    if any(word in said for word in BLAMES):
        return f"blames a file: {said[:200]}"
    if evaluate(folder) or reports(folder, out) != expected:
        return "the same command does not go on to the same report"
    return None


# a site's own numbers


def report_of_a_site(folder: Path) -> None:
    from ..site import made

    made.written(folder, made.evaluated(patients=120))


def calibrate(folder: Path, workers: int = 1) -> int:
    line = ("calibrate", folder / "report.json", "--model", model(), "--json")
    return command(*line, "--out", folder / "site.json", "--html", folder / "site.html")


def sites(folder: Path, out: str) -> Any:
    made = folder / "site.json"
    if not made.is_file():
        return None
    content = json.loads(made.read_text())
    return {name: content[name] for name in content if name not in ("created", "digest")}


def wrong_calibrate(folder: Path, code: int, out: str, said: str, expected: Any) -> str | None:
    try:
        found = sites(folder, out)
    except (OSError, ValueError):
        return "leaves half a site file"
    if found is not None and found != expected:
        return "writes another site file"
    if code == 0 and found is None:
        return "exit code 0 without a site file"
    return _fault(code, said) or _again(calibrate(folder) or sites(folder, out) != expected)


def results_of_a_site(folder: Path) -> None:
    """Answers of `classify --json`, one of them of an image that the machine had no memory for."""
    from edge_app.model.model_file import read

    known = read(model())
    finding = {"probability": 0.1}
    answer = {
        "model": {"sha256": known.sha256, "digest": known.digest}, "site": None,
        "operating_point": known.manifest["default_operating_point"],
        "overall": {"probability": 0.4, "flagged": True},
        "findings": [{"label": name, **finding} for name in known.labels.names],
    }  # fmt: skip
    lines = [
        json.dumps({"file": f"{n}.png", **answer}) for n in range(2000)
    ]  # so many that a change is sure
    by = {key: answer[key] for key in ("model", "site", "operating_point")}
    lines.append(json.dumps({"file": "x", "error": {"kind": "machine", "message": "…"}, **by}))
    (folder / "results.jsonl").write_text("\n".join([*lines, ""]))


def drift(folder: Path, workers: int = 1) -> int:
    code = command("drift", folder / "results.jsonl", "--model", model(), "--json")
    return 0 if code == 5 else code  # that they differ is an answer


def verdicts(folder: Path, out: str) -> Any:
    return json.loads(out) if out else None


def wrong_drift(folder: Path, code: int, out: str, said: str, expected: Any) -> str | None:
    if code == 0 and verdicts(folder, out) != expected:
        return "answers otherwise"
    return _fault(code, said)


def _fault(code: int, said: str) -> str | None:
    if code and not said:
        return "says nothing"
    blames = (*BLAMES, "is no answer", "not JSON", "is no report")
    return f"blames a file: {said[:200]}" if any(word in said for word in blames) else None


def _again(differs: object) -> str | None:
    return "the same command does not end as without a fault" if differs else None


# the spool


def answered_folder(folder: Path) -> None:
    """A folder that is watched, as the images leave it that were moved."""
    (folder / "in/answered").mkdir(parents=True)


def spool(folder: Path, workers: int = 1) -> int:
    """Accept two images, answer and deliver them; what is acknowledged is printed."""
    from edge_app.clinic.deliveries import Deliveries
    from edge_app.clinic.faults import SpoolError
    from edge_app.clinic.settings import WATCH, Watch
    from edge_app.clinic.spool import Document, Offered, Spool
    from edge_app.clinic.store import Store
    from edge_app.clinic.watch import Outbox
    from edge_app.core.console import complain

    inbox = folder / "in"
    try:
        store = Store(folder / "spool")
        try:
            opened, deliveries = Spool(store), Deliveries(store)
            outbox = Outbox(Watch(inbox, None, 0), 1 << 20)
            for name in ("a", "b"):
                content = name.encode() * 1000
                digest = hashlib.sha256(content).hexdigest()
                opened.accept(Offered(WATCH, name, digest, (content,)))
                acknowledge("accepted", name)
            while image := opened.take():
                text = json.dumps({"file": image.identity})
                document = Document(f"{image.id}.json", text.encode(), (WATCH,))
                opened.answer(image, text, [document])
                acknowledge("answered", image.identity)
            store.sync()
            for delivery in deliveries.due(WATCH):
                outbox.deliver(delivery)
                deliveries.delivered(delivery)
                acknowledge("delivered", delivery.identity)
        finally:
            store.close()
    except SpoolError as error:
        complain(str(error))
        return error.exit_code
    except Exception as error:
        from edge_app.clinic.delivering import UndeliveredError

        if not isinstance(error, UndeliveredError):
            raise
        complain(str(error))
        return 4
    return 0


def acknowledge(*words: str) -> None:
    with suppress(OSError):  # a line that cannot be written acknowledges nothing
        print(*words)


def kept(folder: Path, out: str) -> Any:
    """What the spool holds, and what was delivered; nothing of the files' random names."""
    import sqlite3

    with sqlite3.connect(folder / "spool/spool.sqlite") as database:
        rows = database.execute("SELECT identity, answer FROM image ORDER BY identity").fetchall()
        waiting = database.execute("SELECT count(*) FROM delivery WHERE delivered IS NULL")
        left = waiting.fetchone()[0]
    files = {path.name: path.read_text() for path in (folder / "in/answered").glob("*.json")}
    return [*map(list, rows)], left, files


def wrong_spool(folder: Path, code: int, out: str, said: str, expected: Any) -> str | None:
    acknowledged = [line.split()[1] for line in out.splitlines() if line.startswith("accepted")]
    if code and not said:
        return "says nothing"
    if acknowledged:
        rows, _, _ = kept(folder, out)
        if not set(acknowledged) <= {identity for identity, _ in rows}:
            return "an acknowledged image is lost"
    again = spool(folder)
    if again or kept(folder, out) != expected:
        return f"the same again ends with {again} and {kept(folder, out)}, not {expected}"
    return None


SCENARIOS: Final = {
    "classify": Scenario(draw, classify, answers, wrong_classify),
    "first": Scenario(draw, first_classify, answers, wrong_classify),
    "isolate": Scenario(draw, isolated, answers, wrong_classify),
    "evaluate": Scenario(label, evaluate, reports, wrong_evaluate),
    "calibrate": Scenario(report_of_a_site, calibrate, sites, wrong_calibrate, 1),
    "drift": Scenario(results_of_a_site, drift, verdicts, wrong_drift, 1),
    "spool": Scenario(answered_folder, spool, kept, wrong_spool),
}


class Ended(NamedTuple):
    """How a run ended: exit code (negative: a signal), both streams, and what was wrong."""

    code: int
    out: str
    said: str
    wrong: str | None


class Row(NamedTuple):
    """What became of the calls of one kind."""

    scenario: str
    kind: str
    calls: int
    tried: int
    unnoticed: int
    failures: list[str]


def build(folder: Path) -> Path:
    """The library that has calls fail.

    Raises:
        OSError, subprocess.CalledProcessError: there is no compiler, or it does not compile.
    """
    library = folder / "faults.so"
    line = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "faults.c"), "-ldl"]
    subprocess.run([*line, "-lpthread"], check=True, capture_output=True)
    return library


def table(names: Sequence[str], every: int, library: Path) -> list[Row]:
    """Run scenarios in a process into which the library is loaded."""
    line = [sys.executable, "-m", "tests.device.core.inject", "--every", str(every), "--inside"]
    environment = {**os.environ, "LD_PRELOAD": str(library), "EDGE_CXR_SITE": "none"}
    done = subprocess.run(
        [*line, *names], env=environment, stdout=subprocess.PIPE, cwd=HERE.parents[2], check=True
    )
    return [Row(*json.loads(line)) for line in done.stdout.splitlines()]


def inside(names: Sequence[str], every: int) -> None:
    """Within that process: a child for each fault, everything imported already."""
    library = ctypes.CDLL(None)
    os.environ.pop("LD_PRELOAD")
    for name in names:
        scenario = SCENARIOS[name]
        with tempfile.TemporaryDirectory() as folder:
            warm = Path(folder)
            os.environ["XDG_CACHE_HOME"] = str(warm / "cache")
            _imported(scenario, _fresh(warm / "0", scenario))
            several = _reference(library, scenario, warm / "2", KINDS[0])
            alone = _reference(library, scenario, warm / "2", "mmap")
            for kind in KINDS:
                expected, counts = alone if kind == "mmap" else several
                number = counts[KINDS.index(kind)]
                row = Row(name, kind, number, 0, 0, [])
                for when in range(1, number + 1, every):
                    ended = _run(
                        library, scenario, _fresh(warm / "2", scenario), (kind, when, expected)
                    )
                    row = row._replace(
                        tried=row.tried + 1, unnoticed=row.unnoticed + (ended.code == 0)
                    )
                    if ended.wrong:
                        row.failures.append(f"{when}: {ended.wrong}")
                print(json.dumps(row), flush=True)
                print(row, file=sys.stderr, flush=True) if "INJECT_LOUD" in os.environ else None


def _imported(scenario: Scenario, folder: Path) -> None:
    """Run it here once, so that its children find all modules loaded and verdicts remembered."""
    streams = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            scenario.act(folder, scenario.workers)
        finally:
            sys.stdout, sys.stderr = streams


def _fresh(folder: Path, scenario: Scenario) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scenario.prepare(folder)
    return folder


def _reference(library: Any, scenario: Scenario, folder: Path, kind: str) -> tuple[Any, list[int]]:
    """What is found without a fault, and how many calls of each kind that takes."""
    ended = _run(library, scenario, _fresh(folder, scenario), (kind, 0, None))
    if ended.code:
        sys.exit(f"without a fault it ends with {ended.code}: {ended.said}")
    return scenario.found(folder, ended.out), json.loads((folder.parent / "counts").read_text())


def _run(library: Any, scenario: Scenario, folder: Path, fault: tuple[str, int, Any]) -> Ended:
    """In a child: act, with a fault or counting, and judge."""
    place = folder.parent
    for stale in ("out", "said", "counts", "wrong"):
        (place / stale).unlink(missing_ok=True)
    child = os.fork()
    if not child:
        code = 99
        with suppress(BaseException):
            code = _child(library, scenario, folder, fault)
        os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    out, said = ((place / name).read_text("utf-8", "replace") for name in ("out", "said"))
    judged = place / "wrong"
    wrong = judged.read_text() if judged.exists() else "ends before it could be judged"
    if code < 0:
        wrong = f"ends by {signal.Signals(-code).name}: {said[-300:]}"
    return Ended(code, out, said, wrong or None)


def _child(library: Any, scenario: Scenario, folder: Path, fault: tuple[str, int, Any]) -> int:
    signal.alarm(SECONDS)
    faulthandler.disable()
    place = folder.parent
    for name, number in (("out", 1), ("said", 2)):
        descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout = open(1, "w", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    kind, when, expected = fault
    # CPython waits for ever for a thread that had no memory to begin.
    scenario = scenario._replace(workers=1 if kind == "mmap" else 2)
    library.faults_arm(KINDS.index(kind), ctypes.c_long(when), ERRORS[kind])
    try:
        code = scenario.act(folder, scenario.workers)
    except BaseException:
        library.faults_disarm()
        import traceback

        code = 98
        traceback.print_exc()
    library.faults_disarm()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    counts = [library.faults_counted(number) for number in range(len(KINDS))]
    (place / "counts").write_text(json.dumps(counts))
    out, said = ((place / name).read_text("utf-8", "replace") for name in ("out", "said"))
    (place / "wrong").write_text(_judged(scenario, folder, code, out, said, expected, fault))
    return code


def _judged(
    scenario: Scenario,
    folder: Path,
    code: int,
    out: str,
    said: str,
    expected: Any,
    fault: tuple[str, int, Any],
) -> str:
    if "Traceback" in said:
        return f"a traceback: {' | '.join(said.strip().splitlines()[-6:])}"
    strange = [line for line in said.splitlines() if not line.startswith(OURS)]
    if strange:
        return f"a line that is not ours: {strange[0][:200]}"
    kind, when, _ = fault
    if not when:
        return ""
    if kind not in ("write", "fsync", "rename") and "cannot write the output" in said:
        return f"blames the output: {said[-200:]}"
    sys.stdout = sys.stderr = then = io.StringIO()
    try:
        wrong = scenario.wrong(folder, code, out, said, expected)
    except Exception as error:
        wrong = f"cannot be judged: {error!r}"
    return f"{wrong}; it said: {said[-300:]}; then: {then.getvalue()[-300:]}" if wrong else ""


def printed(rows: Sequence[Row]) -> str:
    """The table, and what failed."""
    lines = [
        f"{'':<10}{'call':<8}{'made':>6}{'failed once':>13}{'done all the same':>19}{'bad':>5}"
    ]
    for row in rows:
        lines.append(
            f"{row.scenario:<10}{row.kind:<8}{row.calls:>6}{row.tried:>13}{row.unnoticed:>19}"
            f"{len(row.failures):>5}"
        )
    for row in rows:
        lines += [f"{row.scenario} {row.kind} {failure}" for failure in row.failures[:40]]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="Each Nth call alone.")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    names = options.scenarios or list(SCENARIOS)
    if options.inside:
        inside(names, options.every)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rows = table(names, options.every, build(Path(folder)))
    print(printed(rows))
    return int(any(row.failures for row in rows))


if __name__ == "__main__":
    sys.exit(main())
