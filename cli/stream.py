"""`seqflow stream`: live scores of what comes on standard input, or from an MQTT broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from . import console
from .options import (
    AlarmRateOption,
    AlarmsPerHourOption,
    DeviceOption,
    RunArgument,
    TailOption,
    examples,
)

EXAMPLES = examples(
    "arecord -t raw -f S16_LE -r 16000 | seqflow stream runs/pump",
    "mosquitto_sub -t plant/pump | seqflow stream runs/pump --format jsonl",
    "seqflow stream runs/pump --format csv --state pump.state --out pump.jsonl < pump.csv",
    "seqflow stream runs/pump --format jsonl --mqtt broker:1883 --topic plant/pump --publish alarms/pump",
)


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text, show_default=False)


def stream(
    run: RunArgument,
    format: Annotated[
        str, typer.Option("--format", help="u8, s16le, s24le, s32le, f32le, f64le, csv or jsonl.")
    ] = "s16le",
    alarm_rate: AlarmRateOption = None,
    alarms_per_hour: AlarmsPerHourOption = None,
    tail: TailOption = None,
    onset: Annotated[
        int | None,
        _option(
            "--onset", "N", "Windows in a row that alarm before it is an event; left out: by --alarm-rate."
        ),
    ] = None,
    drift_every: Annotated[
        str | None,
        _option(
            "--drift-every",
            "TIME|N",
            "Least expected time between false drift alarms: 12h, 30d, or windows; 0: none; left out: 30d.",
        ),
    ] = None,
    samples: Annotated[
        bool, typer.Option("--samples", help="Give the scores of every sample too.", show_default=False)
    ] = False,
    terms: Annotated[
        bool, typer.Option("--terms", help="Give the terms of every window.", show_default=False)
    ] = False,
    wait: Annotated[
        str, _option("--wait", "TIME|N", "How long late rows are waited for: 0.5s, or samples.")
    ] = "0",
    gap: Annotated[
        str | None,
        _option("--gap", "TIME|N", "Longest gap that is masked; a longer one begins a segment."),
    ] = None,
    most_bad: Annotated[int, _option("--most-bad", "N", "Unusable lines in a row that end it; 100.")] = 100,
    state: Annotated[
        Path | None, _option("--state", "FILE", "Keep the state here, and go on from it.")
    ] = None,
    state_every: Annotated[float, _option("--state-every", "SECONDS", "From save to save; 10.")] = 10.0,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="The input comes from its beginning: pass over what --state has consumed."
        ),
    ] = False,
    stay_open: Annotated[
        bool, typer.Option("--open", help="The end of the input is not the end of the stream.")
    ] = False,
    stalled: Annotated[
        float | None, _option("--stalled", "SECONDS", "Say so when nothing comes for as long as this.")
    ] = None,
    out: Annotated[
        Path | None, _option("--out", "FILE", "Write the lines here as well; exactly once with --state.")
    ] = None,
    mqtt: Annotated[
        str | None, _option("--mqtt", "HOST:PORT", "Read from an MQTT broker in place of standard input.")
    ] = None,
    topic: Annotated[str | None, _option("--topic", "TOPIC", "Topic to read.")] = None,
    publish: Annotated[str | None, _option("--publish", "TOPIC", "Send the lines there too.")] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Score a stream while it comes: a line of JSON for every window, event, drift and fault.

    Reads raw samples, CSV or JSON lines. The first line says how much an earlier run has consumed.
    """
    from seqflow.jobs.alarms import Alarms
    from seqflow.jobs.stream import ADVICE, compared, run_stream
    from seqflow.jobs.stream_options import stream_options
    from seqflow.jobs.stream_places import places
    from seqflow.model import Model

    model = Model.load(run, device)
    options = stream_options(
        model,
        format=format,
        alarms=Alarms(alarm_rate, alarms_per_hour, tail),
        onset=onset,
        drift_every=drift_every,
        samples=samples,
        terms=terms,
        wait=wait,
        gap=gap,
        most_bad=most_bad,
        state=state,
        state_every=state_every,
        replay=replay,
        stay_open=stay_open,
        stalled=stalled,
        out=out,
    )
    if reason := compared(model):
        console.note(f"note: {reason}, so there are no p-values, events and drift; {ADVICE}")
    with places(_say, mqtt, topic, publish, lines=format in ("csv", "jsonl")) as (source, sink):
        code = run_stream(run, model, source, sink, options)
    raise typer.Exit(code)


def _say(lines: Sequence[Mapping[str, Any]]) -> None:
    console.say_json_lines(lines)
