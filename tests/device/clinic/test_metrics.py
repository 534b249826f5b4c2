"""What Prometheus reads, by its own parser and, where it is installed, by its own tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the clinic extra is not installed")
pytest.importorskip("prometheus_client", reason="the clinic extra is not installed")

from prometheus_client.parser import text_string_to_metric_families

from .page.serving import Client, serving


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
