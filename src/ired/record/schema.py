"""Every table of a study, declared once: written, read and documented (docs/tables.md) from here.

This module imports neither pandas nor torch, so that a plan of the workflow can ask it for names.
"""

from __future__ import annotations

from ired.record.metrics import LEVEL, METRICS
from ired.record.table import Column, Kind, Table


def _columns(kind: Kind, *described: str) -> tuple[Column, ...]:
    """Columns of one kind, each written as "name" or "name: meaning"."""
    parts = (text.partition(": ") for text in described)
    return tuple(Column(name, kind, " ".join(meaning.split())) for name, _, meaning in parts)


def numbers(*described: str) -> tuple[Column, ...]:
    """Columns of numbers, each written as "name" or "name: meaning"."""
    return _columns("number", *described)


def integers(*described: str) -> tuple[Column, ...]:
    """Likewise, of whole numbers."""
    return _columns("integer", *described)


def words(*described: str) -> tuple[Column, ...]:
    """Likewise, of text."""
    return _columns("word", *described)


def flags(*described: str) -> tuple[Column, ...]:
    """Likewise, of True or False."""
    return _columns("flag", *described)


EXPERIMENT, VARIANT, STRATEGY = words("experiment", "variant", "strategy")
(SEED,) = integers("seed")
RUN_KEYS = (VARIANT, STRATEGY, SEED)
SWEPT = words(
    "base: the variant that is swept; empty elsewhere",
    "factor: the sweep's key",
    "level: this variant's value of it",
)
INTERVAL = numbers("ci_low", f"ci_high: {LEVEL} t-interval over seeds")
VERDICT = words(
    """verdict: better, worse, equivalent, better_within_margin, worse_within_margin, undecided""", "sentence"
)

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

