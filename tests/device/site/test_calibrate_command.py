"""`edge-cxr calibrate` as its users call it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge_app.core.plain_text import percent
from edge_app.evaluation.report import read as read_report
from edge_app.model import site as sites

from ..conftest import Run
from .made import evaluated, model, written

CNN28 = ("--model", "cxr-cnn28")


def test_from_a_report_to_a_decision(run: Run, tmp_path: Path, picture: Path) -> None:
    place, page = tmp_path / "site.json", tmp_path / "page.html"
    done = run("calibrate", written(tmp_path), *CNN28, "--out", place, "--html", page)
    assert done.returncode == 0
    site = sites.read(place)
    assert f"site file {site.digest[:16]}" in done.stderr
    assert "target: at most 1 in 10 normal images is flagged (95 % certain)" in done.stdout
    assert "1,000 images" in done.stdout
    answer = json.loads(run("classify", "--json", "--site", place, picture).stdout)
    assert answer["overall"]["threshold"] == round(site.content["overall"]["threshold"], 6)
    assert site.digest[:16] in page.read_text()
    found = site.content["overall"]["ppv"]["value"]
    assert found is not None
    table = run("classify", "--site", place, picture).stdout
    assert f"at this site {percent(found)} (" in table
    assert "at this site" not in run("classify", *CNN28, "--site", "none", picture).stdout


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.circles = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.circles += tag == "circle"
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]


def test_the_page_shows_every_choice_and_calls_nobody(run: Run, tmp_path: Path) -> None:
    place, page = tmp_path / "site.json", tmp_path / "page.html"
    run("calibrate", written(tmp_path), *CNN28, "--out", place, "--html", page)
    found, content = Page(), sites.read(place).content
    found.feed(page.read_text())
    assert found.tags.isdisjoint({"script", "img", "link", "iframe"})
    assert found.links == []
    # each choice once, the model's own point, the chosen one
    others = [c for c in content["choices"] if c["threshold"] != content["overall"]["threshold"]]
    assert found.circles == len(others) + 2
    for choice in others:
        assert choice["option"] in page.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sensitivity", "0.9", "--specificity", "0.9"), "exclude each other"),
        (("--sensitivity", "2"), "a share from 0.5"),
        (("--prevalence", "1"), "a share from 0.0001"),
        (("--false-alarms", "1000"), "patients have images without a finding, and 2997"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    run: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "site.json"
    done = run("calibrate", written(tmp_path), *CNN28, "--out", out, *options)
    assert done.returncode in (2, 3)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_a_report_of_another_model_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("calibrate", written(tmp_path), "--model", "cxr-lite0-128")
    assert done.returncode == 3
    assert "of another network than cxr-lite0-128" in done.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,labels\n{0},none\n", "tells neither age nor sex nor view"),
        ("image,labels,sex\nx/{0},none,F\n", "names none of the images of the report"),
    ],
)
def test_groups_that_nobody_is_in_are_no_silence(
    run: Run, tmp_path: Path, table: str, message: str
) -> None:
    subgroups, out = tmp_path / "people.csv", tmp_path / "site.json"
    subgroups.write_text(table.format(evaluated().images[0]))
    done = run("calibrate", written(tmp_path), *CNN28, "--out", out, "--subgroups", subgroups)
    assert done.returncode == 3
    assert message in done.stderr
    assert not out.exists()


def test_images_that_are_in_no_group_are_counted(run: Run, tmp_path: Path) -> None:
    subgroups, out = tmp_path / "people.csv", tmp_path / "site.json"
    lines = [f"{image},none,F,{40 + i}" for i, image in enumerate(evaluated().images[:1100])]
    subgroups.write_text("\n".join(["image,labels,sex,age", *lines]))
    done = run("calibrate", written(tmp_path), *CNN28, "--out", out, "--subgroups", subgroups)
    assert done.returncode == 0
    assert "100 of 1200 images are not in it" in done.stderr
    assert "140 ages are not known, first 1000: in no age band" in done.stderr


def test_evaluate_at_a_site_says_so(run: Run, tmp_path: Path, picture: Path) -> None:
    place = tmp_path / "site.json"
    run("calibrate", written(tmp_path, evaluated()), *CNN28, "--out", place)
    (tmp_path / "labels.csv").write_text(f"image,labels\n{picture.name},Effusion\n")
    out = tmp_path / "again.json"
    run("evaluate", tmp_path, *CNN28, "--site", place, "--out", out)
    content, site = read_report(out).content, sites.read(place)
    assert content["model"]["site"] == site.digest
    assert content["calibration"] == site.content["decisions"]["calibration"]
    assert content["model"]["sha256"] == model().sha256
