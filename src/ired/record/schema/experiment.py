"""Tables of an experiment: its runs, what is said of them, and their histories."""

from __future__ import annotations

from ired.record.metrics import LEVEL, METRICS
from ired.record.schema.columns import (
    EXPERIMENT,
    INTERVAL,
    RUN_KEYS,
    SEED,
    STRATEGY,
    SWEPT,
    VARIANT,
    VERDICT,
    flags,
    integers,
    numbers,
    words,
)  # fmt: skip
from ired.record.table import Table

REFERENCE = Table(
    "reference",
    "The reference predictors on the experiment's test sets, one row each and test set.",
    (
        *words(
            """predictor: zero, mean, affine, polynomial2 ... polynomial6, newton_schulz4/5/6/8 and exact,
            where the task is inversion""",
            "label: what figures and sentences call it; empty: not shown in figures",
        ),
        *flags("line: the predictor to beat, whose line every figure shows; one per test set"),
        *integers("coefficients: how many fitted numbers it has"),
        *words("split: id, ood"),
        *integers("n: matrix size", "matrices"),
        *numbers("mse", "mse_se: standard error over matrices"),
    ),
)  # fmt: skip

RUNS = Table(
    "runs",
    "One row per variant and seed. A diverged run keeps its row; its metrics are empty.",
    (
        EXPERIMENT, VARIANT, STRATEGY,
        *words("task: what is learned", "network: the kind of network"),
        *flags(
            "shared_clip: trained with this defect of the released code (U1)", "doubled_step: likewise (U2)"
        ),
        *SWEPT, SEED,
        *words("status: finished, diverged"),
        *integers("diverged_at", "steps: reached", "protocol"),
        *words("fingerprint"),
        *integers("n", "parameters"),
        *numbers(
            "mse_id", "mse_id_se: standard error over the test matrices", "mse_ood", "mse_ood_se",
            "residual_id: mean ||A Y - I||_F", "residual_ood", "mse_validation: at the last validation",
            "best_mse_validation",
        ),
        *integers("best_step", "test_matrices", "madds_per_step: counted multiply-adds of one training step"),
        *numbers(
            """seconds_per_step: wall time of the training over its steps: validations and checkpoints
            included, and of a pack the time of all its seeds; the speed of a step alone is what `make
            bench` measures""",
            "train_seconds",
        ),
    ),
)  # fmt: skip

SUMMARY = Table(
    "summary",
    "One row per variant and metric: the mean over finished seeds.",
    (
        EXPERIMENT, VARIANT, STRATEGY, *SWEPT,
        *words(f"metric: {', '.join(METRICS)}"),
        *integers("n: finished seeds", "n_diverged"),
        *numbers("mean", "sd: ddof 1"),
        *INTERVAL,
        *numbers(
            "evaluation_variance: mean squared standard error over test matrices",
            "seed_variance: between-seed variance less evaluation variance, floored at 0",
            "line: MSE of the predictor to beat on this metric's test set (reference.csv)", "line_se",
            "distance_to_line: mean - line", "madds_per_step", "seconds_per_step",
        ),
    ),
)  # fmt: skip

AGAINST_LINE = Table(
    "against_line",
    """One row per variant and test set: the difference to the predictor to beat on the very same matrices.""",
    (
        VARIANT, STRATEGY, *words("metric"), *integers("n: finished seeds", "matrices"),
        *numbers(
            "line: MSE of the predictor to beat", "difference: MSE less the line",
            "se: standard error over seeds and matrices, both a sample", "df: Satterthwaite's", "ci_low", "ci_high",
            "p", "p_holm: over the variants of this metric",
            "seed_share: of the squared standard error, what seeds do", "matrix_share: what matrices do",
            "both_share: what only a seed does to a matrix",
            "median: over matrices, of the error averaged over seeds", "line_median", "interquartile_mean",
            "line_interquartile_mean",
        ),
        *integers("lost: answers whose error exceeds ten times the line's 99th percentile, of n times matrices"),
        *numbers("lost_low", "lost_high: exact 95 % interval of their rate"),
        *words("standing: above, below, indistinguishable, unknown"),
    ),
)  # fmt: skip

