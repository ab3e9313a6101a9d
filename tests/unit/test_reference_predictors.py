"""The ladder of closed-form predictors against matrices, and against the figures measured for this
ensemble."""

from __future__ import annotations

import numpy as np
import pytest

from factories import inversion
from ired.tasks import ProblemSet
from ired.tasks.held_out import HeldOut, draw_split
from ired.tasks.inversion import (
    eigenvalues,
    fit_polynomial,
    newton_schulz,
    newton_schulz_start,
    spectral_error,
)
from ired.tasks.reference import measure, reference_table


def ladder(n: int, count: int) -> dict[tuple[str, str], float]:
    settings = HeldOut(fit_matrices=count, test_matrices=count)
    task = inversion(n=n)
    sets = {split: draw_split(split, task, settings) for split in ("fit", "test_id", "test_ood")}
    table = reference_table(
        task, measure(task, sets["fit"], {"id": sets["test_id"], "ood": sets["test_ood"]})
    )
    assert len(table) == 2 * 13
    return {(row.predictor, row.split): row.mse for row in table.itertuples()}


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (
            20,
            {
                "zero": 0.0207,
                "mean": 0.0142,
                "affine": 0.00956,
                "polynomial2": 0.00653,
                "polynomial3": 0.00452,
                "polynomial6": 0.0016,
            },
        ),
        (6, {"zero": 0.125, "mean": 0.063, "affine": 0.0305, "polynomial2": 0.0156, "polynomial3": 0.0084}),
    ],
)
def test_the_measured_ladder(n: int, expected: dict[str, float]) -> None:
    mse = ladder(n, 4000)
    for predictor, value in expected.items():
        assert mse[predictor, "id"] == pytest.approx(value, rel=0.03), predictor
    assert mse["exact", "id"] < 1e-12 < mse["newton_schulz8", "id"]
    steps = [mse[f"newton_schulz{k}", "id"] for k in (4, 5, 6, 8)]
    assert steps == sorted(steps, reverse=True)
    if n == 20:
        assert mse["affine", "ood"] == pytest.approx(0.207, rel=0.03)
        assert mse["newton_schulz6", "id"] == pytest.approx(0.002, rel=0.2)


@pytest.fixture(scope="module")
def matrices() -> ProblemSet:
    return draw_split("fit", inversion(n=5), HeldOut(fit_matrices=60))


def test_the_eigenvalue_fit_is_the_least_squares_fit_over_matrices(matrices: ProblemSet) -> None:
    """The same problem with powers of the matrices as columns, solved by numpy in float64."""
    a, x = (m.double().numpy().reshape(-1, 5, 5) for m in (matrices.condition, matrices.solution))
    powers = np.stack([np.linalg.matrix_power(a, k).ravel() for k in range(3)], 1)
    coefficients, *_ = np.linalg.lstsq(powers, x.ravel(), rcond=None)
    direct = np.square(x.ravel() - powers @ coefficients).mean()
    quadratic = next(p for p in inversion(n=5).predictors(matrices) if p.name == "polynomial2")
    assert quadratic.squared_error(matrices).mean() == pytest.approx(direct, rel=1e-5)
    assert quadratic.coefficients == 3


def test_newton_schulz_on_eigenvalues_is_the_iteration_on_matrices(matrices: ProblemSet) -> None:
    values = eigenvalues(matrices)
    start = newton_schulz_start(values)
    a, x = (m.double().numpy().reshape(-1, 5, 5) for m in (matrices.condition, matrices.solution))
    y = np.broadcast_to(start * np.eye(5), a.shape)
    for _ in range(4):
        y = y @ (2 * np.eye(5) - a @ y)
    ours = spectral_error(values, newton_schulz(4, start)).sum(1) / 25
    np.testing.assert_allclose(ours, np.square(y - x).mean((1, 2)), rtol=1e-4, atol=1e-10)


def test_a_polynomial_of_high_degree_interpolates() -> None:
    values = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(fit_polynomial(values, 2)(values), 1 / values)
