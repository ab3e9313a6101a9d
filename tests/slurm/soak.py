"""`make soak`: a study on a real scheduler under random faults, and then whether anything was lost.

A small study runs on the rig of these tests while faults strike it one after another, drawn by a seed. The harness
does what a person would: calls Snakemake again when it has ended, before that what `doctor` prints, and nothing else.
In the end every file must equal an undisturbed run's byte by byte, no two writers may have met, and nothing may be left
behind.
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from project import STEPS, Project, contents, end_leftovers, strays
from rig import NoCluster, Rig, why_not
from soak_faults import FAULTS, PREEMPTING, Victim

SEEDS, MOST_CALLS, END_SECONDS = [0, 1], 15, 1500
COMPLETING_SECONDS = 60
# Every step of every attempt is noted from outside the run.
NOTED = """

def _noted(engine: Engine, advance=Engine.advance) -> None:
    import os
    import sys
    import time
    from pathlib import Path

    advance(engine)
    run = sys.argv[sys.argv.index("--run-dir") + 1]
    with Path(__file__).parents[3].joinpath("steps").open("a") as file:
        file.write(f"{time.time():.3f} {os.getpid()} {run} {engine.step}\\n")


Engine.advance = _noted
"""


class Soak(Victim):
    """The study, the faults that struck it, and what a person had to do.

    Attributes:
        calls: how often Snakemake was called.
        actions: what `doctor` asked for, and was done.
    """

    def __init__(self, rig: Rig, project: Project, chance: random.Random) -> None:
        super().__init__(rig, project, chance)
        self.began, self.calls = time.monotonic(), 0
        self.faults: list[str] = []
        self.actions: Counter[str] = Counter()
        self._deck: list[int] = []

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:5.0f} s  {text}", flush=True)

    def call(self) -> None:
        """Start Snakemake, as the documentation says it."""
        self.calls += 1
        self.controller = self.project.start("tables")
        self.say(f"call {self.calls} of Snakemake")

    def strike(self) -> None:
        """The next fault of the shuffled deck that finds something to strike."""
        self._deck = self._deck or self.chance.sample(range(len(FAULTS)), len(FAULTS))
        for index in list(self._deck):
            said = FAULTS[index](self)
            if said:
                self._deck.remove(index)
                self.faults.append(said)
                self.say(said)
                return

    def tend(self) -> bool:
        """What a person does about a controller that has ended; whether the study is done."""
        assert self.controller is not None
        if self.controller.code is None:
            return False
        self.say(f"Snakemake ended with exit code {self.controller.code}")
        if self.controller.code == 0:
            return True
        self._obey()
        self.call()
        return False

    def _obey(self) -> None:
        """What `doctor` prints, and no more; every other time impatiently."""
        said = self.project.ired("doctor").stdout
        if "FAIL orphans" in said and self.chance.random() < 0.5:
            self.actions["let orphans end"] += 1
            self.say("doctor: jobs of another call; letting them end")
            deadline = time.monotonic() + 300
            while self.rig.jobs() and time.monotonic() < deadline:
                time.sleep(2)
        elif "FAIL orphans" in said:
            self.say("doctor: jobs of another call; starting beside them")
        if ".snakemake/locks is not empty" in said:
            self.actions["snakemake --unlock"] += 1
            self.project.run("--unlock")

    def run(self, minutes: float) -> bool:
        """Faults for so long, then peace until the study is done."""
        self.call()
        while time.monotonic() - self.began < 60 * minutes:
            time.sleep(self.chance.uniform(3, 12))
            if self.tend():
                break
            self.strike()
        self.project.pace(0)
        self.rig.ask(
            "scancel", f"--name={PREEMPTING}"
        )  # one that found no nodes yet is a fault still to come
        self.say("no more faults")
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline and self.calls < MOST_CALLS:
            if self.tend():
                return bool(list(self.project.root.glob("results/tiny/tables/*/runs.csv")))
            time.sleep(1)
        return False


def steps(project: Project) -> dict[str, list[tuple[float, int, int]]]:
    """Run -> (time, process, step) of every step that was made."""
    found: dict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for line in (project.root / "steps").read_text().splitlines():
        moment, process, run, step = line.split()
        found[run].append((float(moment), int(process), int(step)))
    return found


def double_work(made: dict[str, list[tuple[float, int, int]]]) -> list[str]:
    """Runs of which two processes were at work at once, or that lack a step."""
    faults = []
    for run, rows in made.items():
        spans = defaultdict(list)
        for moment, process, _ in rows:
            spans[process].append(moment)
        ordered = sorted((min(times), max(times)) for times in spans.values())
        if any(later[0] < earlier[1] for earlier, later in pairwise(ordered)):
            faults.append(f"two writers of {run}")
        if {step for _, _, step in rows} != set(range(1, STEPS + 1)):
            faults.append(f"{run} lacks steps")
    return faults


def differences(project: Project, reference: Project) -> list[str]:
    """Files that do not equal the undisturbed run's."""
    faults = []
    for folder in sorted(reference.root.glob("results/tiny/runs/*/seed*")):
        own = project.root / folder.relative_to(reference.root)
        try:
            faults += [
                f"{own}/{name}"
                for name, content in contents(folder).items()
                if contents(own)[name] != content
            ]
        except OSError as error:
            faults.append(str(error))
    for pattern in ("runs/*/seed*/*.csv", "tables/*.csv", "tables/*/*.csv"):
        for path in sorted(reference.root.glob(f"results/tiny/{pattern}")):
            own = project.root / path.relative_to(reference.root)
            if not own.exists() or numbers(own) != numbers(path):
                faults.append(f"{own} differs")
    return faults


