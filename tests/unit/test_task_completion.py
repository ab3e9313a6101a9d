"""Completion: the released ensemble's moments, the reference predictors, and streams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ired.base.streams import Streams
from ired.tasks.base import Predictor, ProblemSet
from ired.tasks.completion import Completion, CompletionSettings

RELEASED_TASK = Completion(CompletionSettings(n=20))
SOLVABLE = Completion(CompletionSettings(n=20, rank=2, noise=0.01, observed=0.6))

# Mean and standard error over 100,000 samples of the released definition, by numpy in float64 (n = 20): factors of
# ten columns, their product over 20 (out of distribution: 5), noise of 0.1 added before the mask, the mask a
# rounded uniform number. Spectral 4 and 6: the sums of the singular values' 4th and 6th powers over n^2; they know
# the rank, which moments of single entries hardly do.
RELEASED = {
    ("id", "condition1"): (-8.56618e-06, 2.1e-05),
    ("id", "condition2"): (0.0174988, 8.5e-06),
    ("id", "condition3"): (-5.08952e-06, 3.3e-06),
    ("id", "condition4"): (0.00202444, 2.3e-06),
    ("id", "solution1"): (-6.65095e-06, 3e-05),
    ("id", "solution2"): (0.0349973, 1.4e-05),
    ("id", "solution3"): (-7.8732e-06, 4.6e-06),
    ("id", "solution4"): (0.00405155, 3.7e-06),
    ("id", "condition x solution"): (0.0174988, 8.5e-06),
    ("id", "condition spectral4"): (0.0162559, 1.9e-05),
    ("id", "condition spectral6"): (0.0216263, 4.6e-05),
    ("id", "solution spectral4"): (0.0778461, 8e-05),
    ("id", "solution spectral6"): (0.247557, 0.00046),
    ("ood", "condition1"): (-2.10152e-05, 7.2e-05),
    ("ood", "condition2"): (0.204874, 0.00012),
    ("ood", "condition3"): (-0.000145868, 0.00015),
    ("ood", "condition4"): (0.299584, 0.0004),
    ("ood", "solution1"): (-0.000106162, 0.0001),
    ("ood", "solution2"): (0.409921, 0.0002),
    ("ood", "solution3"): (-0.000328056, 0.00021),
    ("ood", "solution4"): (0.599729, 0.00068),
    ("ood", "condition x solution"): (0.204874, 0.00012),
    ("ood", "condition spectral4"): (2.55704, 0.0035),
    ("ood", "condition spectral6"): (47.1999, 0.12),
    ("ood", "solution spectral4"): (13.9646, 0.017),
    ("ood", "solution spectral6"): (653.542, 1.4),
}


def problems(task: Completion, count: int, split: str = "id", seed: int = -20) -> ProblemSet:
    condition, solution = task.draw(Streams([seed], step=0), count, split)
    return ProblemSet(condition[0], solution[0])


def statistics(drawn: ProblemSet) -> dict[str, np.ndarray]:
    """Per sample, (N,): moments of the entries and of the singular values."""
    result = {}
    flat: dict[str, Tensor] = {"condition": drawn.condition.double(), "solution": drawn.solution.double()}
    for name, x in flat.items():
        result |= {f"{name}{k}": x.pow(k).mean(1).numpy() for k in (1, 2, 3, 4)}
        values = np.linalg.eigvalsh((square := x.unflatten(1, (20, 20))).mT.matmul(square).numpy())
        result |= {f"{name} spectral{2 * k}": (values**k).sum(1) / 400 for k in (2, 3)}
    return result | {"condition x solution": (flat["condition"] * flat["solution"]).mean(1).numpy()}


@pytest.mark.parametrize("split", ["id", "ood"])
def test_moments_are_those_of_the_released_definition_and_their_closed_forms(split: str) -> None:
    ours = statistics(problems(RELEASED_TASK, 20_000, split))
    square, rank, noise = {"id": 1 / 400, "ood": 1 / 25}[split], 10, 0.01
    second = square * rank + noise
    # The product of two Gaussian rows is Gaussian given one of them, and E |v|^4 = r (r + 2).
    fourth = 3 * (square**2 * rank * (rank + 2) + 2 * square * rank * noise + noise**2)
    law = {"solution2": second, "condition2": second / 2, "condition x solution": second / 2}
    law |= {"solution4": fourth, "condition4": fourth / 2}
    assert set(ours) == {name for where, name in RELEASED if where == split}
    for name, values in ours.items():
        mean, se = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
        released, released_se = RELEASED[split, name]
        assert abs(mean - released) < 4 * np.hypot(se, released_se), name
        if "spectral" not in name:
            assert abs(mean - law.get(name, 0)) < 4 * se, name


def test_an_entry_is_given_exactly_or_is_zero_and_the_mask_is_a_fair_coin() -> None:
    drawn = problems(RELEASED_TASK, 2000)
    known = drawn.condition != 0
    assert torch.equal(drawn.condition[known], drawn.solution[known])
    assert float(known.double().mean()) == pytest.approx(0.5, abs=4 * 0.5 / 800_000**0.5)
    assert (drawn.solution != 0).all()


def test_the_mask_as_a_second_channel_is_the_one_read_off_the_zeros() -> None:
    given = Completion(CompletionSettings(n=20, mask_given=True))
    with_mask, without = problems(given, 50), problems(RELEASED_TASK, 50)
    assert given.condition_shape == (2, 20, 20) and with_mask.condition.shape == (50, 800)
    assert torch.equal(with_mask.solution, without.solution)
    for ours, other in zip(
        given.known(with_mask.condition), RELEASED_TASK.known(without.condition), strict=True
    ):
        assert torch.equal(ours, other)


def test_the_residual_is_the_distance_from_the_known_entries_alone() -> None:
    drawn = problems(SOLVABLE, 30)
    known = (drawn.condition != 0).float()
    assert SOLVABLE.residual(drawn.condition, drawn.solution + 5 * (1 - known)).max() == 0
    torch.testing.assert_close(
        SOLVABLE.residual(drawn.condition, drawn.solution + 2), 2 * known.sum(1).sqrt()
    )
    share = SOLVABLE.facts(drawn)["observed_share"]
    assert share == pytest.approx(float(known.mean())) and share == pytest.approx(0.6, abs=0.02)


def test_a_seed_in_a_pack_draws_what_it_draws_alone_and_no_other_step_does() -> None:
    pack, _ = SOLVABLE.draw(Streams([3, 4], step=7), 5, "id")
    alone, _ = SOLVABLE.draw(Streams([4], step=7), 5, "id")
    assert torch.equal(pack[1], alone[0])
    other, _ = SOLVABLE.draw(Streams([4], step=8), 5, "id")
    fit = SOLVABLE.ood_fit().condition[:5]
    rows = torch.cat([pack[0], pack[1], other[0], fit])
    assert len(rows.unique(dim=0)) == len(rows)


@pytest.fixture(scope="module")
def released_ladder() -> list[Predictor]:
    return RELEASED_TASK.predictors(problems(RELEASED_TASK, 2000, seed=-21))


# Measured on 5,000 matrices (docs/completion.md); soft-impute on 1,000 and the Bayesian estimate on 2,000 to 3,000.
@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (
            "id",
            {
                "zero": 0.0350,
                "copy": 0.0175,
                "polynomial3": 0.01640,
                "polynomial5": 0.01636,
                "relative_polynomial3": 0.01638,
                "soft_impute": 0.01627,
                "bayes": 0.01620,
            },
        ),
        (
            "ood",
            {
                "zero": 0.410,
                "copy": 0.205,
                "relative_polynomial3": 0.1753,
                "polynomial3_ood": 0.1753,
                "polynomial5_ood": 0.1706,
                "soft_impute": 0.1715,
                "bayes": 0.1553,
            },
        ),
    ],
)
def test_the_measured_ladder(
    released_ladder: list[Predictor], split: str, expected: dict[str, float]
) -> None:
    test = problems(RELEASED_TASK, 2000, split, seed=-22)
    ladder = {predictor.name: predictor for predictor in released_ladder}
    assert RELEASED_TASK.line in ladder and len(ladder) == len(released_ladder)
    copy = ladder["copy"].squared_error(test)
    for name, value in expected.items():
        count = {"soft_impute": 200, "bayes": 100}.get(name, len(test))
        error = ladder[name].squared_error(test.first(count))
        # Errors of one matrix go together, so that a difference from copy is far surer than either.
        apart = error - copy[:count] if name not in ("zero", "copy") else error
        reference = expected["copy"] if name not in ("zero", "copy") else 0
        se = apart.std(ddof=1) / np.sqrt(count)
        assert abs(apart.mean() + reference - value) < 4 * se + 1e-3 * value, name
        assert error.shape == (count,) and error.dtype == np.float64
    if split == "ood":
        assert ladder["polynomial3"].squared_error(test).mean() > 1.5  # coefficients of another scale


def test_the_prior_is_told_from_the_entries() -> None:
    assert RELEASED_TASK.split_of(problems(RELEASED_TASK, 3, "id")) == "id"
    assert RELEASED_TASK.split_of(problems(RELEASED_TASK, 3, "ood")) == "ood"


def test_spectral_coefficients_are_numpys_least_squares_on_singular_values() -> None:
    fit, test = problems(SOLVABLE, 40), problems(SOLVABLE, 20, seed=-25)

    def columns(drawn: ProblemSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known = drawn.condition.double().numpy().reshape(-1, 20, 20)
        u, s, vt = np.linalg.svd(known)
        terms = np.stack([(u * s[:, None] ** k) @ vt for k in (3, 5)], -1)
        return known == 0, terms, drawn.solution.double().numpy().reshape(-1, 20, 20)

    unknown, terms, solution = columns(fit)
    coefficients, *_ = np.linalg.lstsq(terms[unknown], solution[unknown])
    unknown, terms, solution = columns(test)
    expected = np.square((solution - terms @ coefficients) * unknown).mean((1, 2))
    ours = SOLVABLE.spectral(5, False, lambda: fit)
    np.testing.assert_allclose(ours.squared_error(test), expected, rtol=1e-6)
    assert ours.coefficients == 2
