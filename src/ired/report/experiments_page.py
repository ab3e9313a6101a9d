"""The part of docs/experiments.md that says what the shipped tables say: a section for each experiment of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ired.base.format_numbers import p_cell, percent, with_interval
from ired.record.metrics import LEVEL
from ired.record.schema import TABLES

FOLDER = Path("laptop_mlp/experiments")
HEAD = ("variant", f"test MSE (id) [{LEVEL}]", "against", f"change [{LEVEL}]", "p, adjusted", "verdict")


def relative_change(row: dict[Any, Any]) -> str:
    """The difference of a contrast in per cent of the baseline's mean, with its interval."""
    low, high = sorted((row["ci_low"] / row["baseline_mean"], row["ci_high"] / row["baseline_mean"]))
    change = percent(row["relative_difference"], signed=True)
    return f"{change} [{percent(low, signed=True)}, {percent(high, signed=True)}]"


def experiments_sections(shipped: Path) -> Iterator[str]:
    """A table of every experiment whose tables share the page's folder, then what its sweep says as a whole."""
    names = ("summary", "contrasts", "effects", "nominations")
    tables = {name: TABLES[name].read(shipped / FOLDER / f"{name}.csv") for name in names}
    tables = {name: table[table["metric"] == "mse_id"] for name, table in tables.items()}
    for experiment in tables["summary"]["experiment"].unique():
        own = {name: table[table["experiment"] == experiment] for name, table in tables.items()}
        lines = [f"## {experiment}\n", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
        for arm in own["summary"].to_dict("records"):
            against = own["contrasts"][own["contrasts"]["treatment"] == arm["variant"]].to_dict("records")
            lines += ["| " + " | ".join(_cells(arm, row)) + " |" for row in against or [None]]
        said = [*own["effects"]["sentence"], *own["nominations"]["sentence"]]
        yield "\n".join(lines) + "\n" + "".join(f"\n{sentence}\n" for sentence in said)


def _cells(arm: dict[Any, Any], row: dict[Any, Any] | None) -> tuple[str, ...]:
    mean, low, high = with_interval(arm["mean"], arm["ci_low"], arm["ci_high"])
    shown = f"{mean} [{low}, {high}]" if arm["n"] else "diverged"
    if row is None:
        return f"`{arm['variant']}`", shown, "", "", "", ""
    return (
        f"`{arm['variant']}`",
        shown,
        f"`{row['baseline']}`",
        relative_change(row) if row["n_pairs"] else "",
        p_cell(row["p_holm"]),
        str(row["verdict"]).replace("_", " "),
    )
