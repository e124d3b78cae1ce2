"""Live scores: latency beyond one hop, and many streams in real time on few cores.

    OMP_NUM_THREADS=1 python benchmarks/stream.py RUN --streams 16 --out benchmarks/results/stream.md

RUN is a run whose model takes one channel with a rate, such as that of

    seqflow train toy/machine --set data.rate=16000 --set data.window=2048 --set data.recordings=10 \\
        --set data.seconds=12 --out runs/m16

Each stream is a `seqflow stream` process that gets raw float samples of noise at that rate, a hop at a time,
when they are due. The latency of a window is the time from when its last sample was written to when its line
was read. It holds the wait for a core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

_START = 120.0  # seconds for all processes to begin


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--out", type=Path)
    words = parser.parse_args()
    load = os.getloadavg()[0]
    rows = [measure(words.run, count, words.seconds) for count in sorted({1, words.streams})]
    head = "| streams | rate, Hz | window, hop | windows | median, ms | p99, ms | most, ms | CPU, cores |"
    text = "\n".join(
        [
            "# Live scores",
            "",
            f"{os.cpu_count()} cores; load average before the measurement {load:.2f}. Made by "
            "`benchmarks/stream.py`: latency from a window's last sample to its line.",
            "",
            head,
            "|" + "---|" * 8,
            *rows,
            "",
        ]
    )
    print(text)
    if words.out is not None:
        words.out.write_text(text)


def measure(run: str, count: int, seconds: float) -> str:
    """A row of the table."""
    command = [sys.executable, "-m", "seqflow_cli", "stream", run, "--format", "f32le"]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)
    ]
    try:
        starts = [json.loads(process.stdout.readline()) for process in processes]
        first = starts[0]
        rate, window, hop = first["rate"], first["window"], first["hop"]
        before = sum(cpu(process.pid) for process in processes)
        begin = time.monotonic() + 0.5
        written: list[dict[int, float]] = [{} for _ in processes]
        latencies: list[list[float]] = [[] for _ in processes]
        readers = [
            threading.Thread(target=read, args=(process, window, written[i], latencies[i]))
            for i, process in enumerate(processes)
        ]
        for reader in readers:
            reader.start()
        noise = 0.1 * np.random.default_rng(0).standard_normal(hop)
        piece = noise.astype("<f4").tobytes()
        for turn in range(1, int(seconds * rate / hop) + 1):
            # Spread over a hop, as independent senders are.
            for i, process in enumerate(processes):
                due = begin + (turn + i / count) * hop / rate
                time.sleep(max(0.0, due - time.monotonic()))
                written[i][turn * hop] = time.monotonic()
                process.stdin.write(piece)
                process.stdin.flush()
        took = time.monotonic() - begin
        used = sum(cpu(process.pid) for process in processes) - before
        for process in processes:
            process.stdin.close()
        for reader in readers:
            reader.join(_START)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    found = 1e3 * np.concatenate(latencies)
    middle, late = np.quantile(found, [0.5, 0.99])
    head = f"| {count} | {rate:g} | {window}, {hop} | {len(found)} | "
    return head + f"{middle:.1f} | {late:.1f} | {found.max():.0f} | {used / took:.2f} |"


def read(
    process: subprocess.Popen[bytes], window: int, written: dict[int, float], latencies: list[float]
) -> None:
    """Latencies of a process's windows, which end where a piece does."""
    for line in process.stdout:
        now = time.monotonic()
        found = json.loads(line)
        if found["kind"] != "window":
            continue
        sent = written.get(found["sample"] + window)
        if sent is not None:
            latencies.append(now - sent)


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
