"""Numbers about many runs: pure functions from a tidy table to a tidy table (columns: docs/tables.md).

samples   one group of seeds: t and bootstrap intervals, variance split
pairs     two groups of seeds: paired tests, equivalence, effect sizes, smallest detectable effect
summary   summary.csv
contrasts contrasts.csv
family    every test that a page could claim something by, adjusted together
budget    budget.csv: the comparison at equal compute
line      against_line.csv: variants and the predictor to beat, on the same matrices
worth     multipliers.csv: how much compute an arm saves
effects   effects.csv: the trend of a sweep, and one sweep against another
nomination nominations.csv: the best level of a sweep, judged on fresh seeds

Must not import torch, figures or reports; nothing here reads a file.
"""

from ired.statistics.budget import equal_compute
from ired.statistics.contrasts import contrast
from ired.statistics.effects import effects
from ired.statistics.family import holm, judged
from ired.statistics.line import against_line
from ired.statistics.nomination import nominate
from ired.statistics.pairs import (
    brown_forsythe,
    detectable_range,
    effect_sizes,
    minimum_detectable_effect,
    pair_correlation,
    paired_test,
    sign_flip_test,
    tost_paired,
    welch_test,
    wilcoxon_test,
)
from ired.statistics.samples import t_interval, variance_split
from ired.statistics.summary import summarise

__all__ = [
    "against_line",
    "brown_forsythe",
    "contrast",
    "detectable_range",
    "effect_sizes",
    "effects",
    "equal_compute",
    "holm",
    "judged",
    "minimum_detectable_effect",
    "nominate",
    "pair_correlation",
    "paired_test",
    "sign_flip_test",
    "summarise",
    "t_interval",
    "tost_paired",
    "variance_split",
    "welch_test",
    "wilcoxon_test",
]
