# Needs: nothing of its own. Makes: names for groups of files.


# A group of files needs no job of a cluster.
localrules:
    all,
    runs,
    diagnostics,
    tables,
    figures,
    experiments,


def of_scale(pattern, diagnosed=False):
    """A pattern with {variant} and {seed}, for every run of the scale's experiments, or of those that are diagnosed."""
    experiments = [
        name for name in STUDY.scale(SCALE).experiments if STUDY.study.experiments[name].diagnoses or not diagnosed
    ]
    wanted = dict.fromkeys(run for experiment in experiments for run in STUDY.experiments.runs(SCALE, experiment))
    return [pattern.format(scale=SCALE, variant=variant, seed=seed) for variant, seed in wanted]


def tables_at_hand():
    """(where, experiment) of every whole set of tables in this checkout: own ones of the scale, and shipped ones."""
    found = []
    for where in [f"results/{SCALE}", *sorted(glob.glob("results/shipped/*"))]:
        for experiment in STUDY.study.experiments:
            tables = [f"{experiment}/{name}.csv" for name in TABLES]
            lacking = [name for name in tables if not os.path.exists(f"{where}/tables/{name}")]
            if not lacking:
                found.append((where.removeprefix("results/"), experiment))
            elif f"{experiment}/runs.csv" not in lacking and workflow.is_main_process:
                logger.warning(f"{where}/tables lacks {', '.join(lacking)}: `figures` leaves {experiment} out there")
    return found


def worth_at_hand():
    """Where this checkout has the tables of a study of worth."""
    places = [f"results/{SCALE}", *sorted(glob.glob("results/shipped/*"))]
    whole = [where for where in places if all(os.path.exists(f"{where}/tables/worth/{name}.csv") for name in WORTH)]
    return [where.removeprefix("results/") for where in whole]


rule runs:
    """Every trained run of the scale's experiments."""
    input:
        of_scale(f"{RUN}/metrics.json"),


rule diagnostics:
    """Diagnostics of the runs of the scale's experiments."""
    input:
        of_scale(f"{RUN}/energy_profile.csv", diagnosed=True),


rule tables:
    """All tables of the scale's experiments."""
    input:
        [f"results/{SCALE}/tables/{experiment}/runs.csv" for experiment in STUDY.scale(SCALE).experiments],


rule figures:
    """Every figure that tables at hand allow; as `make figures` asks for it, with the rules that draw alone, trains nothing."""
    input:
        [path for where, experiment in tables_at_hand() for path in figure_paths(where, experiment)],
        [path for where in worth_at_hand() for path in worth_figures(where)],


rule experiments:
    """Every experiment of config.yaml that the scale's task allows, with its figures."""
    input:
        [path for experiment in STUDY.experiments.at(SCALE) for path in figure_paths(SCALE, experiment)],


# Every experiment by its name: `snakemake opt_steps` makes its tables and figures.
for name in STUDY.study.experiments:

    rule:
        name:
            name
        input:
            figure_paths(SCALE, name),
        localrule: True


def is_made(path):
    """Whether some rule makes a file of this path."""
    return any(rule.is_producer(path) for rule in workflow.rules)


def targets_of(words):
    """The targets among the words of the command line, read by Snakemake's own parser where one may be a mistake: it takes
    a quarter of a second."""
    names = {rule.name for rule in workflow.rules}
    plain = [word for word in words if not word.startswith("-") and "=" not in word and not word.isdigit()]
    doubtful = [word for word in plain if word not in names and not word.startswith("profiles/")]
    return parse_args(words)[1].targets if [word for word in doubtful if not os.path.isfile(word)] else []
