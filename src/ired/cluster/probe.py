"""`doctor --submit`: a job of at most five minutes that does on a node what a training job does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ired.cluster.checks import FAIL, OK, WARN, Check, Subject
from ired.cluster.checks_slurm import last_of, sbatch_flags
from ired.job.code_version import EXPECT_SHA, code_identity
from ired.job.slurm import LIVE, ask, job_state

MINUTES = 5  # the job loads torch three times, the first time perhaps from a cold shared disk
PATIENCE_SECONDS = 1800


def probe(subject: Subject) -> Iterator[Check]:
    """Submit the job and say what it saw."""
    folder = subject.root / "results" / ".state" / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    report = folder / "report.json"
    command = f"exec srun -n1 {sys.executable} -m ired.cluster.probe {report}"
    setup = subject.settings.get("precommand")
    script = f"#!/bin/sh\n{setup} || exit 1\n{command}\n" if setup else f"#!/bin/sh\n{command}\n"
    flags = sbatch_flags(subject, subject.train(1) | {"runtime": MINUTES})
    identity = code_identity()
    if identity:
        os.environ[EXPECT_SHA] = identity
    (folder / "job.sh").write_text(script)
    log = folder / "job.log"
    options = ["--parsable", "--job-name=ired-probe", f"--output={log}", *flags]
    answer = ask("sbatch", *options, str(folder / "job.sh"))
    if not answer.ok:
        yield Check("probe", FAIL, f"not accepted: {last_of(answer)}", "mend site.yaml")
        return
    job = answer.out.split(";")[0]
    yield from _await(job, report, log)


def _await(job: str, report: Path, log: Path) -> Iterator[Check]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (state := job_state(job)) is None or state in LIVE:
        if time.monotonic() > deadline:
            cure = f"it stays in the queue: squeue -j {job} -o '%T %r'"
            yield Check("probe", WARN, f"job {job} is {state} after {PATIENCE_SECONDS} s", cure)
            return
        time.sleep(2)
    ended = time.time()
    while not report.exists() and time.time() < ended + 120:
        time.sleep(0.5)
    late = time.time() - ended
    if not report.exists():
        words = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        said = words[-1] if words else "no log at all: is the folder visible on the node?"
        yield Check("probe", FAIL, f"job {job} is {state} and left no report: {said}", f"read {log}")
        return
    yield Check("probe", OK, f"job {job} ran; its file was visible {late:.0f} s later (latency-wait is 120)")
    for name, level, fact, cure in json.loads(report.read_text()):
        yield Check(name, level, fact, cure)


def examine_node() -> list[tuple[str, str, str, str]]:
    """Run on the node: what a training job will meet."""
    from ired.base.errors import UserError
    from ired.job.code_version import refuse_drift

    found = [("probe", OK, f"{sys.executable} on {os.uname().nodename}", "")]
    try:
        refuse_drift()
        found.append(("probe", OK, "the checkout is the same", ""))
    except UserError as error:
        found.append(("probe", FAIL, str(error), "is this disk the same on all nodes?"))
    import torch

    if torch.cuda.is_available():
        found.append(("probe", OK, f"torch {torch.__version__} sees {torch.cuda.get_device_name()}", ""))
    else:
        cure = "training would run on the processor: check `gres`, the driver and torch's build"
        found.append(("probe", WARN, f"torch {torch.__version__} sees no accelerator", cure))
    found.append(_signal_and_resume())
    return found


def _signal_and_resume() -> tuple[str, str, str, str]:
    """A tiny run is stopped by SIGTERM and taken up again: the path of every interruption."""
    import signal
    import tempfile

    from ired.study.run_config import RunConfig
    from ired.tasks import build_task
    from ired.tasks.held_out import write_split

    settings = {
        "protocol": 1, "seed": 0, "problem": {"task": "inversion", "n": 2}, "network": {"kind": "mlp", "hidden": 8},
        "held_out": {"fit_matrices": 10, "validation_matrices": 10, "test_matrices": 10},
        "negatives": {"strategy": "none"}, "training": {"steps": 1_000_000, "batch_size": 8},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir="results/.state/probe") as name:
        folder = Path(name)
        config = RunConfig.model_validate(settings)
        for split in ("validation", "test_id", "test_ood"):
            write_split(split, build_task(config.problem), config.held_out, folder / f"{split}.npz")
        words = [sys.executable, "-m", "ired", "train", "--config", config.to_json(), "--data", name]
        words += ["--run-dir", f"{name}/run", "--state", f"{name}/state", "--checkpoint-minutes", "0.01"]
        for attempt in (1, 2):
            process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + 60
            events = next(iter(folder.glob("state/*/events.jsonl")), None)
            seen = events.read_text().count('"checkpoint"') if events else 0
            while time.monotonic() < deadline and process.poll() is None:
                events = next(iter(folder.glob("state/*/events.jsonl")), None)
                if events and events.read_text().count('"checkpoint"') > seen + 1:
                    break
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
            if process.returncode != 75 or (attempt == 2 and "resumed at step" not in said):
                last = said.strip().splitlines()[-1] if said.strip() else f"exit code {process.returncode}"
                return "probe", FAIL, f"SIGTERM and resuming do not work: {last}", "report this"
    return "probe", OK, "stopped by SIGTERM with a checkpoint and resumed", ""


if __name__ == "__main__":
    from ired.base.files import write_json

    write_json(Path(sys.argv[1]), examine_node())
