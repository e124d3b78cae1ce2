"""The end of a training: the best weights, calibrated, as a model."""

from __future__ import annotations

from ..errors import CheckpointError, ResourceError, SeqflowError, UsageError
from ..model import BEST, Model
from ..runtime import out_of_memory
from ..scoring import Calibration, calibrate
from ..scoring.compare import Comparisons
from ..scoring.fuse import rate_text
from .assemble import make_model
from .background import background_beside
from .events import Calibrated, Finished, Uncalibrated, Warned
from .loop import Trainer
from .validate import TOLERANCE


def finish(trainer: Trainer) -> Model:
    """Calibrate and write the model, then mark the training as finished: the first process does.

    Calibrating may take long, and the others are not needed: they get the model without calibration.

    Without recordings to calibrate on the model is written all the same, and an event says so. Raises
    SeqflowError where no validation found weights fit to keep.
    """
    progress = trainer.progress
    if progress.best is None:
        raise SeqflowError(
            f"{trainer.out}: no validation found weights fit to keep: a finite likelihood, and a round trip "
            f"within {TOLERANCE:g} in float64; train anew with a lower train.lr, or with fewer layers"
        )
    model = make_model(trainer.recipe, trainer.material, progress, trainer.best, trainer.device)
    first = trainer.ranks.first
    trainer.ranks.leave()
    if not first:
        return model
    _calibrate(trainer, model)
    path = trainer.out / BEST
    model.save(path)
    best = progress.best
    stopped_early = progress.step < trainer.recipe.train.steps
    trainer.log.write(
        "finished",
        step=best.step,
        nats=best.nats,
        bits=best.bits,
        stopped_early=stopped_early,
        seconds=progress.seconds,
    )
    progress.finished = True
    trainer.write_state()
    trainer.emit(Finished(path, best.step, best.nats, best.bits, progress.seconds, stopped_early))
    return model


def _calibrate(trainer: Trainer, model: Model) -> None:
    config, recordings = trainer.recipe.score, trainer.material.calibration
    if not recordings:
        return _without(trainer, "no recording is held back for it; see data.split.calibration")
    try:
        background = None
        if config.background is not None:
            background = background_beside(config.background, model)
        calibration = calibrate(model.flow, recordings, config, window=model.window, background=background)
    except (UsageError, CheckpointError) as error:
        return _without(trainer, str(error))
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ResourceError(
            f"{trainer.out}: out of memory while calibrating; lower score.batch (now {config.batch}), "
            "then --resume"
        ) from error
    model.calibration = calibration
    figures = (len(calibration), calibration.unit, calibration.attainable_rate)
    trainer.emit(Calibrated(*figures))
    for doubt in _doubts(model, calibration):
        trainer.emit(Warned(doubt))
    trainer.log.write("calibrated", units=figures[0], unit=figures[1], attainable_rate=figures[2])


def _doubts(model: Model, calibration: Calibration) -> list[str]:
    """What the calibration cannot promise of what the recipe asks for."""
    config = model.recipe.score
    plain = config.alarms_per_hour is None and config.by is None and config.tail is None
    if plain and calibration.attainable_rate > config.alarm_rate * (1.0 + 1e-9):
        return [
            f"score.alarm_rate: {config.alarm_rate:g} is below what the calibration can promise; score with "
            f"an alarm rate of {rate_text(calibration.attainable_rate)} or more"
        ]
    try:
        return Comparisons(config, calibration, model.rate).too_small()
    except UsageError as error:
        return [str(error)]


def _without(trainer: Trainer, reason: str) -> None:
    trainer.emit(Uncalibrated(reason))
    trainer.log.write("uncalibrated", reason=reason)
