"""Conditioning of positives and negatives (the record holds that adversarial ones are near-singular)."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from ired.diagnostics.subject import Diagnostic, Level, Subject
from ired.record.schema.diagnostics import CONDITIONING
from ired.tasks.inversion import residual_norm

QUANTILES = (0.1, 0.5, 0.9)


def conditioning(condition: Tensor, estimate: Tensor) -> dict[str, float]:
    """Statistics of square matrices Y as inverses of A: (N, n^2), (N, n^2) -> a row of conditioning.csv.

    Quantiles over matrices of log|det Y|, log10 of the 2-norm condition number, the smallest singular value,
    and the smallest eigenvalue of the symmetric part; means of ||Y - Y^T||/||Y|| and ||A Y - I||_F; the share
    with det Y > 0.
    """
    n = round(estimate.shape[-1] ** 0.5)
    y = estimate.double().unflatten(-1, (n, n))
    sign, log_det = torch.linalg.slogdet(y)
    singular = torch.linalg.svdvals(y)
    smallest = singular[..., -1]
    row = {"det_positive_share": (sign > 0).double().mean().item()}
    row |= quantiles("log_abs_det", log_det)
    # A singular matrix has no finite condition number: floor it where float64 stops telling.
    row |= quantiles("log10_cond", (singular[..., 0] / smallest.clamp(min=1e-300)).log10())
    row |= quantiles("sigma_min", smallest)
    row["symmetry_defect_mean"] = (
        ((y - y.mT).flatten(-2).norm(dim=-1) / y.flatten(-2).norm(dim=-1)).mean().item()
    )
    row |= quantiles("eigenvalue_min", torch.linalg.eigvalsh((y + y.mT) / 2)[..., 0])
    row["residual_mean"] = residual_norm(condition.double(), estimate.double()).mean().item()
    return row


def quantiles(name: str, values: Tensor) -> dict[str, float]:
    """{name_q10, name_q50, name_q90} of a vector."""
    levels = torch.tensor(QUANTILES, dtype=values.dtype)
    return {
        f"{name}_q{round(100 * q)}": v
        for q, v in zip(QUANTILES, values.quantile(levels).tolist(), strict=True)
    }


def compute(subject: Subject) -> pd.DataFrame:
    """conditioning.csv: solutions and what negatives stand for, and both as noised, at every level."""
    rows = []
    for key, level in subject.levels:
        condition = level.batch.condition[0].cpu()
        for name, matrices in samples(level).items():
            rows.append(key | {"sample": name, "matrices": level.count} | conditioning(condition, matrices))
    return pd.DataFrame(rows)


def samples(level: Level) -> dict[str, Tensor]:
    """The matrices of a level by what they are, (N, n^2) each; the noised ones are divided by sqrt(alpha_bar).

    truth: X. positive: X noised. implied: the solution that each negative stands for. negative: that noised.
    """
    found = {"truth": level.batch.solution, "positive": level.batch.positive / level.root}
    if level.proposal is not None:
        found["implied"] = level.proposal.solution
        found["negative"] = level.proposal.negative / level.root
    return {name: matrices[0].cpu() for name, matrices in found.items()}


DIAGNOSTIC = Diagnostic(CONDITIONING, compute, tasks=("inversion",))
