"""IRED's Table 1 beside the reference predictors and the trained networks, on the same test sets."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ired.base.format_numbers import number, with_interval
from ired.record import schema
from ired.record.metrics import SPLITS, TEST_METRICS

KINDS = {
    "published": "IRED, Table 1",
    "reference": "reference predictor",
    "trained": "this project's network",
}
METHODS = {"ired": "IRED", "irem": "IREM"}


class Source(NamedTuple):
    """One problem's tables: `name` heads its part, `reference` is reference.csv, `trained` the folder of an
    experiment's tables on the same test sets, if there is one."""

    name: str
    task: str
    reference: Path
    trained: Path | None


def published_table(sources: Sequence[Source], published: Path) -> pd.DataFrame:
    """published_table.csv: every problem's published values, predictors and networks, a row each and test set.

    Raises:
        FileFault: a table is missing or cannot be used.
    """
    paper = schema.PUBLISHED.read(published)
    paper = paper[(paper["source"] == "ired-paper") & (paper["table"].astype(str) == "1")]
    claimed: set[str] = set()
    rows: list[dict[str, Any]] = []
    for source in sources:
        # A second problem of the same task is not what the paper reports on.
        own = paper[paper["task"] == source.task] if source.task not in claimed else paper.iloc[:0]
        claimed.add(source.task)
        found = [*_published(own), *_predictors(schema.REFERENCE.read(source.reference))]
        if source.trained:
            found += _trained(schema.TABLES["summary"].read(source.trained / "summary.csv"))
        rows += [{"problem": source.name, "task": source.task} | row for row in found]
    return schema.PUBLISHED_TABLE.frame(rows)


def _row(kind: str, name: str, split: str, mse: float, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("line", "ci_low", "ci_high", "mse_se", "seeds", "matrices"))
    return {"kind": kind, "name": name, "split": split, "mse": mse} | empty | {"line": False} | more


def _published(paper: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in paper.to_dict("records"):
        yield _row("published", METHODS.get(row["method"], row["method"]), row["split"], row["value"])


def _predictors(reference: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Those that have a label; what the others say is in reference.csv."""
    for row in reference[reference["label"].notna()].to_dict("records"):
        more = {"line": bool(row["line"]), "mse_se": row["mse_se"], "matrices": row["matrices"]}
        yield _row("reference", row["label"], row["split"], row["mse"], **more)


def _trained(summary: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in summary[summary["metric"].isin(TEST_METRICS)].to_dict("records"):
        more = {"ci_low": row["ci_low"], "ci_high": row["ci_high"], "seeds": row["n"]}
        yield _row("trained", row["variant"], TEST_METRICS[row["metric"]], row["mean"], **more)


def as_markdown(table: pd.DataFrame) -> str:
    """The table for people: a part per problem, a row per predictor, a column per test set."""
    lines = []
    for problem, part in table.groupby("problem", sort=False):
        lines += [f"### {problem}", "", f"| | | {' | '.join(SPLITS.values())} |", "|---|---|---|---|"]
        for (kind, name), rows in part.groupby(["kind", "name"], sort=False):
            by_split = {row["split"]: _cell(row) for row in rows.to_dict("records")}
            cells = [by_split.get(split, "") for split in SPLITS]
            shown = f"**{name}**" if rows["line"].any() else name
            lines.append(f"| {KINDS[str(kind)]} | {shown} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(row: dict[Hashable, Any]) -> str:
    if row["kind"] == "trained":
        mean, low, high = with_interval(row["mse"], row["ci_low"], row["ci_high"])
        return f"{mean} [{low}, {high}]" if row["seeds"] > 1 else mean
    if row["kind"] == "reference" and row["mse_se"] > 0:
        return f"{number(row['mse'])} ± {row['mse_se']:.1g}"
    return f"{row['mse']:g}"
