"""What a compute node does: held-out sets, reference predictors, training and diagnosis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ired.base.errors import UserError
from ired.cli.options import Config, DataFolder, Device, Threads, minutes


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


def reference(
    config: Config,
    data: DataFolder,
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


def train(
    config: Annotated[
        list[str],
        typer.Option(help="A run's resolved configuration as JSON; repeat it to train a pack of seeds."),
    ],
    data: DataFolder,
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
        float | None, typer.Option(callback=minutes, help="Stop with a checkpoint after this time.")
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


def diagnose(
    run_dir: Annotated[Path, typer.Option(help="A finished run's folder.")],
    data: DataFolder,
    matrices: Annotated[int, typer.Option(min=2, help="How many matrices of each set to look at.")],
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Conditioning, energy profile, directions and sizes of the errors of one trained run."""
    from ired.diagnostics.run import diagnose as run_diagnostics
    from ired.training.torch_setup import pick_device, use_threads

    use_threads(threads)
    run_diagnostics(run_dir, data, matrices, run_dir, pick_device(device))
