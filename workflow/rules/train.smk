# Needs: the held-out sets. Makes: results/{scale}/runs/{variant}/seed{seed}/, and keeps checkpoints in results/.state/, which no rule declares,
# because Snakemake deletes declared outputs before every attempt. Nothing here is about one site: that is profiles/slurm/.
#
# A job trains a pack of seeds as one batched model (rule train). A pack of one, the default, publishes its run itself; the runs of a larger one
# (seeds_per_job) wait in the state folder until each is published (rule publish), so that a path still names one run.
from types import SimpleNamespace

from ired.cluster.site import refuse_lost_resources
from ired.job.code_version import plan

# What is planned goes into the environment; SLURM carries it to the jobs, which refuse a checkout that has changed since.
try:
    plan(config)
    if workflow.is_main_process:
        refuse_lost_resources(
            workflow.resource_settings.overwrite_resources.get("train", {}),
            list(workflow.resource_settings.default_resources or []),
        )
except UserError as error:
    raise WorkflowError(str(error)) from None

PACKED = STUDY.study.seeds_per_job > 1
RECEIPT = "results/{scale}/packs/{variant}/seeds{first}-{last}.json"
MEMBERS = "seeds{first}-{last}" if PACKED else "seed{seed}"
FILES = {
    "config": f"{RUN}/config.json",
    "history": f"{RUN}/history.csv",
    "model": f"{RUN}/model.safetensors",
    "snapshots": f"{RUN}/snapshots.safetensors",
    "errors": f"{RUN}/errors.npz",
    "provenance": f"{RUN}/provenance.json",
    "metrics": f"{RUN}/metrics.json",
}
TRAIN = (
    "exec {PY} -m ired train"
    " {params.runs}"
    " --data {params.data:q}"
    " --state {params.state:q}"
    " --threads {threads}"
    # In a SLURM job alone: how long it may run, should squeue not say.
    " ${{SLURM_JOB_ID:+--max-minutes {resources.runtime}}}"
    " > {log:q} 2>&1"
)


def config_options(wildcards, seeds):
    """The configurations of runs as options of `ired train`."""
    runs = [SimpleNamespace(scale=wildcards.scale, variant=wildcards.variant, seed=seed) for seed in seeds]
    return " ".join(f"--config {shlex.quote(run_json(run))}" for run in runs)


def run_options(wildcards, output):
    """One run, and the folder that it is published to."""
    folder = os.path.dirname(output.metrics)
    return f"{config_options(wildcards, [int(wildcards.seed)])} --run-dir {shlex.quote(folder)}"


def pack_options(wildcards, output):
    """The runs of a pack, and the receipt that says that they wait; of a pack of one, `run_options`."""
    if not PACKED:
        return run_options(wildcards, output)
    seeds = STUDY.pack(wildcards.scale, wildcards.variant, int(wildcards.first))
    return f"{config_options(wildcards, seeds)} --receipt {shlex.quote(output.receipt)}"


rule train:
    """A pack of seeds as one batched model."""
    input:
        sets=SETS,
        tuning=tuned,
    output:
        **({"receipt": RECEIPT} if PACKED else FILES),
    log:
        f"results/{{scale}}/logs/train/{{variant}}/{MEMBERS}.log",
    benchmark:
        f"results/{{scale}}/benchmarks/train/{{variant}}/{MEMBERS}.tsv"
    wildcard_constraints:
        first=r"0|[1-9][0-9]{0,9}",
        last=r"0|[1-9][0-9]{0,9}",
    threads: 1
    resources:
        runtime=240,  # a profile says what a job gets; without one the command needs some word
    params:
        runs=pack_options,
        data=DATA,
        state="results/.state/{scale}/{variant}",
    message:
        (
            "train {wildcards.variant} "
            + ("seeds {wildcards.first} to {wildcards.last}" if PACKED else "seed {wildcards.seed}")
            + ", log: {log}"
        )
    shell:
        TRAIN


def receipt(wildcards):
    """The receipt of the pack that trains a seed."""
    seeds = STUDY.pack(wildcards.scale, wildcards.variant, int(wildcards.seed))
    return RECEIPT.format(scale=wildcards.scale, variant=wildcards.variant, first=seeds[0], last=seeds[-1])


if PACKED:

    rule publish:
        """A run of a pack to the folder that its path names; trains it, should the state folder have lost it."""
        input:
            sets=SETS,
            receipt=receipt,
            tuning=tuned,
        output:
            **FILES,
        log:
            "results/{scale}/logs/train/{variant}/seed{seed}.log",
        benchmark:
            "results/{scale}/benchmarks/train/{variant}/seed{seed}.tsv"
        localrule: True
        threads: 1
        resources:
            runtime=240,
        params:
            runs=run_options,
            data=DATA,
            state="results/.state/{scale}/{variant}",
        message:
            "publish {wildcards.variant} seed {wildcards.seed}, log: {log}"
        shell:
            TRAIN
