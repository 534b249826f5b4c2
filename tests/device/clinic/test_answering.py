"""Workers answer; images in a process of their own are answered as all others are."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_app.clinic import answering, image_file, quarantine, retention, retries
from edge_app.clinic.answering import Worker
from edge_app.clinic.box import AUDIT, Box, open_classifier
from edge_app.clinic.deliveries import Deliveries
from edge_app.clinic.delivering import LONGEST_PAUSE
from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.header import HeaderError, content_digest
from edge_app.clinic.identifiers import HEATMAPS, derived_uid
from edge_app.clinic.image_file import read_unchecked
from edge_app.clinic.quarantine import MAX_TRIES, Quarantine
from edge_app.clinic.results import DIFFERS, Results
from edge_app.clinic.retries import MIN_SECONDS, Retries
from edge_app.clinic.settings import read_settings
from edge_app.clinic.spool import NEW, Document, Image, Offered, Spool
from edge_app.clinic.store import DATABASE
from edge_app.core.errors import (
    EdgeCxrError,
    ImageError,
    ImageTooLargeError,
    MachineError,
    ModelError,
)
from edge_app.core.files import UnreadableError
from edge_app.core.shortage import KILLED, NO_MEMORY
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.images.read import decode, read_image
from edge_app.model.model_file import SHIPPED

from ..site.made import site_file
from .conftest import offered
from .images import CR, SC, dicom
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
    answer = worker._quarantine.answer(image, picture.read_bytes())
    assert answer is not None
    return answer


@pytest.mark.process
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


@pytest.mark.process
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
@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(False, id="with the rest"),
        pytest.param(True, id="in a process of its own", marks=pytest.mark.process),
    ],
)
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


@pytest.mark.parametrize("is_there", [False, True], ids=["gone", "empty"])
def test_who_sends_an_image_again_whose_file_is_gone_hears_no_success_until_it_is_taken(
    spool: Spool, tmp_path: Path, cnn28: Path, is_there: bool
) -> None:
    """What waits is gone; what came again would have been thrown away."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    image = offered("1.2.3")
    spool.accept(image)
    for path in spool.store.images.iterdir():
        path.unlink()
        if is_there:
            path.touch()
    with pytest.raises(SpoolError, match="is gone from there"):
        spool.accept(image)
    answered_by(worker)
    assert " image-lost " in log_of(worker)
    assert spool.accept(image).verdict == NEW
    (path,) = spool.store.images.iterdir()
    assert path.read_bytes() == b"pixels"


