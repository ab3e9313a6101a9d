"""Reading one run folder, `{runs}/{variant}/seed{seed}/`, and refusing what cannot be trusted.

A folder holds config.json, metrics.json, history.csv, provenance.json and the diagnostics' tables. A diverged
run has no model to diagnose, so its diagnostic tables may be absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ired.base.hashing import arm_fingerprint
from ired.record import schema
from ired.record.errors import Errors, read_errors
from ired.record.read import FileFault, read_object

Fingerprint = Callable[[dict[str, Any]], str]


class SplitResult(BaseModel):
    """The result on one test set: mean squared error per element, its standard error, mean ||A Y - I||_F."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    matrices: int
    mse: float
    mse_se: float
    residual: float


class BothSplits(BaseModel):
    """Both test sets."""

    model_config = ConfigDict(frozen=True)

    id: SplitResult
    ood: SplitResult


class Metrics(BaseModel):
    """metrics.json. Keys beyond these are left alone."""

    model_config = ConfigDict(frozen=True)

    protocol: int
    fingerprint: str
    strategy: str
    seed: int
    status: Literal["finished", "diverged"]
    diverged_at: int | None
    steps: int
    n: int
    parameters: int
    madds_per_step: int
    mse_validation: float | None
    best_mse_validation: float | None
    best_step: int | None
    test: BothSplits | None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.status == "finished":
            if self.test is None:
                raise ValueError("finished, but without test results")
            for value in (self.mse_validation, self.best_mse_validation):
                if value is not None and not math.isfinite(value):
                    raise ValueError("finished, but with a validation MSE that is not finite")
        return self


@dataclass(frozen=True)
class Run:
    """One run folder as read: the diagnostic tables are missing from `diagnostics` where the run has none."""

    variant: str
    metrics: Metrics
    config: dict[str, Any]
    provenance: dict[str, Any]
    history: pd.DataFrame
    errors: Errors
    diagnostics: dict[str, pd.DataFrame] = field(default_factory=dict)


def _check_history(path: Path, history: pd.DataFrame, metrics: Metrics) -> None:
    """A history that another run wrote, or that lost its tail, does not fit the metrics beside it."""
    steps = history["step"]
    if not steps.is_monotonic_increasing or not steps.is_unique:
        raise FileFault("invalid", path, "steps do not ascend")
    if len(steps) and steps.iloc[-1] > metrics.steps:
        raise FileFault("mismatch", path, f"reaches step {steps.iloc[-1]}, metrics.json {metrics.steps}")
    if metrics.status == "finished" and metrics.mse_validation is not None:
        validated = history["mse_validation"].dropna()
        # Rounded when written, perhaps; another run's value is further off than that.
        if not len(validated) or not math.isclose(validated.iloc[-1], metrics.mse_validation, rel_tol=1e-3):
            raise FileFault("mismatch", path, "its last validation is not the one in metrics.json")


def _check_config(
    path: Path, config: dict[str, Any], metrics: Metrics, seed: int, fingerprint_of: Fingerprint | None
) -> None:
    """The configuration beside the metrics must be the one they were made with."""
    found = [("seed", config.get("seed")), ("protocol", config.get("protocol"))]
    for section, key in (("negatives", "strategy"), ("problem", "n")):
        settings = config.get(section)
        if isinstance(settings, dict) and key in settings:
            found.append((key, settings[key]))
    if fingerprint_of is not None:
        try:
            found.append(("fingerprint", fingerprint_of(config)))
        except Exception as error:  # whatever a configuration of another version can set off
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise FileFault("invalid", path, f"not a configuration of this version, {reason}") from None
    elif "fingerprint" in config:
        found.append(("fingerprint", config["fingerprint"]))
    for key, value in found:
        if value != getattr(metrics, key):
            raise FileFault("mismatch", path, f"{key} {value}, metrics.json {getattr(metrics, key)}")
    if metrics.seed != seed:
        raise FileFault("mismatch", path, f"seed {metrics.seed} in the folder of seed {seed}")


def read_run(
    folder: Path,
    variant: str,
    seed: int,
    protocol: int,
    fingerprint: str | None = None,
    fingerprint_of: Fingerprint | None = None,
    diagnosed: bool = True,
    errors: bool = True,
) -> Run:
    """Read and check one run.

    Args:
        folder: the run folder.
        variant, seed, protocol: what the run must be.
        fingerprint: of the variant's configuration without the seed; None if not known.
        fingerprint_of: computes the fingerprint of a config.json as read; None: no such check.
        diagnosed: whether a finished run must have its diagnostic tables; else they are not looked at.
        errors: likewise its errors problem by problem.

    Raises:
        FileFault: the first thing wrong with the folder.
    """
    path = folder / "metrics.json"
    try:
        metrics = Metrics.model_validate(read_object(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FileFault("invalid", path, f"{where}: {first['msg']}" if where else first["msg"]) from None
    if metrics.protocol != protocol:
        raise FileFault("protocol", path, f"protocol {metrics.protocol}")
    config = read_object(folder / "config.json")
    if fingerprint is not None and arm_fingerprint(config) != fingerprint:
        raise FileFault(
            "mismatch", folder / "config.json", f"not the configuration of variant {variant} as it is now"
        )
    _check_config(folder / "config.json", config, metrics, seed, fingerprint_of)
    history = schema.HISTORY.read(folder / "history.csv")
    _check_history(folder / "history.csv", history, metrics)
    provenance = read_object(folder / "provenance.json")
    diagnostics = {}
    for name, table in schema.DIAGNOSTICS.items() if diagnosed else ():
        path = folder / f"{name}.csv"
        if metrics.status == "finished" or path.exists():
            diagnostics[name] = table.read(path)
    sizes = {}
    if errors and metrics.status == "finished":
        sizes = read_errors(folder / "errors.npz", metrics.fingerprint)
    return Run(variant, metrics, config, provenance, history, sizes, diagnostics)
