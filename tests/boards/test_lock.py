"""What several processes make below one folder is made by one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

from boards.lock import locked


def test_another_waits_until_the_first_is_done(tmp_path: Path) -> None:
    cache, done = tmp_path / "cache", threading.Event()

    def other() -> None:
        with locked(cache):
            done.set()

    thread = threading.Thread(target=other)
    with locked(cache):
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(10)
    thread.join()
