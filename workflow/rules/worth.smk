# Needs: config.yaml's `worth` of a scale. Makes: results/{scale}/tables/worth/: trials and what they chose (tuning.csv), then the judged runs,
# whose learning rates come from there.

WORTH_TABLES = "results/{scale}/tables/worth"
WORTH_FIGURES = [name for name in FIGURES if name.startswith("worth_")]


def trial_metrics(wildcards):
    """Every trial of a scale."""
    runs = STUDY.worth.runs(wildcards.scale, trial=True)
    return [f"{RUN}/metrics.json".format(scale=wildcards.scale, variant=v, seed=s) for v, s in runs]


def judged_metrics(wildcards):
    """Every judged run of a scale; known in full once tuning has chosen."""
    checkpoints.tune.get(scale=wildcards.scale)
    runs = STUDY.worth.runs(wildcards.scale, trial=False)
    return [f"{RUN}/metrics.json".format(scale=wildcards.scale, variant=v, seed=s) for v, s in runs]


def judged_cells(wildcards):
    """What `ired worth` is told; nothing until tuning has chosen, when this is asked again."""
    if not STUDY.worth.tuned(wildcards.scale):
        return ""
    return json.dumps(STUDY.worth.specification(wildcards.scale, trial=False))


checkpoint tune:
    """Each arm's learning rate and weight at each tuned budget, chosen on tuning seeds by equally many trials."""
    input:
        runs=trial_metrics,
    output:
        tuning=f"{WORTH_TABLES}/tuning.csv",
        equal_rates=f"{WORTH_TABLES}/equal_rates.csv",
    log:
        "results/{scale}/logs/worth/tune.log",
    params:
        cells=lambda w: json.dumps(STUDY.worth.specification(w.scale, trial=True)),
        runs="results/{scale}/runs",
    message:
        "choose learning rates ({wildcards.scale}), log: {log}"
    shell:
        "exec {PY} -m ired tune --cells {params.cells:q} --runs {params.runs:q} --out {output.tuning:q} > {log:q} 2>&1"


rule worth_tables:
    """How much compute each arm saves."""
    input:
        runs=judged_metrics,
        reference=ancient("results/{scale}/tables/reference.csv"),
    output:
        **{name: f"{WORTH_TABLES}/{name}.csv" for name in WORTH if name not in ("tuning", "equal_rates")},
        reference=f"{WORTH_TABLES}/reference.csv",
        provenance=f"{WORTH_TABLES}/provenance.json",
    log:
        "results/{scale}/logs/worth/tables.log",
    params:
        cells=judged_cells,
        runs="results/{scale}/runs",
        tables=WORTH_TABLES,
    message:
        "tables of worth ({wildcards.scale}), log: {log}"
    shell:
        "exec {PY} -m ired worth"
        " --cells {params.cells:q}"
        " --runs {params.runs:q}"
        " --reference-csv {input.reference:q}"
        " --out {params.tables:q}"
        " > {log:q} 2>&1"


def worth_figures(where, kind="png"):
    """The pictures of a study of worth."""
    return [f"results/{where}/figures/worth/{name}.{kind}" for name in WORTH_FIGURES]


rule draw_worth:
    """The figures of what negatives are worth, from its tables. Computes nothing, needs no torch."""
    input:
        tables=[f"results/{{where}}/tables/worth/{name}.csv" for name in [*WORTH, "reference"]],
    output:
        pdf=worth_figures("{where}", "pdf"),
        svg=worth_figures("{where}", "svg"),
        png=report(
            worth_figures("{where}"), caption="../report/figure.rst", category="worth", labels={"results": "{where}"}
        ),
    log:
        "results/{where}/logs/draw/worth.log",
    localrule: True
    threads: 1  # two processes, as rules of figures have
    params:
        figures=" ".join(WORTH_FIGURES),
        tables="results/{where}/tables/worth",
        out="results/{where}/figures/worth",
    message:
        "figures of worth ({wildcards.where}), log: {log}"
    shell:
        "exec {PY} -m ired figure {params.figures}"
        " --tables {params.tables:q}"
        " --published results/published/published_results.csv"
        " --out {params.out:q}"
        " --processes 2"
        " > {log:q} 2>&1"


# `snakemake worth`: of the scale that config.yaml names if it has such a study, else of `worth_scale`.
WORTH_SCALE = SCALE if STUDY.study.scales[SCALE].worth else STUDY.study.worth_scale


if WORTH_SCALE:

    rule worth:
        """What a negative is worth, with its figures."""
        input:
            worth_figures(WORTH_SCALE),
        localrule: True
