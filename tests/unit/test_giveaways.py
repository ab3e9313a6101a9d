"""What gives a negative away: known scalars, the AUC by counting, a control that shows which object is blind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from factories import generator, inversion, tiny_config
from ired.base.streams import Streams
from ired.diagnostics.conditioning import conditioning, samples
from ired.diagnostics.giveaways import auc, giveaways, of_level, rank_one, scalars
from ired.diagnostics.subject import Level
from ired.job.build import build_engine
from ired.tasks import ProblemSet

COUNT = 400


def problems(n: int, count: int = COUNT) -> ProblemSet:
    return ProblemSet(*(x[0] for x in inversion(n=n).draw(Streams([0], step=0), count, "id")))


def noised(solution: torch.Tensor, ratio: float, seed: int) -> torch.Tensor:
    return solution + ratio * torch.randn(solution.shape, generator=generator(seed))


@pytest.mark.parametrize("n", [6, 20])
@pytest.mark.parametrize("ratio", [1.0, 20.0])
def test_only_the_solution_can_show_a_singular_negative(n: int, ratio: float) -> None:
    """A matrix of rank 1 stands in the negative's place, noised as from level 4 on: the solution's condition number
    tells every one, the noised matrix's next to none. A diagnostic that looks at noised matrices alone is blind."""
    truth = problems(n).solution
    control = rank_one(truth.double())
    torch.testing.assert_close(control.norm(dim=-1), truth.double().norm(dim=-1))
    seen, seen_noised = noised(control, ratio, 1), noised(truth, ratio, 1)
    rows = {row["scalar"]: row for row in giveaways(truth, control, seen_noised, seen)}
    assert rows["log10_cond"]["auc"] > 0.999 and rows["sigma_min"]["auc"] < 0.001
    assert rows["rank"]["auc"] < 0.001
    assert abs(rows["log10_cond"]["auc_noised"] - 0.5) < 0.12
    for row in rows.values():  # what stands in the negative's place is the control itself
        assert row["auc_noised"] == pytest.approx(row["auc_noised_control"], abs=1e-3)


def test_an_honest_negative_is_not_called_singular() -> None:
    """Truths of other matrices in the negative's place: every number is at chance, and the control still at one."""
    drawn = problems(6, 2 * COUNT).solution
    one, other = drawn[:COUNT], drawn[COUNT:]
    rows = {r["scalar"]: r for r in giveaways(one, other, noised(one, 1.0, 1), noised(other, 1.0, 2))}
    error = 4 * (1 / (6 * COUNT)) ** 0.5  # of an AUC at chance
    for name in ("log10_cond", "sigma_min", "log_abs_det", "norm", "rank"):
        assert rows[name]["auc"] == pytest.approx(0.5, abs=error), name
    assert rows["log10_cond"]["auc_control"] > 0.999


def test_the_auc_is_a_count_of_pairs() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 9, 40).astype(float), random.integers(2, 12, 30).astype(float)
    counted = np.mean([(a > b) + 0.5 * (a == b) for a in one for b in other])
    assert auc(torch.tensor(one), torch.tensor(other)) == pytest.approx(counted)


def test_scalars_of_known_matrices() -> None:
    skew = torch.tensor([[0.0, 2.0, -2.0, 0.0]])
    found = scalars(torch.cat([torch.diag(torch.tensor([4.0, 0.5])).flatten()[None], skew]))
    assert found["log_abs_det"].exp().tolist() == pytest.approx([2, 4])
    assert found["log10_cond"].tolist() == pytest.approx([np.log10(8), 0], abs=1e-9)
    assert found["sigma_min"].tolist() == pytest.approx([0.5, 2])
    assert found["symmetry_defect"].tolist() == pytest.approx([0, 2])
    assert found["norm"].tolist() == pytest.approx([16.25**0.5, 8**0.5])
    assert found["rank"][1] == pytest.approx(2)
    assert found["spread"].tolist() == pytest.approx([(16 + 0.25 + 8) ** 0.5] * 2)


@pytest.mark.parametrize(("n", "network"), [(3, {}), (20, {"network": {"kind": "equivariant"}})])
def test_a_level_brings_solutions_and_noised_ones(n: int, network: dict) -> None:  # type: ignore[type-arg]
    """`truth` and `implied` are free of noise; at either network and size every number is there."""
    config = tiny_config(problem__n=n, **network)
    engine = build_engine(config, (0,))
    held_out = problems(n, 12)
    level = Level(engine.parts, engine.flat, held_out, 0, 9, 1)
    found = samples(level)
    assert torch.equal(found["truth"], held_out.solution)
    assert level.proposal is not None and torch.equal(found["implied"], level.proposal.solution[0])
    plain = conditioning(held_out.condition, found["truth"])
    assert (
        plain["residual_mean"] < 0.01 < conditioning(held_out.condition, found["positive"])["residual_mean"]
    )
    rows = of_level(level)
    assert len(rows) == 7 and all(np.isfinite(value) for row in rows for value in list(row.values())[1:])
