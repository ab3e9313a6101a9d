"""One family of tests a page: where nothing differs, at most 5 % of pages say that something does.

A page claims differences in many places: contrasts of both test errors, trends and pairs of sweeps, a sweep's nominee.
Half of the 5 % is the primary contrast's; the other half is shared by everything else. What a test does not need
because it rejects passes on to the others, so the primary contrast is tested at 2.5 to 5 % (Holm 1979, with weights).
Equivalence is adjusted alike in a family of its own, since no difference is both zero and as large as the margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ired import sentences
from ired.record import schema
from ired.record.metrics import main_metric
from ired.statistics.samples import Values

Row = dict[str, Any]
PRIMARY_SHARE = 0.5


def holm(p_values: Sequence[float], weights: Sequence[float] | None = None) -> Values:
    """Holm-adjusted p-values of one family of tests, as many as given (Holm 1979).

    A test that could not be made (NaN) stays NaN but still counts in the family, since the number of planned tests must
    not depend on how the runs turned out.

    Args:
        weights: positive; how the level is shared. Equal shares if None.
    """
    p = np.asarray(p_values, dtype=np.float64)
    share = np.ones(p.size) if weights is None else np.asarray(weights, dtype=np.float64)
    ratio = np.nan_to_num(p, nan=1.0) / share
    order = np.argsort(ratio, kind="stable")
    left = np.cumsum(share[order][::-1])[::-1]  # the weight of what has not been rejected yet
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(ratio[order] * left))
    return np.where(np.isnan(p), np.nan, adjusted)


def judge(contrasts: list[Row], effects: list[Row], nominations: list[Row]) -> None:
    """Fill in what rests on the whole page, in place: columns ending in `_holm`, `verdict` and `sentence`.

    The page's primary contrast is the first row of its main metric that is flagged `primary`.
    """
    main = main_metric(row["metric"] for row in contrasts)
    first = next((k for k, row in enumerate(contrasts) if row["primary"] and row["metric"] == main), None)
    paired = [*contrasts, *nominations]
    _adjust([*paired, *effects], ["p_paired"] * len(paired) + ["p"] * len(effects), "p_holm", first)
    for column in ("p_tost", "p_tost_ladder"):
        _adjust(paired, [column] * len(paired), f"{column}_holm", first)
    for row in paired:
        row["verdict"] = sentences.verdict(
            *(row["n_pairs"], row["difference"], row["p_holm"], row["p_tost_holm"])
        )
    for row in contrasts:
        row["sentence"] = sentences.contrast_sentence(row)
    for row in nominations:
        row["sentence"] = sentences.nomination_sentence(row)
    for row in effects:
        row["verdict"] = sentences.effect_verdict(row["n"], row["ratio"], row["p_holm"])
        row["sentence"] = sentences.effect_sentence(row)


def _adjust(rows: list[Row], columns: list[str], into: str, primary: int | None) -> None:
    """One family of the p-values in these columns; a test that stands in several experiments of a page is one."""
    place: dict[Any, int] = {}
    p_values: list[float] = []
    places = []
    for row, column in zip(rows, columns, strict=True):
        of = (row["metric"], row["treatment"], row["baseline"], row.get("factor"), column, repr(row[column]))
        if of not in place:
            place[of] = len(p_values)
            p_values.append(row[column])
        places.append(place[of])
    adjusted = holm(p_values, _weights(len(p_values), None if primary is None else places[primary]))
    for row, index in zip(rows, places, strict=True):
        row[into] = float(adjusted[index])


def _weights(tests: int, primary: int | None) -> list[float] | None:
    """Shares of the level: half for the primary test, the rest in equal parts; all equal without a primary one."""
    if primary is None or tests < 2:
        return None
    weights = [(1 - PRIMARY_SHARE) / (tests - 1)] * tests
    weights[primary] = PRIMARY_SHARE
    return weights


def judged(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of one page with everything it could claim adjusted as one family.

    Args:
        tables: `contrasts`, `effects` and `nominations`, of one experiment or of several that share a page (then the
            first experiment's primary contrast is the page's); other tables are passed on as they are.
    """
    names = ("contrasts", "effects", "nominations")
    rows: dict[str, list[Row]] = {name: tables[name].to_dict("records") for name in names}  # type: ignore[misc]
    judge(*rows.values())
    return {**tables, **{name: schema.TABLES[name].frame(rows[name]) for name in names}}
