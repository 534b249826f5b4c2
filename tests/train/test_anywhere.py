"""The workstation's commands work from any folder, whatever lies in it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")


def test_each_script_is_a_function_of_a_package_that_is_installed(repository: Path) -> None:
    stated = tomllib.loads((repository / "workstation" / "pyproject.toml").read_text())
    scripts = stated["project"]["scripts"]
    assert set(scripts) == {"edge-cxr-train", "edge-cxr-quantize"}
    included = stated["tool"]["setuptools"]["packages"]["find"]["include"]
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function))
        assert f"{module.split('.')[0]}*" in included


@pytest.mark.process
def test_a_file_of_the_users_does_not_take_a_commands_place(
    repository: Path, tmp_path: Path
) -> None:
    """As a script starts: its own folder first in the path, and not the user's."""
    (tmp_path / "train.py").write_text("raise SystemExit('the wrong one')")
    script = tmp_path / "bin" / "edge-cxr-train"
    script.parent.mkdir()
    script.write_text("import sys\nfrom train.__main__ import main\nsys.exit(main())\n")
    done = subprocess.run(
        [sys.executable, str(script), "fit", "nowhere.csv", "--run", "r", "--no-imagenet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 3, done.stderr
    assert "nowhere.csv: no such file" in done.stderr
    assert not (tmp_path / "r").exists()
