"""The page about a new entrance: its example runs as it stands."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "develop" / "add-an-entrance.md"


def test_the_folder_watcher_answers_what_arrives_until_it_is_interrupted(
    picture: Path, tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    script, folder = tmp_path / "watch.py", tmp_path / "folder"
    script.write_text(code)
    folder.mkdir()
    (folder / "a.txt").write_text("no picture")
    shutil.copy(picture, folder / "b.png")
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watcher:
        assert watcher.stdout is not None
        try:
            first, second = (json.loads(watcher.stdout.readline()) for _ in "ab")
            assert first["error"]["kind"] == "image"
            assert second["findings"]
            shutil.copy(picture, folder / ".c.part")
            (folder / ".c.part").rename(folder / "c.png")
            third = json.loads(watcher.stdout.readline())
            assert third["file"].endswith("c.png")
            assert third["findings"] == second["findings"]
            watcher.send_signal(signal.SIGINT)
            _, said = watcher.communicate(timeout=30)
        finally:
            watcher.kill()
    assert watcher.returncode == 130
    assert "Traceback" not in said
