"""Chromium without a screen, driven as a reader would use it; skipped where it is not installed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..peers import wait_for

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-cxr-tests"
AXE = CACHE / "axe.min.js"
"""Where tests/install_peers.sh puts axe-core."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Browser:
    """A window."""

    def __init__(self, driver: Any, port: int) -> None:
        self.driver, self.port = driver, port

    def open(self, path: str) -> None:
        self.driver.get(f"http://127.0.0.1:{self.port}{path}")
        self.settled()

    def settled(self) -> None:
        """Until all pictures that are shown are there."""
        shown = (
            "return document.readyState === 'complete' && [...document.images]"
            ".every(each => each.hidden || (each.complete && each.naturalWidth > 0))"
        )
        self.until(lambda: bool(self.run(shown)), "the page")

    def until(self, what: Callable[[], bool], name: str) -> None:
        wait_for(what, name)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """The text, name or identifier of what has the focus."""
        return str(
            self.run(
                "const e = document.activeElement; return e.id || e.getAttribute('name') || "
                "e.textContent.trim()"
            )
        )

    def resize(self, width: int, height: int = 900, dark: bool = False) -> None:
        """The page's own size, whatever a window's least one is, and its light."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        light = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": light})

    def faults(self) -> list[str]:
        """What axe-core finds serious or critical on this page."""
        if not AXE.is_file():
            pytest.skip("axe-core is not there: tests/install_peers.sh fetches it")
        self.run(AXE.read_text("utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[1];"
            "axe.run(document, {runOnly: arguments[0]}).then(done, e => done({error: String(e)}))",
            RULES,
        )
        assert "violations" in found, found
        assert found["passes"], "axe-core has looked at nothing"
        return [
            f"{each['impact']} {each['id']}: {node['html'][:160]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def log(self) -> list[str]:
        """What the browser complains of: a script's error, what the policy refuses."""
        return [json.dumps(each) for each in self.driver.get_log("browser")]


@contextmanager
def browsing(port: int) -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("chromium is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
        *("--hide-scrollbars", "--force-color-profile=srgb", "--window-size=1280,900"),
    ):
        options.add_argument(argument)
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(opened, port)
    finally:
        opened.quit()
