"""The state that training changes, and the one step that changes it, for a pack of seeds as one batched
model."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.optim.adam import adam

from ired.base.streams import Streams, stream
from ired.energy import EnergyNetwork, WeightLayout, Weights
from ired.training.cuda_graph import CapturedUpdate
from ired.training.parts import Parts
from ired.training.precision import products
from ired.training.settings import Optimiser, Training


class Engine:
    """Weights, averages and optimiser of S seeds, and `advance`.

    Seeds never meet: every product is batched over the pack, every reduction is within a seed, so a seed that
    diverges leaves the others' numbers as they are. Nothing in `advance` waits for the device.
    """

    def __init__(
        self,
        parts: Parts,
        optimiser: Optimiser,
        training: Training,
        seeds: tuple[int, ...],
        device: torch.device | str = "cpu",
    ) -> None:
        self.parts, self.optimiser, self.training = parts, optimiser, training
        self.seeds, self.device = seeds, torch.device(device)
        self.task, self.network, self.strategy = parts.task, parts.network, parts.strategy
        self.objective = parts.objective(training.noise_draws)
        self._turns = parts.turns or ((parts.task, parts.network),)
        initial = [
            self.network.initial_weights(stream(seed, "weights"))
            for seed in training.seeds_of("weights", seeds)
        ]
        self.layout = WeightLayout(initial[0])
        flat = torch.stack([self.layout.flatten(weights) for weights in initial]).to(self.device)
        self.flat = flat.requires_grad_(True)
        self.average = flat.detach().clone()
        # The learning rate is a tensor so that a captured graph reads each step's value.
        self.learning_rate = torch.tensor(optimiser.learning_rate, device=self.device)
        self.contrast_weight = torch.zeros((), device=self.device)
        self.moments = {
            "step": torch.zeros((), device=self.device),
            "exp_avg": torch.zeros_like(self.average),
            "exp_avg_sq": torch.zeros_like(self.average),
        }
        self.streams = Streams(training.seeds_of("noise", seeds), self.device)
        self.problems = Streams(training.seeds_of("problems", seeds), self.device)
        self.solver = parts.solver(seeds, self.device)
        self.step = 0
        # Sums of the denoising loss and the contrast since the last `take_losses`, and the step at which a
        # seed diverged (-1: it has not).
        self.loss_sums = torch.zeros(2, len(seeds), dtype=torch.float64, device=self.device)
        self.loss_count = 0
        self.diverged_at = torch.full((len(seeds),), -1, dtype=torch.int64, device=self.device)
        # A graph has one shape.
        one_size = len(self._turns) == 1
        self._captured = CapturedUpdate() if self.device.type == "cuda" and one_size else None

    def advance(self) -> None:
        """One training step: draw, differentiate, clip, update, average."""
        self.streams.at(self.step)
        self.learning_rate.fill_(self._learning_rate_now())
        self.contrast_weight.fill_(self.parts.contrast_weight(self.step))
        task, _ = self._turns[self.step % len(self._turns)]
        condition, solution = task.draw(self.problems.at(self.step), self.training.batch_size, "id")
        with products(self.training.precision):
            captured = self._captured
            terms = captured(self, condition, solution) if captured else self.update(condition, solution)
        self.step += 1
        self._note(*terms)
        ema = self.optimiser.ema
        if ema is None:
            self.average = self.flat.detach()
        elif self.step % ema.every == 0:
            decay = min(ema.decay, 1 - (1 + self.step // ema.every) ** -ema.warmup_power)
            self.average.lerp_(self.flat.detach(), 1 - decay)

    def update(self, condition: Tensor, solution: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, gradient, clipping and Adam; the loss terms of each seed, (S,) each."""
        weights = self.layout.unflatten(self.flat)
        terms = self.objective(weights, condition, solution, self.streams, self.contrast_weight)
        (gradient,) = torch.autograd.grad(terms.total.sum(), self.flat)
        clip = self.optimiser.gradient_clip
        if clip is not None:
            norm = gradient.norm(dim=1, keepdim=True)
            gradient.mul_((clip / (norm + 1e-6)).clamp(max=1))
        self._descend(gradient)
        return terms.denoise.detach(), terms.contrast.detach(), terms.total.detach()

    @torch.no_grad()
    def _descend(self, gradient: Tensor) -> None:
        """Adam (Kingma and Ba 2015), by torch's function and not its class: the class loads torch's
        compiler, over a second of every process, and asks more of a small network's step than the update
        itself."""
        beta1, beta2 = self.optimiser.adam_betas
        state = self.moments
        adam(
            *([self.flat], [gradient], [state["exp_avg"]], [state["exp_avg_sq"]], [], [state["step"]]),
            fused=True,
            capturable=self.device.type == "cuda",
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def _learning_rate_now(self) -> float:
        settings = self.optimiser
        share = self.step / self.training.steps
        return settings.learning_rate * (
            0.5 * (1 + math.cos(math.pi * share)) if settings.decay == "cosine" else 1.0
        )

    def _note(self, denoise: Tensor, contrast: Tensor, total: Tensor) -> None:
        self.loss_sums[0] += denoise
        self.loss_sums[1] += contrast
        self.loss_count += 1
        # Written so that NaN, too, is beyond the bound.
        beyond = ~(total.abs() <= self.training.divergence_bound)
        self.diverged_at = torch.where(beyond & (self.diverged_at < 0), self.step, self.diverged_at)

    def take_losses(self) -> tuple[list[float], list[float]]:
        """Mean denoising loss and contrast of each seed since the last call."""
        denoise, contrast = (self.loss_sums / max(self.loss_count, 1)).tolist()
        self.loss_sums.zero_()
        self.loss_count = 0
        return denoise, contrast

    def weights(self, flat: Tensor) -> Weights:
        """A flat (S, P) as named weights."""
        return self.layout.unflatten(flat.detach())

    def multiply_adds_per_step(self) -> int:
        """Counted multiply-adds of one seed's step, matrix products only, the mean over sizes; a derivative by the
        weights costs twice its forward pass."""
        per_problem = [self._multiply_adds(network) for _, network in self._turns]
        return round(sum(per_problem) / len(per_problem) * self.training.batch_size)

    def _multiply_adds(self, network: EnergyNetwork) -> float:
        shared, energy, gradient = network.multiply_adds()
        total = 3.0 * (shared + self.training.noise_draws * (energy + gradient))
        if self.parts.contrast is not None:
            proposal = self.strategy.evaluations()
            compared = energy + gradient if self.parts.contrast.loss == "regression" else 2 * energy
            total += 3.0 * compared + proposal.energies * energy + proposal.gradients * gradient
        return total

    def state(self) -> dict[str, Tensor]:
        """The tensors that a resumed run needs, beside the step."""
        tensors = {
            "flat": self.flat.detach(),
            "average": self.average,
            "loss_sums": self.loss_sums,
            "diverged_at": self.diverged_at,
        }
        tensors |= {f"adam.{name}": value for name, value in self.moments.items()}
        return tensors | {f"strategy.{name}": value for name, value in self.strategy.state().items()}

    @torch.no_grad()
    def put_back(self, state: dict[str, Tensor]) -> None:
        """Undo updates since `state` was called, in the very tensors that a captured graph holds."""
        self.flat.copy_(state["flat"])
        for name, value in self.moments.items():
            value.copy_(state[f"adam.{name}"])
        self.strategy.load_state(_of_strategy(state))
        self.streams.at(self.step)

    def load_state(self, tensors: dict[str, Tensor], step: int, loss_count: int) -> None:
        """Take back what `state` gave."""
        self.step, self.loss_count = step, loss_count
        with torch.no_grad():
            self.flat.copy_(tensors["flat"])
        self.average = tensors["average"].to(self.device).clone()
        self.loss_sums = tensors["loss_sums"].to(self.device).clone()
        self.diverged_at = tensors["diverged_at"].to(self.device).clone()
        self.moments = {name: tensors[f"adam.{name}"].to(self.device).clone() for name in self.moments}
        self.strategy.load_state({n: t.to(self.device) for n, t in _of_strategy(tensors).items()})


def _of_strategy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix("strategy."): t for n, t in state.items() if n.startswith("strategy.")}
