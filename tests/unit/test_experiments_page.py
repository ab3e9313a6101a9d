"""docs/experiments.md quotes the shipped tables, every row of them and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from scipy.stats import spearmanr
from torch.utils.flop_counter import FlopCounterMode, baddbmm_flop

from ired.base.format_numbers import percent, with_interval
from ired.job.build import build_engine
from ired.record.schema import TABLES
from ired.study.resolve import ResolvedStudy


@pytest.fixture(scope="module")
def shipped() -> Path:
    return Path(__file__).parents[2] / "results/shipped/laptop_mlp/experiments"


def rows_of(page: str, experiment: str) -> list[list[str]]:
    """The cells of the table under an experiment's heading."""
    section = page.split(f"\n## {experiment}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def expected_rows(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[list[str]]:
    rows = []
    for arm in summary.to_dict("records"):
        mean, low, high = with_interval(arm["mean"], arm["ci_low"], arm["ci_high"])
        shown = f"{mean} [{low}, {high}]" if arm["n"] else "diverged"
        against = contrasts[contrasts["treatment"] == arm["variant"]].to_dict("records")
        for row in against or [None]:
            change = percent(row["relative_difference"], signed=True) if row and row["n_pairs"] else ""
            words = [row["baseline"], change, row["verdict"].replace("_", " ")] if row else ["", "", ""]
            rows.append([arm["variant"], shown, *words])
    return rows


def test_every_table_of_the_page_is_the_shipped_one(repository: Path, shipped: Path) -> None:
    page = (repository / "docs/experiments.md").read_text()
    summary, contrasts = (TABLES[name].read(shipped / f"{name}.csv") for name in ("summary", "contrasts"))
    summary, contrasts = (table[table["metric"] == "mse_id"] for table in (summary, contrasts))
    experiments = list(summary["experiment"].unique())
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == experiments
    for name in experiments:
        found = rows_of(page, name)
        expected = expected_rows(*(table[table["experiment"] == name] for table in (summary, contrasts)))
        assert found == expected, name


def test_every_nomination_and_every_trend_is_quoted(repository: Path, shipped: Path) -> None:
    page = " ".join((repository / "docs/experiments.md").read_text().split())
    trends = (
        TABLES["effects"].read(shipped / "effects.csv").query("metric == 'mse_id'").set_index("experiment")
    )
    for sentence in [
        *TABLES["nominations"].read(shipped / "nominations.csv")["sentence"],
        *trends["sentence"],
    ]:
        assert sentence in page
    assert trends.loc[["opt_steps", "noise_scale"], "verdict"].tolist() == ["lower", "higher"]


def test_what_separates_the_settings_that_help_is_as_the_page_says(repository: Path, shipped: Path) -> None:
    profile = TABLES["energy_profile"].read(shipped / "energy_profile.csv")
    measures = {
        "saturation_share": (-0.93, -0.56),
        "log_density_gap": (-0.90, -0.35),
        "distance": (-0.87, -0.68),
    }
    means = profile.groupby("variant")[list(measures)].mean()
    contrasts = TABLES["contrasts"].read(shipped / "contrasts.csv")
    contrasts = contrasts[(contrasts["metric"] == "mse_id") & (contrasts["baseline"] == "none")]
    mined = ["opt_steps", "noise_scale"]
    sweeps, all_sweeps = (
        contrasts[contrasts["experiment"].isin(names)].drop_duplicates("treatment").set_index("treatment")
        for names in (mined, [*mined, "step_size", "hardness"])
    )
    helps = sweeps["relative_difference"] < -0.15
    assert helps.sum() == 6 and (~helps).sum() == 5
    assert sweeps.loc[helps, "relative_difference"].round(2).agg(["max", "min"]).tolist() == [-0.19, -0.30]
    for name, correlations in measures.items():
        for rows, correlation in zip((sweeps, all_sweeps), correlations, strict=True):
            found = spearmanr(-rows["relative_difference"], means.loc[rows.index, name]).statistic
            assert round(found, 2) == correlation
    assert len(all_sweeps) == 20
    saturated = means.loc[sweeps.index, "saturation_share"]
    assert saturated[helps].max() < 0.05 and saturated[~helps].min() > 0.32
    page = (repository / "docs/experiments.md").read_text()
    for quoted in (
        "Spearman -0.93",
        "gap (-0.90)",
        "distance (-0.87)",
        "19 to 30 %",
        "at most 5 %",
        "at least 32 %",
        "-0.56, -0.35 and -0.68",
    ):
        assert quoted in page


def test_compute_is_counted_as_a_step_executes_it(repository: Path) -> None:
    """Against the library's own counter on the real step, its way back included. It leaves products that are added in
    place out unless it is told of them."""
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
    old = [madds[name] / madds["none"] for name in ("adversarial", "random")]
    assert "theirs charges {:.2f} and {:.2f}".format(*old) in page
    over = [round(100 * (was / now - 1)) for was, now in zip(old, (mined[1], random[1]), strict=True)]
    assert "negatives pay {} to {} % too much".format(*sorted(over)) in page
    assert "{:.2f} to 1 and {:.2f} to 1.)".format(*ratios("laptop", "adversarial")) in page
