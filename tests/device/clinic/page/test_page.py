"""The page over HTTP: upload, worklist, study, downloads, readings, and who may do what."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the clinic extra is not installed")

from edge_app.clinic import retries
from edge_app.clinic.header import content_digest
from edge_app.clinic.image_file import GONE, LostError
from edge_app.clinic.page.room import ReadingRoom
from edge_app.clinic.page.study import study_of
from edge_app.clinic.spool import Offered
from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.errors import ImageError, MachineError
from edge_app.core.shortage import NO_MEMORY
from edge_app.images.radiograph import Limits
from edge_app.model.cautions import NOT_ILL, NOT_NORMAL, Cautions

from ...site.made import site_file
from ..images import SECRETS, dicom
from ..peers import wait_for
from .serving import BOUNDARY, Client, Served, multipart, serving

# Upload


def test_a_picture_is_on_the_disk_when_it_is_received_and_answered_then(
    served: Served, png: bytes
) -> None:
    client = served.client()
    came = client.upload(("one.png", png + b"1"))
    assert came.status == 201
    (image,) = came.json["images"]
    assert image["verdict"] == "new"
    (path,) = {
        served.box.store.images / row["file"]
        for row in served.box.store.rows("SELECT file FROM image WHERE id = ?", image["number"])
    }
    assert path.read_bytes() == png + b"1"
    served.wait(image["number"])
    answer = client.get(f"/images/{image['number']}/answer.json").json
    assert answer["findings"]
    assert "one.png" not in json.dumps(answer)


def test_the_same_picture_again_is_known_whatever_it_is_called(served: Served, png: bytes) -> None:
    client = served.client()
    first = client.upload(("a.png", png + b"2")).json["images"][0]
    again = client.upload(("b.png", png + b"2")).json["images"][0]
    assert again == {"number": first["number"], "verdict": "known"}


def test_a_uid_with_other_bytes_is_kept_apart_and_said(served: Served) -> None:
    client = served.client()
    client.upload(("a.dcm", dicom(70)))
    other = client.upload(("a.dcm", dicom(70, StudyDescription="x"))).json["images"][0]
    assert other["verdict"] == "differs"
    assert "other bytes" in client.get(f"/images/{other['number']}?came=differs").text
    served.wait(other["number"])
    (warning,) = client.get(f"/images/{other['number']}/answer.json").json["warnings"]
    assert "this answer is of one of the two" in warning


def test_several_files_in_one_form_are_all_received(served: Served, png: bytes) -> None:
    came = served.client().upload(*((f"{i}.png", png + b"several%d" % i) for i in range(3)))
    assert [each["verdict"] for each in came.json["images"]] == ["new"] * 3


def test_without_javascript_a_form_leads_to_the_study(served: Served, png: bytes) -> None:
    came = served.client().upload(("c.png", png + b"3"), Accept="text/html")
    assert came.status == 303
    assert re.fullmatch(r"/images/\d+\?came=new", came.headers["Location"])


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "text/plain", 415),
        (b"", f"multipart/form-data; boundary={BOUNDARY}", 400),
        (b"--x\r\n", "multipart/form-data", 415),
        (multipart([("form", None, b"FORM")]), f"multipart/form-data; boundary={BOUNDARY}", 400),
        (
            multipart([("form", None, b"FORM"), ("file", "a", b"")]),
            f"multipart/form-data; boundary={BOUNDARY}",
            400,
        ),
        (
            multipart([("form", None, b"FORM"), ("file", "a", b"cut")])[:-9],
            f"multipart/form-data; boundary={BOUNDARY}",
            400,
        ),
        (
            multipart([("form", None, b"FORM"), *[("file", "a", b"x")] * 101]),
            f"multipart/form-data; boundary={BOUNDARY}",
            413,
        ),
    ],
)
def test_what_is_no_form_with_files_is_refused_and_leaves_nothing(
    served: Served, body: bytes, kind: str, status: int
) -> None:
    client = served.client()
    client.get("/")
    before = sorted(served.box.store.images.iterdir())
    body = body.replace(b"FORM", client.form.encode())
    came = client.ask("POST", "/upload", body, Content_Type=kind, Accept="application/json")
    assert (came.status, bool(came.json["error"])) == (status, True)
    assert sorted(served.box.store.images.iterdir()) == before


def test_too_much_is_refused_before_and_while_it_comes(tmp_path: Path, png: bytes) -> None:
    with serving(tmp_path, page="max_mb = 1") as served:
        client = served.client()
        assert client.upload(("a.png", bytes(2 << 20))).status == 413
        client.get("/")
        whole = multipart([("form", None, client.form.encode()), ("file", "a", bytes(3 << 20))])

        def pieces() -> object:  # sent in chunks, so that nobody knows how much is to come
            for start in range(0, len(whole), 1 << 16):
                yield whole[start : start + (1 << 16)]

        kind = f"multipart/form-data; boundary={BOUNDARY}"
        came = client.ask("POST", "/upload", pieces(), Content_Type=kind)  # type: ignore[arg-type]
        assert came.status == 413
        assert list(served.box.store.images.iterdir()) == []
        refused = [each for each in served.audit() if each["event"] == "refused"]
        assert [each["status"] for each in refused] == ["413", "413"]
        assert "larger than this box takes" in refused[0]["why"]


def test_a_full_disk_is_said_in_http_s_own_words(tmp_path: Path, png: bytes) -> None:
    with serving(tmp_path) as served:
        served.box.spool.min_free = 1 << 60
        client = served.client()
        came = client.upload(("a.png", png))
        assert came.status == 507
        assert "too little room" in came.json["error"]
        assert client.get("/").status == 200
        served.box.spool.min_free = 0
        assert client.upload(("a.png", png)).status == 201


def test_what_is_no_picture_is_answered_as_such(served: Served) -> None:
    client = served.client()
    number = client.upload(("letter.txt", b"Dear colleague")).json["images"][0]["number"]
    served.wait(number)
    page = client.get(f"/images/{number}").text
    assert "Could not be read" in page
    assert DISCLAIMER in page
    assert client.get(f"/images/{number}/picture.png").status == 404


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (MachineError(f"could not be read: {NO_MEMORY}"), "this box lacked memory"),
        (LostError(GONE), "is gone from this box&#39;s disk"),
    ],
    ids=["machine", "lost"],
)
def test_what_the_box_could_not_do_is_not_said_of_the_picture(
    served: Served, png: bytes, monkeypatch: pytest.MonkeyPatch, error: ImageError, why: str
) -> None:
    def failing(*args: object) -> None:
        raise error

    monkeypatch.setattr(retries, "MAX_TRIES", 1)
    monkeypatch.setattr(retries, "MIN_SECONDS", 0)
    (worker,) = served.box._workers
    monkeypatch.setattr(worker, "_read", failing)
    client = served.client()
    name = f"{type(error).__name__}.png"
    number = client.upload((name, png + name.encode())).json["images"][0]["number"]
    served.wait(number)
    page = client.get(f"/images/{number}").text
    assert why in page
    assert "end it again" in page
    for wrong in ("ould not be read", "unreadable", "--max-pixels"):
        assert wrong not in page
    assert client.get(f"/images/{number}/picture.png").status == 404
    assert name in client.get("/?state=unanswered").text
    assert name not in client.get("/?state=unreadable").text


def test_nothing_is_called_delivered_of_an_image_that_the_box_could_not_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the page make a report of it: an archive would keep it in the place of the real."""

    def failing(*args: object) -> None:
        raise LostError(GONE)

    (worker,) = served.box._workers
    monkeypatch.setattr(worker, "_read", failing)
    data = dicom(77)
    digest = content_digest(data)
    number = served.box.spool.accept(Offered("node", "1.2.3.77", digest, (data,))).id
    served.wait(number)
    client = served.client()
    page = client.get(f"/images/{number}").text
    assert "<dd>nothing was sent</dd>" in page
    assert "report.dcm" not in page
    assert client.get(f"/images/{number}/report.dcm").status == 404


