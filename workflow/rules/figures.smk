# Needs: tables. Makes: results/{where}/figures/{experiment}/{figure}.pdf and .png, and results/{where}/report.html, where {where} is a scale or
# `shipped/` and a scale: tables cached in the repository are drawn by the same rules.

PUBLISHED = "results/published/published_results.csv"


rule figure:
    """One figure from one experiment's tables. Computes nothing, needs no torch."""
    input:
        tables=[f"results/{{where}}/tables/{{experiment}}/{name}.csv" for name in TABLES],
        reference="results/{where}/tables/reference.csv",
        published=PUBLISHED,
    output:
        pdf="results/{where}/figures/{experiment}/{figure}.pdf",
        png=report(
            "results/{where}/figures/{experiment}/{figure}.png",
            caption="../report/figure.rst",
            category="{experiment}",
            labels={"figure": "{figure}", "results": "{where}"},
        ),
    log:
        "results/{where}/logs/figure/{experiment}/{figure}.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        tables=lambda wildcards, input: os.path.dirname(input.tables[0]),
        out=subpath(output.png, parent=True),
        caption=lambda wildcards: " ".join(FIGURES[wildcards.figure].caption.split()),
    shell:
        "exec {PY} -m ired figure {wildcards.figure}"
        " --tables {params.tables:q}"
        " --reference-csv {input.reference:q}"
        " --published {input.published:q}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"


rule report_page:
    """The scale's page: the answer first, then figures, tables, configuration and provenance."""
    input:
        figures=lambda w: [path for e in STUDY.scale(w.scale).experiments for path in figure_paths(w.scale, e)],
        tables=lambda w: [
            f"results/{w.scale}/tables/{e}/{name}.csv" for e in STUDY.scale(w.scale).experiments for name in TABLES
        ],
        reference="results/{scale}/tables/reference.csv",
        published=PUBLISHED,
        workflow="docs/workflow.svg",
    output:
        "results/{scale}/report.html",
    log:
        "results/{scale}/logs/report.log",
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        experiments=lambda w: json.dumps(
            {e: STUDY.study.experiments[e].figures for e in STUDY.scale(w.scale).experiments}
        ),
        settings=lambda w: json.dumps(STUDY.shown(w.scale)),
        tables=subpath(input.reference, parent=True),
        figures="results/{scale}/figures",
    shell:
        "exec {PY} -m ired report"
        " --scale {wildcards.scale}"
        " --experiments {params.experiments:q}"
        " --settings {params.settings:q}"
        " --tables {params.tables:q}"
        " --figures {params.figures:q}"
        " --published {input.published:q}"
        " --workflow {input.workflow:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
