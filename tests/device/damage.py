"""Damaged files of every kind but pictures, given to what reads them, and what becomes of each.

    python -m tests.device.damage --number 10000 [--seed 0] [--kind manifest] [--keep FOLDER]

Model files, manifests, site files, journals, remembered trials, labels, official lists, second
references, reports, results, signatures, trusted keys, digests of kits, and headers of DICOM
messages. What reads them either takes them or says why not, in one line of our own words. An
exception of Python's, a line that is none, and more than 5 seconds are faults, and exit code 1.
`python -m tests.device.fuzz KIND` searches the same readers led by coverage.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np

from edge_app.core.errors import EdgeCxrError
from edge_app.model.labels import Label, Labels

from .images.mutations import ANY
from .messages import python_in

SECONDS: Final = 5

Reader = Callable[[Path, bytes], object]
"""Takes an empty folder and the bytes of a file; raises an EdgeCxrError where it refuses them."""

Mutation = Callable[[Random, bytes], bytes]


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        seeds: good files.
        read: all that is done with one.
        mutations: that know its form, beside those of any file.
    """

    seeds: Mapping[str, bytes]
    read: Reader
    mutations: tuple[Mutation, ...] = ()


# Mutations of texts, tables and JSON

HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2, 64, 1e308, -1e308, 1e-320, 10**400, 2**63, 0.5, "", " "),
    *("\x1b[2J", "a\nb", "\u202egnp", "=1+1", "é", "\ud800", "NaN", "x" * 5000, "No Finding"),
    *([], {}, [[]], [None] * 15, [0.0] * 15, {"": {}}, [1e400]),
)


