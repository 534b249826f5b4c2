"""The files that figures of the manual come from, as values that expressions can name.

JSON and TOML are taken as they are; a model file is its manifest. Code is parsed, not run: its
constants, defaults, and the arguments of calls whose first argument is a text, such as a key of
settings. In any other text, a line is found by words in it, and its value is the numbers in it.
"""

from __future__ import annotations

import ast
import json
import operator
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from edge_app.model.labels import FINDING
from edge_app.model.model_file import read

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES: Final = ("label", "name", "group")
"""Keys whose values name the elements of a list."""

NUMBER: Final = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?")

OPERATORS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}


class Lines:
    """Text whose lines are found by words that no other line has."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    def __getitem__(self, words: str) -> list[float]:
        found = [line for line in self._lines if words in line]
        if len(found) != 1:
            raise KeyError(f"{len(found)} lines have {words!r}")
        texts = (each.replace(",", "").replace("−", "-") for each in NUMBER.findall(found[0]))
        return [float(each) if "." in each else int(each) for each in texts]


def content(path: Path) -> Any:
    """A file's values; a model file's manifest also has `findings` and its size in `megabytes`.

    Lists of elements with a label or a name become dicts.
    """
    if path.suffix == ".tflite":
        manifest = json.loads(json.dumps(read(path).manifest))
        findings = [each for each in manifest["labels"] if each["kind"] == FINDING]
        return _named({**manifest, "findings": findings, "megabytes": path.stat().st_size / 1e6})
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return _named(json.loads(text))
    if path.suffix == ".toml":
        return _named(tomllib.loads(text))
    return _defined(ast.parse(text).body) if path.suffix == ".py" else Lines(text)


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    for key in NAMES:
        names = [each.get(key) for each in value if isinstance(each, dict)]
        if value and len(set(names)) == len(value) and all(isinstance(n, str) for n in names):
            return {name: _named(each) for name, each in zip(names, value, strict=True)}
    return [_named(each) for each in value]


def _defined(body: Iterable[ast.stmt]) -> dict[str, Any]:
    """Constants by name, of a function its arguments' defaults, of a class what is within."""
    found: dict[str, Any] = {}
    for each in body:
        if isinstance(each, ast.ClassDef):
            found[each.name] = _defined(each.body)
        elif isinstance(each, ast.FunctionDef):
            found[each.name] = _named_calls(each) | _defaults(each.args, found)
        elif isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            target = each.target if isinstance(each, ast.AnnAssign) else each.targets[0]
            value = _value(each.value, found)
            if isinstance(target, ast.Name):
                found[target.id] = value
            elif isinstance(target, ast.Tuple) and isinstance(value, list):
                found |= {ast.unparse(name): v for name, v in zip(target.elts, value, strict=True)}
    return found


def _named_calls(function: ast.FunctionDef) -> dict[str, Any]:
    """The arguments of a function's calls, by the text that stands first in each."""
    calls = [_value(each, {}) for each in ast.walk(function) if isinstance(each, ast.Call)]
    return {each[0]: each for each in calls if isinstance(each.get(0), str)}


def _defaults(arguments: ast.arguments, known: Mapping[str, Any]) -> dict[str, Any]:
    placed = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(placed[::-1], arguments.defaults[::-1], strict=False)]
    pairs += [
        (name, value)
        for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if value is not None
    ]
    return {name.arg: _value(value, known) for name, value in pairs}


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """An expression's value, of a call its arguments by place and name; None if it is computed."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, known)
        return -value if isinstance(value, int | float) else None
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _value(node.left, known), _value(node.right, known)
        both = isinstance(left, int | float) and isinstance(right, int | float)
        return OPERATORS[type(node.op)](left, right) if both else None
    if isinstance(node, ast.Tuple | ast.List):
        return [_value(each, known) for each in node.elts]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {k.value: _value(v, known) for k, v in pairs if isinstance(k, ast.Constant)}
    if isinstance(node, ast.Call):
        placed = {place: _value(each, known) for place, each in enumerate(node.args)}
        return placed | {each.arg: _value(each.value, known) for each in node.keywords}
    return None
