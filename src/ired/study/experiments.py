"""What the experiments of a study compare at each scale, and the runs that they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ired.record.whole import mark
from ired.study.names import check_name
from ired.study.schema import Settings
from ired.study.variants import Variants, sweep_name


@dataclass(frozen=True)
class Member:
    """A variant's part in an experiment: its canonical name, and in a sweep its base, the factor and this
    member's level."""

    variant: str
    base: str | None = None
    factor: str | None = None
    level: Any = None


class Experiments:
    """The experiments of a study."""

    def __init__(self, variants: Variants) -> None:
        self.variants, self.study = variants, variants.study
        self._canonical: dict[str, dict[str, str]] = {}

    def at(self, scale: str) -> list[str]:
        """The experiments that the scale's task allows, all their variants being there."""
        there = set(self.variants.at(scale))
        return [
            name
            for name, experiment in self.study.experiments.items()
            if {*experiment.variants, *self.variants.expand(experiment)} <= there
        ]

    def canonical(self, scale: str) -> dict[str, str]:
        """Variant -> the first variant with the same resolved configuration: equal runs are trained once."""
        if scale not in self._canonical:
            first: dict[str, str] = {}
            # Named variants come first, so that a sweep's level takes their name and not the other way round.
            self._canonical[scale] = {
                variant: first.setdefault(self.variants.config(scale, variant).fingerprint(), variant)
                for variant in self.variants.at(scale)
            }
        return self._canonical[scale]

    def members(self, scale: str, experiment: str) -> list[Member]:
        """The variants of an experiment under their canonical names."""
        check_name("experiment", experiment, self.study.experiments, self.variants.origin)
        settings, names = self.study.experiments[experiment], self.canonical(scale)
        for variant in (*settings.variants, *self.variants.expand(settings)):
            if variant not in names:
                self.variants.config(scale, variant)  # says why it does not exist here
        members = [Member(names[variant]) for variant in settings.variants]
        return members + [
            Member(names[sweep_name(sweep, level)], sweep.base, sweep.factor, level)
            for sweep in settings.sweeps
            for level in sweep.levels
        ]

    def comparisons(self, scale: str, experiment: str) -> list[tuple[str, str]]:
        """Pairs (treatment, baseline) under canonical names, the primary one first."""
        members, names = self.members(scale, experiment), self.canonical(scale)
        pairs = self.study.experiments[experiment].comparisons
        if pairs:
            return [(names[treatment], names[baseline]) for treatment, baseline in pairs]
        variants = dict.fromkeys(member.variant for member in members)
        baseline = names[self.study.comparison.baseline]
        return [(name, baseline) for name in variants if baseline in variants and name != baseline]

    def figures(self, experiment: str) -> list[str]:
        """The names of an experiment's figures, in the order of a report; the same at every scale."""
        check_name("experiment", experiment, self.study.experiments, self.variants.origin)
        return self.study.experiments[experiment].figures

    def seeds(self, scale: str, experiment: str) -> list[int]:
        """The seeds of an experiment at a scale."""
        return self.variants.scale(scale).seeds_for(experiment)

    def runs(self, scale: str, experiment: str) -> list[tuple[str, int]]:
        """(variant, seed) of every run an experiment needs."""
        variants = dict.fromkeys(member.variant for member in self.members(scale, experiment))
        return [(variant, seed) for variant in variants for seed in self.seeds(scale, experiment)]

    def specification(self, scale: str, experiment: str) -> Settings:
        """What aggregation has to know of an experiment, as JSON values."""
        comparison = self.study.comparison
        arms = {
            member.variant: vars(member)
            | {"fingerprint": self.variants.config(scale, member.variant).fingerprint()}
            for member in self.members(scale, experiment)
        }
        return {
            "name": experiment,
            "seeds": self.seeds(scale, experiment),
            "variants": list(arms.values()),
            "comparisons": [list(pair) for pair in self.comparisons(scale, experiment)],
            "effects": self.study.experiments[experiment].effects,
            "diagnosed": self.study.experiments[experiment].diagnoses,
            "margin": comparison.margin,
            "protocol": self.study.protocol,
        }

    def marks(self, scale: str, experiment: str) -> dict[str, str]:
        """Variant -> the mark of its runs, by which tables of other runs are refused."""
        found: dict[str, list[tuple[int, str]]] = {}
        for variant, seed in self.runs(scale, experiment):
            config = self.variants.config(scale, variant).model_copy(update={"seed": seed})
            found.setdefault(variant, []).append((seed, config.fingerprint()))
        return {variant: mark(runs) for variant, runs in found.items()}
