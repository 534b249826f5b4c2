"""The page in a browser: as a reader uses it, by keyboard alone, small, large, dark, and by axe.

With ``EDGE_CXR_SHOTS=FOLDER`` each page is kept there as a PNG, for somebody to look at, at each
width in light and dark.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the clinic extra is not installed")

from ..images import dicom
from .browser import Browser, browsing
from .serving import Served

pytestmark = pytest.mark.process

SHOTS = os.environ.get("EDGE_CXR_SHOTS")
EXAMPLE = Path(__file__).resolve().parents[4] / "examples/synthetic-radiograph.png"


@pytest.fixture(scope="module")
def window(served: Served) -> Iterator[Browser]:
    with browsing(served.port) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Browser:
    window.resize(1280)
    window.log()
    return window


def keep(browser: Browser, name: str) -> None:
    if SHOTS:
        browser.driver.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def fits(browser: Browser) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return bool(browser.run("return document.documentElement.scrollWidth <= innerWidth"))


def test_a_reader_uploads_looks_and_says_what_they_see(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    browser.open("/")
    browser.one("#files").send_keys(str(EXAMPLE))
    browser.one("#upload button").click()
    browser.until(lambda: bool(browser.all("#viewer")), "the study")
    browser.settled()
    assert browser.one("h1").text == EXAMPLE.name

    toggle = browser.all(".findings .toggle")[0]
    label = toggle.get_attribute("data-label")
    toggle.click()
    browser.until(browser.one("#heat").is_displayed, "the heatmap")
    assert browser.one("#map-said").text.startswith(f"Heatmap of {label}")
    assert toggle.get_attribute("aria-current") == "true"
    keep(browser, "study")
    toggle.click()
    assert not browser.one("#heat").is_displayed()

    browser.one("#zoom-in").click()
    assert browser.one("#zoom").text == "125 %"
    browser.run(
        "const slider = document.getElementById('width'); slider.value = 64;"
        "slider.dispatchEvent(new Event('input'))"
    )
    slope = browser.one("#window feComponentTransfer > *").get_attribute("slope")
    assert float(slope) == 4
    assert "window" in browser.one("#picture").value_of_css_property("filter")
    browser.one("#view-reset").click()
    assert browser.one("#picture").value_of_css_property("filter") == "none"

    browser.one("input[value=disagrees]").click()
    browser.one("input[name=label][value=Mass]").click()
    browser.one("#note").send_keys("a nodule behind the heart")
    browser.one(".reading button").click()
    browser.settled()
    assert "Your reading is kept" in browser.one("#reading").text
    assert "sees: Mass" in browser.one("#reading").text

    browser.open("/")
    assert EXAMPLE.name in browser.one("table.images").text
    keep(browser, "worklist")
    assert browser.log() == []


READ = """
const heading = document.querySelector("h1"), seen = [], range = new Range();
const texts = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
while (texts.nextNode())
  for (let i = 0; i < texts.currentNode.length; i++) {
    range.setStart(texts.currentNode, i);
    range.setEnd(texts.currentNode, i + 1);
    seen.push([range.getBoundingClientRect().left, texts.currentNode.data[i]]);
  }
return seen.sort((a, b) => a[0] - b[0]).map(each => each[1]).join("");
"""
"""The letters of the heading in the order in which they stand on the screen."""


@pytest.mark.parametrize("name", ["كريم^أحمد", "כהן^דוד"])
def test_a_name_from_right_to_left_turns_no_number_round(
    browser: Browser, served: Served, name: str
) -> None:
    """Another patient's number, and the dates in each other's places, would be read else."""
    of = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": name, "PatientID": "47-11-22"}
    file = dicom(91 + len(name), **of)
    number = served.client().upload(("x.dcm", file)).json["images"][0]["number"]
    served.wait(number)
    browser.open(f"/images/{number}")
    assert browser.run(READ).endswith(" · 47-11-22 · 1950-12-31 · 2024-01-02")


DROP = """
const [name, bytes] = arguments, files = new DataTransfer();
files.items.add(new File([Uint8Array.from(bytes)], name));
for (const kind of ["dragover", "drop"])
  document.body.dispatchEvent(
    new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true}));
