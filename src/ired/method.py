"""The method as a text: IRED (Du, Mao, Tenenbaum, ICML 2024) in the order in which one would tell it. Read this first.

    E(A, y, t)              an energy: low where y is the noised answer to A
    grad_y E                predicts the noise in y, and so says where the answer lies
    training                makes that prediction right, and the energy of a negative higher than that of the truth
    answering               goes down the energy, from the noisiest level to the cleanest

Everything here is plain: the published network by torch's own functions, gradients by reverse differentiation,
one seed, no packs, no checkpoints. The engine computes the same numbers faster (a test compares them), and
`make bench` says by how much.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear, silu, softplus

from ired.base.streams import Streams
from ired.diffusion.schedule import NoiseSchedule, ScheduleSettings, noise_schedule
from ired.energy.base import Weights, time_features
from ired.tasks import Task

CLIP, MINING_STEPS, INFERENCE_STEPS = (
    2.0,
    2,
    5,
)  # bound of an answer; descent steps of mining, and of each level


class Method:
    """An energy with its weights, how it is trained, and how it answers. Shapes: B problems, answers of size D."""

    def __init__(
        self, task: Task, weights: Weights, seed: int, strategy: str = "none", rate: float = 1e-4
    ) -> None:
        """`weights`: those of the published network, without the pack dimension. `strategy`: none, random or
        adversarial."""
        self.task, self.strategy, self.streams = task, strategy, Streams([seed])
        self.weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
        self.adam = torch.optim.Adam(self.weights.values(), lr=rate, betas=(0.9, 0.99))
        self.schedule: NoiseSchedule = noise_schedule(ScheduleSettings())
        first = weights["time_mlp.1.weight"]
        self.features = time_features(self.schedule.levels, len(first)).to(first)

    def energy(self, condition: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E(A, y, t) = ||f(A, y, t)||^2, three layers of which two are scaled and shifted by the noise level: (B,)."""

        def layer(name: str, x: Tensor) -> Tensor:
            return linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

        level = layer("time_mlp.3", gelu(layer("time_mlp.1", self.features[t])))
        h = silu(layer("fc1", torch.cat([condition, y], -1)))
        for name in ("fc2", "fc3"):
            gain, shift = layer(f"t_map_{name}", level).chunk(2, -1)
            h = silu(layer(name, h) * (1 + gain) + shift)
        return layer("fc4", h).square().sum(-1)

    def energy_and_gradient(self, condition: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E and grad_y E, (B,) and (B, D); both can be differentiated by the weights."""
        point = y.detach().requires_grad_()
        energy = self.energy(condition, point, t)
        return energy, torch.autograd.grad(energy.sum(), point, create_graph=True)[0]

    def descend(self, condition: Tensor, y: Tensor, t: Tensor, steps: int) -> Tensor:
        """Steps down the energy; a step that would raise a sample's energy is not taken."""
        bound = CLIP * self.schedule.sqrt_alpha_bar[t, None]
        for _ in range(steps):
            energy, gradient = self.energy_and_gradient(condition, y, t)
            new = (y - self.schedule.step_size[t, None] * gradient).clamp(-bound, bound)
            lower = self.energy(condition, new, t) <= energy
            y = torch.where(lower[:, None], new, y).detach()
        return y

    def negative(self, condition: Tensor, solution: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """A wrong answer, noised as the right one is: Gaussian (`random`), or where the descent from a far too noisy
        truth ends (`adversarial`, IRED section 3.3)."""
        if self.strategy == "random":
            wrong = self.streams.normal("random_negatives", *solution.shape)[0]
        else:
            start = self.schedule.noised(solution, t, 3.0 * noise)
            mined = self.descend(condition, start, t, MINING_STEPS)
            wrong = mined / self.schedule.sqrt_alpha_bar[t, None]
        return self.schedule.noised(wrong.clamp(-CLIP, CLIP), t, noise)

    def loss(self, condition: Tensor, solution: Tensor) -> Tensor:
        """Denoising, mean (grad_y E - eps)^2, and half the contrast softplus(E(y+) - E(y-))."""
        t = self.streams.integers("levels", self.schedule.levels, len(solution))[0]
        noise = self.streams.normal("noise", *solution.shape)[0]
        _, gradient = self.energy_and_gradient(condition, self.schedule.noised(solution, t, noise), t)
        denoising = (gradient - noise).square().mean()
        if self.strategy == "none":
            return denoising
        noise = self.streams.normal("contrast_noise", *solution.shape)[0]
        positive = self.schedule.noised(solution, t, noise)
        negative = self.negative(condition, solution, t, noise)
        gap = self.energy(condition, positive, t) - self.energy(condition, negative, t)
        return denoising + 0.5 * softplus(gap).mean()

    def train(self, steps: int, batch: int) -> None:
        """Steps of Adam on fresh problems, the gradient's norm clipped at 1."""
        for step in range(steps):
            self.streams.at(step)
            condition, solution = (part[0] for part in self.task.draw(self.streams, batch, "id"))
            self.adam.zero_grad()
            self.loss(condition, solution).backward()
            torch.nn.utils.clip_grad_norm_(self.weights.values(), 1.0)
            self.adam.step()

    def answer(self, condition: Tensor, start: Tensor) -> Tensor:
        """Annealed inference (IRED, Algorithm 2) from noise (B, D): predict the answer, bring it to the level, go down
        the energy there, and on to the next level."""
        y = start
        for level in reversed(range(self.schedule.levels)):
            t = torch.full((len(condition),), level)
            root = self.schedule.sqrt_alpha_bar[level]
            _, gradient = self.energy_and_gradient(condition, y, t)
            guess = self.schedule.predicted_solution(y, t, gradient).clamp(-CLIP, CLIP).detach()
            y = self.descend(condition, guess * root, t, INFERENCE_STEPS)
            if level > 0:
                y = y / root * self.schedule.sqrt_alpha_bar[level - 1]
        return y / self.schedule.sqrt_alpha_bar[0]