# Worklist and study


def test_the_worklist_shows_what_came_with_state_and_score(served: Served, answered: int) -> None:
    page = served.client().get("/").text
    assert "Meier Hans.png" in page
    assert f'href="/images/{answered}"' in page
    assert "flagged" in page
    assert DISCLAIMER in page


def test_it_is_filtered_and_searched(served: Served, answered: int) -> None:
    client = served.client()
    link = f'href="/images/{answered}"'
    assert link in client.get("/?q=meier").text
    assert link not in client.get("/?q=nobody-is-called-so").text
    assert link not in client.get("/?state=unreadable").text
    assert link in client.get("/?sort=highest").text


def test_an_order_that_has_no_place_for_some_images_says_so(served: Served, answered: int) -> None:
    """Those that nobody scored are the ones that somebody has to look at."""
    client = served.client()
    number = client.upload(("notes.png", b"no picture")).json["images"][0]["number"]
    served.wait(number)
    link = f'href="/images/{number}"'
    assert link in client.get("/").text
    assert "Only images" not in client.get("/").text
    by_score = client.get("/?sort=highest").text
    assert link not in by_score
    assert "Only images with a score are listed here" in by_score
    assert "Only images that wait are listed here" in client.get("/?sort=next&part=list").text


def test_a_study_has_the_answer_s_words_its_numbers_and_what_they_are_worth(
    served: Served, answered: int
) -> None:
    client = served.client()
    answer = client.get(f"/images/{answered}/answer.json").json
    page = client.get(f"/images/{answered}").text
    overall = answer["overall"]
    assert f"{100 * overall['probability']:.1f} % probable that it is not normal" in page
    for finding in answer["findings"]:
        if finding["kind"] == "finding":
            assert finding["label"] in page
    assert answer["model"]["sha256"] in page
    assert answer["operating_point"] in page
    assert "<b>not flagged; nothing is raised</b>" in page
    assert re.search(
        r"does not mean normal: of all that are not normal \d+ % are missed on validation "
        r"images, \d+ % on test images",
        page,
    )
    assert "of 100 normal validation images" in page
    assert "seen at 28x28: small findings are missed" in page
    assert "picture quality is hardly checked" in page
    assert re.search(r": flags [\d.]+ % of normal validation images and misses [\d.]+ % of", page)
    assert re.search(
        r"of other patients&#39; images \(test, .*\) flags [\d.]+ % of normal ones",
        page,
    )
    assert DISCLAIMER in page


