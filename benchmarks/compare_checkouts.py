"""Do two checkouts train to the same bytes?

    python benchmarks/compare_checkouts.py OTHER_CHECKOUT [--scale smoke] [--steps 60]

Trains some variants of config.yaml with the code of this checkout and of another, and compares weights, histories and
metrics. A configuration's fingerprint, and what a step is
counted to cost, may differ between versions and are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

VARIANTS = ("none", "random", "adversarial", "cd_full")
LEFT_OUT = ("fingerprint", "madds_per_step")


def train(checkout: Path, settings: dict, folder: Path) -> Path:
    """One run of that configuration by a checkout's own code; its folder."""
    code = folder / "code"
    if not code.exists():
        code.symlink_to(checkout / "src")
    environment = os.environ | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ired", *words]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    # Earlier versions had one task and did not name it.
    for problem in (settings["problem"], {k: v for k, v in settings["problem"].items() if k != "task"}):
        text = json.dumps(settings | {"problem": problem})
        ensemble = json.dumps({"problem": problem, "held_out": settings["held_out"]})
        made = ask("dataset", "--config", ensemble, "--out", "data")
        done = ask(
            "train",
            "--config",
            text,
            "--run-dir",
            "run",
            "--data",
            "data",
            "--state",
            "state",
            "--threads",
            "1",
        )
        if made.returncode == done.returncode == 0:
            return folder / "run"
    raise SystemExit(f"{checkout}: {(made.stderr + done.stderr).strip().splitlines()[-1]}")


def differences(one: Path, other: Path) -> list[str]:
    """The names of the files of a run that differ."""
    found = [
        name
        for name in ("history.csv", "model.safetensors", "snapshots.safetensors")
        if (one / name).read_bytes() != (other / name).read_bytes()
    ]
    first, second = (json.loads((run / "metrics.json").read_text()) for run in (one, other))
    return found + [
        f"metrics.json: {key}"
        for key in sorted(set(first) | set(second))
        if key not in LEFT_OUT and first.get(key) != second.get(key)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path)
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--steps", type=int, help="in place of the scale's")
    chosen = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    sys.path.insert(0, str(here / "src"))
    from ired.study.resolve import ResolvedStudy

    study, differ = ResolvedStudy(yaml.safe_load((here / "config.yaml").read_text())), False
    for variant in VARIANTS:
        settings = json.loads(study.run_config(chosen.scale, variant, 0).to_json())
        if chosen.steps:
            settings["training"]["steps"] = chosen.steps
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / side for side in ("this", "other")]
            for folder in folders:
                folder.mkdir()
            runs = [
                train(*each)
                for each in zip((here, chosen.other.resolve()), (settings,) * 2, folders, strict=True)
            ]
            found = differences(*runs)
        differ |= bool(found)
        print(f"{chosen.scale} {variant}: {', '.join(found) or 'the same bytes'}")
    sys.exit(differ)


if __name__ == "__main__":
    main()
