"""What the README quotes is what the shipped tables hold."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ired.base.format_numbers import number, percent, with_interval
from ired.record.metrics import metric_name
from ired.record.schema import TABLES
from ired.sentences import live_sentence
from ired.study.resolve import ResolvedStudy

METRICS = ("mse_id", "mse_ood")


def tables(scale: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """runs and summary of `strategies`, and the affine line by test set."""
    folder = Path(__file__).parents[2] / "results/shipped" / scale / "tables/strategies"
    reference = TABLES["reference"].read(folder / "reference.csv")
    affine = reference[reference["line"].astype(bool)].set_index("split")["mse"]
    return *(TABLES[name].read(folder / f"{name}.csv") for name in ("runs", "summary")), affine


def rows_of(section: str) -> dict[str, list[str]]:
    """A section's table: first cell -> the others, without emphasis."""
    lines = [line.replace("*", "") for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: others for first, *others in cells}


def agrees(text: str, value: float) -> bool:
    """Whether `text` is `value`, rounded to the decimals that it shows."""
    decimals = len(text.partition(".")[2])
    return f"{value:.{decimals}f}" == text


def test_the_main_table(sections: dict[str, str]) -> None:
    _, summary, affine = tables("laptop")
    rows = rows_of(sections["The main result"])
    assert set(rows) == {"variant", "affine line", *summary["variant"]}
    for variant, measured in summary.groupby("variant"):
        by_metric = measured.set_index("metric")
        for cell, metric in zip(rows[str(variant)], METRICS, strict=True):
            mean, low, high = with_interval(*by_metric.loc[metric, ["mean", "ci_low", "ci_high"]])
            assert cell == f"{mean} [{low}, {high}]"
    assert all(agrees(cell, affine[s]) for cell, s in zip(rows["affine line"], ("id", "ood"), strict=True))


def test_the_main_sentence(sections: dict[str, str]) -> None:
    quote = " ".join(line[2:] for line in sections["The main result"].splitlines() if line.startswith("> "))
    folder = Path(__file__).parents[2] / "results/shipped/laptop/tables/strategies"
    contrasts, budget = (TABLES[name].read(folder / f"{name}.csv") for name in ("contrasts", "budget"))
    first = contrasts[contrasts["primary"]].set_index("metric").loc["mse_id"]
    assert first["verdict"] == "undecided" and first["n_pairs"] == 5
    assert f"{percent(first['relative_difference'], signed=True)} (95 % interval" in quote
    for end in ("ci_low", "ci_high"):
        assert percent(first[end] / first["baseline_mean"], signed=True) in quote
    detectable = 100 * first["minimum_detectable_effect"] / first["baseline_mean"]
    shown = re.search(r"true difference of ([\d.]+) % or more", quote)
    assert shown and agrees(shown[1], detectable)
    ends = (percent(first[f"detectable_{end}"] / first["baseline_mean"]) for end in ("low", "high"))
    assert "({} to {}, as well as they know their spread)".format(*ends) in quote
    rows = budget.set_index("variant")
    reached = {v: number(rows.loc[v, "mse_validation_mean"]) for v in ("adversarial", "none")}
    assert f"reaches a {metric_name('mse_validation')} of {reached['adversarial']}" in quote
    steps = {v: f"{rows.loc[v, 'step']:,.0f}" for v in reached}
    assert f"in {steps['adversarial']} steps, none reaches {reached['none']} in {steps['none']}." in quote
    other = contrasts.set_index(["metric", "treatment", "baseline"]).loc[("mse_id", "random", "none")]
    assert other["verdict"] == "undecided" and "Random against none is undecided too." in quote


def test_what_the_last_digits_did(sections: dict[str, str]) -> None:
    """The same seeds with the plain text of the network."""
    text = " ".join(sections["The main result"].split())
    table = TABLES["contrasts"].read(
        Path(__file__).parents[2] / "results/shipped/laptop/plain_form/contrasts.csv"
    )
    by_pair = table[table["metric"] == "mse_id"].set_index(["treatment", "baseline"])
    mined, other = by_pair.loc[("adversarial", "none")], by_pair.loc[("random", "none")]
    assert f"gave {percent(mined['relative_difference'], signed=True)} for adversarial" in text
    assert other["verdict"] == "undecided"
    change = percent(other["relative_difference"], signed=True)
    assert (
        f"random, {change} (p = {other['p_paired']:.2g} alone, {other['p_holm']:.2g} in the family of its page;"
        in text
    )


