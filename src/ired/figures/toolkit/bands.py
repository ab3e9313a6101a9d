"""Curves over seeds: a mean with the range of the seeds around it, or the seeds themselves where they are few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.variants import VariantStyle

FEW = 3  # of so few seeds the range is mostly chance, and one astray hides the others


def over_seeds(table: pd.DataFrame, key: str, value: str) -> pd.DataFrame:
    """Mean, lowest and highest of the seeds at each `key`: all that a curve with its band needs; and a column
    `seed k` for each of FEW seeds or fewer.

    The band is the full range of the seeds, not an interval: it claims nothing and works from one seed on.
    """
    rows = table.dropna(subset=[value]) if value in table else table.iloc[:0].assign(**{value: np.nan})
    curve = rows.groupby(key)[value].agg(["mean", "min", "max"])
    if 1 < rows["seed"].nunique() <= FEW:
        seeds = rows.pivot_table(index=key, columns="seed", values=value)
        curve = curve.join(seeds.rename(columns=lambda seed: f"seed {seed}"))
    return curve


def band(ax: Axes, curve: pd.DataFrame, style: VariantStyle, **line: Any) -> None:
    """A mean curve, and the range of its seeds or a thin line for each of a few."""
    if curve.empty:
        return
    seeds = [column for column in map(str, curve) if column.startswith("seed ")]
    for column in seeds:
        own = curve[column].dropna()
        ax.plot(own.index, own, color=style.colour, lw=0.6, alpha=0.6, gid="seed")
    if not seeds:
        ax.fill_between(
            curve.index, curve["min"], curve["max"], color=style.colour, alpha=0.18, lw=0, gid="band"
        )
    ax.plot(curve.index, curve["mean"], **{"color": style.colour, "ls": style.dash, "gid": "curve", **line})
