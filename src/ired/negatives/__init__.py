"""Negative strategies by name. A new one is a file beside these and a line in STRATEGIES, or a plugin.

Must not import training, the study, or anything that reads tables.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SerializeAsAny, TypeAdapter

from ired.base.settings import also_plugged
from ired.diffusion.descent import Descender
from ired.negatives.adversarial import AdversarialNegatives
from ired.negatives.base import Evaluations, Positives, Proposal, Strategy, StrategySettings
from ired.negatives.conditioning_aware import ConditioningAwareNegatives
from ired.negatives.langevin import LangevinNegatives
from ired.negatives.matched import MatchedNegatives
from ired.negatives.mixed import MixedNegatives
from ired.negatives.none import NoNegatives
from ired.negatives.random import RandomNegatives
from ired.negatives.semi_hard import SemiHardNegatives
from ired.negatives.symmetric import SymmetricNegatives

STRATEGIES: dict[str, type[Strategy]] = {
    "none": NoNegatives,
    "random": RandomNegatives,
    "adversarial": AdversarialNegatives,
    "langevin": LangevinNegatives,
    "mixed": MixedNegatives,
    "semi_hard": SemiHardNegatives,
    "conditioning_aware": ConditioningAwareNegatives,
    "symmetric": SymmetricNegatives,
    "matched": MatchedNegatives,
}

if TYPE_CHECKING:
    NegativeSettings = StrategySettings
else:
    # The settings of any strategy, told apart by their `strategy` key; built from the registry, so a checker
    # cannot follow.
    _UNION = reduce(or_, (strategy.Settings for strategy in STRATEGIES.values()))
    NegativeSettings = Annotated[
        _UNION, Field(discriminator="strategy"), also_plugged(STRATEGIES, "strategy"), SerializeAsAny()
    ]


def parse_settings(values: Any) -> StrategySettings:
    """The settings of whichever strategy `values` name."""
    return TypeAdapter(NegativeSettings).validate_python(values)


def build_strategy(settings: StrategySettings, descender: Descender) -> Strategy:
    """The strategy that settings name."""
    return STRATEGIES[settings.strategy](settings, descender)


__all__ = [
    "STRATEGIES",
    "Evaluations",
    "NegativeSettings",
    "Positives",
    "Proposal",
    "Strategy",
    "StrategySettings",
    "build_strategy",
    "parse_settings",
]
