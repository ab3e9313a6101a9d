"""Where the variants stand to the line: the MSE of the predictor to beat (reference.csv)."""

from __future__ import annotations

import pandas as pd

from ired.base.format_numbers import count, listed, number, percent
from ired.record.metrics import main_metric, metric_name

COUNTS = {0: "no coefficients", 2: "two coefficients"}


def line_standing(rows: pd.DataFrame, against_line: pd.DataFrame) -> pd.Series:
    """Where each row of one metric of summary.csv stands to the line, as against_line.csv has tested it; index as in
    `rows`. unknown: one seed, or runs whose errors of single problems were not kept."""
    tested = against_line.set_index(["variant", "metric"])["standing"]
    keys = zip(rows["variant"], rows["metric"], strict=True)
    return pd.Series([str(tested.get(key, "unknown")) for key in keys], index=rows.index, dtype=object)


def line_sentence(
    summary: pd.DataFrame, reference: pd.DataFrame, against_line: pd.DataFrame, metric: str | None = None
) -> str:
    """Where the variants stand to the line in one metric (the leading one if None)."""
    metric = metric or main_metric(summary["metric"])
    rows = summary[summary["metric"] == metric]
    rows = rows[rows["n"] > 0]
    if not len(rows):
        return "No run finished, so nothing can be set against the line to beat."
    rows = rows[rows["line"].notna()]
    lines = reference[reference["line"].astype(bool)]
    if not len(rows) or not len(lines):
        return "No line to beat is known for this metric and matrix size."
    values = sorted(set(rows["line"]))
    value = number(values[0]) if len(values) == 1 else f"{number(values[0])} to {number(values[-1])}"
    standing = line_standing(rows, against_line)
    parts = []
    for place, words in (
        ("below", "below it"),
        ("indistinguishable", "not told apart from it"),
        ("above", "above it, hence worse than that"),
        ("unknown", "there by the means alone, without a test"),
    ):
        members = rows[standing == place]
        if len(members):
            names = [
                f"{row['variant']} ({percent(row['distance_to_line'] / row['line'], signed=True)})"
                for _, row in members.iterrows()
            ]
            parts.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}")
    name = metric_name(str(metric))
    coefficients = int(lines["coefficients"].iloc[0])
    size = COUNTS.get(coefficients) or count(coefficients, "coefficient")
    return f"Against the {lines['label'].iloc[0]} line of {size} ({name} {value}), {'; '.join(parts)}."
