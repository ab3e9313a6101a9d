# Do harder negatives help an energy-based diffusion model learn to invert matrices, and if not, why?
#
#   snakemake --profile profiles/local all                     the scale that config.yaml names, on this machine
#   snakemake --profile profiles/slurm all --config scale=paper    the published size, on a cluster
#   snakemake --profile profiles/local results/laptop/runs/adversarial/seed3/metrics.json    one run
#   snakemake --profile profiles/local figures                 figures from tables at hand; trains nothing
from snakemake.utils import min_version

min_version("9.0")


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
