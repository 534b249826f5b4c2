"""The whole box as a process: a modality sends, an archive gets reports, whatever is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pynetdicom", reason="the clinic extra is not installed")
pytest.importorskip("highdicom", reason="the clinic extra is not installed")

from edge_app.clinic.header import content_digest
from edge_app.clinic.spool import Offered, Spool
from edge_app.clinic.store import Store
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.shipped import DEFAULT_MODEL

from .images import SECRETS, dicom, miscoded
from .peers import (
    Box,
    Orthanc,
    dcmtk,
    dump,
    free_port,
    program,
    running,
    running_orthanc,
    storescu,
    verify,
    wait_for,
)

pytestmark = pytest.mark.process

IMAGES = int(os.environ.get("EDGE_CXR_CLINIC_IMAGES", "20"))
KILLS = int(os.environ.get("EDGE_CXR_CLINIC_KILLS", "4"))
"""Of the tests that kill the box; 1000 and 50 take a quarter of an hour each."""


class Clinic:
    """A box and the archive that it sends to; the archive is not started yet."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.port, self.archive, self.http = free_port(), free_port(), free_port()
        self.folder = folder
        self.box = Box(
            folder,
            f"""
            spool = "spool"
            model = "cxr-cnn28"
            least_free_mb = 10
            {more}
            [node]
            port = {self.port}
            [[receiver]]
            name = "archive"
            ae_title = "ORTHANC"
            host = "127.0.0.1"
            port = {self.archive}
            pause_seconds = 1
            heatmap = {str("heatmap" in more).lower()}
            """,
        )

    def orthanc(self) -> Any:
        program("Orthanc", "orthanc")
        return running_orthanc(self.folder / "orthanc", self.archive, self.http)

    def documents(self, name: str) -> list[Path]:
        """The documents in the spool whose names are like this one, as files."""
        with closing(sqlite3.connect(self.folder / "spool/spool.sqlite")) as database:
            rows = database.execute(
                "SELECT name, content FROM document WHERE name LIKE ? ORDER BY name", (name,)
            ).fetchall()
        for name, content in rows:
            (self.folder / name).write_bytes(content)
        return [self.folder / name for name, _ in rows]

    def write(self, count: int, **elements: Any) -> list[Path]:
        """So many images of one study as files."""
        folder = self.folder / "sent"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{number}.dcm" for number in range(1, count + 1)]
        for number, path in enumerate(paths, 1):
            path.write_bytes(dicom(number, **elements))
        return paths


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


@pytest.fixture
def box(clinic: Clinic) -> Iterator[Box]:
    with running(clinic.box) as box:
        yield box


def test_a_start_names_the_model_that_answers(tmp_path: Path) -> None:
    """Where the settings name none, an upgrade may have changed it."""
    known = f'spool = "spool"\nleast_free_mb = 10\n[node]\nport = {free_port()}\n'
    with running(Box(tmp_path, known)) as box:
        assert f" model={DEFAULT_MODEL} " in box.log().splitlines()[0]


def referenced(archive: Orthanc) -> list[str]:
    """SOP Instance UIDs of the images that the archive's reports are about."""
    found = []
    for instance in archive.instances():
        tags = archive.tags(instance)
        assert tags["Modality"] == "SR"
        evidence = tags["CurrentRequestedProcedureEvidenceSequence"][0]
        series = evidence["ReferencedSeriesSequence"][0]
        found.append(series["ReferencedSOPSequence"][0]["ReferencedSOPInstanceUID"])
    return sorted(found)


def test_a_radiograph_comes_back_to_the_archive_as_a_report_in_its_study(clinic: Clinic) -> None:
    with clinic.orthanc() as archive, running(clinic.box):
        (path,) = clinic.write(1)
        assert storescu(clinic.port, path).returncode == 0
        clinic.box.wait_for("delivered")
        assert referenced(archive) == ["1.2.276.0.9701.1.1.1"]
        tags = archive.tags(archive.instances()[0])
        assert tags["PatientID"] == "P-4711"
        assert tags["PatientName"] == "Müller^Jürgen"
        assert tags["StudyInstanceUID"] == "1.2.276.0.9701.1"
    assert not [secret for secret in SECRETS if secret in clinic.box.log()]
    audit = (clinic.folder / "spool/audit.log").read_text()
    assert [json.loads(line)["event"] for line in audit.splitlines()] == ["received", "delivered"]
    assert not [secret for secret in SECRETS if secret in audit]


