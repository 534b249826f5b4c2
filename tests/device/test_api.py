"""`import edge_app` as an integrator uses it."""

from __future__ import annotations

import doctest
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge_app
from edge_app.pipeline.reader import ImageSource


@pytest.fixture(scope="module")
def model() -> edge_app.Model:
    return edge_app.open_model("cxr-cnn28")


def scores(findings: edge_app.Findings) -> list[float]:
    return [finding.score for finding in findings.values()]


def test_importing_it_imports_nothing_that_computes_and_nothing_else_is_needed(
    picture: Path, tmp_path: Path
) -> None:
    script = f"""
import sys
import edge_app
assert not sys.modules.keys() & {{"numpy", "PIL", "edge_app.api", "edge_app.classifier"}}
assert "open_model" in dir(edge_app)
model = edge_app.open_model("cxr-cnn28")
findings = model.classify({str(picture)!r})
print(findings["Effusion"].score, findings.overall, findings.heatmap("Effusion").shape)
for path, answer in model.classify_all([{str(picture)!r}, "none.png"], workers=2):
    try:
        print(path, len(answer) if not isinstance(answer, edge_app.ImageError) else answer)
    except edge_app.EdgeCxrError:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [f"{picture} 15", "none.png no such file"]


def test_every_public_name_is_there_and_no_other() -> None:
    for name in edge_app.__all__:
        assert getattr(edge_app, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = edge_app.nothing


def test_a_path_its_bytes_an_open_file_and_its_array_are_answered_alike(
    model: edge_app.Model, picture: Path, phantom: np.ndarray
) -> None:
    expected = scores(model.classify(picture))
    with picture.open("rb") as file:
        assert scores(model.classify(file)) == expected
    assert scores(model.classify(str(picture))) == expected
    assert scores(model.classify(picture.read_bytes())) == expected
    assert scores(model.classify(io.BytesIO(picture.read_bytes()))) == expected
    assert scores(model.classify(phantom)) == expected
    assert scores(model.classify(np.asfortranarray(phantom))) == expected
    assert scores(model.classify(phantom.astype(np.uint16) * 257)) == expected


def test_an_array_of_12_bits_is_windowed_to_them_and_that_is_said(
    model: edge_app.Model, phantom: np.ndarray
) -> None:
    deep = phantom.astype(np.uint16) << 4
    findings = model.classify(deep)
    assert scores(findings) == scores(model.classify(phantom))
    assert findings.warnings == ("uses 12 of 16 bits: windowed to them",)
    assert findings.image["bits"] == 12


def test_findings_are_a_mapping_by_label(model: edge_app.Model, picture: Path) -> None:
    findings = model.classify(picture)
    assert list(findings) == list(model.labels)
    effusion = findings["Effusion"]
    assert effusion.label == "Effusion"
    assert 0 < effusion.score < 1
    assert effusion.threshold is not None
    assert effusion.above is (findings.flagged and effusion.score >= effusion.threshold)
    assert effusion.usually is not None
    assert findings.overall == pytest.approx(1 - findings["No Finding"].score, abs=0.02)
    assert findings.ranked[0].label == max(
        set(findings) - {"No Finding"}, key=lambda label: findings[label].score
    )
    assert findings.withheld is None
    assert findings.warnings == ()
    assert "Fracture" not in findings
    for ask in (findings.__getitem__, findings.heatmap):
        with pytest.raises(edge_app.EdgeCxrError, match="no label 'Fracture'; there are: Atel"):
            ask("Fracture")
    with pytest.raises(KeyError):
        findings["Fracture"]


def test_a_heatmaps_mean_is_the_labels_logit(model: edge_app.Model, picture: Path) -> None:
    findings = model.classify(picture)
    cells = findings.heatmap("Cardiomegaly")
    assert (cells.dtype, cells.ndim) == (np.float32, 2)
    assert float(cells.mean()) == pytest.approx(findings["Cardiomegaly"].logit, abs=0.2)


def test_what_is_no_radiograph_has_no_findings_and_says_why(model: edge_app.Model) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    findings = model.classify(noise)
    assert findings.withheld is not None
    assert "does not look like" in findings.withheld
    assert (len(findings), findings.overall) == (0, None)
    with pytest.raises(edge_app.LabelError, match=r"withheld.*force=True"):
        findings["Effusion"]
    forced = edge_app.open_model("cxr-cnn28", force=True).classify(noise)
    assert len(forced) == 15
    assert forced.warnings


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("none.png", "no such file"),
        (b"", "is empty"),
        (b"text", "is not a PNG"),
        (np.zeros((4, 4)), "float64 .* give height×width, uint8 or uint16"),
        (np.zeros((4, 4, 3), np.uint8), "give height×width"),
        (np.zeros((0, 4), np.uint8), "there is no image in it"),
        (np.zeros((5001, 5000), np.uint8), "more than 25000000"),
        (7, "no image can be made of int"),
        ("-", "no such file"),
    ],
)
def test_what_cannot_be_read_is_said(model: edge_app.Model, image: ImageSource, words: str) -> None:
    with pytest.raises(edge_app.ImageError, match=words):
        model.classify(image)


def test_many_are_answered_in_order_and_faults_are_answers(
    model: edge_app.Model, picture: Path, phantom: np.ndarray
) -> None:
    for workers in (1, 3, None):
        images: list[ImageSource] = []
        for _ in range(5):
            images += [picture, b"broken", phantom, io.BytesIO(picture.read_bytes())]
        sources, answers = zip(*model.classify_all(images, workers=workers), strict=True)
        assert all(one is other for one, other in zip(sources, images, strict=True))
        kinds = [type(answer) for answer in answers]
        assert kinds == [edge_app.Findings, edge_app.ImageError, *[edge_app.Findings] * 2] * 5
    with pytest.raises(edge_app.UsageError, match="workers=0"):
        model.classify_all([], workers=0)


def test_it_can_be_left_early(model: edge_app.Model, picture: Path) -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(picture)
            yield picture

    for _ in model.classify_all(endless(), workers=2):
        break
    assert len(taken) < 20


def test_threads_may_share_a_model(model: edge_app.Model, picture: Path) -> None:
    expected = scores(model.classify(picture))
    found: list[list[float]] = []

    def ask() -> None:
        found.extend(scores(model.classify(picture)) for _ in range(10))
        found.extend(scores(answer) for _, answer in model.classify_all([picture] * 4, workers=2))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 56
    assert all(each == expected for each in found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "none"}, "no such file; shipped models are: "),
        ({"operating_point": "none"}, "has no operating point 'none'; it has: "),
        ({"backend": "none"}, "there are "),
        ({"threads": 0}, "give 1 or more"),
    ],
)
def test_a_model_that_cannot_be_opened_says_what_there_is(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(edge_app.EdgeCxrError, match=words):
        edge_app.open_model(**options)  # type: ignore[arg-type]


def test_options_are_those_of_classify(picture: Path, cnn28: Path) -> None:
    model = edge_app.open_model(cnn28, operating_point="rule-in", threads=2)
    assert model.operating_point == "per-label:rule-in"
    assert model.notes == ()
    assert "rule-in" in repr(model)
    small = edge_app.open_model(cnn28, max_pixels=100)
    with pytest.raises(edge_app.ImageError, match="more than 100"):
        small.classify(picture)


def test_a_folder_is_evaluated_and_compared(
    make_nih: Callable[..., Path], tmp_path: Path, model: edge_app.Model
) -> None:
    findings = ("Mass", "Edema|Effusion", "No Finding", "Nodule")
    rows = [(f"{i:02d}.png", findings[i % 4], i // 2) for i in range(24)]
    folder = make_nih(tmp_path / "data", rows, size=(40, 36))
    (folder / "images" / "03.png").write_bytes(b"broken")
    report = edge_app.evaluate(folder, model, out=tmp_path / "a.json", split="all", workers=2)
    assert report.content["dataset"]["images"] == 23
    assert report.content["dataset"]["left_out"]["first"][0]["image"] == "03.png"
    assert (tmp_path / "a.json").is_file()
    again = edge_app.evaluate(
        folder, "cxr-cnn28", out=tmp_path / "b.json", split="all", workers=1, retest=True
    )
    np.testing.assert_array_equal(again.evaluated.logits, report.evaluated.logits)
    compared = edge_app.compare(tmp_path / "b.json", report, resamples=200)
    assert compared.content["macro"]["auroc"]["difference"]["value"] == 0
    met = {gate.gate for gate in compared.gates if gate.passed}
    assert "macro_auroc" in met
    strict = edge_app.compare(again, report, resamples=200, gates={"macro_auroc": 0.5})
    assert not strict.passed
    with pytest.raises(edge_app.UsageError, match="there are"):
        edge_app.compare(again, report, gates={"nothing": 1})
    with pytest.raises(edge_app.UsageError, match=r"ends in \.json"):
        edge_app.evaluate(folder, model, out=tmp_path / "a.txt")
    with pytest.raises(edge_app.DatasetError):
        edge_app.evaluate(tmp_path / "nowhere", model, out=tmp_path / "a.json")
    with pytest.raises(edge_app.ReportError, match="no such file"):
        edge_app.compare(tmp_path / "none.json", report)


def test_pictures_of_the_networks_own_size_are_not_changed_by_it(model: edge_app.Model) -> None:
    pixels = np.array(Image.new("L", (28, 28), 3))
    pixels[4:20, 4:20] = 200
    before = pixels.copy()
    model.classify(pixels)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(("page", "lines"), [("README.md", 5), ("docs/python.md", 9)])
def test_the_manual_shows_what_runs(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    page: str,
    lines: int,
) -> None:
    monkeypatch.chdir(repository)
    text = (repository / page).read_text("utf-8")
    shown = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    ran = doctest.DocTestRunner().run(shown)
    assert ran.attempted == lines
    assert ran.failed == 0, capsys.readouterr().out


def test_a_model_of_other_labels_answers_by_them(repository: Path, phantom: np.ndarray) -> None:
    models = repository / "tests" / "models"
    one = edge_app.open_model(models / "one-label.tflite", force=True)
    findings = one.classify(phantom)
    assert tuple(findings) == one.labels
    assert findings.overall == pytest.approx(scores(findings)[0])  # it has no normal label
    assert findings.flagged is None
    exclusive = edge_app.open_model(models / "three-exclusive.tflite", force=True)
    findings = exclusive.classify(phantom)
    assert sum(scores(findings)) == pytest.approx(1)
    (normal,) = [each for each in findings.values() if each.kind == "normal"]
    assert findings.overall == 1 - normal.score
    many = edge_app.open_model(models / "forty-labels.tflite", force=True)
    findings = many.classify(phantom)
    assert len(findings) == 40
    with pytest.raises(edge_app.ModelError, match="no map"):
        findings.heatmap(many.labels[0])
