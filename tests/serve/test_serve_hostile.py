"""Whatever a client sends, it gets a named 4xx, and the service goes on."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import struct
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from service import SECONDS, Service, everything, heads, reply


@pytest.fixture(autouse=True)
def _goes_on(service: Service, files: Path):  # noqa: ANN202
    yield
    body = (files / "a.wav").read_bytes()
    found = service.client.post("/score", params={"format": "wav"}, content=body)
    assert found.status_code == 200 and found.json()["scores"][0]["nll"] is not None
    assert not service.uploads()


def audio(values: Any, rate: int = 1000, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, values, rate, format=kind, subtype="FLOAT" if kind == "WAV" else None)
    return file.getvalue()


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(50 << 20))
    return file.getvalue()


def huge_npy() -> bytes:
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(80)


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    return file.getvalue()


def parquet(rows: int) -> bytes:
    file = io.BytesIO()
    table = pa.table({"value": pa.array(np.zeros(rows))})
    pyarrow.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


NOISE = np.random.default_rng(1).standard_normal(2000)
BAD = {
    "empty": ("wav", b"", 422, {"empty"}),
    "text": ("wav", b"not audio at all", 422, {"not_audio", "corrupt"}),
    "text as csv": ("csv", b"no,\x00\xff numbers\n" * 9, 422, {"not_numeric", "corrupt", "missing_column"}),
    "head only": ("wav", audio(NOISE)[:30], 422, {"truncated", "corrupt", "not_audio", "empty"}),
    "channels": ("wav", audio(np.stack([NOISE, NOISE], 1)), 422, {"wrong_channels"}),
    "columns": ("csv", b"a,b\n1,2\n" * 1 + b"1,2\n" * 300, 422, {"wrong_channels", "missing_column"}),
    "damaged flac": (
        "flac",
        audio(0.1 * NOISE, kind="FLAC")[:60],
        422,
        {"corrupt", "truncated", "not_audio"},
    ),
    "damaged parquet": ("parquet", parquet(100)[:-20], 422, {"corrupt"}),
    "pickle": ("npy", pickled(), 422, {"not_numeric"}),
    "three axes": ("npy", b"", 422, {"wrong_shape"}),
    "npz": ("npy", zip_bomb(), 422, {"corrupt"}),
    "rows without end": ("parquet", parquet(30_000_000), 413, {"too_long", "out_of_memory"}),
    "long flac": ("flac", audio(np.zeros(2_000_000), kind="FLAC"), 413, {"too_long"}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(service: Service, name: str) -> None:
    format, body, status, codes = BAD[name]
    if name == "three axes":
        file = io.BytesIO()
        np.save(file, np.zeros((2, 3, 4)))
        body = file.getvalue()
    assert len(body) < 1 << 20
    found = service.client.post("/score", params={"format": format}, content=body)
    assert found.status_code == status, found.text
    assert found.json().keys() == {"code", "detail"} and found.json()["code"] in codes, found.text
    # Where the file lay is nobody's business.
    assert "seqflow-serve" not in found.text and str(service.folder) not in found.text


def test_another_rate_is_resampled_or_named(service: Service) -> None:
    found = service.client.post("/score?format=wav", content=audio(np.repeat(NOISE, 8), 8000))
    if found.status_code == 200:
        assert found.json()["scores"][0]["rate"] == 1000.0
    else:
        assert found.json()["code"] == "wrong_rate"


def test_damage_that_leaves_something_to_score_has_a_status(service: Service) -> None:
    whole = audio(NOISE)
    cut = service.client.post("/score?format=wav", content=whole[: len(whole) // 2])
    (row,) = cut.json()["scores"]
    assert (cut.status_code, row["status"]) == (200, "truncated") and row["nll"] is not None
    strict = service.client.post("/score?format=wav&strict=true", content=whole[: len(whole) // 2])
    assert (strict.status_code, strict.json()["code"]) == (422, "truncated")
    holed = NOISE.copy()
    holed[500:510] = np.nan
    for values, scored in ((holed, True), (np.full(2000, np.nan), False)):
        found = service.client.post("/score?format=wav&samples=true", content=audio(values))
        (row,) = found.json()["scores"]
        assert (found.status_code, row["status"]) == (200, "nonfinite")
        assert (row["nll"] is not None) is scored
    found = service.client.post("/score?format=npy", content=huge_npy())
    (row,) = found.json()["scores"]
    assert (row["status"], row["samples"]) == ("too_short", 10) and "1000000000000 rows" in row["detail"]
    short = service.client.post("/score?format=wav", content=audio(NOISE[:20]))
    assert short.status_code == 200 and short.json()["scores"][0]["status"] == "too_short"


NAMES = {
    "../../../etc/passwd.wav": "passwd.wav",
    "/etc/cron.d/x.wav": "x.wav",
    "C:\\boot\\y.wav": "y.wav",
    "a\u202eb.wav": "a\\u202eb.wav",
    "=cmd|' /C calc'!A0.wav": " C calc'!A0.wav".strip(),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_clients_are_labels_only(service: Service, files: Path, name: str) -> None:
    before = set(service.folder.rglob("*"))
    body = (files / "a.wav").read_bytes()
    found = service.client.post("/score", params={"name": name, "format": "wav"}, content=body)
    label = found.json()["scores"][0]["name"]
    assert label.strip() == NAMES[name]
    assert label.isprintable()
    service.visit(route="/score", label=label)
    assert set(service.folder.rglob("*")) == before


def test_wrong_ways_to_ask(service: Service, files: Path) -> None:
    body = (files / "a.wav").read_bytes()
    post = service.client.post
    cases = [
        (service.client.get("/score"), 405, "method_not_allowed"),
        (service.client.get("/nothing%0ahere"), 404, "not_found"),
        (post("/score", content=body), 415, "unknown_format"),
        (post("/score?format=exe", content=body), 415, "unknown_format"),
        (
            post("/score?format=wav", content=body, headers={"Content-Encoding": "gzip"}),
            415,
            "content_encoding",
        ),
        (post("/score?format=wav&samples=perhaps", content=body), 422, "bad_query"),
        (post("/score?format=wav&alarm_rate=nan", content=body), 422, "bad_query"),
        (post("/score?format=wav&condition=x", content=body), 422, "bad_query"),
        (post("/score", data={"file": "text"}, files={}), 415, "unknown_format"),
        (post("/score", files={"a": ("a.wav", body), "b": ("b.wav", body)}), 400, "bad_multipart"),
        (post("/score", files={"a": (None, b"x")}), 400, "bad_multipart"),
        (
            post("/score", content=b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}),
            400,
            "bad_multipart",
        ),
        (post("/score", content=b"", headers={"Content-Type": "multipart/form-data"}), 400, "bad_multipart"),
    ]
    for number, (found, status, code) in enumerate(cases):
        assert (found.status_code, found.json()["code"]) == (status, code), (number, found.text)
    told = service.visit(status=404)
    assert told["route"] == "other"


def test_pages_of_other_sites_are_refused(service: Service) -> None:
    for origin, status in (("http://elsewhere.example", 403), ("null", 403), (service.url, 200)):
        found = service.client.get("/model", headers={"Origin": origin})
        assert found.status_code == status
        assert status == 200 or found.json()["code"] == "cross_origin"


def test_a_giant_body_is_refused_before_it_is_read(service: Service) -> None:
    with service.connect() as connection:
        connection.sendall(
            b"POST /score?format=wav HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        )
        status, body = reply(connection)
        assert (status, body["code"]) == (413, "too_large")

    def pieces():  # noqa: ANN202
        for _ in range(64):
            yield bytes(1 << 16)

    found = service.client.post("/score?format=wav", content=pieces())
    assert (found.status_code, found.json()["code"]) == (413, "too_large")


def test_heads_that_are_no_http(service: Service) -> None:
    for head in (b"\x16\x03\x01 not HTTP\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (1 << 18)):
        with service.connect() as connection:
            try:
                connection.sendall(head)
            except ConnectionError:
                continue  # closed before all of it was there
            answer = everything(connection)
            assert not answer or heads(answer)[0] == 400


def test_clients_that_take_their_time_lose_their_place(service: Service) -> None:
    with service.connect() as silent, service.connect() as head, service.connect() as body:
        head.sendall(b"POST /score HTTP/1.1\r\nHo")
        body.sendall(
            b"POST /score?format=wav HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + bytes(10)
        )
        answer = everything(body)
        assert heads(answer)[0] == 408 and heads(answer)[1]["code"] == "slow_body"
        assert everything(silent) == everything(head) == b""
    service.visit(route="/score", code="slow_body", status=408)


def test_a_client_that_goes_away_leaves_nothing(service: Service) -> None:
    connection = service.connect()
    connection.sendall(
        b"POST /score?format=wav HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + bytes(10)
    )
    until(lambda: bool(service.uploads()))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    service.visit(route="/score", code="disconnected", status=499)


def test_a_client_that_does_not_read_is_cut_off(service: Service) -> None:
    body = audio(np.resize(NOISE, 150_000))
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(SECONDS)
    with connection:
        connection.connect(("127.0.0.1", service.port))
        head = (
            f"POST /score?format=wav&samples=true HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        told = service.visit(route="/score", received=len(body))
        assert told["status"] == 200 and told["sent"] > 5_000_000
        until(lambda: not held(service.port))
        assert len(everything(connection)) < told["sent"]


def test_a_killed_child_costs_nobody_an_answer(service: Service, files: Path) -> None:
    before = service.children()
    assert len(before) == 3
    for child in before:
        os.kill(child, signal.SIGKILL)
    body = (files / "a.wav").read_bytes()
    for _ in range(4):
        found = service.client.post("/score", params={"format": "wav"}, content=body)
        assert found.status_code == 200, found.text
    assert not set(before) & set(service.children())


def test_a_task_whose_process_is_killed_is_tried_again(service: Service) -> None:
    body = audio(np.resize(NOISE, 150_000))
    until(lambda: service.figures()["seqflow_processes"] == 2.0)
    lost = service.figures()["seqflow_lost_processes_total"]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(service.client.post, "/score?format=wav", content=body)
        until(lambda: any(path.stat().st_size == len(body) for path in service.uploads()))
        for child in service.children():
            os.kill(child, signal.SIGKILL)
        found = asked.result()
    assert found.status_code == 200, found.text
    until(lambda: service.figures()["seqflow_lost_processes_total"] > lost)


def held(port: int) -> bool:
    """Whether the system has bytes of this port that a client has not taken."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port and int(words[4].split(":")[0], 16) and words[3] == "01":
            return True
    return False


def until(true: Any) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_json_has_no_nan(service: Service) -> None:
    holed = NOISE.copy()
    holed[:50] = np.nan
    text = service.client.post("/score?format=wav&samples=true", content=audio(holed)).text
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
