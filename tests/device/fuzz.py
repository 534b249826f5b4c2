"""Files found by coverage: what reads them is followed line by line, and led into new ones.

    pip install -e '.[fuzz]'
    python -m tests.device.fuzz [KIND...] [--seconds 240] [--keep .fuzz]

KIND is one of `tests/device/damage.py`, or ``picture``; each is searched for so many seconds of the
processor, in processes of its own, one after the other: Atheris keeps a little memory of every
file. It (libFuzzer for Python) begins with that module's drawn files and with what earlier runs
kept, and keeps each that reaches a new branch. A kind ends at its first fault, with the file in
`--keep` and, at the end, exit code 1; a fault is what that module calls one. What is found becomes
a test. Each process, one that Ctrl-C or SIGTERM ends as well, adds what it did to
`reports/fuzz.json`, and the table of all is printed last (`tests/device/fuzzed.py`): an hour may be
made of many runs.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Final

import atheris

FOLLOWED: Final = (
    *("clinic.header", "comparison.compare", "comparison.html", "core.trust"),
    *("evaluation.evaluate", "evaluation.second_reference", "images.dicom", "images.png"),
    *("images.read", "images.tiff", "inspection.catalogue", "inspection.kits"),
    *("model.manifest_check_generated", "model.site", "model.site_check_generated"),
    *("performance.compare", "performance.result", "site.results"),
)
"""Modules of edge_app, with all that they import."""

with atheris.instrument_imports(include=["edge_app"]):
    for name in FOLLOWED:
        import_module(f"edge_app.{name}")

from . import damage, fuzzed  # noqa: E402  # after what it reads with is followed
from .images.corpus import corpus  # noqa: E402


def picture() -> damage.Kind:
    """Of all formats; only what the project's own code decodes is followed."""
    from edge_app.images.radiograph import Limits
    from edge_app.images.read import decode

    def read(folder: Path, data: bytes) -> None:
        decode(data, Limits(max_pixels=1 << 20))

    return damage.Kind(corpus(), read)


HANGS: Final = 120
"""Seconds by the clock, of which a busy machine may need many for nothing."""

INTERRUPTED: Final = (130, 72, -signal.SIGINT, -signal.SIGTERM)
"""Exit codes of Atheris, of libFuzzer, and of neither, after Ctrl-C and SIGTERM."""

FULL: Final = 1 << 20
"""KiB of a searching process, from which on another one goes on."""

TRIED: Final = struct.Struct("Q")
"""How many files were tried: in memory that the searching process shares."""


def search(name: str, seconds: float, place: Path, tried: mmap.mmap) -> None:
    """Search one kind; ends this process.

    Args:
        name: of the kind.
        seconds: how long, of the processor.
        place: of the files that reach a new branch (``corpus``), and of the first fault.
        tried: counts the files.
    """
    kind = picture() if name == fuzzed.PICTURE else damage.KINDS[name]()
    corpus = place / "corpus"
    corpus.mkdir(exist_ok=True)
    for origin, data in kind.seeds.items():
        (corpus / origin).write_bytes(data)

    def one(data: bytes) -> None:
        TRIED.pack_into(tried, 0, TRIED.unpack_from(tried)[0] + 1)
        began = time.process_time()
        _, fault = damage.outcome(kind, data, seconds=0)
        if fault is None and time.process_time() - began > damage.SECONDS:
            fault = f"takes more than {damage.SECONDS} s of the processor"
        if fault:
            print(f"{name}: {fault}", file=sys.__stderr__)
            (place / f"fault-{hash(data) & 0xFFFFFF:06x}").write_bytes(data)
            os._exit(1)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if time.process_time() > seconds or memory > FULL:  # of this process, from its fork on
            os._exit(0)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        """Damage that knows the file's form, or libFuzzer's own."""
        random = Random(seed)
        if data and kind.mutations and random.random() < 0.5:
            return random.choice(kind.mutations)(random, bytes(data))[:most]
        return bytes(atheris.Mutate(data, most))

    largest = max(map(len, kind.seeds.values()))
    options = [f"-max_len={2 * largest}", "-verbosity=0"]
    options += [f"-timeout={HANGS}", f"-artifact_prefix={place}/fault-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutated)
    atheris.Fuzz()


def searched(name: str, seconds: float, place: Path) -> int:
    """Search one kind in processes of its own, and add what each did to what is kept.

    Returns:
        The last one's exit code: 0, one of `INTERRUPTED`, or another where it found a fault.
    """
    place.mkdir(parents=True, exist_ok=True)
    code = 0
    while seconds > 0 and code == 0:
        code, used = searched_once(name, seconds, place)
        seconds -= used
    return code


def searched_once(name: str, seconds: float, place: Path) -> tuple[int, float]:
    """One process of a search.

    Returns:
        Its exit code, and its seconds of the processor, 1 at least.
    """
    tried = mmap.mmap(-1, TRIED.size)
    of = fuzzed.commit()
    child = os.fork()
    if not child:
        try:
            search(name, seconds, place, tried)
        except SystemExit as ended:
            os._exit(int(ended.code or 0))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    signals = (
        (signal.SIGINT, signal.SIG_IGN),
        (signal.SIGTERM, lambda *_: os.kill(child, signal.SIGINT)),
    )
    before = {each: signal.signal(each, now) for each, now in signals}  # the child ends, is noted
    _, status, used = os.wait4(child, 0)
    for each, then in before.items():
        signal.signal(each, then)
    code = os.waitstatus_to_exitcode(status)
    processor = used.ru_utime + used.ru_stime
    if number := TRIED.unpack_from(tried)[0]:
        done = {"tried": number, "processor": processor}
        fuzzed.add(name, of, {**done, "faults": int(code not in (0, *INTERRUPTED))})
    return code, max(processor, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description="Files found by coverage.")
    parser.add_argument("kind", choices=(*damage.KINDS, fuzzed.PICTURE), nargs="*")
    parser.add_argument("--seconds", type=int, default=240, help="of the processor, for each kind")
    parser.add_argument("--keep", type=Path, default=Path(".fuzz"), metavar="FOLDER")
    options = parser.parse_args()
    codes = []
    for name in options.kind:
        codes.append(searched(name, options.seconds, options.keep / name))
        if codes[-1] in INTERRUPTED:
            break
    print(fuzzed.table())
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
