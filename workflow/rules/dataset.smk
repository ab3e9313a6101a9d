# Needs: nothing. Makes: the four held-out sets of a scale, results/{scale}/data/*.npz, with their sidecars; and tables/reference.csv, the
# lines of every plot.


rule dataset:
    """The held-out sets of matrices and their inverses, shared by all runs of a scale."""
    output:
        **{split: f"{DATA}/{split}.npz" for split in SPLITS},
        **{f"{split}_sidecar": f"{DATA}/{split}.json" for split in SPLITS},
    log:
        "results/{scale}/logs/dataset.log",
    params:
        config=ensemble_json,
        data=subpath(output.fit, parent=True),
    message:
        "held-out sets ({wildcards.scale}), log: {log}"
    shell:
        "exec {PY} -m ired dataset" " --config {params.config:q}" " --out {params.data:q}" " > {log:q} 2>&1"


rule reference:
    """Closed-form predictors fitted and tested on the very sets of the runs."""
    input:
        fit=f"{DATA}/fit.npz",
        test_id=f"{DATA}/test_id.npz",
        test_ood=f"{DATA}/test_ood.npz",
    output:
        table="results/{scale}/tables/reference.csv",
        errors=f"{DATA}/reference_errors.npz",
    log:
        "results/{scale}/logs/reference.log",
    params:
        config=ensemble_json,
        data=subpath(input.fit, parent=True),
    message:
        "reference predictors ({wildcards.scale}), log: {log}"
    shell:
        "exec {PY} -m ired reference"
        " --config {params.config:q}"
        " --data {params.data:q}"
        " --out {output.table:q}"
        " --errors {output.errors:q}"
        " > {log:q} 2>&1"
