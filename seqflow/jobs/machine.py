"""What figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine() -> dict[str, str | int]:
    """CPU, cores, threads of torch, versions of torch and Python."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    parts = (line.partition(":") for line in lines)
    names = {key.strip(): value.strip() for key, _, value in parts}
    model = names.get("model name", platform.machine())
    return f"{model}, AVX-512" if "avx512f" in names.get("flags", "") else model
