"""Workers answer; images in a process of their own are answered as all others are."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_app.clinic import retention
from edge_app.clinic.answering import Worker
from edge_app.clinic.box import AUDIT, Box, open_classifier
from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.header import content_digest
from edge_app.clinic.results import Results
from edge_app.clinic.settings import read_settings
from edge_app.clinic.spool import NEW, Document, Offered, Spool
from edge_app.clinic.store import DATABASE
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image

from ..site.made import site_file
from .conftest import offered
from .images import dicom
from .peers import free_port, wait_for


def working(spool: Spool, folder: Path, top: str) -> Worker:
    """A worker of a box with these settings, not started."""
    file = folder / "box.toml"
    file.write_text(f'spool = "spool"\n{top}\n[watch]\nfolder = "in"\n')
    settings = read_settings(file)
    classifier = open_classifier(settings)
    results = Results(settings, spool.store, classifier.labels)
    events = Events(spool.store.salt, None, io.StringIO())
    return Worker(spool, lambda: classifier, classifier, results, settings, events)


def alone(worker: Worker, picture: Path) -> Mapping[str, Any]:
    """What a process of its own answers."""
    worker.spool.accept(offered("a.png", picture.read_bytes(), "watch"))
    image = worker.spool.take()
    assert image is not None
    answer = worker._alone(image)
    assert answer is not None
    return answer


def test_a_site_file_that_decides_elsewhere_does_not_decide_there(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path, picture: Path
) -> None:
    """What is answered alone would else have other thresholds than the rest."""
    monkeypatch.setenv("EDGE_CXR_SITE", str(tmp_path / "of-another-model.json"))
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    answer = alone(worker, picture)
    assert answer["findings"]
    assert answer["site"] is None
    assert answer["operating_point"] == "one-in-ten"


def test_the_box_s_site_file_decides_there_too(
    spool: Spool, tmp_path: Path, cnn28: Path, picture: Path
) -> None:
    place = site_file(tmp_path)
    worker = working(spool, tmp_path, f'model = "{cnn28}"\nsite = "site.json"')
    answer = alone(worker, picture)
    assert answer["site"] == json.loads(place.read_text())["digest"]
    assert answer["operating_point"] == "site"
    with_the_rest = worker._classifier
    findings = with_the_rest.classify(read_image(picture, Limits())).findings
    assert [each["threshold"] for each in answer["findings"]] == [
        pytest.approx(each.threshold, abs=1e-6) for each in findings
    ]


@pytest.mark.parametrize("entrance", ["node", "watch"])
@pytest.mark.parametrize("begun", [False, True], ids=["with the rest", "in a process of its own"])
def test_an_answer_names_the_digest_of_what_was_sent(
    spool: Spool, tmp_path: Path, cnn28: Path, entrance: str, begun: bool
) -> None:
    """Of an image of the node that is its data set's: what the file has around it is the box's."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    data = dicom()
    digest = content_digest(data) if entrance == "node" else hashlib.sha256(data).hexdigest()
    spool.accept(Offered(entrance, "1.2.3", digest, (data,)))
    if begun:
        assert spool.take() is not None
        spool._in_hand.clear()
    worker.results.reports["node"] = ()
    worker.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer")
    worker.stop()
    worker.join()
    answer = json.loads(spool.store.value("SELECT answer FROM image"))
    assert answer["image"]["sha256"] == digest
    assert answer["image"]["format"] == "DICOM"


RECEIVER = '[[receiver]]\nname = "a"\nae_title = "A"\nhost = "h"\nport = 1\n[node]'


