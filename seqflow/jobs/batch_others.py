"""Batches with other settings in the same folder of results."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import UsageError
from .claims import Claims, LostError, describe


def refuse_others(own: Path, expiry: float) -> None:
    """Refuse to work beside a batch with other settings; what is left of one that has ended goes."""
    for folder in sorted(own.parent.iterdir()):
        if folder == own or not folder.is_dir():
            continue
        try:
            with Claims(folder, expiry) as theirs:
                owners = [owner for owner in theirs.alive() if owner.token != theirs.me.token]
        except LostError:
            continue
        if owners:
            raise UsageError(
                f"{own.parent.parent}: in use by a batch of another model, inputs or settings: "
                f"{describe(owners)}; wait for it, or choose another --out"
            )
        shutil.rmtree(folder, ignore_errors=True)


def remove_empty(folder: Path) -> None:
    """Remove the folder of the claims of all batches, unless one is beginning."""
    try:
        folder.rmdir()
    except OSError:
        return