def test_the_caution_under_a_verdict_has_its_number_or_says_that_it_is_not_known(
    served: Served, answered: int, png: bytes
) -> None:
    """A number belongs to the operating point that decided; the one in use may be another."""
    client = served.client()
    numbered = re.compile(r"<b>[^<]*does not mean \w+: [^<]*of all [^<]*\d % are ")
    page = client.get(f"/images/{answered}").text
    assert numbered.search(page)
    assert "is not known of this answer" not in page
    number = client.upload(("older.png", png + b"older")).json["images"][0]["number"]
    served.wait(number)
    answer = json.loads(served.box.store.value("SELECT answer FROM image WHERE id = ?", number))
    answer["model"]["digest"] = "0" * 64
    with served.box.store.transaction() as database:
        database.execute("UPDATE image SET answer = ? WHERE id = ?", (json.dumps(answer), number))
    page = client.get(f"/images/{number}").text
    assert "does not mean" in page
    assert not numbered.search(page)
    rows = client.get("/").text.split("<tr>")
    marked = {row for row in rows if "by another model, site file or operating point" in row}
    assert ["older.png" in row for row in marked] == [True]
    assert "How often that is so is not known of this answer." in page


def test_a_caution_without_a_number_says_so_though_the_other_one_has_its_own(
    served: Served, answered: int
) -> None:
    """A point may have missed none of the test images, which is not known to be never."""
    answer = served.client().get(f"/images/{answered}/answer.json").json
    for flagged, known in ((False, False), (True, True)):
        answer["overall"]["flagged"] = flagged
        for finding in answer["findings"]:
            finding.update(probability=0.9, prevalence=0.1)
        worth = "of all raised findings 2 % are right"
        said = study_of(answer, Cautions(f"{NOT_ILL}: 17 % of flags are right", NOT_NORMAL, worth))
        assert said.caution
        assert worth in said.caution
        assert said.knows_worth == known


def test_a_study_says_nothing_of_thresholds_that_are_not_there(
    served: Served, answered: int
) -> None:
    answer = served.client().get(f"/images/{answered}/answer.json").json
    answer["overall"] = None
    for finding in answer["findings"]:
        finding.update(threshold=None, above=None)
    assert study_of(answer).verdict == "no finding has a threshold: nothing is decided"


def test_a_finding_that_reads_like_its_threshold_is_called_borderline(
    served: Served, png: bytes
) -> None:
    """As in the table of the command line, where labels are decided one by one."""
    client = served.client()
    number = client.upload(("close.png", png + b"close")).json["images"][0]["number"]
    served.wait(number)
    answer = json.loads(served.box.store.value("SELECT answer FROM image WHERE id = ?", number))
    answer["overall"] = None
    for finding in answer["findings"]:
        finding["threshold"] = finding["probability"] + 0.1
    first, second = answer["findings"][:2]
    first.update(probability=0.0852, threshold=0.0851, above=True)
    second.update(probability=0.0848, threshold=0.0849, above=False)
    with served.box.store.transaction() as database:
        database.execute("UPDATE image SET answer = ? WHERE id = ?", (json.dumps(answer), number))
    page = client.get(f"/images/{number}").text
    assert page.count("<b>above, borderline</b>") == 1
    assert page.count("<b>not above, borderline</b>") == 1


def test_its_picture_is_what_the_network_was_given(served: Served, answered: int) -> None:
    came = served.client().get(f"/images/{answered}/picture.png")
    assert came.headers["Content-Type"] == "image/png"
    assert came.headers["Cache-Control"] == "no-store"
    from edge_app.images.phantom import synthetic_radiograph

    shown = np.asarray(Image.open(io.BytesIO(came.body)))
    assert (shown == synthetic_radiograph(256, seed=1)).all()


def test_each_finding_has_a_heatmap_that_is_the_command_s(
    served: Served, answered: int, png: bytes
) -> None:
    from edge_app.classifier import Classifier
    from edge_app.heatmap.maps import EvidenceScale, strength
    from edge_app.model.model_file import locate, read
    from edge_app.pipeline.reader import read_image_source

    client, model = served.client(), read(locate("cxr-cnn28"))
    found = Classifier(model).classify(read_image_source(png, Limits()))
    page = client.get(f"/images/{answered}").text
    channels = {int(each) for each in re.findall(r'data-channel="(\d+)"', page)}
    assert channels == set(model.labels.findings)
    scale, first = EvidenceScale(model.manifest), found.findings.index(found.ranked[0])
    assert found.map is not None
    for channel in {0, first}:
        came = client.get(f"/images/{answered}/map/{channel}.png")
        alpha = np.asarray(Image.open(io.BytesIO(came.body)))[..., 3]
        expected = strength(scale.weighed(found.map, channel), 256, 256)
        apart = np.abs(alpha / 255 - 0.6 * expected)
        lines = apart > 0.01  # between the seven cells of each side, and nowhere else
        assert lines.any()
        assert set(np.flatnonzero(lines.sum(axis=0) > 200)) | set(
            np.flatnonzero(lines.sum(axis=1) > 200)
        ) >= {round(256 * place / 7) for place in range(1, 7)}
        assert lines.mean() < 2 * 2 * 6 / 256
    assert client.get(f"/images/{answered}/map/99.png").status == 404