def numbers(path: Path) -> list[list[str]]:
    """A table without its columns of time: what was measured, and not how long it took."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    kept = [index for index, name in enumerate(rows[0]) if "second" not in name]
    return [[row[index] for index in kept] for row in rows]


def left_behind(project: Project, rig: Rig) -> list[str]:
    """What nobody owns any more."""
    paths = [*strays(project.root), *(project.root / ".snakemake/locks").glob("*")]
    paths += [*project.root.glob("results/.state/**/FATAL*"), *project.root.glob("results/.state/**/STOP")]
    deadline = time.monotonic() + COMPLETING_SECONDS
    while rig.jobs("CG") and time.monotonic() < deadline:  # over, and still being tidied up by its node
        time.sleep(1)
    return [str(path) for path in paths] + [f"job {job}" for job in rig.jobs()]


def study(root: Path, repository: Path) -> Project:
    """The rig's small project, of six runs."""
    project = Project.create(root, repository)
    text = (root / "config.yaml").read_text()
    assert "- 2\n" in text
    (root / "config.yaml").write_text(
        text.replace("    seeds:\n    - 0\n    - 1\n    - 2\n", "    seeds: [0, 1]\n")
    )
    return project


def main() -> int:
    """0: all equal, nothing twice, nothing left; 1: not so; 77: no cluster here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"no SLURM: {reason}")
        return 77
    repository, folder = Path(__file__).parents[2], Path(tempfile.mkdtemp(prefix="soak-"))
    rig, soaked = Rig(), folder / "soak"
    try:
        rig.start()
        reference = study(folder / "reference", repository)
        print("an undisturbed run, for comparison", flush=True)
        command = reference.command("tables", profile="local")
        subprocess.run(
            command, cwd=reference.root, env=reference.environment, check=True, capture_output=True
        )
        project = study(soaked, repository)
        project.append("src/ired/training/engine.py", NOTED)
        hold = soaked / "src/ired/job/hold.py"
        hold.write_text(
            hold.read_text().replace("AGAIN_SECONDS, END_SECONDS = 300,", "AGAIN_SECONDS, END_SECONDS = 10,")
        )
        project.environment |= {"IRED_CHECKPOINT_MINUTES": "0.05", "IRED_SCANCEL_PAUSE": "5"}
        # Long enough that trainings are at work for most of the time, two at once.
        project.pace(max(60 * options.minutes / (len(SEEDS) * 3 * STEPS / 2) * 0.6, 0.02))
        (soaked / "results").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(soaked / "results")]
        subprocess.run(mount, capture_output=True, check=False)
        soak = Soak(rig, project, random.Random(options.seed))
        return report(soak, soak.run(options.minutes), reference, options)
    except NoCluster as error:
        print(f"SLURM does not start on this machine: {error}")
        return 77
    finally:
        rig.stop()
        end_leftovers(folder)
        subprocess.run(["umount", "--lazy", str(soaked / "results")], capture_output=True, check=False)


def report(soak: Soak, done: bool, reference: Project, options: argparse.Namespace) -> int:
    """Say what happened, and what is wrong."""
    wrong = [] if done else ["the study did not end"]
    wrong += differences(soak.project, reference)
    made = steps(soak.project)
    wrong += double_work(made) + left_behind(soak.project, soak.rig)
    every = sum(len(rows) for rows in made.values())
    needed = sum(len({step for _, _, step in rows}) for rows in made.values())
    actions = ", ".join(f"{what} ({count})" for what, count in soak.actions.items()) or "none"
    print(
        f"\nseed {options.seed}, {options.minutes:g} minutes, {len(soak.faults)} faults, {soak.calls} calls"
    )
    print(f"steps repeated: {every - needed} of {needed} ({(every - needed) / max(needed, 1):.1%})")
    print(f"done because doctor said so: {actions}")
    print(
        "\n".join(f"WRONG: {each}" for each in wrong)
        or "every file equals the undisturbed run's; nothing is left behind"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
