"""The reference page of exit codes and errors, from the error classes."""

from __future__ import annotations

import inspect
from typing import Final

from edge_app.core import errors
from tools.manual.markdown import cell, table

MEANING: Final = {
    errors.EXIT_DONE: "done",
    errors.EXIT_USAGE: "wrong usage: the command line asks for something that cannot be",
    errors.EXIT_INPUT: "some input could not be read, or was refused; the others are answered",
    errors.EXIT_MODEL: "the model, the runtime, the output or the machine cannot be used",
    errors.EXIT_GATE: "what was compared differs too much, or nothing is proven",
    errors.EXIT_INTERRUPTED: "interrupted; what was answered is printed",
}


def page() -> str:
    """A page of the reference: the meaning of each exit code, and each error's exit code."""
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert codes == set(MEANING), "tools/manual/exit_codes.py: an exit code has no meaning"
    found = [
        (f"`{name}`", f"`{each.kind}`", str(each.exit_code), cell(inspect.getdoc(each) or ""))
        for name, each in vars(errors).items()
        if inspect.isclass(each) and issubclass(each, errors.EdgeCxrError)
    ]
    lines = ["# Exit codes and errors", ""]
    lines += ["Each command ends with one of these; [more of them](/docs/classify.md):", ""]
    lines += table(("code", "meaning"), [(str(code), MEANING[code]) for code in sorted(MEANING)])
    lines += [
        "",
        "From Python each is an exception, an `edge_app.EdgeCxrError`; `kind` is its word in JSON.",
        "",
    ]
    lines += table(("error", "kind", "exit code", "meaning"), found)
    return "\n".join([*lines, ""])