CONTRASTS = Table(
    "contrasts",
    "One row per pair of variants and metric: the paired difference over the seeds that both finished.",
    (
        EXPERIMENT, *words("metric", "treatment", "baseline"),
        *integers("n_pairs", "n_dropped: pairs with a diverged member"),
        *numbers(
            "baseline_mean", "difference: treatment - baseline", "ci_low", f"ci_high: {LEVEL}, paired t",
            "relative_difference", "p_paired", "p_sign_flip", "p_wilcoxon", "p_welch", "welch_ci_low",
            "welch_ci_high", "p_brown_forsythe",
            "p_holm: of p_paired in the family of the page", "hedges_g", "d_z",
            "pair_correlation: Pearson, over the pairs; what pairing gains",
            "probability_of_improvement: P[treatment seed < baseline seed]", "margin: absolute",
            "margin_relative", "p_tost", "p_tost_holm",
            "margin_ladder: the same share of what one more coefficient gains over the line to beat", "p_tost_ladder",
            "p_tost_ladder_holm: decides nothing, stands in the sentence",
            "minimum_detectable_effect: 80 % power, two-sided at alpha, paired",
            "detectable_low", f"detectable_high: {LEVEL} of it, since so few seeds know their spread badly",
            "crossed_low", f"crossed_high: {LEVEL} of the difference with seeds and test matrices both a sample",
            "matrix_share: of that interval's squared standard error, what matrices have",
        ),
        *flags("primary: the experiment's first contrast"),
        *VERDICT,
    ),
)  # fmt: skip

NOMINATIONS = Table(
    "nominations",
    """At most one row, for a sweep: the level with the lowest mean `mse_id` on the first half of the seeds,
    judged on the others, which had no say in the choice.""",
    (
        EXPERIMENT, *words("metric", "factor", "level"),
        *integers("levels: how many there were"),
        *words("treatment: the nominee", "baseline", "tuning_seeds", "fresh_seeds"),
        *numbers("tuning_mean: the nominee's mean validation MSE on the tuning seeds, too low by luck"),
        *integers("n_pairs: this and what follows on the fresh seeds", "n_dropped"),
        *numbers(
            "baseline_mean", "difference", "ci_low", "ci_high", "relative_difference", "p_paired", "margin",
            "margin_relative", "p_tost", "minimum_detectable_effect", "detectable_low", "detectable_high",
            "p_holm: in the family of the page", "p_tost_holm", "margin_ladder", "p_tost_ladder", "p_tost_ladder_holm",
        ),
        *words("verdict", "sentence"),
    ),
)  # fmt: skip

EFFECTS = Table(
    "effects",
    """What all levels of a sweep say together, on the scale of log error with the seeds as sample. One row per metric
    and sweep of numbers (trend), and per metric and planned pair of sweeps (pair).""",
    (
        EXPERIMENT, *words("metric", "kind: trend, pair", "treatment: the sweep", "baseline: the other sweep of a pair",
                           "factor"),
        *integers(
            "levels: how many, of a pair those that both have", "n: seeds that finished at all of them", "n_dropped"
        ),
        *numbers(
            "ratio: by which a doubling of the level multiplies the error; of a pair, treatment over baseline",
            "ci_low", f"ci_high: {LEVEL} t-interval over seeds", "p",
            "p_page: Page's test of an ordered trend, two-sided; decides nothing",
            "p_holm: in the family of the page",
        ),
        *words("verdict: lower, higher (the error: with the level, or of the treatment), undecided", "sentence"),
    ),
)  # fmt: skip

BUDGET = Table(
    "budget",
    "One row per variant at the largest compute (multiply-adds) that every variant reached.",
    (
        EXPERIMENT, VARIANT, STRATEGY, *integers("n"), *numbers("madds"), *integers("step"),
        *numbers("mse_validation_mean"), *INTERVAL,
        *integers("equal_step: from here on the same at equal steps"),
        *numbers("equal_step_mean", "equal_step_ci_low", "equal_step_ci_high"),
    ),
)  # fmt: skip

# The tables that a run folder brings along; an experiment's have variant, strategy and seed in front.
HISTORY = Table(
    "history",
    "One row per recorded step of a run.",
    (
        *integers("step"),
        *numbers("loss_denoise", "loss_contrast", "mse_validation: empty between validations"),
    ),
)
LEARNING_CURVES = Table(
    "learning_curves",
    "The histories of all runs.",
    (
        *RUN_KEYS, *integers("step"), *numbers("madds: cumulative", "seconds: cumulative"),
        *HISTORY.columns[1:],
    ),
)  # fmt: skip
