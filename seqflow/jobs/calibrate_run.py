"""A run calibrated anew, as a run of its own: the same weights, another calibration."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..files import atomic, make_folder, new_folder, write_text
from ..model import BEST, LAST, Model
from ..recipe import dump
from ..scoring.compare import Comparisons
from ..scoring.tail import Fit
from ..training.events import Event, LeftOut, OnEvent, Warned
from ..training.folder import BOARD, LOG, RECIPE
from ..training.log import Log
from .alarms import TailChoice
from .calibrate import ANEW, OnProgress, calibrate


@dataclass(frozen=True)
class NewCalibration:
    """What `calibrate_run` wrote.

    Attributes:
        path: the folder of the new run.
        units, unit: what it was calibrated on, recordings or blocks of windows, and how many.
        per_unit: windows in a block; 0 for recordings.
        recordings: how many were used; `of_the_training` of them by `add`.
        alarm_rate: false alarms accepted by the new run, a fraction of the units.
        alarms_per_hour: false events accepted per hour; None where the rate is that of the units.
        attainable_rate: smallest rate per unit that can be promised.
        attainable_per_hour: smallest number of events per hour that can be promised; None for recordings, and
            without a clock.
        tail: the fitted tail of p-values; None where none is asked for.
        left_out: what could not be used, and why.
        warnings: lines on what gives reason to doubt.
    """

    path: Path
    units: int
    unit: str
    per_unit: int
    recordings: int
    of_the_training: int
    alarm_rate: float
    alarms_per_hour: float | None
    attainable_rate: float
    attainable_per_hour: float | None
    tail: Fit | None
    left_out: list[LeftOut]
    warnings: list[str]

    @property
    def exit_code(self) -> int:
        """0, or 3 where recordings were left out."""
        return 3 if self.left_out else 0


def calibrate_run(
    run: Path,
    paths: Sequence[str | Path],
    out: Path,
    *,
    alarm_rate: float | None = None,
    alarms_per_hour: float | None = None,
    tail: TailChoice | None = None,
    background: str | Path | None = None,
    add: bool = False,
    strict: bool = False,
    device: str = "auto",
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
) -> NewCalibration:
    """Write a run that has the model of `run`, to the bit, with a calibration on these recordings.

    The folder `out` must not be there, or be empty; it appears whole or not at all, and `run` is only read.
    Of a run's folder the state of the training and the log come along, so that it can be gone on with; a
    training that goes on calibrates as its recipe says once more. For the rest, and what is raised, see
    `calibrate`; UsageError also where `out` is taken, and ResourceError where it cannot be written.
    """
    if run.is_dir() and out.resolve().is_relative_to(run.resolve()):
        raise UsageError(f"{out}: lies in {run}, which is not to be changed; choose another --out")
    left_out: list[LeftOut] = []
    warnings: list[str] = []

    def collect(event: Event) -> None:
        if isinstance(event, LeftOut):
            left_out.append(event)
        elif isinstance(event, Warned):
            warnings.append(event.message)
        if on_event is not None:
            on_event(event)

    model = Model.load(run, device)
    with new_folder(out) as folder:
        new = calibrate(
            model,
            paths,
            alarm_rate=alarm_rate,
            alarms_per_hour=alarms_per_hour,
            tail=tail,
            background=background,
            add=add,
            strict=strict,
            on_event=collect,
            on_progress=on_progress,
        )
        _write(new, run, folder)
    assert new.calibration is not None
    counts = new.info[ANEW]
    promises = Comparisons(new.recipe.score, new.calibration, new.rate)
    fitted = promises.of({}).tail
    return NewCalibration(
        path=out,
        units=len(new.calibration),
        unit=new.calibration.unit,
        per_unit=new.calibration.per_unit,
        recordings=counts["recordings"],
        of_the_training=counts["of_the_training"],
        alarm_rate=promises.rate,
        alarms_per_hour=new.recipe.score.alarms_per_hour,
        attainable_rate=promises.smallest,
        attainable_per_hour=promises.smallest_per_hour,
        tail=None if fitted is None else fitted.fit,
        left_out=left_out,
        warnings=warnings,
    )


def _write(model: Model, run: Path, folder: Path) -> None:
    if run.is_dir():
        for name in (LAST, LOG, BOARD):
            _copy(run / name, folder / name)
    assert model.calibration is not None
    path = folder / LOG
    log = Log(path, keep=path.stat().st_size if path.exists() else 0)
    try:
        calibration = model.calibration
        log.write(
            "calibrated_anew",
            units=len(calibration),
            unit=calibration.unit,
            attainable_rate=calibration.attainable_rate,
            **model.info[ANEW],
        )
        log.sync()
    finally:
        log.close()
    write_text(folder / RECIPE, dump(model.recipe))
    model.save(folder / BEST)


def _copy(source: Path, target: Path) -> None:
    """A file, or a folder with all below it; nothing where there is none."""
    if source.is_dir():
        make_folder(target)
        for inner in sorted(source.iterdir()):
            _copy(inner, target / inner.name)
    elif source.is_file():
        with source.open("rb") as file, atomic(target) as copy:
            shutil.copyfileobj(file, copy)
