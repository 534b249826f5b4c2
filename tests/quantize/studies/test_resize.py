"""Ways of shrinking differ in gray levels and decisions, and none differs from itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_app.model.model_file import locate, read
from quantize.studies import resize
from quantize.studies.resize import resize_study


def test_a_step_more_changes_gray_levels_and_few_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(40, 200, (3, 28, 28), np.uint8)

    class Pictures:
        rows = np.arange(3)

        def __len__(self) -> int:
            return 3

    pictures: Any = Pictures()
    pictures.images = images
    monkeypatch.setattr(resize, "SIZES", ((300, 260), (28, 28)))
    inputs: Any = SimpleNamespace(model=read(locate("cxr-cnn28")), images=pictures, seed=0)
    rows = resize_study(inputs).content["rows"]
    large, same = rows[: len(resize.GAPS)], rows[len(resize.GAPS) :]
    assert (large[0]["mean"], large[0]["max"], large[0]["decisions_kept"]) == (0, 0, 1)
    means = [row["mean"] for row in large]
    assert means == sorted(means)  # the less is left for the second step, the more differs
    assert means[-1] > 0
    assert large[-1]["max"] >= large[-1]["p99"] >= 1
    # What is already of the network's size is not touched in either way.
    assert all(row["max"] == 0 and row["logit_rms"] == 0 for row in same)
