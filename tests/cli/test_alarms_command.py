"""False alarms per hour, events and tails as a user types them: score, batch, stream, calibrate."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
import soundfile
from calls import Seqflow
from small import WINDOW, noise, recording, small_flow
from stream_model import stream_run, values_of

from seqflow.jobs.alarms import Alarms
from seqflow.jobs.stream import decoder_of, live_scorer
from seqflow.live import Monitor, MonitorSettings
from seqflow.model import BEST, Model
from seqflow.recipe import load
from seqflow.scoring import calibrate

HZ = 8000
# A block is a window of 32 samples, and the next begins 16 samples later: 2 ms.
BLOCKS_AN_HOUR = 3600 * HZ / 16
ASKED = f"{0.02 * BLOCKS_AN_HOUR:g}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose calibration holds 150 blocks of one window."""
    return stream_run(tmp_path_factory.mktemp("alarms") / "run")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long recording with a short fault from 0.5 s, a normal one, a constant one."""
    folder = tmp_path_factory.mktemp("days")
    bad = values_of(50, 9600)[0]
    bad[4000:4160] += np.random.default_rng(0).standard_normal(160)
    for name, values in {"bad": bad, "good": values_of(51, 1600)[0], "stuck": np.full(1600, 0.25)}.items():
        soundfile.write(folder / f"{name}.wav", values, HZ, subtype="FLOAT")
    return folder


def test_score_lists_events(seqflow: Seqflow, model: Path, days: Path, tmp_path: Path) -> None:
    plain = seqflow("score", model, days / "bad.wav", "--alarm-rate", "0.02")
    assert re.search(r"bad\.wav\s+ok\s+no", plain.out), plain.out  # one block among 600
    found = seqflow("score", model, days, "--alarms-per-hour", ASKED, "--out", tmp_path)
    assert found.code == 3 and re.search(r"bad\.wav\s+ok\s+ALARM", found.out), found.out
    assert "least p" in found.out and "where at most" in found.err
    rows = pyarrow.csv.read_csv(tmp_path / "events.csv").to_pylist()
    (worst,) = [row for row in rows if row["name"] == "bad.wav" and 0.49 < row["peak"] < 0.525]
    assert worst["start"] <= 0.5 and worst["end"] >= 0.52 and worst["blocks"] >= 5
    scores = {row["name"]: row for row in pyarrow.csv.read_csv(tmp_path / "scores.csv").to_pylist()}
    assert scores["bad.wav"]["events"] == sum(row["name"] == "bad.wav" for row in rows)
    assert scores["bad.wav"]["events_expected"] == pytest.approx(0.02 * 599)
    assert scores["stuck.wav"]["status"] == "constant" and scores["stuck.wav"]["events"] is None
    lines = seqflow("score", model, days, "--alarms-per-hour", ASKED, "--json").json_lines
    (one,) = [line for line in lines if line["name"] == "bad.wav"]
    assert len(one["event_list"]) == one["events"] and set(one["event_list"][0]) == {
        *("start", "end", "peak", "known", "score", "p_value", "blocks")
    }
    # Tables of events are those of this run, or none.
    assert seqflow("score", model, days, "--out", tmp_path).code == 3
    assert not (tmp_path / "events.csv").exists() and not (tmp_path / "events.parquet").exists()


def test_batch_has_the_same_events(seqflow: Seqflow, model: Path, days: Path, tmp_path: Path) -> None:
    words = ("--alarms-per-hour", ASKED)
    seqflow("score", model, days, *words, "--out", tmp_path / "one")
    made = seqflow("batch", model, days, *words, "--out", tmp_path / "many", "--json")
    assert made.code == 3 and made.json["alarms"] >= 1
    for name in ("events.csv", "scores.csv"):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    again = seqflow("batch", model, days, *words, "--out", tmp_path / "many", "--json")
    assert again.json["reused"] == 3
    plain = seqflow("batch", model, days, "--out", tmp_path / "many", "--json")
    assert plain.json["reused"] == 0  # alarms are part of the result
    assert not (tmp_path / "many" / "events.csv").exists()


@pytest.mark.parametrize("command", ["score", "batch", "stream"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("--alarms-per-hour", "1"),
            r"1 is below the smallest attainable rate 1\.2e\+04 with 150 calibration blocks",
        ),
        (("--alarms-per-hour", "0"), "must be positive, got 0"),
        (("--alarms-per-hour", "nan"), "must be positive, got nan"),
        (("--alarms-per-hour", "1e9"), "no less than there are blocks in an hour"),
        (("--alarm-rate", "0"), "must lie between 0 and 1, got 0"),
        (("--alarm-rate", "0.1", "--alarms-per-hour", ASKED), "both say how many"),
        (("--alarm-rate", "0.0001", "--tail", "pareto"), "smallest attainable rate 0.000663"),
        (("--tail", "gauss"), "gauss"),
    ],
)
def test_what_cannot_be_had(
    seqflow: Seqflow,
    model: Path,
    days: Path,
    tmp_path: Path,
    command: str,
    words: tuple[str, ...],
    reason: str,
) -> None:
    given = {"score": (days,), "batch": (days, "--out", tmp_path / "o"), "stream": ()}[command]
    found = seqflow(command, model, *given, *words)
    assert found.code == 2 and re.search(reason, found.err), found.err
    assert not list(tmp_path.iterdir())


def test_the_number_that_is_named_can_be_asked_for(seqflow: Seqflow, model: Path, days: Path) -> None:
    refused = seqflow("score", model, days / "good.wav", "--alarms-per-hour", "1")
    named = re.search(r"attainable rate (\S+) with", refused.err)
    assert named and seqflow("score", model, days / "good.wav", "--alarms-per-hour", named[1]).code == 0


def test_a_tail_is_named_as_a_model(seqflow: Seqflow, model: Path, days: Path) -> None:
    words = ("score", model, days / "bad.wav", days / "good.wav", "--json")
    plain, tail = (seqflow(*words, "--tail", kind).json_lines for kind in ("conformal", "pareto"))
    assert [line["p_source"] for line in plain] == ["conformal", "conformal"]
    bad = {line["name"]: line for line in tail}["bad.wav"]
    before = {line["name"]: line for line in plain}["bad.wav"]
    assert bad["p_source"] == "pareto" and bad["p_value"] < before["p_value"]
    assert (bad["score"], bad["worst_start"]) == (before["score"], before["worst_start"])
    assert re.search(r"by a Pareto tail.*25 of 150 units.*goodness of fit p \d.*not promised", bad["detail"])
    # Ten times fewer alarms per hour can be had with it.
    per_hour = f"{0.001 * BLOCKS_AN_HOUR:g}"
    assert seqflow(*words, "--alarms-per-hour", per_hour).code == 2
    found = seqflow(*words, "--alarms-per-hour", per_hour, "--tail", "pareto")
    assert found.code == 0 and any(line["events"] for line in found.json_lines)


def streamed(run: Path, data: bytes, *words: str) -> list[dict[str, Any]]:
    """Lines that a process says of a stream."""
    command = [sys.executable, "-m", "seqflow_cli", "stream", str(run), "--format", "f32le", *words]
    done = subprocess.run(command, input=data, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_stream_counts_per_hour(seqflow: Seqflow, model: Path, days: Path) -> None:
    data = soundfile.read(days / "bad.wav", dtype="float32")[0].tobytes()
    words = ("--alarms-per-hour", ASKED)
    lines = streamed(model, data, *words)
    assert (lines[0]["windows_to_onset"], lines[0]["alarms_per_hour"]) == (1, float(ASKED))
    assert lines[0]["alarm_rate"] == pytest.approx(0.02)
    # Three windows in a row may alarm three times as often each: events are at most a third of the alarms.
    own, alarms = Model.load(model), Alarms(per_hour=float(ASKED))
    slow = live_scorer(own, alarms=alarms, onset=3)
    assert slow.alarm_rate == pytest.approx(0.06)
    assert Monitor(slow, decoder_of(own, "f32le"), MonitorSettings(onset=3)).onset == 3
    (scored,) = seqflow("score", model, days / "bad.wav", *words, "--json").json_lines
    events = [line for line in lines if line["kind"] == "event"]
    assert {line["p_source"] for line in lines if line["kind"] == "window"} == {"conformal"}
    # The same p-values; an event of a stream outlasts a break of two units, here of 4 windows, not 2.
    assert {e["start"] for e in events} <= {e["start"] for e in scored["event_list"]}
    for event in scored["event_list"]:
        assert any(e["start"] <= event["start"] and event["end"] <= e["end"] for e in events)


def test_calibrate_for_a_number_per_hour(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    words = ("calibrate", trained, recordings / "r0.wav", recordings / "r1.wav")
    refused = seqflow(*words, "--alarms-per-hour", "1e-3", "--out", tmp_path / "a")
    named = re.search(r"attainable rate (\S+) with", refused.err)
    assert refused.code == 2 and named, refused.err
    assert not list(tmp_path.iterdir())
    made = seqflow(*words, "--alarms-per-hour", named[1], "--out", tmp_path / "a")
    assert made.code == 0 and f"{float(named[1]):g} an hour, from {named[1]} an hour on" in made.out, made.out
    assert load(str(tmp_path / "a" / "recipe.yaml")).score.alarms_per_hour == float(named[1])
    # The run asks for them from now on; a rate that is typed goes before.
    assert (
        f"at most {float(named[1]):g} false ones per hour (by the recipe)"
        in seqflow("info", tmp_path / "a").out
    )
    (found,) = seqflow("score", tmp_path / "a", recordings / "r2.wav", "--json").json_lines
    assert found["events"] is not None and found["unit"] == "block"
    (found,) = seqflow(
        "score", tmp_path / "a", recordings / "r2.wav", "--alarm-rate", "0.5", "--json"
    ).json_lines
    assert found["events"] is None


def test_recordings_have_no_hours(seqflow: Seqflow, tmp_path: Path, days: Path) -> None:
    flow = small_flow(rate=float(HZ))
    recipe = Model.load(stream_run(tmp_path / "r")).recipe
    held = [recording(0.1 * noise(i), f"c{i}", rate=float(HZ), kind="audio") for i in range(30)]
    fitted = calibrate(flow, held, recipe.score, window=WINDOW, unit="recording")
    (tmp_path / "w").mkdir()
    own = Model.load(stream_run(tmp_path / "x"))
    Model(own.flow, recipe, fitted, rate=float(HZ)).save(tmp_path / "w" / BEST)
    found = seqflow("score", tmp_path / "w", days, "--alarms-per-hour", "3")
    assert found.code == 2
    assert "compares whole recordings (30)" in found.err and "seqflow calibrate RUN" in found.err


PREFIX = """
name: prefix
data: {{kind: series, root: {root}, files: ["x.csv"], window: 32, rate: {rate}, irregular: {irregular},
  split: {{by: time, train_end: 0.6, valid: 0.2, calibration: 0.4}}}}
