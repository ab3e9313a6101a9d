# Needs: shipped tables of trained networks, and the published values. Makes: results/published_table/, the whole of IRED's Table 1 beside
# reference predictors, which are fitted and tested anew, and beside networks that were tested on the same sets.

# What a part is called -> the scale and the experiment whose networks stand there.
PROBLEMS = {
    "inversion": ("laptop", "strategies"),
    "completion": ("completion", "recipes"),
    "completion that can be solved": ("completion_solvable", "recipes"),
    "addition": ("addition", "recipes"),
}
REFERENCES = {name: f"results/{scale}/tables/reference.csv" for name, (scale, _) in PROBLEMS.items()}
NETWORKS = {name: f"results/shipped/{scale}/tables/{experiment}" for name, (scale, experiment) in PROBLEMS.items()}


rule published_table:
    """IRED's Table 1 beside reference predictors and our networks: table, page and figure."""
    input:
        references=list(REFERENCES.values()),
        networks=[f"{folder}/{table}.csv" for folder in NETWORKS.values() for table in ("runs", "summary")],
        published=PUBLISHED,
    output:
        **{kind: f"results/published_table/published_table.{kind}" for kind in ("csv", "md", "pdf", "png")},
    log:
        "results/published_table/published_table.log",
    localrule: True
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        problems=[f"--problem={name}={REFERENCES[name]},{NETWORKS[name]}" for name in PROBLEMS],
        out=subpath(output.csv, parent=True),
    shell:
        "exec {PY} -m ired published-table"
        " {params.problems:q}"
        " --published {input.published:q}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"
