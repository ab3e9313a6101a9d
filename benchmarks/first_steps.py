"""The first steps of a scale at full size, one after another as a run makes them: what the whole of it will take, and
what ten seeds in one pack take.

    python benchmarks/first_steps.py [--scale paper] [--steps 5000] [--packs 1 10] [--device auto] [--out results/bench]

Prints a table and writes first_steps.csv. A pack of more than one seed makes a tenth of the steps. An accelerator makes
them in float32 and with tf32 products, and says how much of its memory a pack took at most.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from ired.job.build import build_engine
from ired.record.provenance import cpu_name
from ired.study.resolve import ResolvedStudy
from ired.training.torch_setup import pick_device, use_threads

ROOT = Path(__file__).parent.parent
VARIANTS = ("none", "random", "adversarial")
WARM_UP = 3  # a step is captured as a graph at the first one, and caches fill


def timed(
    study: ResolvedStudy, scale: str, variant: str, precision: str, seeds: int, steps: int, device: str
) -> dict[str, Any]:
    """Seconds of so many steps of a pack, and of the whole of the run at that rate."""
    config = study.run_config(scale, variant, 0)
    training = config.training.model_copy(update={"precision": precision})
    config = config.model_copy(update={"training": training})
    on_card = device.startswith("cuda")
    if on_card:
        gc.collect()  # the pack before this one
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    engine = build_engine(config, tuple(range(seeds)), device)

    def wait() -> None:
        if on_card:
            torch.cuda.synchronize(engine.device)

    for _ in range(WARM_UP):
        engine.advance()
    wait()
    start = time.perf_counter()
    for _ in range(steps):
        engine.advance()
    wait()
    seconds = time.perf_counter() - start
    losses, _ = engine.take_losses()
    row = {
        "variant": variant,
        "precision": precision,
        "seeds": seeds,
        "steps": steps,
        "seconds": seconds,
        "ms_a_step": 1000 * seconds / steps,
    }
    row |= {"whole_run_minutes": seconds / steps * config.training.steps / 60, "last_loss": losses[0]}
    row["peak_mib"] = torch.cuda.max_memory_reserved(device) / 2**20 if on_card else math.nan
    row["gflops"] = 2 * engine.multiply_adds_per_step() * seeds * steps / seconds / 1e9
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--packs", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    chosen = parser.parse_args()
    use_threads(chosen.threads)
    study = ResolvedStudy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    device = pick_device(chosen.device)
    rows = [
        timed(
            *(study, chosen.scale, variant, precision, seeds),
            max(1, chosen.steps // (1 if seeds == 1 else 10)),
            device,
        )
        for variant in VARIANTS
        for precision in (("float32", "tf32") if device.startswith("cuda") else ("float32",))
        for seeds in chosen.packs
    ]
    table = pd.DataFrame(rows)
    table["device"] = torch.cuda.get_device_name() if device.startswith("cuda") else cpu_name()
    alone = table["ms_a_step"].where(table["seeds"] == 1)  # nothing to compare with where no pack is of one
    table["over_one_seed"] = table["ms_a_step"] / alone.groupby(
        [table["variant"], table["precision"]]
    ).transform("first")
    chosen.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(chosen.out / "first_steps.csv", index=False)
    print(table.to_string(index=False, float_format=lambda v: f"{v:.4g}"))


if __name__ == "__main__":
    main()
