"""YAML text to plain values that know their place in the text. Bounded in time whatever the text holds.

ruamel.yaml splits the text into events and tells what a plain scalar means (YAML 1.2: 1e-3 is a number, `yes`
is text). Nothing is ever made but mappings, lists, text, numbers, true, false and null: tags are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError

from ..errors import RecipeError

Path = tuple[str | int, ...]

# A large recipe has 5 KB, 300 values, 12 levels. ruamel.yaml reads about 0.5 MB a second of the worst text.
MOST_CHARACTERS = 128 * 1024
MOST_VALUES = 10_000
DEEPEST = 32
# The longest decimal number of 64 bits has 20 digits; beyond a few hundred Python's int() turns slow.
LONGEST_NUMBER = 40


@dataclass(frozen=True)
class Place:
    """Where something stands: line and column count from 1; both 0 for a source that has no lines."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass
class Document:
    """Plain values, and where each key and value stands. `problems`: faults that did not stop the reading."""

    data: Any
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_yaml(text: str, source: str) -> Document:
    """Read one YAML document.

    Duplicate keys, keys that are no text, tags and merge keys are collected in `problems`. Raises RecipeError
    where the text is no YAML, holds more than one document, or is beyond the bounds of this module.
    """
    if len(text) > MOST_CHARACTERS:
        raise RecipeError([f"{source}: has {len(text)} characters; a recipe has at most {MOST_CHARACTERS}"])
    try:
        return _Reader(text, source).document()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        raise RecipeError(
            [f"{Place(source, line, column)}: holds the character {_code(error.character)}; remove it"]
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source)
        parts = [part for part in (error.problem, error.context) if part]
        raise RecipeError([f"{place}: is not YAML: {', '.join(parts)}"]) from None
    except YAMLError as error:
        raise RecipeError([f"{source}: is not YAML: {' '.join(str(error).split())}"]) from None


@dataclass
class _Node:
    value: Any
    place: Place
    key_places: dict[str, Place] = field(default_factory=dict)


class _Reader:
    """Builds nodes from events; aliases share nodes, and are copied out under a common bound on values."""

    def __init__(self, text: str, source: str) -> None:
        self.events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
        # A reader of its own tells what scalars mean: a %YAML 1.1 line in the text has no say in it.
        self.core = YAML(typ="safe", pure=True)
        self.source = source
        self.problems: list[str] = []
        self.anchors: dict[str, _Node] = {}
        self.count = 0
        self.depth = 0

    def document(self) -> Document:
        next(self.events)  # the start of the stream
        event = next(self.events)
        if isinstance(event, StreamEndEvent):
            return Document(None, values={(): Place(self.source, 1, 1)})
        root = self.node(next(self.events), ())
        next(self.events)  # the end of the document
        if isinstance(extra := next(self.events), DocumentStartEvent):
            raise RecipeError([f"{self.place(extra)}: starts a second document; a file holds one recipe"])
        self.count = 0
        document = Document(None, problems=self.problems)
        document.data = self.copy_out(root, (), document)
        return document

    def place(self, event: Event) -> Place:
        mark = event.start_mark
        return Place(self.source, mark.line + 1, mark.column + 1)

    def node(self, event: Event, path: Path) -> _Node:
        place = self.place(event)
        self.depth += 1
        self.bound(place)
        node = self.node_at(event, place, path)
        self.depth -= 1
        return node

    def node_at(self, event: Event, place: Place, path: Path) -> _Node:
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise RecipeError(
                    [f"{place}: {dotted(path)}: *{event.anchor}: no finished anchor of this name before"]
                )
            return self.anchors[event.anchor]
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.problems.append(f"{place}: {dotted(path)}: {tag}: tags are not allowed; remove it")
        match event:
            case ScalarEvent():
                node = _Node(self.scalar(event, place, path), place)
            case SequenceStartEvent():
                node = _Node([], place)
                while not isinstance(item := next(self.events), SequenceEndEvent):
                    node.value.append(self.node(item, (*path, len(node.value))))
            case MappingStartEvent():
                node = self.mapping(place, path)
            case _:
                raise RecipeError([f"{place}: {dotted(path)}: cannot be read"])
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def mapping(self, place: Place, path: Path) -> _Node:
        node = _Node({}, place)
        while not isinstance(event := next(self.events), MappingEndEvent):
            key_place = self.place(event)
            key = self.node(event, path).value
            value_event = next(self.events)
            if not isinstance(key, str):
                shown = "a list or mapping" if isinstance(key, list | dict) else f"{key!r}"
                self.problems.append(f"{key_place}: {dotted(path)}: {shown}: a key must be text")
                key = f"{shown}"
                self.node(value_event, (*path, key))
                continue
            value = self.node(value_event, (*path, key))
            if key == "<<":
                self.problems.append(
                    f"{key_place}: {dotted(path)}: <<: merge keys are not allowed; write the keys out"
                )
            elif key in node.value:
                first = node.key_places[key]
                self.problems.append(
                    f"{key_place}: {dotted((*path, key))}: is given twice, first in line {first.line}"
                )
            else:
                node.value[key] = value
                node.key_places[key] = key_place
        return node

    def scalar(self, event: ScalarEvent, place: Place, path: Path) -> Any:
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in event.value):
            self.problems.append(f"{place}: {dotted(path)}: holds a character that is no text; remove it")
            return ""
        tag = str(self.core.resolver.resolve(ScalarNode, event.value, event.implicit))
        if tag.rsplit(":", 1)[-1] not in ("int", "float", "bool", "null"):
            return event.value
        if len(event.value) > LONGEST_NUMBER:
            self.problems.append(f"{place}: {dotted(path)}: {event.value[:20]}...: is too long for a number")
            return 0
        try:
            return self.core.constructor.construct_object(ScalarNode(tag, event.value, event.start_mark))
        except ValueError:
            return event.value

    def bound(self, place: Place) -> None:
        self.count += 1
        if self.count > MOST_VALUES:
            raise RecipeError([f"{place}: holds more than {MOST_VALUES} values, aliases written out"])
        if self.depth > DEEPEST:
            raise RecipeError([f"{place}: is nested more than {DEEPEST} deep"])

    def copy_out(self, node: _Node, path: Path, into: Document) -> Any:
        """Plain values of a node, aliases copied, with the places of everything."""
        self.depth = len(path)
        self.bound(node.place)
        into.values[path] = node.place
        if isinstance(node.value, list):
            return [self.copy_out(item, (*path, i), into) for i, item in enumerate(node.value)]
        if isinstance(node.value, dict):
            into.keys.update({(*path, key): place for key, place in node.key_places.items()})
            return {key: self.copy_out(item, (*path, key), into) for key, item in node.value.items()}
        return node.value


def dotted(path: Path) -> str:
    """`model.layers.2.taps`; `recipe` for the whole."""
    return ".".join(map(str, path)) or "recipe"


def _code(character: int | str) -> str:
    return f"U+{character if isinstance(character, int) else ord(character):04X}"
