"""Addition: the released ensemble's moments, the sum, and streams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ired.base.streams import Streams
from ired.tasks.addition import Addition, AdditionSettings
from ired.tasks.base import ProblemSet

TASK = Addition(AdditionSettings(n=20))

# Mean and standard error over 100,000 samples of the released definition, by numpy in float64 (n = 20): uniform
# numbers on (-1, 1) or (-2.5, 2.5), twice 400 of them, and their sums.
RELEASED = {
    ("id", "condition1"): (9.08673e-05, 6.5e-05),
    ("id", "condition2"): (0.33337, 3.3e-05),
    ("id", "condition3"): (6.20392e-05, 4.2e-05),
    ("id", "condition4"): (0.200029, 3e-05),
    ("id", "solution1"): (0.000181735, 0.00013),
    ("id", "solution2"): (0.666737, 0.00012),
    ("id", "solution3"): (0.000438447, 0.00024),
    ("id", "solution4"): (1.06686, 0.00034),
    ("id", "first x second"): (-1.03721e-06, 5.3e-05),
    ("id", "first x solution"): (0.333416, 7.1e-05),
    ("ood", "condition1"): (-3.90844e-05, 0.00016),
    ("ood", "condition2"): (2.08331, 0.00021),
    ("ood", "condition3"): (-0.000173793, 0.00066),
    ("ood", "condition4"): (7.81211, 0.0012),
    ("ood", "solution1"): (-7.81688e-05, 0.00032),
    ("ood", "solution2"): (4.16574, 0.00078),
    ("ood", "solution3"): (-0.00211577, 0.0037),
    ("ood", "solution4"): (41.6478, 0.013),
    ("ood", "first x second"): (-0.000440507, 0.00033),
    ("ood", "first x solution"): (2.08287, 0.00044),
}


def statistics(condition: Tensor, solution: Tensor) -> dict[str, np.ndarray]:
    """Per sample, (N,): moments of the entries and products of entries in one place."""
    c, s = condition.double(), solution.double()
    first, second = c.unflatten(1, (2, -1)).unbind(1)
    moments = {
        f"{name}{k}": x.pow(k) for name, x in (("condition", c), ("solution", s)) for k in (1, 2, 3, 4)
    }
    moments |= {"first x second": first * second, "first x solution": first * s}
    return {name: value.mean(1).numpy() for name, value in moments.items()}


@pytest.mark.parametrize("split", ["id", "ood"])
def test_moments_are_those_of_the_released_definition_and_of_the_uniform_law(split: str) -> None:
    condition, solution = TASK.draw(Streams([11], step=0), 20_000, split)
    ours = statistics(condition[0], solution[0])
    bound = {"id": 1.0, "ood": 2.5}[split]
    law = {  # E x^2 = b^2 / 3, E x^4 = b^4 / 5; a sum of two has 2 b^2 / 3 and 2 b^4 / 5 + 6 b^4 / 9
        "condition2": bound**2 / 3,
        "condition4": bound**4 / 5,
        "solution2": 2 * bound**2 / 3,
        "solution4": 16 * bound**4 / 15,
        "first x solution": bound**2 / 3,
    }
    assert set(ours) == {name for where, name in RELEASED if where == split}
    for name, values in ours.items():
        mean, se = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
        released, released_se = RELEASED[split, name]
        assert abs(mean - released) < 4 * np.hypot(se, released_se), name
        assert abs(mean - law.get(name, 0)) < 4 * se, name


def test_the_solution_is_the_sum_of_the_two_matrices() -> None:
    condition, solution = TASK.draw(Streams([0, 1], step=5), 3, "ood")
    assert condition.shape == (2, 3, 800) and solution.shape == (2, 3, 400)
    assert condition.dtype == solution.dtype == torch.float32
    a, b = condition.numpy().reshape(2, 3, 2, 20, 20).transpose(2, 0, 1, 3, 4).astype(np.float64)
    np.testing.assert_allclose(solution.numpy().reshape(2, 3, 20, 20), a + b, atol=1e-6)
    assert TASK.residual(condition, solution).max() < 1e-5
    torch.testing.assert_close(TASK.residual(condition, solution + 1), torch.full((2, 3), 20.0))


def test_predictors_are_zero_and_the_sum() -> None:
    condition, solution = TASK.draw(Streams([2], step=0), 4000, "id")
    problems = ProblemSet(condition[0], solution[0])
    zero, total = TASK.predictors(problems)
    assert (zero.name, total.name) == ("zero", TASK.line)
    assert zero.squared_error(problems).mean() == pytest.approx(2 / 3, rel=0.01)
    assert zero.squared_error(problems).dtype == np.float64
    assert 0 < total.squared_error(problems).mean() < 1e-14


def test_a_seed_in_a_pack_draws_what_it_draws_alone_and_no_other_step_does() -> None:
    pack, _ = TASK.draw(Streams([3, 4], step=7), 5, "id")
    alone, _ = TASK.draw(Streams([4], step=7), 5, "id")
    assert torch.equal(pack[1], alone[0])
    other, _ = TASK.draw(Streams([4], step=8), 5, "id")
    rows = torch.cat([pack[0], pack[1], other[0]])
    assert len(rows.unique(dim=0)) == len(rows)
