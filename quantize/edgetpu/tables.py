"""The prediction and the compiler's report as tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from quantize.edgetpu.attach import Mapping
from quantize.edgetpu.check import (
    LARGE_ACTIVATION,
    LARGE_ACTIVATION_FROM,
    ON_CHIP_BYTES,
    Check,
)
from quantize.edgetpu.partition import PARTITION
from quantize.edgetpu.sources import DOCUMENTATION
from quantize.graph import Operator, printable


def print_check(name: str, check: Check, console: Console) -> None:
    """Print a row for each operator, then a summary and its sources."""
    table = Table(box=None, header_style="bold")
    table.add_column("", justify="right")
    for heading in ("operator", "weights", "output", "maps", "known"):
        table.add_column(heading)
    for prediction in check.predictions:
        operator = prediction.operator
        where = f"no: {prediction.reason}" if prediction.reason else "yes"
        where += f", but {prediction.doubt.reason}" if prediction.doubt else ""
        table.add_row(
            str(operator.index),
            Text(printable(operator.name)),
            _weights(operator),
            ", ".join(t.text for t in operator.outputs),
            Text(printable(where), style="" if prediction.maps else "red"),
            prediction.basis.known,
        )
    console.print(table, highlight=False)
    total = len(check.predictions) + check.elsewhere
    lines = [
        f"\n{name}: {check.mapped} of {total} operations would run on the Edge TPU, "
        f"{check.on_cpu} on the CPU"
    ]
    if check.refused is not None:
        lines.append(f"the compiler would take nothing of it: {printable(check.refused.reason)}")
    if check.elsewhere:
        lines.append(f"{check.elsewhere} of them lie in other graphs than the main one")
    if check.mapped:
        lines.append(_memory(check))
    if check.largest_activation >= LARGE_ACTIVATION:
        lines.append(
            f"its largest activation has {megabytes(check.largest_activation)}: with one of "
            f"{megabytes(LARGE_ACTIVATION)} the compiler has failed ({LARGE_ACTIVATION_FROM})"
        )
    lines += _sources(check)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _sources(check: Check) -> list[str]:
    """The sources of the predictions, each once."""
    bases = {prediction.basis for prediction in check.predictions}
    bases |= {p.doubt.basis for p in check.predictions if p.doubt is not None}
    if 0 < check.mapped < len(check.predictions):
        bases.add(PARTITION)
    found = {
        known: sorted(basis.source for basis in bases if basis.known == known)
        for known in ("seen", "guessed")
    }
    lines = [f"documented: {DOCUMENTATION}"]
    if found["seen"]:
        lines.append(f"seen in what the compiler said: {', '.join(found['seen'])}")
    if found["guessed"]:
        lines.append(f"guessed from: {'; '.join(found['guessed'])}")
    return [
        *lines,
        "seen: the operation in another network, not in this one; only the compiler knows",
    ]


def print_mapping(mapping: Mapping, console: Console) -> None:
    """Print the compiler's own report."""
    report = mapping.compiled.report
    table = Table(box=None, header_style="bold")
    table.add_column("operator")
    table.add_column("count", justify="right")
    table.add_column("what the compiler did with it")
    for name, count, status in report.operators:
        table.add_row(Text(printable(name)), str(count), Text(printable(status)))
    console.print(table, highlight=False)
    memory = report.memory
    console.print(
        f"\nEdge TPU Compiler {printable(report.version)}: {mapping.mapped} operations on the Edge "
        f"TPU, {mapping.on_cpu} on the CPU; parameters: {megabytes(memory['on_chip'])} on the "
        f"chip, {megabytes(memory['on_chip_free'])} left, "
        f"{megabytes(memory['off_chip'])} streamed at every run",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _weights(operator: Operator) -> str:
    """The largest constant's type, shape, and whether it has one scale or one a channel."""
    quantized = [t for t in operator.constants if t.scales.size or t.dtype == "FLOAT32"]
    if not quantized:
        return ""
    tensor = max(quantized, key=lambda t: 0 if t.data is None else t.data.size)
    each = "per channel" if tensor.scales.size > 1 else "per tensor" if tensor.scales.size else ""
    return f"{tensor.text} {each}".rstrip()


def _memory(check: Check) -> str:
    size = f"{megabytes(check.parameter_bytes)} of parameters"
    chip = f"the chip's {megabytes(ON_CHIP_BYTES)}, of which code takes a part"
    if check.fits:
        return f"{size} stay on the chip ({chip})"
    if check.fits is None:
        return f"{size} may not all stay on the chip ({chip}): the rest is streamed at every run"
    streamed = megabytes(check.streamed_bytes)
    return f"{size} do not fit: at least {streamed} are streamed at every run ({chip})"


def megabytes(count: int) -> str:
    """Bytes in MiB, as the compiler prints them."""
    return f"{count / (1 << 20):.2f} MiB"
