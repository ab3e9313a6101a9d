"""How a run is trained: the optimiser, its averages, how long, and when to stop early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from ired.base.settings import Count, Fraction, Positive, Strict

PrecisionName = Literal["float32", "tf32", "bf16"]
RandomSource = Literal[
    "weights", "problems", "noise"
]  # initial weights; the batches; levels, noise, negatives


class Ema(Strict):
    """Exponential moving average of the weights: weights <- decay average + (1 - decay) weights, every
    `every` steps.

    The decay of the k-th update is min(decay, 1 - (1 + k)^(-warmup_power)), so that a short run does not
    average in its start.
    """

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.995
    every: Count = 10
    warmup_power: Positive = 2 / 3


class Optimiser(Strict):
    """Adam (Kingma & Ba 2015), the released recipe by default. `decay`: the learning rate falls to 0 along a
    half cosine."""

    learning_rate: Annotated[float, Field(gt=0, le=1e3)] = 1e-4
    adam_betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] = [
        0.9,
        0.99,
    ]
    gradient_clip: Positive | None = 1.0
    decay: Literal["constant", "cosine"] = "constant"
    ema: Ema | None = Ema()


class Training(Strict):
    """How long and on what. `divergence_bound`: a loss beyond it, or one that is not finite, ends the run as
    diverged.

    `sizes`: the n of the batches, taken in turn, in place of the problem's own, which validation and tests keep.
    `noise_draws`: at how many noise levels, each with noise of its own, every problem of a batch is denoised;
    what an energy computes of the condition alone is shared by them. `snapshots`: shares of `steps` at which
    the weights are kept for the diagnostics. `varied`: which random numbers follow the run's seed, the others being
    those of seed 0, so that sources of variance can be told apart (Bouthillier et al. 2021); None: all.
    """

    steps: Count
    batch_size: Count
    sizes: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] | None = None
    noise_draws: Count = 1
    varied: Annotated[list[RandomSource], Field(min_length=1)] | None = None
    precision: PrecisionName = "float32"
    divergence_bound: Positive = 1e6
    history_every: Count = 100
    validate_every: Count = 1_000
    snapshots: Annotated[list[Fraction], Field(min_length=1)] = [0.1, 0.5, 1.0]

    @field_validator("snapshots")
    @classmethod
    def _rise_to_the_end(cls, value: list[float]) -> list[float]:
        if sorted(set(value)) != value or value[0] <= 0 or value[-1] != 1:
            raise ValueError(
                "snapshots are shares of the training: they must rise from above 0 to 1, e.g. [0.1, 0.5, 1.0]"
            )
        return value

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run of one size, all of whose random numbers follow its seed, has the identity that it had before there
        was a choice."""
        values = handler(self)
        return {name: v for name, v in values.items() if v is not None or name not in ("sizes", "varied")}

    def seeds_of(self, source: RandomSource, seeds: Sequence[int]) -> list[int]:
        """The seeds that a source's numbers are drawn with, for runs of these seeds."""
        return [seed if self.varied is None or source in self.varied else 0 for seed in seeds]


class EarlyStopping(Strict):
    """Stop when the best validation MSE is `patience` steps old, and report the best validated weights."""

    patience: Count = 10_000
