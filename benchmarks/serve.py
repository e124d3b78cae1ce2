"""Requests per second, latency and memory of `seqflow serve` on this machine; every answer is checked.

    OMP_NUM_THREADS=1 python benchmarks/serve.py --workers 2 --out benchmarks/results/serve

A toy model is trained and served on a free port of 127.0.0.1; clients send recordings of two seconds, raw or
as a form, each as soon as it has the answer to the one before. An answer that is missing, or differs from
that of `seqflow score`, ends the benchmark. Memory is the resident set of the service and of its children, at
the start and after the rounds. The clients share the processors with the service.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from seqflow.data.synthetic import make_recordings
from seqflow.recipe import load

QUICK = [
    *("train.steps=6", "train.warmup=1", "train.batch=4", "train.validate_every=3", "train.log_every=2"),
    *("train.validate_windows=4", "data.recordings=8", "data.seconds=4", "train.threads=1"),
]
COMMAND = [sys.executable, "-m", "seqflow_cli"]
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


def prepare(folder: Path, count: int) -> tuple[Path, list[tuple[bytes, Any]]]:
    """A run, and recordings with the rows that `seqflow score` gives them."""
    run, files = folder / "run", folder / "files"
    files.mkdir()
    options = [word for key in QUICK for word in ("--set", key)]
    train = [*COMMAND, "train", "toy/sine", "--out", str(run), "--device", "cpu", *options]
    subprocess.run(train, check=True, env=ENV, capture_output=True)
    data = load("toy/sine", ["data.seed=9", f"data.recordings={count}", "data.seconds=2"]).data
    for index, recording in enumerate(make_recordings(data)):
        values = recording.read(0, recording.length).values.T
        soundfile.write(files / f"{index:03}.wav", values, 1000, subtype="FLOAT")
    score = [*COMMAND, "score", str(run), str(files), "--json"]
    done = subprocess.run(score, check=True, env=ENV, capture_output=True, text=True)
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    return run, [(path.read_bytes(), rows[path.name]) for path in sorted(files.iterdir())]


async def load_test(url: str, known: list[tuple[bytes, Any]], clients: int, total: int) -> list[float]:
    """Seconds of each of `total` requests of so many clients. Raises SystemExit at a wrong answer."""
    seconds: list[float] = []
    left = iter(range(total))

    async def client() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=120.0) as session:
            for number in left:
                body, row = known[number % len(known)]
                name = row["name"]
                begin = time.perf_counter()
                if number % 2:
                    answer = await session.post("/score", files={"file": (name, body)})
                else:
                    answer = await session.post("/score", params={"name": name}, content=body)
                seconds.append(time.perf_counter() - begin)
                if answer.status_code != 200 or answer.json() != {"scores": [row | {"path": ""}]}:
                    sys.exit(f"request {number}: {answer.status_code} {answer.text[:300]}, not {row}")

    await asyncio.gather(*(client() for _ in range(clients)))
    assert len(seconds) == total
    return seconds


def resident(pid: int) -> float:
    """MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def family(pid: int) -> list[int]:
    """Children that score."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def main() -> None:
    """Run it, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--requests", type=int, default=2000, help="for each number of clients")
    parser.add_argument("--soak", type=int, default=10_000, help="requests of 8 clients for the memory")
    parser.add_argument("--out", type=Path, help="stem of a .md and a .json file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run, known = prepare(Path(name), 16)
        words = ["serve", str(run), "--port", "0", "--json", "--workers", str(args.workers)]
        with (
            (Path(name) / "log").open("w") as log,
            subprocess.Popen(
                [*COMMAND, *words], stdout=subprocess.PIPE, stderr=log, text=True, env=ENV
            ) as process,
        ):
            assert process.stdout is not None
            where = json.loads(process.stdout.readline())
            # Nobody reads the lines on requests; the pipe must not fill up.
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            children = family(process.pid)

            def memory() -> list[float]:
                return [resident(process.pid), *map(resident, children)]

            asyncio.run(load_test(where["url"], known, 2, 50))  # warm
            rss = {"after 50": memory()}
            results = []
            for clients in args.clients:
                begin = time.perf_counter()
                seconds = asyncio.run(load_test(where["url"], known, clients, args.requests))
                wall = time.perf_counter() - begin
                p50, p99 = np.percentile(seconds, [50, 99])
                results.append(
                    {
                        "clients": clients,
                        "requests": args.requests,
                        "per_second": args.requests / wall,
                        "p50_ms": 1e3 * float(p50),
                        "p99_ms": 1e3 * float(p99),
                    }
                )
                print(results[-1], flush=True)
            done = 50 + args.requests * len(args.clients)
            rss[f"after {done}"] = memory()
            asyncio.run(load_test(where["url"], known, 8, args.soak))
            rss[f"after {done + args.soak}"] = memory()
            same = family(process.pid) == children
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            drain.wait(60)
            errors = Path(name, "log").read_text()
    assert same and not errors, errors
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = table(results, rss, args.workers, machine)
    print(text)
    if args.out is not None:
        found = {"machine": machine, "workers": args.workers, "rounds": results, "resident_mib": rss}
        args.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        args.out.with_suffix(".md").write_text(text)


def table(results: list[dict[str, float]], rss: dict[str, list[float]], workers: int, machine: str) -> str:
    """Markdown."""
    lines = [
        "# Serving",
        "",
        f"`seqflow serve` with {workers} children, recordings of 2 s at 1 kHz (8 kB), half of them as forms;",
        f"every answer checked against `seqflow score`. Clients on the same machine: {machine}.",
        "",
        "| clients | requests | requests/s | p50 ms | p99 ms |",
        "|---|---|---|---|---|",
    ]
    lines += [
        "| {clients} | {requests} | {per_second:.0f} | {p50_ms:.1f} | {p99_ms:.1f} |".format(**round_)
        for round_ in results
    ]
    lines += ["", "| resident, MiB | service | children (the last one: streams) |", "|---|---|---|"]
    lines += [
        f"| {when} requests | {own:.0f} | {', '.join(f'{child:.0f}' for child in children)} |"
        for when, (own, *children) in rss.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