def damaged(data: bytes, part: str) -> bytes:
    """With another picture, another patient of the same length, or only its beginning."""
    if part == "patient":
        return data.replace(b"P-4711", b"P-4712")
    if part == "all":
        return b""
    return data[:-1000] + bytes(1000) if part == "picture" else data[: len(data) // 2]


@pytest.mark.parametrize(
    ("entrance", "begun", "part"),
    [
        *(("node", False, part) for part in ("picture", "patient", "end", "all")),
        *(("page", False, "picture"), ("watch", False, "picture")),
        *(("node", True, "picture"), ("watch", True, "picture"), ("node", True, "all")),
    ],
)
def test_an_image_that_was_altered_on_the_disk_is_answered_so_and_taken_anew_when_it_comes_again(
    spool: Spool, tmp_path: Path, cnn28: Path, entrance: str, begun: bool, part: str
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    worker.results.reports["page"] = ("a",)
    data = dicom()
    digest = content_digest(data) if entrance == "node" else hashlib.sha256(data).hexdigest()
    spool.accept(Offered(entrance, "1.2.3", digest, (data,)))
    (path,) = spool.store.images.iterdir()
    path.write_bytes(damaged(data, part))
    os.utime(path, (1, 1))  # however coarse the file system's clock
    if begun:
        assert spool.take() is not None
        spool._in_hand.clear()
    answered_by(worker)
    answer = json.loads(spool.store.value("SELECT answer FROM image"))
    assert "has changed on the disk since it arrived" in answer["error"]["message"]
    assert " image-lost " in log_of(worker)
    deliveries = Deliveries(spool.store)
    assert deliveries.due("a") == [], "another patient's study gets no report"
    for delivery in deliveries.due("watch"):
        assert json.loads(delivery.content)["error"] == answer["error"]
        deliveries.delivered(delivery)
    assert spool.accept(Offered(entrance, "1.2.3", digest, (data,))).verdict == NEW
    worker.results.reports = {"node": (), "page": ()}
    answered_by(worker)
    assert json.loads(spool.store.value("SELECT answer FROM image"))["findings"]


@pytest.mark.parametrize("begun", [False, True], ids=["with the rest", "in a process of its own"])
def test_an_image_that_the_disk_does_not_give_at_first_is_not_called_unreadable(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """It would be known when it comes again, and never be judged."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    worker.results.reports["node"] = ()
    data = dicom()
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    (path,) = spool.store.images.iterdir()
    spool.recent.take(path)
    if begun:
        assert spool.take() is not None
        spool._in_hand.clear()
    tries, right = [], image_file.read_bounded

    def read(*args: Any) -> bytes:
        tries.append(args)
        if len(tries) == 1:
            raise UnreadableError("cannot be read: Input/output error")
        return right(*args)

    monkeypatch.setattr(image_file, "read_bounded", read)
    answered_by(worker)
    assert json.loads(spool.store.value("SELECT answer FROM image"))["findings"]
    assert "cannot be read: Input/output error" in log_of(worker)


def answered_by(worker: Worker) -> None:
    """Have one like it answer all that waits."""
    second = Worker(
        *(worker.spool, worker._open, worker._classifier, worker.results, worker.settings),
        *(worker.events, worker._decode),
    )
    second.start()
    wait_for(lambda: worker.spool.counts()["waiting"] == 0, "the answers")
    second.stop()
    second.join()


def require_told_of_both(spool: Spool) -> None:
    """Each of two images of one UID has a report that tells of the other."""
    due = Deliveries(spool.store).due("a")
    assert len(due) == 2
    for delivery in due:
        assert DIFFERS.encode() in delivery.content


def log_of(worker: Worker) -> str:
    out = worker.events.out
    assert isinstance(out, io.StringIO)
    return out.getvalue()


@pytest.mark.parametrize("what", ["altered", "gone"])
def test_a_report_is_of_the_bytes_that_were_judged_whatever_becomes_of_the_file(
    spool: Spool, tmp_path: Path, cnn28: Path, what: str
) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    from pydicom import dcmread

    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    data = dicom()
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    (path,) = spool.store.images.iterdir()

    def decoded(*args: Any, **options: Any) -> Radiograph:
        if what == "altered":
            path.write_bytes(damaged(data, "patient"))
        else:
            path.unlink()
        return decode(*args, **options)

    worker._decode = decoded
    answered_by(worker)
    assert json.loads(spool.store.value("SELECT answer FROM image"))["findings"]
    (delivery,) = Deliveries(spool.store).due("a")
    assert dcmread(io.BytesIO(delivery.content)).PatientID == "P-4711"


def test_other_content_that_comes_while_an_image_is_answered_is_told_in_its_report(
    spool: Spool, tmp_path: Path, cnn28: Path
) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    data = dicom()
    other = damaged(data, "patient")
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))

    def decoded(*args: Any, **options: Any) -> Radiograph:
        spool.accept(Offered("node", "1.2.3", content_digest(other), (other,)))
        return decode(*args, **options)

    worker._decode = decoded
    answered_by(worker)
    require_told_of_both(spool)


def test_other_content_that_comes_while_a_report_is_made_is_told_in_it(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which takes seconds after a start."""
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    data = dicom()
    other = damaged(data, "patient")
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    right = worker.results.report

    def made(*args: Any) -> bytes:
        content = right(*args)
        spool.accept(Offered("node", "1.2.3", content_digest(other), (other,)))
        return content

    monkeypatch.setattr(worker.results, "report", made)
    answered_by(worker)
    require_told_of_both(spool)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="as it was"),
        pytest.param(
            {"Manufacturer": "Archive", "SeriesDescription": "Secondary"}, id="under other words"
        ),
        pytest.param({"Manufacturer": None, "SeriesDescription": None}, id="without any"),
        pytest.param(
            {"Manufacturer": "Archive", "SeriesDescription": None, "SOPInstanceUID": "1.2.4"},
            id="as another instance of its series",
        ),
    ],
)
def test_a_heatmap_that_the_archive_sends_back_gets_no_report(
    spool: Spool, tmp_path: Path, cnn28: Path, change: dict[str, str | None]
) -> None:
    """It would say in the radiograph's own study, and series, that an image could not be read."""
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    heat = RECEIVER.replace("port = 1", "port = 1\nheatmap = true")
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{heat}')
    data = dicom()
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    answered_by(worker)
    report, heatmap = Deliveries(spool.store).due("a")
    back = changed(heatmap.content, **change)
    spool.accept(Offered("node", "1.2.4", content_digest(back), (back,)))
    answered_by(worker)
    assert [each.id for each in Deliveries(spool.store).due("a")] == [report.id, heatmap.id]


