# Needs: tables. Makes: results/{where}/figures/{experiment}/{figure}.pdf, .png and .svg, where {where} is a scale or `shipped/` and a scale (tables
# cached in the repository are drawn by the same rules), and results/{scale}/report.html.

PUBLISHED = "results/published/published_results.csv"


# A rule for each list of figures: one process draws all of an experiment, since starting one takes longer than drawing. Asked for a single
# figure by its path, Snakemake draws those beside it too, and each is still declared. Experiments with the same list share a rule, because a
# plan compares every path with every declared pattern.
SHARED_LISTS = {}
for experiment in filter(STUDY.experiments.figures, STUDY.study.experiments):
    SHARED_LISTS.setdefault(tuple(STUDY.experiments.figures(experiment)), []).append(experiment)

for names, experiments in SHARED_LISTS.items():

    rule:
        """The figures of one experiment from its tables. Computes nothing, needs no torch."""
        name:
            f"draw_{experiments[0]}"
        input:
            tables=[f"results/{{where}}/tables/{{experiment}}/{name}.csv" for name in TABLES],
            published=PUBLISHED,
        output:
            pdf=[f"{FIGURES_OF}/{name}.pdf" for name in names],
            svg=[f"{FIGURES_OF}/{name}.svg" for name in names],
            png=[
                report(
                    f"{FIGURES_OF}/{name}.png",
                    caption="../report/figure.rst",
                    category="{experiment}",
                    labels={"figure": name.replace("_", " "), "results": "{where}"},
                )
                for name in names
            ],
        log:
            "results/{where}/logs/draw/{experiment}.log",
        wildcard_constraints:
            experiment="|".join(map(re.escape, experiments)),
        # Seconds of work: `figures` on a cluster's login node submits nothing, and needs no cluster that answers.
        localrule: True
        # Two processes on one thread: of two jobs at a time one draws while the other starts.
        threads: 1
        params:
            figures=" ".join(names),
            tables="results/{where}/tables/{experiment}",
            out=FIGURES_OF,
            # Shipped tables are of the configuration that they were made with.
            expected=lambda w: (
                []
                if w.where.startswith("shipped/")
                else ["--expected", json.dumps(STUDY.experiments.marks(w.where, w.experiment))]
            ),
        message:
            "figures of {wildcards.experiment} ({wildcards.where}), log: {log}"
        shell:
            "exec {PY} -m ired figure {params.figures}"
            " --tables {params.tables:q}"
            " --published {input.published:q}"
            " --out {params.out:q}"
            " --processes 2"
            " {params.expected:q}"
            " > {log:q} 2>&1"


rule report_page:
    """The scale's page: the answer first, then figures, tables, configuration and provenance."""
    input:
        figures=lambda w: [path for e in STUDY.scale(w.scale).experiments for path in figure_paths(w.scale, e, "svg")],
        tables=lambda w: [
            f"results/{w.scale}/tables/{e}/{name}.csv" for e in STUDY.scale(w.scale).experiments for name in TABLES
        ],
        published=PUBLISHED,
        workflow="docs/workflow.svg",
    output:
        "results/{scale}/report.html",
    log:
        "results/{scale}/logs/report.log",
    localrule: True
    params:
        experiments=lambda w: json.dumps({e: STUDY.experiments.figures(e) for e in STUDY.scale(w.scale).experiments}),
        questions=lambda w: json.dumps({e: STUDY.study.experiments[e].title for e in STUDY.scale(w.scale).experiments}),
        settings=lambda w: json.dumps(STUDY.shown(w.scale)),
        expected=lambda w: json.dumps(
            {e: STUDY.experiments.marks(w.scale, e) for e in STUDY.scale(w.scale).experiments}
        ),
        tables="results/{scale}/tables",
        figures="results/{scale}/figures",
    message:
        "report ({wildcards.scale}), log: {log}"
    shell:
        "exec {PY} -m ired report"
        " --scale {wildcards.scale}"
        " --experiments {params.experiments:q}"
        " --questions {params.questions:q}"
        " --settings {params.settings:q}"
        " --expected {params.expected:q}"
        " --tables {params.tables:q}"
        " --figures {params.figures:q}"
        " --published {input.published:q}"
        " --workflow {input.workflow:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
