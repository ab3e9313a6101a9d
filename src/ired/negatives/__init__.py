"""Negative strategies by name. A new one is a file beside these and a line in STRATEGIES."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ired.descent import Descender
from ired.negatives.adversarial import AdversarialNegatives
from ired.negatives.base import Evaluations, Positives, Proposal, Strategy, StrategySettings
from ired.negatives.none import NoNegatives
from ired.negatives.random import RandomNegatives

STRATEGIES: dict[str, type[Strategy]] = {
    "none": NoNegatives,
    "random": RandomNegatives,
    "adversarial": AdversarialNegatives,
}

if TYPE_CHECKING:
    NegativeSettings = StrategySettings
else:
    # The settings of any strategy, told apart by their `strategy` key; built from the registry, so a checker
    # cannot follow.
    _UNION = reduce(or_, (strategy.Settings for strategy in STRATEGIES.values()))
    NegativeSettings = Annotated[_UNION, Field(discriminator="strategy")]


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
    "build_strategy",
]
