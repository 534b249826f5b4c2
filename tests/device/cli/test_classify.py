"""`edge-cxr classify` as its users meet it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app import DISCLAIMER
from edge_app.model.decisions import RAISED_MEANS
from edge_app.model.model_file import read
from edge_app.pipeline.words import BY_LABELS
from train.labels import LABELS

from ..conftest import Run
from ..pictures import hazy


def scores(answer: dict[str, object]) -> list[tuple[str, float]]:
    return [(row["label"], row["score"]) for row in answer["findings"]]  # type: ignore[index,attr-defined]


def rows_of(lines: list[str]) -> list[tuple[str, str]]:
    """The findings of a table of one image: each label, and the rest of its line."""
    start = next(i for i, line in enumerate(lines) if line.startswith("  finding "))
    return [(line[2:22].strip(), line[22:]) for line in lines[start + 1 : start + 15]]


def test_the_table_shows_the_image_first_then_every_finding_and_the_disclaimer(
    run: Run, picture: Path
) -> None:
    done = run("classify", picture)
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[1].startswith(("  flagged; ", "  not flagged; "))
    assert " of all validation images are not, lower where fewer are (threshold " in lines[2]
    assert " of 100 normal validation images" in lines[2]
    rows = rows_of(lines)
    readable = {label.replace("_", " ") for label in LABELS}
    assert sorted(label for label, _ in rows) == sorted(readable - {"No Finding"})
    probabilities = [float(row.split(" %")[0].replace("<", "")) for _, row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert lines[-6].endswith(
        ": knows the 14 findings and nothing else; picture quality is hardly checked: "
        "blur or tilt can lose a flag"
    )
    worth = (
        r"operating point 'one-in-ten': flags 10\.0 % of normal validation images and misses "
        r"[\d.]+ % of the others; of other patients' images \(test, \d+ images of \d+ patients\) "
        r"flags [\d.]+ % of normal ones and misses [\d.]+ % of the others"
    )
    assert re.fullmatch(worth, lines[-5])
    assert lines[-4] == BY_LABELS
    images = "validation, 2238 images of 633 patients"
    assert lines[-3] == (
        f"probability, usually: among the images the model was calibrated on ({images}); "
        "higher than: at least so many of the 1393 normal ones among them"
    )
    assert lines[-2] == RAISED_MEANS
    assert len(lines) == 26
    assert done.stdout.endswith(DISCLAIMER + "\n")
    assert "picture.png  (256x256 PNG, seen at 28x28: small findings are missed)" in done.stdout


def test_what_is_probable_and_twice_as_much_as_usual_is_raised_and_nothing_else(
    run: Run, picture: Path
) -> None:
    Image.fromarray(hazy()).save(picture)
    model = ("--model", "cxr-lite0-128")
    answer = json.loads(run("classify", *model, "--json", picture).stdout)
    raised = [
        row["label"].replace("_", " ")
        for row in sorted(answer["findings"], key=lambda row: row["rank"] or 99)
        if row["kind"] == "finding"
        and round(row["probability"], 3) >= max(0.1, 2 * round(row["prevalence"], 3))
    ]
    lines = run("classify", *model, picture).stdout.splitlines()
    rows = rows_of(lines)
    assert [label for label, row in rows if row.endswith("  raised")] == raised
    assert lines[1] == f"  flagged; raised: {', '.join(raised)}"
    worth = r"mean ill: where 1 image in 10 .* these are right: on .* \d+ % of all flags"
    assert re.search(worth, lines[3])
    assert all(len(row) + 22 <= 80 for _, row in rows)
    assert 0 < len(raised) < len(rows)


def test_json_of_one_image_holds_what_a_result_needs_to_be_trusted(
    run: Run, picture: Path, cnn28: Path
) -> None:
    answer = json.loads(run("classify", "--json", picture).stdout)
    model = read(cnn28)
    assert [label for label, _ in scores(answer)] == list(LABELS)
    assert model.digest is not None
    assert answer["model"] == {
        "name": model.name,
        "sha256": model.sha256,
        "digest": model.digest,
        "dtype": "int8",
    }
    assert answer["preprocessing"]["height"] == 28
    assert answer["operating_point"] == "one-in-ten"
    assert answer["label_operating_point"] == "balanced"
    assert answer["runtime"]["delegate"] == "cpu"
    assert answer["disclaimer"] == DISCLAIMER
    overall = answer["overall"]
    assert overall["flagged"] is (overall["probability"] >= overall["threshold"])
    assert 0 <= overall["percentile"] <= 1
    findings = sorted(
        (row for row in answer["findings"] if row["kind"] == "finding"), key=lambda r: r["rank"]
    )
    assert [row["rank"] for row in findings] == list(range(1, 15))
    for row, following in pairwise(findings):
        assert 0 <= following["probability"] <= row["probability"] <= 1
        assert row["probability"] == row["score"]
        assert 0 <= row["percentile"] <= 1
        assert 0 < row["prevalence"] < 1


def test_many_images_are_json_lines_in_the_order_given(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    names = [f"{letter}.png" for letter in "cab"]
    for name in names:
        Image.fromarray(np.roll(phantom, len(name), 0)).save(tmp_path / name)
    done = run("classify", "--json", *(tmp_path / name for name in names))
    assert [Path(json.loads(line)["file"]).name for line in done.stdout.splitlines()] == names


def test_a_folder_is_answered_by_name_and_only_entered_deeper_when_asked(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    for name in ("b.png", "a.png", "no_suffix", "below/c.png", ".hidden.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(phantom).save(path, format="PNG")

    def names(*options: str) -> list[str]:
        done = run("classify", "--json", *options, tmp_path)
        assert done.returncode == 0
        assert "left out" in done.stderr
        answers = map(json.loads, done.stdout.splitlines())
        return [str(Path(answer["file"]).relative_to(tmp_path)) for answer in answers]

    assert names() == ["a.png", "b.png", "no_suffix"]
    assert names("--recursive") == ["a.png", "b.png", "no_suffix", "below/c.png"]


def test_json_holds_the_digest_of_each_file(run: Run, picture: Path) -> None:
    data = picture.read_bytes()
    answer = json.loads(run("classify", "--json", "-", stdin=data).stdout)
    assert answer["image"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_csv_has_a_row_an_image_and_tells_errors(run: Run, picture: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    done = run("classify", "--csv", picture, broken)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 3
    assert [Path(row["file"]).name for row in rows] == ["picture.png", "broken.png"]
    assert all(0 <= float(rows[0][label]) <= 1 for label in LABELS)
    assert rows[0]["error"] == ""
    assert rows[1]["error"] != ""
    assert rows[1]["Mass"] == ""


def test_standard_input_gives_what_the_file_gives(run: Run, picture: Path) -> None:
    from_file = json.loads(run("classify", "--json", picture).stdout)
    from_pipe = json.loads(run("classify", "--json", "-", stdin=picture.read_bytes()).stdout)
    assert from_pipe["file"] == "-"
    assert scores(from_pipe) == scores(from_file)
    assert from_pipe["image"] == from_file["image"]


def test_top_keeps_the_first_labels_only(run: Run, picture: Path) -> None:
    assert len(json.loads(run("classify", "--json", "--top", 3, picture).stdout)["findings"]) == 3


def test_image_level_points_change_what_is_flagged_and_not_scores(run: Run, picture: Path) -> None:
    names = ("one-in-ten", "one-in-four", "screening")
    answers = [
        json.loads(run("classify", "--json", "--operating-point", name, picture).stdout)
        for name in names
    ]
    assert scores(answers[0]) == scores(answers[1]) == scores(answers[2])
    assert tuple(answer["operating_point"] for answer in answers) == names
    thresholds = [answer["overall"]["threshold"] for answer in answers]
    assert thresholds == sorted(thresholds, reverse=True)
    assert {answer["label_operating_point"] for answer in answers} == {"balanced"}


def test_an_unknown_point_is_told_beside_those_that_there_are(run: Run, picture: Path) -> None:
    done = run("classify", "--operating-point", "none", picture)
    assert done.returncode == 2
    assert "one-in-ten, one-in-four, screening, per-label:balanced" in done.stderr


def test_points_that_decide_by_label_are_still_there(run: Run, picture: Path) -> None:
    answers = [
        json.loads(run("classify", "--json", "--operating-point", point, picture).stdout)
        for point in ("per-label:screening", "rule-in")
    ]
    for answer in answers:
        assert answer["overall"]["flagged"] is None
        for row in answer["findings"]:
            if row["kind"] == "finding":
                at = row["threshold"]
                assert row["above"] == (None if at is None else row["score"] >= at)
    table = run("classify", "--operating-point", "balanced", picture).stdout
    verdict = table.splitlines()[1]
    assert verdict.startswith(("  above the threshold: ", "  nothing is above its threshold"))
    assert "threshold" in table.splitlines()[3]
    assert scores(answers[0]) == scores(answers[1])
    thresholds = [[row["threshold"] for row in answer["findings"]] for answer in answers]
    pairs = [(low, high) for low, high in zip(*thresholds, strict=True) if low is not None]
    assert all(low <= high for low, high in pairs)
    assert any(low < high for low, high in pairs)


def test_threads_do_not_change_the_answer(run: Run, picture: Path) -> None:
    answers = [
        json.loads(run("classify", "--json", "--threads", threads, picture).stdout)
        for threads in (1, 2)
    ]
    assert scores(answers[0]) == scores(answers[1])
    assert [answer["runtime"]["threads"] for answer in answers] == [1, 2]


def test_workers_change_neither_answers_nor_their_order(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for index in range(30):
        # The first are the largest: with nothing done about it they would come last.
        picture = Image.fromarray(np.roll(phantom, 7 * index, 0)).resize((1200 - 40 * index,) * 2)
        picture.save(folder / f"{index:02d}.png", compress_level=1)
    (folder / "05.png").write_bytes(b"broken")
    one, three = (
        run("classify", "--csv", "--workers", workers, folder, "-", stdin=b"") for workers in (1, 3)
    )
    assert one.stdout == three.stdout
    assert one.stderr == three.stderr
    assert len(one.stdout.splitlines()) == 32
    assert one.returncode == three.returncode == 3


def test_an_empty_folder_is_wrong_usage_not_success(run: Run, tmp_path: Path) -> None:
    done = run("classify", tmp_path)
    assert done.returncode == 2
    assert "no image" in done.stderr


@pytest.mark.parametrize("gray", [0, 90, 255])
def test_a_blank_picture_is_flagged_no_success_and_scored_by_force_alone(
    run: Run, tmp_path: Path, gray: int
) -> None:
    path = tmp_path / "blank.png"
    Image.new("L", (300, 200), gray).save(path)
    lines = run("classify", "--force", path).stdout.splitlines()
    assert any(line.startswith("  scored by force: means nothing; ") for line in lines)
    for options, findings in (((), 0), (("--force",), len(LABELS))):
        done = run("classify", "--json", *options, path)
        answer = json.loads(done.stdout)
        assert done.returncode == 3
        assert answer["blank"] is True
        assert answer["input_check"]["kind"] == "blank"
        assert len(answer["findings"]) == findings
        assert "is blank" in done.stderr


def test_a_name_that_is_not_utf8_is_refused_and_the_rest_answered(
    run: Run, tmp_path: Path, picture: Path
) -> None:
    strange = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(strange)).write_bytes(picture.read_bytes())
    done = run("classify", "--json", strange, picture)
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 3
    assert "not UTF-8" in first["error"]["message"]
    assert "caf\\xe9.png" in first["file"]
    assert len(second["findings"]) == len(LABELS)


def test_a_name_with_control_characters_cannot_forge_a_line(run: Run, tmp_path: Path) -> None:
    done = run("classify", tmp_path / "x\ny\x1b[2J.png")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


def test_two_hundred_mixed_files_each_get_their_answer(
    run: Run, tmp_path: Path, phantom: np.ndarray
) -> None:
    """Every good one scored, every broken one named, exit code 3."""
    generator = random.Random(7)
    good, broken = [], []
    formats = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
    for index in range(200):
        path = tmp_path / f"{index:03d}"
        form = formats[index % 5]
        Image.fromarray(np.roll(phantom, index, 1)).save(path, format=form)
        whole = path.read_bytes()
        kind = index % 10
        if kind == 3:
            path.write_bytes(b"")
        elif kind == 6:
            path.write_bytes(whole[: generator.randrange(1, len(whole) // 2)])
        elif kind == 7:
            path.write_bytes(generator.randbytes(5000))
        elif kind == 9:
            path.unlink()
            os.mkfifo(path)
        (broken if kind in (3, 6, 7, 9) else good).append(path.name)
    done = run("classify", "--json", tmp_path)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3
    assert [Path(a["file"]).name for a in answers] == sorted(good + broken)
    assert [Path(a["file"]).name for a in answers if "findings" in a] == good
    for name in broken:
        assert f"{tmp_path}/{name}: " in done.stderr
    assert "120 answered (29 scored, 91 not), 80 refused" in done.stderr


def test_an_overlong_name_costs_only_itself(run: Run, picture: Path) -> None:
    for names in (("x" * 5000, picture), ("x" * 5000,)):
        done = run("classify", "--csv", *names)
        assert done.returncode == 3
        assert "cannot be read: File name too long" in done.stderr
        assert len(done.stdout.splitlines()) == 1 + len(names)
