"""The base of every settings class: immutable, an unknown key is an error, and what is wrong is said in one line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from ired.base.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Settings declared beside the code that reads them; `config` composes them into one run's
    configuration."""

    # strict: a quoted number or a 1 for `true` is a mistake to report, not one to repair silently.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def nearest(name: str, valid: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing where no valid name is near."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def also_plugged(registry: Mapping[str, Any], tag: str) -> WrapValidator:
    """For a union of settings told apart by `tag`: what a plugin has added to `registry` since is valid too.

    registry: name -> class with `Settings`, in which plugins enter theirs.
    """
    built_in = frozenset(registry)

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        name = value.get(tag) if isinstance(value, Mapping) else getattr(value, tag, None)
        if not isinstance(name, str) or name in built_in or name not in registry:
            return handler(value)
        return registry[name].Settings.model_validate(value)

    return WrapValidator(validate)


def validated(model: type[Model], values: Any, origin: str) -> Model:
    """Validate values against a model.

    Raises:
        UserError: one line that names the key, its value and the nearest valid name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, origin)) from error


def parsed(model: type[Model], text: str, origin: str) -> Model:
    """Validate JSON text against a model; errors as of `validated`."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{origin} is not valid JSON: {error}") from error
    return validated(model, values, origin)


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
    if kind == "union_tag_not_found":
        return f"'{where}.{detail['ctx']['discriminator'].strip(chr(39))}' is missing"
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
