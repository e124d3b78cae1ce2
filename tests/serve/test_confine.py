"""A process that reads what strangers send writes no files: tables of any size stay in its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from seqflow.data import spool
from seqflow.data.series import open_series
from seqflow.errors import ResourceError
from seqflow.recipe.data import SeriesData
from seqflow.serve.confine import confine

def length():
    config = SeriesData(kind="series", root=".", window=16)
    (recording,) = open_series(sys.argv[1], name="x", config=config)
    return recording.read(0, 10000).values.sum()

spool.LARGE = 1000
assert length() == 499500
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
try:
    length()
except ResourceError:
    print("refused")
confine(1 << 30)
print(length())
"""


def test_large_tables_are_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["t,x", *(f"{i},{i}" for i in range(1000))]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["refused", "499500.0"], done.stderr
