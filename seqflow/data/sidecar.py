"""The JSON file beside another: rate and column names of a NumPy array, values of conditions of any file."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError

# Beat positions of a day take half a MiB. Python's parser makes some 20 times the size in objects at most.
MOST_BYTES = 4 << 20


class Sidecar(NamedTuple):
    """Rate in Hz, and names of the columns; None for what is not told."""

    rate: float | None = None
    names: tuple[str, ...] | None = None


def read_sidecar(path: Path) -> Sidecar:
    """What NAME.json tells of NAME.npy, `path`: `fs`, in Hz, and `channels` or `sig_name`, a list of names.

    Other keys are passed over. No file: nothing is told.

    Raises InputError, for the array: `sidecar`, where the file is too large, no JSON, too deep, or wrong.
    """
    file = path.with_suffix(".json")
    document = _document(path, file)
    if document is None:
        return Sidecar()
    names = document.get("channels")
    if not isinstance(names, list):
        names = document.get("sig_name")
    return Sidecar(_rate(path, file, document.get("fs")), _names(path, file, names))


def read_text(path: Path, key: str) -> str | None:
    """What NAME.json tells of the file `path` under a key, as text; None for nothing, a list or a mapping.

    Raises InputError, for the file at `path`, as `read_sidecar` does.
    """
    document = _document(path, path.with_suffix(".json")) or {}
    value = document.get(key)
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _document(path: Path, file: Path) -> dict[str, Any] | None:
    """The content of the sidecar `file` of `path`; None where there is no file."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _fault(path, file, "is not a file")
        if status.st_size > MOST_BYTES:
            raise _fault(path, file, f"has {status.st_size} bytes, the most is {MOST_BYTES}")
        with file.open("rb") as opened:
            document = json.loads(opened.read(MOST_BYTES + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _fault(path, file, f"cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise _fault(path, file, "is nested too deeply") from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise _fault(path, file, f"is no JSON: {' '.join(str(error).split())[:80]}") from None
    if not isinstance(document, dict):
        raise _fault(path, file, "holds no keys")
    return document


def _rate(path: Path, file: Path, value: Any) -> float | None:
    if value is None:
        return None
    try:
        rate = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        rate = math.inf
    if not 0.0 < rate < math.inf:
        raise _fault(path, file, f"gives the rate fs as {str(value)[:40]!r}, which is no number of hertz")
    return rate


def _names(path: Path, file: Path, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise _fault(path, file, "gives names of columns that are not all text")
    return tuple(name.strip() for name in value)


def _fault(path: Path, file: Path, reason: str) -> InputError:
    return InputError(path, "sidecar", f"{file.name} beside it {reason}; correct or remove it")
