"""What the manual shows as printed is what a command printed."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from tools.manual import printed
from tools.manual.printed import kept, listed, main, pages, quick, run, shown

SHOWN = [(page, name, text) for page in pages() for name, text in shown(page)]


@pytest.mark.parametrize(("page", "name", "text"), SHOWN, ids=[name for _, name, _ in SHOWN])
def test_a_page_shows_what_is_kept(page: Path, name: str, text: str) -> None:
    assert text == kept(name), f"{page.name}: python -m tools.manual.printed --show"


@pytest.mark.process
@pytest.mark.parametrize("name", quick())
def test_what_is_quick_prints_what_is_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(name)
    monkeypatch.setattr(printed, "KEPT", tmp_path)
    assert run(name, Console(file=io.StringIO())) == 0
    assert kept(name) == before, f"python -m tools.manual.printed {name}"


def test_every_command_of_the_list_is_shown_and_every_file_is_of_one() -> None:
    files = {path.stem for path in printed.KEPT.iterdir()}
    assert set(listed()) == {name for _, name, _ in SHOWN} == files


def test_every_marker_has_its_block() -> None:
    marker = re.compile(r"^<!-- printed: .* -->$", re.MULTILINE)
    markers = sum(len(marker.findall(page.read_text("utf-8"))) for page in pages())
    assert markers == len(SHOWN) > 0


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("No block.\n")
    page = "a\n\n<!-- printed: two -->\n```\nold\n```\n\n```\nnot printed\n```\n"
    (tmp_path / "docs" / "page.md").write_text(page)
    command = "python -c 'print(1); print(chr(92) + chr(103))'; exit 1"
    (tmp_path / "docs" / "printed.toml").write_text(f'[two]\ncommand = "{command}"\n')
    monkeypatch.setattr(printed, "REPOSITORY", tmp_path)
    monkeypatch.setattr(printed, "LIST", tmp_path / "docs" / "printed.toml")
    monkeypatch.setattr(printed, "KEPT", tmp_path / "reports" / "printed")
    return tmp_path


def test_a_command_is_run_kept_and_shown(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["two"]) == 1  # the command's own exit code is not 0: a number is not met
    assert kept("two") == "1\n\\g\n"
    assert "1\n\\g\n" in capsys.readouterr().out
    page = "a\n\n<!-- printed: two -->\n```\n1\n\\g\n```\n\n```\nnot printed\n```\n"
    assert (repository / "docs" / "page.md").read_text() == page


@pytest.mark.parametrize("line", ["exit 1", "echo half; exit 2", "(echo half; exit 3) | cat"])
def test_a_command_that_prints_nothing_or_breaks_off_takes_nothing_away(
    repository: Path, line: str
) -> None:
    main(["two"])
    (repository / "docs" / "printed.toml").write_text(f'[two]\ncommand = "{line}"\n')
    assert main(["two"]) == 1
    assert kept("two") == "1\n\\g\n"


def test_an_unknown_name_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["three"])
    assert "no command three: there are two" in capsys.readouterr().err
