"""The columns of every table that this package writes, in order: docs/tables.md for programs (a test keeps
them equal).
"""

from __future__ import annotations

RUNS: tuple[str, ...] = (
    "experiment", "variant", "strategy", "factor", "level", "seed", "status", "diverged_at", "steps",
    "protocol", "fingerprint", "n", "parameters", "mse_id", "mse_id_se", "mse_ood", "mse_ood_se",
    "residual_id", "residual_ood", "mse_validation", "best_mse_validation", "best_step", "test_matrices",
    "madds_per_step", "seconds_per_step", "train_seconds",
)  # fmt: skip

SUMMARY: tuple[str, ...] = (
    "experiment", "variant", "strategy", "factor", "level", "metric", "n", "n_diverged", "mean", "sd",
    "ci_low", "ci_high", "bca_low", "bca_high", "evaluation_variance", "seed_variance", "affine",
    "affine_se", "distance_to_affine", "madds_per_step", "seconds_per_step",
)  # fmt: skip

CONTRASTS: tuple[str, ...] = (
    "experiment", "metric", "treatment", "baseline", "n_pairs", "n_dropped", "baseline_mean", "difference",
    "ci_low", "ci_high", "relative_difference", "p_paired", "p_sign_flip", "p_wilcoxon", "p_welch",
    "welch_ci_low", "welch_ci_high", "p_brown_forsythe", "p_holm", "hedges_g", "d_z",
    "probability_of_improvement", "margin", "margin_relative", "p_tost", "p_tost_holm",
    "minimum_detectable_effect", "primary", "verdict", "sentence",
)  # fmt: skip

LEARNING_CURVES: tuple[str, ...] = (
    "variant", "strategy", "seed", "step", "madds", "seconds", "loss_denoise", "loss_contrast",
    "mse_validation",
)  # fmt: skip

BUDGET: tuple[str, ...] = (
    "experiment", "variant", "strategy", "n", "madds", "step", "mse_validation_mean", "ci_low", "ci_high",
    "equal_step", "equal_step_mean", "equal_step_ci_low", "equal_step_ci_high",
)  # fmt: skip

NOMINATIONS: tuple[str, ...] = (
    "experiment", "metric", "factor", "level", "levels", "treatment", "baseline", "tuning_seeds",
    "fresh_seeds", "tuning_mean", "n_pairs", "n_dropped", "baseline_mean", "difference", "ci_low", "ci_high",
    "relative_difference", "p_paired", "margin", "margin_relative", "p_tost", "minimum_detectable_effect",
    "verdict", "sentence",
)  # fmt: skip

# The tables a run folder brings along. Here without the three leading columns variant, strategy, seed.
HISTORY: tuple[str, ...] = ("step", "loss_denoise", "loss_contrast", "mse_validation")

CONDITIONING: tuple[str, ...] = (
    "phase", "step", "t", "sample", "matrices", "det_positive_share",
    "log_abs_det_q10", "log_abs_det_q50", "log_abs_det_q90", "log10_cond_q10", "log10_cond_q50",
    "log10_cond_q90", "sigma_min_q10", "sigma_min_q50", "sigma_min_q90", "symmetry_defect_mean",
    "eigenvalue_min_q10", "eigenvalue_min_q50", "eigenvalue_min_q90", "residual_mean",
)  # fmt: skip

ENERGY_PROFILE: tuple[str, ...] = (
    "phase", "step", "t", "matrices", "energy_positive", "energy_negative", "gap_mean", "gap_sd", "gap_q10",
    "gap_q50", "gap_q90", "misranked_share", "distance", "log_density_gap", "false_negative_rate",
    "false_negative_rate_predicted", "gradient_norm_start", "gradient_norm_end", "rejected_share",
    "diversity_distance", "effective_rank", "saturation_share", "gradient_cosine", "gradient_norm_ratio",
)  # fmt: skip

ERROR_DIRECTIONS: tuple[str, ...] = (
    "split", "direction", "error_share", "affine_error_share", "eigenvalue_median",
)  # fmt: skip

ERROR_SIZES: tuple[str, ...] = (
    "split", "matrices", "quantile", "squared_error", "affine_squared_error", "carried_share",
    "affine_carried_share",
)  # fmt: skip

RUN_KEYS: tuple[str, ...] = ("variant", "strategy", "seed")

# Every metric is an error: lower is better. The split says whose affine line a metric is measured against;
# validation matrices are drawn from the in-distribution ensemble. A residual has no reference line.
METRIC_SPLIT: dict[str, str | None] = {
    "mse_id": "id",
    "mse_ood": "ood",
    "mse_validation": "id",
    "best_mse_validation": "id",
    "residual_id": None,
    "residual_ood": None,
}
METRICS: tuple[str, ...] = tuple(METRIC_SPLIT)
