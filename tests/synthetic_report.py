"""A small study on disk, laid out as the pipeline does, and its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ired.figures.toolkit.output import draw_figures
from ired.report import build
from synthetic_design import SWEEP, Design
from synthetic_tables import make_tables, write_tables

HEADLINE = [
    "Yes at equal steps; behind at equal compute.",
    "Adversarial negatives lower the error by 11 %.",
    "All three strategies are below the affine line.",
    "At equal compute the order reverses.",
]
EXPERIMENTS = {
    "main": ("strategy_comparison", "paired_differences", "energy_gap", "published_reproduced"),
    "opt_steps": ("sweep",),
}
DESIGNS = {"main": Design(), "opt_steps": Design(SWEEP, seeds=3)}
WORKFLOW = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="60"><text y="30">train, draw</text></svg>'
)


def build_report(
    results: Path, prepare: bool = True, compared: bool = True, headline: Sequence[str] = HEADLINE
) -> Path:
    """Write tables and figures below `results` (once is enough), then the report; return its path."""
    scale = results / "laptop"
    if prepare:
        for name, design in DESIGNS.items():
            _prepare(results, name, design)
    return build(
        scale / "tables",
        scale / "figures",
        scale / "report.html",
        "laptop",
        EXPERIMENTS,
        headline,
        {"scale": "laptop", "training": {"steps": 3000, "batch_size": 256}},
        results / "published" / "published_results.csv",
        WORKFLOW,
        {"opt_steps": "How many descent steps should mine a negative?"},
        compared,
    )


def _prepare(results: Path, name: str, design: Design) -> None:
    folder = write_tables(make_tables(design), results, "laptop", name)
    facts = {"commit": "0123456789abcdef", "packages": {"torch": "2.9"}, "runs": len(design.arms)}
    (folder / "provenance.json").write_text(json.dumps(facts))
    draw_figures(
        EXPERIMENTS[name],
        folder,
        results / "laptop" / "figures" / name,
        results / "published" / "published_results.csv",
    )
