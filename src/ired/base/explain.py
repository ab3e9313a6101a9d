"""Validation errors as one line for a person: the key, the value, what is allowed, and the nearest valid
name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from ired.base.settings import Strict


def nearest(name: str, valid: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing where no valid name is near."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def explain(error: ValidationError, origin: str) -> str:
    """The first error of a validation, in one line, and how many more there are."""
    details = error.errors(include_url=False)
    first = details[0]
    # Pydantic's path holds the tags of unions ("negatives", "adversarial", "opt_steps"): the keys a person
    # wrote are what helps.
    keys = _known_keys()
    unknown = first["type"] == "extra_forbidden"
    last = len(first["loc"]) - 1
    where = ".".join(
        str(part)
        for i, part in enumerate(first["loc"])
        if part in keys or isinstance(part, int) or (unknown and i == last)
    )
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{origin}: {_sentence(first, where)}{more}"


def _sentence(detail: Any, where: str) -> str:
    value, kind = detail["input"], detail["type"]
    if kind == "extra_forbidden":
        key = str(detail["loc"][-1])
        elsewhere = " It belongs to another section." if key in _known_keys() else nearest(key, _known_keys())
        return f"unknown key '{where}' (value {value!r}).{elsewhere}"
    if kind == "missing":
        return f"'{where}' is missing"
    if kind == "union_tag_invalid":
        tag = str(detail["ctx"]["tag"])
        valid = [name.strip(" '") for name in detail["ctx"]["expected_tags"].split(",")]
        discriminator = detail["ctx"]["discriminator"].strip("'")
        return f"'{where}.{discriminator}' is {tag!r}; valid: {', '.join(valid)}.{nearest(tag, valid)}"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return (
        f"'{where}' is {value!r}: {message}"
        if where and not isinstance(value, dict)
        else f"{message}" + (f" (in '{where}')" if where else "")
    )


def _known_keys() -> set[str]:
    """Every key of every settings class that has been defined."""
    keys: set[str] = set()
    pending: list[type[Strict]] = [Strict]
    while pending:
        model = pending.pop()
        keys |= set(model.model_fields)
        pending += model.__subclasses__()
    return keys
