"""Parity with numbers computed by the released IRED implementation (n = 4, float32, CPU).

IRED_REFERENCE names another file with the same keys.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ired.diffusion.descent import Descender, Inference, ReleaseCompat, annealed_levels
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.energy.mlp import MlpEnergy, MlpNetwork
from ired.negatives import STRATEGIES
from ired.tasks.inversion import residual_norm
from ired.training.objective import Contrast, Objective

FILE = Path(os.environ.get("IRED_REFERENCE", Path(__file__).parent / "data" / "ired_reference_rank4.npz"))
N, LEVELS = 4, 10
RELEASED = ReleaseCompat(shared_clip=True, doubled_step=True)


@pytest.fixture(scope="module")
def released() -> dict[str, Tensor]:
    with np.load(FILE) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def network() -> MlpEnergy:
    return MlpEnergy(MlpNetwork(hidden=512, time_features=128), (N, N), (N, N), LEVELS)


@pytest.fixture(scope="module")
def weights(released: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[2:]: value[None] for name, value in released.items() if name.startswith("w.")}


SCHEDULE = noise_schedule(ScheduleSettings(timesteps=LEVELS))


def close(ours: Tensor, theirs: Tensor, rtol: float = 1e-5, atol: float = 1e-5) -> None:
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol)


def test_weights_have_the_released_names_and_shapes(network: MlpEnergy, weights: dict[str, Tensor]) -> None:
    ours = {name: tuple(v.shape) for name, v in network.initial_weights(torch.Generator()).items()}
    assert ours == {name: tuple(v.shape[1:]) for name, v in weights.items()}


def test_schedule(released: dict[str, Tensor]) -> None:
    close(SCHEDULE.beta, released["betas"], atol=1e-7)
    close(SCHEDULE.alpha_bar, released["alphas_cumprod"], atol=1e-7)
    close(SCHEDULE.step_size, released["opt_step_size"], atol=1e-7)


def test_forward_noise(released: dict[str, Tensor]) -> None:
    close(SCHEDULE.noised(released["X"], released["t"], released["eps_denoise"]), released["y_t"])
    tripled = SCHEDULE.noised(released["X"], released["t"], 3.0 * released["eps_contrast"])
    close(tripled, released["negative_start"])


def test_energy_and_gradient(network: MlpEnergy, weights: dict, released: dict[str, Tensor]) -> None:
    energy = network.prepare(weights, released["A"][None], released["t"][None])
    value, gradient = energy.energy_and_gradient(released["y_t"][None])
    close(value[0, :, None], released["energy"])
    close(gradient[0], released["energy_grad"])
    close(energy.energy(released["y_t"][None]), value)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_descent(network: MlpEnergy, weights: dict, released: dict[str, Tensor], steps: int) -> None:
    """Under `release_compat`, every sample whose accept-or-reject decisions float32 can make at all.

    At t = 8 the fifth step changes the energy by 3e-7 of itself, the rounding of float32: float64 tells which
    samples those are, and there the point may be that of the step or of its rejection.
    """
    # The released numbers descend one noise level a call, so U1 does not act; here the batch mixes levels, so
    # it must be off.
    descender = Descender(SCHEDULE, 2.0, ReleaseCompat(doubled_step=True))
    start, t = released["negative_start"][None], released["t"][None]
    point = descender.descend(network.prepare(weights, released["A"][None], t), start, t, steps).point[0]
    double = {name: value.double() for name, value in weights.items()}
    exact = network.prepare(double, released["A"][None].double(), t)
    before, after = (
        exact.energy(descender.descend(exact, start.double(), t, count).point if count else start.double())
        for count in (steps - 1, steps)
    )
    change = (after - before).abs() / before
    decidable = (change[0] > 1e-6) | (change[0] == 0)
    assert decidable.sum() >= 18
    error = (point - released[f"descent_{steps}"]).abs().amax(1)
    assert error[decidable].max() < 1e-5
    assert error.max() < 0.005


def test_without_the_doubled_step_the_descent_differs_from_its_second_step_on(
    network: MlpEnergy, weights: dict, released: dict[str, Tensor]
) -> None:
    """U2 is ours by default and released under compat: equal after one step, apart after two."""
    energy = network.prepare(weights, released["A"][None], released["t"][None])
    descender = Descender(SCHEDULE, 2.0, ReleaseCompat())
    start, t = released["negative_start"][None], released["t"][None]
    close(descender.descend(energy, start, t, 1).point[0], released["descent_1"])
    error = (descender.descend(energy, start, t, 2).point[0] - released["descent_2"]).abs().amax(1)
    assert (error > 1e-2).float().mean() > 0.5


class ReleasedDraws:
    """The draws of the released loss: every t = 3, and its two noises."""

    def __init__(self, released: dict[str, Tensor]) -> None:
        self.noises = {"noise": released["eps_denoise"], "contrast_noise": released["eps_contrast"]}

    def integers(self, name: str, high: int, *shape: int) -> Tensor:
        return torch.full((1, *shape), 3)

    def normal(self, name: str, *shape: int) -> Tensor:
        return self.noises[name][None]


@pytest.mark.parametrize("strategy", ["none", "adversarial"])
def test_losses_and_their_parameter_gradients(
    network: MlpEnergy, weights: dict, released: dict[str, Tensor], strategy: str
) -> None:
    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    proposer = STRATEGIES[strategy](STRATEGIES[strategy].Settings(), Descender(SCHEDULE, 2.0, RELEASED))  # type: ignore[call-arg]
    contrast = None if strategy == "none" else Contrast(loss="nce", weight=0.5)
    objective = Objective(network, SCHEDULE, proposer, contrast, residual_norm)
    terms = objective(leaves, released["A"][None], released["X"][None], ReleasedDraws(released), 0.5)  # type: ignore[arg-type]
    close(terms.total[0], released[f"loss_{strategy}"])
    close(terms.denoise[0], released[f"loss_{strategy}_denoise"])
    if contrast:
        close(terms.contrast[0], released["loss_adversarial_contrast"])
    terms.total.sum().backward()
    for name in ("fc1.weight", "fc3.bias", "fc4.weight", "t_map_fc2.weight"):
        theirs = released[f"grad_{strategy}.{name}"].flatten()
        ours = leaves[name].grad[0].flatten()[: len(theirs)]  # type: ignore[index]
        assert theirs.abs().max() > 0.01
        close(ours, theirs, rtol=1e-4, atol=5e-6)


def test_inference_trajectory_and_the_undivided_return_value(
    network: MlpEnergy, weights: dict, released: dict[str, Tensor]
) -> None:
    """Near-equal at every level; U6: the released value is ours times sqrt(alpha_bar_0)."""
    descender = Descender(SCHEDULE, 2.0, RELEASED)
    start, condition = released["sample_init_noise"][None], released["A"][None]
    levels = annealed_levels(network, weights, condition, start, Inference(steps=5, clip=2.0), descender)
    solutions = [solution[0] for solution in levels]
    assert len(solutions) == LEVELS
    # In y, where the network lives. A step rejected or not by a rounding moves a sample by some 1e-3 (see
    # test_descent): it may happen to three of the twenty, and the others are equal.
    for index, (ours, theirs) in enumerate(zip(solutions, released["inference_trajectory"], strict=True)):
        error = (ours - theirs).abs().amax(1) * SCHEDULE.sqrt_alpha_bar[LEVELS - 1 - index]
        assert error.sort().values[-4] < 1e-5 and error.max() < 5e-3, index
    returned = solutions[-1] * SCHEDULE.sqrt_alpha_bar[0]
    assert (returned - released["inference_returned"]).abs().amax(1).sort().values[-4] < 1e-5
