"""Whether an experiment's tables are whole, and of the runs that the configuration asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ired.base.errors import UserError
from ired.base.hashing import digest
from ired.record.read import FileFault
from ired.record.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

# Tables in which a finished run may have no row: `budget` has those that got so far, the others those with negatives.
OF_SOME_RUNS = ("budget", "giveaways", "gradient_conflict")
Marks = Mapping[str, str]  # variant -> the mark of its runs


def mark(fingerprints: Iterable[tuple[int, str]]) -> str:
    """One mark for the runs of a variant, given as (seed, fingerprint): it changes whenever a run does."""
    return digest(" ".join(f"{seed}:{fingerprint}" for seed, fingerprint in sorted(fingerprints)))


def refuse_others(runs: pd.DataFrame, expected: Marks, path: Path) -> None:
    """Refuse a runs.csv whose runs are not those of the configuration.

    Raises:
        UserError: the first variant that differs, and the cure.
    """
    rows = {str(name): group for name, group in runs.groupby("variant", sort=False)}
    for variant in dict.fromkeys([*expected, *rows]):
        group = rows.get(variant)
        found = None if group is None else mark(zip(group["seed"], group["fingerprint"], strict=True))
        if found != expected.get(variant):
            raise UserError(
                f"{path}: its runs of {variant} are not those that config.yaml asks for now; delete {path.parent} and "
                "ask Snakemake for it again, or set config.yaml back"
            )


def refuse_holes(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Refuse tables that lack rows of runs that runs.csv lists; `tables` without it are not looked at.

    Raises:
        FileFault: the first table with a hole.
    """
    if "runs" not in tables:
        return
    runs = tables["runs"]
    finished = runs[runs["status"] == "finished"]
    if finished["mse_id"].isna().any():
        raise FileFault("invalid", folder / "runs.csv", "a finished run without its error")
    reference = tables.get("reference")
    if reference is not None:
        beaten = set(reference.loc[reference["line"].astype(bool), "split"])
        for split in reference["split"].unique():
            if split not in beaten:
                raise FileFault(
                    "invalid",
                    folder / "reference.csv",
                    f"no row of the predictor to beat on test set {split}",
                )
    for name, table in tables.items():
        declared = TABLES.get(name)
        if name == "runs" or declared is None or "variant" not in declared.names or not len(table):
            continue
        keys = ["variant", "seed"] if "seed" in declared.names else ["variant"]
        # A run that diverged at once may have nothing to show.
        wanted = set(finished[keys].itertuples(index=False, name=None))
        lacking = sorted(wanted - set(table[keys].itertuples(index=False, name=None)))
        if lacking and name not in OF_SOME_RUNS:
            raise FileFault(
                "invalid", folder / f"{name}.csv", f"no row of {' seed '.join(map(str, lacking[0]))}"
            )
        if name == "summary" and table.loc[table["n"] > 0, "mean"].isna().any():
            raise FileFault("invalid", folder / "summary.csv", "a blank mean")


def read_whole(names: Iterable[str], folder: Path, expected: Marks | None = None) -> dict[str, pd.DataFrame]:
    """The named tables of an experiment and runs.csv, whole, and of the runs expected (None: of any).

    Raises:
        UserError: a table is missing, cut off, or not of these runs.
    """
    tables = {name: TABLES[name].read(folder / f"{name}.csv") for name in dict.fromkeys([*names, "runs"])}
    if expected is not None:
        refuse_others(tables["runs"], expected, folder / "runs.csv")
    refuse_holes(tables, folder)
    return tables
