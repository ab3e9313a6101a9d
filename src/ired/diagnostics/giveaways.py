"""What gives a negative away: how well one number of a matrix tells negatives from truths, with a control that shows
whether the number could see a singular one at all."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ired.diagnostics.energy_profile import effective_rank
from ired.diagnostics.subject import Diagnostic, Level, Subject
from ired.record.schema.diagnostics import GIVEAWAYS

# Which negatives are told from which truths, by the column that says how well.
PAIRS = {
    "auc": ("implied", "truth"),
    "auc_control": ("control", "truth"),
    "auc_noised": ("negative", "noised"),
    "auc_noised_control": ("noised control", "noised"),
}


def scalars(matrices: Tensor) -> dict[str, Tensor]:
    """Each scalar of every matrix, (N, n^2) -> (N,) float64 each."""
    n = round(matrices.shape[-1] ** 0.5)
    y = matrices.double().unflatten(-1, (n, n))
    # A singular matrix has no finite logarithm: floor it where float64 stops telling.
    singular = torch.linalg.svdvals(y).clamp(min=1e-300)
    norm = matrices.double().norm(dim=-1)
    return {
        "log_abs_det": singular.log().sum(-1),
        "log10_cond": (singular[..., 0] / singular[..., -1]).log10(),
        "sigma_min": singular[..., -1],
        "symmetry_defect": (y - y.mT).flatten(-2).norm(dim=-1) / norm,
        "norm": norm,
        "rank": effective_rank(singular),
        "spread": torch.cdist(matrices.double(), matrices.double()).sum(1) / (len(matrices) - 1),
    }


def auc(negative: Tensor, positive: Tensor) -> float:
    """P[a negative's number is larger than a positive's], ties half (Mann & Whitney 1947): (N,) and (M,)."""
    larger, equal = negative[:, None] > positive, negative[:, None] == positive
    return larger.double().mean().item() + equal.double().mean().item() / 2


def rank_one(matrices: Tensor) -> Tensor:
    """The nearest matrix of rank 1, brought to the norm of the matrix it comes from: (N, n^2) -> (N, n^2)."""
    n = round(matrices.shape[-1] ** 0.5)
    left, _, right = torch.linalg.svd(matrices.double().unflatten(-1, (n, n)))
    flat = (left[..., :, :1] @ right[..., :1, :]).flatten(-2)
    return flat * matrices.double().norm(dim=-1, keepdim=True)


def giveaways(truth: Tensor, implied: Tensor, noised: Tensor, negative: Tensor) -> list[dict[str, Any]]:
    """Rows of giveaways.csv without their key, from four (N, n^2): X, the solution that each negative stands
    for, and both noised and brought to the solution's scale."""
    control = rank_one(implied)
    found = {
        "truth": scalars(truth),
        "implied": scalars(implied),
        "control": scalars(control),
        "noised": scalars(noised),
        "negative": scalars(negative),
        # The negative's own noise stays where it is.
        "noised control": scalars(negative.double() - implied.double() + control),
    }
    rows: list[dict[str, Any]] = []
    for name in found["truth"]:
        row: dict[str, Any] = {"scalar": name}
        row |= {which: found[which][name].median().item() for which in ("truth", "implied")}
        rows.append(row | {column: auc(found[a][name], found[b][name]) for column, (a, b) in PAIRS.items()})
    return rows


def of_level(level: Level) -> list[dict[str, Any]]:
    """The rows of one snapshot at one noise level; none without negatives."""
    if level.proposal is None:
        return []
    four = (
        level.batch.solution,
        level.proposal.solution,
        level.batch.positive / level.root,
        level.proposal.negative / level.root,
    )
    return giveaways(*(matrices[0].cpu() for matrices in four))


def compute(subject: Subject) -> pd.DataFrame:
    """giveaways.csv: every snapshot at every level."""
    rows = [key | {"matrices": level.count} | row for key, level in subject.levels for row in of_level(level)]
    return pd.DataFrame(rows, columns=GIVEAWAYS.names)


DIAGNOSTIC = Diagnostic(GIVEAWAYS, compute, tasks=("inversion",))