@pytest.mark.parametrize("name", ["forty-labels", "three-exclusive"])
def test_a_study_of_any_model_shows_its_labels(tmp_path: Path, png: bytes, name: str) -> None:
    model = Path(__file__).resolve().parents[3] / f"models/{name}.tflite"
    with serving(tmp_path, model=str(model)) as served:
        client = served.client()
        client.upload(("a.png", png))
        served.wait(1)
        answer = client.get("/images/1/answer.json").json
        page = client.get("/images/1?map=0")
        assert page.status == 200
        for finding in answer["findings"]:
            row = re.search(rf">\s*{re.escape(finding['label'])}\b", page.text)
            assert (row is not None) is (finding["kind"] == "finding")
        for channel in re.findall(r'data-channel="(\d+)"', page.text):
            assert client.get(f"/images/1/map/{channel}.png").status == 200
        assert client.get("/").status == client.get("/status").status == 200


def test_a_blank_picture_has_no_scores_on_the_page(tmp_path: Path) -> None:
    model = Path(__file__).resolve().parents[3] / "models/version-1.tflite"
    file = io.BytesIO()
    Image.fromarray(np.full((64, 64), 128, np.uint8)).save(file, "PNG")
    with serving(tmp_path, model=str(model)) as served:
        client = served.client()
        client.upload(("blank.png", file.getvalue()))
        served.wait(1)
        page = client.get("/images/1").text
        assert "the picture is blank" in page
        assert "probable" not in page
        assert "<table" not in page


def test_a_chosen_heatmap_is_there_without_javascript(served: Served, answered: int) -> None:
    page = served.client().get(f"/images/{answered}?map=0").text
    assert f'src="/images/{answered}/map/0.png"' in page
    assert served.client().get(f"/images/{answered}?map=nonsense").status == 200


def test_a_shipped_model_s_heatmap_has_no_outline_and_says_what_it_is_worth(
    served: Served, answered: int
) -> None:
    client = served.client()
    page = client.get(f"/images/{answered}").text
    channels = re.findall(r'data-channel="(\d+)"', page)
    assert channels
    for channel in channels:
        page = client.get(f"/images/{answered}?map={channel}").text
        assert f'src="/images/{answered}/map/{channel}.png"' in page
        assert re.search(r'<svg id="square"[^>]* class="off"', page)
        assert "data-square" not in page
        assert "This map does not show where, do not aim by it" in page


def test_an_uploaded_dicom_image_has_a_report_and_a_picture_has_none(
    served: Served, answered: int
) -> None:
    pytest.importorskip("highdicom", reason="the clinic extra is not installed")
    from pydicom import dcmread

    client = served.client()
    assert client.get(f"/images/{answered}/report.dcm").status == 404
    assert "report.dcm" not in client.get(f"/images/{answered}").text
    number = client.upload(("x.dcm", dicom(80))).json["images"][0]["number"]
    served.wait(number)
    page = client.get(f"/images/{number}").text
    name = "<bdi>Müller, Jürgen</bdi> · <bdi>P-4711</bdi> · "
    assert f"{name}<bdi>1950-12-31</bdi> · <bdi>2024-01-02</bdi>" in page
    came = client.get(f"/images/{number}/report.dcm")
    report = dcmread(io.BytesIO(came.body))
    assert report.Modality == "SR"
    assert report.PatientID == "P-4711"
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    referenced = evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert referenced == "1.2.276.0.9701.1.1.80"
    again = dcmread(io.BytesIO(client.get(f"/images/{number}/report.dcm").body))
    assert again.SOPInstanceUID == report.SOPInstanceUID


def test_an_image_whose_file_is_gone_keeps_its_answer(served: Served) -> None:
    client = served.client()
    number = client.upload(("gone.dcm", dicom(81))).json["images"][0]["number"]
    served.wait(number)
    file = served.box.store.value("SELECT file FROM image WHERE id = ?", number)
    (served.box.store.images / file).unlink()
    page = client.get(f"/images/{number}").text
    assert "no longer here" in page
    assert "probable that it is not normal" in page
    for path in ("picture.png", "report.dcm"):
        assert client.get(f"/images/{number}/{path}").status == 404
    done = client.post(f"/images/{number}/reading", [("opinion", "agrees")])
    assert done.status == 409
    assert client.get(f"/images/{number}/answer.json").status == 200


