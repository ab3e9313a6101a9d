"""Tables of the study of what a negative is worth."""

from __future__ import annotations

from ired.record.schema.columns import INTERVAL, VARIANT, flags, integers, numbers, words
from ired.record.table import Table

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

WORTH: dict[str, Table] = {
    table.name: table for table in (TUNING, EQUAL_RATES, WORTH_RUNS, WORTH_CURVES, MULTIPLIERS)
}
