"""Commands on tables beyond the size that is kept in memory: as on small ones, and where there is no room."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from calls import Seqflow
from small import noise, small_model

from seqflow.checkpoint import read_checkpoint
from seqflow.data import spool

TRAIN = """
name: tables
data: {kind: series, root: ROOT, window: 32, hop: 8, irregular: mask}
model:
  layers:
    - kind: standardize
    - kind: squeeze
    - {kind: affine_coupling, conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3}}
train: {steps: 4, warmup: 1, batch: 4, validate_every: 2, validate_windows: 4, log_every: 1, threads: 1}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    small_model("series", rate=None).save(path)
    return path


def tables(folder: Path, gaps: bool = False) -> Path:
    """A folder with tables of 3000 rows."""
    folder.mkdir()
    for seed in range(4):
        x = 0.1 * noise(seed, 3000)[0]
        t = np.arange(3000) + (np.arange(3000) // 700 if gaps else 0)
        lines = ["time,x", *(f"{a},{b:.17g}" for a, b in zip(t.tolist(), x.tolist(), strict=True))]
        encoding = ("utf-8", "utf-16")[seed % 2]
        (folder / f"{seed}.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
        pq.write_table(pa.table({"time": t, "x": x + 1e-3 * seed}), folder / f"{seed}.parquet")
    return folder


def test_scores_are_the_same(
    seqflow: Seqflow, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tables(tmp_path / "tables")

    def scored(out: Path) -> tuple[str, dict[str, bytes]]:
        result = seqflow("score", model, folder, "--out", out, "--samples", "--json")
        assert (result.code, len(result.json_lines)) == (0, 8)
        assert all(row["status"] == "ok" for row in result.json_lines)
        return result.out, {path.name: path.read_bytes() for path in (out / "samples").iterdir()}

    expected = scored(tmp_path / "small")
    monkeypatch.setattr(spool, "LARGE", 1000)
    monkeypatch.setattr(spool, "ROWS", 100)
    assert scored(tmp_path / "large") == expected


def test_a_training_is_the_same(seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(TRAIN.replace("ROOT", str(tables(tmp_path / "tables", gaps=True))), encoding="utf-8")

    def trained(out: Path) -> dict[str, list[float]]:
        words = ["--set", "train.workers=2", "--set", "data.cache=false", "--device", "cpu"]
        result = seqflow("train", recipe, "--out", out, *words)
        assert result.code == 0, result.err
        return {key: x.flatten().tolist() for key, x in read_checkpoint(out / "best.safetensors")[0].items()}

    expected = trained(tmp_path / "small")
    monkeypatch.setattr(spool, "LARGE", 1000)
    monkeypatch.setattr(spool, "ROWS", 100)
    assert trained(tmp_path / "large") == expected


PROGRAM = """
import resource, sys
from seqflow.data import spool
from seqflow_cli.main import run

spool.LARGE = 1000
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
sys.exit(run(sys.argv[1:]))
"""


def test_no_room_for_the_numbers(model: Path, tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "score", str(model), str(folder / "1.csv")],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert list(temporary.iterdir()) == []
    assert done.returncode == 5
    (line,) = done.stderr.strip().splitlines()
    assert "1.csv: is too large for memory" in line
    assert f"written to {temporary}: no space left; make room there, or set TMPDIR" in line
