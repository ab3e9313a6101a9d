"""What an experiment compares, as far as a figure can be about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

# The strategies of the ten-seed record (results/published).
RECORDED = {"none", "random", "adversarial"}


@dataclass(frozen=True)
class Arm:
    """One variant of an experiment.

    strategy: how it makes negatives, `none` if it makes none; loss: of its energy term, if it has one;
    defects: (U1, U2) of the released code, whether each is switched on; level: whether it is a level of a
    sweep.
    """

    variant: str
    strategy: str = "none"
    loss: str | None = None
    defects: tuple[bool, bool] = (False, False)
    level: bool = False


@dataclass(frozen=True)
class Design:
    """The arms of an experiment and its contrasts, as (treatment, baseline) names of variants."""

    arms: tuple[Arm, ...]
    contrasts: tuple[tuple[str, str], ...] = ()

    @property
    def swept(self) -> bool:
        """Whether some arms are levels of a factor."""
        return any(arm.level for arm in self.arms)

    @property
    def ablates(self) -> bool:
        """Whether contrastive divergence is taken apart."""
        return not self.swept and any(arm.loss == "cd" for arm in self.arms)

    @property
    def crosses_defects(self) -> bool:
        """Whether one strategy is there both with and without a defect of the released code."""
        return not self.swept and any(
            len({other.defects for other in self.arms if other.strategy == arm.strategy}) > 1
            for arm in self.arms
        )

    @property
    def has_negatives(self) -> bool:
        """Whether any arm makes negatives, so that there is something to diagnose."""
        return any(arm.strategy != "none" for arm in self.arms)

    @property
    def costs_differ(self) -> bool:
        """Whether equal steps and equal compute may tell different stories: some arm pays for negatives."""
        return self.has_negatives and len(self.arms) > 1

    @property
    def compares_negatives(self) -> bool:
        """Whether two arms with negatives are held against one baseline."""
        mined = {arm.variant for arm in self.arms if arm.strategy != "none"}
        held_against = Counter(baseline for treatment, baseline in self.contrasts if treatment in mined)
        return max(held_against.values(), default=0) > 1

    @property
    def repeats_the_record(self) -> bool:
        """Whether it compares what the ten-seed record compares."""
        return not self.swept and {arm.strategy for arm in self.arms} == RECORDED
