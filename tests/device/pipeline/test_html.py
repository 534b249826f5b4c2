"""`classify --html`: one page that says what the table says, and calls nobody."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_app import DISCLAIMER
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.decisions import RAISED_MEANS
from edge_app.pipeline import html

from ..clinic.page.browser import browsing
from ..conftest import Run
from ..pictures import hazy


class Page(HTMLParser):
    """What a reader sees, and what the page refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = False
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def pictures(self) -> list[Image.Image]:
        sources = [str(of["src"]) for tag, of in self.tags if tag == "img"]
        data = [source.removeprefix("data:image/png;base64,") for source in sources]
        return [Image.open(io.BytesIO(base64.b64decode(each, validate=True))) for each in data]

    def rows(self) -> list[list[str]]:
        """The cells of each finding, without those of the facts."""
        cells = re.findall(r"<tr>(<td>.*?)</tr>", self.source)
        plain = [re.sub(r"<svg.*?</svg>|<b [^>]*>|</b>", "", row) for row in cells]
        return [re.findall(r"<td>(.*?)</td>", row) for row in plain if " %" in row]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A radiograph, noise and a picture that cannot be read, by names that HTML may choke on."""
    made = tmp_path / "films"
    made.mkdir()
    Image.fromarray(hazy()).save(made / "1 <b>&amp;.png")
    noise = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
    Image.fromarray(noise).save(made / "2.png")
    (made / "3.png").write_text("no picture")
    return made


def test_the_page_says_what_the_table_says(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    table = run("classify", "--model", "cxr-lite0-128", folder, "--html", out)
    assert table.returncode == 3
    page = Page(out)
    lines = [line.strip() for line in table.stdout.splitlines()]
    assert lines[1].startswith("flagged; raised: Effusion")
    for line in lines[1:4]:  # verdict, numbers, caution
        assert line in page.texts
    start = next(i for i, line in enumerate(lines) if line.startswith("finding "))
    rows = [re.sub(" normal\\b", "", line) for line in lines[start + 1 : start + 15]]
    shown = [re.split(r"  +", row) for row in rows]
    expected = [
        [" ".join(filter(None, [label, word])), *numbers]
        for label, *numbers, word in ((*row, "")[:5] if len(row) == 4 else row for row in shown)
    ]
    assert page.rows() == expected
    assert "Effusion raised" in [label for label, *_ in expected]
    assert RAISED_MEANS in page.texts
    assert RAISED_MEANS in lines
    footer = lines[lines.index("", start) :]
    for begin in ("operating point", "normal:", "probability, usually:"):
        (line,) = (each for each in footer if each.startswith(begin))
        assert line in page.texts
    assert "The network knows the 14 findings and nothing else" in page.texts
    assert any("knows the 14 findings and nothing else" in line for line in footer)


def test_what_is_not_judged_and_what_is_not_read_stand_there_with_their_reasons(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    done = run("classify", folder, "--html", tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    assert "1 not scored, 1 could not be read" in page.text
    assert "Not scored: the picture does not look like an upright" in page.text
    reason = next(line for line in done.stderr.splitlines() if "3.png" in line)
    assert f"Could not be read: {reason.split('3.png: ')[1]}" in page.texts
    assert page.text.count("probable that it is not normal") == 1
    assert page.text.count("a mirrored picture may go unnoticed") == 1
    assert page.text.count("picture quality is hardly checked") == 1
    # The radiograph, which has nothing to be drawn, and the picture of noise, in their shapes.
    assert [picture.size for picture in page.pictures] == [(512, 512), (512, 384)]


def test_the_list_has_a_line_for_each_image_and_each_caution_once(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    Image.fromarray(hazy(flagged=False)).save(folder / "1a.png")
    Image.fromarray(synthetic_radiograph(256, seed=1)).save(folder / "1b.png")
    ask = ("classify", "--model", "cxr-lite0-128", folder, "--html", tmp_path / "a.html")
    done = run(*ask)
    source = (tmp_path / "a.html").read_text("utf-8").partition("</header>")[0]
    lines = re.findall("<li>(.*?)</li>", source)
    listed = [re.sub("<[^>]*>", "", line).removeprefix(f"{folder}/") for line in lines]
    verdicts = [
        line.partition("raised: ")[2]
        for line in done.stdout.splitlines()
        if re.search("flagged; (but )?raised", line)
    ]
    reason = next(line for line in done.stderr.splitlines() if "3.png" in line)
    assert listed == [
        f"1 &lt;b&gt;&amp;amp;.png flagged raised: {verdicts[0]}",
        f"1a.png not flagged but raised: {verdicts[1]}",
        "1b.png not flagged nothing is raised",
        "2.png not scored does not look like an upright frontal chest radiograph",
        f"3.png could not be read {reason.split('3.png: ')[1]}",
    ]
    assert source.count("does not mean ill: ") == source.count("does not mean normal: ") == 1


def test_the_radiograph_and_its_heatmap_are_in_the_page(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    Image.fromarray(hazy()).save(picture)
    ask = ("classify", "--model", "cxr-lite0-128", picture)
    done = run(*ask, "--html", tmp_path / "a.html", "--heatmap", tmp_path / "maps")
    assert done.returncode == 0
    assert "heatmap: " in done.stdout
    page = Page(tmp_path / "a.html")
    assert f"edge-cxr: written: {tmp_path / 'a.html'}" in done.stderr.splitlines()
    # The verdict, what is marked and the warning stand before the pictures, these before the table.
    order = ["flagged; raised: Effusion", "does not mean ill", "<img ", 'class="wide findings"']
    assert re.search(".*".join(order), page.source.split("<section", 1)[1], re.DOTALL)
    plain, overlaid = page.pictures
    (file,) = (tmp_path / "maps").iterdir()
    with Image.open(file) as drawn:
        np.testing.assert_array_equal(np.asarray(overlaid), np.asarray(drawn)[:512])
    with Image.open(picture) as original:
        apart = np.asarray(plain.resize(original.size)).astype(int) - np.asarray(original)
    assert np.abs(apart).mean() < 2
    assert "3 of 14 findings shown: what is raised" in page.text
    assert "this map does not show where" in page.text
    assert "the finding may be anywhere, in colour or not" in page.text


def test_it_calls_nobody_and_runs_nothing(run: Run, folder: Path, tmp_path: Path) -> None:
    run("classify", folder, "--html", tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form", "b>"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert all(str(attributes.get(key, "#")).startswith("#") for key in ("href", "action"))
        assert str(attributes.get("src", "data:")).startswith("data:")
    assert "url(" not in page.source
    policy = next(of["content"] for tag, of in page.tags if "http-equiv" in of)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert page.text.count("1 <b>&amp;.png") == 2  # in the list, and above its answer


def test_it_names_the_model_next_to_the_disclaimer(run: Run, picture: Path, tmp_path: Path) -> None:
    answer = json.loads(run("classify", picture, "--json", "--html", tmp_path / "a.html").stdout)
    page = Page(tmp_path / "a.html")
    assert answer["model"]["sha256"] in page.texts
    assert answer["model"]["digest"] in page.texts
    assert answer["operating_point"] in page.texts
    assert page.texts.count(DISCLAIMER) == 3  # at the top, beside the scores, at the end
    from ..site.made import site_file

    site = site_file(tmp_path)
    run("classify", picture, "--site", site, "--html", tmp_path / "b.html")
    page = Page(tmp_path / "b.html")
    assert json.loads(site.read_text())["digest"] in page.texts
    (usually,) = (text for text in page.texts if text.startswith("probability, usually: "))
    assert usually.startswith(
        "probability, usually: at this site (1200 images of 400 patients); higher than: at least "
        "so many of the "
    )


def test_thresholds_stand_there_where_labels_are_decided_one_by_one(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    ask = ("classify", picture, "--operating-point", "per-label:screening")
    answer = json.loads(run(*ask, "--json", "--html", tmp_path / "a.html").stdout)
    above = {row["label"] for row in answer["findings"] if row["above"]} - {"No Finding"}
    page = Page(tmp_path / "a.html")
    assert above
    assert {row[0] for row in page.rows() if row[0].endswith(" above")} == {
        f"{label.replace('_', ' ')} above" for label in above
    }
    assert "Threshold" in page.texts
    assert "raised" not in page.text
    assert not [row for row in page.rows() if len(row) != 3]


def test_a_model_without_a_map_has_a_page_without_heatmaps(
    run: Run, picture: Path, tmp_path: Path, repository: Path
) -> None:
    model = repository / "tests/models/forty-labels.tflite"
    done = run("classify", "--model", model, picture, "--html", tmp_path / "a.html")
    assert done.returncode == 0
    page = Page(tmp_path / "a.html")
    assert len(page.pictures) == 1
    assert "Heatmap" not in page.texts


def test_a_page_holds_so_many_images_and_says_of_how_many_it_does_not(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MAX_PICTURES", 2)
    done = run("classify", folder, "--html", tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    assert "1 more images have no place on this page: it shows the first 2." in page.texts
    assert "has no place for 1 more images" in done.stderr
    assert "3 images: " in page.text
    assert "3.png" not in page.text


def test_where_nothing_is_read_there_is_a_page_that_says_so(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    done = run("classify", folder / "3.png", "--html", tmp_path / "out.html")
    assert done.returncode == 3
    assert "1 image: 1 could not be read" in Page(tmp_path / "out.html").texts


def test_the_page_of_a_batch_that_was_broken_off_says_so(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = html.HtmlWriter.answer

    def broken_off(self: html.HtmlWriter, *args: Any) -> None:
        answer(self, *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(html.HtmlWriter, "answer", broken_off)
    done = run("classify", folder, "--html", tmp_path / "out.html")
    assert "interrupted after" in done.stderr
    assert "Interrupted: images are missing here." in Page(tmp_path / "out.html").texts


def test_what_was_scored_is_not_called_unjudged(run: Run, repository: Path, tmp_path: Path) -> None:
    """A model without an input check scores a blank picture, and says what that is worth."""
    Image.new("L", (64, 64), 90).save(tmp_path / "blank.png")
    model = repository / "tests/models/forty-labels.tflite"
    done = run("classify", "--model", model, tmp_path / "blank.png", "--html", tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert "is blank" in done.stdout + done.stderr
    assert "Not scored" not in page.text
    assert "its scores mean nothing" in page.text
    assert page.rows()


def test_an_image_is_not_overwritten_by_its_page(run: Run, picture: Path) -> None:
    before = picture.read_bytes()
    done = run("classify", picture, "--html", picture)
    assert done.returncode == 2
    assert "a page's name ends in .html" in done.stderr
    assert not done.stdout
    assert picture.read_bytes() == before


def test_a_folder_that_is_not_there_is_said_before_anything_is_scored(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.html").mkdir()
    for target, why in (("absent/a.html", "there is no folder"), ("folder.html", "is a folder")):
        done = run("classify", picture, "--html", tmp_path / target)
        assert done.returncode == 4
        assert why in done.stderr
        assert not done.stdout


@pytest.mark.process
def test_a_browser_shows_it_wide_and_narrow_in_light_and_dark(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.html"
    run("classify", folder, "--html", out)
    with browsing(0) as browser:
        for width, dark in ((1280, False), (1280, True), (320, False)):
            browser.resize(width, dark=dark)
            browser.driver.get(out.as_uri())
            browser.settled()
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
            assert browser.faults() == []
            assert browser.log() == []
