"""The base of every settings class: immutable, an unknown key is an error, and what is wrong is said in one line."""

from __future__ import annotations

import difflib
import json
import math
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


# Bounds that nobody reaches: what is beyond them overflows single precision, 64-bit integers or a file's name.
Positive = Annotated[float, Field(gt=0, le=1e30)]
NonNegative = Annotated[float, Field(ge=0, le=1e30)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**10)]
SeveralMatrices = Annotated[int, Field(ge=2, le=10**10)]  # a standard error needs two
Seed = Annotated[int, Field(ge=0, lt=2**32)]


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
        raise UserError(explain(error, origin, values)) from error


def parsed(model: type[Model], text: str, origin: str) -> Model:
    """Validate JSON text against a model; errors as of `validated`."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{origin} is not valid JSON: {error}") from error
    return validated(model, values, origin)


def explain(error: ValidationError, origin: str, values: Any = None) -> str:
    """The first error of a validation of `values` (None: of a flat mapping), in one line, and how many more."""
    details = error.errors(include_url=False)
    where = ".".join(map(str, written(error, values)))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{origin}: {_sentence(details[0], where)}{more}"


def written(error: ValidationError, values: Any) -> list[str | int]:
    """The keys that lead to the first error, as a person wrote them: pydantic's path also holds the tags of unions
    ("negatives", "adversarial", "opt_steps")."""
    first = error.errors(include_url=False)[0]
    if values is None:
        return list(first["loc"])
    keys: list[str | int] = []
    for part in first["loc"]:
        inside = part in values if isinstance(values, dict) else isinstance(values, list) and part != "[key]"
        if inside and (isinstance(values, dict) or isinstance(part, int)):
            keys.append(part)
            values = values[part] if isinstance(values, dict) or int(part) < len(values) else None
    if first["type"] == "missing":
        keys.append(first["loc"][-1])
    return keys


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
    message = message[:1].lower() + message[1:] + _yaml_hint(value, kind)
    return (
        f"'{where}' is {value!r}: {message}"
        if where and not isinstance(value, dict)
        else f"{message}" + (f" (in '{where}')" if where else "")
    )


def _yaml_hint(value: Any, kind: str) -> str:
    """How to write a number that YAML took for text (`6e-3` and `1.0e6` are words in YAML 1.1), and text that it took
    for a number or a truth value."""
    if kind == "string_type" and isinstance(value, int | float):
        return "; YAML takes this for no text, write it in quotes"
    if kind not in ("float_type", "int_type") or not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    mantissa, letter, exponent = value.strip().lower().partition("e")
    if not letter or not math.isfinite(number):
        return f"; write {value} without quotes"
    point = "" if "." in mantissa else ".0"
    sign = "" if exponent[:1] in "+-" else "+"
    return f"; YAML takes this for text, write {mantissa}{point}e{sign}{exponent}"


def _known_keys() -> set[str]:
    """Every key of every settings class that has been defined."""
    keys: set[str] = set()
    pending: list[type[Strict]] = [Strict]
    while pending:
        model = pending.pop()
        keys |= set(model.model_fields)
        pending += model.__subclasses__()
    return keys
