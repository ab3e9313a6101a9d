"""Every leaf of a settings class, by name: what a table of settings has to cover."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel

from ired.negatives import STRATEGIES, StrategySettings

NoneType = type(None)


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted names of everything that can be set.

    An alternative of a tagged union stands in brackets (`network[mlp].hidden`), its tag being a leaf of each
    alternative. An optional section is a leaf (there or not) and has leaves. A sequence of fixed length has
    one leaf for each place.
    """
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if typing.get_origin(annotation) is Literal and len(typing.get_args(annotation)) == 1:
            yield f"{prefix}{name}"
        else:
            yield from _of(annotation, field.metadata, f"{prefix}{name}")


def _of(annotation: Any, metadata: typing.Sequence[Any], name: str) -> Iterator[str]:
    annotation, metadata = _bare(annotation, metadata)
    if annotation is StrategySettings:
        yield name
        for tag, strategy in STRATEGIES.items():
            if tag != "mixed":  # a mixture of mixtures goes on for ever
                yield from leaves(strategy.Settings, f"{name}[{tag}].")
        return
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        yield from _of_union([_bare(a, ())[0] for a in arguments], name)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from leaves(annotation, f"{name}.")
    elif (length := _fixed_length(annotation, metadata)) is not None:
        yield from (f"{name}.{index}" for index in range(length))
    else:
        yield name


def _of_union(members: list[Any], name: str) -> Iterator[str]:
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    tagged = len(models) > 1 and all(map(_tag, models))
    if NoneType in members or len(models) < len(members):
        yield name
    for member in members:
        if member in models:
            yield from leaves(member, f"{name}[{_tag(member)}]." if tagged else f"{name}.")
        elif _fixed_length(member, ()) is not None:
            yield from _of(member, (), name)


def _tag(model: type[BaseModel]) -> str:
    """What an alternative is called; "": it is known by its keys."""
    tags = [
        typing.get_args(field.annotation)[0]
        for key, field in model.model_fields.items()
        if key in ("kind", "strategy", "task")
    ]
    assert len(tags) < 2, f"{model.__name__} has two tags"
    return tags[0] if tags else ""


def _bare(annotation: Any, metadata: typing.Sequence[Any]) -> tuple[Any, list[Any]]:
    """An annotation without its `Annotated`, and everything that was annotated."""
    collected = list(metadata)
    while typing.get_origin(annotation) is Annotated:
        annotation, *more = typing.get_args(annotation)
        collected += more
    return annotation, collected


def _fixed_length(annotation: Any, metadata: typing.Sequence[Any]) -> int | None:
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and Ellipsis not in arguments:
        return len(arguments)
    bounds = {
        name: getattr(m, name) for m in metadata for name in ("min_length", "max_length") if hasattr(m, name)
    }
    same = bounds.get("min_length") == bounds.get("max_length")
    return bounds["min_length"] if typing.get_origin(annotation) is list and bounds and same else None
