"""The studies of what a negative is worth: at each scale the cells of trials and of judged runs, with their
configurations."""

from __future__ import annotations

from pathlib import Path

from ired.base.errors import UserError
from ired.study.names import check_name
from ired.study.run_config import RunConfig, merged
from ired.study.schema import Settings, Worth
from ired.study.variants import Variants
from ired.study.worth import Cell, Choice, Choices, chosen, judged, read_choices, trials


class Cells:
    """The cells of every scale. `results`: where `{scale}/tables/worth/tuning.csv` lies once it has been made."""

    def __init__(self, variants: Variants, results: Path) -> None:
        self.variants, self.study, self.results = variants, variants.study, results
        self._configs: dict[tuple[str, str, Choice], RunConfig] = {}
        self._cells = {scale: self._of(scale) for scale in self.study.scales}

    def settings(self, scale: str) -> Worth:
        """A scale's study of what a negative is worth.

        Raises:
            UserError: it has none.
        """
        settings = self.variants.scale(scale).worth
        if settings is None:
            having = ", ".join(name for name, size in self.study.scales.items() if size.worth) or "none"
            origin = self.variants.origin
            raise UserError(
                f"{origin}: scale '{scale}' has no `worth` section; those that have one: {having}"
            )
        return settings

    def at(self, scale: str) -> dict[str, Cell]:
        """The cells of a scale by the names of their variants: trials, then what is judged."""
        self.variants.scale(scale)
        return self._cells[scale]

    def seeds(self, scale: str, cell: Cell) -> list[int]:
        """The seeds of a cell: those of tuning, or those of the scale's study of worth."""
        if cell.trial is None:
            return self.variants.scale(scale).seeds_for("worth")
        return self.settings(scale).tuning.seeds

    def runs(self, scale: str, trial: bool) -> list[tuple[str, int]]:
        """(variant, seed) of every trial, or of every judged run."""
        return [(cell.name, seed) for cell in self._either(scale, trial) for seed in self.seeds(scale, cell)]

    def tuned(self, scale: str) -> bool:
        """Whether the trials of a scale have been read, so that its judged runs are known in full."""
        return self._tuning(scale).exists()

    def choices(self, scale: str) -> Choices:
        """What tuning chose at a scale; errors as of `read_choices`."""
        return read_choices(self._tuning(scale))

    def config(self, scale: str, cell: Cell) -> RunConfig:
        """The configuration of a cell's run of seed 0; of a judged one, with what tuning chose."""
        choice = cell.trial
        if choice is None:
            tuned = self.choices(scale).get(cell.arm)
            if tuned is None:
                raise UserError(
                    f"tuning.csv of scale '{scale}' says nothing of arm '{cell.arm}'; make it again"
                )
            choice = chosen(tuned, cell.steps)
        key = (scale, cell.name, choice)
        if key not in self._configs:
            self._configs[key] = self._configured(scale, cell, choice)
        return self._configs[key]

    def specification(self, scale: str, trial: bool) -> Settings:
        """What the tables of a study of worth have to know, as JSON values; of its trials, or of what is judged."""
        cells = self._either(scale, trial)
        configs = [self.config(scale, cell) for cell in cells]
        return {
            "baseline": self.study.comparison.baseline,
            "protocol": self.study.protocol,
            "precise": self.settings(scale).precise,
            "cells": [
                {
                    "variant": cell.name,
                    "arm": cell.arm,
                    "steps": cell.steps,
                    "learning_rate": config.optimiser.learning_rate,
                    "weight": config.contrast.max_weight if config.contrast else None,
                    "seeds": self.seeds(scale, cell),
                    "fingerprint": config.fingerprint(),
                }
                for cell, config in zip(cells, configs, strict=True)
            ],
        }

    def _of(self, scale: str) -> dict[str, Cell]:
        worth = self.study.scales[scale].worth
        if worth is None:
            return {}
        for arm in worth.arms:
            check_name("variant", arm, self.study.variants, self.variants.origin)
        weighed = {arm: self.variants.config(scale, arm).contrast is not None for arm in worth.arms}
        baseline = self.study.comparison.baseline
        return {cell.name: cell for cell in [*trials(worth, weighed, baseline), *judged(worth, baseline)]}

    def _either(self, scale: str, trial: bool) -> list[Cell]:
        return [cell for cell in self.at(scale).values() if (cell.trial is not None) == trial]

    def _tuning(self, scale: str) -> Path:
        return self.results / scale / "tables/worth/tuning.csv"

    def _configured(self, scale: str, cell: Cell, choice: Choice) -> RunConfig:
        size = self.variants.scale(scale)
        of_arm = merged(self.study.variants[cell.arm], size.variants.get(cell.arm, {}))
        sections = {
            "run": self.study.run,
            f"scales.{scale}.run": size.run,
            f"scales.{scale}.worth.run": self.settings(scale).run,
            f"arm '{cell.arm}'": cell.settings(of_arm, choice),
        }
        return self.variants.validated(sections, f"arm '{cell.arm}' of `worth` at scale '{scale}'")
