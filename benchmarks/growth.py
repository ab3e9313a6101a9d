"""How cost grows: time and memory of a training step with n, the batch and the depth of mining, against counted
multiply-adds; and the time of a plan with the number of runs.

    python benchmarks/growth.py [--runs 100 1000 5000] [--out results/bench]

Prints a table, writes growth.csv and growth.png. Every point is a process of its own, so that its peak of memory is
its own. An exponent is the slope of log time over log factor between the two largest points.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import yaml

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

ROOT = Path(__file__).parent.parent
# One factor varies; the others are those of the scale `laptop`.
LAPTOP = {"n": 20, "batch": 32, "depth": 0}
LEVELS = {
    "n": (4, 6, 8, 12, 16, 20, 28, 40, 64),
    "batch": (8, 16, 32, 64, 128, 256, 512),
    "depth": (1, 2, 5, 10, 20),
}
LABELS = {
    "n": "matrix size n",
    "batch": "matrices a step",
    "depth": "descent steps of mining",
    "runs": "runs planned",
}
UNITS = {"runs": ("s", 1.0)}  # the other factors' times are milliseconds


def step(n: int, batch: int, depth: int, seconds: float = 1.0) -> dict[str, float]:
    """The equivariant network's step in this process: seconds (the best of rounds), counted multiply-adds, and the
    process's peak of memory."""
    from ired.job.build import build_engine
    from ired.study.run_config import RunConfig
    from ired.training.torch_setup import use_threads

    use_threads(1)
    config = RunConfig.model_validate(
        {
            "protocol": 1,
            "seed": 0,
            "problem": {"task": "inversion", "n": n},
            "network": {"kind": "equivariant"},
            "negatives": {"strategy": "adversarial", "opt_steps": depth} if depth else {"strategy": "none"},
            "contrast": {} if depth else None,
            "training": {"steps": 10**6, "batch_size": batch},
        }
    )
    engine = build_engine(config, (0,))
    engine.advance()
    end, best = time.perf_counter() + seconds, math.inf
    while time.perf_counter() < end:
        start = time.perf_counter()
        engine.advance()
        best = min(best, time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": best, "madds": engine.multiply_adds_per_step(), "peak_mib": peak}


def plan(runs: int) -> dict[str, float]:
    """Processor seconds and memory of `snakemake -n all` with so many runs of scale `smoke`, by another name."""
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())
    variants = len(settings["experiments"]["strategies"]["variants"])
    seeds = list(range(max(2, math.ceil(runs / variants))))
    settings["scales"]["planned"] = settings["scales"]["smoke"] | {
        "seeds": seeds,
        "experiments": ["strategies"],
        "worth": None,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(settings, file)
        call = [
            sys.executable,
            "-m",
            "snakemake",
            "--configfile",
            file.name,
            "--config",
            "scale=planned",
            "-n",
            "--nolock",
        ]
        subprocess.run([*call, "all"], check=True, cwd=ROOT, capture_output=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": used.ru_utime + used.ru_stime, "madds": math.nan, "peak_mib": used.ru_maxrss / 1024}


def point(factor: str, level: int) -> dict[str, Any]:
    """One measurement, in a process of its own."""
    call = [sys.executable, __file__, "--point", json.dumps({"factor": factor, "level": level})]
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
    return {"factor": factor, "level": level, **json.loads(done.stdout)}


def exponents(table: pd.DataFrame) -> pd.Series[float]:
    """Of each factor, the slope between its two largest levels."""

    def slope(rows: pd.DataFrame) -> float:
        low, high = rows.sort_values("level").iloc[-2:].itertuples()
        return math.log(high.seconds / low.seconds) / math.log(high.level / low.level)

    return pd.Series({factor: slope(rows) for factor, rows in table.groupby("factor", sort=False)})


def plot(table: pd.DataFrame, path: Path) -> None:
    """Time of every point, and what the counted multiply-adds let expect of the last one; memory below."""
    factors = list(table["factor"].unique())
    figure, axes = plt.subplots(
        2, len(factors), figsize=(2.7 * len(factors), 4.6), layout="constrained", sharex="col"
    )
    for (above, below), factor in zip(axes.T, factors, strict=True):
        rows = table[table["factor"] == factor].sort_values("level")
        unit, scale = UNITS.get(factor, ("ms", 1e3))
        seconds = scale * rows["seconds"]
        above.plot(rows["level"], seconds, "o-", color="#0072B2", label="measured")
        if rows["madds"].notna().all():
            expected = rows["madds"] * (seconds / rows["madds"]).iloc[-1]
            above.plot(rows["level"], expected, "--", color="#999999", label="as counted multiply-adds")
        above.set(xscale="log", yscale="log", ylabel=f"time, {unit}")
        above.set_title(f"last exponent {exponents(table)[factor]:.1f}", fontsize=9)
        below.plot(rows["level"], rows["peak_mib"], "o-", color="#D55E00")
        below.set(xscale="log", xlabel=LABELS[factor], ylim=(0, 1.1 * rows["peak_mib"].max()))
        shown = list(rows["level"])[:: 1 if len(rows) < 5 else 2]
        below.set_xticks(shown, [f"{level:,}" for level in shown], fontsize=8)
        below.minorticks_off()
        for axis in (above, below):
            axis.spines[["top", "right"]].set_visible(False)
            axis.yaxis.set_major_formatter("{x:g}")
        if seconds.max() < 100 * seconds.min():
            above.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        above.yaxis.set_minor_formatter("{x:g}" if seconds.max() < 3 * seconds.min() else NullFormatter())
    axes[0, 0].legend(frameon=False, fontsize=8)
    axes[1, 0].set(ylabel="peak memory, MiB")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.point:
        factor, level = chosen.point["factor"], chosen.point["level"]
        print(json.dumps(plan(level) if factor == "runs" else step(**(LAPTOP | {factor: level}))))
        return
    levels = LEVELS | {"runs": tuple(chosen.runs)}
    table = pd.DataFrame([point(factor, level) for factor in levels for level in levels[factor]])
    chosen.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(chosen.out / "growth.csv", index=False)
    plot(table, chosen.out / "growth.png")
    print(table.to_string(index=False, float_format=lambda v: f"{v:.4g}"))
    print("last exponents:", ", ".join(f"{factor} {value:.2f}" for factor, value in exponents(table).items()))


if __name__ == "__main__":
    main()
