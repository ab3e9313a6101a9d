"""The noise schedule: cosine (Nichol & Dhariwal 2021, eq. 17), its forward process and the descent's step
sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from ired.base.settings import Positive, Strict

if TYPE_CHECKING:
    from torch import Tensor


class ScheduleSettings(Strict):
    """The cosine schedule's shape."""

    timesteps: Annotated[int, Field(ge=2)] = 10
    cosine_offset: Positive = 0.008
    beta_max: Annotated[float, Field(gt=0, lt=1)] = 0.999


@dataclass(frozen=True)
class NoiseSchedule:
    """Per noise level t = 0 .. T-1, each of shape (T,), float32.

    alpha_bar: cumulative product of 1 - beta. sigma: sqrt(1 - alpha_bar).
    step_size: beta / sqrt(1 - alpha_bar), the energy descent's step (IRED's opt_step_size).
    """

    beta: Tensor
    alpha_bar: Tensor
    sigma: Tensor
    sqrt_alpha_bar: Tensor
    step_size: Tensor

    @property
    def levels(self) -> int:
        return len(self.beta)

    def noised(self, solution: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """y_t = sqrt(alpha_bar_t) X + sigma_t eps. Shapes: (..., D), (...), (..., D) -> (..., D)."""
        return self.sqrt_alpha_bar[t, None] * solution + self.sigma[t, None] * noise

    def predicted_solution(self, y: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The solution that noise would have led to y: (y - sigma_t eps) / sqrt(alpha_bar_t)."""
        return (y - self.sigma[t, None] * noise) / self.sqrt_alpha_bar[t, None]

    def to(self, device: torch.device | str) -> NoiseSchedule:
        """A copy on another device."""
        return NoiseSchedule(**{name: value.to(device) for name, value in vars(self).items()})


def noise_schedule(settings: ScheduleSettings) -> NoiseSchedule:
    """The cosine schedule of `settings`, computed in float64 and handed over in float32."""
    levels, offset = settings.timesteps, settings.cosine_offset
    time = torch.arange(levels + 1, dtype=torch.float64) / levels
    curve = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
    beta = (1 - curve[1:] / curve[:-1]).clamp(0, settings.beta_max)
    alpha_bar = torch.cumprod(1 - beta, 0)
    sigma = (1 - alpha_bar).sqrt()
    values = dict(
        beta=beta, alpha_bar=alpha_bar, sigma=sigma, sqrt_alpha_bar=alpha_bar.sqrt(), step_size=beta / sigma
    )
    return NoiseSchedule(**{name: value.float() for name, value in values.items()})