def changed(file: bytes, **elements: str | None) -> bytes:
    """A DICOM file with other values of some elements, or without them."""
    from pydicom import dcmread

    dataset, made = dcmread(io.BytesIO(file)), io.BytesIO()
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(made)
    return made.getvalue()


OLDER = {
    "SOPClassUID": SC,
    "SOPInstanceUID": derived_uid(b"salt", "heatmap"),
    "SeriesInstanceUID": derived_uid(b"salt", "heatmaps"),
    "Manufacturer": "edge-cxr",
    "SeriesDescription": HEATMAPS,
}
"""Of a heatmap of version 0.2.0, whose UIDs bear no mark."""

RELABELLED = {**OLDER, "SOPInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3"}


@pytest.mark.parametrize(
    ("elements", "reports"),
    [
        pytest.param({**OLDER, "ManufacturerModelName": "earlier"}, 0, id="of an earlier model"),
        pytest.param({**OLDER, "Manufacturer": "Archive"}, 0, id="under an archive's name"),
        pytest.param({**OLDER, "SeriesDescription": None}, 0, id="without a description"),
        pytest.param(RELABELLED, 0, id="with other UIDs"),
        pytest.param({**RELABELLED, "SeriesDescription": "Chest"}, 1, id="relabelled as ours"),
        pytest.param({**RELABELLED, "Manufacturer": "A scanner"}, 1, id="described as ours"),
        pytest.param(
            {**OLDER, "Manufacturer": "A scanner", "SeriesDescription": None}, 1, id="UIDs alike"
        ),
        pytest.param({"SOPClassUID": SC, "Manufacturer": None}, 1, id="whose is not said"),
        pytest.param({**OLDER, "SOPClassUID": CR}, 1, id="a radiograph"),
    ],
)
def test_a_heatmap_of_an_older_box_gets_no_report_and_what_others_capture_does(
    spool: Spool, tmp_path: Path, cnn28: Path, elements: dict[str, str | None], reports: int
) -> None:
    """Nor does it get a heatmap, which the archive would send back in turn."""
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    heat = RECEIVER.replace("port = 1", "port = 1\nheatmap = true")
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{heat}')
    data = dicom(**elements)  # whose picture is judged
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    answered_by(worker)
    assert json.loads(spool.store.value("SELECT answer FROM image"))["findings"]
    names = [row["name"] for row in spool.store.rows("SELECT name FROM document ORDER BY name")]
    assert names == ["1-heatmap.dcm", "1-sr.dcm"][: 2 * reports]