"""


def test_no_heatmap_is_shown_under_the_name_of_another_finding(
    browser: Browser, served: Served, answered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the chosen one is on its way, nor where it does not come."""
    overlays = served.box._rooms[0].overlays  # type: ignore[union-attr]
    assert overlays is not None
    right, on = overlays.png, threading.Event()

    def late(*args: Any) -> bytes:
        assert on.wait(300)
        return right(*args)

    browser.open(f"/images/{answered}")
    heat = browser.one("#heat")
    first, second, third = browser.all(".findings .toggle")[:3]
    first.click()
    browser.until(heat.is_displayed, "the heatmap")
    monkeypatch.setattr(overlays, "png", late)
    second.click()
    assert not heat.is_displayed()
    on.set()
    browser.until(heat.is_displayed, "the other heatmap")
    channel = second.get_attribute("data-channel")
    assert heat.get_attribute("src").endswith(f"/map/{channel}.png")
    monkeypatch.setattr(overlays, "png", lambda *args: b"no picture")
    third.click()
    browser.until(lambda: "cannot be loaded" in browser.one("#map-said").text, "the fault")
    assert not heat.is_displayed()


def test_a_file_is_dropped_and_one_that_is_too_large_is_said(browser: Browser, png: bytes) -> None:
    browser.open("/")
    browser.run("document.getElementById('upload').dataset.most = 10")
    browser.run(DROP, "large.png", list(png))
    browser.until(lambda: "large.png: is larger than" in browser.one("#said").text, "the reason")
    browser.open("/")
    browser.run(DROP, "dropped.png", list(png + b"dropped"))
    browser.until(lambda: "/images/" in browser.driver.current_url, "the study")
    browser.settled()
    assert browser.one("h1").text == "dropped.png"


def test_by_keyboard_alone(browser: Browser, answered: int) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open("/")
    browser.press(Keys.TAB)
    assert browser.focused() == "Skip to the content"
    browser.press(Keys.ENTER)
    assert browser.focused() == "main"
    for _ in range(30):
        browser.press(Keys.TAB)
        if browser.focused() == "Meier Hans.png":
            break
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press(Keys.ENTER)
    browser.until(lambda: f"/images/{answered}" in browser.driver.current_url, "the study")
    browser.settled()
    seen = []
    for _ in range(80):
        browser.press(Keys.TAB)
        seen.append(browser.focused())
        if seen[-1] == "viewer":
            browser.press("+")
            browser.press("+")
            browser.press(Keys.ARROW_DOWN)
        if seen[-1] == "zoom-fit":
            assert browser.one("#zoom").text == "156 %"
            browser.press(Keys.ENTER)
            assert browser.one("#zoom").text == "100 %"
        if seen[-1].startswith("Heatmap: "):
            browser.press(Keys.ENTER)
            break
    browser.until(browser.one("#heat").is_displayed, "the heatmap")
    tab_to(browser, "opinion")
    browser.press(Keys.SPACE)
    tab_to(browser, "Save my reading")
    browser.press(Keys.ENTER)
    browser.until(lambda: "kept=yes" in browser.driver.current_url, "the reading")


def tab_to(browser: Browser, name: str) -> None:
    """By the Tab key alone; not for ever where nothing is named so."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(200):
        if browser.focused() == name:
            return
        browser.press(Keys.TAB)
    pytest.fail(f"the Tab key does not reach {name}")


VIEWS = ((320, False), (3840, True))
OTHERS = ((320, True), (1280, False), (1280, True), (3840, False))


@pytest.mark.parametrize(("width", "dark"), VIEWS + (OTHERS if SHOTS else ()))
def test_pages_fit_any_width_and_axe_finds_no_serious_fault(
    browser: Browser, answered: int, width: int, dark: bool
) -> None:
    browser.resize(width, max(700, width * 9 // 16), dark)
    for path, name in (
        ("/", "list"),
        (f"/images/{answered}?map=0", "image"),
        ("/status", "status"),
    ):
        browser.open(path)
        assert fits(browser), (path, width)
        assert browser.faults() == [], (path, width, dark)
        keep(browser, f"{name}-{width}{'-dark' if dark else ''}")
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground.strip("rgb()").split(","))) < 384) is dark


def test_axe_does_find_faults(browser: Browser) -> None:
    browser.open("/status")
    browser.run("document.querySelector('main').append(document.createElement('input'))")
    assert [each.split(":")[0] for each in browser.faults()] == ["critical label"]


def test_an_answer_appears_by_itself(
    browser: Browser, served: Served, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.box.spool, "_next", lambda again: None)  # nobody takes an image
    number = served.client().upload(("late.png", png + b"late")).json["images"][0]["number"]
    browser.open(f"/images/{number}")
    assert "waits to be answered" in browser.one("#wait").text
    assert browser.faults() == []
    keep(browser, "waiting")
    monkeypatch.undo()
    browser.until(lambda: bool(browser.all("#viewer")), "the answer")
