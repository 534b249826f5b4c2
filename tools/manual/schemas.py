"""The reference pages of the exchanged documents, from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tools.manual.markdown import cell, table

EDGE_APP: Final = Path(__file__).resolve().parents[2] / "edge_app"

BOUNDS: Final = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}

Schema = Mapping[str, Any]


def page(schema: Path) -> str:
    """A page of the reference: title, description, and a row for each possible key."""
    document = json.loads(schema.read_text("utf-8"))
    rows = [(f"`{key}`", cell(kind), cell(said)) for key, kind, said in keys(document, document)]
    source = schema.relative_to(EDGE_APP.parent).as_posix()
    lines = [f"# {document['title']}", "", document["description"], ""]
    lines += [
        f"The schema itself: [{schema.name}](/{source}). ` ?` marks a key that may be absent.",
        "",
    ]
    return "\n".join([*lines, *table(("key", "type", "meaning"), rows), ""])


def keys(
    root: Schema, part: Schema, place: str = "", seen: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Each key below a part of a schema: its place, type and meaning.

    Args:
        root: the whole schema, in which references are looked up.
        part: an object's schema, or an array's.
        place: of the part, such as `findings[]`.
        seen: references that led here, which are not followed again.
    """
    required = part.get("required", ())
    for name, schema in part.get("properties", {}).items():
        here = f"{place}.{name}" if place else name
        optional = "" if name in required else " ?"
        yield from _key(root, schema, here, optional, seen)
    if isinstance(part.get("additionalProperties"), Mapping):
        yield from _key(root, part["additionalProperties"], f"{place}.NAME", "", seen)


def _key(
    root: Schema, schema: Schema, place: str, optional: str, seen: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    reference = schema.get("$ref", "")
    if reference in seen:
        yield place + optional, "as above", schema.get("description", "")
        return
    if reference:
        within = root
        for step in reference.removeprefix("#/").split("/"):
            within = within[step]
        schema, seen = {**within, **schema}, (*seen, reference)
    yield place + optional, kind(schema), schema.get("description", "")
    yield from keys(root, schema, place, seen)
    if isinstance(schema.get("items"), Mapping):
        items = schema["items"]
        if any(each in items for each in ("properties", "$ref", "additionalProperties", "items")):
            yield from _key(root, items, f"{place}[]", "", seen)
    for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        if "properties" in each:
            yield from keys(root, each, place, seen)


def kind(schema: Schema) -> str:
    """An instance's type in a few words: `number, ≥ 0, ≤ 1`, `"finding" or "normal"`."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(each) for each in schema["enum"])
    types = schema.get("type", "any")
    said = types if isinstance(types, str) else " or ".join(types)
    items = schema.get("items")
    if isinstance(items, Mapping) and {"type", "enum"} & items.keys():
        said = said.replace("array", f"array of {kind(items)}")
    bounds = [how.format(schema[each]) for each, how in BOUNDS.items() if each in schema]
    return ", ".join([said, *bounds])
