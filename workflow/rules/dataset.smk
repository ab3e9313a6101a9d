# Needs: nothing. Makes: results/{scale}/data/{split}.npz with its sidecar, and tables/reference.csv, the lines of every plot.


rule dataset:
    """One held-out set of matrices and their inverses, shared by all runs of a scale."""
    output:
        npz="results/{scale}/data/{split}.npz",
        sidecar="results/{scale}/data/{split}.json",
    log:
        "results/{scale}/logs/dataset/{split}.log",
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        config=ensemble_json,
    shell:
        "exec {PY} -m ired dataset"
        " --config {params.config:q}"
        " --split {wildcards.split}"
        " --out {output.npz:q}"
        " > {log:q} 2>&1"


rule reference:
    """Closed-form predictors fitted and tested on the very sets of the runs."""
    input:
        **held_out_sets("fit", "test_id", "test_ood"),
    output:
        "results/{scale}/tables/reference.csv",
    log:
        "results/{scale}/logs/reference.log",
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        config=ensemble_json,
        data=subpath(input.fit, parent=True),
    shell:
        "exec {PY} -m ired reference"
        " --config {params.config:q}"
        " --data {params.data:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
