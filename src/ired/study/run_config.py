"""One run's configuration, resolved and strict, and its fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from ired.base.errors import UserError
from ired.base.hashing import canonical, digest
from ired.base.settings import Count, Seed, Strict, parsed
from ired.diffusion.descent import Inference, ReleaseCompat
from ired.diffusion.schedule import ScheduleSettings
from ired.energy import NETWORKS, AnyNetworkSettings
from ired.negatives import STRATEGIES, NegativeSettings
from ired.study.plugins import require
from ired.tasks import ProblemSettings
from ired.tasks.held_out import HeldOut
from ired.training.objective import Contrast
from ired.training.settings import EarlyStopping, Optimiser, Training


class Ensemble(Strict):
    """What decides the held-out sets."""

    problem: ProblemSettings
    held_out: HeldOut = HeldOut()


class RunConfig(Ensemble):
    """Everything that decides one run's numbers. Two runs with equal fingerprints are the same run.

    plugins: module -> hash of its source, of those whose parts the run uses; written by the study, not by hand.
    """

    plugins: dict[str, str] = {}
    protocol: Count
    seed: Seed
    schedule: ScheduleSettings = ScheduleSettings()
    network: AnyNetworkSettings
    negatives: NegativeSettings
    contrast: Contrast | None = None
    optimiser: Optimiser = Optimiser()
    training: Training
    early_stopping: EarlyStopping | None = None
    inference: Inference = Inference()
    release_compat: ReleaseCompat = ReleaseCompat()

    @model_validator(mode="before")
    @classmethod
    def _plugins_first(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("plugins"), dict):
            require(values["plugins"])
        return values

    @model_serializer(mode="wrap")
    def _without_plugins_as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run without plugins has the identity that it had before there were any."""
        values = handler(self)
        if not values.get("plugins"):
            values.pop("plugins", None)
        return values

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
    def _bf16_pays(self) -> RunConfig:
        if self.training.precision == "bf16" and not self.network.gains_from_bf16():
            raise ValueError(
                "training.precision: bf16 would be slower: `mlp` of 256 hidden units or more gains from it; use float32"
            )
        return self

    @model_validator(mode="after")
    def _several_sizes_work(self) -> RunConfig:
        if self.training.sizes is not None and not NETWORKS[self.network.kind].any_size:
            raise ValueError(
                f"training.sizes: the weights of network `{self.network.kind}` are for one size; leave it out"
            )
        if self.training.sizes is not None and self.negatives.keeps_problems():
            raise ValueError("training.sizes: replayed chains are of one size; leave one of the two out")
        return self

    @model_validator(mode="after")
    def _parts_know_the_task(self) -> RunConfig:
        stranger = stranger_to_task(self.problem.task, self.network.kind, self.negatives.strategy)
        if stranger:
            raise ValueError(stranger)
        return self

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


def stranger_to_task(task: object, network: object, strategy: object) -> str | None:
    """Which of the two parts cannot take the task, in words; None where both can, or a name is unknown."""
    parts = (("network", network, NETWORKS), ("negatives", strategy, STRATEGIES))
    for section, name, registry in parts:
        known = registry[name].tasks if isinstance(name, str) and name in registry else None
        if known is not None and task not in known:
            return f"{section} `{name}` is for {', '.join(known)} alone, and the task is {task}"
    return None


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


def check_pack(configs: Sequence[RunConfig]) -> None:
    """Runs that are trained as one model differ in their seed alone.

    Raises:
        UserError: they differ in more, or a seed stands twice.
    """
    seeds = [config.seed for config in configs]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"a pack trains each seed once; got seeds {seeds}")
    if len({canonical(config.model_dump(mode="json", exclude={"seed"})) for config in configs}) != 1:
        raise UserError("the runs of a pack may differ in `seed` alone; train them in separate jobs")
