"""The measured parts of docs/findings.md and docs/theory.md, from shipped tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ired.base.format_numbers import number, p_cell, with_interval
from ired.record.metrics import LEVEL, SPLITS
from ired.record.schema import RUN_KEYS, WORTH
from ired.record.schema.diagnostics import ENERGY_SHAPE
from ired.sentences.worth import at_largest_budget, equal_rates_sentence, worth, worth_headline

TABLES = ("multipliers", "worth_curves", "tuning", "equal_rates")


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of one study of worth; errors as of `Table.read`."""
    return {name: WORTH[name].read(folder / f"{name}.csv") for name in TABLES}


def worth_section(tables: dict[str, pd.DataFrame], scale: str) -> str:
    """The headline, and one row an arm for each test set: multiplier, error ratio at equal compute, slope, diverged."""
    multipliers, curves = tables["multipliers"], tables["worth_curves"]
    parts = [f"## Scale `{scale}`", "\n".join(worth_headline(multipliers))]
    for split, words in SPLITS.items():
        rows = multipliers[(multipliers["metric"] == f"mse_{split}") & (multipliers["compute"] == "madds")]
        parts.append(f"Test set {words}:\n\n" + _table(rows, curves[curves["metric"] == f"mse_{split}"]))
    parts.append(_equal_rates(tables["equal_rates"]))
    edges = tables["tuning"][tables["tuning"]["at_edge"]]
    names = ", ".join(f"{row.arm} at {row.steps} steps" for row in edges.itertuples()) or "none"
    parts.append(f"Arms whose learning rate was chosen at the edge of its grid: {names}.")
    return "\n\n".join(parts) + "\n"


def _equal_rates(table: pd.DataFrame) -> str:
    """Every arm against the baseline at equal learning rates, whichever tuning chose."""
    head = ("arm", "weight", "steps", "rates", f"error over the baseline's ({LEVEL})", "p (Holm)", "verdict")
    lines = [
        equal_rates_sentence(table)
        + " Validation MSE; each row is over all rates that both tried and finished at:\n",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for row in table.to_dict("records"):
        ratio = "{} [{}, {}]".format(*with_interval(row["error_ratio"], row["ci_low"], row["ci_high"]))
        cells = (
            row["arm"], f"{row['weight']:g}" if pd.notna(row["weight"]) else "", f"{row['steps']:,.0f}",
            f"{row['rates']:.0f} from {row['lowest_rate']:g} to {row['highest_rate']:g}", ratio,
            p_cell(row["p_holm"]), row["verdict"],
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scale_section(folder: Path) -> str:
    """The energy's measured scale beside the predicted one, at the end of training, by variant and noise level; means
    over seeds, from the tables of the experiment `consistency`."""
    table = ENERGY_SHAPE.keyed(*RUN_KEYS).read(folder / "energy_shape.csv")
    table = table[table["phase"] == table["phase"].max()]
    levels = sorted(set(table["t"]))
    lines = [
        "| scale s at noise level | " + " | ".join(map(str, levels)) + " |",
        "|---" * (len(levels) + 1) + "|",
    ]
    for variant, rows in table.groupby("variant", sort=False):
        for column, words in (("scale", "measured"), ("scale_predicted", "predicted")):
            means = rows.groupby("t")[column].mean()
            cells = " | ".join(f"{means[t]:.3f}" for t in levels)
            lines.append(f"| `{variant}`, {words} | {cells} |")
    return "\n".join(lines) + "\n"


def _table(rows: pd.DataFrame, curves: pd.DataFrame) -> str:
    head = (
        "arm", f"m shared by all budgets ({LEVEL})", "p (Holm)", "verdict", "m at the largest budget",
        "error ratio there", "slope of log m", "diverged",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    at = at_largest_budget(rows)
    for arm, group in rows.groupby("arm", sort=False):
        shared = group[group["reading"] == "all"].iloc[0]
        largest = at.loc[str(arm)]
        slope = group[group["reading"] == "slope"].iloc[0]
        cells = (
            str(arm), _plain(shared),
            p_cell(shared["p_holm"]),
            shared["verdict"], _plain(largest), _ratio(largest), _slope(slope), _lost(curves[curves["arm"] == arm]),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    first = curves["arm"].iloc[0]
    lines.append(f"\nOf `{first}` itself {_lost(curves[curves['arm'] == first])} runs diverged.")
    return "\n".join(lines)


def _plain(row: Any) -> str:
    """The multiplier without the words that the column's head has."""
    return worth(row).removeprefix("m = ").replace(f"{LEVEL} interval ", "")


def _ratio(row: Any) -> str:
    if pd.isna(row["error_ratio"]):
        return ""
    mean, low, high = with_interval(row["error_ratio"], row["error_ratio_low"], row["error_ratio_high"])
    return f"{mean} [{low}, {high}]"


def _slope(row: Any) -> str:
    if pd.isna(row["value"]):
        return ""
    ends = [number(end) if pd.notna(end) else "?" for end in (row["ci_low"], row["ci_high"])]
    return f"{number(row['value'])} [{ends[0]}, {ends[1]}]"


def _lost(curves: pd.DataFrame) -> str:
    return f"{int(curves['n_diverged'].sum())} of {int(curves['n'].sum())}"
