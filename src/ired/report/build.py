"""Gather what the pipeline wrote for one scale and render the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ired.base.files import read_json
from ired.figures import caption, figure, title
from ired.figures.toolkit.output import read_tables
from ired.figures.toolkit.sheet import NOTHING
from ired.record.schema import PUBLISHED, TABLES
from ired.report import tables as shown
from ired.report.charts import chart
from ired.report.render import Picture, Section, Table, render
from ired.sentences import live_sentence

RANKED = "Click a heading to sort."
FINGERPRINT = "The hash of everything that decides a run's numbers."
COMPARED = """These settings are those of the runs: when this page was made, the fingerprint of every run behind its
    tables was compared with that of these settings, and agreed."""
NOT_COMPARED = """These are the settings of the configuration when this page was made. The fingerprints of the runs were
    not compared with them."""
NOTES = {
    "contrasts": """Difference: treatment minus baseline, so negative is better. The verdict rests on p, Holm
        (paired t-test) and p, TOST (equivalence within the margin), both adjusted for everything that this page
        tests; the other p-values are not, and stand beside. r of pairs: how alike the
        seeds of both are, which is what pairing gains. P(improvement): the chance that a seed of
        the treatment has a lower error than a seed of the baseline. Detectable: the smallest true difference
        that a single test of this number of pairs finds with 80 % power.""",
    "summary": """Minus line: distance of the mean to the error of the predictor to beat; below zero is
        better than that line. Evaluation variance: what the finite test set alone does to one seed's
        mean; seed variance: what is left between seeds.""",
}


def build(
    tables_dir: Path,
    figures_dir: Path,
    out: Path,
    scale: str,
    experiments: Mapping[str, Sequence[str]],
    headline: Sequence[str],
    config: Mapping[str, Any],
    published: Path | None = None,
    workflow_svg: str | None = None,
    questions: Mapping[str, str] | None = None,
    compared: bool = False,
) -> Path:
    """Write the page of one scale to `out`.

    `tables_dir` holds a folder per experiment, `figures_dir` a folder of SVGs per experiment;
    `experiments` maps each experiment to the names of its figures, in the order of the page, and
    `questions` to what it asks. `compared`: whether the tables were found to be of runs of `config`.

    Raises:
        UserError: a table or a figure is missing or broken; the message names the path.
    """
    sections = [
        experiment_section(
            name, tables_dir / name, figures_dir / name, figures, published, (questions or {}).get(name, "")
        )
        for name, figures in experiments.items()
    ]
    # What the page opened with is not said again below its first heading.
    opened = " ".join(headline)
    sections[0] = replace(
        sections[0], sentences=[s for s in sections[0].sentences if s.removesuffix(".") not in opened]
    )
    reference = TABLES["reference"].read(tables_dir / next(iter(experiments)) / "reference.csv")
    ladder = shown.table("Closed-form predictors on the test sets", reference, shown.REFERENCE, RANKED)
    sections.append(Section("What a line through the data gives", tables=[ladder]))
    found = {name: tables_dir / name / "provenance.json" for name in experiments}
    provenance = shared_provenance({name: read_json(path) for name, path in found.items() if path.exists()})
    runs = pd.concat(TABLES["runs"].read(tables_dir / name / "runs.csv") for name in experiments)
    table = shown.table("Fingerprints of the runs", runs, shown.FINGERPRINTS, f"{FINGERPRINT} {RANKED}")
    note = COMPARED if compared else NOT_COMPARED
    return render(out, scale, sections, headline, config, provenance, workflow_svg, table, note)


def shared_provenance(by_experiment: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What all experiments agree on once, the rest under the experiment's name."""
    if len(by_experiment) < 2:
        return {key: value for facts in by_experiment.values() for key, value in facts.items()}
    first, *others = by_experiment.values()
    shared = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    own = {
        name: {key: value for key, value in facts.items() if key not in shared}
        for name, facts in by_experiment.items()
    }
    return {**shared, **{name: facts for name, facts in own.items() if facts}}


def experiment_section(
    experiment: str,
    folder: Path,
    pictures: Path,
    figures: Sequence[str],
    published: Path | None = None,
    question: str = "",
) -> Section:
    """One experiment: the sentences of its contrasts, its figures, its tables.

    Raises:
        UserError: a table or a figure is missing or broken, or a figure's name is unknown.
    """
    wanted = {"runs", "summary", "contrasts", "budget", "effects", "nominations", "energy_profile"}
    wanted |= {table for name in figures for table in (*figure(name).tables, *figure(name).says)}
    tables = read_tables(sorted(wanted), folder, published)
    absent = [name for name in figures if says_nothing(pictures / f"{name}.svg")]
    return Section(
        title=experiment.replace("_", " "),
        sentences=[
            *sentences(tables["contrasts"]),
            *filter(None, [live_sentence(tables["energy_profile"])]),
            *tables["effects"].query("metric == 'mse_id'")["sentence"].tolist(),
            *tables["nominations"]["sentence"].tolist(),
        ],
        pictures=[picture(name, pictures, folder, tables) for name in figures if name not in absent],
        tables=experiment_tables(tables),
        question=question,
        absent=[figure(name).title for name in absent],
    )


def sentences(contrasts: pd.DataFrame, most: int = 6) -> list[str]:
    """What the contrasts of the in-distribution error say, the primary one first; the table has all."""
    if contrasts.empty or "sentence" not in contrasts:
        return []
    rows = contrasts[contrasts["metric"] == contrasts["metric"].iloc[0]].dropna(subset=["sentence"])
    rows = rows.sort_values("primary", ascending=False, kind="stable")
    return [str(sentence) for sentence in rows["sentence"].head(most)]


def says_nothing(path: Path) -> bool:
    """Whether the figure of that file had no rows to draw."""
    return path.exists() and f'id="{NOTHING}"' in path.read_text(encoding="utf-8")


def picture(name: str, pictures: Path, folder: Path, tables: Mapping[str, pd.DataFrame]) -> Picture:
    """A figure with its caption, its files and its chart; its alternative text is the title and the caption's first
    sentence. `folder`: of the tables."""
    spec, words = figure(name), caption(name, tables)
    own = [folder / f"{table}.csv" for table in spec.tables if table != PUBLISHED.name]
    files = [("PDF", pictures / f"{name}.pdf"), *((path.name, path) for path in own)]
    said = title(name, tables)
    alt = f"{spec.title}. {words.split('. ')[0]}."
    return Picture(name, said, pictures / f"{name}.svg", words, alt, files, chart(name, tables))


def experiment_tables(tables: Mapping[str, pd.DataFrame]) -> list[Table]:
    """The tables that a reader may want to sort; those by noise level stay in their files."""
    kinds = (
        ("summary", "Variants", shown.SUMMARY),
        ("contrasts", "Paired contrasts", shown.CONTRASTS),
        ("budget", "Equal compute and equal steps", shown.BUDGET),
        ("runs", "Runs", shown.RUNS),
    )
    return [
        shown.table(title, tables[name], columns, " ".join(f"{NOTES.get(name, '')} {RANKED}".split()))
        for name, title, columns in kinds
        if name in tables and len(tables[name])
    ]