def test_an_image_that_was_altered_after_its_answer_is_not_shown_beside_it(
    served: Served,
) -> None:
    client = served.client()
    number = client.upload(("altered.dcm", dicom(82))).json["images"][0]["number"]
    served.wait(number)
    file = served.box.store.value("SELECT file FROM image WHERE id = ?", number)
    (served.box.store.images / file).write_bytes(dicom(83))
    picture = client.get(f"/images/{number}/picture.png")
    assert picture.status == 422
    assert "it has changed on the disk since it arrived" in picture.text
    assert client.get(f"/images/{number}/report.dcm").status == 404
    assert client.get(f"/images/{number}/answer.json").status == 200


def test_what_waits_can_be_moved_to_the_front(tmp_path: Path, png: bytes) -> None:
    with serving(tmp_path) as served:
        for worker in served.box._workers:
            worker.stop()
            worker.join()
        client = served.client()
        for number in (1, 2, 3):
            client.upload((f"{number}.png", png + b"%d" % number))
        assert "3 wait in all" in client.get("/images/2").text
        assert client.post("/images/3/first").status == 303
        listed = client.get("/?sort=next").text
        assert re.findall(r'href="/images/(\d)"', listed) == ["3", "1", "2"]
        assert "ahead of others" in listed
        image = served.box.spool.take()
        assert image is not None
        assert image.id == 3


def test_what_is_answered_is_not_moved(served: Served, answered: int) -> None:
    came = served.client().post(f"/images/{answered}/first")
    assert came.status == 409
    assert "no longer waits" in came.text


def test_an_image_that_is_not_there_is_said(served: Served) -> None:
    client = served.client()
    for path in ("/images/999999", "/images/99999999999999999999", "/nowhere", "/static/../x"):
        assert client.get(path).status == 404
    assert client.ask("PUT", "/").status == 405


def test_an_answer_of_another_model_is_said_and_has_no_heatmap_of_this_one(
    served: Served, png: bytes
) -> None:
    client = served.client()
    number = client.upload(("other.png", png + b"other")).json["images"][0]["number"]
    served.wait(number)
    with served.box.store.transaction() as database:
        database.execute(
            "UPDATE image SET answer = json_set(answer, '$.model.digest', 'f0') WHERE id = ?",
            (number,),
        )
    assert_is_another_model_s(client, number)


def test_an_answer_of_another_site_file_is_said_as_one_of_another_model_is(
    served: Served, png: bytes
) -> None:
    client = served.client()
    number = client.upload(("elsewhere.png", png + b"elsewhere")).json["images"][0]["number"]
    served.wait(number)
    with served.box.store.transaction() as database:
        database.execute(
            "UPDATE image SET answer = json_set(answer, '$.site', 'f0f0') WHERE id = ?", (number,)
        )
    assert_is_another_model_s(client, number)
    assert "f0f0" in client.get(f"/images/{number}").text


def assert_is_another_model_s(client: Client, number: int) -> None:
    page = client.get(f"/images/{number}?map=0").text
    assert "Another model answered this image" in page
    assert "data-channel" not in page
    assert " % are " not in page.split("<table")[0].split("does not mean", 1)[-1].split("</p>")[0]
    assert ": flags " not in page
    assert client.get(f"/images/{number}/map/0.png").status == 404


def test_the_site_file_that_decides_is_named_wherever_an_answer_is(
    tmp_path: Path, png: bytes
) -> None:
    digest = json.loads(site_file(tmp_path).read_text())["digest"]
    with serving(tmp_path, 'site = "site.json"') as served:
        client = served.client()
        number = client.upload(("one.png", png)).json["images"][0]["number"]
        served.wait(number)
        answer = client.get(f"/images/{number}/answer.json").json
        page = client.get(f"/images/{number}").text
        status = client.get("/status").text
    assert answer["site"] == digest
    assert answer["operating_point"] == "site"
    assert digest in page
    assert "Another model answered" not in page
    assert digest in status


def test_an_image_that_comes_again_after_a_change_of_site_file_is_answered_anew(
    tmp_path: Path, png: bytes
) -> None:
    site_file(tmp_path)
    said = []
    for top in ("", "", 'site = "site.json"'):
        with serving(tmp_path, top) as served:
            client = served.client()
            (came,) = client.upload(("one.png", png)).json["images"]
            served.wait(came["number"])
            answer = client.get(f"/images/{came['number']}/answer.json").json
            said.append((came["verdict"], answer["operating_point"]))
    assert said == [("new", "one-in-ten"), ("known", "one-in-ten"), ("new", "site")]


# Readings


