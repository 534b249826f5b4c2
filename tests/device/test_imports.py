"""What `classify` may import: start-up is most of its time, and a board has no TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FORBIDDEN = (
    "tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "cv2", "torch",
    "pydicom", "rich", "train", "quantize", "benchmarks",
)  # fmt: skip

OF_OTHER_FORMS = {"csv": "--csv", "edge_app.pipeline.json_answer": "--json"}
"""What one form of the answer needs, and no other."""

OF_OTHER_WAYS = (
    "numpy.typing", "secrets", "dataclasses", "importlib.metadata", "concurrent.futures",
    "multiprocessing", "asyncio", "email", "encodings.utf_8_sig",
    "edge_app.api", "edge_app.archive", "edge_app.clinic", "edge_app.comparison",
    "edge_app.evaluation", "edge_app.film", "edge_app.heatmap", "edge_app.inspection",
    "edge_app.performance", "edge_app.site",
    "edge_app.backends.openvino", "edge_app.backends.self_test", "edge_app.backends.trial",
    "edge_app.core.minisign", "edge_app.core.sandbox", "edge_app.core.trust",
    "edge_app.images.dicom", "edge_app.images.isolated", "edge_app.images.jpeg",
    "edge_app.images.jpeg_scans",
    "edge_app.images.profile", "edge_app.images.sample_range", "edge_app.images.tiff",
    "edge_app.model.assembly", "edge_app.model.manifest_types", "edge_app.model.site",
    "edge_app.pipeline.answer", "edge_app.pipeline.heatmaps", "edge_app.pipeline.html",
    "edge_app.pipeline.progress", "edge_app.pipeline.workers",
)  # fmt: skip
"""What other commands, options, models and pictures need than a shipped model and one PNG."""

SCRIPT = """
import atexit, sys
before = set(sys.modules)
atexit.register(lambda: print(*sorted(set(sys.modules) - before), file=sys.stderr))
sys.argv = ["edge-cxr", *sys.argv[1:]]
from edge_app.__main__ import main
main()
"""

WHO_IMPORTS = """
import sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "numpy":
            frame = sys._getframe(1)
            while "importlib" in frame.f_code.co_filename:
                frame = frame.f_back
            print(frame.f_code.co_filename, frame.f_code.co_name, file=sys.stderr)
sys.meta_path.insert(0, Finder)
"""


def ran(script: str, *arguments: str) -> str:
    """What a process says on standard error in which the script runs a command line."""
    line = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


def imported(*arguments: str) -> set[str]:
    modules = ran(SCRIPT, *arguments).split()
    return {*modules, *(name.partition(".")[0] for name in modules)}


def test_classify_imports_only_what_it_uses(picture: Path, cnn28: Path) -> None:
    for form in ([], ["--json"], ["--csv"]):
        modules = imported("classify", *form, "--model", str(cnn28), str(picture))
        assert {"numpy", "PIL"} <= modules
        assert modules.isdisjoint(FORBIDDEN)
        absent = [name for name, option in OF_OTHER_FORMS.items() if option not in form]
        assert modules.isdisjoint(absent)


def test_one_picture_imports_nothing_of_other_ways(picture: Path) -> None:
    imported("classify", str(picture))  # the first tries its backend
    assert imported("classify", str(picture)).isdisjoint(OF_OTHER_WAYS)


def test_numpy_is_imported_by_the_command_itself(picture: Path, cnn28: Path) -> None:
    """Deeper in the stack, CPython's own bookkeeping makes its start-up a tenth longer."""
    said = ran(WHO_IMPORTS + SCRIPT, "classify", "--model", str(cnn28), str(picture))
    place, name = said.splitlines()[0].rsplit(" ", 1)
    assert (Path(place).name, name) == ("classify.py", "classify")


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
