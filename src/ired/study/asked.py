"""What a person asked for on the command line of Snakemake: values of `--config`, and targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ired.base.errors import UserError
from ired.base.settings import nearest

if TYPE_CHECKING:
    from ired.study.resolve import ResolvedStudy

FOLDERS = ("benchmarks", "data", "figures", "logs", "packs", "runs", "tables")  # of a scale


def typed(values: Any) -> Any:
    """Values of `--config` with numbers as numbers: Snakemake gives everything inside of `{...}` as text."""
    if isinstance(values, Mapping):
        return {key: typed(value) for key, value in values.items()}
    if isinstance(values, list):
        return [typed(value) for value in values]
    if not isinstance(values, str):
        return values
    try:
        read = yaml.safe_load(values)
    except yaml.YAMLError:
        return values
    return values if isinstance(read, (Mapping, list)) else read


def _leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path, values


def refuse_without_effect(asked: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a value of `--config run={...}` that the scale sets as well: the scale's would win without a word.

    Args:
        asked: what `--config` holds, as `typed` returns it.
        config: the whole configuration.

    Raises:
        UserError: names the value, and the option that has an effect.
    """
    scale = config.get("scale")
    for path, value in _leaves(asked.get("run", {})):
        below: Any = (config.get("scales") or {}).get(scale, {}).get("run", {})
        for key in path:
            below = below.get(key) if isinstance(below, Mapping) else None
        if below is not None:
            option = f"{path[-1]}: {value}"
            for key in reversed(("run", *path[:-1])):
                option = f"{key}: {{{option}}}"
            key = ".".join(path)
            raise UserError(
                f"--config run.{key} has no effect, since scale '{scale}' sets {key} itself; write "
                f"--config 'scales={{{scale}: {{{option}}}}}'"
            )


def refuse_files_for_folders(results: Path, scale: str) -> None:
    """Refuse a file that lies where the pipeline makes a folder.

    Raises:
        UserError: names the file.
    """
    own = results / scale
    for folder in (results, results / ".state", own, *(own / name for name in FOLDERS)):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, and results need a folder of this name; move the file away")


def refuse_unknown(
    targets: Iterable[str], study: ResolvedStudy, rules: Iterable[str], is_made: Callable[[str], bool]
) -> None:
    """Refuse a target that no rule makes, with what was probably meant.

    Args:
        rules: names of rules, which are targets too.
        is_made: whether some rule makes a file of this path.

    Raises:
        UserError: the first such target.
    """
    names = [name for name in rules if not name.startswith("_")]
    for target in targets:
        if target in names or os.path.isfile(target):
            continue
        why = _misnamed(target, study) or ("" if is_made(target) else _why(target, names))
        if why:
            raise UserError(f"target '{target}': {why}")


def _parts(target: str) -> list[str]:
    """The components of a path below results/ or results/shipped/: scale, kind, and what follows."""
    return target.rstrip("/").removeprefix("results/").removeprefix("shipped/").split("/")


def _misnamed(target: str, study: ResolvedStudy) -> str:
    """Which name of a path below results/ is not in config.yaml; nothing where all are."""
    if not target.startswith("results/"):
        return ""
    parts = _parts(target)
    scale, kind, name, *below = parts + [""] * (3 - len(parts))
    if scale not in study.study.scales:
        return f"config.yaml has no scale '{scale}'.{nearest(scale, study.study.scales)}"
    tabulated = [*study.study.experiments, *(["worth"] if study.study.scales[scale].worth else [])]
    known: list[str] = {
        "runs": [*study.variants.settings, *study.worth.at(scale)],
        "tables": tabulated,
        "figures": tabulated,
    }.get(kind, [name])
    if name not in known and (below or kind == "runs"):  # else it is the name of a file
        what = "variant" if kind == "runs" else "experiment"
        return f"config.yaml has no {what} '{name}'.{nearest(name, known)}"
    return ""


def _why(target: str, rules: list[str]) -> str:
    """What else is wrong with a target that no rule makes."""
    if os.path.isabs(target):
        inside = os.path.relpath(target)
        return "it lies outside of this folder" if inside.startswith("..") else f"write it as {inside}"
    if "/" not in target.rstrip("/"):
        return f"there is no target of this name.{nearest(target, rules)}"
    parts = _parts(target)
    if not target.startswith("results/") or len(parts) < 2:
        return "results lie in results/SCALE/"
    scale, kind, *rest = parts
    if kind not in (*FOLDERS, "report.html"):
        return f"results/{scale}/ has no '{kind}'.{nearest(kind, [*FOLDERS, 'report.html'])}"
    if kind == "runs" and len(rest) < 3:
        return f"it is a folder: ask for a file in it, as results/{'/'.join([*parts[:3], 'seed0', 'metrics.json'])}"
    return f"no step of the pipeline makes a file '{rest[-1] if rest else kind}' there"
