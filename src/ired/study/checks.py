"""What a study may not say, though each of its parts is well formed: all of it is found before any job.

Every check raises `UserError` with one line that names the experiment or variant and the cure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ired.base.errors import UserError

if TYPE_CHECKING:
    from ired.study.resolve import ResolvedStudy


# Names become folders, parts of rules' names and of wildcards.
NAME, LONGEST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=+-]*"), 80
RESERVED = {
    "scale": {"shipped", "published"},  # folders beside those of scales
    "experiment": {  # the workflow's own targets and rules, and a folder beside those of experiments
        *("all", "runs", "diagnostics", "tables", "figures", "experiments", "worth", "dataset", "reference"),
        *("train", "publish", "diagnose", "aggregate", "tune", "worth_tables", "draw_worth", "report_page"),
        "published_table",
    },
    "variant": set(),
}


def check_names(kind: str, names: Iterable[str], origin: str) -> None:
    """Names of variants, scales and experiments are fit for a folder and taken by nothing else."""
    for name in names:
        if len(name) > LONGEST_NAME:
            raise UserError(
                f"{origin}: the {kind} name {name[:20]!r}... has {len(name)} letters; at most {LONGEST_NAME}"
            )
        if not NAME.fullmatch(name):
            raise UserError(
                f"{origin}: the {kind} name {name!r} cannot name a folder; begin with a letter or digit, then "
                "letters, digits and _ . = + - alone"
            )
        if name in RESERVED[kind] or (kind == "experiment" and name.startswith("draw_")):
            raise UserError(
                f"{origin}: the {kind} name {name!r} is taken by the workflow itself; choose another"
            )


def check_references(resolved: ResolvedStudy) -> None:
    """Every name that is used exists, and no seed stands twice."""
    study, origin = resolved.study, resolved.origin
    for title, scale in study.scales.items():
        for name in scale.experiments:
            resolved.check_name("experiment", name, study.experiments)
        for name in scale.seeds_of:
            resolved.check_name("experiment", name, [*study.experiments, *(["worth"] if scale.worth else [])])
        for name in scale.variants:
            resolved.check_name("variant", name, resolved.variants)
        for seeds in [scale.seeds, *scale.seeds_of.values()]:
            if len(set(seeds)) < len(seeds):
                raise UserError(f"{origin}, scale '{title}': seeds {seeds} hold a seed twice")
    for title, experiment in study.experiments.items():
        for name in [*experiment.variants, *(n for pair in experiment.comparisons for n in pair)]:
            resolved.check_name("variant", name, resolved.variants)
        if not experiment.variants and not experiment.sweeps:
            raise UserError(f"{origin}: experiment '{title}' names no variants and no sweep")
        bases = {sweep.base: {*sweep.levels} for sweep in experiment.sweeps}
        if len(bases) < len(experiment.sweeps):
            raise UserError(
                f"{origin}: experiment '{title}' sweeps one variant twice; put the levels into one sweep"
            )
        for treatment, baseline in experiment.effects:
            for name in (treatment, baseline):
                resolved.check_name("sweep", name, bases)
            if treatment == baseline or not bases[treatment] & bases[baseline]:
                raise UserError(
                    f"{origin}: experiment '{title}' compares the sweeps {treatment} and {baseline}, which "
                    + ("are one" if treatment == baseline else "have no level in common")
                )
    resolved.check_name("variant", study.comparison.baseline, study.variants)
    if study.worth_scale is not None:
        resolved.check_name("scale", study.worth_scale, study.scales)
        resolved.worth(study.worth_scale)


def check_variants(resolved: ResolvedStudy) -> None:
    """A scale has one ensemble."""
    study, origin = resolved.study, resolved.origin
    for scale in study.scales:
        for variant in resolved.variants_at(scale):
            run = resolved.run_config(scale, variant, 0)
            baseline = resolved.run_config(scale, study.comparison.baseline, 0)
            for key in ("problem", "held_out"):
                if getattr(run, key) != getattr(baseline, key):
                    raise UserError(
                        f"{origin}: variant '{variant}' at scale '{scale}' sets `{key}`, but all variants of "
                        "a scale share one ensemble and its test sets; set it under `run` of a scale"
                    )


def check_comparisons(resolved: ResolvedStudy) -> None:
    """A scale's own experiments exist there; pairs are of two variants of the experiment that differ at the scale,
    each once."""
    for scale, size in resolved.study.scales.items():
        for experiment in dict.fromkeys([*size.experiments, *resolved.experiments_at(scale)]):
            where = f"{resolved.origin}, experiment '{experiment}' at scale '{scale}'"
            pairs = resolved.comparisons(scale, experiment)
            names = {member.variant for member in resolved.members(scale, experiment)}
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


def check_worth(resolved: ResolvedStudy) -> None:
    """A study of worth has the baseline among its arms, tunes on seeds that judge nothing, and can be configured."""
    for scale, settings in resolved.study.scales.items():
        worth, where = settings.worth, f"{resolved.origin}, `worth` at scale '{scale}'"
        if worth is None:
            continue
        if resolved.study.comparison.baseline not in worth.arms:
            raise UserError(
                f"{where}: the baseline '{resolved.study.comparison.baseline}' is not among its arms"
            )
        shared = sorted(set(worth.tuning.seeds) & set(resolved.seeds(scale, "worth")))
        if shared:
            raise UserError(f"{where}: seeds {shared} tune and are judged; give tuning seeds of its own")
        for cell in resolved.cells(scale).values():
            if cell.name in resolved.variants:
                raise UserError(
                    f"{where}: its runs are named '{cell.name}', and so is a variant; rename that"
                )
            if cell.trial is not None:
                resolved.run_config(scale, cell.name, 0)
