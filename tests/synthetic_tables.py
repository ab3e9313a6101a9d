"""Tables with every column of docs/tables.md, made up but of realistic size at n = 6.

Numbers are drawn from a seeded generator; intervals and p-values are computed from them, so that a figure
drawn from these tables looks like one drawn from a study.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ired.record import schema
from ired.statistics import effects, nominate
from synthetic_design import LABELS, LADDER, PLAIN_MADDS, Design, N, members, random_stream
from synthetic_diagnostics import (
    make_any,
    make_conditioning,
    make_energy_profile,
    make_energy_shape,
    make_error_directions,
    make_error_sizes,
)
from synthetic_worth import worth_tables

Tables = dict[str, pd.DataFrame]


def make_tables(design: Design | None = None) -> Tables:
    """Every table of one experiment, with the reference ladder and a few published rows."""
    design = design or Design()
    runs = make_runs(design)
    return {
        **{name: make_any(design, name) for name in schema.DIAGNOSTICS},
        "reference": make_reference(),
        "runs": runs,
        "summary": make_summary(runs),
        "against_line": make_against_line(make_summary(runs)),
        "contrasts": make_contrasts(runs),
        "learning_curves": make_learning_curves(design),
        "conditioning": make_conditioning(design),
        "energy_profile": make_energy_profile(design),
        "energy_shape": make_energy_shape(design),
        "error_directions": make_error_directions(design),
        "error_sizes": make_error_sizes(design),
        "budget": make_budget(design),
        "nominations": make_nominations(runs),
        "effects": effects(runs),
        "published": make_published(),
        **worth_tables(),
        "published_table": make_published_table(),
    }


def write_tables(tables: Tables, results: Path, scale: str, experiment: str) -> Path:
    """Lay the tables out as the pipeline does; return the folder of the experiment."""
    folder = results / scale / "tables" / experiment
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if name in schema.TABLES:
            schema.TABLES[name].write(table, folder / f"{name}.csv")
    schema.PUBLISHED.write(tables["published"], results / "published" / "published_results.csv")
    return folder


def make_reference() -> pd.DataFrame:
    """reference.csv"""
    rows = [
        {"predictor": name, "label": LABELS.get(name), "line": name == "affine", "coefficients": k,
         "split": split, "n": N, "matrices": 20000, "mse": mse, "mse_se": mse * 0.006}
        for name, (k, id_, ood) in LADDER.items()
        for split, mse in (("id", id_), ("ood", ood))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def make_runs(design: Design) -> pd.DataFrame:
    """runs.csv"""
    rows: list[dict[str, Any]] = []
    for k, variant, arm, seed in members(design):
        dead = (variant, seed) in design.diverged
        shared = random_stream(seed).normal(
            0, design.spread
        )  # seeds share data and noise: pairs are correlated
        own = random_stream(seed, k).normal(0, 0.4 * design.spread)
        mse = np.nan if dead else arm.mse_id + shared + own
        rows.append({
            "experiment": "main", "variant": variant, "strategy": arm.strategy, "task": "inversion",
            "network": "mlp", "shared_clip": arm.defects[0], "doubled_step": arm.defects[1],
            "base": arm.strategy if arm.factor else np.nan,
            "factor": arm.factor or np.nan, "level": arm.level or np.nan, "seed": seed,
            "status": "diverged" if dead else "finished", "diverged_at": 1200 if dead else np.nan,
            "steps": 1200 if dead else design.steps, "protocol": 1, "fingerprint": f"{k:02d}{seed:02d}",
            "n": N, "parameters": 61000, "mse_id": mse, "mse_id_se": mse * 0.006,
            "mse_ood": mse * 45 + 0.1, "mse_ood_se": mse * 0.4, "residual_id": 0.42, "residual_ood": 1.9,
            "mse_validation": mse * 1.01, "best_mse_validation": mse, "best_step": design.steps,
            "test_matrices": 20000, "madds_per_step": round(PLAIN_MADDS * arm.cost),
            "seconds_per_step": 0.011 * arm.cost, "train_seconds": 33 * arm.cost,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _t_interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def make_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """summary.csv"""
    rows = []
    for metric, split in (("mse_id", 1), ("mse_ood", 2)):
        affine = LADDER["affine"][split]
        for variant, group in runs.groupby("variant", sort=False):
            first, values = group.iloc[0], group[metric].dropna().to_numpy()
            low, high = _t_interval(values)
            mean = values.mean() if len(values) else np.nan
            rows.append({
                "experiment": "main", "variant": variant, "strategy": first["strategy"],
                "base": first["base"],
                "factor": first["factor"], "level": first["level"], "metric": metric, "n": len(values),
                "n_diverged": int((group["status"] == "diverged").sum()), "mean": mean,
                "sd": values.std(ddof=1) if len(values) > 1 else np.nan, "ci_low": low, "ci_high": high,
                "evaluation_variance": 1e-8, "seed_variance": 1e-7,
                "line": affine, "line_se": affine * 0.006, "distance_to_line": mean - affine,
                "madds_per_step": first["madds_per_step"], "seconds_per_step": first["seconds_per_step"],
            })  # fmt: skip
    return pd.DataFrame(rows)


def make_against_line(summary: pd.DataFrame) -> pd.DataFrame:
    """against_line.csv, with the standing that a test of these means would have."""
    rows = [
        dict.fromkeys(schema.AGAINST_LINE.names, 0.5)
        | {
            "variant": row["variant"], "strategy": row["strategy"], "metric": row["metric"], "n": row["n"],
            "matrices": 20000, "line": row["line"], "difference": row["distance_to_line"], "lost": 0,
            "standing": "unknown" if row["n"] < 2 else "above" if row["distance_to_line"] > 0 else "below",
        }
        for _, row in summary.iterrows()
        if row["n"]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(schema.AGAINST_LINE.names))


def make_contrasts(runs: pd.DataFrame) -> pd.DataFrame:
    """contrasts.csv: every variant against the first."""
    variants = list(runs["variant"].drop_duplicates())
    rows = []
    for metric in ("mse_id", "mse_ood"):
        wide = runs.pivot_table(index="seed", columns="variant", values=metric, dropna=False)
        for k, variant in enumerate(variants[1:]):
            pair = (
                wide[[variant, variants[0]]].dropna()
                if {variant, variants[0]} <= set(wide)
                else pd.DataFrame()
            )
            if len(pair) < 2:
                continue
            rows.append(_contrast(metric, variant, variants[0], pair, len(wide) - len(pair), primary=k == 0))
    return pd.DataFrame(rows, columns=list(schema.CONTRASTS.names))


def _contrast(
    metric: str, treatment: str, baseline: str, pair: pd.DataFrame, dropped: int, primary: bool
) -> dict[str, Any]:
    base = pair[baseline].mean()
    delta = (pair[treatment] - pair[baseline]).to_numpy()
    low, high = _t_interval(delta)
    margin, p = 0.05 * base, float(stats.ttest_1samp(delta, 0).pvalue)
    inside = -margin < low and high < margin
    verdict = "equivalent" if inside else "undecided"
    if p < 0.05:
        verdict = ("worse" if delta.mean() > 0 else "better") + ("_within_margin" if inside else "")
    return {
        "experiment": "main", "metric": metric, "treatment": treatment, "baseline": baseline,
        "n_pairs": len(pair), "n_dropped": dropped, "baseline_mean": base, "difference": delta.mean(),
        "ci_low": low, "ci_high": high, "relative_difference": delta.mean() / base, "p_paired": p,
        "p_sign_flip": max(p, 0.06), "p_wilcoxon": p, "p_welch": p, "welch_ci_low": low,
        "welch_ci_high": high, "p_brown_forsythe": 0.6, "p_holm": min(1, 2 * p), "hedges_g": 0.5,
        "d_z": 0.6, "pair_correlation": 0.5, "probability_of_improvement": float((delta < 0).mean()), "margin": margin,
        "margin_relative": 0.05, "p_tost": 0.02 if inside else 0.6,
        "p_tost_holm": 0.04 if inside else 0.9, "minimum_detectable_effect": 0.0006,
        "detectable_low": 0.0004, "detectable_high": 0.0016, "primary": primary,
        "verdict": verdict, "sentence": f"{treatment} against {baseline}: {verdict.replace('_', ' ')}.",
    }  # fmt: skip


def make_learning_curves(design: Design) -> pd.DataFrame:
    """learning_curves.csv: losses every 50 steps, validation every 300."""
    rows = []
    for k, variant, arm, seed in members(design):
        random = random_stream(seed, k, 2)
        last = 1200 if (variant, seed) in design.diverged else design.steps
        for step in range(50, last + 1, 50):
            decay = np.exp(-step / (0.28 * design.steps))
            mse = (arm.mse_id + (0.125 - arm.mse_id) * decay) * np.exp(random.normal(0, 0.03))
            rows.append({
                "variant": variant, "strategy": arm.strategy, "seed": seed, "step": step,
                "madds": step * PLAIN_MADDS * arm.cost, "seconds": step * 0.011 * arm.cost,
                "loss_denoise": 0.4 + 0.6 * decay, "loss_contrast": 0.1 if arm.distance else np.nan,
                "mse_validation": mse if step % 300 == 0 else np.nan,
            })  # fmt: skip
    return pd.DataFrame(rows)


def make_budget(design: Design) -> pd.DataFrame:
    """budget.csv: dearer strategies get fewer steps at equal compute."""
    smallest = min(arm.cost for arm in design.arms.values())
    rows = []
    for variant, arm in design.arms.items():
        end = arm.mse_id
        less = arm.mse_id + 0.004 * (arm.cost / smallest - 1)
        half = np.nan if design.seeds < 2 else 0.0005
        rows.append({
            "experiment": "main", "variant": variant, "strategy": arm.strategy, "n": design.seeds,
            "madds": smallest * PLAIN_MADDS * design.steps,
            "step": int(design.steps * smallest / arm.cost), "mse_validation_mean": less,
            "ci_low": less - half, "ci_high": less + half, "equal_step": design.steps,
            "equal_step_mean": end, "equal_step_ci_low": end - half, "equal_step_ci_high": end + half,
        })  # fmt: skip
    return pd.DataFrame(rows)


def make_nominations(runs: pd.DataFrame) -> pd.DataFrame:
    """nominations.csv: a row where the design is a sweep with a baseline `none`."""
    names = list(runs["variant"].unique())
    return nominate(runs, [(name, "none") for name in names if name != "none" and "none" in names])


def make_published() -> pd.DataFrame:
    """published_results.csv, in part: Table 1 of the paper and a ten-seed record."""
    rows = [
        {
            "source": "ired-paper",
            "table": "1",
            "method": m,
            "split": s,
            "seed": np.nan,
            "metric": "mse",
            "value": v,
        }
        for m, id_, ood in (
            ("feedforward", 0.0112, 0.215),
            ("irem", 0.0108, 0.2083),
            ("ired", 0.0095, 0.2063),
        )
        for s, v in (("id", id_), ("ood", ood))
    ]
    for method, mean in (("none", 0.009692), ("random", 0.009731), ("adversarial", 0.009777)):
        for seed in range(10):
            value = mean + random_stream(seed, 7).normal(0, 2.2e-5)
            rows.append({"source": "ten-seed-record", "table": "Q-101..103", "method": method, "split": "id",
                         "seed": seed, "metric": "val_mse", "value": value})  # fmt: skip
    return pd.DataFrame(rows).assign(note="", task="inversion")


def make_published_table() -> pd.DataFrame:
    """published_table.csv, in part: a task with a predictor near the published values, one with an exact one."""
    rows = [
        {"problem": problem, "task": problem, "kind": kind, "name": name, "line": name in ("copy", "sum"),
         "split": split, "mse": mse * factor, "ci_low": 0.9 * mse * factor if kind == "trained" else np.nan,
         "ci_high": 1.1 * mse * factor if kind == "trained" else np.nan, "mse_se": np.nan, "seeds": 5, "matrices": 100}
        for problem, kind, name, mse in (
            ("completion", "published", "diffusion", 0.0219), ("completion", "published", "IRED", 0.0174),
            ("completion", "reference", "copy", 0.0175), ("completion", "reference", "zero", 0.035),
            ("completion", "trained", "none", 0.0164), ("completion", "trained", "deep", 0.01639),
            ("addition", "published", "IRED", 0.0002), ("addition", "reference", "sum", 1e-15),
            ("addition", "reference", "zero", 0.667), ("addition", "trained", "none", 1e-6),
        )
        for split, factor in (("id", 1), ("ood", 10))
    ]  # fmt: skip
    return schema.PUBLISHED_TABLE.frame(rows)
