"""What a study may not say, though each of its parts is well formed: all of it is found before any job.

Every check raises `UserError` with one line that names the experiment or variant and the cure.
"""

from __future__ import annotations

from ired.base.errors import UserError
from ired.study.cells import Cells
from ired.study.experiments import Experiments
from ired.study.names import check_name
from ired.study.schema import Study
from ired.study.variants import Variants


def check_references(study: Study, variants: Variants) -> None:
    """Every name that is used exists, and no seed stands twice."""
    origin = variants.origin
    for title, scale in study.scales.items():
        for name in scale.experiments:
            check_name("experiment", name, study.experiments, origin)
        for name in scale.seeds_of:
            check_name("experiment", name, [*study.experiments, *(["worth"] if scale.worth else [])], origin)
        for name in scale.variants:
            check_name("variant", name, variants.settings, origin)
        for seeds in [scale.seeds, *scale.seeds_of.values()]:
            if len(set(seeds)) < len(seeds):
                raise UserError(f"{origin}, scale '{title}': seeds {seeds} hold a seed twice")
    for title, experiment in study.experiments.items():
        for name in [*experiment.variants, *(n for pair in experiment.comparisons for n in pair)]:
            check_name("variant", name, variants.settings, origin)
        if not experiment.variants and not experiment.sweeps:
            raise UserError(f"{origin}: experiment '{title}' names no variants and no sweep")
        bases = {sweep.base: {*sweep.levels} for sweep in experiment.sweeps}
        if len(bases) < len(experiment.sweeps):
            raise UserError(
                f"{origin}: experiment '{title}' sweeps one variant twice; put the levels into one sweep"
            )
        for treatment, baseline in experiment.effects:
            for name in (treatment, baseline):
                check_name("sweep", name, bases, origin)
            if treatment == baseline or not bases[treatment] & bases[baseline]:
                raise UserError(
                    f"{origin}: experiment '{title}' compares the sweeps {treatment} and {baseline}, which "
                    + ("are one" if treatment == baseline else "have no level in common")
                )
    check_name("variant", study.comparison.baseline, study.variants, origin)


def check_variants(variants: Variants) -> None:
    """A scale has one ensemble."""
    study, origin = variants.study, variants.origin
    for scale in study.scales:
        for variant in variants.at(scale):
            run = variants.config(scale, variant)
            baseline = variants.config(scale, study.comparison.baseline)
            for key in ("problem", "held_out"):
                if getattr(run, key) != getattr(baseline, key):
                    raise UserError(
                        f"{origin}: variant '{variant}' at scale '{scale}' sets `{key}`, but all variants of "
                        "a scale share one ensemble and its test sets; set it under `run` of a scale"
                    )


def check_comparisons(experiments: Experiments) -> None:
    """A scale's own experiments exist there; pairs are of two variants of the experiment that differ at the scale,
    each once."""
    for scale, size in experiments.study.scales.items():
        for experiment in dict.fromkeys([*size.experiments, *experiments.at(scale)]):
            where = f"{experiments.variants.origin}, experiment '{experiment}' at scale '{scale}'"
            pairs = experiments.comparisons(scale, experiment)
            names = {member.variant for member in experiments.members(scale, experiment)}
            for treatment, baseline in pairs:
                if not {treatment, baseline} <= names:
                    raise UserError(
                        f"{where}: {treatment} is compared with {baseline}, and one of them is not among its "
                        f"variants ({', '.join(sorted(names))})"
                    )
                if treatment == baseline:
                    raise UserError(
                        f"{where}: {treatment} is compared with itself, or with a variant that is equal there"
                    )
            if len(set(pairs)) < len(pairs):
                raise UserError(
                    f"{where}: a comparison stands twice, and would count twice in the family of tests"
                )


def check_worth(cells: Cells) -> None:
    """A study of worth has the baseline among its arms, tunes on seeds that judge nothing, and can be configured."""
    worth_scale = cells.study.worth_scale
    if worth_scale is not None:
        check_name("scale", worth_scale, cells.study.scales, cells.variants.origin)
        cells.settings(worth_scale)
    for scale, settings in cells.study.scales.items():
        worth, where = settings.worth, f"{cells.variants.origin}, `worth` at scale '{scale}'"
        if worth is None:
            continue
        if cells.study.comparison.baseline not in worth.arms:
            raise UserError(
                f"{where}: the baseline '{cells.study.comparison.baseline}' is not among its arms"
            )
        shared = sorted(set(worth.tuning.seeds) & set(settings.seeds_for("worth")))
        if shared:
            raise UserError(f"{where}: seeds {shared} tune and are judged; give tuning seeds of its own")
        for cell in cells.at(scale).values():
            if cell.name in cells.variants.settings:
                raise UserError(
                    f"{where}: its runs are named '{cell.name}', and so is a variant; rename that"
                )
            if cell.trial is not None:
                cells.config(scale, cell)
