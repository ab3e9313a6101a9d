"""What docs/network.md says of time is what benchmarks/measured/ holds."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

SIZES = {"n20": "n = 20, 32 matrices", "n6": "n = 6, 64 matrices"}
WAYS = {"plain text": "plain text", "torch form": "torch form", "engine": "C"}
STRATEGIES = ("none", "random", "adversarial")


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    text = (repository / "docs/network.md").read_text().split("## Time")[1].split("\n## ")[0]
    return " ".join(text.split())


@pytest.fixture(scope="module")
def measured(repository: Path) -> dict[str, pd.DataFrame]:
    folder = repository / "benchmarks/measured/xeon_avx512"
    return {
        path.stem.removeprefix("training_step_equivariant_"): pd.read_csv(path)
        for path in folder.glob("*.csv")
    }


def test_the_three_forms(page: str, measured: dict[str, pd.DataFrame]) -> None:
    for size, words in SIZES.items():
        table = measured[size].set_index(["strategy", "way"])
        for way, shown in WAYS.items():
            cells = []
            for strategy in STRATEGIES:
                row = table.loc[(strategy, way)]
                first = not cells
                unit = " of the product rate" if first and size == "n20" else ""
                share = (
                    f" ({100 * row['share_of_matrix_product_rate']:.0f} %{unit})" if way == "engine" else ""
                )
                cells.append(f"{row['milliseconds']:#.3g} ms{share}")
            assert f"| {words}, {shown} | {' | '.join(cells)} |" in page
        faster = table.xs("engine", level="way")["speedup_over_plain"]
        assert f"{faster.min():.1f} to {faster.max():.1f} times" in page
        mined = table.loc[("adversarial", "engine")]
        assert f"{100 * mined['cost_over_none']:.0f} % (n = {size.removeprefix('n')})" in page
    counted = [
        measured[size].set_index(["strategy", "way"]).loc[("adversarial", "engine"), "counted_cost_over_none"]
        for size in SIZES
    ]
    assert "by counted products {:.0f} % and {:.0f} %".format(*(100 * share for share in counted)) in page
    assert f"({measured['n20']['matrix_product_gflops'].iloc[0]:.0f} GFLOP/s in matrix products" in page


def test_how_cost_grows(page: str, measured: dict[str, pd.DataFrame]) -> None:
    table = measured["growth"].set_index(["factor", "level"])

    def exponent(factor: str) -> float:
        (low, first), (high, last) = table.loc[factor, "seconds"].sort_index().iloc[-2:].items()
        return math.log(last / first) / math.log(high / low)

    assert (
        f"from n = 40 to 64 as n to the power {exponent('n'):.1f}, with the batch as its power {exponent('batch'):.1f}"
        in page
    )
    assert f"from 10 to 20 steps, as its power {exponent('depth'):.1f} (" in page
    assert f"at n = 64 a process holds {table.loc[('n', 64), 'peak_mib']:.0f} MiB" in page
    plan, longest = table.loc[("runs", 5000)], table.loc[("runs", 15000)]
    said = f"takes {plan['seconds']:.0f} s of one core and {plan['peak_mib']:.0f} MiB, one of 15,000 takes "
    assert said + f"{longest['seconds']:.0f} s and {longest['peak_mib']:,.0f} MiB" in page