model: {{layers: [{{kind: standardize}}, {{kind: whitening, taps: 8}}]}}
train: {{steps: 2, batch: 4, warmup: 1, validate_every: 1, validate_windows: 4, threads: 1}}
score: {{smoothing: [1, 8], {score}}}
"""


def prefix_run(
    folder: Path,
    seqflow: Seqflow,
    values: np.ndarray,
    score: str,
    rate: str = "null",
    irregular: str = "refuse",
) -> tuple[int, str, Path]:
    folder.mkdir(exist_ok=True)
    if not (folder / "x.csv").exists():
        (folder / "x.csv").write_text("value\n" + "\n".join(f"{v:.6g}" for v in values) + "\n")
    (folder / "r.yaml").write_text(PREFIX.format(root=folder, score=score, rate=rate, irregular=irregular))
    found = seqflow("train", folder / "r.yaml", "--out", folder / "run", "--device", "cpu")
    return found.code, found.out + found.err, folder / "run"


def test_one_file_with_alarms_per_hour_in_the_recipe(seqflow: Seqflow, tmp_path: Path) -> None:
    values = noise(3, 6000)[0]
    code, text, made = prefix_run(tmp_path / "a", seqflow, values, "alarms_per_hour: 300", rate="10")
    assert code == 0 and "cannot be promised" not in text, text
    assert Model.load(made).calibration.unit == "block"  # type: ignore[union-attr]
    (found,) = seqflow("score", made, tmp_path / "a" / "x.csv", "--json").json_lines
    assert found["events"] is not None
    code, text, _ = prefix_run(tmp_path / "b", seqflow, values, "alarms_per_hour: 0.5", rate="10")
    assert code == 0 and "score.alarms_per_hour: 0.5 cannot be promised" in text
    code, text, _ = prefix_run(tmp_path / "c", seqflow, values, "alarms_per_hour: 300")
    assert "hours mean nothing" in text


@pytest.mark.parametrize("kind", ["constant", "anomalous"])
def test_a_prefix_that_is_no_good(seqflow: Seqflow, tmp_path: Path, kind: str) -> None:
    """A constant one is refused. One that is odd throughout makes what comes then odd: nobody can know."""
    values = noise(4, 4000)[0]
    values[:2400] = 1.0 if kind == "constant" else 50.0 + 30.0 * np.sign(np.sin(np.arange(2400)))
    code, text, made = prefix_run(tmp_path / "p", seqflow, values, "alarm_rate: 0.1", rate="10")
    if kind == "constant":
        assert code == 2 and "Traceback" not in text and "constant" in text, text
        return
    assert code == 0, text
    (found,) = seqflow(
        "score", made, tmp_path / "p" / "x.csv", "--alarms-per-hour", "600", "--json"
    ).json_lines
    late = [event for event in found["event_list"] if event["end"] > 240.0]
    assert found["alarm"] and sum(event["end"] - max(event["start"], 240.0) for event in late) > 140.0


def test_duplicated_time_stamps(seqflow: Seqflow, tmp_path: Path) -> None:
    values = noise(5, 4000)[0]
    times = np.arange(4000) * 0.1
    times[3000] = times[2999]
    folder = tmp_path / "d"
    folder.mkdir()
    rows = "\n".join(f"{t:.1f},{v:.6g}" for t, v in zip(times, values, strict=True))
    (folder / "x.csv").write_text(f"time,value\n{rows}\n")
    code, text, _ = prefix_run(folder, seqflow, values, "alarms_per_hour: 300", rate="10")
    assert code in (2, 4) and "Traceback" not in text and re.search(r"twice|duplicate|stamp", text), text


def test_conditions_of_the_recipe(seqflow: Seqflow, tmp_path: Path) -> None:
    for index in range(30):
        gain = 0.05 if index % 3 else 0.2
        name = f"{'quiet' if index % 3 else 'loud'}-{index}.wav"
        soundfile.write(tmp_path / name, gain * noise(index, 400)[0] / 3, 8000, subtype="FLOAT")
    recipe = f"""
