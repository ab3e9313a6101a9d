"""A training step as one would write it first: a matrix at a time in numpy, energies through layers,
gradients by reverse differentiation twice. What the engine is compared with; the arithmetic is the same."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ired.diffusion.schedule import NoiseSchedule, ScheduleSettings, noise_schedule


class PlainEnergy(nn.Module):
    """The reference energy in the library's own layers."""

    def __init__(self, n: int, hidden: int, features: int = 128) -> None:
        super().__init__()
        d = n * n
        self.features = features
        self.time = nn.Sequential(nn.Linear(features, features), nn.GELU(), nn.Linear(features, features))
        self.fc1, self.fc2 = nn.Linear(2 * d, hidden), nn.Linear(hidden, hidden)
        self.fc3, self.fc4 = nn.Linear(hidden, hidden), nn.Linear(hidden, d)
        self.map2, self.map3 = nn.Linear(features, 2 * hidden), nn.Linear(features, 2 * hidden)

    def forward(self, condition: Tensor, y: Tensor, t: Tensor) -> Tensor:
        half = self.features // 2
        phase = t[:, None] * torch.exp(-math.log(10000) / (half - 1) * torch.arange(half))
        embedding = self.time(torch.cat([phase.sin(), phase.cos()], -1))
        h = F.silu(self.fc1(torch.cat([condition, y], -1)))
        for layer, mapping in ((self.fc2, self.map2), (self.fc3, self.map3)):
            gain, shift = mapping(embedding).chunk(2, -1)
            h = F.silu(layer(h) * (gain + 1) + shift)
        return self.fc4(h).square().sum(-1)

    def gradient(self, condition: Tensor, y: Tensor, t: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            point = y.detach().requires_grad_(True)
            energy = self(condition, point, t)
            return energy, torch.autograd.grad(energy.sum(), point, create_graph=keep)[0]


class PlainLoop:
    """A model, its Adam and one step of training on one strategy."""

    def __init__(self, n: int, hidden: int, batch: int, strategy: str) -> None:
        self.n, self.batch, self.strategy = n, batch, strategy
        self.model = PlainEnergy(n, hidden)
        self.adam = torch.optim.Adam(self.model.parameters(), lr=1e-4, betas=(0.9, 0.99))
        self.schedule: NoiseSchedule = noise_schedule(ScheduleSettings())
        self.rng = np.random.default_rng(0)

    def sample(self) -> tuple[np.ndarray, np.ndarray]:
        """One matrix and its inverse."""
        r = self.rng.uniform(-1, 1, (self.n, self.n))
        a = 2 * r @ r.T + 0.5 * np.eye(self.n)
        return a.ravel(), np.linalg.inv(a).ravel()

    def data(self) -> tuple[Tensor, Tensor]:
        pairs = [self.sample() for _ in range(self.batch)]
        condition, solution = (torch.from_numpy(np.stack(part)).float() for part in zip(*pairs, strict=True))
        return condition, solution

    def negative(self, condition: Tensor, solution: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        root = self.schedule.sqrt_alpha_bar[t, None]
        if self.strategy == "random":
            return self.schedule.noised(torch.randn_like(solution).clamp(-2, 2), t, noise)
        y = self.schedule.noised(solution, t, 3.0 * noise)
        for _ in range(2):
            energy, gradient = self.model.gradient(condition, y, t, keep=False)
            new = (y - self.schedule.step_size[t, None] * gradient).clamp(-2 * root, 2 * root)
            worse = self.model(condition, new, t) > energy
            y = torch.where(worse[:, None], y, new).detach()
        return self.schedule.noised((y / root).clamp(-2, 2), t, noise)

    def step(self) -> None:
        condition, solution = self.data()
        t, noise = torch.randint(10, (self.batch,)), torch.randn_like(solution)
        _, gradient = self.model.gradient(condition, self.schedule.noised(solution, t, noise), t, keep=True)
        loss = F.mse_loss(gradient, noise)
        if self.strategy != "none":
            noise = torch.randn_like(solution)
            negative = self.negative(condition, solution, t, noise)
            twice = (
                torch.cat([condition, condition]),
                torch.cat([self.schedule.noised(solution, t, noise), negative]),
            )
            low, high = self.model(*twice, torch.cat([t, t])).chunk(2)
            loss = loss + 0.5 * F.softplus(low - high).mean()
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.adam.step()
