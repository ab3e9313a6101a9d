"""What a negative is worth, in sentences that cannot say more than multipliers.csv does."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ired.base.format_numbers import MINUS, count, listed, number, p_value
from ired.record.metrics import LEVEL, VERDICT_SEEDS

NO_HARD_POINTS = ("none", "random")  # strategies that look for no hard point
CAUTION = (
    "These intervals are over judged seeds at the learning rates and weights that tuning chose: what its few seeds "
    "could have chosen instead is not in them."
)


def worth_headline(multipliers: pd.DataFrame, primary: str = "adversarial") -> list[str]:
    """The answer in three sentences, the published recipe, the best use of hard points and the best arm without
    them, and what their intervals leave out.

    All are of the multiplier that an arm's budgets share, counted multiply-adds, ID test MSE; a claim needs the
    verdict, whose p is adjusted over the arms.
    """
    counted = multipliers[(multipliers["compute"] == "madds") & (multipliers["metric"] == "mse_id")]
    rows = counted[counted["reading"] == "all"].set_index("arm")
    largest = at_largest_budget(counted)
    if primary not in rows.index:
        return [f"The study of worth has no arm {primary}: nothing is said of the published recipe."]
    hard = rows[~rows["strategy"].isin(NO_HARD_POINTS) & (rows.index != primary)]
    others = rows[rows["strategy"].isin(NO_HARD_POINTS)]
    return [
        f"Mining as published is worth {worth(rows.loc[primary])}, so {consequence(rows.loc[primary])}.",
        *_best(hard, largest, "use of hard points"),
        *_best(others, largest, "arm without them"),
        CAUTION,
    ]


def at_largest_budget(rows: pd.DataFrame) -> pd.DataFrame:
    """Each arm's multiplier at its largest budget, by arm. rows: those of one axis of compute and one metric."""
    budgets = rows[rows["reading"] == "at"].sort_values("steps")
    return budgets.drop_duplicates("arm", keep="last").set_index("arm")


def equal_rates_sentence(table: pd.DataFrame) -> str:
    """What equal_rates.csv says: which arms are told from the baseline where both have one learning rate."""
    if not len(table):
        return ""
    seeds, (low, high) = int(table["n"].max()), (table["lowest_rate"].min(), table["highest_rate"].max())
    opening = f"At equal steps and equal learning rates ({low:g} to {high:g}, {seeds} tuning seeds)"
    if seeds < VERDICT_SEEDS:
        return f"{opening} nothing is judged, since a verdict takes {VERDICT_SEEDS} seeds."

    def named(verdict: str) -> str:
        rows = table[table["verdict"] == verdict]
        budgets = table["steps"].nunique() > 1
        names = [
            str(r["arm"])
            + (f" (weight {r['weight']:g})" if pd.notna(r["weight"]) else "")
            + (f" at {r['steps']:,.0f} steps" if budgets else "")
            for r in rows.to_dict("records")
        ]
        return listed(names) if names else ""

    lower, higher = named("lower"), named("higher")
    said = f"a lower error than the baseline is shown for {lower or 'no arm'}"
    return f"{opening} {said}, a higher one for {higher or 'none'}."


def worth(row: Any) -> str:
    """ "m = 0.71 (95 % interval 0.60 to 0.84)", or how far it is known."""
    if not math.isfinite(row["value"]):
        edge = {"at_least": "more than", "at_most": "less than"}.get(
            str(row["bound"]), "an unknown multiple of"
        )
        return f"{edge} what the baseline's budgets can show"
    ends = [number(end) if math.isfinite(end) else None for end in (row["ci_low"], row["ci_high"])]
    if None in ends:
        known = (
            f"at least {ends[0]}" if ends[0] else f"at most {ends[1]}" if ends[1] else "open on both sides"
        )
        return f"m = {number(row['value'])} ({LEVEL} interval {known})"
    return f"m = {number(row['value'])} ({LEVEL} interval {ends[0]} to {ends[1]})"


def consequence(row: Any) -> str:
    """What a multiplier means for who pays the compute; a claim only with its verdict."""
    verdict, p = str(row["verdict"]), row["p_holm"]
    if verdict == "undecided" or not math.isfinite(row["value"]):
        tested = f"{p_value(p)}, adjusted over the arms" if math.isfinite(p) else "no test"
        if row["n"] < VERDICT_SEEDS:
            tested += f"; {count(int(row['n']), 'seed')}, and a verdict takes {VERDICT_SEEDS}"
        return f"neither gain nor loss is shown ({tested})"
    share = abs(row["value"] - 1)
    word = f"{share:.0%}".replace("%", " %").replace("-", MINUS)
    if verdict == "wastes":
        return f"{word} of the compute is wasted"
    return f"it saves as much as {word} more compute would"


def _best(rows: pd.DataFrame, largest: pd.DataFrame, kind: str) -> list[str]:
    """The arm with the largest multiplier of a group, and whether that is shown to be above 1. Arms that save more than
    the baseline's budgets can show come first; of those, the largest budget's multipliers tell which. largest: the
    readings at each arm's largest budget."""
    beyond = rows.index[rows["value"].isna() & (rows["bound"] == "at_least") & (rows["verdict"] == "saves")]
    if len(beyond):
        at = largest.loc[beyond]
        name = str(at["value"].idxmax() if at["value"].notna().any() else beyond[0])
        steps = f"{int(at['steps'][name]):,} steps"
        return [
            f"The best {kind} is {name}: {worth(rows.loc[name])}; at the largest, {steps}, "
            f"{worth(at.loc[name])}, so {consequence(at.loc[name])}."
        ]
    known = rows[rows["value"].notna()]
    if not len(known):
        return []
    name = str(known["value"].idxmax())
    best = known.loc[name]
    claim = "is" if best["verdict"] == "saves" else "with the largest estimate is"
    return [f"The best {kind} {claim} {name}: {worth(best)}, so {consequence(best)}."]
