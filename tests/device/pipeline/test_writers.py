"""What programs and spreadsheets are given, whatever the names and the streams are."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app.classifier import Classifier, Findings
from edge_app.core.plain_text import cell, file_cell, is_utf8_stream
from edge_app.images.radiograph import Radiograph
from edge_app.model.decisions import Finding
from edge_app.model.model_file import locate, read
from edge_app.pipeline.html import HtmlWriter
from edge_app.pipeline.writers import TableWriter

from ..conftest import Run
from ..pictures import hazy

FORMULAS = ("=1+1", "+1", "-1", "@x", "\tx", "\rx")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_others_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert file_cell(text) == f"./{text}"


@pytest.mark.parametrize("text", ["", "-", "a.png", "/=a", "0.5", "'=1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == file_cell(text) == text


def test_a_csv_of_files_named_as_formulas_has_none(run: Run, picture: Path, tmp_path: Path) -> None:
    names = ["=cmd.png", "+1.png", "-2.png", "@sum.png"]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in names:
        shutil.copy(picture, folder / name)
    (folder / "=broken.png").write_bytes(b"no image")
    sources = [name for name in [*names, "=broken.png"] if not name.startswith("-")]
    done = run("classify", "--csv", *sources, cwd=folder)
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert len(rows) == 1 + len(sources)
    assert not [each for row in rows for each in row if each.startswith(("=", "+", "-", "@"))]
    assert [row[0] for row in rows[1:]] == [f"./{name}" for name in sources]
    assert all((folder / row[0]).is_file() for row in rows[1:])


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_whatever_the_streams_encoding(
    encoding: str, run: Run, picture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "Röntgen-片.png"
    shutil.copy(picture, path)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = f'"$0" -m edge_app classify --json --model cxr-cnn28 "$1" > "{tmp_path}/out"'
    line = ["sh", "-c", command, sys.executable, str(path)]
    subprocess.run(line, env=environment, check=True)
    data = (tmp_path / "out").read_bytes()
    answer = json.loads(data.decode("utf-8"))
    assert answer["file"] == str(path)


def test_a_csv_says_by_what_an_image_is_flagged_and_what_that_is_worth(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    """As the table and JSON do: who has a `flagged` alone takes it for a diagnosis."""
    (tmp_path / "broken.png").write_bytes(b"no image")
    sources = (picture, tmp_path / "broken.png")
    for point in ("screening", "one-in-ten"):
        ask = ("classify", *sources, "--operating-point", point)
        row, refused = csv.DictReader(io.StringIO(run(*ask, "--csv").stdout))
        answer = json.loads(run(*ask, "--json").stdout.splitlines()[0])
        whole = answer["overall"]
        assert float(row["threshold"]) == whole["threshold"]
        assert float(row["usually"]) == pytest.approx(whole["usually"], abs=1e-6)
        assert row["model_digest"] == refused["model_digest"] == answer["model"]["digest"]
        assert row["caution"] == whole["caution"]
        assert f"  {row['caution']}\n" in run(*ask).stdout
        assert refused["caution"] == refused["threshold"] == refused["usually"] == ""
    ask = ("classify", picture, "--operating-point", "per-label:balanced", "--csv")
    (row,) = csv.DictReader(io.StringIO(run(*ask).stdout))
    assert row["caution"] == row["threshold"] == row["flagged"] == ""


def test_a_stream_tells_whether_it_is_utf8() -> None:
    assert is_utf8_stream(io.StringIO())
    for name, expected in (("UTF8", True), ("utf-8", True), ("ascii", False), ("latin-1", False)):
        assert is_utf8_stream(io.TextIOWrapper(io.BytesIO(), encoding=name)) is expected


def test_a_name_that_is_longer_than_files_names_is_a_missing_image(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    Image.new("L", (64, 64), 90).save(tmp_path / "data" / "a.png")
    rows = ["image,patient,labels", "a.png,1,Mass", f"{'x' * 300}.png,2,Mass"]
    (tmp_path / "data" / "labels.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "report.json"
    done = run(
        "evaluate", tmp_path / "data", "--model", "cxr-cnn28", "--split", "all", "--out", out
    )
    assert "cannot write the output" not in done.stderr
    assert "missing" in done.stderr


def test_a_picture_smaller_than_the_networks_input_is_reported(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    """128x128 is what cxr-lite0-128 sees, 28x28 what cxr-cnn28 does."""
    small, enough = tmp_path / "small.png", tmp_path / "enough.png"
    with Image.open(picture) as original:
        original.resize((128, 127)).save(small)
        original.resize((128, 128)).save(enough)
    said = "is 128x127, enlarged to the network's 128x128: even more small findings are missed"
    ask = ("classify", "--model", "cxr-lite0-128")
    page = tmp_path / "page.html"
    table = run(*ask, small, "--html", page)
    assert f"  warning: the picture {said}" in table.stdout.splitlines()
    assert f"The picture {said}" in html.unescape(page.read_text())
    assert json.loads(run(*ask, small, "--json").stdout)["warnings"] == [said]
    (row,) = csv.DictReader(io.StringIO(run(*ask, small, "--csv").stdout))
    assert row["warnings"] == said
    assert json.loads(run(*ask, enough, "--json").stdout)["warnings"] == []
    other = run("classify", "--model", "cxr-cnn28", small, "--json")
    assert json.loads(other.stdout)["warnings"] == []


def test_an_image_that_is_not_flagged_is_never_left_as_normal(run: Run, picture: Path) -> None:
    lines = run("classify", "--model", "cxr-lite0-128", picture).stdout.splitlines()
    assert lines[1] == "  not flagged; nothing is raised"
    assert lines[3] == (
        "  'not flagged' does not mean normal: of all that are not normal 60 % are missed on "
        "validation images, 38 % on test images"
    )
    assert any(line.startswith("  Pleural Thickening ") for line in lines)


def test_what_is_raised_on_an_image_that_is_not_flagged_is_named_at_once(
    run: Run, tmp_path: Path
) -> None:
    """And once: the verdict does not take itself back."""
    Image.fromarray(hazy(flagged=False)).save(tmp_path / "raised.png")
    page = tmp_path / "page.html"
    done = run("classify", "--model", "cxr-lite0-128", tmp_path / "raised.png", "--html", page)
    assert done.stdout.splitlines()[1] == "  not flagged; but raised: Effusion"
    assert done.stdout.count("raised: Effusion") == 1
    said = page.read_text("utf-8")
    assert said.count("raised: Effusion") == 2  # in the list, and at its picture
    assert "<b>not flagged; but raised: Effusion</b>" in said


def test_a_finding_whose_digits_are_its_thresholds_is_borderline(tmp_path: Path) -> None:
    """In the table and on the page, where both stand side by side."""
    classifier = Classifier(read(locate("cxr-cnn28")), "per-label:screening")
    scored = ("Mass", 0.0854, 0.0852), ("Edema", 0.0852, 0.0854), ("Mass_2", 0.09, 0.08)
    found = Findings(
        tuple(Finding(name, 0.0, at, limit, at >= limit) for name, at, limit in scored),
        *(None, (), False),
    )
    image = Radiograph(np.zeros((9, 9), np.uint8), {"width": 9, "height": 9, "format": "PNG"})
    out, page = io.StringIO(), tmp_path / "page.html"
    writer = HtmlWriter(TableWriter(classifier, None, out), classifier, page)
    writer.answer("x", image, found)
    writer.write()
    table = {line.split()[0]: line for line in out.getvalue().splitlines() if " % " in line}
    assert table["Mass"].endswith("8.5 %      8.5 %  above, borderline")
    assert table["Edema"].endswith("8.5 %      8.5 %  not above, borderline")
    words = re.findall(r'<b class="word">([^<]*)</b>', page.read_text("utf-8"))
    assert words == ["above", "above, borderline", "not above, borderline"]
