"""How fast a training step is, data included, against the method's plain text (`ired.method`) in the same run, and
against the machine's own matrix products.

    python benchmarks/training_step.py [--size paper|laptop_mlp] [--threads N] [--out results/bench]
    python benchmarks/training_step.py --network equivariant [--threads N] [--out results/bench]

The plain text of the equivariant network is the same engine with the network's plain text, which torch
differentiates; `torch form` is what runs where nothing can be compiled.

Prints a table, writes training_step.csv and .png. Each figure is the best of several rounds that take turns,
so that a busy moment of a shared machine falls on all of them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import torch
import yaml

from ired.energy.equivariant import EquivariantEnergy
from ired.energy.equivariant_native import CHOICE
from ired.job.build import build_engine
from ired.method import Method
from ired.record.provenance import cpu_name
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig
from ired.training.precision import has_units
from ired.training.torch_setup import pick_device, use_threads

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STRATEGIES = ("none", "random", "adversarial")
PLAIN, TORCH = "plain text", "torch form"
ROUNDED = {"cpu": "bf16", "cuda": "tf32"}  # what a kind of device may round products to
EQUIVARIANT = {"equivariant_n20": (20, 32), "equivariant_n6": (6, 64)}  # n and batch
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


Step = Callable[[], None]
Ways = dict[tuple[str, str], tuple[Step, float]]  # (strategy, way) -> a step, and its counted operations


def mlp_ways(size: str, device: str, packs: tuple[int, ...]) -> tuple[Ways, Step, float, int]:
    """Steps of the reference network at a scale of the configuration; the machine's own product, its operations
    and how often a step is repeated."""
    study = ResolvedStudy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    config = study.run_config(size, "none", 0)
    batch, hidden = config.training.batch_size, config.network.hidden  # type: ignore[attr-defined]
    ways: Ways = {}
    for strategy in STRATEGIES:
        for seeds in packs:
            engine = build_engine(study.run_config(size, strategy, 0), tuple(range(seeds)), device)
            way = "engine" if seeds == 1 else f"engine, {seeds} seeds packed"
            ways[strategy, way] = engine.advance, 2.0 * seeds * engine.multiply_adds_per_step()
        counted = ways[strategy, "engine"][1]
        precision = ROUNDED[device]
        if has_units(precision, device) and (device == "cuda" or config.network.gains_from_bf16()):  # type: ignore[arg-type,attr-defined]
            plain = study.run_config(size, strategy, 0)
            training = plain.training.model_copy(update={"precision": precision})
            for seeds in packs:
                rounded = build_engine(
                    plain.model_copy(update={"training": training}), tuple(range(seeds)), device
                )
                way = f"engine, {precision}" + ("" if seeds == 1 else f", {seeds} seeds packed")
                ways[strategy, way] = rounded.advance, counted * seeds
        if device == "cpu":
            ways[strategy, PLAIN] = plain_step(study.run_config(size, strategy, 0)), counted
    return ways, product(batch, hidden, device), 2.0 * batch * hidden * hidden, 3 if size == "paper" else 50


def in_torch_form(step: Step) -> Step:
    """A step of the equivariant network without its compiled kernel."""

    def advance() -> None:
        os.environ[CHOICE] = "torch"
        step()
        del os.environ[CHOICE]

    return advance


def equivariant_ways(
    n: int, batch: int, device: str, packs: tuple[int, ...]
) -> tuple[Ways, Step, float, int]:
    """Steps of the equivariant network; else as `mlp_ways`."""
    ways: Ways = {}
    for strategy in STRATEGIES:
        config = RunConfig.model_validate(
            {
                "protocol": 1,
                "seed": 0,
                "problem": {"task": "inversion", "n": n},
                "held_out": {"fit_matrices": 200, "validation_matrices": 64, "test_matrices": 128},
                "network": {"kind": "equivariant"},
                "negatives": {"strategy": strategy},
                "contrast": None if strategy == "none" else {},
                "optimiser": {"learning_rate": 6e-3, "decay": "cosine", "gradient_clip": 0.1},
                "training": {"steps": 100_000, "batch_size": batch},
            }
        )
        for seeds in packs:
            engine = build_engine(config, tuple(range(seeds)), device)
            way = "engine" if seeds == 1 else f"engine, {seeds} seeds packed"
            ways[strategy, way] = engine.advance, 2.0 * seeds * engine.multiply_adds_per_step()
        plain = build_engine(config, (0,), device)
        plain.network = plain.objective.network = EquivariantEnergy(
            config.network,  # type: ignore[arg-type]
            *(plain.task.condition_shape, plain.task.solution_shape, config.schedule.timesteps),
        )
        ways[strategy, PLAIN] = plain.advance, ways[strategy, "engine"][1]
        if device == "cpu":  # elsewhere it is what the engine runs
            alone = build_engine(config, (0,), device)
            ways[strategy, TORCH] = in_torch_form(alone.advance), ways[strategy, "engine"][1]
    return ways, product(512, 512, device), 2.0 * 512**3, 20


def measure(size: str, rounds: int, device: str, packs: tuple[int, ...]) -> pd.DataFrame:
    """One row per strategy and way; size is `paper`, `laptop_mlp` or one of EQUIVARIANT."""
    if size in EQUIVARIANT:
        ways, multiply, product_operations, repeat = equivariant_ways(*EQUIVARIANT[size], device, packs)
    else:
        ways, multiply, product_operations, repeat = mlp_ways(size, device, packs)
    best: dict[tuple[str, str], float] = {}
    rate = 0.0
    for step, _ in ways.values():
        step()
    for _ in range(rounds):
        for key, (step, _) in ways.items():
            # The machine's rate is taken beside every measurement: on a shared machine both move together.
            rate = max(rate, product_operations / seconds(multiply, 4 * repeat, device))
            best[key] = min(best.get(key, float("inf")), seconds(step, repeat, device))
    rows = []
    for (strategy, way), value in best.items():
        operations = ways[strategy, way][1]
        rows.append(
            {
                "size": size,
                "strategy": strategy,
                "way": way,
                "milliseconds": 1e3 * value,
                "steps_per_second": 1 / value,
                "share_of_matrix_product_rate": operations / value / rate,
                "speedup_over_float32": best[strategy, "engine"] / value
                if way.removeprefix("engine, ") in ROUNDED.values()
                else float("nan"),
                "speedup_over_plain": best.get((strategy, PLAIN), float("nan")) / value,
                "cost_over_none": value / best["none", way] - 1,
                "counted_cost_over_none": operations / ways["none", way][1] - 1,
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
    pivot.plot.barh(
        ax=axes, width=0.8, color=["#0072B2", "#56B4E9", "#999999", "#D55E00"][: len(pivot.columns)]
    )
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
    parser.add_argument("--network", choices=("mlp", "equivariant"), default="mlp")
    parser.add_argument("--size", choices=("paper", "laptop_mlp"), default="paper")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--packs", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    chosen = parser.parse_args()
    use_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for size in EQUIVARIANT if chosen.network == "equivariant" else (chosen.size,):
        table = measure(size, chosen.rounds, pick_device("auto"), tuple(chosen.packs))
        table.to_csv(chosen.out / f"training_step_{size}.csv", index=False)
        plot(table, chosen.out / f"training_step_{size}.png")
        show(table)


def show(table: pd.DataFrame) -> None:
    """The table on the terminal."""
    size, rate, threads, device = table[["size", "matrix_product_gflops", "threads", "device"]].iloc[0]
    print(f"{size}: {device}, {threads} threads, {rate:.0f} GFLOP/s in matrix products")
    shown = table.drop(columns=["size", "matrix_product_gflops", "threads", "device"])
    print(shown.to_string(index=False, float_format=lambda v: f"{v:.3g}"))


if __name__ == "__main__":
    main()
