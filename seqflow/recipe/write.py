"""A recipe as canonical YAML, and the form of all recipes as a JSON schema."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from .recipe import Recipe


def dump(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out, so that it reads the same under later defaults.

    Loads to an equal recipe; equal recipes give the same text.
    """
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    # Without this, null would be written as nothing at all.
    yaml.representer.add_representer(
        type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    stream = io.StringIO()
    yaml.dump(_ordered(recipe.model_dump(mode="json")), stream)
    return stream.getvalue()


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a recipe, for editors that complete and check YAML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}


def _ordered(value: Any) -> Any:
    """`kind` first in every mapping; lists of plain values on one line."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key != "kind")
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        items = CommentedSeq(_ordered(item) for item in value)
        if not any(isinstance(item, dict | list) for item in value):
            items.fa.set_flow_style()
        return items
    return value
