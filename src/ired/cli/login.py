"""What runs on a cluster's login node, and on a laptop too: the examination of a cluster, and the state of all runs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ired.cli.options import ScaleName


def doctor(
    profile: Annotated[Path, typer.Option(help="The profile to examine.")] = Path("profiles/slurm"),
    scale: ScaleName = None,
    submit: Annotated[bool, typer.Option(help="Also send a job of at most five minutes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list instead of lines.")] = False,
) -> None:
    """Examine a cluster before the study goes to it: exit code 1 where something FAILs."""
    from dataclasses import asdict

    from ired.cluster.checks import FAIL
    from ired.cluster.doctor import examine

    found = []
    for check in examine(profile, scale, submit):
        found.append(check)
        if not as_json:
            print(check.line(), flush=True)
    if as_json:
        print(json.dumps([asdict(check) for check in found], indent=2))
    if any(check.level == FAIL for check in found):
        raise typer.Exit(1)


def status(
    scale: ScaleName = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Runs of this experiment; by default of those the scale lists.")
    ] = None,
    all_runs: Annotated[
        bool, typer.Option("--all", help="Runs of every experiment, and others at hand.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            help="The profile of the commands it prints; by default that of a cluster where one is."
        ),
    ] = None,
    seeds_per_job: Annotated[
        int | None, typer.Option(min=1, help="As given to Snakemake; by default that of config.yaml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list instead of lines.")] = False,
    live: Annotated[
        bool, typer.Option("--watch", help="The live view, until all is done or Ctrl-C.")
    ] = False,
) -> None:
    """Every run: done, running, pending, failed and why, or lost; and the command that reruns it."""
    from ired.cluster import status as runs
    from ired.cluster.doctor import read_study
    from ired.cluster.live_status import chosen_runs, watch

    study = read_study(seeds_per_job=seeds_per_job)
    cluster = shutil.which("squeue") is not None
    profile = profile or ("profiles/slurm" if cluster else "profiles/local")
    layout = runs.Layout(Path("results"), study, scale or study.study.scale, profile, seeds_per_job)
    wanted = chosen_runs(layout, experiment or [], all_runs)

    def look() -> list[runs.RunStatus]:
        return runs.statuses(layout, wanted)

    if live:
        watch(look, layout)
        return
    found = look()
    if cluster and runs.queue("") is None:
        print("no answer from squeue: what is pending or running there is not known", file=sys.stderr)
    print(json.dumps(runs.as_json(found), indent=2) if as_json else "\n".join(runs.as_lines(found)))
