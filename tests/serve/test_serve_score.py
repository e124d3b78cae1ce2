"""Uploads over HTTP get what the command says of the same files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from service import Service

from seqflow.jobs.score import score
from seqflow.model import Model

TYPES = {
    "a.wav": "audio/wav",
    "burst.wav": "audio/x-wav",
    "b.flac": "audio/flac",
    "c.ogg": "audio/ogg",
    "d.npy": "application/x-npy",
    "e.csv": "text/csv; charset=utf-8",
    "f.parquet": "application/vnd.apache.parquet",
    "zero.wav": "audio/vnd.wave",
}


def known(row: str) -> dict[str, Any]:
    return json.loads(row) | {"path": ""}


@pytest.mark.parametrize("name", TYPES)
def test_answers_are_those_of_the_command(
    service: Service, files: Path, cli_rows: dict[str, str], name: str
) -> None:
    body = (files / name).read_bytes()
    raw = service.client.post(
        "/score", params={"name": name}, content=body, headers={"Content-Type": TYPES[name]}
    )
    form = service.client.post("/score", files={"file": (name, body)})
    assert raw.status_code == form.status_code == 200, raw.text + form.text
    assert raw.json() == form.json() == {"scores": [known(cli_rows[name])]}
    if name != "zero.wav":
        assert raw.json()["scores"][0]["nll"] is not None
    service.visit(route="/score", status=200, code="ok", label=name, received=len(body))


def test_silence_has_a_name_in_place_of_a_score(service: Service, files: Path) -> None:
    found = service.client.post("/score", files={"f": ("zero.wav", (files / "zero.wav").read_bytes())})
    (row,) = found.json()["scores"]
    assert row["status"] in ("silent", "constant") and row["score"] is None


def test_scores_of_every_sample(service: Service, files: Path, trained: Path) -> None:
    body = (files / "burst.wav").read_bytes()
    found = service.client.post("/score?samples=true&format=wav", content=body)
    tracks = found.json()["scores"][0]["tracks"]
    expected = score(Model.load(trained), files / "burst.wav").arrays
    assert expected is not None and tracks.keys() == expected.keys()
    for name, track in tracks.items():
        got = np.array([np.nan if value is None else value for value in track])
        np.testing.assert_allclose(got, expected[name], rtol=1e-5, atol=1e-6)


def test_an_alarm_rate_and_what_cannot_be_promised(service: Service, files: Path) -> None:
    body = (files / "burst.wav").read_bytes()

    def ask(**params: Any) -> Any:
        return service.client.post("/score", params={"format": "wav", **params}, content=body)

    assert [ask(alarm_rate=rate).json()["scores"][0]["alarm"] for rate in (0.02, 0.9)] == [False, True]
    least = service.client.get("/model").json()["calibration"]["attainable_alarm_rate"]
    found = ask(alarm_rate=least / 2)
    assert (found.status_code, found.json()["code"]) == (422, "unsuitable")
    assert "smallest attainable rate" in found.json()["detail"]
    found = ask(condition="digit=7")
    assert (found.status_code, found.json()["code"]) == (422, "unsuitable")
    assert "digit" in found.json()["detail"]


def test_many_at_once_each_get_their_own_answer(
    service: Service, files: Path, cli_rows: dict[str, str]
) -> None:
    names = [*TYPES] * 6
    before = service.figures()

    def ask(name: str) -> Any:
        return service.client.post("/score", files={"file": (name, (files / name).read_bytes())})

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, names))
    for name, answer in zip(names, answers, strict=True):
        assert answer.status_code == 200
        assert answer.json() == {"scores": [known(cli_rows[name])]}
    after = service.figures()
    key = 'seqflow_requests_total{code="ok",route="/score",status="200"}'
    assert after[key] - before.get(key, 0.0) == len(names)
    signal = "seqflow_scored_signal_seconds_total"
    scored = [json.loads(cli_rows[name]) for name in names]
    seconds = sum(row["duration"] or 0.0 for row in scored if row["nll"] is not None)
    assert after[signal] - before[signal] == pytest.approx(seconds)
    assert after["seqflow_pending_requests"] == after["seqflow_waiting_requests"] == 0.0
    assert after['seqflow_request_seconds_count{route="/score"}'] >= len(names)


def test_what_the_model_is(service: Service, trained: Path) -> None:
    model, found = Model.load(trained), service.client.get("/model").json()
    assert model.calibration is not None
    assert (found["recipe"], found["rate"], found["window"], found["channels"]) == (
        "toy/sine",
        1000.0,
        128,
        1,
    )
    assert found["calibration"]["attainable_alarm_rate"] == model.calibration.attainable_rate
    assert found["calibration"]["terms"] == list(model.calibration.terms)
    assert found["limits"]["body"] == 1 << 20


def test_health_and_the_description(service: Service) -> None:
    health = service.client.get("/health")
    assert (health.status_code, health.json()) == (200, {"live": True, "ready": True, "processes": 2})
    assert service.client.get("/health/live").status_code == 200
    description = service.client.get("/openapi.json").json()
    assert {"/score", "/model", "/health", "/metrics"} <= description["paths"].keys()
    for page in ("/docs", "/redoc"):
        # These would fetch scripts from elsewhere.
        assert service.client.get(page).status_code == 404
