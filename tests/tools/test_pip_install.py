"""Making an environment says what it is at, also where nobody sits at a terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "pip_install.sh"


def install(environment: Path, pip: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a shell script in the place of the environment's Python."""
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{pip}\n")
    python.chmod(0o755)
    return subprocess.run(
        ["sh", SCRIPT, environment, "numpy"],
        env={"EVERY": "0.2", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def test_it_says_what_pip_is_at(tmp_path: Path) -> None:
    pip = """\
echo 'Collecting numpy'
echo '  Downloading numpy-2.0-cp311-cp311-manylinux_2_17_x86_64.whl (14.3 MB)'
sleep 1
echo 'Installing collected packages: numpy'
sleep 1"""
    done = install(tmp_path / "environment", pip)
    assert done.returncode == 0, done.stderr
    lines = [line.split(" s: ")[1] for line in done.stdout.splitlines()]
    assert lines[0] == "Downloading numpy-2.0-cp311-cp311-manylinux_2_17_x86_64.whl (14.3 MB)"
    assert lines[-1].startswith("unpacking, ")
    assert lines[-1].endswith(" MB so far")


def test_what_pip_complains_of_and_its_exit_code_come_through(tmp_path: Path) -> None:
    done = install(tmp_path / "environment", "echo 'ERROR: no such package' >&2; exit 7")
    assert (done.returncode, done.stderr) == (7, "ERROR: no such package\n")