def test_a_reading_is_kept_and_exported_as_labels_that_evaluate_reads(
    tmp_path: Path, png: bytes, run: object
) -> None:
    with serving(tmp_path, page='collect = "read"') as served:
        client = served.client()
        one = client.upload(("one.png", png)).json["images"][0]["number"]
        two = client.upload(("two.dcm", dicom(5))).json["images"][0]["number"]
        for number, fields in (
            (one, [("opinion", "disagrees"), ("label", "Mass"), ("label", "Edema")]),
            (two, [("opinion", "agrees"), ("nothing", "yes"), ("note", "=1+1\r\nwell")]),
        ):
            served.wait(number)
            came = client.post(f"/images/{number}/reading", fields)
            assert came.status == 303
        assert "Mass" in client.get(f"/images/{one}?kept=yes").text
        exported = client.get("/readings.csv").text
        audit = served.audit()
    rows = {row["opinion"]: row for row in csv.DictReader(io.StringIO(exported))}
    assert set(rows["disagrees"]["labels"].split("|")) == {"Edema", "Mass"}
    assert rows["agrees"]["labels"] == "No Finding"
    assert rows["agrees"]["note"] == "'=1+1 / well"
    assert rows["agrees"]["patient"] != rows["disagrees"]["patient"]
    assert not [secret for secret in SECRETS if secret in exported]
    assert not [secret for secret in SECRETS if secret in json.dumps(audit)]
    (tmp_path / "labels.csv").write_text(exported)
    done = run(  # type: ignore[operator]
        "evaluate", tmp_path / "read", "--model", "cxr-cnn28", "--split", "all",
        "--labels", tmp_path / "labels.csv", "--out", tmp_path / "report.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "report.json").read_text())["dataset"]["images"] == 2


@pytest.mark.parametrize("collect", ["disk", "disk/read"])
def test_labelled_images_wait_for_the_disk_that_their_folder_is_on(
    tmp_path: Path, png: bytes, collect: str
) -> None:
    """Below its mount point nobody would look for them."""
    disk, away = tmp_path / "disk", tmp_path / "away"
    disk.mkdir()
    fields = [("opinion", "agrees"), ("nothing", "yes")]
    with serving(tmp_path, page=f'collect = "{collect}"') as served:
        client = served.client()
        for number, data in enumerate((png, dicom(5)), 1):
            client.upload((f"{number}.png", data))
            served.wait(number)
        assert client.post("/images/1/reading", fields).status == 303
        disk.rename(away)
        disk.mkdir()
        refused = client.post("/images/2/reading", fields)
        assert (refused.status, "mount its disk" in refused.text) == (503, True)
        assert list(disk.iterdir()) == []
        disk.rmdir()
        away.rename(disk)
        assert client.post("/images/2/reading", fields).status == 303
    images = [each for each in (tmp_path / collect).iterdir() if not each.name.startswith(".")]
    assert len(images) == 2


def test_a_reader_who_changes_their_mind_has_one_reading(served: Served, answered: int) -> None:
    client = served.client()
    for opinion in ("agrees", "open"):
        client.post(f"/images/{answered}/reading", [("opinion", opinion)])
    readings = list(csv.DictReader(io.StringIO(client.get("/readings.csv").text)))
    assert [row["opinion"] for row in readings] == ["open"]


def test_a_reading_of_an_image_that_has_another_number_by_now_is_refused(
    served: Served, png: bytes
) -> None:
    """An older copy of the database was put back: it gives the number once more."""
    client = served.client()
    number = client.upload(("one.png", png + b"one")).json["images"][0]["number"]
    served.wait(number)
    shown = re.findall(r'name="sha256" value="(\w+)"', client.get(f"/images/{number}").text)
    assert shown == [hashlib.sha256(png + b"one").hexdigest()]
    fields = [("opinion", "agrees"), ("sha256", shown[0])]
    assert client.post(f"/images/{number}/reading", fields).status == 303
    before = client.get("/readings.csv").text
    with served.box.store.transaction() as database:
        database.execute("UPDATE image SET sha256 = ? WHERE id = ?", ("0" * 64, number))
    refused = client.post(f"/images/{number}/reading", fields)
    assert (refused.status, "another image" in refused.text) == (409, True)
    assert client.get("/readings.csv").text == before


def test_what_was_said_of_an_earlier_answer_is_told_so(served: Served, png: bytes) -> None:
    """The image was removed, and answered again when it came again."""
    client = served.client()
    number = client.upload(("again.png", png + b"again")).json["images"][0]["number"]
    served.wait(number)
    client.post(f"/images/{number}/reading", [("opinion", "agrees")])
    assert "of another answer" not in client.get(f"/images/{number}").text
    with served.box.store.transaction() as database:
        database.execute("UPDATE image SET state = 'flagged', score = 0.9 WHERE id = ?", (number,))
    assert "of another answer" in client.get(f"/images/{number}").text


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("opinion", "whatever")],
        [("opinion", "agrees"), ("nothing", "yes"), ("label", "Mass")],
    ],
)
def test_a_reading_that_says_nothing_or_two_things_is_refused(
    served: Served, answered: int, fields: list[tuple[str, str]]
) -> None:
    assert served.client().post(f"/images/{answered}/reading", fields).status == 400


# Who may


def test_a_host_that_is_not_this_box_is_not_answered(served: Served) -> None:
    client = served.client()
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80"):
        assert client.get("/", Host=host).status == 421
    for host in ("localhost", f"localhost:{served.port}", "127.0.0.1", "[::1]:80", "10.0.0.9"):
        assert client.get("/", Host=host).status == 200


