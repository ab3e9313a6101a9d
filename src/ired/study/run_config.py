"""One run's configuration, resolved and strict, and its fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ired.base.errors import UserError
from ired.base.hashing import canonical, digest
from ired.base.settings import Count, Fraction, Positive, Strict, parsed
from ired.diffusion.descent import Inference, ReleaseCompat
from ired.diffusion.schedule import ScheduleSettings
from ired.energy import NETWORKS, AnyNetworkSettings
from ired.negatives import STRATEGIES, NegativeSettings
from ired.tasks import ProblemSettings
from ired.tasks.held_out import HeldOut
from ired.training.objective import Contrast


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

    learning_rate: Positive = 1e-4
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

    `snapshots`: shares of `steps` at which the weights are kept for the diagnostics.
    """

    steps: Count
    batch_size: Count
    precision: Literal["float32", "tf32"] = "float32"
    divergence_bound: Positive = 1e6
    history_every: Count = 100
    validate_every: Count = 1_000
    snapshots: Annotated[list[Fraction], Field(min_length=1)] = [0.1, 0.5, 1.0]


class EarlyStopping(Strict):
    """Stop when the best validation MSE is `patience` steps old, and report the best validated weights."""

    patience: Count = 10_000


class Ensemble(Strict):
    """What decides the held-out sets."""

    problem: ProblemSettings
    held_out: HeldOut = HeldOut()


class RunConfig(Ensemble):
    """Everything that decides one run's numbers. Two runs with equal fingerprints are the same run."""

    protocol: Count
    seed: Annotated[int, Field(ge=0)]
    schedule: ScheduleSettings = ScheduleSettings()
    network: AnyNetworkSettings
    negatives: NegativeSettings
    contrast: Contrast | None = None
    optimiser: Optimiser = Optimiser()
    training: Training
    early_stopping: EarlyStopping | None = None
    inference: Inference = Inference()
    release_compat: ReleaseCompat = ReleaseCompat()

    @model_validator(mode="after")
    def _contrast_needs_negatives(self) -> RunConfig:
        if (self.negatives.strategy == "none") != (self.contrast is None):
            raise ValueError(
                "`contrast` and a strategy other than `none` need each other: set both, or `contrast: null`"
            )
        return self

    @model_validator(mode="after")
    def _contrast_acts_somewhere(self) -> RunConfig:
        if self.contrast is not None and not self.contrast.acts_at(self.schedule.timesteps):
            raise ValueError(
                f"contrast.timestep_range holds none of the {self.schedule.timesteps} noise levels; widen it"
            )
        return self

    @model_validator(mode="after")
    def _parts_know_the_task(self) -> RunConfig:
        task = self.problem.task
        parts = (("network", self.network.kind, NETWORKS), ("negatives", self.negatives.strategy, STRATEGIES))
        for section, name, registry in parts:
            known = registry[name].tasks
            if known is not None and task not in known:
                raise ValueError(
                    f"{section} `{name}` is for {', '.join(known)} alone, and the task is {task}"
                )
        return self

    @property
    def pack(self) -> RunConfig:
        """The configuration without its seed: seeds of one pack must agree on it."""
        return self.model_copy(update={"seed": 0})

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str, origin: str = "configuration") -> RunConfig:
        """Parse and validate.

        Raises:
            UserError: one line that names the key, its value and the nearest valid name.
        """
        return parsed(cls, text, origin)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change whenever anything in the configuration does."""
        return digest(self.to_json())


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Layers of settings, later ones on top. Mappings merge key by key, unless they name another `strategy`,
    `kind` or `task`: those replace."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below: Any = result.get(key)
            both = isinstance(below, dict) and isinstance(value, dict)
            result[key] = merged(below, value) if both and _mergeable(below, value) else value
    return result


def _mergeable(below: dict[str, Any], above: dict[str, Any]) -> bool:
    return all(
        tag not in above or below.get(tag, above[tag]) == above[tag] for tag in ("strategy", "kind", "task")
    )


def with_value(settings: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """A copy with one dotted key set: with_value({}, "negatives.opt_steps", 3)."""
    head, _, rest = dotted.partition(".")
    below = settings.get(head)
    # A number that stands for a whole section gives way to the section.
    section = below if isinstance(below, dict) else {}
    return merged(settings, {head: with_value(section, rest, value) if rest else value})


def same_pack(configs: Sequence[RunConfig]) -> RunConfig:
    """The configuration that a pack shares.

    Raises:
        UserError: the runs differ in more than the seed, or a seed stands twice.
    """
    seeds = [config.seed for config in configs]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"a pack trains each seed once; got seeds {seeds}")
    if len({config.pack.to_json() for config in configs}) != 1:
        raise UserError("the runs of a pack may differ in `seed` alone; train them in separate jobs")
    return configs[0].pack
