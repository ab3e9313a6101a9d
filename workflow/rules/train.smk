# Needs: the held-out sets. Makes: results/{scale}/runs/{variant}/seed{seed}/, and keeps checkpoints in results/.state/, which no rule declares,
# because Snakemake deletes declared outputs before every attempt. Nothing here is about one site: that is profiles/slurm/.
from ired.cluster.drift import plan

# What is planned goes into the environment; SLURM carries it to the jobs, which refuse a checkout that has changed since.
try:
    plan(config)
except UserError as error:
    raise WorkflowError(str(error)) from None


rule train:
    """One model: trained, tested, published. The only rule that wants an accelerator."""
    input:
        **held_out_sets("validation", "test_id", "test_ood"),
    output:
        config=f"{RUN}/config.json",
        history=f"{RUN}/history.csv",
        model=f"{RUN}/model.safetensors",
        snapshots=f"{RUN}/snapshots.safetensors",
        provenance=f"{RUN}/provenance.json",
        metrics=f"{RUN}/metrics.json",
    log:
        "results/{scale}/logs/train/{variant}/seed{seed}.log",
    benchmark:
        "results/{scale}/benchmarks/train/{variant}/seed{seed}.tsv"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        config=run_json,
        data=subpath(input.validation, parent=True),
        run_dir=subpath(output.metrics, parent=True),
        state="results/.state/{scale}/{variant}",
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
