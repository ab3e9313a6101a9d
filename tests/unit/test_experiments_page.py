"""docs/experiments.md quotes the shipped tables, every row of them and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from scipy.stats import spearmanr
from torch.utils.flop_counter import FlopCounterMode, baddbmm_flop

from ired.base.format_numbers import p_value
from ired.job.build import build_engine
from ired.record.schema import TABLES
from ired.study.resolve import ResolvedStudy


@pytest.fixture(scope="module")
def shipped() -> Path:
    return Path(__file__).parents[2] / "results/shipped/laptop_mlp/experiments"


def test_what_the_page_says_of_its_sweeps(repository: Path, shipped: Path) -> None:
    page = " ".join((repository / "docs/experiments.md").read_text().split())
    trends = TABLES["effects"].read(shipped / "effects.csv").query("metric == 'mse_id'")
    deeper, further = (trends[trends["experiment"] == name].iloc[0] for name in ("opt_steps", "noise_scale"))
    falls, rises = 100 * (1 - deeper["ratio"]), 100 * (further["ratio"] - 1)
    assert (
        f"falls by {falls:.0f} % with every doubling of the steps (adjusted {p_value(deeper['p_holm'])})"
        in page
    )
    assert (
        f"rises by {rises:.1f} % with every doubling of the start's noise (adjusted p = {further['p_holm']:.4f})"
        in page
    )
    rows = TABLES["contrasts"].read(shipped / "contrasts.csv").query("metric == 'mse_id'")
    assert set(rows.loc[rows["experiment"] != "strategies", "n_pairs"]) <= {0, 10}
    change = 100 * rows["relative_difference"]

    def decided(experiment: str, verdict: str) -> list[float]:
        return sorted(change[(rows["experiment"] == experiment) & (rows["verdict"] == verdict)].abs())

    better = sorted([*decided("opt_steps", "better"), *decided("noise_scale", "better")])
    assert len(better) == 9 and f"all nine settings, by {better[0]:.0f} to {better[-1]:.0f} %" in page
    single = rows[rows["treatment"] == "adversarial_opt_steps=1"].iloc[0]
    assert single["verdict"] == "undecided"
    assert f"single step ends {100 * single['relative_difference']:.1f} % higher, which is undecided" in page
    harm = decided("hardness", "worse")
    assert len(harm) == 3 and f"three of four distances, by {harm[0]:.1f} to {harm[-1]:.0f} %" in page
    assert "worse than none as well, by {:.1f} and {:.1f} %".format(*decided("mixing", "worse")) in page
    gap, full = decided("cd_ablation", "worse")
    assert f"worse than no mining, by {full:.0f} %, and by {gap:.0f} % with the plain gap" in page
    assert "than the mended recipe, by {:.0f} %".format(*decided("released_defects", "better")) in page
    stopped = rows["baseline"] + "_early" == rows["treatment"]
    assert stopped.sum() == 2 and set(rows.loc[stopped, "verdict"]) == {"equivalent"}
    early = change[stopped].abs()
    assert f"differ by at most {early.max():.3f} %" in page
    recipe = (rows["treatment"] == "adversarial") & (rows["baseline"] == "none") & (rows["n_pairs"] == 10)
    assert set(rows.loc[recipe, "verdict"]) == {"equivalent"}
    for experiment in ("stabilised", "step_size"):
        others = (rows["experiment"] == experiment) & ~recipe
        assert set(rows.loc[others, "verdict"]) <= {"undecided", "equivalent"}
    summary = TABLES["summary"].read(shipped / "summary.csv").query("metric == 'mse_id'")
    means = summary[summary["experiment"] == "equal_compute"].set_index("variant")["mean"]
    assert f"reaches {means['none_equal_compute']:.4f} against {means['adversarial']:.4f}" in page
    cost = summary[summary["experiment"] == "opt_steps"].set_index("variant")["madds_per_step"]
    assert f"takes {cost.max() / cost['none']:.1f} times the multiply-adds of a plain step" in page


def test_what_separates_the_settings_that_help_is_as_the_page_says(repository: Path, shipped: Path) -> None:
    page = " ".join((repository / "docs/experiments.md").read_text().split())
    measures = ["saturation_share", "log_density_gap", "distance"]
    means = TABLES["energy_profile"].read(shipped / "energy_profile.csv").groupby("variant")[measures].mean()
    contrasts = TABLES["contrasts"].read(shipped / "contrasts.csv")
    contrasts = contrasts[(contrasts["metric"] == "mse_id") & (contrasts["baseline"] == "none")]

    def of(*experiments: str) -> pd.DataFrame:
        rows = contrasts[contrasts["experiment"].isin(experiments)]
        return rows.drop_duplicates("treatment").set_index("treatment")

    def correlations(rows: pd.DataFrame) -> list[str]:
        gains = -rows["relative_difference"]
        return [f"{spearmanr(gains, means.loc[rows.index, name]).statistic:.2f}" for name in measures]

    mined, every = of("opt_steps", "noise_scale"), of("opt_steps", "noise_scale", "step_size", "hardness")
    saturation, gap, distance = correlations(mined)
    assert (
        f"Spearman {saturation}), with the log density gap ({gap}) and with the distance ({distance})" in page
    )
    assert "the same correlations are {}, {} and {}".format(*correlations(every)) in page
    helps = mined["relative_difference"] < -0.15
    assert (helps.sum(), (~helps).sum(), len(every)) == (6, 5, 20)
    most, least = (
        f"{100 * mined['relative_difference'][helps].abs().agg(end):.0f}" for end in ("max", "min")
    )
    assert f"gain {least} to {most} %" in page
    saturated = means.loc[mined.index, "saturation_share"]
    live, dead = 100 * saturated[helps].max(), 100 * saturated[~helps].min()
    assert f"at most {live:.0f} % of their negatives saturated" in page
    assert f"the five others at least {int(dead)} %" in page


def test_compute_is_counted_as_a_step_executes_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the library's own counter on the real step, its backward pass included. It sees the library's operations
    alone, and leaves products that are added in place out unless it is told of them."""
    monkeypatch.setenv("IRED_KERNEL", "torch")
    in_place = {torch.ops.aten.baddbmm_: lambda _, left, right, **kwargs: baddbmm_flop(None, left, right)}
    study = ResolvedStudy(yaml.safe_load((repository / "config.yaml").read_text()))

    def ratios(scale: str, variant: str) -> tuple[float, float]:
        executed, counted = [], []
        for name in (variant, "none"):
            engine = build_engine(study.run_config(scale, name, 0), (0,))
            with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
                engine.advance()
            executed.append(counter.get_total_flops())
            counted.append(engine.multiply_adds_per_step())
        return executed[0] / executed[1], counted[0] / counted[1]

    page = " ".join((repository / "docs/experiments.md").read_text().split())
    for scale, variant in (
        ("laptop_mlp", "adversarial"), ("laptop_mlp", "random"), ("workstation_mlp", "adversarial"),
        ("laptop", "adversarial"), ("laptop", "random"), ("completion", "deep"),
    ):  # fmt: skip
        executed, counted = ratios(scale, variant)
        assert counted == pytest.approx(executed, rel=0.025), (scale, variant)
    mined, random = ratios("laptop_mlp", "adversarial"), ratios("laptop_mlp", "random")
    assert f"to {mined[0]:.2f} to 1 for `adversarial` and {random[0]:.2f} to 1 for `random`" in page
    assert f"the count says {mined[1]:.2f} and {random[1]:.2f}" in page
    summary = TABLES["summary"].read(repository / "results/shipped/laptop_mlp/experiments/summary.csv")
    madds = summary.query("experiment == 'strategies' and metric == 'mse_id'").set_index("variant")[
        "madds_per_step"
    ]
    for name, (_, counted) in (("adversarial", mined), ("random", random)):  # the tables are of this count
        assert madds[name] / madds["none"] == pytest.approx(counted)
    assert "{:.2f} to 1 and {:.2f} to 1.)".format(*ratios("laptop", "adversarial")) in page
