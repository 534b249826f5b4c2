"""Thousands of damaged files through `edge-cxr classify`: what becomes of each, counted.

    python -m tests.device.images.mutate --number 10000 [--seed 0] [--keep FOLDER]

Exit code 1 where any of them crashes or hangs the command, takes too much memory, or has an answer
that is none, or one in Python's words. `--keep` saves a file for each such fault, with as little
damage as shows it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..messages import python_in
from .corpus import corpus
from .mutations import Mutant, mutant

COMMAND: Final = (
    *(sys.executable, "-m", "edge_app", "classify", "--json"),
    *("--model", "cxr-cnn28", "--workers", "1"),
)
BATCH: Final = 500
SECONDS: Final = 20
MEGABYTES: Final = 600
OURS: Final = "edge-cxr: "
"""Begins every line that the command itself says on standard error."""


class Outcome(NamedTuple):
    """What became of a file.

    Attributes:
        kind: of the answer, in words that are the same for all of its kind.
        fault: what is wrong with the answer, or with there being none; None where nothing is.
        megabytes: the most that the command has held until then.
    """

    kind: str
    fault: str | None = None
    megabytes: int = 0


def judged(line: str) -> Outcome:
    """The answer that the command printed for a file."""
    try:
        answer = json.loads(line)
    except ValueError:
        return Outcome("no JSON", f"is no JSON: {line[:200]}")
    if "error" in answer:
        error = answer["error"]
        message = error.get("message")
        if not (isinstance(message, str) and message and error.get("kind") == "image"):
            return Outcome("no message", f"has no kind and message: {line[:200]}")
        return Outcome(f"refused: {_general(message)}", _fault(message))
    if not isinstance(answer.get("findings"), list):
        return Outcome("no findings", f"has neither findings nor an error: {line[:200]}")
    fault = next(filter(None, map(_fault, answer["warnings"])), None)
    if not answer["findings"]:
        return Outcome(f"withheld: {answer['input_check']['kind']}", fault)
    return Outcome("scored with a warning" if answer["warnings"] else "scored", fault)


def _fault(message: str) -> str | None:
    """What is wrong with a message."""
    if not message.isprintable():
        return f"is not one printable line: {message!r}"
    word = python_in(message)
    return f"speaks Python ({word}): {message}" if word else None


def _general(message: str) -> str:
    """A message without what differs from file to file."""
    message = re.sub(r"'[^']*'|\([^)]*\)|0x[0-9a-f]+", "…", message)
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "N", message)[:80]


def answered(files: dict[str, bytes]) -> Iterator[tuple[str, Outcome]]:
    """Each file by its name, in order, and what `edge-cxr classify` makes of it.

    A file that ends the command is told, and the command started again with the next one. What is
    wrong with a whole run stands under the name of a file that it may be because of.
    """
    todo = sorted(files)
    while todo:
        with tempfile.TemporaryDirectory() as folder:
            for name in todo:
                Path(folder, name).write_bytes(files[name])
            done = list(_one_run(folder, todo))
        yield from done
        todo = todo[len({name for name, _ in done}) :]


def _one_run(folder: str, names: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
    """Up to the file that ends the command, if there is one."""
    fault, peak, name = "", 0, names[0]
    # Linux counts what this process holds to the one that it starts.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([*COMMAND, folder], stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        for name, line in zip(names, _lines(process.stdout.fileno()), strict=False):
            peak = _megabytes(process.pid, peak)
            if line is None:
                fault = f"takes more than {SECONDS} s"
            elif not line:
                fault = "ends the command"
            elif peak > MEGABYTES:
                fault = f"makes the command take {peak} MB"
            if fault:
                if line != b"":  # `process.kill` would take the status
                    os.kill(process.pid, signal.SIGKILL)
                break
            assert line is not None
            yield name, judged(line.decode("utf-8", "backslashreplace"))._replace(megabytes=peak)
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        lines = errors.read().decode("utf-8", "backslashreplace").splitlines()
    stray = next((i for i, line in enumerate(lines) if not line.startswith(OURS)), None)
    if fault:
        fault += f" (exit code {process.returncode}): {lines[-1] if lines else 'nothing said'}"
    elif usage.ru_maxrss >> 10 > max(MEGABYTES, own):  # a codec, which has a process of its own
        fault = f"or one before it makes a codec take {usage.ru_maxrss >> 10} MB"
    elif stray is not None:
        fault = f"prints: {lines[stray]}"
        name = _printer(folder, names, lines, stray)
    elif process.returncode not in (0, 3):
        fault = f"exit code {process.returncode}"
    if fault:
        yield name, Outcome("none", fault[:400])


def _lines(pipe: int) -> Iterator[bytes | None]:
    """Lines from a pipe; an empty one at its end, None where none comes for too long."""
    pending = b""
    while select.select([pipe], [], [], SECONDS)[0]:
        data = os.read(pipe, 1 << 16)
        if not data:
            yield b""
        *lines, pending = (pending + data).split(b"\n")
        yield from lines
    yield None


def _printer(folder: str, names: Sequence[str], lines: Sequence[str], stray: int) -> str:
    """The file that a line of others on standard error is about.

    It lies between two that the command itself complained of; alone, it prints again.
    """
    places = {f"{OURS}{folder}/{name}: ": place for place, name in enumerate(names)}

    def place(line: str) -> int | None:
        return next((at for start, at in places.items() if line.startswith(start)), None)

    before = [at for at in map(place, lines[:stray]) if at is not None]
    after = [at for at in map(place, lines[stray:]) if at is not None]
    between = names[(before[-1] + 1 if before else 0) : (after[0] + 1 if after else None)]
    for name in between if len(names) > 1 else ():
        alone = {name: Path(folder, name).read_bytes()}
        if any(outcome.fault for _, outcome in answered(alone)):
            return name
    return between[-1] if between else names[-1]


def _megabytes(process: int, before: int) -> int:
    """The most memory that a process has held so far."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # it has just ended
        return before
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) >> 10 if found else before


