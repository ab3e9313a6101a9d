# Needs: nothing of its own. Makes: names for groups of files; no job of these rules does any work.


localrules:
    all,
    runs,


rule all:
    default_target: True
    input:
        [f"results/{SCALE}/runs/{v}/seed{s}/energy_profile.csv" for v, s in STUDY.runs(SCALE, "strategies")],


rule runs:
    """Every trained run of the scale's experiments."""
    input:
        [
            f"results/{SCALE}/runs/{v}/seed{s}/metrics.json"
            for e in STUDY.scale(SCALE).experiments
            for v, s in STUDY.runs(SCALE, e)
        ],
