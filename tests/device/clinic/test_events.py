"""What is told: one line an event, and nobody's name in it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from edge_app.clinic import events
from edge_app.clinic.events import Events


def test_an_event_is_one_line_whatever_a_peer_says_of_itself() -> None:
    out = io.StringIO()
    journal = Events(b"salt", None, out)
    journal.tell("refused", peer='A B\n\x1b[31m"=', bytes=3, judged=True, note=None, s=1.25, e="")
    (line,) = out.getvalue().splitlines()
    assert "\x1b" not in line
    assert line.endswith('bytes=3 judged=true note=none s=1.25 e=""')


def test_digests_tie_lines_together_and_differ_between_boxes() -> None:
    first, second = Events(b"one"), Events(b"two")
    assert first.digest("1.2.3") == first.digest("1.2.3") != first.digest("1.2.4")
    assert first.digest("1.2.3") != second.digest("1.2.3")


def test_the_journal_gets_no_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    out = io.StringIO()
    Events(b"salt", None, out).tell("started")
    assert out.getvalue() == "started\n"


def test_the_audit_log_is_json_for_its_owner_alone_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "AUDIT_BYTES", 500)
    path = tmp_path / "audit.log"
    journal = Events(b"salt", path, io.StringIO())
    for number in range(20):
        journal.audit("received", number=number)
    assert path.stat().st_mode & 0o077 == 0
    kept = [*path.with_name("audit.log.1").read_text().splitlines(), *path.read_text().splitlines()]
    numbers = [json.loads(line)["number"] for line in kept]
    assert numbers == [*range(20 - len(numbers), 20)]
    assert path.stat().st_size < 700


def test_an_audit_log_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    Events(b"salt", tmp_path / "absent" / "audit.log", out).audit("received", number=1)
    assert "audit-failed" in out.getvalue()
