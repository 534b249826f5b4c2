"""The compiler's report, in the form in which users posted it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.edgetpu.log import parse
from quantize.errors import ConversionError

PARTLY = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 12264 ms.

Input model: model.tflite
Input size: 8.11MiB
Output model: model_edgetpu.tflite
Output size: 9.47MiB
On-chip memory used for caching model parameters: 6.86MiB
On-chip memory remaining for caching model parameters: 7.75KiB
Off-chip memory used for streaming uncached model parameters: 1.22MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 93
Operation log: model_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of \
the model will instead run on the CPU, which is slower.
Number of operations that will run on Edge TPU: 83
Number of operations that will run on CPU: 10

Operator                       Count      Status

LOGISTIC                       1          More than one subgraph is not supported
ADD                            80         Mapped to Edge TPU
QUANTIZE                       9          Operation is otherwise supported, but not mapped due to \
some unspecified limitation
QUANTIZE                       3          Mapped to Edge TPU
Compilation child process completed within timeout period.
Compilation succeeded!
"""


def test_counts_reasons_and_memory_are_read() -> None:
    report = parse(PARTLY)
    assert report.version == "16.0.384591198"
    assert (report.mapped, report.on_cpu) == (83, 10)
    assert report.operators[0] == ("LOGISTIC", 1, "More than one subgraph is not supported")
    assert len(report.operators) == 4
    assert report.memory == {
        "on_chip": round(6.86 * 2**20),
        "on_chip_free": 7936,
        "off_chip": round(1.22 * 2**20),
    }


def test_bytes_without_a_prefix_are_bytes() -> None:
    assert parse(PARTLY.replace("1.22MiB", "0.00B")).memory["off_chip"] == 0


@pytest.mark.parametrize(
    ("removed", "words"),
    [
        ("Edge TPU Compiler version 16.0.384591198", "version"),
        ("Operator                       Count", "no table"),
        ("On-chip memory remaining", "On-chip memory remaining"),
        ("6.86MiB", "On-chip memory used"),
    ],
)
def test_a_report_in_another_form_is_refused(removed: str, words: str) -> None:
    with pytest.raises(ConversionError, match=words):
        parse(PARTLY.replace(removed, ""))


@given(place=st.integers(0, len(PARTLY)), text=st.text(max_size=30))
def test_any_report_is_understood_or_refused(place: int, text: str) -> None:
    try:
        report = parse(PARTLY[:place] + text)
    except ConversionError:
        return
    assert report.mapped + report.on_cpu > 0
    assert all(count >= 0 for count in report.memory.values())
