# Needs: the held-out sets. Makes: results/{scale}/runs/{variant}/seed{seed}/, and keeps checkpoints in results/.state/, which no rule declares,
# because Snakemake deletes declared outputs before every attempt. Nothing here is about one site: that is profiles/slurm/.
#
# seeds_per_job: 1 trains one run a job (rule train). More trains packs of seeds as one batched model (rule train), whose finished runs wait
# in the state folder until each is published (rule publish): a path still names one run.
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


def receipt(wildcards):
    """The receipt of the pack that trains a seed; nothing where runs are trained one by one."""
    if not PACKED:
        return []
    seeds = STUDY.pack(wildcards.scale, wildcards.variant, int(wildcards.seed))
    return RECEIPT.format(scale=wildcards.scale, variant=wildcards.variant, first=seeds[0], last=seeds[-1])


def pack_json(wildcards):
    """The configurations of a pack, as options."""
    seeds = STUDY.pack(wildcards.scale, wildcards.variant, int(wildcards.first))
    texts = [run_json(SimpleNamespace(scale=wildcards.scale, variant=wildcards.variant, seed=seed)) for seed in seeds]
    return " ".join(f"--config {shlex.quote(text)}" for text in texts)


rule:
    name:
        "publish" if PACKED else "train"
    input:
        sets=f"{DATA}/validation.npz",  # one for all that a single job makes: a plan looks every input up, run by run
        receipt=receipt,
        tuning=tuned,
    output:
        config=f"{RUN}/config.json",
        history=f"{RUN}/history.csv",
        model=f"{RUN}/model.safetensors",
        snapshots=f"{RUN}/snapshots.safetensors",
        errors=f"{RUN}/errors.npz",
        provenance=f"{RUN}/provenance.json",
        metrics=f"{RUN}/metrics.json",
    log:
        "results/{scale}/logs/train/{variant}/seed{seed}.log",
    benchmark:
        "results/{scale}/benchmarks/train/{variant}/seed{seed}.tsv"
    localrule: PACKED
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        config=run_json,
        data=subpath(input.sets, parent=True),
        run_dir=subpath(output.metrics, parent=True),
        state="results/.state/{scale}/{variant}",
    message:
        ("publish" if PACKED else "train") + " {wildcards.variant} seed {wildcards.seed}, log: {log}"
    shell:
        "exec {PY} -m ired train"
        " --config {params.config:q}"
        " --run-dir {params.run_dir:q}"
        " --data {params.data:q}"
        " --state {params.state:q}"
        " --threads {threads}"
        # In a SLURM job alone: how long it may run, should squeue not say.
        " ${{SLURM_JOB_ID:+--max-minutes {resources.runtime}}}"
        " > {log:q} 2>&1"


if PACKED:

    rule train:
        """A pack of seeds as one batched model; the runs wait in the state folder."""
        input:
            sets=f"{DATA}/validation.npz",
            tuning=tuned,
        output:
            receipt=RECEIPT,
        log:
            "results/{scale}/logs/train/{variant}/seeds{first}-{last}.log",
        benchmark:
            "results/{scale}/benchmarks/train/{variant}/seeds{first}-{last}.tsv"
        wildcard_constraints:
            first=r"0|[1-9][0-9]{0,9}",
            last=r"0|[1-9][0-9]{0,9}",
        threads: 1
        resources:
            mem_mb=16000,
            runtime=480,
        params:
            configs=pack_json,
            data=subpath(input.sets, parent=True),
            state="results/.state/{scale}/{variant}",
        message:
            "train {wildcards.variant} seeds {wildcards.first} to {wildcards.last}, log: {log}"
        shell:
            "exec {PY} -m ired train"
            " {params.configs}"
            " --receipt {output.receipt:q}"
            " --data {params.data:q}"
            " --state {params.state:q}"
            " --threads {threads}"
            " ${{SLURM_JOB_ID:+--max-minutes {resources.runtime}}}"
            " > {log:q} 2>&1"
