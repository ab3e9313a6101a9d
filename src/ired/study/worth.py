"""What the study of a negative's worth trains at a scale: every arm at several budgets, each with a schedule of its own
and with the learning rate and weight that were best for it on tuning seeds.

Trials come first, by a grid that config.yaml holds; `tuning.csv` says which of them won, and only then are the judged
runs known in full. Their names are known before: adversarial_steps=240.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ired.base.errors import UserError
from ired.study.run_config import merged, with_value
from ired.study.schema import Settings, Tuning, Worth


@dataclass(frozen=True)
class Choice:
    """The learning rate and weight (None: the arm has none) that won an arm's trials of so many steps."""

    steps: int
    learning_rate: float
    weight: float | None


Choices = Mapping[str, Sequence[Choice]]  # of every arm, in the order of steps


@dataclass(frozen=True)
class Cell:
    """Runs of one arm and budget. A trial says what it tries; a judged cell does not (None), since that is chosen."""

    arm: str
    steps: int
    trial: Choice | None = None

    @property
    def name(self) -> str:
        """The variant that its runs are of."""
        name = f"{self.arm}_steps={self.steps}"
        if self.trial is None:
            return name
        weight = "" if self.trial.weight is None else f"_weight={self.trial.weight:g}"
        return f"{name}_learning_rate={self.trial.learning_rate:g}{weight}"

    def settings(self, arm: Settings, choice: Choice) -> Settings:
        """An arm's settings with this cell's budget and a choice."""
        layer: Settings = {
            "training": {"steps": self.steps},
            "optimiser": {"learning_rate": choice.learning_rate},
        }
        settings = merged(arm, layer)
        if choice.weight is None:
            return settings
        scheduled = isinstance(settings["contrast"].get("weight"), dict)
        return with_value(settings, f"contrast.weight{'.max_weight' * scheduled}", choice.weight)


def trials(worth: Worth, weighed: Mapping[str, bool], baseline: str) -> list[Cell]:
    """Every trial. weighed: whether an arm has a weight, which is then tried too, by equally many trials."""
    tuning = worth.tuning
    return [
        Cell(arm, steps, Choice(steps, rate, weight))
        for arm in worth.arms
        for steps in [*tuning.steps, *(tuning.baseline_steps if arm == baseline else [])]
        for rate, weight in grid(tuning, weighed[arm])
    ]


def grid(tuning: Tuning, weighed: bool) -> list[tuple[float, float | None]]:
    """(learning rate, weight) of an arm's trials at one budget."""
    if not weighed:
        return [(rate, None) for rate in tuning.finer_learning_rates]
    return [(rate, weight) for rate in tuning.learning_rates for weight in tuning.weights]


def judged(worth: Worth, baseline: str) -> list[Cell]:
    """The cells that are compared: the baseline at budgets of its own, so that the others' errors lie within its."""
    return [
        Cell(arm, steps)
        for arm in worth.arms
        for steps in (worth.baseline_steps if arm == baseline else worth.steps)
    ]


def chosen(choices: Sequence[Choice], steps: int) -> Choice:
    """What an arm is trained with at a budget: between the budgets that were tuned, logarithms lie on a straight line;
    beyond them the nearest one holds. To three digits."""
    below = max((c for c in choices if c.steps <= steps), key=lambda c: c.steps, default=choices[0])
    above = min((c for c in choices if c.steps >= steps), key=lambda c: c.steps, default=choices[-1])
    span = math.log(above.steps / below.steps)
    share = math.log(steps / below.steps) / span if span else 0.0

    def between(low: float, high: float) -> float:
        return float(f"{low * (high / low) ** share:.3g}")

    weight = None if below.weight is None or above.weight is None else between(below.weight, above.weight)
    return Choice(steps, between(below.learning_rate, above.learning_rate), weight)


def read_choices(path: Path) -> Choices:
    """The winners of tuning.csv.

    Raises:
        UserError: there is no such table, or it names none.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = [row for row in csv.DictReader(file) if row["nominated"] == "True"]
            found: dict[str, list[Choice]] = {}
            for row in rows:
                weight = float(row["weight"]) if row["weight"] else None
                choice = Choice(int(row["steps"]), float(row["learning_rate"]), weight)
                found.setdefault(row["arm"], []).append(choice)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: no table of what tuning chose ({error}); ask Snakemake for this path to make it"
        ) from None
    return {arm: sorted(choices, key=lambda choice: choice.steps) for arm, choices in found.items()}
