"""Do harder negatives help an energy-based diffusion model? What the rules of the workflow call, and what a person may.

Exit codes: 0 done; 1 a bug; 75 interrupted with a checkpoint, run it again; 78 a mistake the user can mend,
in one line.
"""

# Imports are lazy; no logic lives here.
from __future__ import annotations

import io
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ired.base.errors import UserError

EXIT_INTERRUPTED, EXIT_USER_ERROR = 75, 78

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"ired {version('ired')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What every command shares."""


Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: an accelerator where torch sees one.")]
MOST_THREADS = 1024  # torch ends with a segmentation fault at some tens of thousands
Threads = Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, help="CPU threads.")]
Config = Annotated[str, typer.Option(help="A resolved configuration as JSON.")]


def _minutes(value: float | None) -> float | None:
    """A length of time; `nan` would be no deadline at all."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is no number of minutes above 0")
    return value


@app.command()
def dataset(
    config: Config,
    out: Annotated[Path, typer.Option(help="The folder to write to: SET.npz and its sidecar SET.json.")],
) -> None:
    """Draw the held-out sets of matrices and their inverses: fit, validation, test_id and test_ood."""
    from ired.base.settings import parsed
    from ired.study.run_config import Ensemble
    from ired.tasks import build_task
    from ired.tasks.held_out import SPLITS, write_split

    ensemble = parsed(Ensemble, config, "--config")
    for split in SPLITS:
        sidecar = write_split(split, build_task(ensemble.problem), ensemble.held_out, out / f"{split}.npz")
        facts = "".join(f", {name} {value:.3g}" for name, value in sidecar["facts"].items())
        print(f"{split}: {sidecar['matrices']} problems{facts}")


@app.command()
def reference(
    config: Config,
    data: Annotated[Path, typer.Option(help="Folder of the held-out sets.")],
    out: Annotated[Path, typer.Option(help="reference.csv to write.")],
    errors: Annotated[
        Path, typer.Option(help="reference_errors.npz to write: their errors problem by problem.")
    ],
) -> None:
    """Fit the closed-form predictors and test them: the reference lines of every plot."""
    from ired.base.hashing import fingerprint
    from ired.base.settings import parsed
    from ired.record.errors import write_errors
    from ired.record.schema import REFERENCE
    from ired.study.run_config import Ensemble
    from ired.tasks import build_task
    from ired.tasks.held_out import read_split
    from ired.tasks.reference import measure, reference_errors, reference_table

    ensemble = parsed(Ensemble, config, "--config")
    task = build_task(ensemble.problem)
    names = ("fit", *(f"test_{split}" for split in task.splits))
    fit, *tests = (read_split(data / f"{name}.npz", task, ensemble.held_out) for name in names)
    measured = measure(task, fit, dict(zip(task.splits, tests, strict=True)))
    write_errors(errors, reference_errors(measured), fingerprint(ensemble.model_dump(mode="json")))
    REFERENCE.write(reference_table(task, measured), out)


@app.command()
def train(
    config: Annotated[
        list[str],
        typer.Option(help="A run's resolved configuration as JSON; repeat it to train a pack of seeds."),
    ],
    data: Annotated[Path, typer.Option(help="Folder of the held-out sets.")],
    state: Annotated[
        Path, typer.Option(help="Folder for checkpoints and finished results, outside the declared outputs.")
    ],
    run_dir: Annotated[
        list[Path] | None, typer.Option(help="The results folder of each configuration, in the same order.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Instead of folders: a JSON file that lists what has been trained.")
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            envvar="IRED_TRAIN_DEVICE", help="cpu, cuda, or auto: an accelerator where torch sees one."
        ),
    ] = "auto",
    threads: Threads = None,
    max_minutes: Annotated[
        float | None, typer.Option(callback=_minutes, help="Stop with a checkpoint after this time.")
    ] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(min=0, envvar="IRED_CHECKPOINT_MINUTES", help="Minutes between checkpoints.")
    ] = 5.0,
    checkpoint_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints, beside the minutes.")
    ] = None,
) -> None:
    """Train one run or a pack of seeds; resumes what was interrupted, republishes what is finished."""
    from ired.job.code_version import refuse_drift
    from ired.job.failure_memory import remembered
    from ired.job.log_guard import forgive_lost_words
    from ired.record.publish import republished

    forgive_lost_words()
    # Before torch is imported: a job that cannot succeed, or has nothing to do, ends in its first second.
    refuse_drift()
    if not receipt and republished(config, state, run_dir or []):
        return
    with remembered(config, state):
        from ired.base.files import write_json
        from ired.job.deadline import stopper_for
        from ired.job.train import Execution, train_and_publish
        from ired.study.run_config import RunConfig
        from ired.training.torch_setup import pick_device, use_threads

        run_dirs = run_dir or []
        if len(run_dirs) != (0 if receipt else len(config)):
            raise UserError(
                f"{len(config)} --config but {len(run_dirs)} --run-dir; give one for each, or a --receipt"
            )
        stopper = stopper_for(max_minutes)
        stopper.listen()
        use_threads(threads)
        configs = [RunConfig.from_json(text, "--config") for text in config]
        execution = Execution(data, state, pick_device(device), checkpoint_minutes, checkpoint_steps)
        train_and_publish(configs, run_dirs, execution, stopper)
        if receipt:
            write_json(receipt, {"fingerprints": {str(c.seed): c.fingerprint() for c in configs}})


@app.command()
def diagnose(
    run_dir: Annotated[Path, typer.Option(help="A finished run's folder.")],
    data: Annotated[Path, typer.Option(help="Folder of the held-out sets.")],
    matrices: Annotated[int, typer.Option(min=2, help="How many matrices of each set to look at.")],
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Conditioning, energy profile, directions and sizes of the errors of one trained run."""
    from ired.diagnostics.run import diagnose as run_diagnostics
    from ired.training.torch_setup import pick_device, use_threads

    use_threads(threads)
    run_diagnostics(run_dir, data, matrices, run_dir, pick_device(device))


