"""A look at a path before it is opened: a pipe would be waited for, a device may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import InputError


def regular_file(path: Path) -> os.stat_result:
    """Status of a regular file that is not empty; links are followed.

    Raises InputError: `unreadable` (no such file, no permission, a loop of links), `not_a_file` (a folder, a
    pipe, a device), `empty`.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(path, "unreadable", "no such file; check the name") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
        raise InputError(path, "not_a_file", f"is {what}; give a file")
    if status.st_size == 0:
        raise InputError(path, "empty", "has no bytes; leave it out")
    return status


def unreadable(path: Path, error: Exception) -> InputError:
    """The error of the system as an InputError on one line."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = " ".join(reason.split())
    return InputError(path, "unreadable", f"cannot be read: {reason}; check its permissions and its disk")
