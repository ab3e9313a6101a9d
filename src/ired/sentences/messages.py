"""What a figure says, in the line that is its title. Every claim is a verdict of a table, and where a table decides
nothing the line says so. Empty where there is nothing to be said: the figure then keeps its name.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from ired.base.format_numbers import count, listed, plain_percent
from ired.record.metrics import METRICS, TEST_METRICS, main_metric, metric_name
from ired.sentences.effects import effect_claim
from ired.sentences.headline import PLAIN_ORDER, VERDICT_WORDS, compute_orders, where_trained
from ired.sentences.line import line_standing
from ired.sentences.live import shares_at_the_end

PLACES = {"id": "in distribution", "ood": "out of distribution"}
STANDINGS = {
    "below": "below the {line} line",
    "indistinguishable": "not told apart from the {line} line",
    "above": "above the {line} line",
    "unknown": "untested against the {line} line",
}
WORTH = {"saves": "saved by", "wastes": "wasted by", "undecided": "undecided for"}
MOST = 4  # names in a row


def contrasts_message(contrasts: pd.DataFrame) -> str:
    """The verdicts of all contrasts of the test errors."""
    if contrasts.empty:
        return ""
    bases = list(contrasts["baseline"].unique())
    said: dict[str, list[str]] = {}  # what is said of one test set or of both
    for metric, split in TEST_METRICS.items():
        rows = contrasts[contrasts["metric"] == metric]
        names = rows["treatment"] + ("" if len(bases) == 1 else " against " + rows["baseline"])
        words = _grouped(names, rows["verdict"], VERDICT_WORDS, "contrasts")
        if words:
            said.setdefault(words, []).append(PLACES[split])
    against = f" against {bases[0]}" if len(bases) == 1 else ""
    return ". ".join(
        f"{'' if k else f'Test error{against} '}{listed(places)}: {words}"
        for k, (words, places) in enumerate(said.items())
    ).replace(". out", ". Out")


def line_message(summary: pd.DataFrame, against_line: pd.DataFrame, reference: pd.DataFrame) -> str:
    """Where the variants stand to the line to beat in the leading metric."""
    metric = main_metric(summary["metric"])
    rows = summary[(summary["metric"] == metric) & (summary["n"] > 0) & summary["line"].notna()]
    lines = reference.loc[reference["line"].astype(bool), "label"]
    if metric is None or not (len(rows) and len(lines)):
        return ""
    standing = line_standing(rows, against_line)
    if (standing == "unknown").all():
        return ""
    line, place = str(lines.iloc[0]), PLACES[METRICS[metric].split or "id"]
    places = {kind: words.format(line=line) for kind, words in STANDINGS.items()}
    words = _grouped(rows["variant"], standing, places, "variants")
    return f"Test error {place}: {words}"


def curves_message(contrasts: pd.DataFrame, budget: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The primary contrast at equal steps, and how the same two stand at equal compute."""
    row = _primary(contrasts)
    if row is None:
        return ""
    treatment, baseline = str(row["treatment"]), str(row["baseline"])
    order = compute_orders(budget, treatment, baseline)
    compute = f"validation error {PLAIN_ORDER[order[0]]}" if order else "not compared"
    return (
        f"{treatment} against {baseline}: {metric_name(row['metric'])} {VERDICT_WORDS[row['verdict']]} "
        f"{where_trained(runs, treatment, baseline)}; {compute} at equal compute"
    )


def budget_message(contrasts: pd.DataFrame, budget: pd.DataFrame) -> str:
    """How the two variants of the primary contrast stand at equal steps and at equal compute, by their intervals."""
    row = _primary(contrasts)
    order = None if row is None else compute_orders(budget, str(row["treatment"]), str(row["baseline"]))
    if row is None or order is None:
        return ""
    compute, steps = (PLAIN_ORDER[place] for place in order)
    both = f"{steps} at equal steps, {compute} at equal compute"
    if compute == steps:
        both = f"{steps} at equal steps and at equal compute"
    return f"Validation error of {row['treatment']} against {row['baseline']}: {both}"


def effects_message(effects: pd.DataFrame) -> str:
    """What all levels of each sweep say together of the in-distribution error."""
    rows: list[dict[Any, Any]] = effects[effects["metric"] == "mse_id"].to_dict("records")
    if len(rows) > 2:
        found = effects.loc[effects["metric"] == "mse_id", "verdict"].value_counts()
        words = listed(
            [f"{found[name]} {name}" for name in ("lower", "higher", "undecided") if name in found]
        )
        return f"Of {count(len(rows), 'effect')} on the {metric_name('mse_id')}, {words}"
    return "; ".join(effect_claim(row) for row in rows)


def shares_message(profile: pd.DataFrame, column: str, words: str) -> str:
    """The share of each variant's negatives that `words` are said of: a measurement, which compares nothing."""
    shares = shares_at_the_end(profile, column)
    if not shares:
        return ""
    each = listed([f"{plain_percent(float(f'{share:.2g}'))} ({v})" for v, share in shares.items()], MOST)
    return f"At the end of training {each} of the negatives {words}"


def worth_message(multipliers: pd.DataFrame) -> str:
    """The verdicts of the multipliers that all budgets of an arm share."""
    table = multipliers[(multipliers["compute"] == "madds") & (multipliers["metric"] == "mse_id")]
    rows = table[table["reading"] == "all"]
    parts = []
    for verdict, words in WORTH.items():
        names = rows.loc[rows["verdict"] == verdict, "arm"].astype(str).tolist()
        if names:
            parts.append(f"{words} {listed(names, MOST)}")
    return f"Compute, against training without negatives: {'; '.join(parts)}" if parts else ""


def _grouped(names: pd.Series, kinds: pd.Series, words: dict[str, str], all_of: str) -> str:
    """ "a and b better; c undecided", in the order of `words`; "all 3 contrasts undecided"."""
    groups = {kind: names[kinds == kind].astype(str).tolist() for kind in words}
    shared = next((kind for kind, members in groups.items() if len(members) == len(names) > 2), None)
    if shared is not None:
        return f"all {len(names)} {all_of} {words[shared]}"
    return "; ".join(f"{listed(members, MOST)} {words[kind]}" for kind, members in groups.items() if members)


def _primary(contrasts: pd.DataFrame) -> pd.Series | None:
    """The primary contrast of the leading metric."""
    if contrasts.empty:
        return None
    rows = contrasts[
        contrasts["primary"].astype(bool) & (contrasts["metric"] == main_metric(contrasts["metric"]))
    ]
    return rows.iloc[0] if len(rows) else None
