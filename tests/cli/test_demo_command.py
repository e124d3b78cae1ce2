"""`seqflow demo`: how its parts are shown. The demonstration itself has a test of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from calls import Seqflow

from seqflow.jobs import demo
from seqflow.jobs.demo import Demo, Stage
from seqflow.jobs.sample import Samples
from seqflow.scoring import FileScore
from seqflow.training.events import Skipped


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(out: Path, *, device: str, on_event: Callable[[object], None]) -> Demo:
        on_event(Stage("Train"))
        on_event(Skipped(5, 1, 1))
        score = FileScore("quiet.csv", str(out / "quiet.csv"), "ok", nll=1.0, bits=3.0, score=2.5)
        samples = Samples(
            paths=(),
            figure=out / "samples" / "samples.png",
            n=1,
            length=8,
            channels=1,
            rate=100.0,
            seconds=0.08,
            temperature=1.0,
            truncation=1.0,
            seed=0,
            method="whole",
            condition={},
            redrawn=0,
            left=0,
            beyond=0,
        )
        return Demo(
            run=out / "run",
            recordings=out / "recordings",
            scores={"quiet": score},
            tables=out / "scores",
            samples=samples,
            fault=(1.0, 2.5),
            seconds=61.0,
        )

    monkeypatch.setattr(demo, "run_demo", run)


@pytest.mark.usefixtures("told")
def test_it_tells_what_it_does_and_where_the_results_are(seqflow: Seqflow) -> None:
    result = seqflow("demo", "--out", "here")
    assert result.code == 0
    lines = result.err.splitlines()
    assert lines[:2] == ["== Train", "step 5 skipped: not finite (1 so far, 1 in a row)"]
    assert "put in at 1.00 to 2.50 s" in result.err and "1:01" in lines[-1]
    rows = [line.split() for line in result.out.splitlines()]
    assert rows[1][:2] == ["quiet.csv", "ok"] and rows[1][-1] == "3.000"
    assert ["model", "here/run"] in rows and ["drawn", "waves", "here/samples/samples.png"] in rows


@pytest.mark.usefixtures("told")
def test_json(seqflow: Seqflow) -> None:
    stage, skipped, made = seqflow("demo", "--json").json_lines
    assert stage == {"event": "stage", "title": "Train"}
    assert skipped["event"] == "skipped"
    assert made["scores"]["quiet"]["score"] == 2.5 and made["run"] == "demo-output/run"
