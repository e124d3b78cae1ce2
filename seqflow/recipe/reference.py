"""The reference of all keys, as Markdown, from the descriptions of the fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .recipe import Recipe

_INTRODUCTION = """# Recipes

A recipe is one YAML file that says everything about a model: its data, its layers, its training and its
scores. This page is made from the program's own descriptions, and a test keeps the two together.

* YAML 1.2: `1e-3` is a number, `yes` is text. Keys given twice, unknown keys and tags are errors.
* All faults show at once, one a line: `file:line:column: key: value: what is wrong; nearest valid key`.
* `--set key.key=value` changes one value; list entries go by number from 0: `--set model.layers.2.taps=16`.
* Relative paths are taken from the current directory.
* The recipes that come with seqflow go by name, such as `audio/fsdd`. What exists as a file, or ends in
  `.yaml`, is a file.

Where a key takes one of several kinds of mapping, its key `kind` tells which, and must be there."""

_HEAD = "| key | value | default | meaning |\n|---|---|---|---|"


def reference() -> str:
    """Markdown page of every part of a recipe: its keys, their types, bounds, defaults and meanings."""
    schema = Recipe.model_json_schema()
    parts = [_INTRODUCTION, _part("recipe", schema, schema)]
    for name, key in _in_order_of_use(schema).items():
        part = schema["$defs"][name]
        kind = part["properties"].get("kind", {}).get("const")
        parts.append(_part(f"{key}, kind: {kind}" if kind else key, part, schema))
    return "\n\n".join(parts) + "\n"


def _in_order_of_use(schema: dict[str, Any]) -> dict[str, str]:
    """Names of the parts with the key that they are a value of, the parts of one key together."""
    found: dict[str, str] = {}

    def visit(properties: dict[str, Any]) -> None:
        for key, field in properties.items():
            new = [name for name in dict.fromkeys(_references(field)) if name not in found]
            found.update(dict.fromkeys(new, key))
            for name in new:
                visit(schema["$defs"][name]["properties"])

    visit(schema["properties"])
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield _name(part)
        for key, inner in part.items():
            # The discriminator's mapping repeats the references, in another order.
            if key != "discriminator":
                yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _name(reference_: dict[str, Any]) -> str:
    return str(reference_["$ref"]).rsplit("/", 1)[-1]


def _part(title: str, part: dict[str, Any], schema: dict[str, Any]) -> str:
    text = f"## {title}\n\n{' '.join(part['description'].split())}"
    rows = [_row(key, field, part, schema) for key, field in part["properties"].items() if key != "kind"]
    return "\n\n".join([text, "\n".join([_HEAD, *rows])]) if rows else f"{text} It has no keys."


def _row(key: str, field: dict[str, Any], part: dict[str, Any], schema: dict[str, Any]) -> str:
    # Pydantic leaves a description out where the value's own says the same.
    meaning = field.get("description") or schema["$defs"][_name(field)]["description"]
    cells = [f"`{key}`", _value(field), _default(key, field, part), meaning.replace("|", "\\|")]
    return f"| {' | '.join(cells)} |"


def _value(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "mapping"
    if "oneOf" in field:
        return "one of the kinds"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_value(choice) for choice in field["anyOf"]))
    if "const" in field:
        return _code(field["const"])
    if "enum" in field:
        return ", ".join(_code(value) for value in field["enum"])
    if field.get("type") == "array":
        if "prefixItems" in field:
            return "list of " + ", ".join(_value(item) for item in field["prefixItems"])
        inner = _value(field["items"])
        return "list of layers" if inner == "one of the kinds" else f"list of: {inner}"
    if field.get("type") == "object":
        return "mapping of names"
    words = {"integer": "whole number", "string": "text", "boolean": "true, false", "null": "null"}
    return words.get(str(field.get("type")), str(field.get("type"))) + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {_number(field[key])}" for key, sign in signs.items() if key in field]
    return " " + ", ".join(bounds) if bounds else ""


def _default(key: str, field: dict[str, Any], schema: dict[str, Any]) -> str:
    if key in schema.get("required", ()):
        return "required"
    if "default" not in field:
        return "its defaults"
    return _code(field["default"])


def _code(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) and value else f"`{json.dumps(value)}`"


def _number(value: float) -> str:
    if isinstance(value, int) and value > 1 << 16 and value.bit_count() == 1:
        return f"2^{value.bit_length() - 1}"
    return str(value) if isinstance(value, int) else f"{value:g}"