def test_what_the_contrast_does_not_do(sections: dict[str, str]) -> None:
    """At the end of training, and what a step of mining costs."""
    text = " ".join(sections["The main result"].split())
    folder = Path(__file__).parents[2] / "results/shipped/laptop/tables/strategies"
    profile = TABLES["energy_profile"].read(folder / "energy_profile.csv")
    mined = (
        profile[(profile["variant"] == "adversarial") & (profile["phase"] == 1)]
        .groupby("t")
        .mean(numeric_only=True)
    )
    assert live_sentence(profile) in text.replace("> ", "")
    assert "all of them at noise levels 1 to 8 are saturated" in text
    assert (mined.loc[1:8, "saturation_share"] > 0.999).all()
    shares = re.search(r"where (\d+) % and (\d+) % of them have the lower energy", text)
    assert shares
    assert all(
        agrees(s, 100 * mined.loc[t, "misranked_share"]) for s, t in zip(shares.groups(), (0, 9), strict=True)
    )
    costs = (
        TABLES["runs"]
        .read(folder / "runs.csv")
        .drop_duplicates("variant")
        .set_index("variant")["madds_per_step"]
    )
    added = re.search(r"two descent steps add ([\d.]+) % to the multiply-adds", text)
    assert added and agrees(added[1], 100 * (costs["adversarial"] / costs["none"] - 1))


def test_the_earlier_scale(sections: dict[str, str]) -> None:
    contrasts = TABLES["contrasts"].read(
        Path(__file__).parents[2] / "results/shipped/laptop_mlp/at_2000_steps/contrasts.csv"
    )
    first = contrasts[contrasts["primary"]].set_index("metric").loc["mse_id"]
    assert (first["treatment"], first["baseline"], first["verdict"]) == ("adversarial", "none", "undecided")
    text = " ".join(sections["The published kind of network"].split())
    shown = re.search(
        r"ahead at equal steps, by ([\d.]+) % \(Holm-adjusted p = ([\d.]+), but five seeds;", text
    )
    assert shown and agrees(shown[1], -100 * first["relative_difference"])
    assert float(shown[2]) == pytest.approx(first["p_holm"], rel=0.01)


def test_the_published_size(sections: dict[str, str]) -> None:
    runs, summary, affine = tables("workstation_mlp")
    section = sections["The published kind of network"]
    rows = rows_of(section)
    assert set(rows) == {"variant", "affine line", *summary["variant"]}
    for variant, mine in runs.groupby("variant"):
        seeds, mean, far = rows[str(variant)]
        values = mine.sort_values("seed")["mse_id"]
        assert all(agrees(text, v) for text, v in zip(seeds.split(", "), values, strict=True)), variant
        assert agrees(mean, values.mean()) and agrees(far, mine["mse_ood"].mean()), variant
    assert agrees(rows["affine line"][1], affine["id"]) and agrees(rows["affine line"][2], affine["ood"])

    study = ResolvedStudy(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
    here, published = (study.run_config(scale, "none", 0).training for scale in ("workstation_mlp", "paper"))
    share = here.steps * here.batch_size / (published.steps * published.batch_size)
    text = " ".join(section.split())
    assert f"{here.steps:,} steps of batch {here.batch_size}, {100 * share:g} % of the published" in text
    assert f"{published.steps:,} x {published.batch_size:,}" in text
    assert (runs["steps"] == here.steps).all()


def test_the_trained_energy_answers_as_written(
    sections: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    snippet = sections["Four ways of use"].split("```python\n")[1].split("```")[0]
    root = Path(__file__).parents[2]
    exec(snippet.replace('"results/', f'"{root}/results/'), {})
    shown = re.search(r"# ([\d.]+);", snippet)
    assert shown and agrees(shown[1], float(capsys.readouterr().out))
