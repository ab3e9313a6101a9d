"""config.yaml as it is written: scales, variants and experiments, each key checked. What they resolve to is
in `study`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ired.base.settings import Count, Strict

Settings = dict[str, Any]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class Sweep(Strict):
    """Variants of `base` that differ in one dotted key, a value each."""

    base: str
    factor: str
    levels: Annotated[list[int | float | bool | str], Field(min_length=1)]


class Experiment(Strict):
    """Runs that are compared. `comparisons`: pairs [treatment, baseline], the first one primary; without
    them, all against the baseline. `figures`: which, in the order of a report."""

    title: str
    variants: list[str] = []
    sweep: Sweep | None = None
    comparisons: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = []
    figures: list[str]


class Scale(Strict):
    """A size of the study. `run`: settings on top of the common ones. `variants`: settings on top of single
    variants, such as a patience in steps. `experiments`: what the target `all` makes. `seeds_of`: seeds of
    single experiments in place of `seeds`."""

    run: Settings
    variants: dict[str, Settings] = {}
    seeds: Seeds
    seeds_of: dict[str, Seeds] = {}
    experiments: Annotated[list[str], Field(min_length=1)]
    diagnostic_matrices: Count = 512


class Comparison(Strict):
    """How variants are compared. `margin`: the smallest relative difference of the mean that would matter
    (SESOI), fixed before runs."""

    baseline: str = "none"
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05


class Study(Strict):
    """config.yaml."""

    scale: str
    protocol: Count
    seeds_per_job: Count = 1
    comparison: Comparison
    run: Settings
    scales: dict[str, Scale]
    variants: dict[str, Settings]
    experiments: dict[str, Experiment]
