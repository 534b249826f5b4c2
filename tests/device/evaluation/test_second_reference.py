"""Scores judged by what others said of some of the images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import edge_app
from edge_app.core.errors import DatasetError, UsageError
from edge_app.evaluation.report import Report, read, write
from edge_app.evaluation.second_reference import ANY, groups_of, judged, sentences
from edge_app.evaluation.second_reference import read as read_second

from ..conftest import Run
from ..reports import answers, report

GROUPS = {"Opacity": ["Atelectasis", "Consolidation"], "Air": ["Pneumothorax"]}


def said(folder: Path, source: Report, right: bool = True) -> Path:
    """A CSV that says of the first 100 images what their logits say, or the opposite."""
    labels, place = source.labels.names, folder / "others.csv"
    lines = ["image,Opacity,Air,Fracture"]
    for image, logits in zip(source.evaluated.images[:100], source.evaluated.logits, strict=False):
        opaque = max(logits[labels.index(name)] for name in GROUPS["Opacity"]) > 0
        air = logits[labels.index("Pneumothorax")] > 0
        words = ("YES" if yes == right else "NO" for yes in (opaque, air))
        lines.append(f"{image},{','.join(words)},")
    place.write_text("\n".join(lines))
    return place


def by_group(source: Report, place: Path, groups: dict[str, list[str]] = GROUPS) -> dict:
    found = judged(source, read_second(place, groups))
    return {row["group"]: row for row in found["groups"]}


def test_scores_rank_by_who_says_what_they_say(tmp_path: Path) -> None:
    source = report(answers(noise=0))
    found = by_group(source, said(tmp_path, source))
    assert found["Air"]["auroc"]["value"] == 1
    assert found["Opacity"]["auroc"]["value"] > 0.95  # noisy or, not the larger one
    assert 0.5 < found["Air"]["auroc_by_labels"]["value"] < 1
    turned = by_group(source, said(tmp_path, source, right=False))
    assert turned["Air"]["auroc"]["value"] == 0
    agreement = found["Air"]["agreement"]["value"] + turned["Air"]["agreement"]["value"]
    assert agreement == pytest.approx(1)


def test_only_images_that_were_judged_count(tmp_path: Path) -> None:
    source = report(answers())
    place = said(tmp_path, source)
    place.write_text(place.read_text() + "\nelsewhere.png,YES,YES,YES\n")
    found = judged(source, read_second(place, GROUPS))
    assert found["images"] == 100
    assert found["judged"] == ["Opacity", "Air", "Fracture"]
    row = by_group(source, place)["Air"]
    channel = source.labels.names.index("Pneumothorax")
    assert row["labelled"] == source.evaluated.targets[:100, channel].sum()
    assert row["images"] == 100


def test_an_empty_cell_was_not_judged(tmp_path: Path) -> None:
    source = report(answers())
    (tmp_path / "others.csv").write_text(
        "image,Opacity,Air\n00000.png,,YES\n00001.png,NO,NO\n00002.png,YES,NO\n"
    )
    found = by_group(source, tmp_path / "others.csv")
    assert found["Opacity"]["images"] == 2
    assert found["Air"]["images"] == found[ANY]["images"] == 3
    assert found[ANY]["said"] == 2


def test_nothing_was_seen_only_where_all_was_judged(tmp_path: Path) -> None:
    source = report(answers())
    (tmp_path / "others.csv").write_text(
        "image,Opacity,Air\n00000.png,NO,\n00001.png,NO,NO\n00002.png,YES,\n00003.png,,\n"
    )
    whole = by_group(source, tmp_path / "others.csv")[ANY]
    assert (whole["images"], whole["said"]) == (2, 1)


def test_intervals_are_over_patients(tmp_path: Path) -> None:
    source = answers(noise=0)
    place = said(tmp_path, report(source))
    alike = replace(source, patients=np.array([f"p{i // 25}" for i in range(len(source.images))]))
    of_many, of_few = (by_group(report(each), place)["Air"] for each in (source, alike))
    assert of_many["auroc_by_labels"]["low"] is not None
    assert of_many["auroc_by_labels"] != of_few["auroc_by_labels"]


def test_ten_images_that_both_call_alike_are_no_certainty(tmp_path: Path) -> None:
    """By Wilson ten of ten are 72 % at least; few patients make it less."""
    source = report(answers())
    air = source.evaluated.targets[:10, source.labels.names.index("Pneumothorax")]
    rows = [f"{i:05d}.png,{'YES' if yes else 'NO'}\n" for i, yes in enumerate(air)]
    (tmp_path / "others.csv").write_text(f"image,Air\n{''.join(rows)}")
    agreement = by_group(source, tmp_path / "others.csv", {"Air": ["Pneumothorax"]})["Air"][
        "agreement"
    ]
    assert (agreement["value"], agreement["high"]) == (1, 1)
    assert 0.5 < agreement["low"] < 0.73


def test_in_words(tmp_path: Path) -> None:
    source = report(answers(noise=0))
    found = judged(source, read_second(said(tmp_path, source), GROUPS))
    whole, opacity, _ = sentences(found, "radiologists", "NIH's")
    assert "radiologists saw Opacity, Air or Fracture on" in whole
    assert opacity.startswith("**Opacity**: radiologists saw it on ")
    assert "of 100 images, NIH's labels name it on" in opacity
    for row in found["groups"]:
        row["agreement"] = {"value": 0.5, "low": 0.004, "high": 0.996}
    assert "agree on 50 % (< 1 to > 99) of them" in sentences(found, "radiologists", "NIH's")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: needs a column 'image'"),
        ("picture,Air\n", "line 1: needs a column 'image'"),
        ("image,Air\na.png,MAYBE\n", "line 2: 'MAYBE' is neither YES nor NO"),
        ("image,Air\na.png,YES\na.png,NO\n", "line 3: a.png is there already"),
        ("image,Air\na.png\n", "line 2: 1 cells, not 2"),
        ("image,Air\nother.png,YES\n", "judges none of the images"),
    ],
)
def test_a_csv_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "others.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        judged(report(answers()), read_second(tmp_path / "others.csv", {}))


@pytest.mark.parametrize("groups", [{"Water": ["Mass"]}, {"Air": ["Wind"]}])
def test_a_group_of_what_there_is_not_is_refused(
    tmp_path: Path, groups: dict[str, list[str]]
) -> None:
    source = report(answers())
    with pytest.raises(UsageError, match="--group"):
        judged(source, read_second(said(tmp_path, source), groups))


def test_a_column_that_judges_nothing_has_no_figures(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("image,lump\n00015.png,\n")
    (whole, lump) = judged(report(answers()), read_second(path, {"lump": ["Mass"]}))["groups"]
    for row in (whole, lump):
        assert row["images"] == 0
        assert row["auroc"] == {"value": None, "low": None, "high": None}


def test_a_heading_of_several_lines_makes_no_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text('image,"a\n\x1b[2Jb"\nx.png,YES\n')
    second = read_second(path, {"lump": ["Mass"]})
    with pytest.raises(UsageError) as caught:
        second.require(report(answers()).labels)
    assert str(caught.value).isprintable()


def test_groups_as_they_are_typed() -> None:
    assert groups_of(["Opacity=Atelectasis|Consolidation"]) == {"Opacity": GROUPS["Opacity"]}
    for wrong in ("Opacity", "=Mass", "Opacity="):
        with pytest.raises(UsageError, match="COLUMN=LABEL"):
            groups_of([wrong])


def test_it_stands_in_the_report(run: Run, tmp_path: Path, picture: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"image,labels\n{picture.name},Effusion\n")
    others, out = tmp_path / "more" / "others.csv", tmp_path / "report.json"
    others.parent.mkdir()
    others.write_text(f"image,Water\n{picture.name},YES\n")
    options = ("--model", "cxr-cnn28", "--labels", tmp_path / "labels.csv", "--out", out)
    done = run(
        "evaluate", tmp_path, *options, "--second-reference", others, "--group", "Water=Effusion"
    )
    assert done.returncode in (0, 3)
    assert "by others.csv: 1 images of 1 patients" in done.stdout
    content = read(out).content
    assert [row["group"] for row in content["second_reference"]["groups"]] == [ANY, "Water"]
    schema = Path(edge_app.__file__).parent / "evaluation" / "report.schema.json"
    jsonschema.validate(json.loads(out.read_text()), json.loads(schema.read_text()))
    again = tmp_path / "again.json"
    write(read(out), again)
    assert read(again).content["second_reference"] == content["second_reference"]
    alone = run("evaluate", tmp_path, *options, "--group", "Water=Effusion")
    assert alone.returncode == 2
