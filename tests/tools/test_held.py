"""Pages on which every number is tied to a file stay so."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tools.manual.untied import untied

REPOSITORY = Path(__file__).resolve().parents[2]

HELD: Final = (
    "README.md",
    "docs/answer.md",
    "docs/archives.md",
    "docs/backends.md",
    "docs/benchmark.md",
    "docs/boards.md",
    "docs/classify.md",
    "docs/compare.md",
    "docs/conformance.md",
    "docs/develop/add-a-backend.md",
    "docs/develop/add-a-data-set.md",
    "docs/develop/add-a-network.md",
    "docs/develop/add-a-study.md",
    "docs/develop/add-an-entrance.md",
    "docs/develop/architecture.md",
    "docs/develop/releasing.md",
    "docs/develop/testing.md",
    "docs/edge-tpu.md",
    "docs/evaluate.md",
    "docs/films.md",
    "docs/first-radiograph.md",
    "docs/heatmaps.md",
    "docs/import.md",
    "docs/input-check.md",
    "docs/install.md",
    "docs/lab-book.md",
    "docs/models.md",
    "docs/page.md",
    "docs/pictures.md",
    "docs/python.md",
    "docs/quantization.md",
    "docs/serve.md",
    "docs/signing.md",
    "docs/site.md",
    "docs/start/engineer.md",
    "docs/start/integrator.md",
    "docs/start/operator.md",
    "docs/train-on-a-gpu.md",
    "docs/train.md",
    "docs/withstands.md",
)  # fmt: skip
"""A page a line, by name."""


@pytest.mark.parametrize("page", HELD)
def test_every_number_of_a_page_is_tied_to_a_file(page: str) -> None:
    assert list(untied(REPOSITORY / page)) == []
