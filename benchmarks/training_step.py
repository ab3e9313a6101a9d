"""How fast a training step is, data included, against the method's plain text (`ired.method`) in the same run, and
against the machine's own matrix products.

    python benchmarks/training_step.py [--size paper|laptop_mlp] [--threads N] [--out results/bench]

Prints a table, writes training_step.csv and .png. Each figure is the best of several rounds that take turns,
so that a busy moment of a shared machine falls on all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import torch
import yaml

from ired.job.build import build_engine
from ired.method import Method
from ired.record.provenance import cpu_name
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig
from ired.training.torch_setup import pick_device, use_threads

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STRATEGIES = ("none", "random", "adversarial")
ROOT = Path(__file__).parent.parent


def seconds(step: Callable[[], None], count: int, device: str) -> float:
    """Seconds a call takes, over `count` calls."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count


def product(batch: int, hidden: int, device: str) -> Callable[[], None]:
    """The product that dominates a step: (B, H) by (H, H)."""
    a, w = torch.randn(1, batch, hidden, device=device), torch.randn(1, hidden, hidden, device=device)

    def multiply() -> None:
        torch.bmm(a, w)

    return multiply


def plain_step(config: RunConfig) -> Callable[[], None]:
    """One step of the method's plain text, from the weights that a run begins with."""
    engine = build_engine(config, (0,))
    weights = {name: value[0] for name, value in engine.weights(engine.flat).items()}
    method = Method(engine.task, weights, 0, config.negatives.strategy, config.optimiser.learning_rate)
    return lambda: method.train(1, config.training.batch_size)


def measure(size: str, rounds: int, device: str, packs: tuple[int, ...]) -> pd.DataFrame:
    """One row per strategy and way."""
    study = ResolvedStudy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    config = study.run_config(size, "none", 0)
    batch, hidden = config.training.batch_size, config.network.hidden  # type: ignore[attr-defined]
    multiply, repeat = product(batch, hidden, device), 3 if size == "paper" else 50
    ways: dict[tuple[str, str], Callable[[], None]] = {}
    operations: dict[tuple[str, str], float] = {}
    for strategy in STRATEGIES:
        for seeds in packs:
            engine = build_engine(study.run_config(size, strategy, 0), range(seeds), device)
            key = (strategy, "engine" if seeds == 1 else f"engine, {seeds} seeds packed")
            ways[key], operations[key] = engine.advance, 2.0 * seeds * engine.multiply_adds_per_step()
        if device == "cpu":
            ways[strategy, "plain text"] = plain_step(study.run_config(size, strategy, 0))
    best: dict[tuple[str, str], float] = {}
    rate = 0.0
    for step in ways.values():
        step()
    for _ in range(rounds):
        for key, step in ways.items():
            # The machine's rate is taken beside every measurement: on a shared machine both move together.
            flops = 2.0 * batch * hidden * hidden / seconds(multiply, 4 * repeat, device)
            rate = max(rate, flops)
            best[key] = min(best.get(key, float("inf")), seconds(step, repeat, device))
    rows = []
    for (strategy, way), value in best.items():
        done = operations.get((strategy, way), operations[strategy, "engine"])
        rows.append(
            {
                "size": size,
                "strategy": strategy,
                "way": way,
                "milliseconds": 1e3 * value,
                "steps_per_second": 1 / value,
                "share_of_matrix_product_rate": done / value / rate,
                "speedup_over_plain": best[strategy, "plain text"] / value
                if device == "cpu"
                else float("nan"),
                "matrix_product_gflops": rate / 1e9,
                "threads": torch.get_num_threads(),
                "device": torch.cuda.get_device_name() if device == "cuda" else cpu_name(),
            }
        )
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame, path: Path) -> None:
    """Milliseconds a step, a bar per way."""
    pivot = table.pivot(index="strategy", columns="way", values="milliseconds").loc[list(STRATEGIES)]
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    pivot.plot.barh(ax=axes, width=0.8, color=["#0072B2", "#56B4E9", "#999999"][: len(pivot.columns)])
    axes.invert_yaxis()
    axes.set(xlabel="milliseconds a step, data included", ylabel="")
    for bars in axes.containers:
        axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("paper", "laptop_mlp"), default="paper")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--packs", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    chosen = parser.parse_args()
    use_threads(chosen.threads)
    table = measure(chosen.size, chosen.rounds, pick_device("auto"), tuple(chosen.packs))
    chosen.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(chosen.out / f"training_step_{chosen.size}.csv", index=False)
    plot(table, chosen.out / f"training_step_{chosen.size}.png")
    shown = [
        "strategy",
        "way",
        "milliseconds",
        "steps_per_second",
        "share_of_matrix_product_rate",
        "speedup_over_plain",
    ]
    rate, threads = table["matrix_product_gflops"][0], table["threads"][0]
    print(f"{chosen.size}: {table['device'][0]}, {threads} threads, {rate:.0f} GFLOP/s in matrix products")
    print(table[shown].to_string(index=False, float_format=lambda v: f"{v:.3g}"))


if __name__ == "__main__":
    main()