def test_a_report_is_of_the_patient_that_the_archive_has_whatever_his_image_declares(
    tmp_path: Path,
) -> None:
    clinic = Clinic(tmp_path, "# heatmap")
    sets = {"1.2.276.1": "ISO_IR 192", "1.2.276.2": "NO SUCH SET", "1.2.276.3": None}
    with clinic.orthanc() as archive, running(clinic.box):
        paths = clinic.write(len(sets))
        for number, (path, study) in enumerate(zip(paths, sets, strict=True), 1):
            uids = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
            path.write_bytes(miscoded(sets[study], number, **uids))
            for port, title in ((clinic.archive, "ORTHANC"), (clinic.port, "EDGECXR")):
                assert dcmtk("storescu", "-aec", title, "127.0.0.1", port, path).returncode == 0
        clinic.box.wait_for("delivered", 2 * len(sets))
        made = [archive.tags(each) for each in archive.instances()]
        for study, declared in sets.items():
            of_it = [each for each in made if each["StudyInstanceUID"] == study]
            assert sorted(each["Modality"] for each in of_it) == ["CR", "OT", "SR"], declared
            assert len({(each["PatientID"], each["PatientName"]) for each in of_it}) == 1, declared
        # Of another patient, the same study would be another one to the archive.
        assert len(archive.get("/studies")) == len(sets)


def test_the_same_uid_by_the_folder_and_by_the_network_is_said_in_answer_and_report(
    tmp_path: Path,
) -> None:
    watched = tmp_path / "in"
    watched.mkdir()
    clinic = Clinic(tmp_path, '[watch]\nfolder = "in"\nsettle_seconds = 0')
    (path,) = clinic.write(1)
    with clinic.orthanc() as archive, running(clinic.box):
        assert storescu(clinic.port, path).returncode == 0
        clinic.box.wait_for("delivered")
        (tmp_path / "copy.dcm").write_bytes(path.read_bytes())
        (tmp_path / "other.dcm").write_bytes(dicom(1, PatientID="another"))
        for count, name in enumerate(("copy.dcm", "other.dcm"), 2):
            (tmp_path / name).rename(watched / name)
            clinic.box.wait_for("delivered", count)
        path.write_bytes(dicom(1, PatientID="a third"))
        assert storescu(clinic.port, path).returncode == 0
        clinic.box.wait_for("delivered", 4)
        assert len(archive.instances()) == 2
    received = [line for line in clinic.box.log().splitlines() if " received " in line]
    assert [line.split("verdict=")[1].split()[0] for line in received] == [
        *("new", "new", "differs", "differs")
    ]
    same, other = (
        json.loads((watched / f"answered/{name}.dcm.json").read_text())["warnings"]
        for name in ("copy", "other")
    )
    assert not [line for line in same if "SOP Instance UID" in line]
    assert [line for line in other if "has the SOP Instance UID of another image" in line]
    first, third = (dump(each) for each in clinic.documents("%-sr.dcm"))
    assert "SOP Instance UID of another one" not in first
    assert "SOP Instance UID of another one" in third


def test_what_is_no_chest_and_what_is_broken_gets_a_report_that_says_so(clinic: Clinic) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    with running(clinic.box):
        sent = clinic.write(2, pixels=noise)
        broken = bytearray(dicom(2))
        sent[1].write_bytes(broken.replace(b"MONOCHROME2 ", b"MONOCHROME9 "))
        assert storescu(clinic.port, *sent).returncode == 0
        clinic.box.wait_for("answered", 2)
        made = clinic.documents("%-sr.dcm")
    assert [any(f"({word}," in dump(path) for word in ("WITHHELD", "BLANK")) for path in made] == [
        *(True, False)
    ]
    assert "(UNREADABLE," in dump(made[1])
    assert [verify(path) for path in made] == [[], []]