@app.command()
def aggregate(
    experiment: Annotated[str, typer.Option(help="What to compare, as JSON.")],
    runs: Annotated[Path, typer.Option(help="Folder of {variant}/seed{seed}/.")],
    reference_csv: Annotated[Path, typer.Option(help="The scale's reference.csv.")],
    reference_errors: Annotated[Path, typer.Option(help="The scale's reference_errors.npz.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables.")],
) -> None:
    """Many runs into tables: intervals, contrasts, learning curves, diagnostics."""
    from ired.base.hashing import fingerprint
    from ired.tables.aggregate import aggregate as aggregate_runs
    from ired.tables.specification import ExperimentSpec

    spec = ExperimentSpec.model_validate_json(experiment)
    aggregate_runs(runs, reference_csv, reference_errors, spec, out, fingerprint)


@app.command()
def tune(
    cells: Annotated[str, typer.Option(help="The trials of every arm, as JSON.")],
    runs: Annotated[Path, typer.Option(help="Folder of {variant}/seed{seed}/.")],
    out: Annotated[Path, typer.Option(help="tuning.csv to write.")],
) -> None:
    """Choose each arm's learning rate and weight from its trials."""
    from ired.base.hashing import fingerprint
    from ired.tables.worth import parse, write_tuning

    write_tuning(runs, parse(cells), out, fingerprint)


@app.command()
def worth(
    cells: Annotated[str, typer.Option(help="The judged runs of every arm, as JSON.")],
    runs: Annotated[Path, typer.Option(help="Folder of {variant}/seed{seed}/.")],
    reference_csv: Annotated[Path, typer.Option(help="The scale's reference.csv.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables.")],
) -> None:
    """How much compute each arm saves: runs, curves and multipliers."""
    from ired.base.hashing import fingerprint
    from ired.tables.worth import parse, write_worth

    write_worth(runs, reference_csv, parse(cells), out, fingerprint)


