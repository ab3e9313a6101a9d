"""What a person asks: a summary, a comparison, an export, a configuration, an answer to a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ired.base.errors import UserError
from ired.cli.options import ScaleName


def summary(
    experiment: Annotated[
        str | None, typer.Option(help="Which experiment; by default the scale's first.")
    ] = None,
    scale: ScaleName = None,
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
    expected = None if named.startswith("shipped/") else read_study().experiments.marks(named, chosen)
    read_whole(TABLES, results / "tables" / chosen, expected)
    if form is None:
        show(results, chosen)
    else:
        print(paper_table(results / "tables" / chosen, form), end="")


def compare(
    first: Annotated[str, typer.Argument(help="A scale, `shipped/SCALE`, or another clone's results/SCALE.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    experiment: Annotated[str, typer.Option(help="Which experiment.")] = "strategies",
) -> None:
    """Two scales, networks or clones beside each other, with a test of every difference."""
    from ired.report.compare import compared

    a, b = (Path(name) if Path(name).is_dir() else Path("results") / name for name in (first, second))
    print("\n".join(compared(a, b, experiment)))


def export(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    tensorboard: Annotated[Path, typer.Option(help="The folder for TensorBoard's event files.")],
) -> None:
    """A run's curves and diagnostics for other programs; needs the extra `tensorboard`."""
    from ired.record.event_files import export_tensorboard

    print(f"{tensorboard}: {export_tensorboard(run, tensorboard)} scalars")


def config(
    variant: Annotated[str, typer.Option(help="A variant of config.yaml, or a level of a sweep.")],
    seed: Annotated[int, typer.Option(min=0, help="The seed.")] = 0,
    scale: ScaleName = None,
) -> None:
    """Print a run's resolved configuration as JSON: what `train --config` takes."""
    from ired.base.lazy import defer

    defer("torch")  # settings alone are wanted
    from ired.cluster.doctor import read_study

    study = read_study()
    print(study.run_config(scale or study.study.scale, variant, seed).model_dump_json(indent=2))


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
