"""`edge-cxr archive --ray`: the same rows from a cluster's workers, whoever of them dies."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_app.archive import cluster
from edge_app.archive.answers import answers
from edge_app.archive.store import Store
from edge_app.classifier import Classifier
from edge_app.core.about import __version__
from edge_app.core.errors import DatasetError, MissingExtraError, RuntimeUnavailableError
from edge_app.images.radiograph import Limits
from edge_app.model.model_file import read
from edge_app.pipeline import parquet

from ..conftest import Run
from .measure_cluster import Costs, plan

pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")

MODEL = ("--model", "cxr-cnn28", "--threads", 1)
COUNT = 150


@pytest.fixture(scope="module")
def classifier(cnn28: Path) -> Classifier:
    return Classifier(read(cnn28))


@pytest.fixture
def share(picture: Path, tmp_path: Path) -> Path:
    """One radiograph under many names, and a broken file."""
    folder = tmp_path / "share"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.png").symlink_to(picture)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    found = parquet.read(parquet.parts_of(folder), parquet.schema().names)
    return sorted(found, key=lambda row: row["file"])


def workers() -> list[int]:
    """The processes that score for Ray and were started by nobody but this test."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::Scorer"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def test_a_cluster_answers_as_one_machine_does_and_a_killed_worker_loses_nothing(
    run: Run, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="pip install 'edge-cxr[ray]'")
    killed: list[int] = []
    add: Callable[..., None] = Store.add

    def kill_once(self: Store, row: dict[str, Any]) -> None:
        add(self, row)
        if not killed:
            killed.extend(workers()[:1])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(Store, "add", kill_once)
    done = run(
        *("archive", share, "--out", tmp_path / "a", *MODEL, "--workers", 2, "--ray", "local")
    )
    monkeypatch.undo()
    assert done.returncode == 3, done.stderr
    assert len(killed) == 1
    run("archive", share, "--out", tmp_path / "b", *MODEL, "--workers", 2)
    assert len(rows(tmp_path / "a")) == COUNT + 1
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert not workers()
    again = run("archive", share, "--out", tmp_path / "a", *MODEL)
    assert f"going on: {COUNT + 1} sources are answered already" in again.stderr


def test_a_classifier_that_is_handed_on_answers_the_same(
    classifier: Classifier, picture: Path
) -> None:
    work = cluster.Work(
        classifier, Limits(), classifier.session.backend.identity(), __version__, os.getcwd()
    )
    opened = cluster._opened(pickle.loads(pickle.dumps(work)))
    assert list(answers([str(picture)], *opened)) == list(
        answers([str(picture)], classifier, Limits())
    )


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"version": "0.0"}, rf"has edge-cxr {__version__}: install 0.0, as here"),
        ({"computes": {"name": "other", "version": "1"}}, "this machine with other 1: install"),
    ],
)
def test_a_worker_with_other_versions_answers_nothing(
    classifier: Classifier, other: dict[str, Any], words: str
) -> None:
    work = cluster.Work(classifier, Limits(), classifier.session.backend.identity(), "0", ".")
    work = work._replace(version=__version__)._replace(**other)
    with pytest.raises(RuntimeUnavailableError, match=words):
        cluster._opened(pickle.loads(pickle.dumps(work)))


def refusal(kind: str) -> dict[str, Any]:
    return {"file": "x", "error": {"kind": kind, "message": "is not there"}}


def test_what_a_worker_alone_cannot_read_is_no_fault_of_the_image(
    classifier: Classifier, picture: Path, tmp_path: Path
) -> None:
    def confirmed(source: Path, kind: str) -> list[Any]:
        return list(cluster._confirmed([(str(source), refusal(kind))], classifier, Limits()))

    with pytest.raises(DatasetError, match=r"can be read here, but not by a worker: is not there"):
        confirmed(picture, "image")
    ((_, row),) = confirmed(picture, "machine")  # a worker without memory: answered here
    assert row["findings"]
    ((_, row),) = confirmed(tmp_path / "none.png", "image")
    assert row["error"]["message"] != "is not there"  # this machine's own words


def test_without_ray_its_extra_is_named(
    run: Run, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    done = run("archive", share, "--out", tmp_path / "a", *MODEL, "--ray", "local")
    assert done.returncode == MissingExtraError.exit_code
    assert "--ray needs Ray: pip install 'edge-cxr[ray]'" in done.stderr


def test_an_address_where_no_cluster_is_is_said_at_once(
    run: Run, share: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="pip install 'edge-cxr[ray]'")
    done = run("archive", share, "--out", tmp_path / "a", *MODEL, "--ray", "127.0.0.1:1")
    assert done.returncode == RuntimeUnavailableError.exit_code
    assert "--ray 127.0.0.1:1: no cluster can be reached: " in done.stderr


def test_a_plan_names_its_bottleneck_first() -> None:
    costs = Costs(read=1e-3, decode=2e-3, score=7e-3, keep=1e-4, image=1e6, answer=1e3)
    few, many = (plan(costs, machines, 4, link=125e6, share=1250e6) for machines in (1, 64))
    assert few[0][1] == pytest.approx(125)  # a machine's link before its 400 images a second
    assert few[0][0] == "the workers' links"
    assert many[0] == ("the share's link", pytest.approx(1250))
    free = plan(costs._replace(image=1.0), 64, 4, link=125e6, share=1250e6)
    assert [round(rate) for _, rate in free[:2]] == [10_000, 25_600]
