"""What the tests of boards share: where downloads are kept, and a namespace without network."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from boards import downloads
from boards.wheels import REPOSITORY


@pytest.fixture(scope="session")
def cache() -> Path:
    return REPOSITORY / ".boards"


@pytest.fixture(scope="session")
def pip(cache: Path) -> Path:
    return downloads.pip_wheel(cache)


@pytest.fixture(scope="session")
def without_network() -> list[str]:
    """Begins a command line that has no network, where this system allows it."""
    alone = ["unshare", "-n"]
    able = shutil.which("unshare") and not subprocess.call([*alone, "true"])
    return alone if able else []