def test_heatmaps_are_sent_where_they_are_wanted_and_are_valid(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, "# heatmap")
    with clinic.orthanc() as archive, running(clinic.box):
        assert storescu(clinic.port, *clinic.write(1)).returncode == 0
        clinic.box.wait_for("delivered", 2)
        modalities = sorted(archive.tags(each)["Modality"] for each in archive.instances())
        assert modalities == ["OT", "SR"]
        (path,) = clinic.documents("%-heatmap.dcm")
        assert verify(path) == []


def test_heatmaps_that_wait_go_nowhere_once_they_are_not_wanted_any_more(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, "# heatmap")
    with running(clinic.box):
        assert storescu(clinic.port, *clinic.write(1)).returncode == 0
        clinic.box.wait_for("answered")
    text = clinic.box.settings.read_text()
    clinic.box.settings.write_text(text.replace("heatmap = true", "heatmap = false"))
    with clinic.orthanc() as archive, running(clinic.box):
        clinic.box.wait_for("delivered")
        assert [archive.tags(each)["Modality"] for each in archive.instances()] == ["SR"]
        assert " heatmaps-dropped receiver=archive count=1" in clinic.box.log()
        clinic.box.kill(signal.SIGTERM)
    assert "finished=1" in clinic.box.log().splitlines()[-1]


def test_what_a_node_accepted_that_is_switched_off_since_is_still_reported(clinic: Clinic) -> None:
    image = dicom()
    store = Store(clinic.folder / "spool")
    uid, sha256 = "1.2.276.0.9701.1.1.1", content_digest(image)
    Spool(store).accept(Offered("node", uid, sha256, (image,)))
    store.close()
    text = clinic.box.settings.read_text()
    node = f"[node]\n            port = {clinic.port}\n"
    assert node in text
    (clinic.folder / "in").mkdir()
    clinic.box.settings.write_text(text.replace(node, '[watch]\nfolder = "in"\n'))
    with clinic.orthanc() as archive, running(clinic.box):
        clinic.box.wait_for("answered")
        assert "documents=1" in clinic.box.log()
        clinic.box.wait_for("delivered")
        assert referenced(archive) == [uid]


def test_an_image_sent_again_after_its_archive_was_added_is_reported(clinic: Clinic) -> None:
    text, sent = clinic.box.settings.read_text(), clinic.write(1)
    clinic.box.settings.write_text(text.replace("[[receiver]]", "results = []\n[[receiver]]"))
    with running(clinic.box):
        assert storescu(clinic.port, *sent).returncode == 0
        clinic.box.wait_for("answered")
    clinic.box.settings.write_text(text)
    with clinic.orthanc() as archive, running(clinic.box):
        assert storescu(clinic.port, *sent).returncode == 0
        clinic.box.wait_for("received", 2)
        assert " verdict=known " not in clinic.box.log()
        clinic.box.wait_for("delivered")
        assert len(referenced(archive)) == 1


def test_an_archive_that_is_down_gets_everything_later_and_once(clinic: Clinic) -> None:
    sent = clinic.write(5)
    with running(clinic.box):
        assert storescu(clinic.port, *sent).returncode == 0
        clinic.box.wait_for("undelivered")
        clinic.box.wait_for("answered", 5)
        assert " delivered " not in clinic.box.log()
        with clinic.orthanc() as archive:
            clinic.box.wait_for("delivered", 5)
            assert len(referenced(archive)) == 5


