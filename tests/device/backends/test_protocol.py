"""The smallest backend, as the page about adding one shows it, does what others do."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge_app.backends import registry, trial
from edge_app.backends.choice import open_session
from edge_app.backends.fault import CRASH, Fault
from edge_app.backends.options import BackendOptions
from edge_app.backends.package import Package
from edge_app.backends.protocol import Backend
from edge_app.backends.trial_results import TrialResult
from edge_app.core.errors import ModelError, RuntimeUnavailableError
from edge_app.model.model_file import ModelFile, read

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def npu(repository: Path, monkeypatch: pytest.MonkeyPatch) -> type[Backend]:
    """The page's backend, registered before all others and installed."""
    page = (repository / "docs/develop/add-a-backend.md").read_text()
    module: Any = ModuleType("edge_app.backends.npu")
    exec(page.partition("```python\n")[2].partition("```")[0], module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "BACKENDS", {"npu": "npu.Npu", **registry.BACKENDS})
    real = Package.folder.func  # type: ignore[attr-defined]
    here = property(lambda package: Path("/npu") if package.name == "npu" else real(package))
    monkeypatch.setattr(Package, "folder", here)
    kind: type[Backend] = module.Npu
    return kind


class Loaded:
    """A network in the imaginary package: the tensors of a model, and zeros."""

    def __init__(self, model: ModelFile, dtype: str = "int8") -> None:
        spec, parts = model.input_spec, model.manifest["outputs"].values()
        self.inputs = [([1, spec.height, spec.width, spec.channels], "int8")]
        self.outputs = {part["tensor"]: (part["shape"], dtype) for part in parts}

    def __call__(self, tensor: Any) -> dict[str, Any]:
        return {name: np.zeros(shape, np.int8) for name, (shape, _) in self.outputs.items()}


def install(monkeypatch: pytest.MonkeyPatch, loaded: Loaded, result: TrialResult) -> None:
    package: Any = ModuleType("npu")
    package.load = lambda network: loaded
    monkeypatch.setitem(sys.modules, "npu", package)
    monkeypatch.setattr(trial, "run", lambda model, backend: result)


def test_auto_takes_it_where_its_trial_went_well(
    cnn28: Path, npu: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read(cnn28)
    install(monkeypatch, Loaded(model), TrialResult(None))
    session, choice = open_session(model, BackendOptions())
    assert session.as_dict()["delegate"] == "npu"
    assert session.exclusive
    assert choice.why["delegate"] == "found, and right when tried"
    assert choice.notes == ()
    assert session.run(model.golden.inputs[:1]).logits.shape == model.golden.logits[0].shape


def test_the_processor_answers_where_it_does_not_and_a_wish_is_refused(
    cnn28: Path, npu: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, real = read(cnn28), trial.run
    crash = TrialResult(Fault(CRASH, "the NPU crashes: mend it"))
    install(monkeypatch, Loaded(model), crash)

    def run(model: ModelFile, backend: Backend) -> TrialResult:
        return crash if backend.name == "npu" else real(model, backend)

    monkeypatch.setattr(trial, "run", run)
    session, choice = open_session(model, BackendOptions())
    assert session.as_dict()["delegate"] == "cpu"
    assert choice.why["delegate"] == "the NPU does not work: crash"
    assert choice.notes == ("the NPU crashes: mend it; answering on the CPU",)
    with pytest.raises(RuntimeUnavailableError, match="the NPU crashes: mend it"):
        open_session(model, BackendOptions("npu"))


def test_tensors_of_another_type_are_refused(
    cnn28: Path, npu: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read(cnn28)
    install(monkeypatch, Loaded(model, dtype="float32"), TrialResult(None))
    with pytest.raises(ModelError, match=r"its logits is float32 .* its manifest says int8"):
        open_session(model, BackendOptions("npu"))
