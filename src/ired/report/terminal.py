"""An experiment's answer on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ired.base.errors import UserError
from ired.base.format_numbers import with_interval
from ired.base.settings import nearest
from ired.base.yaml_file import read_yaml
from ired.record.metrics import TEST_METRICS
from ired.record.schema import TABLES, WORTH
from ired.report.paper import FORMATS, note, rows_of
from ired.sentences import equal_rates_sentence, headline, live_sentence, worth_headline
from ired.sentences.worth import worth


def opening(tables: Path, experiment: str) -> list[str]:
    """The sentences that a report opens with, the plain answer first."""
    names = ("summary", "contrasts", "reference", "budget", "against_line", "runs")
    return headline(*(TABLES[name].read(tables / experiment / f"{name}.csv") for name in names))


def interval(row: pd.Series) -> str:
    """mean [low, high], or the mean alone for a single seed."""
    mean, low, high = with_interval(row["mean"], row["ci_low"], row["ci_high"])
    return mean if pd.isna(row["ci_low"]) else f"{mean} [{low}, {high}]"


def result_table(summary: pd.DataFrame, reference: pd.DataFrame) -> Table:
    """Variants by row with their intervals, and the line to beat below."""
    table = Table(title="Mean over n seeds with 95 % t-interval; lower is better", title_justify="left")
    for column in ("variant", "n", *(f"test MSE ({split})" for split in TEST_METRICS.values())):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, rows in summary.groupby("variant", sort=False):
        by_metric = rows.set_index("metric")
        first = rows.iloc[0]
        seeds = f"{first['n']:.0f}" + (
            f" ({first['n_diverged']:.0f} diverged)" if first["n_diverged"] else ""
        )
        table.add_row(
            str(variant), seeds, *(interval(by_metric.loc[[metric]].iloc[0]) for metric in TEST_METRICS)
        )
    line = reference[reference["line"].astype(bool)].set_index("split")
    table.add_section()
    table.add_row(
        f"{line['label'].iloc[0]} line", "", *(f"{line['mse'][s]:#.4g}" for s in TEST_METRICS.values())
    )
    return table


def configured(path: Path = Path("config.yaml")) -> dict[str, Any]:
    """config.yaml as it stands: only its names are wanted, and checking all of it takes ten times as long.

    Raises:
        UserError: the file is missing, names no scale, or does not have this one.
    """
    try:
        found = read_yaml(path)
        return {"scales": {}, "experiments": {}} | found | {"scale": str(found["scale"])}
    except (KeyError, TypeError):
        raise UserError(f"{path} names no `scale`") from None


def known_scales(study: dict[str, Any], results: Path) -> list[str]:
    """The scales of config.yaml, and the shipped ones with their folder."""
    return [*study["scales"], *(f"shipped/{path.name}" for path in sorted(results.glob("shipped/*")))]


def first_experiment(study: dict[str, Any], scale: str, results: Path) -> str:
    """The experiment that a scale's report leads with.

    Raises:
        UserError: nothing has that name, with the nearest one.
    """
    known = known_scales(study, results)
    if scale not in known:
        raise UserError(f"unknown scale {scale!r}; valid: {', '.join(known)}.{nearest(scale, known)}")
    return str(study["scales"][scale.removeprefix("shipped/")]["experiments"][0])


def made_folder(results: Path, scale: str, experiment: str, study: dict[str, Any]) -> Path:
    """Where a scale's results lie, those of this checkout or shipped ones (`shipped/laptop`).

    Raises:
        UserError: nothing has that name, with the nearest one; or the experiment has no tables there yet, with what
            makes them.
    """
    first_experiment(study, scale, results)  # refuses a scale that there is not
    made = [path.parent.name for path in sorted((results / scale).glob("tables/*/summary.csv"))]
    names = list(dict.fromkeys([*study["experiments"], *made]))
    if experiment not in names:
        raise UserError(
            f"unknown experiment {experiment!r}; valid: {', '.join(names)}.{nearest(experiment, names)}"
        )
    if experiment in made:
        return results / scale
    shipped = results / "shipped" / scale / "tables" / experiment
    else_where = f"; shipped ones: --scale shipped/{scale}" if shipped.is_dir() else ""
    raise UserError(
        f"{experiment} has no tables at scale {scale} yet; make them: snakemake --profile profiles/local"
        f" {experiment} --config scale={scale}{else_where}"
    )


def read_tables(
    scale: str, experiment: str = "strategies", results: str | Path = "results"
) -> dict[str, pd.DataFrame]:
    """Every table of an experiment by name (docs/tables.md): `ired.read_tables("shipped/laptop")["summary"]`.

    Args:
        scale: a scale, or `shipped/` and a scale. results: the folder of all results.

    Raises:
        UserError: a table is missing, cut off, or of another version.
    """
    folder = Path(results) / scale / "tables" / experiment
    return {name: table.read(folder / f"{name}.csv") for name, table in TABLES.items()}


def paper_table(tables: Path, form: str) -> str:
    """An experiment's summary for a paper: `form` latex, markdown or csv.

    Raises:
        UserError: the form is none of these, or a table is missing.
    """
    if form not in FORMATS:
        raise UserError(f"unknown format {form!r}; valid: {', '.join(FORMATS)}.{nearest(form, FORMATS)}")
    names = ("summary", "contrasts", "reference")
    summary, contrasts, reference = (TABLES[n].read(tables / f"{n}.csv") for n in names)
    return FORMATS[form](*rows_of(summary, contrasts, reference), note(summary, contrasts))


def show(results: Path, experiment: str) -> None:
    """Print the answer, the table and the paths of report and figures.

    Raises:
        UserError: a table is missing.
    """
    tables = results / "tables"
    console = Console(soft_wrap=True, highlight=False)
    console.print()
    answer, *sentences = opening(tables, experiment)
    console.print(f"[bold]{escape(answer)}[/bold]")
    own = [TABLES[name].read(tables / experiment / f"{name}.csv") for name in ("summary", "reference")]
    console.print(result_table(*own))
    live = live_sentence(TABLES["energy_profile"].read(tables / experiment / "energy_profile.csv"))
    for sentence in [*sentences, *([live] if live else [])]:
        console.print(f"  {sentence}")
    console.print()
    report, figures = results / "report.html", results / "figures" / experiment
    if report.exists():
        console.print(f"  report   {report}")
    if figures.exists():
        console.print(
            f"  figures  {figures}/  ({len(list(figures.glob('*.pdf')))} of them, PDF, PNG and SVG)"
        )
    console.print(f"  tables   {tables / experiment}/")


def show_worth(tables: Path) -> None:
    """Print what a negative is worth, and one row an arm.

    Raises:
        UserError: the study of worth has not been made here.
    """
    multipliers = WORTH["multipliers"].read(tables / "multipliers.csv")
    rows = multipliers[(multipliers["compute"] == "madds") & (multipliers["metric"] == "mse_id")]
    table = Table(title="Compute multiplier m: below 1 wastes compute, above 1 saves", title_justify="left")
    for column in ("arm", "shared by all budgets", "at the largest budget", "verdict"):
        table.add_column(column)
    for arm, group in rows.groupby("arm", sort=False):
        shared = group[group["reading"] == "all"].iloc[0]
        largest = group[group["reading"] == "at"].sort_values("steps").iloc[-1]
        table.add_row(str(arm), worth(shared), worth(largest), str(shared["verdict"]))
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    at_equal_rates = equal_rates_sentence(WORTH["equal_rates"].read(tables / "equal_rates.csv"))
    for sentence in [*worth_headline(multipliers), at_equal_rates]:
        console.print(f"  {sentence}")
    console.print(f"\n  tables   {tables}/")