@app.command()
def figure(
    names: Annotated[list[str], typer.Argument(help="Figures to draw; docs/figures.md lists them.")],
    tables: Annotated[Path, typer.Option(help="An experiment's folder of tables.")],
    published: Annotated[Path, typer.Option(help="The published figures.")],
    out: Annotated[Path, typer.Option(help="Folder for the PDF, PNG and SVG files.")],
    processes: Annotated[int, typer.Option(min=1, help="How many figures are drawn at a time.")] = 1,
    column: Annotated[
        bool, typer.Option("--column", help="For one column of a two-column page: 3.4 inches wide.")
    ] = False,
    expected: Annotated[
        str | None, typer.Option(help="Variant -> mark of the runs that the tables must be of, as JSON.")
    ] = None,
) -> None:
    """Draw figures from tables; computes nothing."""
    from ired.figures.toolkit.output import draw_figures

    marks = json.loads(expected) if expected else None
    draw_figures(names, tables, out, published, processes, marks, column)


@app.command()
def report(
    scale: Annotated[str, typer.Option(help="The scale's name, for the title.")],
    experiments: Annotated[
        str, typer.Option(help="Experiment -> its figures, as JSON; the first one leads.")
    ],
    settings: Annotated[str, typer.Option(help="The configuration to show, as JSON.")],
    tables: Annotated[Path, typer.Option(help="The scale's folder of tables.")],
    figures: Annotated[Path, typer.Option(help="The scale's folder of figures.")],
    published: Annotated[Path, typer.Option(help="The published figures.")],
    workflow: Annotated[Path, typer.Option(help="The workflow graph, an SVG.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    questions: Annotated[str, typer.Option(help="Experiment -> what it asks, as JSON.")] = "{}",
    expected: Annotated[
        str,
        typer.Option(help="Experiment -> variant -> mark of the runs that the tables must be of, as JSON."),
    ] = "{}",
) -> None:
    """One self-contained page that opens with the answer."""
    from ired.record.schema import TABLES
    from ired.record.whole import read_whole
    from ired.report import build
    from ired.report.terminal import opening

    chosen, marks = json.loads(experiments), json.loads(expected)
    for name in chosen:
        read_whole(TABLES, tables / name, marks.get(name))
    graph = workflow.read_text(encoding="utf-8") if workflow.exists() else None
    headline = opening(tables, next(iter(chosen)))
    shown = json.loads(settings)
    asked = json.loads(questions)
    compared = set(chosen) <= set(marks)
    build(tables, figures, out, scale, chosen, headline, shown, published, graph, asked, compared)


@app.command()
def published_table(
    problem: Annotated[
        list[str],
        typer.Option(help="NAME=TASK,REFERENCE.csv,FOLDER: predictors, and networks' tables (may be empty)."),
    ],
    published: Annotated[Path, typer.Option(help="The published figures.")],
    out: Annotated[Path, typer.Option(help="The folder of table and figure.")],
) -> None:
    """IRED's Table 1 beside reference predictors and trained networks: CSV, Markdown and figure."""
    from ired.base.files import write_text
    from ired.figures import draw
    from ired.figures.toolkit.output import save
    from ired.record.schema import PUBLISHED_TABLE
    from ired.tables.published_table import Source, as_markdown
    from ired.tables.published_table import published_table as whole

    sources = []
    for text in problem:
        name, _, paths = text.partition("=")
        if paths.count(",") != 2:
            raise UserError(f"--problem {text!r} is not NAME=TASK,REFERENCE.csv,FOLDER")
        task, reference_csv, folder = paths.split(",")
        sources.append(Source(name, task, Path(reference_csv), Path(folder) if folder else None))
    table = whole(sources, published)
    PUBLISHED_TABLE.write(table, out / f"{PUBLISHED_TABLE.name}.csv")
    write_text(out / f"{PUBLISHED_TABLE.name}.md", as_markdown(table))
    save(draw("published_table", {PUBLISHED_TABLE.name: table}), out / PUBLISHED_TABLE.name)
    print(as_markdown(table))


@app.command()
def docs(
    out: Annotated[Path, typer.Option(help="The folder of tables.md and figures.md.")] = Path("docs"),
) -> None:
    """Write what docs/ says of tables, figures and the worth of a negative, from code and shipped tables."""
    from ired.report.docs import write_docs

    write_docs(out)


@app.command()
def summary(
    experiment: Annotated[
        str | None, typer.Option(help="Which experiment; by default the scale's first.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="A scale of config.yaml; by default the one it names.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="The table alone: latex (booktabs), markdown or csv.")
    ] = None,
) -> None:
    """Print an experiment's answer, its table, and where the report and the figures are."""
    from ired.base.lazy import defer

    defer("torch")
    from ired.cluster.doctor import read_study
    from ired.record.schema import TABLES
    from ired.record.whole import read_whole
    from ired.report.terminal import configured, first_experiment, made_folder, paper_table, show, show_worth

    written = configured()
    named = scale or str(written["scale"])
    chosen = experiment or first_experiment(written, named, Path("results"))
    if chosen == "worth":
        show_worth(Path("results") / named / "tables" / chosen)
        return
    results = made_folder(Path("results"), named, chosen, written)
    # Shipped tables are of the configuration that they were made with.
    expected = None if named.startswith("shipped/") else read_study().marks(named, chosen)
    read_whole(TABLES, results / "tables" / chosen, expected)
    if form is None:
        show(results, chosen)
    else:
        print(paper_table(results / "tables" / chosen, form), end="")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A scale, `shipped/SCALE`, or another clone's results/SCALE.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    experiment: Annotated[str, typer.Option(help="Which experiment.")] = "strategies",
) -> None:
    """Two scales, networks or clones beside each other, with a test of every difference."""
    from ired.report.compare import compared

    a, b = (Path(name) if Path(name).is_dir() else Path("results") / name for name in (first, second))
    print("\n".join(compared(a, b, experiment)))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    tensorboard: Annotated[Path, typer.Option(help="The folder for TensorBoard's event files.")],
) -> None:
    """A run's curves and diagnostics for other programs; needs the extra `tensorboard`."""
    from ired.record.event_files import export_tensorboard

    print(f"{tensorboard}: {export_tensorboard(run, tensorboard)} scalars")


