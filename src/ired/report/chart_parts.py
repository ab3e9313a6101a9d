"""What charts are built from: their data, what sets their parameters, the lines of the predictors, layers.

Altair is imported within each function, because it takes a second and only a report needs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ired.figures.toolkit.axes import reference_values
from ired.figures.toolkit.style import ink
from ired.figures.toolkit.variants import variant_styles

if TYPE_CHECKING:
    import altair as alt

# A wheel that zoomed without a key would catch whoever scrolls past.
ZOOM = "wheel![event.shiftKey]"
RULE = "#6b6b6b"


def values(table: pd.DataFrame, columns: list[str]) -> alt.Data:
    """Rows with six significant digits: more than a screen shows, in half the space."""
    import altair as alt

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.6g}") if math.isfinite(value) else None
        return value

    rows = table[columns].astype(object).to_dict("records")
    return alt.Data(values=[{key: rounded(value) for key, value in row.items()} for row in rows])


def number(column: str, title: str) -> alt.Tooltip:
    import altair as alt

    return alt.Tooltip(f"{column}:Q", title=title, format=".4~g")


def choice(name: str, label: str, options: Mapping[Any, str], menu: bool = False) -> alt.Parameter:
    """A row of buttons, or a menu, that sets a parameter to one of the options' keys."""
    import altair as alt

    bind = (alt.binding_select if menu else alt.binding_radio)(
        options=list(options), labels=list(options.values()), name=f"{label} "
    )
    return alt.param(name=f"chosen_{name}", value=next(iter(options)), bind=bind)


def picked() -> alt.Parameter:
    """Variants that were clicked in the legend (with shift: several); none means all."""
    import altair as alt

    return alt.selection_point(name="picked", fields=["variant"], bind="legend")


def zoom(*along: Any) -> alt.Parameter:
    """Drag to move, wheel with shift to zoom, along these axes (both if none is named)."""
    import altair as alt

    which: dict[str, Any] = {"encodings": list(along)} if along else {}
    return alt.selection_interval(name="zoom", bind="scales", zoom=ZOOM, **which)


def by_variant(table: pd.DataFrame, picked: alt.Parameter) -> dict[str, Any]:
    """A variant's colour and mark in figures; those that the legend leaves out fade."""
    import altair as alt

    styles = variant_styles(table)
    colours = alt.Scale(domain=list(styles), range=[ink(style.colour) for style in styles.values()])
    shown = alt.when(picked).then(alt.value(0.9)).otherwise(alt.value(0.06))
    legend = alt.Legend(orient="top", title=None, labelLimit=260)
    return {"color": alt.Color("variant:N", scale=colours, legend=legend), "opacity": shown}


def reach(values: pd.Series) -> tuple[float, float]:
    span = max(values.max() - values.min(), 0.02 * values.max())
    return values.min() - 2 * span, values.max() + 2 * span


def rules(
    tables: Mapping[str, pd.DataFrame],
    low: float,
    high: float,
    split: str,
    axis: str,
    when: str = "true",
    aside: float = 0.0,
) -> Any:
    """Lines of the closed-form predictors between `low` and `high`, each with its name. `when`: an expression;
    while it is false they lie unseen at `aside`, among what is shown: no axis has an extent of absent lines."""
    import altair as alt

    known = [rung for rung in reference_values(tables.get("reference"), split) if low <= rung.value <= high]
    if not known:
        return None
    rows = [{"predictor": rung.label, "mse": rung.value, "line": rung.line} for rung in known]
    base = alt.Chart(values(pd.DataFrame(rows), ["predictor", "mse", "line"])).transform_calculate(
        at=f"{when} ? datum.mse : {aside!r}"
    )
    place = {
        axis: (alt.Y if axis == "y" else alt.X)("at:Q"),
        "opacity": alt.condition(when, alt.value(1), alt.value(0)),
    }
    lines = base.mark_rule(strokeDash=[4, 3], color=RULE).encode(
        **place, tooltip=["predictor:N", number("mse", "MSE")]
    )
    beside: dict[str, Any] = (
        {"align": "right", "baseline": "bottom"} if axis == "y" else {"align": "left", "dx": 3}
    )
    edge = {"x": alt.value("width")} if axis == "y" else {"y": alt.value(6)}
    names = base.mark_text(fontSize=11, color=RULE, **beside).encode(**place, **edge, text="predictor:N")
    return alt.layer(lines, names)


def layer(*charts: Any, height: int) -> Any:
    import altair as alt

    return alt.layer(*(chart for chart in charts if chart is not None)).properties(height=height)