def test_an_image_of_which_no_report_can_be_made_is_answered_all_the_same(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise HeaderError("has no StudyInstanceUID")

    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    monkeypatch.setattr(worker.results, "provenance", fail)
    data = dicom()
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    answered_by(worker)
    assert json.loads(spool.store.value("SELECT answer FROM image"))["findings"]
    assert "no report can be made: its header has no StudyInstanceUID" in log_of(worker)


@pytest.mark.parametrize("printed", [b"", b"Killed", b'{"file": "-", "find', b"[]"])
def test_a_process_that_prints_no_answer_is_not_started_for_ever(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch, printed: bytes
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    monkeypatch.setattr(worker._quarantine, "_run", lambda *args: (0, printed))
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds: False)
    spool.accept(offered("a.png", dicom(), "watch"))
    for _ in range(9):  # so many starts at which it only waited behind another one
        assert spool.take() is not None
        spool._in_hand.clear()
    answers = []
    for _ in range(MAX_TRIES):
        image = spool.take()
        assert image is not None
        answers.append(worker._quarantine.answer(image, dicom()))
    *first, answer = answers
    assert first == [None] * (MAX_TRIES - 1)
    assert answer is not None
    assert "was tried 5 times and could not be answered" in answer["error"]["message"]


def test_what_has_just_come_is_neither_read_nor_digested_again(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one, which came before the box started, is."""

    def read(path: Path, limits: Limits) -> bytes:
        reads.append(path)
        return read_unchecked(path, limits)

    reads: list[Path] = []
    monkeypatch.setattr("edge_app.clinic.answering.read_unchecked", read)
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')
    worker.results.reports["node"] = ()
    answers = []
    for number, came in enumerate((spool, Spool(spool.store)), 1):
        data = dicom(number)
        came.accept(Offered("node", f"1.{number}", content_digest(data), (data[:200], data[200:])))
        answered_by(worker)
        text = spool.store.value("SELECT answer FROM image WHERE identity = ?", f"1.{number}")
        answers.append(json.loads(text))
        assert len(reads) == number - 1
    assert answers[0]["findings"] == answers[1]["findings"] != []


@pytest.mark.process
def test_a_process_that_begins_late_gets_all_of_a_large_picture(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    code = "import sys, time; time.sleep(0.5); print(len(sys.stdin.buffer.read()))"
    monkeypatch.setattr(quarantine, "TICK", 0.05)
    assert worker._quarantine._run([sys.executable, "-c", code], bytes(5 << 20)) == (
        0,
        b"5242880\n",
    )


def begun_before(spool: Spool, identity: str, data: bytes) -> None:
    """An image in whose hand an earlier box died."""
    spool.accept(offered(identity, data, "watch"))
    assert spool.take() is not None
    spool._in_hand.clear()


def test_no_answer_of_a_model_that_has_come_in_the_place_of_the_box_s_is_kept(
    spool: Spool, tmp_path: Path, cnn28: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may be replaced while the box runs, whose reports and page are of the one before."""
    shutil.copy(cnn28, tmp_path / "model.tflite")
    worker = working(spool, tmp_path, 'model = "model.tflite"')
    begun_before(spool, "a.png", picture.read_bytes())
    shutil.copy(SHIPPED / "cxr-lite0-128.tflite", tmp_path / "model.tflite")
    image = spool.take()
    assert image is not None
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds: False)
    worker._quarantine._answer(image)
    assert spool.counts() == {"waiting": 1, "answered": 0, "finished": 0}
    assert "model or site file is another one than when the box started" in log_of(worker)


def test_a_box_whose_model_was_replaced_ends_where_it_has_to_open_it_again(
    tmp_path: Path, cnn28: Path
) -> None:
    shutil.copy(cnn28, tmp_path / "model.tflite")
    file = tmp_path / "box.toml"
    file.write_text(
        'spool = "spool"\nmodel = "model.tflite"\nleast_free_mb = 1\nisolate = false\n'
        '[watch]\nfolder = "in"\n'
    )
    box = Box(read_settings(file))
    (worker,) = box._workers
    try:
        assert worker._open().model.sha256 == worker._classifier.model.sha256
        assert not box._stopping.is_set()
        shutil.copy(SHIPPED / "cxr-lite0-128.tflite", tmp_path / "model.tflite")
        with pytest.raises(ModelError, match="another one than when the box started"):
            worker._open()
        assert box._stopping.is_set(), "whoever started it starts it again"
        assert "another one than when the box started" in (box.ill() or "")
    finally:
        box.store.close()


@pytest.fixture
def hung(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path, picture: Path
) -> Worker:
    """Has an image to try apart, which never comes to its end."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    line = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(worker._quarantine, "_line", lambda: line)
    monkeypatch.setattr(quarantine, "TICK", 0.05)
    begun_before(spool, "a.png", picture.read_bytes())
    return worker


@pytest.mark.process
def test_others_are_answered_while_one_is_tried_quarantine(
    hung: Worker, spool: Spool, monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    monkeypatch.setattr(quarantine, "ENDING_SECONDS", 0)
    spool.accept(offered("b.png", picture.read_bytes(), "watch"))
    hung.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the other's answer")
    wait_for(lambda: " answered-alone " in log_of(hung), "the first one's try")
    hung.stop()
    hung.join(60)
    assert not hung.is_alive(), "the end of the box does not wait for it"
    (row,) = spool.store.rows("SELECT identity FROM image WHERE answered IS NULL")
    assert row["identity"] == "a.png", "it waits for the next start"
    assert "answering-failed" not in log_of(hung)


@pytest.mark.process
def test_one_that_is_tried_apart_for_too_long_is_answered_so(
    hung: Worker, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "SECONDS", 1)
    hung.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer")
    hung.stop()
    hung.join()
    answer = json.loads(spool.store.value("SELECT answer FROM image"))
    assert answer["error"]["message"] == "takes more than 1 s to read"


@pytest.mark.process
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_no_image_is_blamed_where_somebody_ends_the_process_that_tries_it(
    spool: Spool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cnn28: Path,
    picture: Path,
    number: str,
) -> None:
    """As a service manager does that ends the box, with all of its processes at once."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    code = f"import os, signal; os.kill(os.getpid(), signal.{number})"
    monkeypatch.setattr(worker._quarantine, "_line", lambda: [sys.executable, "-c", code])
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds: False)
    begun_before(spool, "a.png", picture.read_bytes())
    image = spool.take()
    assert image is not None
    worker._quarantine._answer(image)
    assert spool.counts()["waiting"] == 1
    again = spool.take()
    assert again is not None
    assert again.begun == 2, "it is tried apart again"


