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
NUMBERS = ("metrics.json", "history.csv", "model.safetensors", "snapshots.safetensors", "config.json")
# Answers in seconds; one thread a job as in the reference, whose numbers depend on it.
FAST = (
    *("--jobs", "4", "--latency-wait", "15", "--set-threads", "train=1"),
    *("--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "1"),
)
STEPS = 800
# The copy's training takes at least so long on every machine, so that a fault finds it at work.
SLOWLY = """

def _slowly(engine: Engine, advance=Engine.advance) -> None:
    import time

    time.sleep(0.025)
    advance(engine)


Engine.advance = _slowly
"""


class Project:
    """A working folder in which Snakemake is called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = os.environ | {
            "PYTHONPATH": str(root / "src"),
            "IRED_CHECKPOINT_MINUTES": "0.03",
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
        with (root / "src/ired/engine.py").open("a") as engine:
            engine.write(SLOWLY)
        project = cls(root)
        project.configure((repository / "config.yaml").read_text())
        return project

    def configure(self, text: str, **training: Any) -> None:
        """The repository's config.yaml with one small scale."""
        config = yaml.safe_load(text)
        smoke = config["scales"]["smoke"]
        smoke["run"]["training"] |= {"steps": STEPS, "validate_every": 400, "history_every": 100} | training
        smoke |= {"seeds": [0, 1, 2], "experiments": ["strategies"]}
        config |= {"scale": "tiny", "scales": {"tiny": smoke}, "seeds_per_job": 1}
        (self.root / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def command(self, *words: str, profile: str = "slurm") -> list[str]:
        """Snakemake with a profile."""
        more = FAST if profile == "slurm" else ("--cores", "2")
        return [sys.executable, "-m", "snakemake", "--profile", f"profiles/{profile}", *more, *words]

    def start(self, *words: str, **environment: str) -> Controller:
        """Start Snakemake as a cluster's controller."""
        return Controller(self, self.command(*words), environment)

    def run(self, *words: str, seconds: float = 240, **environment: str) -> Controller:
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

    def trained(self, seed: int, step: int = 50, attempt: int = 1) -> bool:
        """Whether that attempt has a checkpoint beyond a step."""
        started = 0
        for event in self.events(seed):
            started += event["event"] == "started"
            if started >= attempt and event["event"] == "checkpoint" and event["step"] >= step:
                return True
        return False

    def wait_trained(self, seed: int, seconds: float = 120, **which: int) -> None:
        """Wait for `trained`."""
        wait_for(lambda: self.trained(seed, **which), seconds, f"a checkpoint of seed {seed}")

    def ends(self, seed: int) -> list[str | None]:
        """How each attempt ended, from the published provenance."""
        facts = json.loads((self.run_dir(seed) / "provenance.json").read_text())
        return [attempt["end"] for attempt in facts["attempts"]]

    def ired(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the package, in this folder."""
        return subprocess.run(
            [sys.executable, "-m", "ired", *words],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
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

    def wait(self, seconds: float = 240) -> int:
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
