"""Normal recordings corrupted in named ways at stated strengths: which of them does a run find?"""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import UsageError
from ..files import make_folder, write_text
from ..model import Model
from .alarms import score_config
from .corruption_figures import make_rows, used_rates
from .corruption_material import gather_normal
from .corruption_results import CorruptionBenchmark, markdown, to_csv, to_json
from .corruption_scores import Tell, judge_corrupted
from .score import term_names


def benchmark_corruptions(
    model: Model,
    folder: Path,
    out: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    on_progress: Tell | None = None,
) -> CorruptionBenchmark:
    """Score recordings and corrupted copies of each; write corruptions.json, .md and .csv into `out`.

    Args:
        model: a trained and calibrated model.
        folder: normal recordings; those that the run was made from are passed over.
        out: where the files go.
        limit: at most so many recordings, evenly spread over their names; None for all.
        seed: 0 or more; the same gives the same figures.
        on_progress: gets how many recordings are done, of how many, and the name of the next.

    Raises UsageError where the model has no calibration, fewer than 2 recordings can be used, or limit or
    seed are no good, and ResourceError where a file cannot be written.
    """
    begin = time.monotonic()
    if model.calibration is None:
        raise UsageError(
            "benchmark corruptions: the model has no calibration, so it gives no scores; train one with "
            "data.split.calibration above 0"
        )
    if seed < 0:
        raise UsageError(f"--seed {seed}: must be 0 or more")
    config = score_config(model)
    normal = gather_normal(model, folder, limit)
    make_folder(out)
    judged, unfit = judge_corrupted(
        model,
        config,
        model.calibration,
        normal.used,
        seed,
        on_progress or (lambda done, total, what: None),
    )
    failed = (*normal.failed, *unfit)
    if len(judged) < 2:
        first = f"; first left out: {failed[0]}" if failed else ""
        raise UsageError(
            f"{folder}: {len(judged)} recordings can be scored, an area under the curve needs 2 or more"
            f"{first}"
        )
    terms = term_names(model, config)
    rates = used_rates(len(model.calibration))
    paths = tuple(out / f"corruptions.{suffix}" for suffix in ("json", "md", "csv"))
    result = CorruptionBenchmark(
        recipe=model.recipe.name,
        folder=str(folder),
        recordings=len(judged),
        candidates=normal.found,
        calibration=len(model.calibration),
        unit=model.calibration.unit,
        rates=rates,
        seed=seed,
        terms=tuple(terms),
        rows=tuple(make_rows(judged, terms, rates, seed)),
        failed=failed,
        notes=tuple(normal.notes),
        seconds=time.monotonic() - begin,
        paths=paths,
    )
    for path, text in zip(paths, (to_json(result), markdown(result), to_csv(result)), strict=True):
        write_text(path, text)
    return result