name: classes
data:
  kind: audio
  root: {tmp_path}
  files: ["*.wav"]
  window: 32
  conditions: {{machine: {{path: '(loud|quiet)-'}}}}
  split: {{valid: 0.1, calibration: 0.6}}
model: {{layers: [{{kind: standardize}}, {{kind: whitening, taps: 8}}]}}
train: {{steps: 2, batch: 4, warmup: 1, validate_every: 1, validate_windows: 4, threads: 1}}
score: {{smoothing: [1, 8], alarm_rate: 0.1, by: machine}}
"""
    (tmp_path / "r.yaml").write_text(recipe)
    made = seqflow("train", tmp_path / "r.yaml", "--out", tmp_path / "run", "--device", "cpu")
    assert made.code == 0, made.err
    own = Model.load(tmp_path / "run").calibration
    assert own is not None
    found = seqflow("score", tmp_path / "run", *sorted(tmp_path.glob("*.wav")), "--json")
    for line in found.json_lines:
        n = own.declared["machine"].count(line["name"].split("-")[0])
        enough = 1 / (n + 1) <= 0.1 + 1e-9
        assert (line["alarm"] is not None) == enough
        assert (line["status"] == "class_too_small") != enough
    (tmp_path / "r.yaml").write_text(recipe.replace("by: machine", "by: machin"))
    wrong = seqflow("check", tmp_path / "r.yaml")
    assert wrong.code == 2 and "score.by" in wrong.err + wrong.out and "machine" in wrong.err + wrong.out
