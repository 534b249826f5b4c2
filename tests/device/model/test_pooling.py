"""A model whose logits are the log-sum-exp of its map is scored by its map alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.classifier import Classifier
from edge_app.core.errors import ModelError
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.golden import answers
from edge_app.model.manifest import check
from edge_app.model.model_file import ModelFile, locate, read
from edge_app.model.outputs import pooled


@pytest.fixture(scope="module")
def plain() -> ModelFile:
    return read(locate("cxr-cnn28"))


def with_pooling(model: ModelFile, path: Path, r: float) -> ModelFile:
    stated: Any = {**model.manifest, "pooling": {"kind": "log-sum-exp", "r": r}}
    return model.replace(manifest=stated).save(path)


@pytest.mark.parametrize("r", [0.5, 4.0])
def test_logits_are_pooled_from_the_map(plain: ModelFile, tmp_path: Path, r: float) -> None:
    with_pooling(plain, tmp_path / "m.tflite", r)
    model = read(tmp_path / "m.tflite")
    picture = synthetic_radiograph(300, 3)
    logits, cells = Classifier(model).logits(picture)
    means, same = Classifier(plain).logits(picture)
    assert cells is not None
    assert np.array_equal(cells, same)
    rows = [np.logaddexp.reduce(r * np.float64(cells[..., i]).ravel()) for i in range(15)]
    expected = (np.array(rows) - np.log(cells[..., 0].size)) / r
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert (logits > means).all()
    assert (logits <= cells.max(axis=(0, 1))).all()
    # What the file says of its golden vectors is said of the pooled logits.
    assert model.golden.answers != plain.golden.answers
    assert model.golden.answers == answers(model.manifest, model.golden)


def test_equal_cells_are_their_own_pool_however_large() -> None:
    pool = pooled({"pooling": {"kind": "log-sum-exp", "r": 1000.0}})  # type: ignore[typeddict-item]
    assert pool is not None
    cells = np.full((2, 4, 4, 3), -31.5, np.float32)
    assert np.array_equal(pool(cells), np.full((2, 3), -31.5, np.float32))


@pytest.mark.parametrize(
    "pooling", [{"kind": "max", "r": 1.0}, {"kind": "log-sum-exp", "r": 0}, {"kind": "log-sum-exp"}]
)
def test_another_pooling_is_refused(plain: ModelFile, pooling: dict[str, object]) -> None:
    stated: Any = {**plain.manifest, "pooling": pooling}
    with pytest.raises(ModelError, match="pooling"):
        plain.replace(manifest=stated)


def test_without_a_map_there_is_nothing_to_pool(plain: ModelFile) -> None:
    outputs = {"logits": plain.manifest["outputs"]["logits"]}
    pooling = {"kind": "log-sum-exp", "r": 1.0}
    stated: Any = {**plain.manifest, "outputs": outputs, "pooling": pooling}
    with pytest.raises(ModelError, match="pooled from a map, and it has none"):
        check(stated)
