# Needs: one finished run and the held-out sets. Makes: a small table for each diagnostic beside the run.


rule diagnose:
    """Conditioning, energy profile, directions and sizes of the errors of one trained run."""
    input:
        metrics=f"{RUN}/metrics.json",  # written last of a run's files, so the others are there
        sets=SETS,
    output:
        **{name: f"{RUN}/{name}.csv" for name in DIAGNOSTICS},
    log:
        "results/{scale}/logs/diagnose/{variant}/seed{seed}.log",
    benchmark:
        "results/{scale}/benchmarks/diagnose/{variant}/seed{seed}.tsv"
    threads: 1
    params:
        run_dir=subpath(input.metrics, parent=True),
        data=DATA,
        matrices=lambda wildcards: STUDY.scale(wildcards.scale).diagnostic_matrices,
    message:
        "diagnose {wildcards.variant} seed {wildcards.seed}, log: {log}"
    shell:
        "exec {PY} -m ired diagnose"
        " --run-dir {params.run_dir:q}"
        " --data {params.data:q}"
        " --matrices {params.matrices}"
        " --threads {threads}"
        " > {log:q} 2>&1"