def json_value(random: Random, data: bytes) -> bytes:
    """Another value somewhere, one more key, or one less."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(random.choice((1, 1, 2))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = random.choice(places)
        match random.randrange(5):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[random.choice(("more", "labels", "site", "map"))] = random.choice(HOSTILE)
            case 2:
                other, name = random.choice(places)
                holder[key] = other[name]
            case 3 if isinstance(holder, list):
                holder.insert(key, random.choice(HOSTILE))
            case _:
                holder[key] = random.choice(HOSTILE)
        try:
            tree = json.loads(json.dumps(tree))
        except (ValueError, RecursionError):  # it holds itself by now
            return data
    return json.dumps(tree).encode()


def json_depth(random: Random, data: bytes) -> bytes:
    depth = random.choice((10, 900, 100_000))
    place = data.find(b":", random.randrange(len(data))) + 1
    return data[:place] + b"[" * depth + b"]" * depth + b"," + data[place:]


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


CELLS: Final = (
    *(b"", b'"', b'""', b",", b"\0", b"\xff", b"=1", b"../a.png", b"/etc/passwd", b"x" * 300),
    *(b"Mass|Mass", b"No Finding|Mass", b"|", b"YES", b"nan", b"1e999", b"-1", b"\r", b"\x1b[2J"),
)


def cell(random: Random, data: bytes) -> bytes:
    """Another cell in a line of a CSV."""
    lines = data.split(b"\n")
    number = random.randrange(len(lines))
    cells = lines[number].split(b",")
    cells[random.randrange(len(cells))] = random.choice(CELLS)
    lines[number] = b",".join(cells)
    return b"\n".join(lines)


def rows(random: Random, data: bytes) -> bytes:
    """Lines dropped, doubled and in another order."""
    lines = data.split(b"\n")
    kept = [random.choice(lines) for _ in range(random.randint(0, 2 * len(lines)))]
    return b"\n".join(kept if random.random() < 0.5 else lines[:1] + kept)


JSON: Final = (json_value, json_value, json_value, json_depth)
TABLE: Final = (cell, cell, rows)


# The kinds


def _small() -> Any:
    from edge_app.model.model_file import SHIPPED, read

    return read(SHIPPED / "cxr-cnn28.tflite")


def _used(model: Any) -> None:
    """What `models inspect` and `verify` do with a model before a runtime has a say."""
    from edge_app.inspection.catalogue import print_model
    from edge_app.model.golden import check_answers

    print_model(model, as_json=False)
    print_model(model, as_json=True)
    check_answers(model.manifest, model.golden)
    _ = model.input_check, model.to_tensor, model.logit_steps


def _model() -> Kind:
    from edge_app.model.model_file import parse

    places = sorted(Path("tests/models").glob("*.tflite"))

    def read(folder: Path, data: bytes) -> None:
        _used(parse(folder / "model.tflite", data))

    return Kind({path.stem: path.read_bytes() for path in places}, read, (zip_end,))


def zip_end(random: Random, data: bytes) -> bytes:
    """A byte of the ZIP's directory, where its members' names, sizes and places stand."""
    out = bytearray(data)
    for _ in range(random.choice((1, 2, 4))):
        out[-random.randint(1, min(900, len(out)))] = random.choice((0, 1, 127, 255))
    return bytes(out)


def _manifest() -> Kind:
    """With the digests of a file that was made anew around it."""
    from edge_app.model import archive
    from edge_app.model.model_file import SHIPPED, parse

    places = [*sorted(Path("tests/models").glob("*.tflite")), SHIPPED / "cxr-cnn28.tflite"]
    seeds, wholes = {}, {}
    for path in places:
        data = path.read_bytes()
        members = archive.unzip(data, "edgetpu.tflite")
        stated = json.loads(members[archive.MANIFEST])
        seeds[path.stem] = members[archive.MANIFEST]
        # Both versions have one network, and each the input check of its time.
        known = stated.get("input_check", stated["flatbuffer"])["sha256"].encode()
        wholes[known] = data[: stated["flatbuffer"]["bytes"]], members

    def read(folder: Path, data: bytes) -> None:
        known = next((key for key in wholes if key in data), next(iter(wholes)))
        flatbuffer, members = wholes[known]
        others = {name: part for name, part in members.items() if name != archive.SUMS}
        others.pop(archive.GOLDEN_ANSWERS, None)  # as in files of earlier versions
        others[archive.MANIFEST] = data
        others[archive.SUMS] = archive.sums(archive.digests(flatbuffer, others))
        _used(parse(folder / "model.tflite", archive.append(flatbuffer, others)))

    return Kind(seeds, read, JSON)


def _site() -> Kind:
    from edge_app.model import site as sites

    model = _small()
    with tempfile.TemporaryDirectory() as work:
        made = _calibrated(Path(work))

    def read(folder: Path, data: bytes) -> None:
        try:  # as whoever edits one would, with its digest made anew
            content = json.loads(data)
            data = json.dumps(sites.sealed(content)).encode()
        except (ValueError, AttributeError, TypeError, RecursionError):
            pass
        (folder / "site.json").write_bytes(data)
        site = sites.read(folder / "site.json")
        sites.announcement(site)
        site.applied(model)

    return Kind({"calibrated": made}, read, JSON)


def _calibrated(work: Path) -> bytes:
    from edge_app.cli import app

    from .site import made

    report = made.written(work)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        app.run(
            ["calibrate", str(report), "--model", "cxr-cnn28", "--out", str(work / "site.json")]
        )
    return (work / "site.json").read_bytes()


def _report() -> Kind:
    from edge_app.comparison import compare, gates, html
    from edge_app.evaluation import report as reports

    from .reports import answers, report

    with tempfile.TemporaryDirectory() as work:
        reports.write(report(answers(40, 20)), Path(work, "r.json"))
        seed = Path(work, "r.json").read_bytes()
        scores = {path.name: path.read_bytes() for path in Path(work).glob("*.npz")}
        other = reports.read(Path(work, "r.json"))

    def read(folder: Path, data: bytes) -> None:
        for name, stored in {**scores, "r.json": data}.items():
            (folder / name).write_bytes(stored)
        found = reports.read(folder / "r.json")
        compared = compare.compare(other, found, 10)
        print(html.page(compared, gates.judge(compared)))

    return Kind({"report": seed}, read, JSON)


def _journal() -> Kind:
    from edge_app.evaluation.evaluate import Answer, _kept
    from edge_app.evaluation.journal import Journal, _line

    subject = {"kind": "edge-cxr evaluation journal", "schema_version": 1}
    zero = np.zeros(15, np.float32)
    record = Answer("a.png", (1, 2, 3, 4), "0" * 64, zero, {"noise": zero}).as_record()

    def read(folder: Path, data: bytes) -> None:
        # The checksum of a line finds chance, not malice.
        lines = [line.partition(b" ")[2] for line in data.splitlines()]
        for number, text in enumerate((data, b"".join(map(_sealed, lines)))):
            (folder / str(number)).write_bytes(text)
            with Journal(folder / str(number), subject) as journal:
                list(_kept(journal.records, [], 15, True))

    def _sealed(text: bytes) -> bytes:
        try:
            return _line(json.loads(text))
        except (ValueError, RecursionError):
            return b"00000000 " + text + b"\n"

    return Kind({"two": _line(subject) + _line(record) + _line(record)}, read, (rows,))


def _trial() -> Kind:
    from edge_app.backends import registry, trial_results
    from edge_app.backends.trial_results import TrialResult

    model = _small()
    backend = next(each for each in registry.all_backends() if each.installed)
    subject = trial_results.subject(model, backend)
    with tempfile.TemporaryDirectory() as work, _cache(Path(work)):
        place = trial_results.remember(subject, TrialResult(None, {1: 2.5, 2: 1.5}))
        assert place is not None
        seed, name = place.read_bytes(), place.relative_to(work)

    def read(folder: Path, data: bytes) -> None:
        with _cache(folder):
            (folder / name).parent.mkdir(mode=0o700, parents=True)
            (folder / name).write_bytes(data)
            found = trial_results.remembered(subject)
            assert found is None or found.threads in (1, 2, *found.milliseconds)

    return Kind({"trial": seed}, read, JSON)


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("XDG_CACHE_HOME")
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before


LABELS: Final = ("Mass", "Edema", "No Finding")
NIH: Final = "Image Index,Finding Labels,Patient ID\n"
ROWS: Final = "".join(f"{n:08d}_000.png,{LABELS[n % 3]},{n}\n" for n in range(6))


def _labels() -> Kind:
    from edge_app.evaluation import labelled

    seeds = {
        "nih": (NIH + ROWS).encode(),
        "own": b"image,patient,labels,age\na.png,1,Mass|Edema,5\nsub/b.png,2,,x\n",
    }

    def read(folder: Path, data: bytes) -> None:
        (folder / "labels.csv").write_bytes(data)
        (folder / "a.png").touch()
        labelled.load(folder, Labels(map(Label, LABELS)))

    return Kind(seeds, read, TABLE)


def _lists() -> Kind:
    from edge_app.evaluation import labelled

    def read(folder: Path, data: bytes) -> None:
        (folder / "labels.csv").write_text(NIH + ROWS)
        (folder / "00000001_000.png").touch()
        (folder / "test_list.txt").write_bytes(data)
        labelled.load(folder, Labels(map(Label, LABELS)))

    seed = b"00000001_000.png\n00000004_000.png\n"
    return Kind({"list": seed, "utf-16": seed.decode().encode("utf-16")}, read, (rows,))


def _second() -> Kind:
    from edge_app.evaluation import second_reference

    from .reports import answers, report

    known = report(answers(40, 20))

    def read(folder: Path, data: bytes) -> None:
        (folder / "s.csv").write_bytes(data)
        second = second_reference.read(folder / "s.csv", {"lump": ["Mass", "Nodule"]})
        second_reference.judged(known, second)

    lines = "".join(f"{n:05d}.png,{'YES' if n % 3 else 'NO'}\n" for n in range(40))
    return Kind({"csv": f"image,lump\n{lines}".encode()}, read, TABLE)


def _results() -> Kind:
    from edge_app.site import results

    by = results.Maker("0" * 64, "1" * 64, None)
    model = {"sha256": by.model, "digest": by.file}
    line = {
        "file": "a.png", "model": model, "site": None, "operating_point": "p",
        "overall": {"probability": 0.4, "flagged": True},
        "findings": [{"label": label, "probability": 0.1} for label in LABELS],
    }  # fmt: skip
    text = json.dumps(line)
    head = "file,overall,percentile,flagged,Mass,Edema,No Finding,above,operating_point"
    table = f"{head},model_sha256,site,warnings,withheld,error,note,model_digest\n"
    table += f"a.png,0.4,0.5,true,0.1,0.2,0.3,,p,{by.model},,,false,,,{by.file}\n" * 3

    def read(folder: Path, data: bytes) -> None:
        (folder / "r").write_bytes(data)
        results.read([folder / "r"], LABELS, by)

    seeds = {
        "lines": f"{text}\n{text}\n".encode(),
        "one": json.dumps(line, indent=2).encode(),
        "csv": table.encode(),
    }
    return Kind(seeds, read, (*JSON, *TABLE))


def _benchmark() -> Kind:
    from edge_app.performance import compare, result

    from .performance.results import measured

    seed = json.dumps(measured(0)).encode()

    def read(folder: Path, data: bytes) -> None:
        (folder / "b.json").write_bytes(data)
        found = result.load(folder / "b.json")
        compare.compare(json.loads(seed), found)

    return Kind({"result": seed}, read, JSON)


def _signature() -> Kind:
    from edge_app.core import trust

    from .core.test_minisign import ITS_KEY, MADE_BY_MINISIGN

    keys = trust.parse(ITS_KEY)

    def read(folder: Path, data: bytes) -> None:
        found = trust.origin(b"hi\n", data, "model", "x", keys)
        # Whitespace, the last line's end and the untrusted line may differ, what is signed may not.
        good = [line.strip() for line in MADE_BY_MINISIGN.split("\n")[1:4]]
        if found.signer is not None:
            assert [line.strip() for line in data.decode().split("\n")[1:4]] == good

    return Kind({"minisign": MADE_BY_MINISIGN.encode()}, read, (rows,))


def _keys() -> Kind:
    from edge_app.core import trust
    from edge_app.core.errors import SignatureError

    from .core.test_minisign import ITS_KEY

    def read(folder: Path, data: bytes) -> None:
        try:
            trust.parse(data.decode())
        except ValueError as error:
            said = "is no text" if isinstance(error, UnicodeDecodeError) else str(error)
            raise SignatureError(said) from None

    return Kind({"keys": f"# ours\n{ITS_KEY} me\nsigned only\n".encode()}, read, (rows,))


def _kit() -> Kind:
    from edge_app.inspection import kits

    names = ("install.sh", "installer.py", "kit.json", "wheels/a.whl")
    files = dict.fromkeys(names, b'{"target": "pi64"}')
    digest = hashlib.sha256(files["kit.json"]).hexdigest()
    seed = "".join(f"{digest}  {name}\n" for name in names).encode()

    def read(folder: Path, data: bytes) -> None:
        (folder / "wheels").mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / "SHA256SUMS").write_bytes(data)
        kits.checked(folder, None)

    return Kind({"sums": seed}, read, (rows,))


def _message() -> Kind:
    from edge_app.clinic import header
    from edge_app.core.errors import ImageError

    from .images.corpus import corpus
    from .images.mutations import OF_FORMAT

    def read(folder: Path, data: bytes) -> None:
        try:
            found = header.read_header(data)
            header.instance_of(found)
            header.bare(found)
        except header.HeaderError as error:
            raise ImageError(str(error)) from None

    files = {name: data for name, data in corpus().items() if b"1.2.840.10008.1.2.4" in data[:900]}
    files = {name: data for name, data in files.items() if _is_whole(read, data)}
    return Kind(files, read, OF_FORMAT["dcm"])


def _is_whole(read: Reader, data: bytes) -> bool:
    try:
        read(Path(), data)
    except EdgeCxrError:
        return False
    return True


KINDS: Final[dict[str, Callable[[], Kind]]] = {
    "model": _model,
    "manifest": _manifest,
    "site": _site,
    "journal": _journal,
    "trial": _trial,
    "labels": _labels,
    "lists": _lists,
    "second": _second,
    "report": _report,
    "results": _results,
    "benchmark": _benchmark,
    "signature": _signature,
    "keys": _keys,
    "kit": _kit,
    "message": _message,
}


# One file, and many


GOOD: Final = ("taken", None)


class TooSlowError(BaseException):
    """No reader may catch it."""


def outcome(kind: Kind, data: bytes, seconds: int = SECONDS) -> tuple[str, str | None]:
    """What became of a file: in a word, and what is wrong with that, if anything is.

    Args:
        kind: of the file.
        data: its bytes.
        seconds: what it may take; 0 where somebody else looks at the clock.
    """
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(output), redirect_stderr(output):
        try:
            with _in_time(seconds):
                kind.read(Path(folder), data)
        except EdgeCxrError as error:
            line = str(error).replace(folder, "…")
            return "refused", _fault(line)
        except TooSlowError:
            return "too slow", f"takes more than {seconds} s"
        except Exception:
            *_, last = traceback.format_exc().strip().splitlines()
            where = traceback.extract_tb(sys.exc_info()[2])[-1]
            return "broken", f"{Path(where.filename).name}:{where.lineno}: {last[:200]}"
    steers = [each for each in output.getvalue() if not each.isprintable() and each != "\n"]
    return "taken", f"prints {steers[0]!r}" if steers else None


SCHEMA: Final = re.compile(r"bad manifest: data.* must be|is damaged: data.* must be|'\w*'")
"""What a schema's check says of a place, and words that the file itself holds."""


