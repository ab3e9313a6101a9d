"""Every design that was run, with its primary result: one that was given up for another is part of the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ired.base.format_numbers import listed
from ired.record.metrics import LEVEL
from ired.record.schema import TABLES
from ired.report.experiments_page import relative_change

HEAD = (
    "design",
    "tables",
    "n",
    "steps",
    "pairs of seeds",
    "primary contrast",
    f"test MSE (id), {LEVEL} interval",
    "verdict",
)


def designs_section(shipped: Path) -> str:
    """One row per experiment of every shipped folder with contrasts, the folders in order of their names."""
    lines = ["## Every design that was run\n", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    for path in sorted(shipped.rglob("contrasts.csv")):
        contrasts, runs = TABLES["contrasts"].read(path), TABLES["runs"].read(path.parent / "runs.csv")
        primary = contrasts[contrasts["primary"] & (contrasts["metric"] == "mse_id")]
        for row in primary.to_dict("records"):
            lines.append("| " + " | ".join(_cells(row, runs, path.parent.relative_to(shipped))) + " |")
    return "\n".join(lines) + "\n"


def _cells(row: dict[Any, Any], runs: pd.DataFrame, folder: Path) -> tuple[str, ...]:
    compared = runs[
        (runs["experiment"] == row["experiment"]) & runs["variant"].isin([row["treatment"], row["baseline"]])
    ]
    steps = listed([f"{value:,.0f}" for value in sorted(compared["steps"].unique())])
    return (
        str(row["experiment"]),
        f"`{folder}`",
        f"{compared['n'].iloc[0]:.0f}",
        steps,
        f"{row['n_pairs']:.0f}",
        f"`{row['treatment']}` against `{row['baseline']}`",
        relative_change(row),
        str(row["verdict"]).replace("_", " "),
    )
