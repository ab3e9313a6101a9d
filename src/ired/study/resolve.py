"""The whole study, resolved: scales, variants and experiments of config.yaml, and the runs they stand for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from yaml import safe_load

from ired.base.errors import UserError
from ired.base.settings import explain, nearest, validated, written
from ired.record.whole import mark
from ired.study.checks import check_comparisons, check_names, check_references, check_variants, check_worth
from ired.study.plugins import installed, load_plugins, plugged_parts
from ired.study.run_config import RunConfig, merged, stranger_to_task, with_value
from ired.study.schema import Experiment, Scale, Settings, Study, Sweep, Worth
from ired.study.worth import Cell, Choice, Choices, chosen, judged, read_choices, trials


@dataclass(frozen=True)
class Member:
    """A variant's part in an experiment: its canonical name, and in a sweep its base, the factor and this
    member's level."""

    variant: str
    base: str | None = None
    factor: str | None = None
    level: Any = None


class ResolvedStudy:
    """A validated study and the runs it stands for. `figures`: the names that an experiment may list; None:
    any. `results`: where `{scale}/tables/worth/tuning.csv` lies once it has been made.

    Raises:
        UserError: at construction, for anything wrong in any scale, variant or experiment; before any job.
    """

    def __init__(
        self,
        values: Settings,
        origin: str = "config.yaml",
        figures: Collection[str] | None = None,
        results: Path = Path("results"),
    ) -> None:
        self.study: Study = validated(Study, values, origin)
        load_plugins([*self.study.plugins, *installed()])
        self.origin, self.results = origin, results
        for kind in ("scale", "variant", "experiment"):
            check_names(kind, getattr(self.study, f"{kind}s"), origin)
        for experiment in self.study.experiments.values():
            for name in experiment.figures if figures is not None else ():
                self.check_name("figure", name, figures)
        self.check_name("scale", self.study.scale, self.study.scales)
        self._sweep_variants = self._swept()
        check_names("variant", self._sweep_variants, f"{origin}, a sweep's level")
        check_references(self)
        self._templates: dict[tuple[str, str], RunConfig] = {}
        self._cells: dict[str, dict[str, Cell]] = {scale: {} for scale in self.study.scales}
        for scale in self.study.scales:
            for variant in self.variants_at(scale):
                self.run_config(scale, variant, 0)
        self._cells = {scale: self._cells_of(scale) for scale in self.study.scales}
        check_variants(self)
        check_comparisons(self)
        check_worth(self)

    @property
    def variants(self) -> dict[str, Settings]:
        """Named variants and those of sweeps."""
        return self.study.variants | self._sweep_variants

    def scale(self, name: str) -> Scale:
        """A scale's settings."""
        self.check_name("scale", name, self.study.scales)
        return self.study.scales[name]

    def run_config(self, scale: str, variant: str, seed: int) -> RunConfig:
        """One run, resolved: the common settings, the scale's on top, the variant's, and what the scale says
        of the variant."""
        if variant in self.cells(scale):
            return self._cell_config(scale, self.cells(scale)[variant], seed)
        key = (scale, variant)
        if key not in self._templates:
            sections = self._sections(scale, variant)
            self._templates[key] = self._validated(sections, f"variant '{variant}' at scale '{scale}'")
        return self._templates[key].model_copy(update={"seed": seed})

    def _settings(self, layers: Settings) -> Settings:
        """A run's settings with what is overridden, the protocol, and the plugins that they need."""
        for dotted, value in self.study.override.items():
            # Snakemake's command line gives words where a number is meant.
            layers = with_value(layers, dotted, safe_load(value) if isinstance(value, str) else value)
        plugins = plugged_parts(layers)
        return merged(
            layers, {"protocol": self.study.protocol, "seed": 0}, {"plugins": plugins} if plugins else {}
        )

    def worth(self, scale: str) -> Worth:
        """A scale's study of what a negative is worth.

        Raises:
            UserError: it has none.
        """
        settings = self.scale(scale).worth
        if settings is None:
            having = ", ".join(name for name, size in self.study.scales.items() if size.worth)
            raise UserError(
                f"{self.origin}: scale '{scale}' has no `worth` section; those that have one: {having or 'none'}"
            )
        return settings

    def cells(self, scale: str) -> dict[str, Cell]:
        """The cells of a scale's study of worth, by the names of their variants: trials, then what is judged."""
        return self._cells[scale]

    def cell_seeds(self, scale: str, cell: Cell) -> list[int]:
        """The seeds of a cell: those of tuning, or those of the scale's study of worth."""
        return self.seeds(scale, "worth") if cell.trial is None else self.worth(scale).tuning.seeds

    def cell_runs(self, scale: str, trial: bool) -> list[tuple[str, int]]:
        """(variant, seed) of every trial, or of every judged run."""
        cells = {name: cell for name, cell in self.cells(scale).items() if (cell.trial is not None) == trial}
        return [(name, seed) for name, cell in cells.items() for seed in self.cell_seeds(scale, cell)]

    def tuned(self, scale: str) -> bool:
        """Whether the trials of a scale have been read, so that its judged runs are known in full."""
        return self._tuning(scale).exists()

    def choices(self, scale: str) -> Choices:
        """What tuning chose at a scale; errors as of `read_choices`."""
        return read_choices(self._tuning(scale))

    def _tuning(self, scale: str) -> Path:
        return self.results / scale / "tables/worth/tuning.csv"

    def worth_specification(self, scale: str, trial: bool) -> Settings:
        """What the tables of a study of worth have to know, as JSON values; of its trials, or of what is judged."""
        cells = [cell for cell in self.cells(scale).values() if (cell.trial is not None) == trial]
        configs = [self.run_config(scale, cell.name, 0) for cell in cells]
        return {
            "baseline": self.study.comparison.baseline,
            "protocol": self.study.protocol,
            "precise": self.worth(scale).precise,
            "cells": [
                {
                    "variant": cell.name,
                    "arm": cell.arm,
                    "steps": cell.steps,
                    "learning_rate": config.optimiser.learning_rate,
                    "weight": config.contrast.max_weight if config.contrast else None,
                    "seeds": self.cell_seeds(scale, cell),
                    "fingerprint": config.fingerprint(),
                }
                for cell, config in zip(cells, configs, strict=True)
            ],
        }

    def _cells_of(self, scale: str) -> dict[str, Cell]:
        worth = self.study.scales[scale].worth
        if worth is None:
            return {}
        for arm in worth.arms:
            self.check_name("variant", arm, self.study.variants)
        weighed = {arm: self.run_config(scale, arm, 0).contrast is not None for arm in worth.arms}
        cells = trials(worth, weighed, self.study.comparison.baseline) + judged(
            worth, self.study.comparison.baseline
        )
        return {cell.name: cell for cell in cells}

    def _cell_config(self, scale: str, cell: Cell, seed: int) -> RunConfig:
        """A cell's run; of a judged one, with what tuning chose."""
        choice = cell.trial
        if choice is None:
            tuned = self.choices(scale).get(cell.arm)
            if tuned is None:
                raise UserError(
                    f"tuning.csv of scale '{scale}' says nothing of arm '{cell.arm}'; make it again"
                )
            choice = chosen(tuned, cell.steps)
        return self._cell_template(scale, cell, choice).model_copy(update={"seed": seed})

    def _cell_template(self, scale: str, cell: Cell, choice: Choice) -> RunConfig:
        key = (scale, f"{cell.name} {choice}")
        if key not in self._templates:
            size = self.scale(scale)
            of_arm = merged(self.study.variants[cell.arm], size.variants.get(cell.arm, {}))
            sections = {
                "run": self.study.run,
                f"scales.{scale}.run": size.run,
                f"scales.{scale}.worth.run": self.worth(scale).run,
                f"arm '{cell.arm}'": cell.settings(of_arm, choice),
            }
            self._templates[key] = self._validated(
                sections, f"arm '{cell.arm}' of `worth` at scale '{scale}'"
            )
        return self._templates[key]

    def _validated(self, sections: dict[str, Settings], whose: str) -> RunConfig:
        """A run of sections, later ones on top.

        Raises:
            UserError: one line that names the section in which the person wrote what is wrong.
        """
        settings = self._settings(merged(*sections.values()))
        try:
            return RunConfig.model_validate(settings)
        except ValidationError as error:
            keys = written(error, settings)
            wrote = [name for name, section in sections.items() if keys and _holds(section, keys)]
            where = f"`{wrote[-1]}` ({whose})" if wrote else whose
            raise UserError(explain(error, f"{self.origin}, {where}", settings)) from None

    def _sections(self, scale: str, variant: str) -> dict[str, Settings]:
        """One run's layers by the section in which they are written, later ones on top; not yet checked."""
        self.check_name("variant", variant, self.variants)
        size = self.scale(scale)
        own = f"variants.{variant}" if variant in self.study.variants else "the sweep"
        return {
            "run": self.study.run,
            f"scales.{scale}.run": size.run,
            own: self.variants[variant],
            f"scales.{scale}.variants.{variant}": size.variants.get(variant, {}),
        }

    def variants_at(self, scale: str) -> list[str]:
        """The variants whose network and strategy can take the scale's task; the others do not exist there."""

        def named(settings: Settings, section: str, key: str) -> Any:
            value = settings.get(section)
            return value.get(key) if isinstance(value, dict) else None

        def at_home(variant: str) -> bool:
            settings = merged(*self._sections(scale, variant).values())
            parts = (("problem", "task"), ("network", "kind"), ("negatives", "strategy"))
            return stranger_to_task(*(named(settings, *part) for part in parts)) is None

        return [variant for variant in self.variants if at_home(variant)]

    def experiments_at(self, scale: str) -> list[str]:
        """The experiments that the scale's task allows, all their variants being there."""
        there = set(self.variants_at(scale))
        return [
            name
            for name, experiment in self.study.experiments.items()
            if {*experiment.variants, *self._expand(experiment)} <= there
        ]

    def canonical(self, scale: str) -> dict[str, str]:
        """Variant -> the first variant with the same resolved configuration: equal runs are trained once."""
        return _canonical(self, scale)

    def members(self, scale: str, experiment: str) -> list[Member]:
        """The variants of an experiment under their canonical names."""
        self.check_name("experiment", experiment, self.study.experiments)
        settings, names = self.study.experiments[experiment], self.canonical(scale)
        for variant in (*settings.variants, *self._expand(settings)):
            if variant not in names:
                self.run_config(scale, variant, 0)  # says why it does not exist here
        members = [Member(names[variant]) for variant in settings.variants]
        return members + [
            Member(names[sweep_name(sweep, level)], sweep.base, sweep.factor, level)
            for sweep in settings.sweeps
            for level in sweep.levels
        ]

    def comparisons(self, scale: str, experiment: str) -> list[tuple[str, str]]:
        """Pairs (treatment, baseline) under canonical names, the primary one first."""
        names, settings = self.canonical(scale), self.study.experiments[experiment]
        if settings.comparisons:
            return [(names[treatment], names[baseline]) for treatment, baseline in settings.comparisons]
        variants = dict.fromkeys(member.variant for member in self.members(scale, experiment))
        return _against(names[self.study.comparison.baseline], list(variants))

    def figures(self, experiment: str) -> list[str]:
        """The names of an experiment's figures, in the order of a report; the same at every scale."""
        self.check_name("experiment", experiment, self.study.experiments)
        return self.study.experiments[experiment].figures

    def seeds(self, scale: str, experiment: str) -> list[int]:
        """The seeds of an experiment at a scale."""
        settings = self.scale(scale)
        return settings.seeds_of.get(experiment, settings.seeds)

    def runs(self, scale: str, experiment: str) -> list[tuple[str, int]]:
        """(variant, seed) of every run an experiment needs."""
        variants = dict.fromkeys(member.variant for member in self.members(scale, experiment))
        return [(variant, seed) for variant in variants for seed in self.seeds(scale, experiment)]

    def pack(self, scale: str, variant: str, seed: int) -> list[int]:
        """The seeds that are trained together with `seed`: neighbours in the order of all seeds that a scale
        uses."""
        settings, size = self.scale(scale), self.study.seeds_per_job
        cell = self.cells(scale).get(variant)
        groups = [self.cell_seeds(scale, cell)] if cell else [settings.seeds, *settings.seeds_of.values()]
        known = dict.fromkeys(s for seeds in groups for s in seeds)
        seeds = list(known) if seed in known else [seed]
        first = seeds.index(seed) // size * size
        return seeds[first : first + size]

    def specification(self, scale: str, experiment: str) -> Settings:
        """What aggregation has to know of an experiment, as JSON values."""
        comparison = self.study.comparison
        arms = {
            member.variant: vars(member)
            | {"fingerprint": self.run_config(scale, member.variant, 0).fingerprint()}
            for member in self.members(scale, experiment)
        }
        return {
            "name": experiment,
            "seeds": self.seeds(scale, experiment),
            "variants": list(arms.values()),
            "comparisons": [list(pair) for pair in self.comparisons(scale, experiment)],
            "effects": self.study.experiments[experiment].effects,
            "margin": comparison.margin,
            "protocol": self.study.protocol,
        }

    def marks(self, scale: str, experiment: str) -> dict[str, str]:
        """Variant -> the mark of its runs, by which tables of other runs are refused."""
        found: dict[str, list[tuple[int, str]]] = {}
        for variant, seed in self.runs(scale, experiment):
            found.setdefault(variant, []).append((seed, self.run_config(scale, variant, seed).fingerprint()))
        return {variant: mark(runs) for variant, runs in found.items()}

    def shown(self, scale: str) -> Settings:
        """What a reader of a scale's report should see of the configuration."""
        experiments = self.scale(scale).experiments
        names = dict.fromkeys(
            m.variant for experiment in experiments for m in self.members(scale, experiment)
        )
        return {
            "seeds": self.scale(scale).seeds,
            "comparison": self.study.comparison.model_dump(),
            "runs": merged(self.study.run, self.scale(scale).run),
            "variants": {
                name: merged(self.variants[name], self.scale(scale).variants.get(name, {})) for name in names
            },
        }

    def _swept(self) -> dict[str, Settings]:
        """The variants of all sweeps, by name."""
        found: dict[str, Settings] = {}
        for title, experiment in self.study.experiments.items():
            for name, settings in self._expand(experiment).items():
                known = self.study.variants.get(name, settings)
                if found.setdefault(name, known) != settings:
                    raise UserError(
                        f"{self.origin}: '{name}', a level of the sweep of experiment '{title}', is also the "
                        "name of a variant with other settings; give one of the two a base of another name"
                    )
        return found

    def _expand(self, experiment: Experiment) -> dict[str, Settings]:
        """The variants that an experiment's sweeps stand for."""
        for sweep in experiment.sweeps:
            self.check_name("variant", sweep.base, self.study.variants)
        return {
            sweep_name(sweep, level): with_value(self.study.variants[sweep.base], sweep.factor, level)
            for sweep in experiment.sweeps
            for level in sweep.levels
        }

    def check_name(self, kind: str, name: str, valid: Any) -> None:
        """Refuse a name that nothing has.

        Raises:
            UserError: the name, the valid ones, and the one that was probably meant.
        """
        if name not in valid:
            raise UserError(
                f"{self.origin}: unknown {kind} {name!r}; valid: {', '.join(valid)}.{nearest(name, valid)}"
            )


def _holds(section: Any, keys: list[str | int]) -> bool:
    """Whether a section holds the key at the end of `keys`."""
    for key in keys:
        if not isinstance(section, dict):
            return isinstance(section, list)
        if key not in section:
            return False
        section = section[key]
    return True


def _against(baseline: str, variants: list[str]) -> list[tuple[str, str]]:
    """Every other variant against the baseline, where that is among them."""
    held = baseline in variants
    return [(variant, baseline) for variant in variants if held and variant != baseline]


def sweep_name(sweep: Sweep, level: Any) -> str:
    """The variant name of a level: adversarial_opt_steps=10."""
    return f"{sweep.base}_{sweep.factor.rpartition('.')[2]}={level}"


@cache
def _canonical(study: ResolvedStudy, scale: str) -> dict[str, str]:
    first: dict[str, str] = {}
    # Named variants come first, so that a sweep's level takes their name and not the other way round.
    there = set(study.variants_at(scale))
    ordered = [name for name in (*study.study.variants, *study.variants) if name in there]
    return {
        variant: first.setdefault(study.run_config(scale, variant, 0).fingerprint(), variant)
        for variant in ordered
    }


__all__ = ["Member", "ResolvedStudy"]
