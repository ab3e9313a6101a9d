"""Packages that are loaded when something in them is first used.

Settings live beside the tensor code they set, so that a strategy is one file. Planning a workflow reads
settings alone, and would otherwise wait seconds for torch at every call of Snakemake.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Deferred(ModuleType):
    """A module that knows where it comes from and runs its code when asked for anything else.

    `importlib.util.LazyLoader` would run it at the second `import` already, because that asks a module for its spec.
    """

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # type: ignore[assignment]  # from here on like any other
        assert self.__spec__ is not None and self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def defer(name: str) -> None:
    """From now on `import name` returns at once, and the package loads when something in it is used. Nothing
    happens if it is loaded already or not installed."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = Deferred
        sys.modules[name] = module


def without_graph(function: Callable[P, R]) -> Callable[P, R]:
    """`torch.no_grad` as a decorator that asks for torch at the call and not at the definition."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        import torch

        with torch.no_grad():
            return function(*args, **kwargs)

    return wrapper
