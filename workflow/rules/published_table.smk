# Needs: shipped tables of trained networks, and the published values. Makes: results/published_table/, the whole of IRED's Table 1 beside
# reference predictors, which are fitted and tested anew, and beside networks that were tested on the same sets.

# What a part is called -> its task, its scale, and the experiment whose shipped networks stand there.
PROBLEMS = {
    "inversion": ("inversion", "laptop", "strategies"),
    "completion": ("completion", "completion", "recipes"),
    "solvable completion": ("completion", "completion_solvable", "recipes"),
    "addition": ("addition", "addition", "recipes"),
}
REFERENCES = [f"results/{scale}/tables/reference.csv" for _, scale, _ in PROBLEMS.values()]
NETWORKS = [f"results/shipped/{scale}/tables/{experiment}" for _, scale, experiment in PROBLEMS.values()]


rule published_table:
    """IRED's Table 1 beside reference predictors and our networks: table, page and figure."""
    input:
        references=REFERENCES,
        networks=[f"{folder}/summary.csv" for folder in NETWORKS],
        published=PUBLISHED,
    output:
        **{kind: f"results/published_table/published_table.{kind}" for kind in ("csv", "md", "pdf", "png")},
    log:
        "results/published_table/published_table.log",
    localrule: True
    params:
        problems=[
            f"--problem={name}={task},{reference},{networks}"
            for (name, (task, _, _)), reference, networks in zip(PROBLEMS.items(), REFERENCES, NETWORKS)
        ],
        out=subpath(output.csv, parent=True),
    message:
        "the published table, log: {log}"
    shell:
        "exec {PY} -m ired published-table"
        " {params.problems:q}"
        " --published {input.published:q}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"
