"""Curves over seeds: a mean with the range of the seeds around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.style import (
    VariantStyle,
)


def over_seeds(table: pd.DataFrame, key: str, value: str) -> pd.DataFrame:
    """Mean, lowest and highest of the seeds at each `key`: all that a curve with its band needs.

    The band is the full range of the seeds, not an interval: it claims nothing and works from one seed on.
    """
    rows = table.dropna(subset=[value]) if value in table else table.iloc[:0].assign(**{value: np.nan})
    return rows.groupby(key)[value].agg(["mean", "min", "max"])


def band(ax: Axes, curve: pd.DataFrame, style: VariantStyle, **line: Any) -> None:
    """A mean curve and the range of its seeds."""
    if curve.empty:
        return
    ax.fill_between(curve.index, curve["min"], curve["max"], color=style.colour, alpha=0.18, lw=0, gid="band")
    ax.plot(curve.index, curve["mean"], **{"color": style.colour, "ls": style.dash, "gid": "curve", **line})
