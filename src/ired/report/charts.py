"""Charts that a reader can question: hover for seed and value, hide variants by the legend, zoom, switch axes.

A chart stands beside a figure of the same name and is drawn from the same tables. It is a Vega-Lite specification that
holds its data; the runtime is inlined once a page, so a page asks the network for nothing. Vega's expressions are
interpreted rather than compiled, since the page's policy forbids `eval`. Without scripts, and on paper, the figure
stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from ired.figures import figure
from ired.figures.toolkit.variants import roster
from ired.record.metrics import LEVEL, SPLITS, TEST_METRICS
from ired.report import chart_parts as parts

if TYPE_CHECKING:  # it takes a second to import, and only a report needs it
    import altair as alt

Tables = Mapping[str, pd.DataFrame]
AXES = {"step": "training steps", "madds": "multiply-adds", "seconds": "seconds of training"}
PROFILE = {
    "gap_q50": "energy gap, negative minus positive (median)",
    "misranked_share": "share ranked the wrong way",
    "distance": "distance of the negative from the truth",
    "false_negative_rate": "share of negatives likelier than the truth",
    "saturation_share": "share of pairs that teach nothing any more",
    "effective_rank": "directions in which the negatives differ",
}


def chart(name: str, tables: Tables) -> dict[str, Any] | None:
    """The Vega-Lite specification beside the figure `name`; None where there is no such chart, or nothing to show.

    `tables`: of one experiment, by name; `runs` among them gives every variant the look that it has in figures.
    """
    if name not in CHARTS:
        return None
    with roster(tables.get("runs")):
        made = CHARTS[name](tables)
    if made is None:
        return None
    made = made.properties(width="container", description=figure(name).title).configure_view(strokeWidth=0)
    specification: dict[str, Any] = made.configure(background="transparent").to_dict()
    return specification


@cache
def runtime() -> str:
    """The JavaScript of Vega, Vega-Lite and vega-embed in the versions of the lock, as one module."""
    import vl_convert

    # Without a snippet of one's own, which the stub asks for, it is the bundle that charts are embedded with.
    return str(vl_convert.javascript_bundle()).replace("</script", "<\\/script")  # type: ignore[call-arg]


def learning_curves(tables: Tables) -> alt.LayerChart | None:
    """Validation error of every run against steps, multiply-adds or seconds."""
    import altair as alt

    table = tables["learning_curves"].dropna(subset=["mse_validation"])
    known = {column: words for column, words in AXES.items() if table[column].notna().any()}
    if table.empty or not known:
        return None
    picked, axis = parts.picked(), parts.choice("axis", "Horizontal axis:", known)
    lines = (
        alt.Chart(parts.values(table, ["variant", "seed", *known, "mse_validation"]))
        .transform_calculate(x=f"datum[{axis.name}]")
        .mark_line(point=alt.OverlayMarkDef(size=24, filled=True), strokeWidth=1.2)
        .encode(
            x=alt.X("x:Q", title=None, axis=alt.Axis(format="~s", grid=False)),
            y=alt.Y("mse_validation:Q", title="validation MSE (log)", scale=alt.Scale(type="log"),
                    axis=alt.Axis(format="~g")),
            detail="seed:N",
            tooltip=["variant:N", "seed:N", *(parts.number(c, w) for c, w in known.items()),
                     parts.number("mse_validation", "validation MSE")],
            **parts.by_variant(table, picked),
        )
        .add_params(axis, picked, parts.zoom())
    )  # fmt: skip
    low, high = table["mse_validation"].min() / 3, table["mse_validation"].max() * 3
    return parts.layer(lines, parts.rules(tables, low, high, "id", "y"), height=320)


def strategy_comparison(tables: Tables) -> alt.LayerChart | None:
    """Test error of every run, with the means and intervals of the variants, on one test set at a time."""
    import altair as alt

    long = tables["runs"].melt(
        ["variant", "seed", "steps", "train_seconds"], list(TEST_METRICS), "metric", "value"
    )
    long, summary = long.dropna(subset=["value"]), tables["summary"]
    if long.empty:
        return None
    picked = parts.picked()
    split = parts.choice("metric", "Test set:", {metric: SPLITS[s] for metric, s in TEST_METRICS.items()})
    order = list(summary["variant"].drop_duplicates())
    y = alt.Y("variant:N", title=None, sort=order)
    x = alt.Scale(zero=False)
    chosen = f"datum.metric == {split.name}"
    seeds = (
        alt.Chart(parts.values(long, ["variant", "seed", "steps", "train_seconds", "metric", "value"]))
        .transform_filter(chosen)
        .mark_point(filled=True, size=50)
        .encode(
            x=alt.X("value:Q", title="test MSE per element (further left is better)", scale=x,
                    axis=alt.Axis(format="~g")),
            y=y,
            tooltip=["variant:N", "seed:N", parts.number("value", "test MSE"), parts.number("steps", "steps"),
                     parts.number("train_seconds", "seconds of training")],
            **parts.by_variant(tables["runs"], picked),
        )
        .add_params(split, picked, parts.zoom("x"))
    )  # fmt: skip
    rows = summary[summary["metric"].isin(list(TEST_METRICS))]
    means = alt.Chart(
        parts.values(rows, ["variant", "metric", "n", "mean", "ci_low", "ci_high"])
    ).transform_filter(chosen)
    words = ["variant:N", parts.number("mean", "mean"), parts.number("ci_low", f"{LEVEL} interval from"),
             parts.number("ci_high", "to"), "n:Q"]  # fmt: skip
    bars = means.mark_rule(strokeWidth=2, color=parts.RULE).encode(
        x="ci_low:Q", x2="ci_high:Q", y=y, tooltip=words
    )
    ticks = means.mark_tick(thickness=2, size=18, color="#222222").encode(x="mean:Q", y=y, tooltip=words)
    elsewhere = {m: long.loc[long["metric"] != m, "value"].mean() for m in TEST_METRICS}
    rules = [
        parts.rules(
            tables,
            *parts.reach(long.loc[long["metric"] == metric, "value"]),
            s,
            "x",
            f"{split.name} == '{metric}'",
            float(long["value"].mean() if math.isnan(elsewhere[metric]) else elsewhere[metric]),
        )
        for metric, s in TEST_METRICS.items()
    ]
    return parts.layer(bars, ticks, *rules, seeds, height=max(140, 42 * len(order)))


def paired_differences(tables: Tables) -> alt.LayerChart | None:
    """The difference of every pair of seeds in per cent of the baseline's mean, with the contrast's interval."""
    import altair as alt

    contrasts = tables["contrasts"]
    contrasts = contrasts[contrasts["metric"].isin(list(TEST_METRICS)) & (contrasts["baseline_mean"] > 0)]
    values = tables["runs"].set_index(["variant", "seed"])
    rows: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    for row in contrasts.to_dict("records"):
        metric, share = row["metric"], 100 / row["baseline_mean"]
        about = {"contrast": f"{row['treatment']} − {row['baseline']}", "metric": metric}
        pair = [values.loc[values.index.get_level_values(0) == row[r], metric].droplevel(0).dropna()
                for r in ("treatment", "baseline")]  # fmt: skip
        rows += [
            {**about, "seed": seed, "difference": share * value}
            for seed, value in (pair[0] - pair[1]).dropna().items()
        ]
        bars.append(
            {**about, "mean": share * row["difference"], "low": share * row["ci_low"], "high": share * row["ci_high"],
             "verdict": str(row["verdict"]).replace("_", " ")}
        )  # fmt: skip
    if not rows:
        return None
    split = parts.choice("metric", "Test set:", {m: SPLITS[s] for m, s in TEST_METRICS.items()})
    order = list(dict.fromkeys(bar["contrast"] for bar in bars))
    y = alt.Y("contrast:N", title=None, sort=order, axis=alt.Axis(labelLimit=220))
    chosen = f"datum.metric == {split.name}"
    seeds = (
        alt.Chart(parts.values(pd.DataFrame(rows), ["contrast", "metric", "seed", "difference"]))
        .transform_filter(chosen)
        .mark_point(filled=True, size=50, color="#0b5a8a", opacity=0.7)
        .encode(
            x=alt.X("difference:Q", title="difference in % of the baseline (further left is better)"),
            y=y,
            tooltip=["contrast:N", "seed:N", parts.number("difference", "difference (%)")],
        )
        .add_params(split, parts.zoom("x"))
    )
    means = alt.Chart(parts.values(pd.DataFrame(bars), list(bars[0]))).transform_filter(chosen)
    words = ["contrast:N", "verdict:N", parts.number("mean", "mean (%)"),
             parts.number("low", f"{LEVEL} interval from (%)"), parts.number("high", "to (%)")]  # fmt: skip
    intervals = means.mark_rule(strokeWidth=2, color=parts.RULE).encode(
        x="low:Q", x2="high:Q", y=y, tooltip=words
    )
    ticks = means.mark_tick(thickness=2, size=18, color="#222222").encode(x="mean:Q", y=y, tooltip=words)
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color="#222222").encode(x="zero:Q")
    return parts.layer(intervals, seeds, ticks, zero, height=max(140, 42 * len(order)))


def energy_gap(tables: Tables) -> alt.LayerChart | None:
    """What energies and negatives are like at every noise level, one quantity and one phase of training at a time."""
    import altair as alt

    table = tables["energy_profile"]
    known = {column: words for column, words in PROFILE.items() if table[column].notna().any()}
    if not known:
        return None
    table = table[table[list(known)].notna().any(axis=1)]
    picked = parts.picked()
    quantity = parts.choice("quantity", "Quantity:", known, menu=True)
    phases = sorted(table["phase"].unique(), reverse=True)
    phase = parts.choice("phase", "After:", {p: f"{100 * p:g} % of training" for p in phases})
    lines = (
        alt.Chart(parts.values(table, ["variant", "seed", "phase", "t", *known]))
        .transform_filter(f"datum.phase == {phase.name}")
        .transform_calculate(y=f"datum[{quantity.name}]")
        .transform_filter("isValid(datum.y)")
        .mark_line(point=alt.OverlayMarkDef(size=24, filled=True), strokeWidth=1.2)
        .encode(
            x=alt.X("t:Q", title="noise level (0 is nearly clean)", axis=alt.Axis(grid=False, tickMinStep=1)),
            y=alt.Y("y:Q", title=None),
            detail="seed:N",
            tooltip=[
                "variant:N",
                "seed:N",
                alt.Tooltip("t:Q", title="noise level"),
                parts.number("y", "value"),
            ],
            **parts.by_variant(table, picked),
        )
        .add_params(quantity, phase, picked, parts.zoom())
    )
    return parts.layer(lines, height=300)


CHARTS: dict[str, Callable[[Tables], Any]] = {
    made.__name__: made for made in (learning_curves, strategy_comparison, paired_differences, energy_gap)
}
