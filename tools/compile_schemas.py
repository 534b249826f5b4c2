"""`python -m tools.compile_schemas`: each NAME.schema.json → NAME_check_generated.py next to it.

fastjsonschema takes as long to compile a schema as the device takes to score a radiograph, so it
runs when a schema changes rather than when a file is read. The device needs no schema library.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import string
from pathlib import Path
from typing import Final

SCHEMAS: Final = tuple(
    Path(__file__).resolve().parents[1] / "edge_app" / name
    for name in (
        "model/manifest.schema.json",
        "model/site.schema.json",
        "performance/benchmark.schema.json",
    )
)

NUMBER: Final = re.compile(
    r"isinstance\((\w+), \(int, float\)\) and \(not isinstance\(\1, bool\)\)"
)

HEADER: Final = '''\
"""Whether an object is as `{name}` says: `validate` raises an `InvalidError` if not.

Made from it by `python -m tools.compile_schemas`; not to be edited.
"""

# ruff: noqa
# fmt: off
# mypy: ignore-errors

from edge_app.core.errors import InvalidError

SCHEMA_SHA256 = "{digest}"

'''


class _Lean(ast.NodeTransformer):
    """Simplifies fastjsonschema's code.

    It removes exceptions that carry half the schema, and Decimal. It formats the place of a value
    by an f-string instead of passing hundreds of variables. And 14.0 is no integer, because it
    could not count or slice. `_straight` then removes what is certain.
    """

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = ast.Name("object", ast.Load())
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "JsonSchemaValueException":
            node.keywords = []
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return _f_string(ast.literal_eval(node.func.value))
        return self.generic_visit(node)

    def _visited(self, node: ast.AST) -> ast.AST:
        found: ast.AST = self.visit(node)
        return found

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.left, ast.Constant) and node.left.value == "":
            return self._visited(node.right)
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        values = [each for each in node.values if not _takes_whole_floats(each)]
        if len(values) == 1:
            return self._visited(values[0])
        node.values = values
        return self.generic_visit(node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        absent = ("Decimal", "JsonSchemaValuesException")
        node.elts = [e for e in node.elts if not (isinstance(e, ast.Name) and e.id in absent)]
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        renamed = "InvalidError" if node.id == "JsonSchemaValueException" else node.id
        return ast.Name(renamed, node.ctx)


def _takes_whole_floats(condition: ast.expr) -> bool:
    """``not (isinstance(x, float) and x.is_integer())``."""
    return isinstance(condition, ast.UnaryOp) and ".is_integer()" in ast.unparse(condition)


def _f_string(template: str) -> ast.JoinedStr:
    """``template.format(**locals())``."""
    parts: list[ast.expr] = []
    for text, name, _, _ in string.Formatter().parse(template):
        parts.append(ast.Constant(text))
        if name is not None:
            parts.append(ast.FormattedValue(ast.Name(name, ast.Load()), conversion=-1))
    return ast.JoinedStr(parts)


def _straight(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without the conditions that are certain, since all else was refused before."""
    refused, certain, found = set[str](), set[str](), list[ast.stmt]()
    for each in statements:
        if isinstance(each, ast.Assign) and _is_certain(ast.unparse(each.value), refused):
            certain.add(ast.unparse(each.targets[0]))
            continue
        for nested in ("body", "orelse"):
            if hasattr(each, nested):
                setattr(each, nested, _straight(getattr(each, nested)))
        if isinstance(each, ast.If):
            test = ast.unparse(each.test)
            if test in certain or _is_certain(test, refused):
                found += each.body
                continue
            if isinstance(each.body[0], ast.Raise):
                refused.add(test)
        found.append(each)
    return found


def _is_certain(condition: str, refused: set[str]) -> bool:
    if number := NUMBER.fullmatch(condition):
        kinds = ("int", "(int, float)")
        tests = {
            f"not isinstance({number[1]}, {k}) or isinstance({number[1]}, bool)" for k in kinds
        }
    else:
        tests = {f"not {condition}"}
    return not tests.isdisjoint(refused)


def check_of(schema: Path) -> Path:
    """The path of the module that is generated from a schema."""
    return schema.with_name(schema.name.replace(".schema.json", "_check_generated.py"))


def compiled(name: str, schema: bytes) -> str:
    """The source of a module whose `validate` checks objects by a schema (JSON Schema draft 7)."""
    import fastjsonschema

    tree = ast.parse(fastjsonschema.compile_to_code(json.loads(schema)))
    _Lean().visit(tree)
    tree.body = _straight(tree.body)
    lean = ast.unparse(ast.fix_missing_locations(tree))
    digest = hashlib.sha256(schema).hexdigest()
    return HEADER.format(name=name, digest=digest) + lean + "\n"


if __name__ == "__main__":
    for path in SCHEMAS:
        check_of(path).write_text(compiled(path.name, path.read_bytes()))