@pytest.mark.process
def test_a_system_that_is_out_of_memory_kills_the_try_before_the_box(
    spool: Spool, tmp_path: Path, cnn28: Path
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    code = "import time; time.sleep(0.5); print(open('/proc/self/oom_score_adj').read())"
    ended, printed = worker._quarantine._run([sys.executable, "-c", code], b"")
    assert (ended, printed.strip()) == (0, b"1000")


@pytest.fixture
def killed(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path, picture: Path
) -> Worker:
    """Has an image to try apart, whose process is killed as by a kernel that is out of memory."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(worker._quarantine, "_line", lambda: [sys.executable, "-c", code])
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.01)
    begun_before(spool, "a.png", picture.read_bytes())
    return worker


@pytest.mark.process
def test_an_image_whose_try_is_killed_waits_and_is_tried_apart_again(
    killed: Worker, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by the box itself, which it might take with it."""
    tries = []

    def line() -> list[str]:
        tries.append(None)
        return right() if len(tries) > 2 else of_the_killed()

    of_the_killed, right = killed._quarantine._line, Quarantine._line.__get__(killed._quarantine)
    monkeypatch.setattr(killed._quarantine, "_line", line)
    monkeypatch.setattr(killed, "_decode", lambda *args, **named: pytest.fail("by the box itself"))
    killed.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer")
    killed.stop()
    killed.join()
    assert len(tries) == 3
    assert json.loads(spool.store.value("SELECT answer FROM image"))["findings"]
    assert log_of(killed).count("killed from outside (SIGKILL)") == 2


@pytest.mark.parametrize("who", ["worker", pytest.param("quarantine", marks=pytest.mark.process)])
def test_a_shortage_of_the_machine_is_answered_as_that_in_the_end_and_the_image_taken_anew(
    killed: Worker, spool: Spool, monkeypatch: pytest.MonkeyPatch, picture: Path, who: str
) -> None:
    monkeypatch.setattr(retries, "MAX_TRIES", 3)
    monkeypatch.setattr(retries, "MIN_SECONDS", 0)
    if who == "worker":

        def out_of_memory(*args: object, **named: object) -> Radiograph:
            tries.append(None)
            raise MachineError("could not be read: no memory")

        tries: list[None] = []
        monkeypatch.setattr(answering, "LONGEST_REST", 0.01)
        monkeypatch.setattr(killed, "_decode", out_of_memory)
        spool.give_back(Image(1, "watch", "a.png", Path(), "", 1, False))
    killed.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer")
    killed.stop()
    killed.join()
    error = json.loads(spool.store.value("SELECT answer FROM image"))["error"]
    assert error["kind"] == "machine"
    assert error["message"].endswith("(tried for 15 minutes or more): then send it again")
    assert " image-given-up " in log_of(killed)
    assert log_of(killed).count(" answering-stalled ") == 2
    deliveries = Deliveries(spool.store)
    (delivery,) = deliveries.due("watch")
    deliveries.delivered(delivery)
    assert spool.accept(offered("a.png", picture.read_bytes(), "watch")).verdict == NEW


class Clock:
    """Goes on where it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(spool: Spool) -> Clock:
    """Of the spool's pauses."""
    made = Clock()
    spool._retries = Retries(made)
    return made


def test_an_image_is_given_up_after_twenty_tries_and_a_quarter_of_an_hour_and_not_before(
    spool: Spool, tmp_path: Path, cnn28: Path, clock: Clock
) -> None:
    """However many others are answered between its tries."""
    keeper = working(spool, tmp_path, f'model = "{cnn28}"')._keeper
    spool.accept(offered("big.png", entrance="watch"))
    pauses: list[float] = []
    image = spool.take()
    while image and keeper.put_off(image, MachineError("no memory"), 0):
        spool.accept(offered(f"{len(pauses)}.png", entrance="watch"))
        other = spool.take()
        assert other is not None
        assert other.identity != "big.png"
        spool.answer(other, "{}")
        assert spool.take() is None, "its time has not come"
        began = clock.now
        while not (image := spool.take()):
            clock.now += 0.5
            assert clock.now < 2 * MIN_SECONDS
        pauses.append(clock.now - began)
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE]
    assert max(pauses) == LONGEST_PAUSE
    assert len(pauses) + 1 >= retries.MAX_TRIES
    assert MIN_SECONDS <= clock.now < MIN_SECONDS + LONGEST_PAUSE
    text = spool.store.value("SELECT answer FROM image WHERE identity = 'big.png'")
    assert json.loads(text)["error"]["kind"] == "machine"


