"""What `classify` may import: start-up is most of its time, and a board has no TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FORBIDDEN = (
    "tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "cv2", "torch",
    "pydicom", "rich", "train", "quantize", "benchmarks",
)  # fmt: skip

SCRIPT = """
import atexit, sys
atexit.register(lambda: print(*sorted(m.split(".")[0] for m in sys.modules), file=sys.stderr))
sys.argv = ["edge-cxr", *sys.argv[1:]]
from edge_app.__main__ import main
main()
"""


def imported(*arguments: str) -> set[str]:
    line = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_classify_imports_only_what_it_uses(picture: Path, cnn28: Path) -> None:
    for form in ([], ["--json"], ["--csv"]):
        modules = imported("classify", *form, "--model", str(cnn28), str(picture))
        assert {"numpy", "PIL"} <= modules
        assert modules.isdisjoint(FORBIDDEN)


def test_help_and_version_import_nothing_that_computes() -> None:
    for form in ("--help", "--version"):
        assert imported(form).isdisjoint({"numpy", "PIL", "ai_edge_litert", "tflite_runtime"})


def test_every_module_of_the_device_imports_without_the_workstation() -> None:
    repository = Path(__file__).resolve().parents[2]
    paths = [path.relative_to(repository) for path in repository.glob("edge_app/**/*.py")]
    names = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__main__"]
    assert len(names) > 40
    blocked = [name for name in FORBIDDEN if name not in ("rich", "pydicom")]
    script = (
        f"import sys, importlib\nfor name in {blocked!r}: sys.modules[name] = None\n"
        f"for name in {names!r}: importlib.import_module(name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
