"""Names in config.yaml: of scales, variants, experiments and figures. They become folders, parts of rules' names and of
wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ired.base.errors import UserError
from ired.base.settings import nearest

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


def check_name(kind: str, name: str, valid: Any, origin: str) -> None:
    """Refuse a name that nothing has.

    Raises:
        UserError: the name, the valid ones, and the one that was probably meant.
    """
    if name not in valid:
        raise UserError(
            f"{origin}: unknown {kind} {name!r}; valid: {', '.join(valid)}.{nearest(name, valid)}"
        )