def test_one_that_was_put_off_and_removed_is_waited_for_no_more(spool: Spool, clock: Clock) -> None:
    spool.accept(offered("a.png"))
    image = spool.take()
    assert image is not None
    assert spool.put_off(image) == 1
    assert retention.purge(spool.store, unfinished=True) == 1
    clock.now += 1
    assert spool.take() is None
    assert spool._retries.soonest(()) is None


def test_many_tries_alone_give_no_image_up() -> None:
    made = Retries(lambda: 0.0)
    assert all(made.add(1) is not None for _ in range(10 * retries.MAX_TRIES))


def test_others_are_answered_at_once_where_the_machine_lacks_something_for_some(
    spool: Spool, tmp_path: Path, cnn28: Path, clock: Clock, picture: Path
) -> None:
    """Also what comes while all that waits was put off. The clock stands: no pause ends."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    tries = []

    def decoded(data: Any, *args: Any, **options: Any) -> Radiograph:
        if b"".join([data] if isinstance(data, bytes) else data).endswith(b"big"):
            tries.append(None)
            raise MachineError("could not be read: no memory")
        return decode(data, *args, **options)

    worker._decode = decoded
    content = picture.read_bytes()
    for number in range(9):
        spool.accept(offered(f"{number}.png", content + b"%dbig" % number, "watch"))
    spool.accept(offered("good.png", content, "watch"))
    worker.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer behind them")
    spool.accept(offered("another.png", content + b"0", "watch"))
    wait_for(lambda: spool.counts()["answered"] == 2, "the answer of what came then")
    worker.stop()
    worker.join()
    assert len(tries) == 9, "each was tried, once"
    rows = spool.store.rows("SELECT identity FROM image WHERE answered IS NOT NULL")
    assert {row["identity"] for row in rows} == {"good.png", "another.png"}


def test_images_that_fail_for_a_shortage_take_a_tenth_of_the_time_of_the_others(
    spool: Spool, tmp_path: Path, cnn28: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are, and however long each try takes until the system ends it."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    spent = {"big": 0.0, "good": 0.0}

    def read(image: Image, *args: object) -> Radiograph:
        kind = image.identity.partition(".")[0]
        spent[kind] += (seconds := 8.0 if kind == "big" else 0.5)
        clock.now += seconds
        if kind == "big":
            raise MachineError("could not be read: no memory")
        if spent["good"] >= 400:
            worker.stop()
        spool.accept(offered(f"good.{spent['good']}", entrance="watch"))  # there is always one
        raise ImageError("is no image")

    monkeypatch.setattr(answering.time, "monotonic", clock)
    monkeypatch.setattr(worker, "_read", read)
    for number in range(20):
        spool.accept(offered(f"big.{number}", entrance="watch"))
    spool.accept(offered("good", entrance="watch"))
    worker.run()
    first_tries = 20 * 8.0
    assert first_tries < spent["big"] < first_tries + 400 / 8


def test_a_machine_that_lacks_everything_rests_until_something_new_comes(
    spool: Spool, tmp_path: Path, cnn28: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was put off longest ago is the first to be tried again."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    monkeypatch.setattr(answering, "LONGEST_REST", 1e9)
    tries: list[str] = []

    def out_of_memory(image: Image, *args: object) -> Radiograph:
        tries.append(image.identity)
        if len(tries) == 4:
            worker.stop()
        raise MachineError("could not be read: no memory")

    monkeypatch.setattr(worker, "_read", out_of_memory)
    for number in range(3):
        spool.accept(offered(f"{number}.png", entrance="watch"))
    worker._shortages = 30
    worker.start()
    wait_for(lambda: len(tries) == 3, "the first tries")
    clock.now += 10 * MIN_SECONDS  # the time of each of them has come
    spool.accept(offered("new.png", entrance="watch"))
    worker.join(60)
    assert tries == ["0.png", "1.png", "2.png", "new.png"]
    first = spool.take()
    assert first is not None
    assert first.identity == "0.png"


def test_no_report_is_made_of_a_shortage_of_the_machine(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path
) -> None:
    """It would be the instance that the image's own is, once it is judged."""
    monkeypatch.setattr(retries, "MAX_TRIES", 1)
    monkeypatch.setattr(retries, "MIN_SECONDS", 0)
    worker = working(spool, tmp_path, f'model = "{cnn28}"\n{RECEIVER}')

    def out_of_memory(*args: object, **named: object) -> Radiograph:
        raise MachineError("could not be read: no memory")

    worker._decode = out_of_memory
    data = dicom()
    spool.accept(Offered("node", "1.2.3", content_digest(data), (data,)))
    answered_by(worker)
    assert Deliveries(spool.store).receivers() == set()