def _fault(line: str) -> str | None:
    if not line or "\n" in line or "\r" in line:
        return f"is not one line: {line[:200]!r}"
    word = python_in(SCHEMA.sub("", line))
    return f"speaks Python ({word}): {line[:300]}" if word else None


@contextmanager
def _in_time(seconds: int) -> Iterator[None]:
    if not seconds:
        yield
        return

    def late(number: int, frame: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def damaged(kind: Kind, seed: int, number: int) -> bytes:
    """The same for the same arguments, always."""
    random = Random(seed * 1_000_003 + number)
    data = kind.seeds[random.choice(sorted(kind.seeds))]
    for _ in range(random.choice((1, 1, 2, 3))):
        own = kind.mutations if kind.mutations and random.random() < 0.7 else ANY
        if data:
            data = random.choice(own)(random, data)
    return data


def run(
    name: str, seed: int, number: int, keep: Path | None = None
) -> tuple[Counter[str], list[str]]:
    """So many damaged files of a kind: how many answers of each sort, and the faults."""
    kind = KINDS[name]()
    whole = {origin: outcome(kind, data) for origin, data in kind.seeds.items()}
    sorts: Counter[str] = Counter()
    faults = [f"{name} {origin}, whole: {each}" for origin, each in whole.items() if each != GOOD]
    for each in range(number):
        data = damaged(kind, seed, each)
        sort, fault = outcome(kind, data)
        sorts[sort] += 1
        if fault:
            faults.append(f"{name} {each}: {fault}")
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name}-{each}").write_bytes(data)
    return sorts, faults


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Damaged files of every kind but pictures.")
    parser.add_argument("--number", type=int, default=10_000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    found = 0
    for name in options.kind or KINDS:
        sorts, faults = run(name, options.seed, options.number, options.keep)
        counts = ", ".join(f"{count} {sort}" for sort, count in sorted(sorts.items()))
        print(f"{name:10} {sum(sorts.values())} files: {counts}; {len(faults)} faults", flush=True)
        for fault in faults[:10]:
            print(f"  {fault}")
        found += len(faults)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