@app.command(name="config")
def show_config(
    variant: Annotated[str, typer.Option(help="A variant of config.yaml, or a level of a sweep.")],
    seed: Annotated[int, typer.Option(min=0, help="The seed.")] = 0,
    scale: Annotated[
        str | None, typer.Option(help="A scale of config.yaml; by default the one it names.")
    ] = None,
) -> None:
    """Print a run's resolved configuration as JSON: what `train --config` takes."""
    from ired.base.lazy import defer

    defer("torch")  # settings alone are wanted
    from ired.cluster.doctor import read_study

    study = read_study()
    print(study.run_config(scale or study.study.scale, variant, seed).model_dump_json(indent=2))


@app.command()
def solve(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    problem: Annotated[Path, typer.Argument(help="A .npy file: one problem, or a stack (N, ...) of them.")],
    out: Annotated[Path, typer.Option(help="The .npy file for the answers.")],
) -> None:
    """Answer problems of your own with a trained energy: for inversion matrices in, inverses out."""
    import io
    import time

    import numpy as np

    from ired.base.files import write_bytes
    from ired.trained import load

    try:
        condition = np.load(problem, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{problem} is no readable .npy file: {error}") from None
    trained, started = load(run), time.perf_counter()
    answer = trained.solve(condition)
    seconds, buffer = time.perf_counter() - started, io.BytesIO()
    np.save(buffer, answer)
    write_bytes(out, buffer.getvalue())
    print(f"{out}: answers of shape {answer.shape} in {seconds:.2f} s")
    print(
        f"residual {np.mean(trained.residual(condition, answer)):.3g} (mean; what the answer leaves of the problem)"
    )


@app.command()
def doctor(
    profile: Annotated[Path, typer.Option(help="The profile to examine.")] = Path("profiles/slurm"),
    scale: Annotated[
        str | None, typer.Option(help="A scale of config.yaml; by default the one it names.")
    ] = None,
    submit: Annotated[bool, typer.Option(help="Also send a job of two minutes.")] = False,
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


@app.command()
def status(
    scale: Annotated[
        str | None, typer.Option(help="A scale of config.yaml; by default the one it names.")
    ] = None,
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
    from ired.watch.status import chosen_runs, watch

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


def main() -> None:
    """Run a command; a `UserError` becomes one line on stderr."""
    from ired.training.stopping import Interrupted

    for stream in (sys.stdout, sys.stderr):  # a terminal may have no minus sign
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(standalone_mode=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except Interrupted as pause:
        print(f"interrupted: {pause}", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
