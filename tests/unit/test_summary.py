"""The table that `make study` ends with, on a terminal of the narrowest usual width."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ired.base.errors import UserError
from ired.record.schema import TABLES
from ired.report.terminal import configured, first_experiment, result_table

SHIPPED = Path(__file__).parents[2] / "results" / "shipped"


@pytest.mark.parametrize("scale", ["laptop_mlp", "workstation_mlp"])
def test_a_variant_is_one_line_of_eighty_columns(scale: str) -> None:
    folder = SHIPPED / scale / "tables/strategies"
    summary, reference = (TABLES[name].read(folder / f"{name}.csv") for name in ("summary", "reference"))
    screen = io.StringIO()
    Console(file=screen, width=80).print(result_table(summary, reference))
    lines = screen.getvalue().splitlines()
    for variant, rows in summary.groupby("variant"):
        (line,) = (line for line in lines if f" {variant} " in line)
        assert len(line) <= 80
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        assert cells[:2] == [variant, str(rows["n"].iloc[0])]
        for cell, metric in zip(cells[2:], ("mse_id", "mse_ood"), strict=True):
            row = rows.set_index("metric").loc[metric]
            mean, interval = cell.split(" [")
            low, high = interval.rstrip("]").replace("−", "-").split(", ")
            half = (row["ci_high"] - row["ci_low"]) / 2
            for text, value in ((mean, row["mean"]), (low, row["ci_low"]), (high, row["ci_high"])):
                assert (
                    abs(float(text) - value) <= half / 7
                )  # half of the last decimal, which is half / 3.55 at most
    assert any("affine line" in line for line in lines)


def test_a_scale_is_answered_by_its_first_experiment(repository: Path) -> None:
    written, results = configured(repository / "config.yaml"), repository / "results"
    assert first_experiment(written, written["scale"], results) == "strategies"
    assert first_experiment(written, "shipped/completion", results) == "recipes"
    with pytest.raises(
        UserError, match=r"unknown scale 'completoin'; valid: smoke.*Did you mean 'completion'"
    ):
        first_experiment(written, "completoin", results)
    with pytest.raises(UserError, match=r"none\.yaml"):
        configured(repository / "none.yaml")
