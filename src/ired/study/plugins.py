"""Strategies, networks and tasks from a user's own modules: named in config.yaml (`plugins: [my_study.negatives]`)
or by an entry point of the group `ired.plugins`, checked, and part of a run's identity by the hash of their source.

A module needs no call and no registration: every class in it whose `Settings` are a strategy's, a network's or a
task's is taken under the name that those settings default to.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ired.base.errors import UserError
from ired.base.hashing import digest
from ired.base.settings import Strict
from ired.energy import NETWORKS
from ired.energy.base import NetworkSettings
from ired.negatives import STRATEGIES, StrategySettings
from ired.tasks import TASKS, TaskSettings

GROUP = "ired.plugins"
# The key that names a part in a configuration, the base of its settings, and where it is entered.
KINDS: tuple[tuple[str, type[Strict], dict[str, Any]], ...] = (
    ("strategy", StrategySettings, STRATEGIES),
    ("kind", NetworkSettings, NETWORKS),
    ("task", TaskSettings, TASKS),
)
# (key, name) of every plugged part -> its module.
PROVIDERS: dict[tuple[str, str], str] = {}
_hashes: dict[str, str] = {}


def installed() -> list[str]:
    """The modules that installed packages offer."""
    return sorted({point.value for point in entry_points(group=GROUP)})


def load_plugins(modules: Iterable[str]) -> None:
    """Import modules, once each, and enter what they have.

    Raises:
        UserError: one line: a module that cannot be imported or has nothing, or a part that cannot be used.
    """
    for name in modules:
        if name not in _hashes:
            module = _imported(name)
            _enter(name, module)
            _hashes[name] = source_hash(module)


def _imported(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:  # `snakemake`, unlike `python -m`, does not look into the project's folder
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever a user's module does when it is imported
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(f"plugin {name} cannot be imported: {type(error).__name__}: {reason}") from error


def _enter(name: str, module: ModuleType) -> None:
    found: list[tuple[str, str, type, dict[str, Any]]] = []
    for part in vars(module).values():
        settings = getattr(part, "Settings", None)
        if not inspect.isclass(part) or part.__module__ != module.__name__ or not inspect.isclass(settings):
            continue
        for key, base, registry in KINDS:
            if issubclass(settings, base):
                found.append((key, _name(name, part, settings, key, registry), part, registry))
    if not found:
        raise UserError(
            f"plugin {name} has no strategy, network or task: a class with `Settings` derived from"
            " StrategySettings, NetworkSettings or TaskSettings"
        )
    for key, called, part, registry in found:
        registry[called] = part
        PROVIDERS[key, called] = name


def _name(module: str, part: type, settings: Any, key: str, registry: Mapping[str, Any]) -> str:
    called = settings.model_fields[key].default
    what = f"plugin {module}: {part.__name__}"
    if not isinstance(called, str):
        raise UserError(f'{what}.Settings needs its name: {key}: Literal["name"] = "name"')
    if called in registry:
        raise UserError(f"{what} is called {called!r}, and so is another; give it another name")
    if inspect.isabstract(part):
        lacking = ", ".join(sorted(part.__abstractmethods__))  # type: ignore[attr-defined]
        raise UserError(f"{what} does not define {lacking}")
    return called


def source_hash(module: ModuleType) -> str:
    """16 hexadecimal digits of a module's source; of a package, of all its .py files."""
    path = Path(module.__file__ or "")
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return digest("".join(f"{file.name}\n{file.read_text(encoding='utf-8')}\n" for file in files))


def plugged_parts(settings: Any) -> dict[str, str]:
    """Module -> source hash, of the plugins whose parts a run's settings name; `mixed` names some within."""
    if not isinstance(settings, Mapping):
        return {}
    names = {PROVIDERS.get((key, value)) for key, value in settings.items() if isinstance(value, str)}
    found = {name: _hashes[name] for name in names if name is not None}
    for value in settings.values():
        found |= plugged_parts(value)
    return found


def require(plugins: Mapping[str, str]) -> None:
    """Load the plugins of a configuration that was resolved before, in another process perhaps.

    Raises:
        UserError: as of `load_plugins`, or a source that is not the one that was planned with.
    """
    load_plugins(plugins)
    for name, wanted in plugins.items():
        if _hashes[name] != wanted:
            raise UserError(
                f"plugin {name} has changed since this run was planned ({wanted}, now {_hashes[name]});"
                " call Snakemake again, or bring its source back"
            )
