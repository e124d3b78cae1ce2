"""The work of one process of a batch: the model in memory, an input in, rows and a result to store out.

Whoever hands out the work stores the results, beside the work that goes on: a disk takes its time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import InputError, SeqflowError
from ..files import make_folder, write_text
from ..model import Model
from ..runtime import keep_freed_memory, out_of_memory, set_threads
from ..scoring import FileScore
from .alarms import AS_THE_RECIPE_SAYS, Alarms, score_config
from .batch_inputs import packed_inputs
from .inputs import Input
from .pool import Outcome
from .pool_child import Work
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
    """The work of one process, with the model in memory: the name of an input to its rows.

    An answer holds `rows`, and in `result` the text of the file to store; None where there is none.
    """
    set_threads(1)
    keep_freed_memory()
    model = Model.load(file, device)
    config = score_config(model, alarms)
    tracks = Path(out, "samples") if samples else None
    packed = packed_inputs(Path(root), model.recipe.data)

    def work(name: str) -> dict[str, Any]:
        path = Path(root, name)
        source = packed.get(name) or path
        content: tuple[str, ...] = ()
        declared = columns.get(name)
        try:
            content = content_of(source)
            scores = score_input(model, config, Input(name, source, declared), strict=strict, samples=tracks)
            if content_of(source) != content:
                raise InputError(path, "changed", "changed while it was read; score it again")
        except InputError as error:
            scores = [FileScore.failed(name, error)]
        except SeqflowError:
            raise
        except Exception as error:
            scores = [FileScore.failed(name, accident(path, error))]
        rows = [score.record() for score in scores]
        text = None
        if content and not any(score.status in RETRIED for score in scores):
            result = {"content": content, "key": own_key(key, declared), "path": str(path), "rows": rows}
            text = json.dumps(result, indent=1) + "\n"
        return {"rows": rows, "result": text}

    return work


def keep_result(out: str, outcome: Outcome) -> Outcome:
    """Store the result in an answer of the work; in its place `stored` says whether there was one."""
    text = outcome.answer["result"]
    if text is not None:
        place = result_path(Path(out), outcome.task)
        make_folder(place.parent)
        # If a power cut takes the name back, the next batch scores the input again.
        write_text(place, text, settled=False)
    return outcome._replace(answer={"rows": outcome.answer["rows"], "stored": text is not None})


def accident(path: Path, error: Exception) -> InputError:
    """What an error nobody expected comes to: the input's, not the batch's."""
    code = "out_of_memory" if out_of_memory(error) else "internal_error"
    return InputError(path, code, f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])
