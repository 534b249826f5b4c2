"""`edge-cxr archive`: every source once, whenever the work was broken off."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_app.archive import answers as archive_answers
from edge_app.archive import store as stores
from edge_app.archive.listing import Listing, place_of
from edge_app.archive.seen import INDEX
from edge_app.archive.store import DONE, Store
from edge_app.core.errors import DatasetError, MachineError, OutputError
from edge_app.images.phantom import synthetic_radiograph
from edge_app.pipeline import parquet

from ..conftest import Run
from ..parquet_rows import answer_of

pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")

MODEL = ("--model", "cxr-cnn28", "--threads", 1, "--workers", 1)
COUNT = 12


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve radiographs in folders, one broken file, and what is passed over."""
    folder = tmp_path_factory.mktemp("share")
    picture = synthetic_radiograph(64, seed=1)
    for number in range(COUNT):
        place = folder / f"year-{number % 3}" / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(np.roll(picture, number, axis=1)).save(place)
    (folder / "year-0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (folder / ".hidden").write_bytes(b"")
    (folder / "DICOMDIR").write_bytes(b"")
    return folder


def answers(folder: Path) -> list[dict[str, Any]]:
    """All answers of an archive, by name."""
    found = parquet.read(parquet.parts_of(folder), parquet.schema().names)
    return sorted(map(answer_of, found), key=lambda answer: answer["file"])


def files(share: Path) -> list[str]:
    return sorted(str(path) for path in share.glob("year-*/*"))


def test_each_source_is_a_row_and_the_refusals_are_counted(
    run: Run, share: Path, tmp_path: Path
) -> None:
    done = run("archive", share, "--out", tmp_path / "a", *MODEL)
    assert done.returncode == 3, done.stderr
    assert [answer["file"] for answer in answers(tmp_path / "a")] == files(share)
    table = [line.split("  ")[-1].strip() for line in done.stdout.splitlines()]
    numbers = [int(line.split()[0]) for line in done.stdout.splitlines()]
    assert numbers[:2] == [COUNT + 1, COUNT]
    assert numbers[table.index("refused")] == 1
    assert "2 hidden entries and DICOM directories are left out" in done.stderr
    assert (tmp_path / "a" / DONE).exists()


def test_a_row_is_what_classify_prints(run: Run, share: Path, tmp_path: Path) -> None:
    run("archive", share, "--out", tmp_path / "a", *MODEL)
    line = ("classify", share, "--recursive", "--json", "--threads", 1, "--workers", 1)
    printed = [json.loads(row) for row in run(*line).stdout.splitlines()]
    printed = [answer for answer in printed if not answer["file"].endswith("DICOMDIR")]
    for answer in printed:
        if "error" not in answer:  # what is the same in all rows is not repeated in each
            assert answer["overall"].pop("caution")
    assert sorted(printed, key=lambda answer: answer["file"]) == answers(tmp_path / "a")


def test_the_same_command_answers_nothing_twice(run: Run, share: Path, tmp_path: Path) -> None:
    own = tmp_path / "share"
    shutil.copytree(share, own)
    line = ("archive", own, own / "year-1", "--out", tmp_path / "a", *MODEL)
    first = run(*line)
    before = answers(tmp_path / "a")
    assert len(before) == COUNT + 1
    shutil.copy(own / "year-0" / "0.png", own / "new.png")
    second = run(*line)
    assert f"going on: {COUNT + 1} sources are answered already" in second.stderr
    found = answers(tmp_path / "a")
    assert len(found) == COUNT + 2
    assert [answer for answer in found if answer["file"] != str(own / "new.png")] == before
    assert first.returncode == second.returncode == 3


@pytest.mark.parametrize("null", [False, True])
def test_lists_of_names_come_from_a_file_or_standard_input(
    run: Run, share: Path, tmp_path: Path, null: bool
) -> None:
    names = files(share)[:4]
    odd = tmp_path / "two\nlines.png"
    if null:
        shutil.copy(names[0], odd)
        names.append(str(odd))
    text = "".join(f"{name}{chr(0) if null else os.linesep}" for name in [*names, names[0]])
    (tmp_path / "list").write_text(text)
    more = ("--null",) if null else ()
    run("archive", "--names", tmp_path / "list", "--out", tmp_path / "a", *MODEL, *more)
    run("archive", "-", "--out", tmp_path / "b", *MODEL, *more, stdin=text.encode())
    assert len(answers(tmp_path / "a")) == len(names)
    assert answers(tmp_path / "a") == answers(tmp_path / "b")


def test_shards_are_disjoint_and_together_the_whole(run: Run, share: Path, tmp_path: Path) -> None:
    run("archive", share, "--out", tmp_path / "whole", *MODEL)
    shards = [tmp_path / f"shard-{number}" for number in (1, 2, 3)]
    for number, shard in enumerate(shards, 1):
        run("archive", share, "--shard", f"{number}/3", "--out", shard, *MODEL)
    counts = [len(answers(shard)) for shard in shards]
    assert max(counts) < sum(counts) == COUNT + 1
    done = run("archive", "merge", *shards, "--out", tmp_path / "merged")
    assert done.returncode == 3
    assert answers(tmp_path / "merged") == answers(tmp_path / "whole")
    assert f"{COUNT + 1}  sources answered" in done.stdout
    again = run("archive", share, "--out", tmp_path / "merged", *MODEL)
    assert f"going on: {COUNT + 1}" in again.stderr

    for line, words in (
        (shards[:2], "missing: 3/3"),
        ([shards[0], shards[0], shards[1]], "name each of 3 once; missing: 3/3"),
        ([tmp_path / "whole", tmp_path / "merged"], "sources are in two of the archives, such as"),
        ([share], "is no folder of edge-cxr archive"),
    ):
        done = run("archive", "merge", *line, "--out", tmp_path / "other")
        assert done.returncode == 3
        assert words in done.stderr
        assert not (tmp_path / "other").exists()
    (shards[1] / DONE).unlink()
    done = run("archive", "merge", *shards, "--out", tmp_path / "other")
    assert "is not finished" in done.stderr


def test_a_shard_is_chosen_by_the_name_alone() -> None:
    found = [place_of(f"/share/{number}.dcm", 4) for number in range(4000)]
    assert min(np.bincount(found)) > 900
    assert found[:8] == [2, 0, 1, 2, 2, 3, 0, 3]  # on every machine


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_a_shard_that_cannot_be_is_refused(run: Run, tmp_path: Path, shard: str) -> None:
    done = run("archive", tmp_path, "--shard", shard, "--out", tmp_path / "a")
    assert done.returncode == 2
    assert "write I/N" in done.stderr


def test_another_model_or_point_does_not_go_on(run: Run, share: Path, tmp_path: Path) -> None:
    run("archive", share / "year-1", "--out", tmp_path / "a", *MODEL)
    for more, what in (
        (("--model", "cxr-lite0-128"), "model"),
        (("--force",), "force"),
        (("--shard", "1/2"), "shard"),
    ):
        done = run("archive", share, "--out", tmp_path / "a", *MODEL, *more)
        assert done.returncode == 4
        assert "was begun with another" in done.stderr, done.stderr
        assert what in done.stderr


def test_a_second_process_is_told_to_wait(run: Run, share: Path, tmp_path: Path) -> None:
    run("archive", share / "year-1", "--out", tmp_path / "a", *MODEL)
    subject = json.loads((tmp_path / "a" / "archive.json").read_text())
    own = {key: each for key, each in subject.items() if key not in ("kind", "schema_version")}
    with Store(tmp_path / "a", own):
        done = run("archive", share, "--out", tmp_path / "a", *MODEL)
    assert done.returncode == 4
    assert "another process is writing to it" in done.stderr


def test_a_share_that_vanishes_ends_the_work_and_no_image_is_blamed(
    run: Run, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, away = tmp_path / "share", tmp_path / "away"
    shutil.copytree(share, own)
    read = archive_answers.read_any
    seen = 0

    def vanishing(*arguments: Any, **options: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 5:
            own.rename(away)
            own.mkdir()  # the empty place where it was mounted
        return read(*arguments, **options)

    monkeypatch.setattr(archive_answers, "read_any", vanishing)
    line = ("archive", own, "--out", tmp_path / "a", *MODEL)
    done = run(*line)
    assert done.returncode == 3
    assert "is another folder than it was: once it is back" in done.stderr
    own.rmdir()
    done = run(*line)
    assert done.returncode == 3
    assert f"{own}: no such file or folder" in done.stderr
    away.rename(own)
    run(*line)
    assert [answer["file"] for answer in answers(tmp_path / "a")] == files(own)
    assert sum("error" in answer for answer in answers(tmp_path / "a")) == 1


def test_a_source_that_the_machine_lacked_memory_for_is_tried_again(
    share: Path, tmp_path: Path
) -> None:
    names = files(share)[:3]
    by: dict[str, Any] = {"model": {}, "operating_point": "p"}
    shortage = {"error": {"kind": "machine", "message": "could not be read: out of memory"}, **by}
    refusal = {"error": {"kind": "image", "message": "is empty"}, **by}
    for turn in range(2):
        with Store(tmp_path / "a", {"of": "a test"}) as store:
            new = [name for name in names if store.is_new(name)]
            assert new == (names if not turn else names[1:2])
            for name in new:
                lacks = name == names[1] and not turn
                store.add({"file": name, **(shortage if lacks else refusal)})
            if turn:
                store.finish()
                continue
            with pytest.raises(MachineError, match=f"answered: 1, such as {names[1]}: .* goes on"):
                store.finish()
            assert not (tmp_path / "a" / DONE).exists()
    assert [answer["error"]["kind"] for answer in answers(tmp_path / "a")] == ["image"] * 3


def test_a_full_disk_keeps_what_was_answered(
    run: Run, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".parquet":
            raise OSError(28, "No space left on device")
        write_whole(path, data)

    write_whole = stores.write_whole
    monkeypatch.setattr(stores, "write_whole", full)
    line = ("archive", share, "--out", tmp_path / "a", *MODEL)
    done = run(*line)
    assert done.returncode == 4
    assert "No space left on device: make room, then the same command goes on" in done.stderr
    monkeypatch.undo()
    done = run(*line)
    assert f"going on: {COUNT + 1}" in done.stderr
    assert len(answers(tmp_path / "a")) == COUNT + 1


# --- the folder, step by step ------------------------------------------------------------------


def answer(number: int) -> dict[str, Any]:
    rest: dict[str, Any] = dict.fromkeys(("operating_point", "disclaimer"), "x")
    return {"file": f"{number}.png", "error": {"kind": "image", "message": "no"}, **rest}


def held(folder: Path) -> list[str]:
    return sorted(parquet.names(parquet.parts_of(folder)))


def test_parts_are_filled_one_after_the_other(tmp_path: Path) -> None:
    with Store(tmp_path, {}, 3) as store:
        for number in range(8):
            assert store.is_new(f"{number}.png")
            assert not store.is_new(f"{number}.png")
            store.add(answer(number))
        assert len(held(tmp_path)) == 6
    with Store(tmp_path, {}, 3) as store:
        assert store.answered == 8
        assert not any(store.is_new(f"{number}.png") for number in range(8))
        store.finish()
    assert held(tmp_path) == [f"{number}.png" for number in range(8)]
    assert not list(tmp_path.glob("*.journal"))


def test_what_is_no_text_ends_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, {}) as store:
        odd = answer(0)
        odd["error"] = {"kind": "image", "message": "says \udcff and \ud800"}
        store.add(odd)
        store.finish()
    (found,) = answers(tmp_path)
    assert found["error"]["message"] == "says ? and ?"


def test_answers_within_a_source_are_no_sources(run: Run, share: Path, tmp_path: Path) -> None:
    own = tmp_path / "share"
    shutil.copytree(share, own)
    for _ in range(2):
        run("archive", own, "--out", own / "answers", *MODEL)
    assert len(answers(own / "answers")) == COUNT + 1


class Killed(BaseException):
    """As if the process ended here."""


STEPS = ("write_whole", "Journal.append", "Journal.remove", "Journal.__init__", "Seen.add")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_after_any_step_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    place: Any = stores
    *owner, name = step.split(".")
    for each in owner:
        place = getattr(place, each)
    real, left = getattr(place, name), 0

    def killed(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        result = real(*arguments, **options)
        if left == 0:
            raise Killed
        return result

    monkeypatch.setattr(place, name, killed)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # no power is cut here
    for moment in range(1, 6):
        folder = tmp_path / str(moment)
        for left in (moment, 1000):  # noqa: B007
            store = None
            try:
                store = Store(folder, {}, 2)
                for number in range(5):
                    if store.is_new(f"{number}.png"):
                        store.add(answer(number))
                store.finish()
            except Killed:
                pass
            _dropped(store)
        assert held(folder) == [f"{number}.png" for number in range(5)]
        assert not list(folder.glob("*.journal"))


def _dropped(store: Store | None) -> None:
    """Let go of what a killed process would."""
    import gc

    if store is not None:
        os.close(store._lock)
        store._journal._file.close()
        store._seen.close()
    gc.collect()


@pytest.mark.parametrize("older", [False, True])
def test_what_all_answers_share_is_in_the_journal_once_and_in_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    """An older journal says it in each line; both are gone on with."""
    changed = [{"version": "1"}, {"version": "1"}, {"version": "2"}, {"version": "2"}]
    rows = [{**answer(number), "runtime": each} for number, each in enumerate(changed)]
    with monkeypatch.context() as patch:
        if older:
            patch.setattr(stores, "SHARED", ())
        with Store(tmp_path, {}) as store:
            for row in rows[:3]:
                store.add(row)
    (journal,) = tmp_path.glob("*.journal")
    assert journal.read_text().count('"runtime"') == (3 if older else 2)
    with Store(tmp_path, {}) as store:
        store.add(rows[3])
        store.finish()
    found = parquet.read(parquet.parts_of(tmp_path), parquet.schema().names)
    made = [answer_of(row) for row in found]
    assert [row["runtime"] for row in made] == changed
    assert {row["operating_point"] for row in made} == {rows[0]["operating_point"]}


def test_the_index_is_made_anew_where_it_is_lost_damaged_or_ahead(tmp_path: Path) -> None:
    def fill(numbers: range) -> None:
        with Store(tmp_path, {}, 2) as store:
            for number in numbers:
                if store.is_new(f"{number}.png"):
                    store.add(answer(number))
            store.finish()

    fill(range(6))
    for damage in (
        lambda: (tmp_path / INDEX).unlink(),
        lambda: (tmp_path / INDEX).write_bytes(b"no database" * 1000),
        lambda: parquet.parts_of(tmp_path)[-1].unlink(),
    ):
        damage()
        fill(range(6))
        assert held(tmp_path) == [f"{number}.png" for number in range(6)]


def test_what_is_no_archive_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text("{}")
    with pytest.raises(OutputError, match="is no archive's, or of a newer version"):
        Store(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir() if path.name != "lock"] == ["archive.json"]


# --- names -------------------------------------------------------------------------------------


def test_the_first_name_comes_before_the_folder_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless:
        """A folder of more names than anybody could wait for."""

        def __enter__(self) -> Iterator[Any]:
            number = 0
            while True:
                number += 1
                yield type(
                    "Entry",
                    (),
                    {
                        "name": f"{number}.png",
                        "path": f"{number}.png",
                        "is_dir": lambda self, follow_symlinks: False,
                    },
                )()

        __iter__ = __enter__

    class Scan:
        def __enter__(self) -> Iterator[Any]:
            return iter(Endless())

        def __exit__(self, *_: Any) -> None: ...

    monkeypatch.setattr("os.scandir", lambda place: Scan())
    names = iter(Listing([str(tmp_path)]))
    assert [next(names) for _ in range(3)] == ["1.png", "2.png", "3.png"]


def test_a_folder_in_a_circle_of_links_is_gone_through_once(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "circle").symlink_to(tmp_path)
    found = sorted(Path(name).name for name in Listing([str(tmp_path)]))
    assert found == ["a.png", "circle"]


def test_a_name_too_long_for_any_file_system_ends_a_list(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"x" * 200_000)
    with pytest.raises(DatasetError, match="a name of more than 65536 bytes"):
        list(Listing([], [str(tmp_path / "list")]))


# --- reports of it -----------------------------------------------------------------------------


def test_reports_and_comparisons_are_made_of_an_archive(
    run: Run, share: Path, tmp_path: Path
) -> None:
    run("archive", share, "--out", tmp_path / "a", *MODEL)
    labels = ["image,labels"]
    labels += [f"{number}.png,{'Mass' if number % 2 else 'none'}" for number in range(COUNT - 2)]
    (tmp_path / "labels.csv").write_text("\n".join(labels) + "\n")
    line = ("--labels", tmp_path / "labels.csv")
    done = run("evaluate", "--scores", tmp_path / "a", *line, "--out", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    assert "3 more images of a bear no known label" in done.stdout
    csv = run("classify", *files(share), "--csv").stdout
    (tmp_path / "printed.csv").write_text(csv)
    part = parquet.parts_of(tmp_path / "a")[0]
    line = (*line, "--resamples", 100, "--json")
    found = json.loads(run("compare", tmp_path / "printed.csv", part, *line).stdout)
    assert found["dataset"]["images"] == 10
    assert [(row["label"], row["support"]) for row in found["labels"]] == [("Mass", 5)]
    assert found["logits"]["largest"] == pytest.approx(0, abs=1e-4)
    drifted = run("drift", tmp_path / "a", "--model", "cxr-cnn28")
    assert f"{COUNT} images, 0 withheld, 1 could not be read" in drifted.stdout


# --- real kills --------------------------------------------------------------------------------


@pytest.mark.process
def test_real_kills_leave_what_one_run_leaves(run: Run, share: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    line = ["archive", str(share), "--out", str(out), *map(str, MODEL)]
    command = [sys.executable, "-m", "edge_app", *line]
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        before = _size(out)
        while process.poll() is None and _size(out) <= before and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(*line)
    run("archive", share, "--out", tmp_path / "whole", *MODEL)
    assert answers(out) == answers(tmp_path / "whole")


def _size(out: Path) -> int:
    return sum(path.stat().st_size for path in out.glob("part-*")) if out.exists() else 0
