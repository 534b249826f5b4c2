"""TorchXRayVision's networks as teachers; with random weights, which need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.images.phantom import synthetic_radiograph
from train import published
from train.errors import RunError

xrv = pytest.importorskip(
    "torchxrayvision", reason="pip install 'edge-cxr[xrv]' in an environment of its own"
)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return synthetic_radiograph(300, seed=1)[:, :260]


def test_the_network_sees_what_its_authors_show_it(picture: np.ndarray) -> None:
    """Their own normalisation, crop and resampling, but for the resampling's filter."""
    import torch

    torch.manual_seed(0)
    network = xrv.models.DenseNet(num_classes=18)
    network.pathologies = xrv.datasets.default_pathologies
    ours = published.of_network("random", "0" * 64, network, 224).scores(picture)
    theirs = xrv.datasets.normalize(picture, 255)[None]
    theirs = xrv.datasets.XRayCenterCrop()(theirs)
    theirs = xrv.datasets.XRayResizer(224)(theirs)
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(theirs)[None].float()))[0].numpy()
    assert ours.shape == (18,)
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(ours, expected, atol=0.02)


def test_the_packages_own_scaling_is_left_out(picture: np.ndarray) -> None:
    import torch

    torch.manual_seed(0)
    network = xrv.models.DenseNet(num_classes=18, op_threshs=torch.full((18,), 0.3))
    network.pathologies = xrv.datasets.default_pathologies
    scaled = published.of_network("random", "0" * 64, network, 224).scores(picture)
    torch.manual_seed(0)
    plain = xrv.models.DenseNet(num_classes=18)
    plain.pathologies = network.pathologies
    expected = published.of_network("random", "0" * 64, plain, 224).scores(picture)
    np.testing.assert_array_equal(scaled, expected)


def test_saved_weights_are_read_and_named_by_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: np.ndarray
) -> None:
    import torch

    name = "densenet121-res224-nih"
    monkeypatch.setattr(xrv.utils, "get_cache_dir", lambda: str(tmp_path))
    with pytest.raises(RunError, match=r"its weights are not installed: wget https://.*\.pt -O"):
        published.load(name)
    torch.manual_seed(0)
    labels = xrv.models.model_urls[name]["labels"]
    network = xrv.models.DenseNet(num_classes=len(labels))
    file = tmp_path / Path(xrv.models.model_urls[name]["weights_url"]).name
    torch.save(network, file)
    network.pathologies = labels
    found = published.load(name)
    assert found.trained_on == "NIH ChestX-ray14"
    assert found.labels[0] == "Atelectasis"
    assert len(found.sha256) == 64
    expected = published.of_network(name, "", network, 224).scores(picture)
    np.testing.assert_allclose(found.scores(picture), expected, rtol=1e-5)


@pytest.mark.parametrize("name", published.TRAINED_ON)
def test_every_name_is_one_of_the_packages(name: str) -> None:
    assert name in xrv.models.model_urls