class Fault(NamedTuple):
    """A file that has no answer, or a bad one."""

    mutant: Mutant
    what: str


def run(seed: int, number: int) -> tuple[Counter[str], list[Fault], int]:
    """So many damaged files: how many answers of each kind, the faults, and megabytes at most."""
    files = corpus()
    kinds: Counter[str] = Counter()
    faults, peak = [], 0
    for start in range(0, number, BATCH):
        some = [mutant(seed, i, sorted(files)) for i in range(start, min(start + BATCH, number))]
        by_name = {f"{each.number:06d}": each for each in some}
        data = {name: each.data(files) for name, each in by_name.items()}
        for name, outcome in answered(data):
            kinds[outcome.kind] += 1
            peak = max(peak, outcome.megabytes)
            if outcome.fault:
                faults.append(Fault(by_name[name], outcome.fault))
    return kinds, faults, peak


def smallest_of(fault: Fault, files: dict[str, bytes]) -> Fault:
    """The same fault with no step more than it needs."""
    for place in range(len(fault.mutant.steps)):
        steps = fault.mutant.steps[:place] + fault.mutant.steps[place + 1 :]
        smaller = fault.mutant._replace(steps=steps)
        found = [o.fault for _, o in answered({"file": smaller.data(files)}) if o.fault]
        if steps and found and _general(found[0]) == _general(fault.what):
            return smallest_of(Fault(smaller, found[0]), files)
    return fault


def keep(faults: Sequence[Fault], folder: Path) -> None:
    """A file for each kind of fault, with `faults.md` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = corpus()
    by_kind: dict[str, list[Fault]] = {}
    for fault in faults:
        by_kind.setdefault(_general(fault.what), []).append(fault)
    lines = []
    for same in sorted(by_kind.values(), key=len, reverse=True):
        smallest = smallest_of(min(same, key=lambda fault: len(fault.mutant.steps)), files)
        stem, suffix = smallest.mutant.origin.rsplit(".", 1)
        name = f"{stem}-{smallest.mutant.number}.{suffix}"
        (folder / name).write_bytes(smallest.mutant.data(files))
        lines.append(f"- `{name}` ({len(same)}x) {smallest.what}; from {smallest.mutant}")
    (folder / "faults.md").write_text("".join(f"{line}\n" for line in lines))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Damaged files through edge-cxr classify.")
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parsed = parser.parse_args(arguments)
    kinds, faults, peak = run(parsed.seed, parsed.number)
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    print(f"{sum(kinds.values())} answers, {len(faults)} faults; {peak} MB at most")
    for fault in faults[:20]:
        print(f"{fault.mutant} {fault.what}")
    if parsed.keep and faults:
        keep(faults, parsed.keep)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
