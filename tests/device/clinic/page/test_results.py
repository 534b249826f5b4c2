"""Uploaded images whose results go to an archive, if the settings say so."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the clinic extra is not installed")
pytest.importorskip("pynetdicom", reason="the clinic extra is not installed")
pytest.importorskip("highdicom", reason="the clinic extra is not installed")

from ..images import dicom
from ..peers import Orthanc, free_port, running_orthanc, storescu, wait_for
from .serving import Served, serving

pytestmark = pytest.mark.process

RECEIVER = """
[[receiver]]
name = "archive"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {archive}
pause_seconds = 1
heatmap = true
[node]
port = {node}
"""
WAITING = "SELECT count(*) FROM delivery WHERE delivered IS NULL"


def upload(served: Served, name: str, data: bytes) -> int:
    number: int = served.client().upload((name, data)).json["images"][0]["number"]
    served.wait(number)
    return number


def deliveries(served: Served, number: int) -> int:
    question = "SELECT count(*) FROM delivery WHERE image = ?"
    return int(served.box.store.value(question, number))


def identities(archive: Orthanc) -> set[tuple[str, str]]:
    """Modality and patient of all that the archive holds."""
    tags = [archive.tags(each) for each in archive.instances()]
    return {(each["Modality"], each["PatientID"]) for each in tags}


def test_they_go_where_the_node_s_do_and_once(tmp_path: Path, png: bytes) -> None:
    node, archive_port = free_port(), free_port()
    more = 'results = ["archive"]\n' + RECEIVER.format(archive=archive_port, node=node)
    with (
        running_orthanc(tmp_path / "orthanc", archive_port, free_port()) as archive,
        serving(tmp_path, page=more) as served,
    ):
        number = upload(served, "image.dcm", dicom())
        wait_for(lambda: not served.box.store.value(WAITING), "delivery")
        assert deliveries(served, number) == 2
        assert identities(archive) == {("SR", "P-4711"), ("OT", "P-4711")}

        picture = upload(served, "picture.png", png)
        assert deliveries(served, picture) == 0

        (tmp_path / "image.dcm").write_bytes(dicom())
        assert storescu(node, tmp_path / "image.dcm").returncode == 0
        wait_for(lambda: deliveries(served, picture + 1) == 2, "the node's answer")
        wait_for(lambda: not served.box.store.value(WAITING), "its delivery")
        assert len(archive.instances()) == 2, "the same image by another way is the same report"

        (tmp_path / "image.dcm").write_bytes(dicom(StudyDescription="another one of this UID"))
        assert storescu(node, tmp_path / "image.dcm").returncode == 0
        wait_for(lambda: len(archive.instances()) == 4, "both reports of two images of one UID")


def test_without_a_word_in_the_settings_they_go_nowhere(tmp_path: Path) -> None:
    more = RECEIVER.format(archive=free_port(), node=free_port())
    with serving(tmp_path, page=more) as served:
        number = upload(served, "image.dcm", dicom())
        assert deliveries(served, number) == 0
        assert "<dd>shown here</dd>" in served.client().get(f"/images/{number}").text


def test_an_uploaded_image_s_page_says_whether_the_archive_has_its_results(tmp_path: Path) -> None:
    archive = free_port()
    more = 'results = ["archive"]\n' + RECEIVER.format(archive=archive, node=free_port())
    with serving(tmp_path, page=more) as served:
        number = upload(served, "image.dcm", dicom())
        page = served.client().get(f"/images/{number}").text
        assert "<dd>not yet delivered to all receivers</dd>" in page
        with running_orthanc(tmp_path / "orthanc", archive, free_port()):
            wait_for(lambda: not served.box.store.value(WAITING), "delivery")
            page = served.client().get(f"/images/{number}").text
            assert "<dd>all delivered</dd>" in page
