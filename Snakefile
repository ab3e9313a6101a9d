# Do harder negatives help an energy-based diffusion model learn to invert matrices, and if not, why?
#
#   snakemake --profile profiles/local all                     the scale that config.yaml names, on this machine
#   snakemake --profile profiles/slurm all --config scale=paper    the published size, on a cluster
#   snakemake --profile profiles/local results/laptop/runs/adversarial/seed3/metrics.json    one run
#   make figures                                               figures from tables at hand; trains nothing
import gc
from pathlib import Path

from ired.base.errors import UserError
from ired.base.yaml_file import read_yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# A plan makes millions of objects and keeps them: at the collector's default it looks through them over and over, for a tenth of the time.
gc.set_threshold(50_000, 50, 100)


# Snakemake's own reader names no line, and takes the second of two equal keys without a word.
try:
    for path in workflow.configfiles or ["config.yaml"]:
        read_yaml(Path(path))
except UserError as error:
    raise WorkflowError(str(error)) from None


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/diagnose.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/worth.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/published_table.smk"
include: "workflow/rules/targets.smk"


# Here and not in an included file: Snakemake lets the bare call make a default target of the Snakefile itself alone.
rule all:
    """The scale's experiments from matrices to the report."""
    default_target: True
    input:
        f"results/{SCALE}/report.html",
        # What the report was made from, so that it is given back where it was deleted.
        [
            path
            for e in STUDY.scale(SCALE).experiments
            for kind in ("png", "pdf")
            for path in figure_paths(SCALE, e, kind)
        ],
        [f"results/{SCALE}/tables/{e}/{name}.csv" for e in STUDY.scale(SCALE).experiments for name in TABLES],
        [path for name in ("metrics.json", "history.csv", "model.safetensors") for path in of_scale(f"{RUN}/{name}")],


# Snakemake would say that no rule makes it, and not what was meant.
if workflow.is_main_process:
    try:
        refuse_unknown(targets_of(sys.argv[1:]), STUDY, [rule.name for rule in workflow.rules], is_made)
    except UserError as error:
        raise WorkflowError(str(error)) from None
