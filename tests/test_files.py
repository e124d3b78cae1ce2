"""Files appear whole or not at all, and for whoever the system's mask says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from seqflow.errors import ResourceError
from seqflow.files import atomic, write_text


@pytest.mark.parametrize("settled", [True, False])
def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, settled: bool) -> None:
    path = tmp_path / ("ü" * 127)
    before = os.umask(0o027)
    try:
        write_text(path, "one", settled=settled)
    finally:
        os.umask(before)
    assert path.read_text() == "one" and stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(ZeroDivisionError), atomic(path, settled=settled) as file:
        file.write(b"two")
        file.flush()
        assert path.read_text() == "one" and len(list(tmp_path.iterdir())) == 2
        raise ZeroDivisionError
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be written: No such file"):
        write_text(tmp_path / "no" / "such", "text")
