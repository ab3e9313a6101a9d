"""Tables of the page: which columns a reader gets to see, under which heading, and how a cell is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ired.base.format_numbers import number, p_cell, percent, with_interval
from ired.record.metrics import METRICS


@dataclass(frozen=True)
class Cell:
    """What is shown, and what it is sorted by (a number, or the text itself)."""

    text: str
    sort: float | str
    kind: str = "text"  # text, number, wide or verdict, a style sheet's class: alignment and colour


@dataclass(frozen=True)
class Table:
    """A titled table. `note` says what its columns mean where a heading cannot."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


Column = tuple[str, str, Callable[[Any], Cell]]


def table(title: str, frame: pd.DataFrame, columns: Sequence[Column], note: str = "") -> Table:
    """The given columns of a frame; one that the frame lacks, or that is empty throughout, is left out."""
    shown = [c for c in columns if c[1].split("|")[0] in frame and frame[c[1].split("|")[0]].notna().any()]
    rows = [[write(_pick(row, source)) for _, source, write in shown] for row in frame.to_dict("records")]
    return Table(title, [heading for heading, _, _ in shown], rows, note)


def _pick(row: Mapping[Any, Any], source: str) -> Any:
    """One value, or a tuple of several ("ci_low|ci_high")."""
    names = source.split("|")
    return row[names[0]] if len(names) == 1 else tuple(row.get(name, math.nan) for name in names)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def text(value: Any) -> Cell:
    """A name as it stands."""
    return Cell("", "") if _missing(value) else Cell(str(value), str(value))


def brief(value: Any) -> Cell:
    """The start of a long key: enough to tell two apart; the file has all of it."""
    return text(None if _missing(value) else str(value)[:10])


def split(value: Any) -> Cell:
    """A test set as figures name it."""
    return Cell(str(value).upper(), str(value))


def metric(value: Any) -> Cell:
    """A metric in short, for a column of its own would otherwise be the widest."""
    return Cell(METRICS[value].short, str(value))


def real(value: Any) -> Cell:
    """Three significant digits."""
    return (
        Cell("\u2013", "", "number")
        if _missing(value)
        else Cell(number(float(value)), float(value), "number")
    )


def whole(value: Any) -> Cell:
    """A count."""
    return Cell("\u2013", "", "number") if _missing(value) else Cell(f"{int(value):,}", int(value), "number")


def share(value: Any) -> Cell:
    """A share as signed percent."""
    if _missing(value):
        return Cell("\u2013", "", "number")
    return Cell(percent(float(value), signed=True), float(value), "number")


def p(value: Any) -> Cell:
    """A p-value without its "p"."""
    if _missing(value):
        return Cell("\u2013", "", "number")
    return Cell(p_cell(float(value)), float(value), "number")


def mean(value: Any) -> Cell:
    """A mean with the decimals that its interval supports."""
    middle, low, high = value
    if _missing(low) or _missing(high):
        return real(middle)
    return Cell(with_interval(float(middle), float(low), float(high))[0], float(middle), "number")


def interval(value: Any) -> Cell:
    """Two ends with the decimals of their mean; sorted by the lower one."""
    low, high, middle = value
    if _missing(low) or _missing(high):
        return Cell("\u2013", "", "number")
    _, first, last = with_interval(float(middle), float(low), float(high))
    return Cell(f"{first} to {last}", float(low), "number wide")


def verdict(value: Any) -> Cell:
    """The verdict in words."""
    return Cell(str(value).replace("_", " "), str(value), "verdict")


SUMMARY: tuple[Column, ...] = (
    ("variant", "variant", text), ("metric", "metric", metric), ("seeds", "n", whole),
    ("diverged", "n_diverged", whole), ("mean", "mean|ci_low|ci_high", mean),
    ("95 % interval", "ci_low|ci_high|mean", interval),
    ("sd", "sd", real), ("evaluation variance", "evaluation_variance", real),
    ("seed variance", "seed_variance", real), ("minus line", "distance_to_line", real),
    ("multiply-adds per step", "madds_per_step", real), ("seconds per step", "seconds_per_step", real),
)  # fmt: skip
CONTRASTS: tuple[Column, ...] = (
    ("treatment", "treatment", text), ("against", "baseline", text), ("metric", "metric", metric),
    ("verdict", "verdict", verdict), ("pairs", "n_pairs", whole),
    ("difference", "difference|ci_low|ci_high", mean),
    ("95 % interval", "ci_low|ci_high|difference", interval), ("relative", "relative_difference", share),
    ("p, Holm", "p_holm", p), ("p, TOST", "p_tost_holm", p), ("p, sign flip", "p_sign_flip", p),
    ("p, Welch", "p_welch", p), ("Hedges g", "hedges_g", real), ("d_z", "d_z", real),
    ("r of pairs", "pair_correlation", real), ("P(improvement)", "probability_of_improvement", real),
    ("margin", "margin", real), ("detectable", "minimum_detectable_effect", real),
)  # fmt: skip
BUDGET: tuple[Column, ...] = (
    ("variant", "variant", text), ("seeds", "n", whole), ("equal compute at step", "step", whole),
    ("mean", "mse_validation_mean|ci_low|ci_high", mean),
    ("95 % interval", "ci_low|ci_high|mse_validation_mean", interval),
    ("equal steps at step", "equal_step", whole),
    ("mean at equal steps", "equal_step_mean|equal_step_ci_low|equal_step_ci_high", mean),
    ("95 % interval at equal steps", "equal_step_ci_low|equal_step_ci_high|equal_step_mean", interval),
)  # fmt: skip
REFERENCE: tuple[Column, ...] = (
    ("predictor", "predictor", text), ("coefficients", "coefficients", whole), ("test set", "split", split),
    ("matrices", "matrices", whole), ("MSE", "mse", real), ("standard error", "mse_se", real),
)  # fmt: skip
RUNS: tuple[Column, ...] = (
    ("variant", "variant", text), ("seed", "seed", whole), ("status", "status", text),
    ("steps", "steps", whole), ("ID MSE", "mse_id", real), ("OOD MSE", "mse_ood", real),
    ("best validation MSE", "best_mse_validation", real), ("at step", "best_step", whole),
    ("parameters", "parameters", whole), ("train seconds", "train_seconds", real),
    ("fingerprint", "fingerprint", brief),
)  # fmt: skip
FINGERPRINTS: tuple[Column, ...] = (
    ("experiment", "experiment", text), ("variant", "variant", text), ("seed", "seed", whole),
    ("steps", "steps", whole), ("protocol", "protocol", whole), ("fingerprint", "fingerprint", text),
)  # fmt: skip
