"""Tables for a paper, two studies beside each other, and curves for other programs."""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

import ired
from ired.base.errors import UserError
from ired.record.event_files import export_tensorboard
from ired.record.schema import HISTORY, RUNS
from ired.record.schema.diagnostics import ENERGY_SHAPE
from ired.report.compare import compared
from ired.report.paper import Entry, latex, latex_text, rows_of
from ired.report.terminal import paper_table

SHIPPED = Path(__file__).parents[2] / "results/shipped"
TABLES = SHIPPED / "laptop/tables/strategies"


def test_bold_is_what_a_test_allows_and_not_the_smallest() -> None:
    tables = ired.read_tables("shipped/laptop", results=SHIPPED.parent)
    summary, contrasts, reference = (tables[n] for n in ("summary", "contrasts", "reference"))
    against_random = (contrasts["baseline"] == "random") & (contrasts["metric"] == "mse_ood")
    contrasts.loc[against_random, "verdict"] = "better"
    shown = rows_of(summary, contrasts, reference)[1]
    assert not any(cell.bold for cells in shown for cell in cells), "better than another than the baseline"
    contrasts["verdict"] = "undecided"
    row = (contrasts["treatment"] == "random") & (contrasts["metric"] == "mse_ood")

    def bold() -> list[tuple[str, int]]:
        rows = rows_of(summary, contrasts, reference)[1]
        return [(cells[0].text, i) for cells in rows for i, cell in enumerate(cells) if cell.bold]

    assert bold() == []
    contrasts.loc[row, "verdict"] = "better"
    assert bold() == [("random", 3)]
    contrasts.loc[row, "verdict"] = "better_within_margin"
    assert bold() == []


def test_the_three_forms_hold_the_same_numbers() -> None:
    rows = list(csv.reader(io.StringIO(paper_table(TABLES, "csv"))))
    pipes = paper_table(TABLES, "markdown").splitlines()
    assert [c.strip(" *") for c in pipes[2].strip("|").split("|")] == rows[1]
    text = paper_table(TABLES, "latex")
    assert r"\toprule" in text and text.count(r" \\") == len(rows)
    for row in rows:
        assert " & ".join(row) + r" \\" in re.sub(r"\\textbf{(.*?)}", r"\1", text)
    with pytest.raises(UserError, match="Did you mean 'latex'"):
        paper_table(TABLES, "latx")


def test_latex_takes_any_name() -> None:
    assert latex_text("a_b & 5 % {x}") == r"a\_b \& 5 \% \{x\}"
    assert (
        latex_text("8.04 × 10⁻⁵ [−1.00, 2.00 × 10⁻⁵]")
        == r"8.04 $\times$ $10^{-5}$ [$-$1.00, 2.00 $\times$ $10^{-5}$]"
    )
    assert r"\textbf{1}" in latex(["a", "b"], [[Entry("x"), Entry("1", True)]], "")


def test_two_studies_beside_each_other(tmp_path: Path) -> None:
    other = tmp_path / "laptop"
    runs = RUNS.read(TABLES / "runs.csv")
    lines = list(compared(SHIPPED / "laptop", SHIPPED / "laptop", "strategies"))
    assert f"{len(runs)} of these are equal to the last digit" in lines[2]
    assert all("0.00 %" in line or "0 %" in line for line in lines[4:])
    none = runs["variant"] == "none"
    before = runs.loc[none, "mse_id"].to_numpy(float)
    runs.loc[none, "mse_id"] *= 10
    RUNS.write(runs, other / "tables/strategies/runs.csv")
    lines = list(compared(SHIPPED / "laptop", other, "strategies"))
    assert f"{(~none).sum()} of these are equal" in lines[2]
    told = next(line for line in lines if line.startswith("none") and "ID MSE" in line)
    p = stats.ttest_ind(10 * before, before, equal_var=False).pvalue
    assert "+900 %" in told and told.endswith(f"p = {min(6 * p, 1):.2g}")
    runs["variant"] = "x"
    RUNS.write(runs, other / "tables/strategies/runs.csv")
    with pytest.raises(UserError, match="no variant of strategies in common"):
        list(compared(SHIPPED / "laptop", other, "strategies"))


def test_curves_as_event_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"step": 1, "loss_denoise": 0.5, "loss_contrast": np.nan, "mse_validation": np.nan},
        {"step": 2, "loss_denoise": 0.25, "loss_contrast": np.nan, "mse_validation": 0.125},
    ]
    HISTORY.write(rows, tmp_path / "history.csv")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r"pip install 'ired\[tensorboard\]'"):
        export_tensorboard(tmp_path, tmp_path / "out")

    written: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str) -> None: ...
        def __enter__(self) -> Writer:
            return self

        def __exit__(self, *_: object) -> None: ...
        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    assert export_tensorboard(tmp_path, tmp_path / "out") == 3
    assert written == [("loss_denoise", 0.5, 1), ("loss_denoise", 0.25, 2), ("mse_validation", 0.125, 2)]

    key = {"phase": 0.5, "step": 2, "matrices": 8}
    shape = {"scale": 1.5, "scale_predicted": np.nan, "displacement": 0.25}
    ENERGY_SHAPE.write([{**key, "t": t, **shape} for t in (0, 9)], tmp_path / "energy_shape.csv")
    del written[:]
    assert export_tensorboard(tmp_path, tmp_path / "out") == 7
    assert written[3:] == [
        (f"energy_shape/{name}/t{t}", value, 2)
        for t in (0, 9)
        for name, value in (("scale", 1.5), ("displacement", 0.25))
    ]
