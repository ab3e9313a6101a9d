# Needs: every run of an experiment, with its diagnostics where it has any, and the reference predictors. Makes: results/{scale}/tables/{experiment}/,
# from which everything else is drawn (docs/tables.md has every column).


def last_files(wildcards):
    """The files that `train` and `diagnose` write last of every run: two for all, since 5,000 runs of seventeen files are slow
    to plan. Without the first, a run whose metrics.json was deleted after its diagnosis would never be asked for again.
    """
    runs = STUDY.experiments.runs(wildcards.scale, wildcards.experiment)
    diagnosed = STUDY.study.experiments[wildcards.experiment].diagnoses
    names = ["metrics.json", *(["error_sizes.csv"] if diagnosed else [])]
    return [f"{RUN}/{name}".format(scale=wildcards.scale, variant=v, seed=s) for v, s in runs for name in names]


rule aggregate:
    """Many runs into tables. Refuses runs of another protocol or configuration, and says which."""
    input:
        runs=last_files,
        # Its age says nothing (a checkout makes files in any order), and what changes it changes every run.
        reference=ancient("results/{scale}/tables/reference.csv"),
        errors=ancient(f"{DATA}/reference_errors.npz"),
    output:
        **{name: f"results/{{scale}}/tables/{{experiment}}/{name}.csv" for name in TABLES},
        provenance="results/{scale}/tables/{experiment}/provenance.json",
    log:
        "results/{scale}/logs/aggregate/{experiment}.log",
    params:
        experiment=lambda w: json.dumps(STUDY.experiments.specification(w.scale, w.experiment)),
        runs="results/{scale}/runs",
        tables=subpath(output.runs, parent=True),
    message:
        "tables of {wildcards.experiment} ({wildcards.scale}), log: {log}"
    shell:
        "exec {PY} -m ired aggregate"
        " --experiment {params.experiment:q}"
        " --runs {params.runs:q}"
        " --reference-csv {input.reference:q}"
        " --reference-errors {input.errors:q}"
        " --out {params.tables:q}"
        " > {log:q} 2>&1"
