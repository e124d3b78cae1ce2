"""`seqflow detect` on small series with a fault in a known place."""

from __future__ import annotations

import csv
import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from calls import Result, Seqflow

import seqflow as library
from seqflow.errors import InputError, UsageError
from seqflow.shape_flow import FlowDetector
from seqflow.shapes import ShapeDetector

LENGTH, FAULT = 1500, (900, 930)
QUICK = partial(ShapeDetector, components=8, examples=500)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector with smaller mixtures, for all tests but the first."""
    monkeypatch.setattr("seqflow.jobs.detect.ShapeDetector", QUICK)


def wave(seed: int = 0, *, fault: bool = True, period: float = 50.0) -> np.ndarray:
    """A periodic sensor; the fault is a bump over 30 samples."""
    x = np.sin(2 * np.pi * np.arange(LENGTH) / period)
    x += 0.05 * np.random.default_rng(seed).standard_normal(LENGTH)
    if fault:
        x[slice(*FAULT)] += 1.5 * np.hanning(FAULT[1] - FAULT[0])
    return x


def trained_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    small = partial(FlowDetector, components=8, examples=500, steps=25, fixed=(16,))
    monkeypatch.setattr("seqflow.shape_flow.FlowDetector", small)


def stamps() -> list[str]:
    first = np.datetime64("2024-02-28T22:00:00")
    return [str(first + np.timedelta64(60 * i, "s")).replace("T", " ") for i in range(LENGTH)]


def write(path: Path, columns: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    return path


def overlap(event: dict[str, Any]) -> float:
    """Share of the fault that the event covers."""
    return (min(event["end"], FAULT[1]) - max(event["start"], FAULT[0])) / (FAULT[1] - FAULT[0])


def in_place(event: dict[str, Any]) -> bool:
    return overlap(event) > 0.5 and FAULT[0] - 10 <= event["peak"] < FAULT[1] + 10


def series_of(result: Result) -> dict[str, Any]:
    (one,) = result.json_lines
    return one


def test_a_fault_is_found_as_it_comes(
    seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the detector as it is
    path = write(tmp_path / "pump.csv", {"timestamp": stamps(), "pressure": wave()})
    result = seqflow("detect", path)
    assert result.code == 0
    head, first, *others = result.out.splitlines()
    assert head.split() == ["rank", "from", "to", "peak", "height"]
    cells = first.split()
    assert cells[0] == "1" and len(others) <= 4
    begin, peak, end = (stamps().index(f"{a} {b}") for a, b in (cells[1:3], cells[5:7], cells[3:5]))
    assert begin <= peak <= end and in_place({"start": begin, "end": end + 1, "peak": peak})
    assert "1500 samples, fitted on all samples; none is known to be normal; period 50" in result.err
    assert "no calibrated alarms" in result.err and "seqflow train" in result.err


def test_what_it_writes(seqflow: Seqflow, tmp_path: Path) -> None:
    path = write(tmp_path / "pump.csv", {"timestamp": stamps(), "pressure": wave()})
    out = tmp_path / "out"
    words = ("detect", path, "--normal", "10h", "--out", out, "--figures", "--json", "--top", 3)
    one = series_of(seqflow(*words))
    assert (one["name"], one["status"], one["samples"], one["normal"]) == ("pump.csv", "ok", LENGTH, 600)
    assert one["rate"] == pytest.approx(1 / 60) and one["periods"] == [50] and one["windows"][0][0] == 64
    assert one["whole"] and one["fitted"].startswith("fitted on the first 600 samples")
    events = one["events"]
    assert [event["rank"] for event in events] == list(range(1, len(events) + 1)) and len(events) <= 3
    assert in_place(events[0]) and events[0]["channels"] is None
    assert events[0]["height"] > one["normal_height"] > one["usual"]
    for event in events:
        assert event["start"] >= 600 and event["start"] <= event["peak"] < event["end"]
        assert event["start_seconds"] == pytest.approx(60 * event["start"])
        assert event["end_seconds"] == pytest.approx(60 * event["end"])
        times = [stamps()[event[key]] for key in ("start", "peak")] + [stamps()[event["end"] - 1]]
        assert [event[f"{key}_time"] for key in ("start", "peak", "last")] == times
    spans = sorted((event["start"], event["end"]) for event in events)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    files = {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()}
    assert files == {"events.csv", "events.json", "samples/pump.csv.npy", "figures/pump.csv.png"}
    with (out / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["start"]) for row in rows] == [event["start"] for event in events]
    assert rows[0]["start_time"] == events[0]["start_time"] and rows[0]["channels"] == ""
    document = json.loads((out / "events.json").read_text())
    assert document["series"] == [one] and "no calibrated alarms" in document["note"]
    scores = np.load(out / "samples" / "pump.csv.npy")
    assert scores.shape == (LENGTH,)
    assert scores.dtype.names[0] == "fused" and {"shape", "density", "gaussian"} < set(scores.dtype.names)
    assert scores["fused"].dtype == np.float32 and np.isfinite(scores["fused"]).all()
    assert scores["fused"][600:].argmax() + 600 == events[0]["peak"]
    assert scores["fused"].max() == pytest.approx(events[0]["height"], rel=1e-6)
    assert (out / "figures" / "pump.csv.png").read_bytes().startswith(b"\x89PNG")
    # The same again gives the same bytes, and does not take what is in `out` for input.
    before = {name: (out / name).read_bytes() for name in files}
    again = seqflow("detect", tmp_path, *words[2:])
    assert again.code == 0 and series_of(again)["events"] == events
    assert {name: (out / name).read_bytes() for name in files} == before


def test_fits(seqflow: Seqflow, tmp_path: Path) -> None:
    path = write(tmp_path / "pump.csv", {"pressure": wave()})
    heights = []
    for more in ((), ("--normal", 600), ("--normal", 600, "--prefix-only")):
        one = series_of(seqflow("detect", path, "--json", *more))
        assert in_place(one["events"][0]) and one["rate"] is None
        assert one["events"][0]["start_seconds"] is None and one["events"][0]["start_time"] is None
        heights.append(one["events"][0]["height"])
    assert len(set(heights)) == 3
    direct = QUICK()(wave()[None], 600, whole=False)
    assert heights[2] == pytest.approx(direct.tracks["fused"].max(), rel=1e-5)


def test_the_faulty_channel(seqflow: Seqflow, tmp_path: Path) -> None:
    columns = {
        "a": 1e6 * wave(1, fault=False, period=41),
        "=b": 1e-15 * wave(2),
        "valve": np.arange(LENGTH) // 70 % 2,
        "Anomaly": np.arange(LENGTH) // 7 % 3,
    }
    path = write(tmp_path / "two.csv", columns)
    out = tmp_path / "out"
    one = series_of(seqflow("detect", path, "--label", "Anomaly", "--out", out, "--json"))
    first = one["events"][0]
    assert in_place(first) and one["channel_names"] == ["a", "=b", "valve"]
    assert next(iter(first["channels"])) == "=b" and first["channels"]["=b"] > 0.6
    assert sum(first["channels"].values()) == pytest.approx(1.0) and "valve" not in first["channels"]
    assert one["flags"] == ["valve"] and one["periods"][2] is None and one["windows"][2] == []
    scores, channels = (np.load(out / name / "two.csv.npy") for name in ("samples", "channels"))
    assert channels.dtype.names == ("a", "=b", "valve") and "flags" in scores.dtype.names
    np.testing.assert_allclose(scores["fused"], channels["a"] + channels["=b"], rtol=1e-5)
    # What is run channel by channel is what one call gives.
    values = np.array([wave(1, fault=False, period=41), wave(2), columns["valve"]])
    whole = QUICK()(values, None, whole=True)
    for name, track in whole.tracks.items():
        np.testing.assert_allclose(scores[name], track, rtol=1e-3, atol=1e-3)
    with (out / "events.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["channels"].startswith("'=b ")  # no formula
    result = seqflow("detect", path, "--label", "Anomaly")
    assert "=b 9" in result.out.splitlines()[1] or "=b 8" in result.out.splitlines()[1]
    assert "no more than two values, not in the score: valve" in result.err
    # One column alone.
    alone = series_of(seqflow("detect", path, "--column", "a", "--json"))
    assert alone["channel_names"] == ["a"] and not in_place(alone["events"][0])
    wrong = seqflow("detect", path, "--column", "c", "--json")
    assert wrong.code == 4 and "which --column asks for" in series_of(wrong)["detail"]


@pytest.mark.parametrize("more", [(), ("--normal", 700)])
def test_flags_alone_and_channels_that_never_move(
    seqflow: Seqflow, tmp_path: Path, more: tuple[object, ...]
) -> None:
    valve = np.arange(LENGTH) // 25 % 2
    valve[slice(*FAULT)] = np.arange(FAULT[1] - FAULT[0]) // 3 % 2
    path = write(tmp_path / "valve.csv", {"x": [0.1] * LENGTH, "valve": valve, "y": [-7] * LENGTH})
    out = tmp_path / "out"
    one = series_of(seqflow("detect", path, "--out", out, "--json", *more))
    assert (one["status"], one["flags"]) == ("dead_channel", []) and one["windows"][0] == []
    first = one["events"][0]
    assert overlap(first) > 0.3 and first["channels"] == {"valve": 1.0}
    assert all(event["start"] >= (one["normal"] or 0) for event in one["events"])
    channels = np.load(out / "channels" / "valve.csv.npy")
    assert not channels["x"].any() and not channels["y"].any() and channels["valve"].any()


@pytest.mark.parametrize("run", [1, 3, 40, 150])
def test_missing_values(seqflow: Seqflow, tmp_path: Path, run: int) -> None:
    x = wave()
    x[300 : 300 + run] = np.nan
    x[-2:] = np.inf
    path = write(tmp_path / "gap.csv", {"time": np.arange(LENGTH) / 10, "v": x})
    out = tmp_path / "out"
    one = series_of(seqflow("detect", path, "--out", out, "--json"))
    assert one["status"] == "nonfinite" and one["filled"] == run + 2
    assert in_place(one["events"][0])
    assert float(one["events"][0]["start_time"]) == pytest.approx(one["events"][0]["start"] / 10)
    fused = np.load(out / "samples" / "gap.csv.npy")["fused"]
    assert np.array_equal(np.isnan(fused), ~np.isfinite(x))
    for event in one["events"]:
        assert np.isfinite(fused[[event["start"], event["peak"], event["end"] - 1]]).all()
        if run >= 40:  # windows there see a straight line
            assert not 300 - 64 <= event["peak"] < 300 + run + 64


def test_gaps_in_time(seqflow: Seqflow, tmp_path: Path) -> None:
    kept = np.r_[0:200, 260:LENGTH]
    times = [stamps()[i] for i in kept]
    one = series_of(
        seqflow("detect", write(tmp_path / "a.csv", {"time": times, "v": wave()[kept]}), "--json")
    )
    assert (one["samples"], one["filled"]) == (LENGTH, 60) and in_place(one["events"][0])
    assert one["events"][0]["peak_time"] == stamps()[one["events"][0]["peak"]]


def test_a_channel_that_is_missing_in_part(seqflow: Seqflow, tmp_path: Path) -> None:
    a, b = wave(1, fault=False, period=41), wave(2)
    a[850:1000] = np.nan
    path = write(tmp_path / "x.csv", {"a": a, "b": b, "c": [""] * LENGTH})
    out = tmp_path / "out"
    one = series_of(seqflow("detect", path, "--out", out, "--json"))
    assert one["channel_names"] == ["a", "b"] and "channel c, left out" in one["detail"]
    assert in_place(one["events"][0]) and next(iter(one["events"][0]["channels"])) == "b"
    scores, channels = (np.load(out / name / "x.csv.npy") for name in ("samples", "channels"))
    assert np.array_equal(np.isnan(channels["a"]), np.isnan(a)) and np.isfinite(scores["fused"]).all()
    assert np.array_equal(scores["fused"][850:1000], channels["b"][850:1000])
    assert np.array_equal(np.isnan(scores["density"]), np.isnan(a))


def test_other_files(seqflow: Seqflow, tmp_path: Path) -> None:
    x = wave().astype(np.float32)
    np.save(tmp_path / "a.npy", x)
    (tmp_path / "a.json").write_text('{"fs": 50}')
    table = pa.table({"when": pa.array(np.array(stamps(), "datetime64[ms]")), "v": wave()})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    soundfile.write(tmp_path / "c.wav", 0.3 * x, 1000, subtype="FLOAT")
    result = seqflow("detect", tmp_path, "--json", "--normal", "600")
    array, parquet, sound = result.json_lines
    assert result.code == 0
    for one, rate in ((array, 50.0), (parquet, 1 / 60), (sound, 1000.0)):
        first = one["events"][0]
        assert in_place(first) and one["rate"] == pytest.approx(rate)
        assert first["peak_seconds"] == pytest.approx(first["peak"] / rate)
    assert array["events"][0]["peak_time"] is None
    assert parquet["events"][0]["peak_time"] == stamps()[parquet["events"][0]["peak"]]
    shown = seqflow("detect", tmp_path / "c.wav", tmp_path / "b.parquet")
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == sorted(
        line.split()[0] for line in shown.out.splitlines()[1:]
    )
    assert any(line.startswith("c.wav") and " s  " in line for line in shown.out.splitlines())
    refused = seqflow("detect", tmp_path / "c.wav", "--column", "v")
    assert refused.code == 4 and "wrong_channels: is audio" in refused.err


def test_states(seqflow: Seqflow, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", wave()[:31])
    np.save(tmp_path / "b.npy", np.full((500, 2), 7.5))
    np.save(tmp_path / "c.npy", np.full(500, np.nan))
    soundfile.write(tmp_path / "d.wav", 1e-7 * wave(), 1000, subtype="FLOAT")
    (tmp_path / "e.csv").write_text("v\n1\n2,3\n")
    (tmp_path / "f.csv").write_text("v\nlow\nhigh\n")
    np.save(tmp_path / "g.npy", wave())
    np.save(tmp_path / "h.npy", np.r_[np.zeros(640), wave()])
    np.save(tmp_path / "i.npy", wave()[:300])
    expected = ["too_short", "constant", "nonfinite", "silent", "ragged", "not_numeric", "ok", "constant"]
    out = tmp_path / "out"
    (out / "samples").mkdir(parents=True)
    (out / "samples" / "a.npy.npy").write_bytes(b"of an earlier run")
    result = seqflow("detect", tmp_path, tmp_path / "nowhere.csv", "--out", out, "--json", "--normal", 600)
    assert result.code == 3
    found = {one["name"]: one for one in result.json_lines}
    assert [found[f"{name}"]["status"] for name in sorted(found) if name != "nowhere.csv"] == [
        *expected,
        "too_short",
    ]
    assert found["nowhere.csv"]["status"] == "unreadable" and "600 are said" in found["i.npy"]["detail"]
    assert all(one["detail"] and not one["events"] for one in found.values() if one["status"] != "ok")
    assert [file.name for file in (out / "samples").iterdir()] == ["g.npy.npy"]
    failed = seqflow("detect", tmp_path / "a.npy", tmp_path / "e.csv")
    assert (failed.code, failed.out) == (4, "")
    assert "a.npy: too_short: 31 samples" in failed.err and "e.csv: ragged: " in failed.err
    assert "alarms" not in failed.err


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--normal", "31"], "normal: 31 samples are too few"),
        (["--normal", "6 weeks"], "'6 weeks' is neither a number of samples nor a time such as"),
        (["--normal", "0s"], "'0s' is neither"),
        (["--prefix-only"], "say how long it is (--normal)"),
        (["--top", "0"], "top: 0 intervals are none"),
        (["--figures"], "give the folder for them (--out)"),
    ],
)
def test_usage(seqflow: Seqflow, tmp_path: Path, more: list[str], text: str) -> None:
    np.save(tmp_path / "a.npy", wave())
    result = seqflow("detect", tmp_path / "a.npy", *more)
    assert (result.code, result.out) == (2, "")
    assert text in result.err and result.err.count("\n") == 1


def test_a_time_without_a_clock(seqflow: Seqflow, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", wave())
    result = seqflow("detect", tmp_path / "a.npy", "--normal", "5s")
    assert result.code == 4 and "a.npy: no_rate: has no clock to tell 5s" in result.err


@pytest.mark.parametrize("name", ["samples/a.npy.npy", "figures/a.npy.png", "events.csv", "events.json"])
def test_outputs_come_whole_or_not_at_all(seqflow: Seqflow, tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", wave())
    out = tmp_path / "out"
    (out / name).mkdir(parents=True)  # in the way of that file
    (out / name / "x").write_text("")
    result = seqflow("detect", tmp_path / "a.npy", "--out", out, "--figures", "--json")
    assert result.code == 5 and "cannot be written" in result.err
    assert not list(out.rglob("*.tmp"))
    for file in (path for path in out.rglob("*.npy") if path.is_file()):
        assert np.load(file).shape == (LENGTH,)


def test_the_verb(tmp_path: Path) -> None:
    found = library.detect(np.stack([wave(1, fault=False), wave(2)]), "6s", rate=100.0, top=2)
    assert found.scored and found.normal == 600 and len(found.events) <= 2
    assert in_place(vars(found.events[0])) and found.channel_names == ("0", "1")
    assert found.scores is not None and found.shares is not None and found.shares.shape == (2, LENGTH)
    path = write(tmp_path / "pump.csv", {"timestamp": stamps(), "pressure": wave()})
    same = library.detect(path, normal=600)
    assert same.events[0].peak_time == stamps()[same.events[0].peak] and same.name == "pump.csv"
    assert library.detect(np.zeros(400)).status == "constant"
    with pytest.raises(InputError, match="unreadable"):
        library.detect(tmp_path / "none.csv")


def test_couplings_are_trained_and_told_of(
    seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_quickly(monkeypatch)
    path = write(tmp_path / "pump.csv", {"pressure": wave()})
    words = ("detect", path, "--normal", 800, "--prefix-only", "--train", 30)
    result = seqflow(*words)
    assert result.code == 0
    assert "couplings by window: 64 too short, 16 " in result.err
    one = series_of(seqflow(*words, "--json"))
    (verdicts,) = one["couplings"]
    assert [verdict["length"] for verdict in verdicts] == [64, 16]
    assert verdicts[1]["outcome"] in ("kept", "no better") and verdicts[1]["steps"] <= 25
    assert in_place(one["events"][0])
    assert one["kinds"]["fused"] == "no likelihood"
    assert one["kinds"]["gaussian"] == "likelihood of the standardised window"


def test_training_needs_a_normal_beginning_and_a_time(seqflow: Seqflow, tmp_path: Path) -> None:
    path = write(tmp_path / "pump.csv", {"pressure": wave()})
    for words, text in (
        (("--train", 5), "--normal"),
        (("--train", 0, "--normal", 800), "above 0"),
        (("--train", "nan", "--normal", 800), "above 0"),
    ):
        result = seqflow("detect", path, *words)
        assert result.code == 2 and text in result.err and len(result.err.splitlines()) == 1
    with pytest.raises(UsageError, match="not both"):
        library.detect(path, 800, train=5.0, detector=QUICK())
