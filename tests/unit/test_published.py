"""The published record: its loader, and that the page about it quotes what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_tables import PUBLISHED, record

from ired.base.errors import UserError
from ired.figures.published_reproduced import PUBLISHED_LINES
from ired.record import schema
from ired.record.published import read_published
from ired.statistics import contrast
from ired.tables.published_table import Source, as_markdown, published_table
from synthetic_tables import make_tables, write_tables

PAGE = Path(__file__).parents[2] / "docs" / "published_record.md"


def test_the_record_has_the_shape_of_runs() -> None:
    table = record()
    assert tuple(table.columns) == schema.RUNS.names
    assert table.groupby("variant")["seed"].agg(list).map(sorted).tolist() == [list(range(10))] * 3
    assert set(table["test_matrices"]) == {5632} and set(table["n"]) == {20}
    assert table["mse_validation"].between(0.0096, 0.0099).all()


def test_the_page_quotes_the_generated_sentences() -> None:
    page = PAGE.read_text(encoding="utf-8")
    comparisons = [("adversarial", "none"), ("random", "none"), ("adversarial", "random")]
    for sentence in contrast(record(), comparisons, margin=0.01)["sentence"]:
        assert f"> {sentence}\n" in page


def test_a_missing_or_changed_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        read_published(tmp_path / "none.csv")
    pd.read_csv(PUBLISHED).rename(columns={"value": "figure"}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UserError, match="without the column value"):
        read_published(tmp_path / "other.csv")


def test_the_line_beside_the_published_values_is_that_of_the_ensemble() -> None:
    """100,000 matrices of each kind, drawn and fitted here by numpy alone."""
    rng, n, count = np.random.default_rng(5), 20, 100_000
    spectra = {}
    for split, diagonal in (("id", 0.5), ("ood", 0.1)):
        r = rng.uniform(-1, 1, (count, n, n))
        spectra[split] = np.linalg.eigvalsh(2 * r @ r.transpose(0, 2, 1)) + diagonal
    slope, offset = np.polyfit(spectra["id"].ravel(), 1 / spectra["id"].ravel(), 1)
    for split, values in spectra.items():
        error = np.square(1 / values - offset - slope * values).sum(1) / n**2
        assert abs(error.mean() - PUBLISHED_LINES["inversion"][1][split]) < 3 * error.std() / count**0.5, (
            split
        )


def test_the_line_beside_the_published_completions_is_that_of_copying() -> None:
    """100,000 matrices of each kind, drawn here by numpy alone: a masked entry costs its square."""
    rng, n, count = np.random.default_rng(6), 20, 100_000
    for split, scale in (("id", 0.05), ("ood", 0.2)):
        factors = rng.standard_normal((2, count, n, 10), dtype=np.float32)
        m = scale * (factors[0] @ factors[1].transpose(0, 2, 1)) + 0.1 * rng.standard_normal((count, n, n))
        error = np.square(m * (rng.random((count, n, n)) < 0.5)).mean((1, 2))
        assert abs(error.mean() - PUBLISHED_LINES["completion"][1][split]) < 3 * error.std() / count**0.5, (
            split
        )


def test_what_clipping_costs_an_addition() -> None:
    """Sums of two uniforms on (-2.5, 2.5), clipped at 2: 0.54, and nothing in distribution."""
    rng = np.random.default_rng(7)
    for bound, cost in ((1.0, 0.0), (2.5, 0.54)):
        total = rng.uniform(-bound, bound, (2, 4_000_000)).sum(0)
        error = np.square(total - total.clip(-2, 2))
        assert abs(error.mean() - cost) <= 3 * error.std() / error.size**0.5


def test_the_published_table_of_the_page_is_that_of_the_shipped_tables() -> None:
    root = PAGE.parents[1]
    rule = (root / "workflow/rules/published_table.smk").read_text()
    problems = re.findall(r'^    "(.*)": \("(\w+)", "(\w+)", (?:"(\w+)"|None)\),$', rule, re.MULTILINE)
    assert len(problems) == 4
    sources = [
        Source(name, task, folder / "reference.csv", folder / experiment if experiment else None)
        for name, task, scale, experiment in problems
        for folder in [root / "results/shipped" / scale / "tables"]
    ]
    page = (root / "docs/published_table.md").read_text(encoding="utf-8")
    shown = page[page.index("<!-- What follows") :].split("\n", 1)[1].strip()
    assert shown == as_markdown(published_table(sources, PUBLISHED)).strip()


def test_a_second_problem_of_a_task_has_no_published_rows(tmp_path: Path) -> None:
    """The paper reports one completion, not its variant that can be solved."""
    tables = make_tables()
    folder = write_tables(tables, tmp_path, "laptop", "strategies")
    sources = [
        Source(name, "inversion", folder / "reference.csv", trained)
        for name, trained in (("first", folder), ("second", None))
    ]
    table = published_table(sources, tmp_path / "published/published_results.csv")
    kinds = table.groupby("problem")["kind"].unique().map(set)
    assert kinds["first"] == {"published", "reference", "trained"}
    assert kinds["second"] == {"reference"}
    ired = table.query("kind == 'published' and name == 'IRED'").set_index("split")["mse"]
    assert ired.to_dict() == {"id": 0.0095, "ood": 0.2063}
    trained = table.query("kind == 'trained' and split == 'ood'").set_index("name")["mse"]
    summary = tables["summary"].query("metric == 'mse_ood'").set_index("variant")["mean"]
    assert trained.to_dict() == pytest.approx(summary.to_dict())
