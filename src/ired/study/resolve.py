"""The whole study, resolved: scales, variants and experiments of config.yaml, and the runs they stand for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ired.base.settings import validated
from ired.study.cells import Cells
from ired.study.checks import check_comparisons, check_references, check_variants, check_worth
from ired.study.experiments import Experiments
from ired.study.names import check_name, check_names
from ired.study.plugins import installed, load_plugins
from ired.study.run_config import RunConfig, merged
from ired.study.schema import Scale, Settings, Study
from ired.study.variants import Variants


class ResolvedStudy:
    """A validated study and the runs it stands for: `study` as it is written, `variants`, `experiments`, and `worth`,
    the cells of the study of what a negative is worth.

    Args:
        figures: the names that an experiment may list; None: any.
        results: where `{scale}/tables/worth/tuning.csv` lies once it has been made.

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
        self.origin = origin
        for kind in ("scale", "variant", "experiment"):
            check_names(kind, getattr(self.study, f"{kind}s"), origin)
        for experiment in self.study.experiments.values():
            for name in experiment.figures if figures is not None else ():
                check_name("figure", name, figures, origin)
        check_name("scale", self.study.scale, self.study.scales, origin)
        self.variants = Variants(self.study, origin)
        check_names("variant", self.variants.swept, f"{origin}, a sweep's level")
        check_references(self.study, self.variants)
        for scale in self.study.scales:
            for variant in self.variants.at(scale):
                self.variants.config(scale, variant)
        self.worth = Cells(self.variants, results)
        self.experiments = Experiments(self.variants)
        check_variants(self.variants)
        check_comparisons(self.experiments)
        check_worth(self.worth)

    def scale(self, name: str) -> Scale:
        """A scale's settings."""
        return self.variants.scale(name)

    def run_config(self, scale: str, variant: str, seed: int) -> RunConfig:
        """One run, resolved: of a variant or of a cell of the study of worth."""
        cell = self.worth.at(scale).get(variant)
        config = self.worth.config(scale, cell) if cell else self.variants.config(scale, variant)
        return config.model_copy(update={"seed": seed})

    def pack(self, scale: str, variant: str, seed: int) -> list[int]:
        """The seeds that are trained together with `seed`: neighbours in the order of all seeds that a scale
        uses."""
        settings, size = self.scale(scale), self.study.seeds_per_job
        cell = self.worth.at(scale).get(variant)
        groups = [self.worth.seeds(scale, cell)] if cell else [settings.seeds, *settings.seeds_of.values()]
        known = dict.fromkeys(s for seeds in groups for s in seeds)
        seeds = list(known) if seed in known else [seed]
        first = seeds.index(seed) // size * size
        return seeds[first : first + size]

    def shown(self, scale: str) -> Settings:
        """What a reader of a scale's report should see of the configuration."""
        size = self.scale(scale)
        members = [self.experiments.members(scale, experiment) for experiment in size.experiments]
        names = dict.fromkeys(member.variant for group in members for member in group)
        return {
            "seeds": size.seeds,
            "comparison": self.study.comparison.model_dump(),
            "runs": merged(self.study.run, size.run),
            "variants": {
                name: merged(self.variants.settings[name], size.variants.get(name, {})) for name in names
            },
        }
