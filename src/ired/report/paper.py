"""Tables for a paper: an experiment's summary in LaTeX (booktabs), Markdown or CSV, rounded as its intervals allow.

Bold is a statement: only a variant whose contrast with the experiment's baseline is called better by the tables'
own verdict (Holm-adjusted over the family) is bold, never the smallest number as such.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from ired.base.format_numbers import MINUS, SUPERSCRIPTS, with_interval
from ired.record.metrics import LEVEL, METRICS, TEST_METRICS

BETTER = "better"
LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
PLAIN_DIGITS = {digit: character for character, digit in SUPERSCRIPTS.items()}


@dataclass(frozen=True)
class Entry:
    """A cell, and whether a test allows it to stand out."""

    text: str
    bold: bool = False


def rows_of(
    summary: pd.DataFrame, contrasts: pd.DataFrame, reference: pd.DataFrame
) -> tuple[list[str], list[list[Entry]]]:
    """Headings, and a row for each variant with its seeds and test errors; the line to beat last."""
    verdicts = contrasts[(contrasts["verdict"] == BETTER) & (contrasts["baseline"] == baseline_of(contrasts))]
    better = set(zip(verdicts["treatment"], verdicts["metric"], strict=True))
    rows = []
    for variant, measured in summary.groupby("variant", sort=False):
        by_metric = measured.set_index("metric")
        row = [Entry(str(variant)), Entry(f"{measured['n'].iloc[0]:.0f}")]
        for metric in TEST_METRICS:
            found = by_metric.loc[[metric]].iloc[0]
            mean, low, high = with_interval(found["mean"], found["ci_low"], found["ci_high"])
            told: str = mean if pd.isna(found["ci_low"]) else f"{mean} [{low}, {high}]"
            row.append(Entry(told, (variant, metric) in better))
        rows.append(row)
    line = reference[reference["line"].astype(bool)].set_index("split")
    ends = [Entry(f"{line['mse'][split]:#.4g}") for split in TEST_METRICS.values()]
    rows.append([Entry(f"{line['label'].iloc[0]} line"), Entry(""), *ends])
    return ["variant", "seeds", *(METRICS[m].short for m in TEST_METRICS)], rows


def baseline_of(contrasts: pd.DataFrame) -> str:
    """What the experiment's primary contrast compares with; empty for an experiment without contrasts."""
    primary = contrasts.loc[contrasts["primary"].astype(bool), "baseline"]
    return str(primary.iloc[0]) if len(primary) else ""


def note(summary: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """What the numbers are."""
    against = baseline_of(contrasts)
    bold = (
        f" Bold: better than {against} by a paired test, Holm-adjusted over the page's tests."
        if against
        else ""
    )
    return f"Mean over {int(summary['n'].max())} seeds with {LEVEL} t-interval; lower is better.{bold}"


def latex_text(text: str) -> str:
    """Text for LaTeX: special characters escaped, minus signs and powers of ten set as mathematics."""
    escaped = text.translate(LATEX).replace(MINUS, "$-$")
    return re.sub(
        r"× 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: rf"$\times$ $10^{{{m[1].translate(PLAIN_DIGITS)}}}$", escaped
    )


def latex(headings: Sequence[str], rows: Sequence[Sequence[Entry]], caption: str) -> str:
    """A booktabs table; needs \\usepackage{booktabs}. The line stands below a rule of its own."""
    lines = [r"\begin{tabular}{lr" + "r" * (len(headings) - 2) + "}", r"\toprule"]
    lines += [" & ".join(map(latex_text, headings)) + r" \\", r"\midrule"]
    for index, row in enumerate(rows):
        lines += [r"\midrule"] if index == len(rows) - 1 else []
        cells = [rf"\textbf{{{latex_text(e.text)}}}" if e.bold else latex_text(e.text) for e in row]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([f"% {caption}", *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[Entry]], caption: str) -> str:
    """A pipe table with its note below."""
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    for row in rows:
        cells = [f"**{e.text}**" if e.bold else e.text for e in row]
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join([*lines, "", caption]) + "\n"


def plain(headings: Sequence[str], rows: Sequence[Sequence[Entry]], caption: str) -> str:
    """CSV of the rounded cells; the numbers in full are in summary.csv."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([headings, *([e.text for e in row] for row in rows)])
    return buffer.getvalue()


FORMATS: dict[str, Callable[[Sequence[str], Sequence[Sequence[Entry]], str], str]] = {
    "latex": latex,
    "markdown": markdown,
    "csv": plain,
}