def test_what_the_archive_refuses_is_not_called_delivered(clinic: Clinic, tmp_path: Path) -> None:
    refusing = subprocess.Popen(  # takes no structured reports at all
        [program("storescp", "dcmtk"), "-xcr", "true", "-aet", "ORTHANC",
         "-pm", "--abort-during", str(clinic.archive)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    try:
        with running(clinic.box):
            assert storescu(clinic.port, *clinic.write(1)).returncode == 0
            clinic.box.wait_for("undelivered", 2)
            assert " delivered " not in clinic.box.log()
    finally:
        refusing.kill()
        refusing.wait()


def test_the_image_in_hand_is_finished_at_sigterm(clinic: Clinic) -> None:
    with running(clinic.box) as box:
        storescu(clinic.port, *clinic.write(3))
        assert box.kill(signal.SIGTERM) == 0
        assert " stopped " in box.log()
        with closing(sqlite3.connect(clinic.folder / "spool/spool.sqlite")) as database:
            left = database.execute(
                "SELECT count(*) FROM image WHERE answered IS NULL AND begun > 0"
            ).fetchone()[0]
    assert left == 0


def test_every_image_is_answered_once_in_the_archive_whenever_the_box_is_killed(
    clinic: Clinic,
) -> None:
    images, kills, chance = IMAGES, KILLS, random.Random(3)
    sent = clinic.write(images)
    refused = 0
    with clinic.orthanc() as archive:
        clinic.box.start("listening")
        over = threading.Event()

        def kill_now_and_then() -> None:
            for _ in range(kills):
                time.sleep(chance.uniform(0.2, 2.5))
                clinic.box.kill()
                clinic.box.start("listening")
            over.set()

        killer = threading.Thread(target=kill_now_and_then)
        killer.start()
        for path in sent:
            while storescu(clinic.port, path).returncode:
                refused += 1
                time.sleep(0.1)
            if not over.is_set():
                time.sleep(0.2)
        killer.join()
        wait_for(lambda: len(archive.instances()) >= images, "all reports")
        clinic.box.kill(signal.SIGTERM)
        clinic.box.start("listening")
        clinic.box.kill(signal.SIGTERM)
        assert referenced(archive) == sorted(
            f"1.2.276.0.9701.1.1.{number}" for number in range(1, images + 1)
        )
    with closing(sqlite3.connect(clinic.folder / "spool/spool.sqlite")) as database:
        waiting = database.execute(
            "SELECT (SELECT count(*) FROM image WHERE finished IS NULL),"
            " (SELECT count(*) FROM delivery WHERE delivered IS NULL)"
        ).fetchone()
    assert waiting == (0, 0)
    print(f"{images} images, {kills} kills, {refused} times sent again: {images} reports, each one")


def test_an_older_copy_of_the_database_put_back_after_a_kill_loses_no_image(
    clinic: Clinic,
) -> None:
    """It knows two of the six: the others are in the spool's folder alone, one not answered yet."""
    sent = clinic.write(6)
    database, kept = clinic.folder / "spool/spool.sqlite", clinic.folder / "kept.sqlite"
    with clinic.orthanc() as archive:
        with running(clinic.box):
            assert storescu(clinic.port, *sent[:2]).returncode == 0
            clinic.box.wait_for("delivered", 2)
            with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(kept)) as copy:
                now.backup(copy)
            assert storescu(clinic.port, *sent[2:5]).returncode == 0
            clinic.box.wait_for("delivered", 5)
            assert storescu(clinic.port, sent[5]).returncode == 0
            clinic.box.kill()
        for path in database.parent.glob("spool.sqlite*"):
            path.unlink()
        kept.rename(database)
        before = clinic.box.log()
        with running(clinic.box):
            wait_for(
                lambda: clinic.box.log().count(" delivered ") >= before.count(" delivered ") + 4,
                "the reports of those that the copy does not know",
            )
            assert clinic.box.log().count(" taken-again ") == 4
            assert referenced(archive) == [f"1.2.276.0.9701.1.1.{number}" for number in range(1, 7)]
            assert storescu(clinic.port, *sent).returncode == 0
            assert clinic.box.log().count("verdict=known") == 6


DEADLY = """
import os
from edge_app.core.pieces import whole
from edge_app.images.isolated import Decoders
right = Decoders.decode
def deadly(self, data, *more, **named):
    if b"DEADLY" in whole(data):
        {death}
    return right(self, data, *more, **named)
Decoders.decode = deadly
"""
"""As a damaged file does to a codec, or a huge one to memory."""


def deadly(tmp_path: Path, patch: pytest.MonkeyPatch, death: str) -> None:
    """Have whatever process decodes a certain picture die so."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY.format(death=death))
    patch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).resolve().parents[3]}")


def answers_of(clinic: Clinic) -> list[Any]:
    with closing(sqlite3.connect(clinic.folder / "spool/spool.sqlite")) as database:
        return [json.loads(a) for (a,) in database.execute("SELECT answer FROM image ORDER BY id")]


def test_an_image_that_ends_its_reader_is_refused_and_the_others_answered(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deadly(tmp_path, monkeypatch, "os.kill(os.getpid(), 11)")
    sent = clinic.write(3)
    sent[0].write_bytes(dicom(1, StudyDescription="DEADLY"))
    clinic.box.start("listening")
    storescu(clinic.port, sent[0])
    assert clinic.box.process is not None
    clinic.box.process.wait()
    with running(clinic.box):
        storescu(clinic.port, *sent[1:])
        clinic.box.wait_for("answered", 3)
    first, *others = answers_of(clinic)
    assert "SIGSEGV" in first["error"]["message"]
    assert all(answer["findings"] for answer in others)


def test_an_image_that_nobody_can_answer_keeps_no_other_waiting_and_is_told_in_the_end(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deadly(tmp_path, monkeypatch, "raise MemoryError")
    sent = clinic.write(3)
    sent[0].write_bytes(dicom(1, StudyDescription="DEADLY"))
    with running(clinic.box):
        storescu(clinic.port, *sent)
        clinic.box.wait_for("answered", 3)
    lines = [line for line in clinic.box.log().splitlines() if " answered " in line]
    assert ["number=1 " in line for line in lines] == [False, False, True]
    first, *others = answers_of(clinic)
    assert "could not be answered" in first["error"]["message"]
    assert all(answer["findings"] for answer in others)


def test_peers_that_hang_up_end_nothing_but_their_associations(clinic: Clinic, box: Box) -> None:
    from pynetdicom import AE

    for _ in range(20):
        entity = AE("MODALITY")
        entity.add_requested_context("1.2.840.10008.1.1")
        association = entity.associate("127.0.0.1", clinic.port, ae_title="EDGECXR")
        connection = association.dul.socket.socket
        linger = struct.pack("ii", 1, 0)  # which makes of the end a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        threading.Thread(target=association.send_c_echo, daemon=True).start()
        connection.close()
        association.kill()
    assert storescu(clinic.port, *clinic.write(1)).returncode == 0
    assert not box.ended()


def test_purge_leaves_nothing_of_anybody(clinic: Clinic) -> None:
    from ..command import in_process

    with running(clinic.box):
        storescu(clinic.port, *clinic.write(2))
        clinic.box.wait_for("answered", 2)
    line = ["serve", str(clinic.box.settings), "--purge"]
    assert "0 images removed, with their answers; 2 are left" in in_process(line).stdout
    assert "2 images removed" in in_process([*line, "--unfinished"]).stdout
    kept = b"".join(p.read_bytes() for p in (clinic.folder / "spool").rglob("*") if p.is_file())
    assert not [secret for secret in SECRETS if secret.encode() in kept]


def test_classify_imports_nothing_of_the_clinic(run_process: Any, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(synthetic_radiograph(64, seed=1)).save(path)
    done = run_process("classify", path, env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    for name in ("edge_app.clinic", "pynetdicom", "highdicom", "sqlite3"):
        assert name not in done.stderr


def test_the_box_goes_on_in_the_watch_folder_after_any_kill(tmp_path: Path) -> None:
    images, chance = IMAGES, random.Random(5)
    watched = tmp_path / "in"
    watched.mkdir()
    box = Box(tmp_path, 'spool = "s"\nmodel = "cxr-cnn28"\nleast_free_mb = 10\n'
              '[watch]\nfolder = "in"\nsettle_seconds = 0\n')  # fmt: skip
    pictures = [synthetic_radiograph(64, seed=seed) for seed in range(images)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(watched / f"{number}.png")
    for _ in range(KILLS):
        box.start()
        time.sleep(chance.uniform(0.0, 1.5))
        box.kill()
    box.start()
    answered = watched / "answered"
    wait_for(lambda: len(list(answered.glob("*.png.json"))) == images, "all answers")
    box.kill(signal.SIGTERM)
    assert len(list(answered.glob("*.png"))) == images
    assert [path.name for path in watched.iterdir() if path.is_file()] == []
    names = {json.loads(path.read_text())["file"] for path in answered.glob("*.json")}
    assert names == {f"{number}.png" for number in range(images)}
    print(f"{images} files, {KILLS} kills: {len(names)} answers, each one")
