"""Mixed precision: int8, but for the stretches of a network that lose most to it.

Where repairs do not help, some operators need more than 256 steps, such as a swish activation,
whose values lie close together with a few far off. TensorFlow Lite can keep chosen operators in
float32 and converts where the two meet ("selective quantization":
https://www.tensorflow.org/lite/performance/quantization_debugger). Here the network is cut into
stretches of operators, each is rounded alone, and those that change the logits of training images
most stay in float32.

int16 activations would keep the whole network in integers, but take many times as long as int8,
because they run on reference kernels (docs/quantization.md).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.backends.interpreters import find_interpreter
from quantize.calibration import last_operators, operators
from quantize.int8 import Calibrated, flatbuffer_of, logits_of

STRETCHES: Final = 24
IMAGES: Final = 32
"""Training images on which each stretch is tried."""

LEFT: Final = 1 / 4
"""Share of the previous attempt's squared error that each attempt may leave: half of the error."""
TRACE: Final = 1e-5
"""Squared error that no attempt aims below: 0.003 of the logits' own deviation."""

RUNS: Final = 15


class Stretch(NamedTuple):
    """Consecutive operators.

    Attributes:
        names: see `calibration.operators`.
        harm: mean squared error of the logits if only these operators, the input and the outputs
            are rounded, in units of each label's variance.
    """

    names: tuple[str, ...]
    harm: float


def stretches(made: Calibrated, count: int = STRETCHES) -> list[Stretch]:
    """A network cut into `count` stretches, or fewer if it has fewer operators."""
    names = operators(made.flatbuffer)
    found = []
    for places in np.array_split(np.arange(len(names)), min(count, len(names))):
        alone = tuple(names[place] for place in places)
        rest = [name for name in names if name not in alone]
        found.append(Stretch(alone, _error(made, rest)))
    return found


def _error(made: Calibrated, in_float: list[str]) -> float:
    """Mean squared error of the logits, without each label's mean error."""
    pictures, exact = made.pictures[:IMAGES], made.logits[:IMAGES]
    off = exact - logits_of(flatbuffer_of(made, in_float), made.spans, pictures, made.spec)
    return float((off.var(axis=0) / np.maximum(made.logits.var(axis=0), 1e-12)).mean())


def milder(made: Calibrated) -> Iterator[list[str]]:
    """Which operators to keep in float32: few at first, then more, and finally all.

    Each attempt keeps the fewest of the most harmful stretches that halve the previous attempt's
    error. The error of several stretches is measured together, because it is not the sum of the
    single ones: a tensor between two operators is exact only if both stay in float32. If one of the
    last operators is kept, all last operators are.
    """
    worst = sorted(stretches(made), key=lambda each: -each.harm)
    last, smallest = last_operators(made.flatbuffer), worst[-1].harm  # mostly the outputs' rounding

    def kept(count: int) -> list[str]:
        names = [name for stretch in worst[:count] for name in stretch.names]
        return names if last.isdisjoint(names) else sorted(last.union(names))

    left = cache(lambda count: _error(made, kept(count)) - smallest)

    def fewest(aim: float, beyond: int) -> int:
        more = range(beyond + 1, len(worst))
        return beyond + 1 + bisect_left(more, True, key=lambda count: left(count) <= aim)

    count, before = 0, 0
    while count < len(worst):
        known = left(count)
        count = fewest(max(LEFT * known, TRACE), count) if known > TRACE else len(worst)
        if len(names := kept(count)) > before:
            before = len(names)
            yield names


def times_as_long(flatbuffer: bytes, other: bytes) -> float:
    """A network's time as a multiple of another's, on one thread of this machine.

    The two alternate, and the fastest run of each counts, in processor time: other programs only
    make a run slower.
    """
    runs = [_runner(each) for each in (flatbuffer, other)]
    best = [np.inf, np.inf]
    for _ in range(RUNS):
        for place, run in enumerate(runs):
            begun = time.thread_time()
            run()
            best[place] = min(best[place], time.thread_time() - begun)
    return best[0] / best[1]


def _runner(flatbuffer: bytes) -> Any:
    interpreter: Any = find_interpreter().interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    blank: NDArray[Any] = np.zeros(image["shape"], image["dtype"])
    interpreter.set_tensor(image["index"], blank)
    return interpreter.invoke