@pytest.mark.parametrize("who", ["worker", "quarantine"])
@pytest.mark.parametrize("what", ["the machine lacks memory", "the answer is not kept"])
def test_nobody_else_has_an_image_that_one_still_has_in_hand(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnn28: Path, who: str, what: str
) -> None:
    """Whoever waits takes what there is as soon as somebody says that there may be something."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds: False)
    spool.accept(offered("a.png"))
    image = spool.take()
    assert image is not None
    takes: list[Image | None] = []
    monkeypatch.setattr(spool.store.changed, "notify_all", lambda: takes.append(spool.take()))
    error: EdgeCxrError = MachineError("could not be read: no memory")
    if what == "the answer is not kept":
        right = spool.store.transaction

        @contextmanager
        def failing(**named: bool) -> Iterator[None]:
            monkeypatch.setattr(spool.store, "transaction", right)
            raise SpoolError("its disk fails")
            yield

        monkeypatch.setattr(spool.store, "transaction", failing)
        with pytest.raises(SpoolError) as caught:
            spool.answer(image, "{}")
        error = caught.value
    if who == "worker":
        worker._in_hand = image
        worker._recover(error)
    else:
        worker._quarantine._recover(image, error)
    assert [each.id for each in takes if each] == [image.id], "one takes it, once"


def test_no_image_is_blamed_where_the_whole_folder_is_gone(
    spool: Spool, tmp_path: Path, cnn28: Path
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    spool.accept(offered("1.2.3"))
    spool.store.images.rename(tmp_path / "elsewhere")
    with pytest.raises(SpoolError, match="put it back"):
        worker._answer_all()
    assert spool.counts()["answered"] == 0


def test_an_image_begun_before_is_answered_where_a_thread_can_be_started_only_later(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    """It would be in hand, and nobody would have it, until the box starts again."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    begun_before(spool, "a.png", picture.read_bytes())

    starts, right = [], threading.Thread.start

    def start(thread: threading.Thread) -> None:
        starts.append(thread)
        if len(starts) == 2:  # behind the worker's own
            raise RuntimeError("can't start new thread")
        right(thread)

    def answer(image: Image, data: bytes) -> Mapping[str, Any]:
        return worker._keeper.refused(image, ImageError("is no image"))

    monkeypatch.setattr(worker._quarantine, "answer", answer)
    monkeypatch.setattr(threading.Thread, "start", start)
    worker.start()
    wait_for(lambda: spool.counts()["answered"] == 1, "the answer")
    worker.stop()
    worker.join()
    assert log_of(worker).count(" answering-failed why=RuntimeError ") == 1


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_worker_that_is_stopped_after_it_has_looked_neither_waits_nor_begins(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """Nobody would wake it: that it is to stop was said before it waits."""
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    take = spool.take

    def taken(*args: Any, **named: Any) -> Image | None:
        worker.stop()
        return take(*args, **named)

    monkeypatch.setattr(spool, "take", taken)
    monkeypatch.setattr(spool.store.changed, "wait", lambda seconds: pytest.fail("it waits"))
    for number in range(waiting):
        spool.accept(offered(f"{number}.png", entrance="watch"))
    worker.run()
    assert spool.counts()["answered"] == 0
    assert not spool.store.rows("SELECT id FROM image WHERE begun > 0")


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
    assert not [trouble for trouble in box.events.troubles if trouble.event.startswith("answering")]


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


@pytest.mark.parametrize("begun", [False, True], ids=["with the rest", "in a process of its own"])
def test_what_is_to_be_done_is_said_in_the_words_of_the_box_s_settings(
    spool: Spool, tmp_path: Path, cnn28: Path, picture: Path, begun: bool
) -> None:
    worker = working(spool, tmp_path, f'model = "{cnn28}"\nmax_pixels = 100')
    if begun:
        begun_before(spool, "a.png", picture.read_bytes())
    else:
        spool.accept(offered("a.png", picture.read_bytes(), "watch"))
    answered_by(worker)
    message = json.loads(spool.store.value("SELECT answer FROM image"))["error"]["message"]
    assert "raise max_pixels in the box's settings if it is really a radiograph" in message
    assert "--" not in message


def test_a_shortage_of_the_machine_is_told_in_the_words_of_the_box_s_settings(
    spool: Spool, tmp_path: Path, cnn28: Path, monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    monkeypatch.setattr(retries, "MAX_TRIES", 2)
    monkeypatch.setattr(retries, "MIN_SECONDS", 0)
    worker = working(spool, tmp_path, f'model = "{cnn28}"')
    with pytest.raises(ImageTooLargeError) as too_large:
        read_image(picture, Limits(max_bytes=1))
    errors: list[ImageError] = [MachineError(NO_MEMORY), MachineError(KILLED), too_large.value]
    for error in errors:
        spool.accept(offered("a.png", str(error).encode(), "watch"))
        image = spool.take()
        assert image is not None
        if isinstance(error, MachineError):
            assert worker._keeper.put_off(image, error, 0)
            assert not worker._keeper.put_off(image, error, 0)
        else:
            worker._keeper.keep(image, worker._keeper.refused(image, error), None, 0)
    texts = [row["answer"] for row in spool.store.rows("SELECT answer FROM image")]
    assert len(texts) == 3
    assert "--max" not in "".join([*texts, log_of(worker)])
    assert "lower max_pixels in the box's settings" in texts[0]
    assert "this box takes no larger one" in texts[2]
