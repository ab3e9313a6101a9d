"""The state that training changes, and the one step that changes it, for a pack of seeds as one batched
model."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.optim.adam import adam

from ired.base.streams import Streams, stream
from ired.diffusion.descent import Descender
from ired.diffusion.schedule import noise_schedule
from ired.diffusion.solve import Solver
from ired.energy import WeightLayout, Weights, build_network
from ired.negatives import build_strategy
from ired.study.run_config import RunConfig
from ired.tasks import build_task
from ired.training.objective import Objective


class Engine:
    """Weights, averages and optimiser of S seeds, and `advance`.

    Seeds never meet: every product is batched over the pack, every reduction is within a seed, so a seed that
    diverges leaves the others' numbers as they are. Nothing in `advance` waits for the device.
    """

    def __init__(self, config: RunConfig, seeds: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        self.config, self.seeds, self.device = config, seeds, torch.device(device)
        torch.backends.cuda.matmul.allow_tf32 = config.training.precision == "tf32"
        self.task = build_task(config.problem)
        self.network = build_network(config.network, self.task, config.schedule.timesteps)
        descender_schedule = noise_schedule(config.schedule).to(self.device)
        self.descender = Descender(descender_schedule, config.inference.clip, config.release_compat)
        self.strategy = build_strategy(config.negatives, self.descender)
        self.objective = Objective(
            self.network, descender_schedule, self.strategy, config.contrast, self.task.residual
        )
        initial = [self.network.initial_weights(stream(seed, "weights")) for seed in seeds]
        self.layout = WeightLayout(initial[0])
        flat = torch.stack([self.layout.flatten(weights) for weights in initial]).to(self.device)
        self.flat = flat.requires_grad_(True)
        self.average = flat.detach().clone()
        # The learning rate is a tensor so that a captured graph reads each step's value.
        self.learning_rate = torch.tensor(config.optimiser.learning_rate, device=self.device)
        self.contrast_weight = torch.zeros((), device=self.device)
        self.moments = {
            "step": torch.zeros((), device=self.device),
            "exp_avg": torch.zeros_like(self.average),
            "exp_avg_sq": torch.zeros_like(self.average),
        }
        self.streams = Streams(seeds, self.device)
        self.solver = Solver(self.task, self.network, config.inference, self.descender, self.streams)
        self.step = 0
        # Sums of the denoising loss and the contrast since the last `take_losses`, and the step at which a
        # seed diverged (-1: it has not).
        self.loss_sums = torch.zeros(2, len(seeds), dtype=torch.float64, device=self.device)
        self.loss_count = 0
        self.diverged_at = torch.full((len(seeds),), -1, dtype=torch.int64, device=self.device)
        self._captured = CapturedUpdate(self) if self.device.type == "cuda" else None

    def advance(self) -> None:
        """One training step: draw, differentiate, clip, update, average."""
        config = self.config
        self.streams.at(self.step)
        self.learning_rate.fill_(self._learning_rate_now())
        if config.contrast is not None:
            self.contrast_weight.fill_(config.contrast.weight_at(self.step))
        condition, solution = self.task.draw(self.streams, config.training.batch_size, "id")
        terms = (self._captured or self.update)(condition, solution)
        self.step += 1
        self._note(*terms)
        ema = config.optimiser.ema
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
        clip = self.config.optimiser.gradient_clip
        if clip is not None:
            norm = gradient.norm(dim=1, keepdim=True)
            gradient.mul_((clip / (norm + 1e-6)).clamp(max=1))
        self._descend(gradient)
        return terms.denoise.detach(), terms.contrast.detach(), terms.total.detach()

    @torch.no_grad()
    def _descend(self, gradient: Tensor) -> None:
        """Adam (Kingma and Ba 2015), by the library's function and not its class: the class loads torch's
        compiler, over a second of every process, and asks more of a small network's step than the update
        itself."""
        beta1, beta2 = self.config.optimiser.adam_betas
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
        settings = self.config.optimiser
        share = self.step / self.config.training.steps
        return settings.learning_rate * (
            0.5 * (1 + math.cos(math.pi * share)) if settings.decay == "cosine" else 1.0
        )

    def _note(self, denoise: Tensor, contrast: Tensor, total: Tensor) -> None:
        self.loss_sums[0] += denoise
        self.loss_sums[1] += contrast
        self.loss_count += 1
        # Written so that NaN, too, is beyond the bound.
        beyond = ~(total.abs() <= self.config.training.divergence_bound)
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
        """Counted multiply-adds of one seed's step, matrix products only; a derivative by the weights costs
        twice its forward pass."""
        shared, energy, gradient = self.network.multiply_adds()
        total = 3.0 * (shared + energy + gradient)
        if self.config.contrast is not None:
            proposal = self.strategy.evaluations()
            total += 3.0 * 2 * energy + proposal.energies * energy + proposal.gradients * gradient
        return round(total * self.config.training.batch_size)

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

    def load_state(self, tensors: dict[str, Tensor], step: int, loss_count: int) -> None:
        """Take back what `state` gave."""
        self.step, self.loss_count = step, loss_count
        with torch.no_grad():
            self.flat.copy_(tensors["flat"])
        self.average = tensors["average"].to(self.device).clone()
        self.loss_sums = tensors["loss_sums"].to(self.device).clone()
        self.diverged_at = tensors["diverged_at"].to(self.device).clone()
        self.moments = {name: tensors[f"adam.{name}"].to(self.device).clone() for name in self.moments}
        self.strategy.load_state(
            {
                n.removeprefix("strategy."): t.to(self.device)
                for n, t in tensors.items()
                if n.startswith("strategy.")
            }
        )


class CapturedUpdate:
    """`Engine.update` as one CUDA graph: hundreds of small launches become one replay.

    The generators are registered with the graph, which then reads their seed at each replay; inputs are
    copied into fixed buffers.
    """

    WARMUP = 3  # the library's own advice: lazy initialisation must be over before the capture

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, Tensor] | None = None
        self.outputs: tuple[Tensor, Tensor, Tensor] | None = None

    def __call__(self, condition: Tensor, solution: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.graph is None:
            self._capture(condition, solution)
        assert self.graph is not None and self.inputs is not None and self.outputs is not None
        for buffer, value in zip(self.inputs, (condition, solution), strict=True):
            buffer.copy_(value)
        for name in self.engine.streams.names():
            self.engine.streams.generators(name)  # reseed to this step
        self.graph.replay()
        return self.outputs

    def _capture(self, condition: Tensor, solution: Tensor) -> None:
        """Warm up on a side stream, put everything that the warm-up changed back, and capture."""
        engine = self.engine
        before = {name: value.clone() for name, value in engine.state().items()}
        self.inputs = (condition.clone(), solution.clone())
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.WARMUP):
                engine.update(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        for name in engine.streams.names():
            for generator in engine.streams.generators(name):
                self.graph.register_generator_state(generator)
        with torch.cuda.graph(self.graph):
            self.outputs = engine.update(*self.inputs)
        self._restore(before)

    def _restore(self, before: dict[str, Tensor]) -> None:
        """Copy into the tensors that the graph holds, never rebinding them."""
        engine = self.engine
        with torch.no_grad():
            engine.flat.copy_(before["flat"])
            for name, value in engine.moments.items():
                value.copy_(before[f"adam.{name}"])
        engine.strategy.load_state(
            {n.removeprefix("strategy."): t for n, t in before.items() if n.startswith("strategy.")}
        )
        engine.streams.at(engine.step)
