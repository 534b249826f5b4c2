"""The table of photographs: three ways to score a radiograph, side by side."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.model_file import SHIPPED, read
from quantize.studies.film import WAYS, film
from train.cache import Cached

QUIET = Console(file=io.StringIO())


def test_a_rectified_photograph_scores_more_like_the_radiograph(tmp_path: Path) -> None:
    count = 12
    images = np.stack([synthetic_radiograph(28, seed) for seed in range(count)])
    names = [f"{seed}.png" for seed in range(count)]
    table = pd.DataFrame({"image": names, "patient": names, "split": "test", "sha256": "0" * 64})
    targets = np.random.default_rng(0).integers(0, 2, (count, 15)).astype(np.uint8)
    cached = Cached(images, targets, table, np.arange(count), "synthetic")
    result = film(read(SHIPPED / "cxr-cnn28.tflite"), cached, 9, 0, QUIET)
    ways = result.content["ways"]
    assert list(ways) == list(WAYS) == [row[0] for row in result.rows]
    straight, as_it_is, rectified = (ways[way]["logit_rms"] for way in WAYS)
    assert straight == 0
    assert 0 < rectified < as_it_is
    assert result.content["found"] > 0.5
    assert result.content["dataset"]["used"] == 9
    for each in ways.values():
        assert 0 <= each["macro_auroc"]["low"] <= each["macro_auroc"]["high"] <= 1
    result.write(tmp_path)
    again = film(read(SHIPPED / "cxr-cnn28.tflite"), cached, 9, 0, QUIET)
    assert again.content == result.content
