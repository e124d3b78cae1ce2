"""The parts of audio/fsdd, each left out or exchanged, on the same windows, several seeds.

    python benchmarks/ablation.py --data PATH [--steps 800] [--seeds 3] [--only NAME ...] [--equal-time] \\
        --out FOLDER

Writes every variant as a recipe into FOLDER/recipes, trains it there (a finished one is not trained again),
and the table over seeds to benchmarks/results/ablation.{json,md}. Differences are paired by seed and window.
First all are trained for as many steps. With --equal-time each is then trained again for as much CPU time as
the whole recipe took: its steps times the ratio of the times of the first round, the median over seeds.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from seqflow.jobs.benchmark_density import benchmark_density
from seqflow.jobs.machine import machine
from seqflow.recipe import find

Layers = list[dict[str, Any]]
Model = dict[str, Any]


def couplings(model: Model) -> Iterator[dict[str, Any]]:
    """Every convolutional coupling, at any depth."""

    def walk(layers: Layers) -> Iterator[dict[str, Any]]:
        for layer in layers:
            if layer["kind"] == "conv_coupling":
                yield layer
            for inner in layer.get("levels", [layer["layers"]] if "layers" in layer else []):
                yield from walk(inner)

    yield from walk(model["layers"])


def every(**changes: Any) -> Callable[[Model], None]:
    """Change keys of all couplings."""

    def apply(model: Model) -> None:
        for coupling in couplings(model):
            coupling.update(changes)

    return apply


def networks(**changes: Any) -> Callable[[Model], None]:
    """Change keys of all conditioners."""

    def apply(model: Model) -> None:
        for coupling in couplings(model):
            coupling["conditioner"].update(changes)

    return apply


def layer(model: Model, kind: str) -> dict[str, Any]:
    """The first layer of a kind, at the top."""
    return next(one for one in model["layers"] if one["kind"] == kind)


def without(kind: str) -> Callable[[Model], None]:
    """Leave out a layer."""
    return lambda model: model["layers"].remove(layer(model, kind))


def without_spectrum(*places: int) -> Callable[[Model], None]:
    """Leave out couplings of frequencies: the first ones (0), before the levels, or the last (1), behind."""

    def apply(model: Model) -> None:
        found = [one for one in model["layers"] if one["kind"] == "spectrum"]
        for place in places:
            model["layers"] = [one for one in model["layers"] if one is not found[place]]

    return apply


def change(kind: str, **changes: Any) -> Callable[[Model], None]:
    """Change keys of a layer."""
    return lambda model: layer(model, kind).update(changes)


def base(**config: Any) -> Callable[[Model], None]:
    """Another density of the noise."""
    return lambda model: model.update(base=config)


def flat(model: Model) -> None:
    """Eight couplings at one resolution, about the work of twelve at three."""
    index = [one["kind"] for one in model["layers"]].index("multi_scale")
    first = model["layers"][index]["levels"][0]
    repeat = copy.deepcopy(first[1])
    repeat["times"] = 4
    model["layers"][index : index + 1] = [copy.deepcopy(first[0]), repeat]
    layer(model, "level_pyramid").pop("groups")
    layer(model, "level_pyramid")["block"] = 64
    for one in model["layers"]:
        if one["kind"] == "spectral_pyramid" or (one["kind"] == "spectrum" and "groups" in one):
            one.update(groups=[2], frame=512)


def both(*changes: Callable[[Model], None]) -> Callable[[Model], None]:
    """Several changes."""

    def apply(model: Model) -> None:
        for one in changes:
            one(model)

    return apply


def static(kind: str) -> Callable[[Model], None]:
    """Static convolutions at the head of every level."""

    def apply(model: Model) -> None:
        for level in layer(model, "multi_scale")["levels"]:
            level.insert(1, {"kind": kind, "taps": 32})

    return apply


VARIANTS: dict[str, Callable[[Model], None]] = {
    "all": lambda model: None,
    "no adaptive kernel": both(every(conv=False), networks(cepstrum=0)),
    "no local filter": every(local_taps=0),
    "neither of the two": both(every(conv=False, local_taps=0), networks(cepstrum=0)),
    "kernel not told the cepstrum": networks(cepstrum=0),
    "the same, and of 8 taps": both(every(taps=8, budget=1.0), networks(cepstrum=0)),
    "adaptive kernel: symmetric": every(boundary="symmetric"),
    "adaptive kernel: causal": every(boundary="causal"),
    "no level pyramid": without("level_pyramid"),
    "no spectral pyramid": without("spectral_pyramid"),
    "no couplings of frequencies": without_spectrum(0, 1),
    "none before the levels": without_spectrum(0),
    "none behind them": without_spectrum(1),
    "frequencies of frames of 1,024": change("spectrum", frame=1024),
    "frequencies of frames of 256": change("spectrum", frame=256),
    "none of these, no spectral pyramid": both(without_spectrum(0, 1), without("spectral_pyramid")),
    "neither pyramid": both(without("level_pyramid"), without("spectral_pyramid")),
    "levels by channel": lambda model: layer(model, "level_pyramid").pop("groups"),
    "one resolution": flat,
    "no whitening": without("whitening"),
    "whitening: circular": change("whitening", boundary="circular"),
    "whitening: causal": change("whitening", boundary="causal"),
    "static convolutions: circular": static("circular_conv"),
    "static convolutions: symmetric": static("symmetric_conv"),
    "no normalised copy": networks(normalized=False),
    "no level features": networks(level_scales=[], normalized=False),
    "no linear skip": networks(skip_kernel=0),
    "gated networks": networks(gated=True),
    "gate: S-Log": every(gate="slog"),
    "gate: piecewise": every(gate="piecewise"),
    "noise: Student-t": base(kind="student_t"),
    "noise: mixture": base(kind="mixture"),
}


def write_recipes(folder: Path, steps: Mapping[str, int], seeds: int) -> dict[Path, tuple[str, int]]:
    """A recipe file for every variant, of so many steps, and seed."""
    yaml = YAML()
    yaml.width = 1 << 16
    start = YAML(typ="safe").load(find("audio/fsdd").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for seed in range(seeds):
        for name, count in steps.items():
            recipe = copy.deepcopy(start)
            VARIANTS[name](recipe["model"])
            slug = "".join(c if c.isalnum() else "-" for c in name).strip("-").lower()
            recipe |= {"name": f"ablation/{slug}-{count}-{seed}", "description": name, "seed": seed}
            # What the parts do for the likelihood: no windows are drawn meanwhile.
            recipe["train"] |= {"steps": count, "validate_every": count, "draws": None}
            path = folder / f"{slug}-{count}-{seed}.yaml"
            with path.open("w") as file:
                yaml.dump(recipe, file)
            found[path] = (name, seed)
    return found


@dataclass(frozen=True)
class Row:
    """A variant: steps, and by seed the bits per sample and CPU seconds of the training."""

    variant: str
    steps: int
    bits: list[float]
    seconds: list[float]


def measure(given: argparse.Namespace, steps: Mapping[str, int]) -> tuple[list[Row], dict[str, Any]]:
    """Train every variant for so many steps; and what was measured on."""
    recipes = write_recipes(given.out / "recipes", steps, given.seeds)
    result = benchmark_density(
        [str(path) for path in recipes],
        given.out,
        overrides=[f"data.root={given.data}"],
        on_progress=lambda what, event: print(what, flush=True) if event is None else None,
    )
    rows = {name: Row(name, count, [], []) for name, count in steps.items()}
    flows = [row for row in result.rows if row.kind == "flow"]
    for flow, (name, _) in zip(flows, recipes.values(), strict=True):
        assert flow.value is not None
        rows[name].bits.append(flow.value)
        rows[name].seconds.append(flow.cpu_seconds or float("nan"))
    return list(rows.values()), {"windows": result.windows, "unit": result.unit}


def table(title: str, rows: Sequence[Row], whole: Row) -> list[str]:
    """Markdown: bits by seed, and differences to the whole recipe's."""
    lines = [
        f"## {title}",
        "",
        "| variant | steps | bits per sample, by seed | difference, mean (least to most) | CPU seconds |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        d = np.array(row.bits) - np.array(whole.bits)
        shown = ", ".join(f"{b:.3f}" for b in row.bits)
        lines.append(
            f"| {row.variant} | {row.steps} | {shown} | {d.mean():+.3f} ({d.min():+.3f} to {d.max():+.3f}) | "
            f"{np.mean(row.seconds):.0f} |"
        )
    return lines


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of digit_speaker_take.wav files")
    parser.add_argument("--out", type=Path, required=True, help="folder for recipes and runs")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="besides `all`")
    parser.add_argument("--equal-time", action="store_true", help="and each for the time of `all`")
    given = parser.parse_args()
    if given.equal_time and given.only is not None and set(given.only) <= {"all"}:
        parser.error("--equal-time wants a variant to compare: name one with --only")
    names = list(VARIANTS) if given.only is None else ["all", *(n for n in given.only if n != "all")]
    rows, facts = measure(given, dict.fromkeys(names, given.steps))
    whole = rows[0]
    tables = {"Equal steps": rows}
    if given.equal_time:
        write(tables, whole, given.seeds, facts)
        time = median(whole.seconds)
        steps = {row.variant: round(row.steps * time / median(row.seconds)) for row in rows[1:]}
        tables["Equal CPU time"] = [whole, *measure(given, steps)[0]]
    write(tables, whole, given.seeds, facts)


def write(tables: Mapping[str, Sequence[Row]], whole: Row, seeds: int, facts: Mapping[str, Any]) -> None:
    """JSON and Markdown among the results."""
    results = Path(__file__).parent / "results"
    stored = {title: [vars(row) for row in found] for title, found in tables.items()}
    (results / "ablation.json").write_text(
        json.dumps({"machine": machine(), **facts, **stored}, indent=1) + "\n"
    )
    lines = [
        "# Parts of audio/fsdd",
        "",
        f"{seeds} seed(s), {facts['windows']} held-out windows; {machine()['cpu']}, one thread.",
    ]
    for title, found in tables.items():
        lines += ["", *table(title, found, whole)]
    (results / "ablation.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