@pytest.mark.parametrize("entrance", ["node", "watch"])
def test_an_image_whose_file_is_gone_is_answered_so_once_and_taken_anew_when_it_comes_again(
    spool: Spool, tmp_path: Path, cnn28: Path, entrance: str
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    assert worker.results.reports["node"] == ("a",)
    spool.accept(offered("1.2.3", entrance=entrance))
    for path in spool.store.images.iterdir():
        path.unlink()
    worker.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer")
    worker.stop()
    worker.join()
    answer = json.loads(spool.store.value("SELECT answer FROM image"))
    assert answer["error"]["message"] == "its file is gone from the spool: send it again"
    deliveries = Deliveries(spool.store)
    if entrance == "watch":
        (delivery,) = deliveries.due("watch")
        deliveries.delivered(delivery)
    assert deliveries.receivers() == set()
    again = spool.accept(offered("1.2.3", entrance=entrance))
    assert again.verdict == NEW
    assert spool.counts() == {"waiting": 1, "answered": 0, "finished": 0}


def test_a_judged_image_whose_file_goes_before_its_report_is_made_is_not_left_without_a_word(
    spool: Spool, tmp_path: Path, cnn28: Path
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    spool.accept(offered("1.2.3"))
    image = spool.take()
    assert image is not None
    image.path.unlink()
    with pytest.raises(FileNotFoundError):
        worker.results.documents(image, {"findings": []})


def test_no_image_is_blamed_where_the_whole_folder_is_gone(
    spool: Spool, tmp_path: Path, cnn28: Path
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    spool.accept(offered("1.2.3"))
    spool.store.images.rename(tmp_path / "elsewhere")
    with pytest.raises(SpoolError, match="put it back"):
        next(worker._taken())
    assert spool.counts()["answered"] == 0


def test_each_of_several_workers_answers(tmp_path: Path, cnn28: Path, picture: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text(
        f'spool = "spool"\nmodel = "{cnn28}"\nworkers = 2\nleast_free_mb = 1\nisolate = false\n'
        '[watch]\nfolder = "in"\n'
    )
    box = Box(read_settings(file))
    first, second = box._workers
    for number, worker in enumerate((first, second), 1):
        box.spool.accept(offered(f"{number}.png", picture.read_bytes(), "watch"))
        worker.start()
        wait_for(lambda: box.spool.counts()["answered"] == number, "an answer")  # noqa: B023
        worker.stop()
        worker.join()
    box.store.close()
    assert not [told for told in box.events.troubles if told.event.startswith("answering")]


def test_a_box_does_not_hold_what_its_decoders_have(tmp_path: Path, cnn28: Path) -> None:
    """Of gdcm, which pydicom would load, 18 MB; whoever wants it later gets it."""
    for name in ("pynetdicom", "gdcm"):
        pytest.importorskip(name, reason="the clinic extra and gdcm are not installed")
    file = tmp_path / "box.toml"
    file.write_text(f'spool = "spool"\nmodel = "{cnn28}"\n[node]\nport = {free_port()}\n')
    code = (
        "import sys; from pathlib import Path; from edge_app.clinic.box import Box; "
        "from edge_app.clinic.settings import read_settings; "
        "box = Box(read_settings(Path(sys.argv[1]))); "
        "print('pydicom' in sys.modules, 'gdcm' in sys.modules); "
        "import gdcm; print(gdcm.__name__)"
    )
    line = [sys.executable, "-c", code, str(file)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False", "gdcm"], done.stderr


def test_housekeeping_says_what_it_removes_and_gives_the_room_back(
    tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "box.toml"
    file.write_text(
        f'spool = "spool"\nmodel = "{cnn28}"\nleast_free_mb = 1\nkeep_hours = 0\nisolate = false\n'
        '[watch]\nfolder = "in"\n'
    )
    monkeypatch.setattr(retention, "SPARE", 0)
    box = Box(read_settings(file))
    box.spool.accept(offered("1.png", b"", "watch"))
    image = box.spool.take()
    assert image is not None
    box.spool.answer(image, "{}", (Document("1.json", bytes(6 << 20), ("watch",)),))
    (delivery,) = box.deliveries.due("watch")
    box.deliveries.delivered(delivery)
    box._tidy()
    box.store.close()
    assert '"removed", "images": 1' in (tmp_path / "spool" / AUDIT).read_text()
    assert (tmp_path / "spool" / DATABASE).stat().st_size < 1 << 20