# The study of what a negative is worth has tables of its own.
ARM = words("arm: a variant, at every budget and with what tuning chose for it", "strategy")
CHOICE = numbers("learning_rate", "weight: of the contrast; empty for an arm without one")
TUNING = Table(
    "tuning",
    "One row per trial of an arm: what was tried on the tuning seeds, and what was chosen.",
    (
        *ARM, *integers("steps: the budget"), *CHOICE, *integers("n: tuning seeds", "n_diverged"),
        *numbers("mse_validation: geometric mean over the tuning seeds; empty where one diverged"),
        *numbers(
            "steady: the worst mse_validation from this learning rate to twice it, at the same weight; empty where "
            "that was not tried or diverged"
        ),
        *flags(
            "nominated: the lowest `steady` of the arm's trials at this budget",
            "at_edge: nominated with the smallest learning rate that was tried, or the largest of which twice was",
        ),
        *integers("trials: k, the rank of this row's trial in the order of the grid"),
        *numbers("expected_best: the lowest mse_validation to be expected after k trials"),
    ),
)  # fmt: skip
EQUAL_RATES = Table(
    "equal_rates",
    """One row per arm, weight and budget of the trials: the arm's validation error over the baseline's at equal steps
    and equal learning rates, each seed's geometric mean over the rates at which every run of both finished. What a
    negative does by itself, whatever rate tuning chose.""",
    (
        *ARM, *integers("steps"), *numbers("weight: of the contrast; empty for an arm without one"),
        *integers("rates: how many"), *numbers("lowest_rate", "highest_rate"),
        *integers("n: tuning seeds"),
        *numbers("madds_ratio: of a training step, the arm's over the baseline's", "error_ratio"), *INTERVAL,
        *numbers("p: two-sided, paired over seeds", "p_holm: over the rows of this budget"),
        *words("verdict: lower, higher, undecided"),
    ),
)  # fmt: skip
WORTH_RUNS = Table(
    "worth_runs",
    "One row per judged run: an arm, a budget, a seed.",
    (
        *ARM, VARIANT, *integers("steps", "seed"), *CHOICE, *words("status: finished, diverged", "fingerprint"),
        *numbers(
            "madds: counted multiply-adds of the training",
            "seconds: its steps times the arm's fastest time a step of one seed, over all of its runs",
            "mse_id", "mse_id_se", "mse_ood", "mse_ood_se", "mse_validation",
        ),
    ),
)  # fmt: skip
WORTH_CURVES = Table(
    "worth_curves",
    """One row per arm, budget and metric. A diverged run counts with the error of answering zero.""",
    (
        *ARM, *integers("steps"), *words("metric: mse_id, mse_ood"), *CHOICE, *numbers("madds", "seconds"),
        *integers("n: seeds", "n_diverged"),
        *numbers("geometric_mean: over seeds"), *INTERVAL,
        *numbers(
            "sd_log: of the log error between seeds",
            "evaluation_share: of its variance, what the finite test set alone can do",
        ),
        *integers("imprecise: seeds whose error is above the study's `precise`"),
        *numbers("imprecise_low", "imprecise_high: exact interval of their rate"),
    ),
)  # fmt: skip
MULTIPLIERS = Table(
    "multipliers",
    """One row per arm, kind of compute, metric and reading. An end of an interval is empty where it lies beyond the
    baseline's budgets.""",
    (
        *ARM, *words("compute: madds, seconds", "metric: mse_id, mse_ood"),
        *words("reading: at (one budget), all (the m that all budgets share), slope (d log m / d log C)"),
        *integers("steps: the budget that is read at; of `all` and `slope` the largest", "n: seeds"),
        *numbers("compute_spent"),
        *numbers("value: m, or the slope; empty where it lies beyond the baseline's budgets"), *INTERVAL,
        *words("bound: at_least or at_most where the value lies beyond the baseline's budgets"),
        *numbers("p: two-sided, paired over seeds", "p_holm: over the arms, of this compute, metric and reading"),
        *numbers("error_ratio: the arm's error over the baseline's at equal compute", "error_ratio_low",
                 "error_ratio_high"),
        *words("verdict: saves, wastes, undecided"),
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

PHASE = (
    *numbers("phase: share of the steps done, e.g. 0.1, 0.5, 1"),
    *integers("step", "t: noise level"),
)
CONDITIONING = Table(
    "conditioning",
    """One row per run, phase, noise level and sample. Truth: the solution; implied: the solution that a negative
    stands for, before it is noised again. Positive and negative: the same two as the network sees them, noised
    and divided by sqrt(alpha_bar_t): from level 2 on these are little but Gaussian noise, whatever the solution
    was. Quantiles _q10, _q50 and _q90 are over matrices. Weights are the raw ones of a training step, not the
    averaged ones that answer.""",
    (
        *PHASE, *words("sample: truth, implied, positive, negative"), *integers("matrices"),
        *numbers(
            "det_positive_share", "log_abs_det_q10", "log_abs_det_q50", "log_abs_det_q90", "log10_cond_q10",
            "log10_cond_q50", "log10_cond_q90", "sigma_min_q10", "sigma_min_q50", "sigma_min_q90",
            "symmetry_defect_mean", "eigenvalue_min_q10: of the symmetric part", "eigenvalue_min_q50",
            "eigenvalue_min_q90", "residual_mean: ||A Y - I||_F",
        ),
    ),
)  # fmt: skip
GIVEAWAYS = Table(
    "giveaways",
    """One row per run, phase, noise level and scalar: does this one number of a matrix give a negative away? The AUC
    is the chance that the number is larger for a negative than for a truth drawn apart from it; 0.5 tells
    nothing, 0 and 1 tell all. In the control a matrix of rank 1 and of equal norm stands in the negative's
    place: an AUC that does not see it there is blind to near-singular negatives. Noised: both as the network
    sees them, with equal noise. Raw weights.""",
    (
        *PHASE,
        *words("""scalar: log_abs_det, log10_cond, sigma_min, symmetry_defect, norm (Frobenius), rank (effective, of the
            matrix), spread (mean distance to the other matrices of its kind)"""),
        *integers("matrices"),
        *numbers(
            "truth: median", "implied: median over the solutions that negatives stand for",
            "auc: implied against truth", "auc_control", "auc_noised: negative against positive", "auc_noised_control",
        ),
    ),
)  # fmt: skip
GRADIENT_CONFLICT = Table(
    "gradient_conflict",
    """One row per run and phase before the end: the gradients by the weights of denoising loss and weighted energy
    term as training adds them, each over all noise levels with noise of its own. The end of training is left
    out, because at a stationary point the two cancel whatever the negatives are: there a cosine of -1 is what
    convergence looks like. Raw weights.""",
    (
        *PHASE[:2], *integers("matrices: of each half", "draws: of levels and noise, in each half"),
        *numbers(
            "cosine: of the two gradients, over both halves", "norm_ratio: ||energy term|| / ||denoising||",
            "cosine_across: denoising on one half against energy term on the other, mean of both ways",
            """denoising_floor: cosine of the denoising gradient between the two halves; near 0 the gradient is
            noise, and `cosine` says what that noise has in common""",
            "energy_floor: the same of the energy term",
        ),
    ),
)  # fmt: skip
INFERENCE_LEVELS = Table(
    "inference_levels",
    "One row per run, test set and noise level: the error of the answer as it stands after that level of inference.",
    (
        *words("split"), *integers("t: noise level; inference goes from the noisiest down to 0", "matrices"),
        *numbers("mse", "line_mse: of the predictor to beat, on the same problems"),
    ),
)  # fmt: skip
ENERGY_PROFILE = Table(
    "energy_profile",
    """One row per run, phase and noise level. For a variant without contrast the columns about negatives are
    empty. Weights are the raw ones of a training step, not the averaged ones that answer.""",
    (
        *PHASE, *integers("matrices"),
        *numbers(
            "energy_positive", "energy_negative: means",
            "gap_mean: gap = E(y-) - E(y+); positive = ranked correctly",
            "gap_sd", "gap_q10", "gap_q50", "gap_q90", "misranked_share: gap < 0",
            "distance: mean ||y- - y+||",
            "log_density_gap: mean D = log p(y+|X) - log p(y-|X)",
            """false_negative_rate: share with D < 0: the "negative" is the likelier sample""",
            "false_negative_rate_predicted: mean Phi(-sqrt(mu/2))",
            "gradient_norm_start", "gradient_norm_end: along the mining path; empty when nothing is mined",
            "rejected_share: of descent steps", "diversity_distance: mean pairwise distance of negatives",
            "effective_rank: of a batch of negatives; exp of the entropy of its normalised singular values",
            "saturation_share: slope of the softplus as trained below 0.01; empty for E+ - E- without one",
            """gradient_cosine: between the parameter gradients of the denoising loss and of the energy term at
            this level, on shared noise; as trained: gradient_conflict.csv""",
            """gradient_norm_ratio: ||energy term|| / ||denoising||; the energy term with its weight at that
            step, and with its filter's quantile taken within the noise level""",
        ),
    ),
)  # fmt: skip
ENERGY_SHAPE = Table(
    "energy_shape",
    """One row per run, phase and noise level: how the energy differs from the denoising optimum E*.""",
    (
        *PHASE, *integers("matrices"),
        *numbers(
            "scale: s of the best fit s eps to the energy's gradient at the noised truth; 1 at E*",
            """scale_predicted: the s at which s E* minimises denoising loss and energy term, given these negatives;
            empty where the energy term has no such optimum""",
            "displacement: of the energy's minimum from the truth, root mean square per element of a solution",
        ),
    ),
)  # fmt: skip
ERROR_DIRECTIONS = Table(
    "error_directions",
    "One row per run, test set and direction.",
    (
        *words("split"), *integers("direction: 1 = smallest eigenvalue of A ... n"),
        *numbers(
            """error_share: share of the squared error (||(Y - X) v||² + ||v' (Y - X)||²) / 2 along that
            eigenvector v, summing to 1""",
            "affine_error_share: the same for the affine predictor", "eigenvalue_median",
        ),
    ),
)  # fmt: skip
ERROR_SIZES = Table(
    "error_sizes",
    "One row per run, test set and quantile.",
    (
        *words("split"), *integers("matrices: how many were answered"),
        *numbers(
            "quantile: share of the test matrices, least wrong first; 0 ... 1",
            "squared_error: that quantile of the squared error per element",
            "affine_squared_error: the same for the affine predictor",
            "carried_share: share of the whole squared error in the matrices up to there: the Lorenz curve",
            "affine_carried_share",
        ),
    ),
)  # fmt: skip

BEYOND = Table(
    "beyond",
    """One row per run and ensemble: the reported weights where they were not trained. Other sizes only where the
    network's weights do not depend on n; the inference, its clip included, is the run's own.""",
    (
        *words("kind: what differs from the run's own: size, diagonal, steps"),
        *integers("n"), *numbers("diagonal: c of A = gram_scale R R^T + c I"),
        *integers("steps: of descent at each noise level", "matrices"),
        *numbers(
            "mse", "mse_se", "line_mse: of the predictor to beat, fitted on that very ensemble",
            "madds: counted multiply-adds of one answer", "exact_madds: of an inverse by Cholesky, n^3",
        ),
    ),
)  # fmt: skip

# By name, in the order in which `diagnose` writes them.
DIAGNOSTICS: dict[str, Table] = {
    table.name: table
    for table in (
        CONDITIONING, GIVEAWAYS, ENERGY_PROFILE, ENERGY_SHAPE, GRADIENT_CONFLICT, ERROR_DIRECTIONS, ERROR_SIZES,
        INFERENCE_LEVELS, BEYOND,
    )
}  # fmt: skip
# Every table of an experiment's folder, by name.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        REFERENCE, RUNS, SUMMARY, AGAINST_LINE, CONTRASTS, EFFECTS, NOMINATIONS, LEARNING_CURVES, BUDGET,
        *(table.keyed(*RUN_KEYS) for table in DIAGNOSTICS.values()),
    )
}  # fmt: skip
WORTH: dict[str, Table] = {
    table.name: table for table in (TUNING, EQUAL_RATES, WORTH_RUNS, WORTH_CURVES, MULTIPLIERS)
}
PUBLISHED = Table(
    "published",
    "Figures from the literature and the ten-seed record; lives in results/published/published_results.csv.",
    (
        *words("source", "table", "task", "method", "split: id, ood"), *integers("seed"), *words("metric"),
        *numbers("value"), *words("note"),
    ),
)  # fmt: skip
PUBLISHED_TABLE = Table(
    "published_table",
    """IRED's Table 1 beside reference predictors and trained networks; lives in results/published_table/, made by the
    target of that name.""",
    (
        *words(
            "problem: what it is called in the table", "task", "kind: published, reference, trained",
            "name: of the method, the predictor, the variant",
        ),
        *flags("line: the predictor to beat"),
        *words("split: id, ood"),
        *numbers("mse", f"ci_low: of the {LEVEL} t-interval over seeds, for trained networks", "ci_high",
                 "mse_se: standard error over matrices, for reference predictors"),
        *integers("seeds", "matrices"),
    ),
)  # fmt: skip
