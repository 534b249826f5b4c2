"""The output of `edgetpu_compiler --show_operations` → values.

The format is that of versions 2.1 to 16.0 in users' posts, such as
https://github.com/google-coral/edgetpu/issues/60 and /433; no compiler was at hand to try it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from quantize.errors import ConversionError

MAPPED: Final = "Mapped to Edge TPU"
MAX_ROWS: Final = 500
UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

VERSION: Final = re.compile(r"^Edge TPU Compiler version (\S{1,100})\s*$", re.MULTILINE)
ROW: Final = re.compile(r"^([A-Za-z0-9_.-]{1,100})[ \t]+([0-9]{1,6})[ \t]+(\S.{0,199}?)[ \t\r]*$")
MEMORY: Final = {
    "on_chip": "On-chip memory used for caching model parameters",
    "on_chip_free": "On-chip memory remaining for caching model parameters",
    "off_chip": "Off-chip memory used for streaming uncached model parameters",
}


@dataclass(frozen=True)
class CompilerReport:
    """The compiler's report on one network.

    Attributes:
        version: of the compiler.
        operators: the compiler's table: operator, count, where they run.
        memory: bytes, by the names of `MEMORY`; the compiler rounds them to three digits.
    """

    version: str
    operators: tuple[tuple[str, int, str], ...]
    memory: dict[str, int]

    @property
    def mapped(self) -> int:
        return sum(count for _, count, status in self.operators if status == MAPPED)

    @property
    def on_cpu(self) -> int:
        return sum(count for _, count, status in self.operators if status != MAPPED)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "compiler": self.version,
            "operations": {"accelerator": self.mapped, "cpu": self.on_cpu},
            "memory": self.memory,
            "operators": [
                {"operator": name, "count": count, "status": status}
                for name, count, status in self.operators
            ],
        }


def parse(text: str) -> CompilerReport:
    """Read the standard output of a successful compilation.

    Raises:
        ConversionError: it is in another format.
    """
    version = VERSION.search(text)
    if version is None:
        raise ConversionError("edgetpu_compiler does not say its version")
    return CompilerReport(version[1], _table(text), _memory(text))


def _table(text: str) -> tuple[tuple[str, int, str], ...]:
    lines = iter(text.splitlines())
    for line in lines:
        if line.split() == ["Operator", "Count", "Status"]:
            break
    rows: list[tuple[str, int, str]] = []
    for line in lines:
        row = ROW.match(line)
        if row is None:
            if line.strip() and rows:
                break
            continue
        if int(row[2]) == 0 or len(rows) == MAX_ROWS:
            raise ConversionError("edgetpu_compiler's table of operators cannot be understood")
        rows.append((row[1], int(row[2]), row[3]))
    if not rows:
        raise ConversionError("edgetpu_compiler printed no table of operators")
    return tuple(rows)


def _memory(text: str) -> dict[str, int]:
    memory = {}
    for name, words in MEMORY.items():
        found = re.search(rf"^{words}: ([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)([KMG]i)?B\s*$", text, re.M)
        if found is None:
            raise ConversionError(f"edgetpu_compiler does not say: {words}")
        memory[name] = round(float(found[1]) * UNITS[f"{found[2] or ''}B"])
    return memory
