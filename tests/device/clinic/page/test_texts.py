"""The catalogue: every text that the page says is in it, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_app.clinic.faults import SettingsError
from edge_app.clinic.image_file import UNJUDGED
from edge_app.clinic.page import texts
from edge_app.clinic.page.readings import OPINIONS
from edge_app.clinic.page.texts import Texts, languages
from edge_app.clinic.page.worklist import SORTS
from edge_app.clinic.summary import STATES

PAGE = Path(texts.__file__).parent

MADE = (
    {f"state.{each}" for each in STATES}
    | {f"entrance.{each}" for each in ("node", "watch", "page")}
    | {f"list.{each}" for each in SORTS}
    | {f"study.{each}" for each in UNJUDGED}
    | {f"reading.{each}" for each in OPINIONS}
    | {f"reading.{each}-said" for each in OPINIONS}
)
"""Keys that are put together."""


def used() -> set[str]:
    found = set()
    for path in PAGE.glob("templates/*.html"):
        found |= set(re.findall(r"""\bt\(["']([\w.-]+)["'][,)]""", path.read_text("utf-8")))
    for path in PAGE.glob("*.py"):
        found |= set(re.findall(r'"((?:error|sign-in|study)\.[\w-]+)"', path.read_text("utf-8")))
    return {each for each in found if not each.endswith(".html")} | MADE


@pytest.mark.parametrize("language", languages())
def test_every_text_is_there_and_every_text_is_said(language: str) -> None:
    assert Texts(language).keys() == used()
    assert texts._read(texts.FOLDER / f"{language}.toml").keys() == used()


@pytest.mark.parametrize("language", languages())
def test_all_languages_have_the_same_places_for_values(language: str) -> None:
    english, other = Texts("en"), Texts(language)
    for key in sorted(english.keys()):
        places = [sorted(re.findall(r"{\w+}", text(key))) for text in (english, other)]
        assert places[0] == places[1], key


def test_a_language_without_a_file_is_said() -> None:
    with pytest.raises(SettingsError, match="there are en"):
        Texts("xx")


def test_a_language_of_an_older_version_says_in_english_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade brings texts that the clinic's own file has not; the page works all the same."""
    (tmp_path / "en.toml").write_bytes((texts.FOLDER / "en.toml").read_bytes())
    (tmp_path / "de.toml").write_text('[error]\ngone = "Das Bild ist nicht mehr da."\n')
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    said = Texts("de")
    assert said.keys() == used()
    assert said("error.gone") == "Das Bild ist nicht mehr da."
    assert said("error.no-map") == Texts("en")("error.no-map")


def test_templates_and_script_say_nothing_of_their_own() -> None:
    for path in PAGE.glob("templates/*.html"):
        bare = re.sub(r"{[{%#].*?[}%#]}|<[^>]*>", " ", path.read_text("utf-8"), flags=re.S)
        words = set(re.findall(r"[A-Za-z]{3,}", bare))
        assert words <= {"edge", "cxr"}, (path.name, words)
