"""What Prometheus reads, by its own parser and, where it is installed, by its own tool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the clinic extra is not installed")
pytest.importorskip("prometheus_client", reason="the clinic extra is not installed")

from prometheus_client.parser import text_string_to_metric_families

from edge_app.clinic.page import accounts

from .page.serving import Client, serving
from .peers import free_port, program, wait_for


def values(text: str) -> dict[tuple[str, str], float]:
    """By name and by the value of the one label, empty without one."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_waits_and_what_happened_can_be_scraped(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        client, scraper = served.client(), Client(served.metrics)
        number = client.upload(("Meier.txt", b"nothing that is read")).json["images"][0]["number"]
        served.wait(number)
        came = scraper.get("/metrics")
        assert came.headers["Content-Type"].startswith("text/plain")
        found = values(came.text)
        assert found["edge_cxr_images", "unreadable"] == 1
        assert found["edge_cxr_events_total", "received"] == 1
        assert found["edge_cxr_events_total", "answered"] == 1
        assert found["edge_cxr_answer_seconds_count", ""] == 1
        assert found["edge_cxr_oldest_waiting_timestamp_seconds", ""] == 0
        assert found["edge_cxr_disk_free_bytes", ""] > 0
        assert found["process_resident_memory_bytes", ""] > 0
        assert "Meier" not in came.text
        promtool = shutil.which("promtool")
        if promtool:
            done = subprocess.run(
                [promtool, "check", "metrics"], input=came.body, capture_output=True
            )
            assert (done.returncode, done.stderr) == (0, b"")
        assert scraper.get("/metrics", Host="evil.example").status == 421
        assert scraper.get("/").status == 404


def test_a_watch_folder_to_which_nothing_waits_is_told_too(tmp_path: Path) -> None:
    """An alarm that asks for it would have no series, and be silent."""
    (tmp_path / "in").mkdir()
    with serving(tmp_path, page='[watch]\nfolder = "in"') as served:
        found = values(Client(served.metrics).get("/metrics").text)
    assert found["edge_cxr_deliveries_waiting", "watch"] == 0


@contextmanager
def prometheus(folder: Path, settings: str) -> Iterator[int]:
    """The port of a Prometheus that runs with these settings."""
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 200ms}\n" + settings)
    port = free_port()
    process = subprocess.Popen(
        [
            program("prometheus", "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: is_ready(port), "Prometheus")
        yield port
    finally:
        process.terminate()
        process.wait()


def is_ready(port: int) -> bool:
    """Whether it answers queries: it listens before that."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def queried(port: int, query: str) -> list[Any]:
    """What Prometheus answers to a query, by its HTTP API."""
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url) as answer:
        return list(json.load(answer)["data"]["result"])


@pytest.mark.process
def test_prometheus_scrapes_with_the_manual_s_settings_and_a_token(
    repository: Path, tmp_path: Path
) -> None:
    manual = (repository / "docs/page.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    token = tmp_path / "edge-cxr.token"
    token.write_text(accounts.set_token(tmp_path / "users", "prometheus"))
    with serving(tmp_path, top='users = "users"') as served:
        client = served.client(token.read_text())
        number = client.upload(("a.txt", b"nothing that is read")).json["images"][0]["number"]
        served.wait(number)
        assert Client(served.metrics).get("/metrics").status == 401
        settings = example.replace("/etc/prometheus/edge-cxr.token", str(token))
        settings = settings.replace("cxr.clinic.example:9117", f"127.0.0.1:{served.metrics}")
        assert settings.count(str(tmp_path)) == settings.count(str(served.metrics)) == 1
        with prometheus(tmp_path, settings.replace("scheme: https", "scheme: http")) as port:
            wait_for(lambda: bool(queried(port, "up")), "the first scrape")
            (up,) = queried(port, 'up{job="edge-cxr"}')
            assert up["value"][1] == "1"
            (unreadable,) = queried(port, 'edge_cxr_images{state="unreadable"}')
            assert unreadable["value"][1] == "1"
