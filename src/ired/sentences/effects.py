"""What all levels of a sweep say together: its trend, or its place beside another sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ired.base.format_numbers import count, p_value
from ired.record.metrics import ALPHA, LEVEL, VERDICT_SEEDS, metric_name


def effect_verdict(seeds: int, ratio: float, p_holm: float) -> str:
    """What a ratio of errors over so many seeds and its adjusted p say: lower, higher or undecided. A p that is NaN,
    or fewer than VERDICT_SEEDS seeds, decides nothing."""
    if seeds < VERDICT_SEEDS or not p_holm < ALPHA:
        return "undecided"
    return "lower" if ratio < 1 else "higher"


def effect_claim(row: Mapping[str, Any]) -> str:
    """What one row of effects.csv says, without its numbers."""
    treatment, baseline, metric = row["treatment"], row["baseline"], metric_name(row["metric"])
    factor = str(row["factor"]).rpartition(".")[2].replace("_", " ")
    levels = count(int(row["levels"]), "level")
    if not math.isfinite(row["ratio"]):
        return f"{treatment}: undecided, since no seed finished at all {levels} of {factor}"
    if row["kind"] == "trend":
        change = {"lower": "falls", "higher": "rises", "undecided": "is not shown to rise or fall"}[
            row["verdict"]
        ]
        return f"{treatment}: {metric} {change} with every doubling of {factor}, over {levels}"
    place = {
        "lower": f"lies below {baseline}",
        "higher": f"lies above {baseline}",
        "undecided": f"against {baseline} is undecided",
    }[row["verdict"]]
    return f"{treatment} {place} in {metric} over {levels} of {factor}"


def effect_sentence(row: Mapping[str, Any]) -> str:
    """The sentence of one row of effects.csv, whose `verdict` and the columns it rests on are filled in."""
    if not math.isfinite(row["ratio"]):
        return f"{effect_claim(row)}."
    seeds, dropped = count(int(row["n"]), "seed"), int(row["n_dropped"])
    ends = seeds + (f" ({dropped} dropped because a run diverged)" if dropped else "")
    known = math.isfinite(row["ci_low"])
    interval = f", {LEVEL} interval {row['ci_low']:.2f} to {row['ci_high']:.2f}" if known else ""
    numbers = f"(a factor of {row['ratio']:.2f}{interval}; Holm-adjusted {p_value(row['p_holm'])}, {ends})"
    return f"{effect_claim(row)} {numbers}."
