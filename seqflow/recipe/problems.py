"""Validation errors as lines that a person can act on: `file:line:column: key: value: what is wrong`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .base import Config
from .nearest import nearest
from .recipe import Recipe
from .yaml_text import Document, Path, Place, dotted

MOST_LINES = 50


def problem_lines(error: ValidationError, document: Document) -> list[str]:
    """One line for every fault that pydantic found, in the order of the file."""
    found: dict[Path, list[tuple[ErrorDetails, type[BaseModel] | None]]] = {}
    between: list[tuple[Path, str]] = []
    for detail in error.errors(include_url=False):
        path, owner = _path_of(detail["loc"])
        if detail["type"] == "between_keys":
            between += [((*path, *key), text) for key, text in detail["ctx"]["problems"]]
        elif detail["type"].startswith("union_tag"):
            found.setdefault((*path, "kind"), []).append((detail, owner))
        else:
            found.setdefault(path, []).append((detail, owner))
    lines = [
        _line(path, _message(path, details), document, details[0][0]["type"] == "extra_forbidden")
        for path, details in found.items()
        # A union reports the branches that did not fit at all beside the one that nearly did.
        if not any(len(other) > len(path) and other[: len(path)] == path for other in found)
    ]
    return lines + between_lines(between, document)


def between_lines(problems: Iterable[tuple[Path, str]], document: Document) -> list[str]:
    """Lines for faults between keys."""
    return [_line(path, message, document) for path, message in problems]


def in_order(lines: Iterable[str], places: Document) -> list[str]:
    """The lines by their place, at most `MOST_LINES`."""
    unique = list(dict.fromkeys(lines))
    unique.sort(key=_position)
    if len(unique) > MOST_LINES:
        return [
            *unique[:MOST_LINES],
            f"{places.values[()].source}: and {len(unique) - MOST_LINES} more faults",
        ]
    return unique


def _position(line: str) -> tuple[int, int]:
    parts = line.split(": ", 1)[0].rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return int(parts[1]), int(parts[2])
    return 1 << 30, 0


def _line(path: Path, message: str, document: Document, at_key: bool = False) -> str:
    value: Any = document.data
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            # The key is not there: its default is to blame, or it is missing.
            return f"{_place(path, document)}: {dotted(path)}: {message}"
    place = document.keys[path] if at_key else _place(path, document)
    return f"{place}: {dotted(path)}: {_show(value)}{message}"


def _place(path: Path, document: Document) -> Place:
    """Of a single value its own place, of a mapping or list its key's; else of the nearest thing around."""
    while path:
        if path in document.values:
            around = path in document.keys and any(inner[:-1] == path for inner in document.values if inner)
            return document.keys[path] if around else document.values[path]
        path = path[:-1]
    return document.values[()]


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return ""
    words = {True: "true", False: "false", None: "null"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return (text if len(text) <= 60 else text[:57] + "...") + ": "


def _path_of(loc: tuple[str | int, ...]) -> tuple[Path, type[BaseModel] | None]:
    """Path of keys for a pydantic location, which also names union branches; the part that owns the key."""
    path: list[str | int] = []
    owner: type[BaseModel] | None = Recipe
    holder = owner
    models: list[type[BaseModel]] = []
    named = False
    for part in loc:
        if named:
            # A name of the user's choice, as those of conditions.
            path.append(part)
            named, owner = False, models[0]
            continue
        if owner is None and models and isinstance(part, str):
            owner = _chosen(models, part)
            if len(models) > 1:
                continue
        if owner is None:
            # An index of a list; a word here is a branch of a union of plain values.
            if isinstance(part, int):
                path.append(part)
            continue
        path.append(part)
        holder = owner
        field = owner.model_fields.get(str(part))
        if field is None:
            break
        models, owner = list(_models(field.annotation)), None
        named = get_origin(field.annotation) is Mapping
    return tuple(path), holder


def _chosen(models: list[type[BaseModel]], kind: str) -> type[BaseModel] | None:
    if len(models) == 1:
        return models[0]
    return next((model for model in models if kind in get_args(model.model_fields["kind"].annotation)), None)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _message(path: Path, details: list[tuple[ErrorDetails, type[BaseModel] | None]]) -> str:
    bounds = [item for item in details if not item[0]["type"].endswith(("_type", "literal_error"))]
    texts = dict.fromkeys(_one_message(path, detail, owner) for detail, owner in bounds or details)
    first, *others = texts
    if not others:
        return first
    # Branches of a union: "must be a number", "must be a list" -> "must be a number, or a list".
    return ", or ".join([first, *(text.removeprefix("must be ") for text in others)])


def _one_message(path: Path, detail: ErrorDetails, owner: type[BaseModel] | None) -> str:
    context = detail.get("ctx", {})
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return _unknown(str(path[-1]), owner)
        case "missing":
            if isinstance(path[-1], int):
                return "is missing: the list is too short"
            field = owner.model_fields.get(str(path[-1])) if owner else None
            return "is missing" + (f": {field.description}" if field and field.description else "")
        case "union_tag_invalid":
            kinds = [word.strip("' ") for word in str(context["expected_tags"]).split(",")]
            near = nearest(str(context["tag"]), kinds)
            return "unknown kind; " + (f"nearest '{near}'; " if near else "") + f"kinds: {', '.join(kinds)}"
        case "union_tag_not_found":
            return _no_kind(value)
        case "literal_error":
            words = _literals(str(context["expected"]))
            near = nearest(str(value), words)
            return f"must be {context['expected']}" + (f"; nearest '{near}'" if near else "")
        case "int_type" | "int_from_float":
            whole = isinstance(value, float) and value.is_integer()
            return "must be a whole number" + (f"; write {value:.0f}" if whole else _unquote(value))
        case "float_type":
            return "must be a number" + _unquote(value)
        case "bool_type":
            yes = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(value).lower())
            return "must be true or false" + (f"; write {yes}" if yes else "")
        case "string_type":
            return "must be text" + ("" if isinstance(value, list | dict) else "; put it in quotes")
        case "tuple_type":
            return "must be a list" + ("" if isinstance(value, list | dict) else "; put it in [ ]")
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a mapping of keys" + _with_kind(path, value)
        case "finite_number":
            return "must be finite"
        case "greater_than_equal":
            return f"must be at least {context['ge']:.12g}"
        case "greater_than":
            return f"must be above {context['gt']:.12g}"
        case "less_than_equal":
            return f"must be at most {context['le']:.12g}"
        case "less_than":
            return f"must be below {context['lt']:.12g}"
        case "too_short":
            return f"must have at least {_entries(context['min_length'])}"
        case "too_long":
            return f"must have at most {_entries(context['max_length'])}"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            field = owner.model_fields.get(str(path[-1])) if owner else None
            return "has a form that is not allowed" + (f". {field.description}" if field else "")
        case _:
            text = detail["msg"]
            return text[:1].lower() + text[1:]


def _with_kind(path: Path, value: Any) -> str:
    in_list = isinstance(path[-1], int) and isinstance(value, str)
    return f"; write {{kind: {value}}}" if in_list else ""


def _entries(count: int) -> str:
    return "one entry" if count == 1 else f"{count} entries"


def _unquote(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    try:
        float(value)
    except ValueError:
        return ""
    return "; remove the quotes"


def _literals(expected: str) -> list[str]:
    return [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]


def _unknown(key: str, owner: type[BaseModel] | None) -> str:
    names = list(owner.model_fields) if owner else []
    near = nearest(key, names)
    if near:
        return f"unknown key; nearest valid key '{near}'"
    for part, field in Recipe.model_fields.items():
        if any(key in model.model_fields for model in _models(field.annotation)):
            return f"unknown key; valid below '{part}'"
    return f"unknown key; valid keys: {', '.join(names)}"


def _no_kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "must be a mapping with the key kind"
    near = nearest("kind", map(str, value))
    return "is missing: it tells what this is" + (f"; nearest key here '{near}'" if near else "")
