"""What every caption says. Facts in braces are filled in from the figure's tables by `captions.facts`.

Each states what is shown, how many runs, what the bars or bands are, and which test, if any, it rests on.
"""

from __future__ import annotations

MEANS = """Small marks: seeds. Large marks with bars: mean with its 95 % t-interval over seeds;
{seeds}.{diverged} No test is made here; the paired differences have it."""
LINES = (
    "Dashed and dotted lines: closed-form predictors fitted by least squares; an arrow names one off scale."
)
BANDS = """Lines: mean over seeds; bands: the full range of the seeds, not an interval; {seeds}.{diverged}
No test is made."""

_CAPTIONS = {
    "strategy_comparison": f"""Test error per matrix element on {{test_matrices}} fixed matrices in (left)
        and out of (right) distribution. {MEANS} {LINES}""",
    "paired_differences": """Difference in test error between runs with the same seed, hence the same data
        and noise; n = {pairs} pairs per contrast.{diverged} Small marks: pairs. Large marks with bars: mean
        with its paired 95 % t-interval. Grey: the margin of practical equivalence, {margin} of the
        baseline's mean. Words: the verdict of the paired t-test, Holm-adjusted over {contrasts} contrasts
        per test set, and of two one-sided tests (TOST) at the margin, adjusted likewise; “equivalent” is
        said by the latter alone.""",
    "learning_curves": f"""Validation error of the same runs after equal numbers of training steps (left)
        and after equal counted multiply-adds (right). {BANDS} Where only some of the seeds go on, the mean is
        theirs; a dotted tail leads from a variant that ended early to its name. {LINES}""",
    "budget": f"""Validation error after equal steps (open) and at the largest compute that every variant
        reached (filled; a dear variant is read there before the end of its learning-rate schedule). Bars:
        95 % t-interval over seeds; {{seeds}}.{{diverged}} No test is made. {LINES}""",
    "conditioning": """Noised truths (grey, dashed) and contrastive samples (colour) at the end of training,
        by noise level. Lines: median; bands: 10 to 90 % of {conditioning_matrices} matrices, both averaged
        over seeds; {seeds}.{diverged} Columns share their scale. No test is made.""",
    "error_directions": f"""Top: share of the squared test error along each eigenvector of the input matrix.
        Bottom: the same minus the share of the affine predictor. {BANDS}""",
    "error_sizes": f"""Top: quantiles of the squared error per element over {{size_matrices}} fixed test
        matrices (log). Bottom: the share of the whole squared error in the matrices up to there (Lorenz
        curve). Dashed: the affine predictor. {BANDS}""",
    "energy_gap": f"""Left: median of E(y⁻) − E(y⁺); above zero the model ranks the positive first. Each row
        has its own scale; the wide band is 10 to 90 % of {{profile_matrices}} matrices at the end of
        training. Right: share of matrices ranked the wrong way. {BANDS}""",
    "false_negatives": f"""Share of negatives that the exact density finds likelier than their positive, by
        noise level at the end of training ({{profile_matrices}} matrices), against Φ(−√(μ/2)), the closed
        form for a displacement that does not depend on the noise. {BANDS}""",
    "gradient_conflict": f"""Parameter gradients of the energy term and of the denoising loss, by noise
        level and training phase: their cosine (left; below zero they conflict) and the ratio of their norms
        (right, log). {BANDS}""",
    "hardness_benefit": """Hardness of each variant's negatives (mean over noise levels and seeds at the end
        of training) against the reduction of its in-distribution test error. Bars: paired 95 % t-interval;
        n = {pairs} pairs per contrast.{diverged} No test of the relation is made: contrasts with one
        baseline are not independent.""",
    "sweep": f"""Test error per matrix element against the level of the factor. {MEANS} Horizontal line with
        band: mean and 95 % interval of a variant without a level. {LINES}""",
    "cd_ablation": f"""Test error per matrix element of each rung of the ablation, and the counted
        multiply-adds of one of its training steps. {MEANS} {LINES}""",
    "compat_2x2": f"""Test error per matrix element with two defects of the released code, each fixed or as
        released. U1: a batch is clipped by its first sample's bound. U2: the step doubles within a descent.
        {MEANS} Lines that are not parallel would be an interaction.
        {LINES}""",
    "published_reproduced": f"""Above: published values at n = 20 (diamonds: Table 1 of the IRED paper;
        dots: the seeds of the ten-seed record) with the affine predictor's error. Below: this study, mean
        with its 95 % t-interval; {{seeds}}.{{diverged}} Matrix sizes may differ, so compare where values
        lie relative to the affine line, not their size. No test is made. {LINES}""",
}
CAPTIONS: dict[str, str] = {name: " ".join(text.split()) for name, text in _CAPTIONS.items()}
