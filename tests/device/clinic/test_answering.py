"""Images that are answered in a process of their own are answered as all others are."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.classifier import Classifier
from edge_app.clinic.answering import Worker
from edge_app.clinic.events import Events
from edge_app.clinic.results import Results
from edge_app.clinic.settings import read_settings
from edge_app.clinic.spool import Spool
from edge_app.model.model_file import read

from .conftest import offered


def test_a_site_file_that_decides_elsewhere_does_not_decide_there(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path, picture: Path
) -> None:
    """The box has none; what is answered alone would else have other thresholds than the rest."""
    file = tmp_path / "box.toml"
    file.write_text(f'spool = "spool"\nmodel = "{cnn28}"\n[watch]\nfolder = "in"\n')
    settings, classifier = read_settings(file), Classifier(read(cnn28))
    results = Results(settings, spool.store, classifier.labels)
    events = Events(spool.store.salt)
    worker = Worker(spool, lambda: classifier, classifier, results, settings, events)
    spool.accept(offered("a.png", picture.read_bytes(), "watch"))
    image = spool.take()
    assert image is not None
    monkeypatch.setenv("EDGE_CXR_SITE", str(tmp_path / "of-another-model.json"))
    answer = worker._alone(image)
    assert answer is not None
    assert answer["findings"]
    assert answer["site"] is None
    assert answer["operating_point"] == classifier.points.name
