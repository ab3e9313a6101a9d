# Needs: config.yaml. Makes: the validated STUDY, the names that wildcards may take, and what every rule's shell begins with.
import glob
import json
import os
import shlex
import sys

from ired.base.lazy import defer

defer("torch")  # a plan needs settings alone, and must not wait for what they set

from ired.figures import FIGURES
from ired.record.schema import DIAGNOSTICS, TABLES, WORTH
from ired.study.asked import refuse_files_for_folders, refuse_unknown, refuse_without_effect, typed
from ired.study.names import NAME
from ired.study.memory import machine_memory, refuse_what_cannot_fit
from ired.study.resolve import ResolvedStudy
from snakemake.cli import parse_args
from snakemake.logging import logger
from snakemake.utils import update_config

# `python` by its full path: a job's PATH on a cluster node need not hold this environment.
PY = shlex.quote(sys.executable)

# Setting a prefix replaces Snakemake's strict mode, so it is said again.
shell.prefix("set -euo pipefail; export PYTHONUNBUFFERED=1; ")

try:
    asked = typed(workflow.config_settings.config)
    update_config(config, asked)
    if workflow.is_main_process:
        refuse_without_effect(asked, config)
    STUDY = ResolvedStudy(config, figures=FIGURES)
    if workflow.is_main_process:
        refuse_files_for_folders(Path("results"), STUDY.study.scale)
    if workflow.local_exec:
        refuse_what_cannot_fit(STUDY, STUDY.study.scale, machine_memory())
except UserError as error:
    raise WorkflowError(str(error)) from None

SCALE = STUDY.study.scale
SPLITS = ["fit", "validation", "test_id", "test_ood"]
RUN = "results/{scale}/runs/{variant}/seed{seed}"
DATA = "results/{scale}/data"
FIGURES_OF = "results/{where}/figures/{experiment}"
SETS = [f"{DATA}/{split}.npz" for split in ("validation", "test_id", "test_ood")]  # what a run and its diagnosis read


# A typo in a path is refused by `refuse_unknown`, before it is a three-hour job. A list of all variants here would stand in
# every pattern of every output, and take three tenths of the time of a plan of 5,000 runs.
wildcard_constraints:
    scale="|".join(map(re.escape, STUDY.study.scales)),
    variant=NAME.pattern,
    experiment="|".join(map(re.escape, STUDY.study.experiments)),
    seed=r"0|[1-9][0-9]{0,9}",
    where="(shipped/)?(" + "|".join(map(re.escape, STUDY.study.scales)) + ")",


def is_judged(wildcards):
    """Whether a run's learning rate is chosen by the trials of the study of worth."""
    cell = STUDY.worth.at(wildcards.scale).get(wildcards.variant)
    return cell is not None and cell.trial is None


def run_json(wildcards):
    """One run's resolved configuration: a string, since Snakemake tracks changes of builtin types alone. Nothing for a
    run that waits for tuning; Snakemake asks again when that has chosen."""
    if is_judged(wildcards) and not STUDY.worth.tuned(wildcards.scale):
        return ""
    return STUDY.run_config(wildcards.scale, wildcards.variant, int(wildcards.seed)).to_json()


def tuned(wildcards):
    """What a judged run of the study of worth waits for: its learning rate is chosen there."""
    return checkpoints.tune.get(scale=wildcards.scale).output if is_judged(wildcards) else []


def ensemble_json(wildcards):
    """What decides the held-out sets of a scale."""
    settings = STUDY.run_config(wildcards.scale, STUDY.study.comparison.baseline, 0)
    return settings.model_dump_json(include={"problem", "held_out"})


def figure_paths(where, experiment, kind="png"):
    """The pictures of an experiment; each PNG has its PDF and its SVG beside it."""
    folder = FIGURES_OF.format(where=where, experiment=experiment)
    return [f"{folder}/{figure}.{kind}" for figure in STUDY.experiments.figures(experiment)]