def test_a_form_of_somebody_else_changes_nothing(served: Served, answered: int, png: bytes) -> None:
    client = served.client()
    client.get("/")
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    for body in (b"opinion=agrees", b"opinion=agrees&form=", b"opinion=agrees&form=" + b"0" * 64):
        assert client.ask("POST", f"/images/{answered}/reading", body, **kind).status == 403
    other = served.client()
    other.get("/")
    assert client.upload(("a.png", png + b"csrf"), form=other.form).status == 403
    assert client.upload(("a.png", png + b"csrf"), Cookie="").status == 403
    assert client.upload(("a.png", png + b"csrf"), Sec_Fetch_Site="cross-site").status == 403
    question = "SELECT count(*) FROM image WHERE about = 'a.png' AND bytes = ?"
    assert served.box.store.value(question, len(png) + 4) == 0


def test_pages_load_nothing_from_elsewhere_and_run_no_script_of_theirs(
    served: Served, answered: int
) -> None:
    client = served.client()
    for path in ("/", f"/images/{answered}", "/status", "/nowhere"):
        came = client.get(path)
        policy = came.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert came.headers["X-Content-Type-Options"] == "nosniff"
        assert came.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]*src=\"/static/)|\son\w+=|\sstyle=|<style", came.text)
        assert not re.search(r"""(src|href|action)=["'](https?:)?//""", came.text)
    cookie = client.get("/", Cookie="").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_file_s_name_is_text_and_nothing_else(served: Served, png: bytes) -> None:
    client = served.client()
    name = "<img src=x onerror=alert(1)>{{ 7*7 }}\u202e.png"
    number = client.upload((name, png + b"xss")).json["images"][0]["number"]
    served.wait(number)
    for path in ("/", f"/images/{number}"):
        page = client.get(path).text
        assert "&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}" in page
        assert "<img src=x" not in page
        assert "\u202e" not in page


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A box that lets Anna in by a password, and a program by a token."""
    from edge_app.clinic.page import accounts

    folder = tmp_path_factory.mktemp("guarded")
    accounts.set_password(folder / "users", "anna", "correct horse")
    (folder / "token").write_text(accounts.set_token(folder / "users", "scraper"))
    with serving(folder, 'users = "users"') as running:
        yield running


def sign_in(client: Client, name: str = "anna", password: str = "correct horse") -> int:
    client.get("/sign-in")
    return client.post("/sign-in", [("name", name), ("password", password)]).status


def test_who_has_not_signed_in_sees_nothing(guarded: Served, png: bytes) -> None:
    client = guarded.client()
    came = client.get("/")
    assert (came.status, came.headers["Location"]) == (303, "/sign-in")
    for path in ("/images/1", "/status", "/readings.csv", "/images/1/picture.png"):
        assert client.get(path, Accept="*/*").status == 401
    client.get("/sign-in")
    assert client.upload(("a.png", png)).status == 401
    assert client.get("/healthz").text == "ok\n"


def test_a_reader_signs_in_is_named_in_the_audit_log_and_signs_out(
    guarded: Served, png: bytes
) -> None:
    client = guarded.client()
    assert sign_in(client) == 303
    assert "Signed in as anna" in client.get("/").text
    number = client.upload(("secret name.png", png)).json["images"][0]["number"]
    guarded.wait(number)
    client.get(f"/images/{number}")
    client.get(f"/images/{number}/picture.png")
    client.get(f"/images/{number}/answer.json")
    viewed = [each["part"] for each in guarded.audit() if "part" in each and "number" in each]
    assert viewed == ["answer", "picture"]
    marked = [(each["event"], each.get("peer")) for each in guarded.audit()]
    for event in ("signed-in", "received", "viewed", "exported"):
        assert (event, "anna") in marked
    assert "secret name" not in json.dumps(guarded.audit())
    kept = client.cookie
    assert client.post("/sign-out").status == 303
    assert client.get("/").status == 303
    assert kept != client.cookie
    assert guarded.client().get("/", Cookie=kept).status == 303
    assert guarded.audit()[-1]["event"] == "signed-out"


def test_a_new_password_ends_the_sessions_of_the_old_one(guarded: Served) -> None:
    from edge_app.clinic.page import accounts

    users = guarded.folder / "users"
    accounts.set_password(users, "berta", "first password")
    client = guarded.client()
    assert sign_in(client, "berta", "first password") == 303
    assert client.get("/").status == 200
    accounts.set_password(users, "berta", "second password")
    assert client.get("/").status == 303
    accounts.forget(users, "berta")
    assert sign_in(client, "berta", "second password") == 403


def test_a_cookie_that_was_changed_is_nobody_s(guarded: Served) -> None:
    client = guarded.client()
    sign_in(client)
    name, _, value = client.cookie.partition("=")
    content, _, signature = value.partition(".")
    for forged in (f"{content}.{'0' * 64}", f"{content}x.{signature}", content, ".", "\x7f", "é"):
        cookie = f"{name}={forged}".encode("latin-1", "replace").decode("latin-1")
        assert guarded.client().get("/", Cookie=cookie).status == 303


def test_a_program_comes_in_by_its_token(guarded: Served, png: bytes) -> None:
    token = (guarded.folder / "token").read_text()
    client = guarded.client(token)
    assert client.upload(("by program.png", png + b"p")).status == 201
    assert guarded.client(token[:-1] + "x").get("/status", Accept="*/*").status == 401
    scraper = Client(guarded.metrics, token)
    assert scraper.get("/metrics").status == 200
    assert Client(guarded.metrics).get("/metrics").status == 401


def test_guessing_is_slowed_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_app.clinic.page import accounts, tries

    monkeypatch.setattr(tries, "FIRST_PAUSE", 300.0)  # for a machine that is slow
    accounts.set_password(tmp_path / "users", "anna", "correct horse")
    with serving(tmp_path, 'users = "users"') as served:
        client = served.client()
        guesses = [sign_in(client, password=f"guess number {i}") for i in range(6)]
        assert guesses == [403] * 5 + [429]
        assert sign_in(client) == 429
        assert [each["event"] for each in served.audit()] == ["sign-in-refused"] * 5
        assert "guess" not in json.dumps(served.audit())


def test_over_tls_cookies_are_for_tls_alone(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = '[page.tls]\ncertificate = "certificate.pem"\nkey = "key.pem"'
    with serving(tmp_path, page=tls) as served:
        context = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
        url = f"https://localhost:{served.port}/"
        with urllib.request.urlopen(url, context=context) as came:
            assert "; Secure" in came.headers["Set-Cookie"]


# Peers that are slow, or not there


def test_peers_that_never_speak_keep_nobody_out(served: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(300)]
    slow = socket.create_connection(("127.0.0.1", served.port))
    slow.sendall(b"GET / HTTP/1.1\r\nHost: local")
    try:
        assert served.client().get("/").status == 200
    finally:
        for each in (*silent, slow):
            each.close()


def test_a_peer_that_does_not_end_its_request_is_sent_away(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_app.clinic.page import http_deadlines

    monkeypatch.setattr(http_deadlines, "ASKING_SECONDS", 1.0)
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.settimeout(60)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert slow.recv(100) == b""


def test_an_upload_that_stops_half_way_is_given_up_and_leaves_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_app.clinic.page import http_deadlines

    monkeypatch.setattr(http_deadlines, "STALLED_SECONDS", 1.0)
    client = served.client()
    client.get("/")
    whole = multipart([("form", None, client.form.encode()), ("file", "a", bytes(1 << 20))])
    head = (
        f"POST /upload HTTP/1.1\r\nHost: localhost\r\nCookie: {client.cookie}\r\nContent-Type: "
        f"multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(whole)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port)) as stopping:
        stopping.settimeout(60)
        stopping.sendall(head.encode() + whole[:100_000])
        wait_for(lambda: bool(list(served.box.store.images.glob("*.arriving"))), "a part of it")
        assert stopping.recv(100) == b""
    wait_for(lambda: not list(served.box.store.images.glob("*.arriving")), "its removal")


# The box


def test_the_status_page_tells_all_of_it(served: Served) -> None:
    page = served.client().get("/status").text
    model = served.box.settings.model
    for words in (
        f"127.0.0.1:{served.port}",
        model,
        "litert",
        "The box works",
        "free",
        __version__,
    ):
        assert words in page


def test_health_is_said_when_it_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        client = served.client()
        assert (client.get("/healthz").status, client.get("/healthz").text) == (200, "ok\n")
        for worker in served.box._workers:
            worker.stop()
            worker.join()
        assert client.get("/healthz").status == 503
        assert "worker" in client.get("/status").text
        assert Client(served.metrics).get("/healthz").status == 503


def test_trouble_is_on_the_status_page(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.box.events.tell("undelivered", receiver="archive", why="status A700h out of room")
        page = served.client().get("/status").text
        assert "undelivered" in page
        assert "status A700h out of room" in page


def test_a_receiver_that_gets_nothing_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        number = served.client().upload(("a.txt", b"text")).json["images"][0]["number"]
        served.wait(number)
        with served.box.store.transaction() as database:
            database.execute(
                "INSERT INTO delivery (image, receiver, document, trouble) VALUES (?, 'old', 'd', "
                "'cannot be reached')",
                (number,),
            )
        page = served.client().get("/status").text
        assert "The box works" not in page
        assert "Results do not reach: old" in page
        assert "old (no longer in the settings)" in page
        assert "cannot be reached" in page


def test_an_error_that_nobody_foresaw_is_one_line_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path) as served:
        room = served.box._rooms[0]
        assert isinstance(room, ReadingRoom)

        def broken(*_: object) -> None:
            raise ZeroDivisionError("patient Meier")

        client = served.client()
        monkeypatch.setattr(room.worklist, "page", broken)
        came = client.get("/")
        assert came.status == 500
        assert "Meier" not in came.text
        assert client.get("/status").status == 200
        assert room.events.troubles[-1].facts == {"kind": "ZeroDivisionError"}


def test_the_box_ends_while_pages_are_open(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        idle = socket.create_connection(("127.0.0.1", served.port))
        began = time.monotonic()
    assert time.monotonic() - began < 60
    idle.close()
