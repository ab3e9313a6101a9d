"""The reported weights on other ensembles: an independent solve at another size, nothing where weights do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_runs import run

from factories import tiny_config
from ired.diagnostics.beyond import answer_madds, compute, drawn, exact_madds
from ired.diagnostics.subject import Subject
from ired.job.build import build_parts
from ired.tasks import build_task

EQUIVARIANT = {"kind": "equivariant"}


def subject(folder: Path, data: Path, **settings: object) -> Subject:
    return Subject(run(tiny_config(**settings), data, folder), data, 12)


def test_other_sizes_are_solved_by_the_very_weights(tmp_path: Path, sets: Path) -> None:
    own = subject(tmp_path, sets, network=EQUIVARIANT)
    table = compute(own)
    assert set(table["kind"]) == {"size", "diagonal", "steps"}
    assert {5, 40} <= set(table.loc[table["kind"] == "size", "n"])
    row = table[(table["kind"] == "size") & (table["n"] == 5)].iloc[0]
    config = own.config.model_copy(update={"problem": own.config.problem.model_copy(update={"n": 5})})
    solver = build_parts(config).solver((config.seed,), "cpu")
    problems = drawn(build_task(config.problem), 12, "test")
    errors = torch.cat(
        [(a[0] - x).double().square().mean(1) for _, x, a in solver.answers(own.reported, problems)]
    )
    assert row["mse"] == pytest.approx(errors.mean().item())
    # The line of that size, by its definition: the least squares a I + b A over its own fit set.
    fit = drawn(build_task(config.problem), 2000, "fit")
    a, x = (m.double().reshape(-1, 25) for m in (fit.condition, fit.solution))
    eye = torch.eye(5, dtype=torch.float64).reshape(1, 25).expand_as(a)
    design = torch.stack([eye.reshape(-1), a.reshape(-1)], 1)
    coefficients = torch.linalg.lstsq(design, x.reshape(-1, 1)).solution[:, 0]
    answers = coefficients[0] * eye[:12] + coefficients[1] * problems.condition.double()
    expected = (answers - problems.solution.double()).square().mean().item()
    assert row["line_mse"] == pytest.approx(expected, rel=1e-4)


def test_weights_of_one_size_have_no_other(tmp_path: Path, sets: Path) -> None:
    table = compute(subject(tmp_path, sets))
    assert set(table.loc[table["kind"] == "size", "n"]) == {tiny_config().problem.n}


def test_more_steps_cost_what_they_evaluate(tmp_path: Path, sets: Path) -> None:
    own = subject(tmp_path, sets, network=EQUIVARIANT)
    network, levels = own.parts.network, own.parts.schedule.levels
    counted = network.multiply_adds()
    added = answer_madds(own, network, 4) - answer_madds(own, network, 3)
    assert added == levels * (counted.energy + counted.gradient)
    assert exact_madds(10) == 1000
