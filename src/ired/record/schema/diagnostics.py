"""Tables of the diagnostics of one run; an experiment's have variant, strategy and seed in front."""

from __future__ import annotations

from ired.record.schema.columns import integers, numbers, words
from ired.record.table import Table

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
