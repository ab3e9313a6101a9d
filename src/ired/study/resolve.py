"""The whole study, resolved: scales, variants and experiments of config.yaml, and the runs they stand for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from ired.base.errors import UserError
from ired.base.settings import nearest, validated
from ired.study.checks import check_comparisons, check_references, check_variants
from ired.study.run_config import RunConfig, merged, with_value
from ired.study.schema import Experiment, Scale, Settings, Study, Sweep


@dataclass(frozen=True)
class Member:
    """A variant's part in an experiment: its canonical name, and in a sweep the factor and this member's
    level."""

    variant: str
    factor: str | None = None
    level: Any = None


class ResolvedStudy:
    """A validated study and the runs it stands for. `figures`: the names that an experiment may list; None:
    any.

    Raises:
        UserError: at construction, for anything wrong in any scale, variant or experiment; before any job.
    """

    def __init__(
        self, values: Settings, origin: str = "config.yaml", figures: Collection[str] | None = None
    ) -> None:
        self.study: Study = validated(Study, values, origin)
        self.origin = origin
        for experiment in self.study.experiments.values():
            for name in experiment.figures if figures is not None else ():
                self.check_name("figure", name, figures)
        self.check_name("scale", self.study.scale, self.study.scales)
        self._sweep_variants = self._swept()
        check_references(self)
        self._templates: dict[tuple[str, str], RunConfig] = {}
        for scale in self.study.scales:
            for variant in self.variants:
                self.run_config(scale, variant, 0)
        check_variants(self)
        check_comparisons(self)

    @property
    def variants(self) -> dict[str, Settings]:
        """Named variants and those of sweeps."""
        return self._sweep_variants | self.study.variants

    def scale(self, name: str) -> Scale:
        """A scale's settings."""
        self.check_name("scale", name, self.study.scales)
        return self.study.scales[name]

    def run_config(self, scale: str, variant: str, seed: int) -> RunConfig:
        """One run, resolved: the common settings, the scale's on top, the variant's, and what the scale says
        of the variant."""
        key = (scale, variant)
        if key not in self._templates:
            self.check_name("variant", variant, self.variants)
            size = self.scale(scale)
            of_variant = [self.variants[variant], size.variants.get(variant, {})]
            layers = merged(self.study.run, size.run, *of_variant)
            settings = merged(layers, {"protocol": self.study.protocol, "seed": 0})
            origin = f"{self.origin}, variant '{variant}' at scale '{scale}'"
            self._templates[key] = validated(RunConfig, settings, origin)
        return self._templates[key].model_copy(update={"seed": seed})

    def canonical(self, scale: str) -> dict[str, str]:
        """Variant -> the first variant with the same resolved configuration: equal runs are trained once."""
        return _canonical(self, scale)

    def members(self, scale: str, experiment: str) -> list[Member]:
        """The variants of an experiment under their canonical names."""
        self.check_name("experiment", experiment, self.study.experiments)
        settings, names = self.study.experiments[experiment], self.canonical(scale)
        members = [Member(names[variant]) for variant in settings.variants]
        if settings.sweep:
            sweep = settings.sweep
            members += [
                Member(names[sweep_name(sweep, level)], sweep.factor, level) for level in sweep.levels
            ]
        return members

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
        known = dict.fromkeys(s for seeds in (settings.seeds, *settings.seeds_of.values()) for s in seeds)
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
            "margin": comparison.margin,
            "protocol": self.study.protocol,
        }

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
        """The variants a sweep stands for."""
        sweep = experiment.sweep
        if sweep is None:
            return {}
        self.check_name("variant", sweep.base, self.study.variants)
        base = self.study.variants[sweep.base]
        return {sweep_name(sweep, level): with_value(base, sweep.factor, level) for level in sweep.levels}

    def check_name(self, kind: str, name: str, valid: Any) -> None:
        """Refuse a name that nothing has.

        Raises:
            UserError: the name, the valid ones, and the one that was probably meant.
        """
        if name not in valid:
            raise UserError(
                f"{self.origin}: unknown {kind} {name!r}; valid: {', '.join(valid)}.{nearest(name, valid)}"
            )


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
    ordered = [*study.study.variants, *study.variants]
    return {
        variant: first.setdefault(study.run_config(scale, variant, 0).fingerprint(), variant)
        for variant in ordered
    }


__all__ = ["Member", "ResolvedStudy"]
