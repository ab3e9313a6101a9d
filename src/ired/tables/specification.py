"""What an experiment compares: the specification that many runs are put into tables by."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class VariantSpec(BaseModel):
    """One arm. `base`, `factor`, `level`: the variant that a sweep varies, its key and this arm's value.

    fingerprint: of the configuration that its runs must have been made with, without their seed; None leaves
    it to each run's own files to agree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    base: str | None = None
    factor: str | None = None
    level: bool | int | float | str | None = None
    fingerprint: str | None = None


class ExperimentSpec(BaseModel):
    """The arms and planned comparisons of one experiment, fixed before its runs are seen.

    comparisons: (treatment, baseline); the first is the primary one. effects: the same of sweeps. margin: of
    practical equivalence, as a share of the baseline's mean. protocol: the only one whose runs may enter. diagnosed:
    whether the runs have diagnostic tables; without, the experiment's are empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seeds: list[int]
    variants: Annotated[list[VariantSpec], Field(min_length=1)]
    comparisons: list[tuple[str, str]] = []
    effects: list[tuple[str, str]] = []
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    protocol: int
    diagnosed: bool = True

    def runs(self) -> list[tuple[VariantSpec, int]]:
        """Every run of the experiment, in the order of its tables."""
        return [(variant, seed) for variant in self.variants for seed in self.seeds]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [variant.variant for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError("a variant is listed twice")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("no seed, or one seed twice")
        if len(set(self.comparisons)) < len(self.comparisons):
            raise ValueError("a comparison is listed twice, which would count twice in the family of tests")
        for treatment, baseline in self.comparisons:
            if treatment == baseline or not {treatment, baseline} <= set(names):
                raise ValueError(
                    f"comparison {treatment!r} against {baseline!r} needs two variants of the experiment"
                )
        return self
