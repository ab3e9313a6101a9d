"""Every variant of a study, named in config.yaml or a level of a sweep, and its configuration at each scale."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from yaml import safe_load

from ired.base.errors import UserError
from ired.base.settings import explain, written
from ired.study.names import check_name
from ired.study.plugins import plugged_parts
from ired.study.run_config import RunConfig, merged, stranger_to_task, with_value
from ired.study.schema import Experiment, Scale, Settings, Study, Sweep


class Variants:
    """The variants of a study. `settings`: what config.yaml says of each, by name; those of sweeps come last.

    Raises:
        UserError: at construction, where a sweep's level and another variant share a name.
    """

    def __init__(self, study: Study, origin: str) -> None:
        self.study, self.origin = study, origin
        self.swept = self._of_sweeps()
        self.settings: dict[str, Settings] = study.variants | self.swept
        self._configs: dict[tuple[str, str], RunConfig] = {}

    def scale(self, name: str) -> Scale:
        """A scale's settings."""
        check_name("scale", name, self.study.scales, self.origin)
        return self.study.scales[name]

    def at(self, scale: str) -> list[str]:
        """The variants whose network and strategy can take the scale's task; the others do not exist there."""

        def named(settings: Settings, section: str, key: str) -> Any:
            value = settings.get(section)
            return value.get(key) if isinstance(value, dict) else None

        def at_home(variant: str) -> bool:
            settings = merged(*self._sections(scale, variant).values())
            parts = (("problem", "task"), ("network", "kind"), ("negatives", "strategy"))
            return stranger_to_task(*(named(settings, *part) for part in parts)) is None

        return [variant for variant in self.settings if at_home(variant)]

    def config(self, scale: str, variant: str) -> RunConfig:
        """The configuration of a variant's run of seed 0: the common settings, the scale's on top, the variant's, and
        what the scale says of the variant."""
        key = (scale, variant)
        if key not in self._configs:
            sections = self._sections(scale, variant)
            self._configs[key] = self.validated(sections, f"variant '{variant}' at scale '{scale}'")
        return self._configs[key]

    def validated(self, sections: dict[str, Settings], whose: str) -> RunConfig:
        """A run of sections, later ones on top.

        Raises:
            UserError: one line that names the section in which the person wrote what is wrong.
        """
        settings = self._overridden(merged(*sections.values()))
        try:
            return RunConfig.model_validate(settings)
        except ValidationError as error:
            keys = written(error, settings)
            wrote = [name for name, section in sections.items() if keys and _holds(section, keys)]
            where = f"`{wrote[-1]}` ({whose})" if wrote else whose
            raise UserError(explain(error, f"{self.origin}, {where}", settings)) from None

    def expand(self, experiment: Experiment) -> dict[str, Settings]:
        """The variants that an experiment's sweeps stand for."""
        for sweep in experiment.sweeps:
            check_name("variant", sweep.base, self.study.variants, self.origin)
        return {
            sweep_name(sweep, level): with_value(self.study.variants[sweep.base], sweep.factor, level)
            for sweep in experiment.sweeps
            for level in sweep.levels
        }

    def _of_sweeps(self) -> dict[str, Settings]:
        """The variants of all sweeps, by name."""
        found: dict[str, Settings] = {}
        for title, experiment in self.study.experiments.items():
            for name, settings in self.expand(experiment).items():
                known = self.study.variants.get(name, settings)
                if found.setdefault(name, known) != settings:
                    raise UserError(
                        f"{self.origin}: '{name}', a level of the sweep of experiment '{title}', is also the "
                        "name of a variant with other settings; give one of the two a base of another name"
                    )
        return found

    def _sections(self, scale: str, variant: str) -> dict[str, Settings]:
        """One run's layers by the section in which they are written, later ones on top; not yet checked."""
        check_name("variant", variant, self.settings, self.origin)
        size = self.scale(scale)
        own = f"variants.{variant}" if variant in self.study.variants else "the sweep"
        return {
            "run": self.study.run,
            f"scales.{scale}.run": size.run,
            own: self.settings[variant],
            f"scales.{scale}.variants.{variant}": size.variants.get(variant, {}),
        }

    def _overridden(self, settings: Settings) -> Settings:
        """A run's settings with what is overridden, the protocol, and the plugins that they need."""
        for dotted, value in self.study.override.items():
            # Snakemake's command line gives words where a number is meant.
            settings = with_value(settings, dotted, safe_load(value) if isinstance(value, str) else value)
        plugins = plugged_parts(settings)
        return merged(
            settings, {"protocol": self.study.protocol, "seed": 0}, {"plugins": plugins} if plugins else {}
        )


def sweep_name(sweep: Sweep, level: Any) -> str:
    """The variant name of a level: adversarial_opt_steps=10."""
    return f"{sweep.base}_{sweep.factor.rpartition('.')[2]}={level}"


def _holds(section: Any, keys: list[str | int]) -> bool:
    """Whether a section holds the key at the end of `keys`."""
    for key in keys:
        if not isinstance(section, dict):
            return isinstance(section, list)
        if key not in section:
            return False
        section = section[key]
    return True
