"""Couplings over the mixtures of shapes: always, where windows held back say so, and never. A paired table.

    seqflow benchmark tsb-ad TSB-AD-U --windows windows.csv --detector flow --limit 24 --jobs 2 --out OUT
    python benchmarks/tsb_ad_couplings.py OUT > benchmarks/results/tsb-ad-couplings.md

Reads the results of that run. VUS-PR of three detectors on the same series, which differ in nothing else, and
by window length what the couplings add in likelihood, nats per sample, on windows of the train prefix that
nothing was trained on.
Intervals are 95%, by a paired bootstrap over label groups.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqflow.metrics import paired_bootstrap

VARIANTS = {"never": "never", "selected": "fused", "always": "always"}
LENGTHS = (16, 32, 64, 128)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    stored = [
        json.loads(path.read_bytes()) for path in sorted((parser.parse_args().out / "results").iterdir())
    ]
    rows = [one["row"] for one in stored if "couplings" in one["row"]["notes"]]
    print("\n".join([*head(stored[0], rows), "", *scores(rows), "", *likelihoods(rows), "", *series(rows)]))


def head(first: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[str]:
    """What was run."""
    settings = first["settings"]
    minutes = sum(row["seconds"] for row in rows) / 60.0
    return [
        f"{len(rows)} series, protocol {first['protocol']}, {settings['train']:g} s of CPU a training, "
        f"{settings['couplings']} couplings, seed {settings['seed']}; {minutes:.0f} minutes, machine busy."
    ]


def scores(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Means of VUS-PR, and differences."""
    groups = [row["group"] for row in rows]
    kept = [row for row in rows if any(one["outcome"] == "kept" for one in verdicts(row))]
    lines = [
        "| couplings | VUS-PR | to never | 95% interval | better | worse | "
        f"the {len(kept)} series where some are kept |",
        "|---|---|---|---|---|---|---|",
    ]
    never = np.array([value(row, "never") for row in rows])
    for name in VARIANTS:
        own = np.array([value(row, name) for row in rows])
        cells = ["", "", "", ""]
        if name != "never":
            found = paired_bootstrap(own, never, groups=groups)
            moved = own - never
            cells = [f"{found.mean:+.3f}", f"{found.low:+.3f} to {found.high:+.3f}"]
            cells += [str(int((moved > 0.005).sum())), str(int((moved < -0.005).sum()))]
        inner = np.mean([value(row, name) for row in kept]) if kept else np.nan
        lines.append(f"| {name} | {own.mean():.3f} | {' | '.join(cells)} | {inner:.3f} |")
    return lines


def likelihoods(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What couplings add, by window length; the period is the one that is none of the fixed lengths."""
    lines = [
        "| window | too short | no better | kept | gain where kept, median, by windows that decide | "
        "by windows that report | reported below 0 | maximum-likelihood variances alone |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for length in (*LENGTHS, None):
        some = [
            one
            for row in rows
            for one in verdicts(row)
            if (one["length"] == length if length else one["length"] not in LENGTHS)
        ]
        if not some:
            continue
        count = {
            kind: sum(one["outcome"] == kind for one in some) for kind in ("too short", "no better", "kept")
        }
        kept = [one for one in some if one["outcome"] == "kept"]
        cells = [str(count[kind]) for kind in count]
        if kept:
            cells += [f"{np.median([one[key] for one in kept]):+.3f}" for key in ("gain", "gain_reported")]
            cells.append(str(sum(one["gain_reported"] < 0 for one in kept)))
            cells.append(f"{np.median([one['closed_reported'] for one in kept]):+.3f}")
        else:
            cells += ["", "", "", ""]
        lines.append(f"| {length or 'a period above 64'} | {' | '.join(cells)} |")
    return lines


def series(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Each series: VUS-PR, and which lengths have couplings."""
    lines = [
        "| series | prefix | never | selected | always | kept at windows of (reported gain) |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        kept = [one for one in verdicts(row) if one["outcome"] == "kept"]
        told = ", ".join(f"{one['length']} ({one['gain_reported']:+.3f})" for one in kept) or "none"
        figures = " | ".join(f"{value(row, name):.3f}" for name in VARIANTS)
        lines.append(f"| {row['name'].split('_tr_')[0]} | {row['train']} | {figures} | {told} |")
    return lines


def verdicts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the first channel that is no flag."""
    return list(row["notes"]["couplings"][0])


def value(row: dict[str, Any], variant: str) -> float:
    """VUS-PR of a variant."""
    return float(row["measures"][VARIANTS[variant]]["vus_pr"])


if __name__ == "__main__":
    main()
