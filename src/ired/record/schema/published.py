"""Tables of the literature's figures, and of ours beside them."""

from __future__ import annotations

from ired.record.metrics import LEVEL
from ired.record.schema.columns import flags, integers, numbers, words
from ired.record.table import Table

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
