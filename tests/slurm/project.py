"""A copy of the project in a folder of its own, with a study so small that a run takes seconds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rig import wait_for

COPIED = ("Snakefile", "workflow", "profiles", "src")
NUMBERS = (
    "metrics.json",
    "history.csv",
    "model.safetensors",
    "snapshots.safetensors",
    "errors.npz",
    "config.json",
)
# One thread a job as in the reference, whose numbers depend on it. A limit of so many jobs a minute keeps
# Snakemake for a minute after its last job.
FAST = (
    *("--jobs", "4", "--latency-wait", "15", "--set-threads", "train=1", "--max-jobs-per-timespan", "30/1s"),
    *("--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "2"),
)
STEPS = 400
# The copy's training goes no faster than the file `pace` says (seconds a step), so that a fault finds it at
# work on every machine, and nobody waits for it afterwards.
PACE = """

def _paced(engine: Engine, advance=Engine.advance) -> None:
    import time
    from pathlib import Path

    time.sleep(float(Path(__file__).parents[3].joinpath("pace").read_text()))
    advance(engine)


Engine.advance = _paced
"""
# The executor waits ten seconds longer after each question that finds no success. The copy's asks every two.
POLLS = """

from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, seconds: None)
"""


class Project:
    """A working folder in which Snakemake is called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = os.environ | {
            "PYTHONPATH": str(root / "src"),
            "IRED_CHECKPOINT_MINUTES": "0.01",
            "IRED_TRAIN_DEVICE": "cpu",  # the nodes' accelerators are pretended
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        for name in list(self.environment):
            if name.startswith(("IRED_EXPECT", "IRED_RUN")):
                del self.environment[name]

    @classmethod
    def create(cls, root: Path, repository: Path) -> Project:
        """Copy what Snakemake reads and write a small study."""
        root.mkdir(parents=True)
        for name in COPIED:
            source = repository / name
            ignore = shutil.ignore_patterns("__pycache__", "site.yaml", "*.egg-info")
            shutil.copytree(source, root / name, ignore=ignore) if source.is_dir() else shutil.copy(
                source, root
            )
        project = cls(root)
        project.append("src/ired/training/engine.py", PACE)
        project.append("Snakefile", POLLS)
        project.pace(0)
        project.configure((repository / "config.yaml").read_text())
        return project

    def configure(self, text: str, **training: Any) -> None:
        """The repository's config.yaml with one small scale."""
        config = yaml.safe_load(text)
        smoke = config["scales"]["smoke"]
        smoke["run"]["training"] |= {"steps": STEPS, "validate_every": 200, "history_every": 100} | training
        smoke |= {"seeds": [0, 1, 2], "experiments": ["strategies"]}
        smoke.pop("worth", None)
        config |= {"scale": "tiny", "worth_scale": None, "scales": {"tiny": smoke}, "seeds_per_job": 1}
        (self.root / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def append(self, path: str, text: str) -> None:
        """Add lines to one of the copy's files."""
        with (self.root / path).open("a") as file:
            file.write(text)

    def pace(self, seconds: float) -> None:
        """How long each training step takes at least, from now on."""
        aside = self.root / ".pace"
        aside.write_text(str(seconds))
        aside.replace(self.root / "pace")

    def site(self, text: str) -> None:
        """The facts of the cluster."""
        (self.root / "profiles/slurm/site.yaml").write_text(text)

    def command(self, *words: str, profile: str = "slurm") -> list[str]:
        """Snakemake with a profile."""
        more = FAST if profile == "slurm" else ("--cores", "2")
        return [sys.executable, "-m", "snakemake", "--profile", f"profiles/{profile}", *more, *words]

    def start(self, *words: str, **environment: str) -> Controller:
        """Start Snakemake as a cluster's controller."""
        return Controller(self, self.command(*words), environment)

    def run(self, *words: str, seconds: float = 300, **environment: str) -> Controller:
        """Start it and wait for its end."""
        controller = self.start(*words, **environment)
        controller.wait(seconds)
        return controller

    def run_dir(self, seed: int) -> Path:
        return self.root / f"results/tiny/runs/none/seed{seed}"

    def metrics(self, *seeds: int) -> list[str]:
        """The paths to ask Snakemake for."""
        return [str((self.run_dir(seed) / "metrics.json").relative_to(self.root)) for seed in seeds]

    def state(self, seed: int) -> Path:
        """The run's state folder; it must exist."""
        return next(self.root.glob(f"results/.state/tiny/none/seed{seed}-*"))

    def events(self, seed: int) -> list[dict[str, Any]]:
        """What happened to a run so far."""
        paths = list(self.root.glob(f"results/.state/tiny/none/seed{seed}-*/events.jsonl"))
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    def trained(self, seed: int, step: int = 10, attempt: int = 1) -> bool:
        """Whether that attempt has a checkpoint beyond a step."""
        started = 0
        for event in self.events(seed):
            started += event["event"] == "started"
            if started >= attempt and event["event"] == "checkpoint" and event["step"] >= step:
                return True
        return False

    def wait_trained(self, seed: int, seconds: float = 180, **which: int) -> None:
        """Wait for `trained`."""
        wait_for(lambda: self.trained(seed, **which), seconds, f"a checkpoint of seed {seed}")

    def wait_ended(self, seed: int, seconds: float = 180) -> None:
        """Wait until an attempt has noted its end."""
        noted = lambda: any(event["event"] == "ended" for event in self.events(seed))  # noqa: E731
        wait_for(noted, seconds, f"the end of an attempt of seed {seed}")

    def ends(self, seed: int) -> list[str | None]:
        """How each attempt ended, from the published provenance."""
        facts = json.loads((self.run_dir(seed) / "provenance.json").read_text())
        return [attempt["end"] for attempt in facts["attempts"]]

    def log(self, seed: int) -> str:
        """What the training command said at its last attempt."""
        return (self.root / f"results/tiny/logs/train/none/seed{seed}.log").read_text(errors="replace")

    def ired(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the package, in this folder."""
        return subprocess.run(
            [sys.executable, "-m", "ired", *words],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def git(self, *words: str) -> str:
        """Git in this folder, with an author of its own."""
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        done = subprocess.run(
            ["git", *who, *words], cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


class Controller:
    """A running `snakemake --profile profiles/slurm`."""

    def __init__(self, project: Project, words: Sequence[str], environment: dict[str, str]) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A script's background jobs ignore Ctrl-C, and so would everything started here.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.path = project.root / f"controller-{time.time_ns()}.log"
        self.started = time.monotonic()
        with self.path.open("wb") as out:
            self.process = subprocess.Popen(
                words,
                cwd=project.root,
                env=project.environment | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.path.read_text(errors="replace")

    def wait(self, seconds: float = 300) -> int:
        """Its exit code; a hang is a failure."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"Snakemake hangs after {seconds:.0f} s:\n{self.said[-3000:]}") from None
        self.seconds = time.monotonic() - self.started
        return code

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, as a rebooted login node would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    @property
    def code(self) -> int | None:
        return self.process.poll()

    @property
    def submitted(self) -> list[str]:
        """Ids of the jobs it submitted."""
        marker = "has been submitted with SLURM jobid "
        return [line.split(marker)[1].split()[0] for line in self.said.splitlines() if marker in line]


def end_leftovers(root: Path) -> None:
    """Kill what still runs in a project's folder: the processes of a node that was declared dead."""
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            inside = path.readlink().is_relative_to(root)
        except OSError:
            continue
        if inside and int(path.parent.name) != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.parent.name), signal.SIGKILL)


def contents(folder: Path) -> dict[str, bytes]:
    """The files that must be equal, byte by byte."""
    return {name: (folder / name).read_bytes() for name in NUMBERS}


def strays(root: Path) -> list[Path]:
    """Temporary files and locks that nobody owns any more."""
    return [*root.glob("results/**/.*.tmp"), *root.glob("results/.state/**/lock.json")]
