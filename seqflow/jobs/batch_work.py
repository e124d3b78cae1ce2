"""The work of one process of a batch: the model in memory, an input in, rows and a stored result out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import InputError, SeqflowError
from ..files import make_folder, write_text
from ..model import Model
from ..runtime import out_of_memory, set_threads
from ..scoring import FileScore
from .alarms import AS_THE_RECIPE_SAYS, Alarms, score_config
from .inputs import Input
from .pool import Work
from .score import score_input
from .stored import content_of, own_key, result_path

RETRIED = ("crashed", "timeout", "out_of_memory", "internal_error", "changed")
"""Reasons that another batch may not meet again: no result is stored, so that it tries."""


def start_work(
    file: str,
    root: str,
    out: str,
    key: str,
    samples: bool,
    strict: bool,
    alarms: Alarms = AS_THE_RECIPE_SAYS,
    device: str = "cpu",
    columns: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Work:
    """The work of one process, with the model in memory: the name of an input to its rows."""
    set_threads(1)
    model = Model.load(file, device)
    config = score_config(model, alarms)
    tracks = Path(out, "samples") if samples else None

    def work(name: str) -> dict[str, Any]:
        path, place = Path(root, name), result_path(Path(out), name)
        content: tuple[str, ...] = ()
        declared = columns.get(name)
        try:
            content = content_of(path)
            scores = score_input(model, config, Input(name, path, declared), strict=strict, samples=tracks)
            if content_of(path) != content:
                raise InputError(path, "changed", "changed while it was read; score it again")
        except InputError as error:
            scores = [FileScore.failed(name, error)]
        except SeqflowError:
            raise
        except Exception as error:
            scores = [FileScore.failed(name, accident(path, error))]
        rows = [score.record() for score in scores]
        stored = bool(content) and not any(score.status in RETRIED for score in scores)
        if stored:
            make_folder(place.parent)
            result = {"content": content, "key": own_key(key, declared), "path": str(path), "rows": rows}
            write_text(place, json.dumps(result, indent=1) + "\n")
        return {"rows": rows, "stored": stored}

    return work


def accident(path: Path, error: Exception) -> InputError:
    """What an error nobody expected comes to: the input's, not the batch's."""
    code = "out_of_memory" if out_of_memory(error) else "internal_error"
    return InputError(path, code, f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])
