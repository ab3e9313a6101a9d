"""config.yaml as it is written: scales, variants and experiments, each key checked. What they resolve to is
in `resolve`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from ired.base.settings import Count, NonNegative, Positive, Seed, SeveralMatrices, Strict

Settings = dict[str, Any]
Seeds = Annotated[list[Seed], Field(min_length=1)]
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class Sweep(Strict):
    """Variants of `base` that differ in one dotted key, a value each."""

    base: str
    factor: str
    levels: Annotated[list[int | float | bool | str], Field(min_length=1)]


class Experiment(Strict):
    """Runs that are compared. `comparisons`: pairs [treatment, baseline], the first one primary; without
    them, all against the baseline. `effects`: pairs of sweeps, by their bases, that are compared over all levels.
    `diagnoses`: whether its runs are diagnosed. `figures`: which, in the order of a report; those of diagnoses have
    nothing to show without them."""

    title: str
    variants: list[str] = []
    sweeps: list[Sweep] = []
    comparisons: list[Pair] = []
    effects: list[Pair] = []
    diagnoses: bool = True
    figures: list[str]


class Tuning(Strict):
    """How each arm's learning rate and weight are chosen: at each budget of `steps`, by the geometric mean of the
    validation MSE over `seeds`, which are none of those that are judged, and of that the worst from a rate to twice it.
    An arm with a contrast tries every pair of `learning_rates` and `weights`; one without tries
    `finer_learning_rates`, which are as many. `baseline_steps`: further budgets at which the baseline alone is tuned,
    for those of its judged budgets that no other arm has."""

    seeds: Seeds
    steps: Annotated[list[Count], Field(min_length=1)]
    baseline_steps: list[Count] = []
    learning_rates: Annotated[list[Positive], Field(min_length=5)]
    weights: Annotated[list[NonNegative], Field(min_length=1)]
    finer_learning_rates: Annotated[list[Positive], Field(min_length=5)]

    @model_validator(mode="after")
    def _equal_trials(self) -> Tuning:
        pairs, finer = len(self.learning_rates) * len(self.weights), len(self.finer_learning_rates)
        if pairs != finer:
            raise ValueError(
                f"every arm gets the same number of trials: {pairs} pairs of learning_rates and weights, but "
                f"{finer} finer_learning_rates"
            )
        return self


class Worth(Strict):
    """How much compute a strategy saves, at one scale. `arms`: variants, the baseline among them. `steps`: the budgets
    of every arm, `baseline_steps` those of the baseline, whose errors should reach beyond the others'. `run`: settings
    on top of the scale's. `precise`: a run whose error stays above it has not learned the task."""

    arms: Annotated[list[str], Field(min_length=2)]
    steps: Annotated[list[Count], Field(min_length=3)]
    baseline_steps: Annotated[list[Count], Field(min_length=3)]
    tuning: Tuning
    precise: Positive
    run: Settings = {}

    @model_validator(mode="after")
    def _ascend(self) -> Worth:
        for name in ("steps", "baseline_steps"):
            values = getattr(self, name)
            if sorted(set(values)) != values:
                raise ValueError(f"{name} must ascend, each once")
        return self


class Scale(Strict):
    """A size of the study. `run`: settings on top of the common ones. `variants`: settings on top of single
    variants, such as a patience in steps. `experiments`: what the target `all` makes. `seeds_of`: seeds of
    single experiments in place of `seeds`. `worth`: the study of what a negative is worth, where the scale has one."""

    run: Settings
    variants: dict[str, Settings] = {}
    seeds: Seeds
    seeds_of: dict[str, Seeds] = {}
    experiments: Annotated[list[str], Field(min_length=1)]
    diagnostic_matrices: SeveralMatrices = 512
    worth: Worth | None = None

    def seeds_for(self, experiment: str) -> list[int]:
        """The seeds of an experiment, or of the study `worth`."""
        return self.seeds_of.get(experiment, self.seeds)


class Comparison(Strict):
    """How variants are compared. `margin`: the smallest relative difference of the mean that would matter
    (SESOI), fixed before runs."""

    baseline: str = "none"
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Study(Strict):
    """config.yaml. `worth_scale`: the scale of the target `worth` where `scale` has no study of worth. `plugins`:
    modules with strategies, networks or tasks of one's own. `override`: dotted keys of a run, on top of everything,
    for a trial from the command line (`--config override="{training.steps: 60}"`)."""

    plugins: list[str] = []
    override: Settings = {}
    scale: str
    worth_scale: str | None = None
    protocol: Count
    seeds_per_job: Count = 1
    comparison: Comparison
    run: Settings
    scales: dict[str, Scale]
    variants: dict[str, Settings]
    experiments: dict[str, Experiment]
