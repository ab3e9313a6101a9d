# Needs: config.yaml's `worth` of a scale. Makes: results/{scale}/tables/worth/: trials and what they chose (tuning.csv), then the judged runs,
# whose learning rates come from there.

WORTH_TABLES = "results/{scale}/tables/worth"


def trial_metrics(wildcards):
    """Every trial of a scale."""
    runs = STUDY.cell_runs(wildcards.scale, trial=True)
    return [f"{RUN}/metrics.json".format(scale=wildcards.scale, variant=v, seed=s) for v, s in runs]


def judged_metrics(wildcards):
    """Every judged run of a scale; known in full once tuning has chosen."""
    checkpoints.tune.get(scale=wildcards.scale)
    runs = STUDY.cell_runs(wildcards.scale, trial=False)
    return [f"{RUN}/metrics.json".format(scale=wildcards.scale, variant=v, seed=s) for v, s in runs]


def judged_cells(wildcards):
    """What `ired worth` is told; nothing until tuning has chosen, when this is asked again."""
    if not STUDY.tuned(wildcards.scale):
        return ""
    return json.dumps(STUDY.worth_specification(wildcards.scale, trial=False))


checkpoint tune:
    """Each arm's learning rate and weight at each tuned budget, chosen on tuning seeds by equally many trials."""
    input:
        runs=trial_metrics,
    output:
        f"{WORTH_TABLES}/tuning.csv",
    log:
        "results/{scale}/logs/worth/tune.log",
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        cells=lambda w: json.dumps(STUDY.worth_specification(w.scale, trial=True)),
        runs="results/{scale}/runs",
    shell:
        "exec {PY} -m ired tune --cells {params.cells:q} --runs {params.runs:q} --out {output:q} > {log:q} 2>&1"


rule worth_tables:
    """How much compute each arm saves."""
    input:
        runs=judged_metrics,
        reference=ancient("results/{scale}/tables/reference.csv"),
    output:
        **{name: f"{WORTH_TABLES}/{name}.csv" for name in WORTH if name != "tuning"},
        reference=f"{WORTH_TABLES}/reference.csv",
        provenance=f"{WORTH_TABLES}/provenance.json",
    log:
        "results/{scale}/logs/worth/tables.log",
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        cells=judged_cells,
        runs="results/{scale}/runs",
        tables=WORTH_TABLES,
    shell:
        "exec {PY} -m ired worth"
        " --cells {params.cells:q}"
        " --runs {params.runs:q}"
        " --reference-csv {input.reference:q}"
        " --out {params.tables:q}"
        " > {log:q} 2>&1"
