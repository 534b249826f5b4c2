"""Chest radiographs scored by int8 networks, offline: what a program imports.

    import edge_app

    model = edge_app.open_model("cxr-lite0-fine")
    findings = model.classify("image.dcm")
    findings["Effusion"].score, findings.overall, findings.heatmap("Effusion")

    for source, answer in model.classify_all(paths, workers=2): ...

    report = edge_app.evaluate(folder, model, out="report.json")
    edge_app.compare("float.json", "report.json").passed

Names are imported when they are first used. Errors are `EdgeCxrError`s whose text is one line that
says what to do.

Research software, not a medical device.
"""

from __future__ import annotations

from edge_app.core.about import DISCLAIMER, __version__

TYPE_CHECKING = False
"""What type checkers take for true; importing it from `typing` would take five milliseconds."""

if TYPE_CHECKING:
    from edge_app.api import (
        Compared,
        Findings,
        Model,
        compare,
        evaluate,
        evaluate_scores,
        open_model,
    )
    from edge_app.comparison.gates import GateResult
    from edge_app.core.errors import (
        DatasetError,
        EdgeCxrError,
        ImageError,
        ImageTooLargeError,
        LabelError,
        ModelError,
        OutputError,
        ReportError,
        RuntimeUnavailableError,
        UsageError,
    )
    from edge_app.evaluation.report import Report
    from edge_app.model.decisions import Finding

__all__ = [
    "DISCLAIMER",
    "Compared",
    "DatasetError",
    "EdgeCxrError",
    "Finding",
    "Findings",
    "GateResult",
    "ImageError",
    "ImageTooLargeError",
    "LabelError",
    "Model",
    "ModelError",
    "OutputError",
    "Report",
    "ReportError",
    "RuntimeUnavailableError",
    "UsageError",
    "__version__",
    "compare",
    "evaluate",
    "evaluate_scores",
    "open_model",
]

_HOMES = {
    "Finding": "classifier",
    "GateResult": "comparison.gates",
    "Report": "evaluation.report",
}


if not TYPE_CHECKING:  # to which any other name is a mistake

    def __getattr__(name: str) -> object:
        """A public name, imported when it is first asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home = "core.errors" if name.endswith("Error") else _HOMES.get(name, "api")
        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value


def __dir__() -> list[str]:
    return __all__
