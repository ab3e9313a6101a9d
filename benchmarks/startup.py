"""What a job costs beside its work: processor seconds of a training and of a diagnosis, part by part.

    python benchmarks/startup.py [--scale smoke] [--steps 40] [--out results/bench]

A run of the scale, cut to so many steps, is trained and diagnosed in processes of their own on one thread, timed from
inside. Prints a table and writes startup.csv. The parts of a job add up to its whole, with `other`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Parts of a training: what is called, timed with all it calls in turn. Of a diagnosis every diagnostic is a part.
TRAINING = (
    ("held-out sets", "ired.job.train", "read_split"),
    ("network and streams", "ired.job.train", "build_engine"),
    ("training steps", "ired.training.engine", "Engine.advance"),
    ("validation", "ired.training.loop", "Trainer._validate"),
    ("test sets", "ired.job.train", "_test"),
    ("provenance", "ired.job.train", "_provenance"),
    ("publication", "ired.job.train", "publish"),
)


def used() -> float:
    """Processor seconds of this process."""
    return time.process_time()


def timed(function: Callable[..., Any], spent: dict[str, float], part: str) -> Callable[..., Any]:
    """The function, adding what it uses to `spent`; calls of one part inside another count for the outer one."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if spent.get("inside"):
            return function(*args, **kwargs)
        spent["inside"], start = 1.0, used()
        try:
            return function(*args, **kwargs)
        finally:
            spent["inside"] = 0.0
            spent[part] += used() - start

    return wrapper


def inside(job: str, words: list[str]) -> dict[str, float]:
    """Run one command of `ired` in this process; processor seconds of its parts."""
    from importlib import import_module

    spent: dict[str, float] = defaultdict(float, interpreter=used())
    import torch  # noqa: F401

    spent["import torch"] = used() - spent["interpreter"]
    start = used()
    from ired.cli import app

    import_module("ired.job.train")
    spent["other imports"] = used() - start
    if job == "diagnose":
        from ired.diagnostics import run
        from ired.record.schema import DIAGNOSTICS

        found = {name: run.diagnostic(name) for name in DIAGNOSTICS}
        spent["other imports"] = used() - start
        for name, each in found.items():
            object.__setattr__(each, "compute", timed(each.compute, spent, name))
    else:
        for part, module, path in TRAINING:
            owner: Any = import_module(module)
            *outer, name = path.split(".")
            for step in outer:
                owner = getattr(owner, step)
            setattr(owner, name, timed(getattr(owner, name), spent, part))
    app(words, standalone_mode=False)
    spent.pop("inside", None)
    spent["other"] = used() - sum(spent.values())
    return spent


def measure(job: str, words: list[str]) -> dict[str, float]:
    """The same in a process of its own."""
    call = [sys.executable, __file__, "--inside", json.dumps([job, words])]
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--variant", default="adversarial")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    parser.add_argument("--inside", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        print(json.dumps(inside(*chosen.inside)))
        return
    # Not above: the measured processes run this file too, and would have it in their interpreter's part.
    import pandas as pd
    import yaml

    from ired.study.resolve import ResolvedStudy

    study = ResolvedStudy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    config = json.loads(study.run_config(chosen.scale, chosen.variant, 0).to_json())
    config["training"]["steps"] = chosen.steps
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        sets = {"problem": config["problem"], "held_out": config["held_out"]}
        call = [
            sys.executable,
            "-m",
            "ired",
            "dataset",
            "--config",
            json.dumps(sets),
            "--out",
            str(place / "data"),
        ]
        subprocess.run(call, check=True, cwd=ROOT)
        words = ["--run-dir", str(place / "run"), "--data", str(place / "data"), "--threads", "1"]
        state = ["--config", json.dumps(config), "--state", str(place / "state")]
        matrices = ["--matrices", str(study.scale(chosen.scale).diagnostic_matrices)]
        for job, more in (("train", state), ("diagnose", matrices)):
            parts = measure(job, [job, *words, *more])
            rows += [{"job": job, "part": part, "seconds": seconds} for part, seconds in parts.items()]
    table = pd.DataFrame(rows)
    table["share"] = table["seconds"] / table.groupby("job")["seconds"].transform("sum")
    chosen.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(chosen.out / "startup.csv", index=False)
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3g}"))


if __name__ == "__main__":
    main()
