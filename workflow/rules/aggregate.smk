# Needs: every run of an experiment with its diagnostics, and the reference predictors. Makes: results/{scale}/tables/{experiment}/,
# from which everything else is drawn (docs/tables.md has every column).

TABLES = [
    "runs",
    "summary",
    "contrasts",
    "learning_curves",
    "conditioning",
    "energy_profile",
    "error_directions",
    "budget",
]


def experiment_files(*names):
    """Those files of every run of an experiment."""

    def paths(wildcards):
        runs = STUDY.runs(wildcards.scale, wildcards.experiment)
        return [
            f"results/{wildcards.scale}/runs/{variant}/seed{seed}/{name}" for variant, seed in runs for name in names
        ]

    return paths


rule aggregate:
    """Many runs into tables. Refuses runs of another protocol or configuration, and says which."""
    input:
        runs=experiment_files("config.json", "metrics.json", "history.csv", "provenance.json"),
        diagnostics=experiment_files("conditioning.csv", "energy_profile.csv", "error_directions.csv"),
        reference="results/{scale}/tables/reference.csv",
    output:
        **{name: f"results/{{scale}}/tables/{{experiment}}/{name}.csv" for name in TABLES},
        provenance="results/{scale}/tables/{experiment}/provenance.json",
    params:
        experiment=lambda w: json.dumps(STUDY.specification(w.scale, w.experiment)),
        runs="results/{scale}/runs",
        tables=subpath(output.runs, parent=True),
    log:
        "results/{scale}/logs/aggregate/{experiment}.log",
    resources:
        mem_mb=8000,
        runtime=60,
    shell:
        "exec {PY} -m ired aggregate"
        " --experiment {params.experiment:q}"
        " --runs {params.runs:q}"
        " --reference-csv {input.reference:q}"
        " --out {params.tables:q}"
        " > {log:q} 2>&1"
