"""What the README says of a negative's worth, of other experiments and of accelerators is what shipped tables hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from scipy.stats import gmean, spearmanr
from worth_readings import readings, worth_tables

from ired.base.format_numbers import percent, with_interval
from ired.record.schema import TABLES, WORTH
from ired.sentences import worth_headline
from ired.study.resolve import ResolvedStudy

WORTH_AT_20 = Path(__file__).parents[2] / "results/shipped/workstation/tables/worth"


def test_the_one_line_answer_is_what_the_tables_say() -> None:
    page = (Path(__file__).parents[2] / "README.md").read_text()
    words = " ".join(page.split())
    tables = {name: table.read(WORTH_AT_20 / f"{name}.csv") for name, table in WORTH.items()}
    shared = (
        tables["multipliers"]
        .query("compute == 'madds' and metric == 'mse_id' and reading == 'all'")
        .set_index("arm")
    )
    assert (
        "mining as published is worth nothing either way at n = 20 and wastes a tenth of the compute at n = 8, and at "
        "equal learning rates no negative is shown to lower the error" in words
    )
    assert shared.loc["adversarial", "verdict"] == "undecided"
    assert "lower" not in set(tables["equal_rates"]["verdict"])
    rates = TABLES["effects"].read(WORTH_AT_20.parents[1] / "rates/effects.csv").query("kind == 'pair'")
    assert "lower" not in set(rates["verdict"])
    completed = worth_tables("completion_small/tables/worth")["multipliers"]
    recipe, deep = readings(completed).loc["adversarial"], readings(completed, "at").loc["deep"]
    assert (
        f"the published recipe wastes {100 * (1 - recipe['value']):.0f} % of the compute and deep mining"
        in words
    )
    assert f"is worth {100 * (deep['value'] - 1):.0f} % more of it" in words
    assert (recipe["verdict"], deep["verdict"]) == ("wastes", "saves")
    folder = Path(__file__).parents[2] / "results/shipped/small/tables/worth"
    tuning = (
        WORTH["tuning"]
        .read(folder / "tuning.csv")
        .set_index(["arm", "steps", "learning_rate"])["mse_validation"]
    )
    assert (
        tuning["none", 960, 0.006] / tuning["none", 960, 0.024] > 3
    )  # no negative changes it by more than 2.3
    smaller = WORTH["multipliers"].read(folder / "multipliers.csv")
    own = smaller.query("compute == 'madds' and metric == 'mse_id' and reading == 'all'").set_index("arm")
    assert own.loc["adversarial", "verdict"] == "wastes" and 0.895 <= own.loc["adversarial", "value"] <= 0.905
    equal = WORTH["equal_rates"].read(folder / "equal_rates.csv")
    assert set(equal.query("p_holm < 0.05 and error_ratio < 1")["arm"]) == {"none_2_draws"}
    glossary = page[page.index("| word | meaning |") : page.index("</details>")]
    assert len([line for line in glossary.splitlines() if line.startswith("| ")]) == 11


def test_what_a_negative_is_worth(sections: dict[str, str]) -> None:
    text = " ".join(sections["What a negative is worth"].replace("\n> ", " ").split())
    for scale in ("workstation", "completion_small"):
        folder = Path(__file__).parents[2] / "results/shipped" / scale / "tables/worth"
        for sentence in worth_headline(WORTH["multipliers"].read(folder / "multipliers.csv"))[:2]:
            assert sentence in text
    chosen = (
        WORTH["tuning"].read(WORTH_AT_20 / "tuning.csv").query("nominated and steps == 600").set_index("arm")
    )
    rates = chosen["learning_rate"]
    assert (
        f"near the truth a rate of {rates['near_truth']} and plain denoising {rates['none']}, by six seeds"
        in text
    )
    equal = TABLES["effects"].read(WORTH_AT_20.parents[1] / "rates/effects.csv")
    pairs = equal.query("kind == 'pair' and metric == 'mse_id'").set_index("treatment")
    near = pairs.loc["near_600"]
    assert f"its error is {near['ratio']:.2f} times that of plain denoising" in text and near["n"] == 50
    assert f"({near['ci_low']:.2f} to {near['ci_high']:.2f}), and no arm has a lower one" in text
    assert "lower" not in set(pairs["verdict"])
    first = WORTH["multipliers"].read(WORTH_AT_20.parents[1] / "worth_two_tuning_seeds/multipliers.csv")
    old = first.query("compute == 'madds' and metric == 'mse_id' and reading == 'all'").set_index("arm")[
        "value"
    ]
    assert f"m = {old['near_truth']:.3f} for it and {old['adversarial']:.3f} for the published recipe" in text
    draws = Path(__file__).parents[2] / "results/shipped/completion_small/tables/draws/contrasts.csv"
    changes = TABLES["contrasts"].read(draws).query("metric == 'mse_id'").set_index("treatment")
    lower = [
        percent(-changes.loc[name, "relative_difference"]) for name in ("deep_1_draw", "none_4_draws_each")
    ]
    assert "lowers the error by {}, four draws without it by {}, and beside".format(*lower) in text
    assert changes["verdict"].tolist() == ["better", "undecided", "better"]
    folder = Path(__file__).parents[2] / "results/shipped/small/tables/worth"
    rows = WORTH["multipliers"].read(folder / "multipliers.csv")
    shared = rows.query("compute == 'madds' and metric == 'mse_id' and reading == 'all'").set_index("arm")
    said = {
        arm: shared.loc[arm, ["value", "ci_low", "ci_high"]].tolist()
        for arm in ("adversarial", "none_2_draws")
    }
    assert (
        "the published recipe has m = {:.3f} ({:.3f} to {:.3f}) and deep".format(*said["adversarial"]) in text
    )
    assert f"deep mining {shared.loc['deep', 'value']:.3f}: both waste" in text
    assert "at two noise levels has m = {:.2f} ({:.2f} to {:.2f})".format(*said["none_2_draws"]) in text
    verdicts = shared.loc[["adversarial", "deep", "none_2_draws"], "verdict"].tolist()
    assert verdicts == ["wastes", "wastes", "saves"]
    own = shared.loc["adversarial", "value"]
    for arm in ("adversarial_fading", "adversarial_sigma"):
        assert shared.loc[arm, "ci_low"] < own < shared.loc[arm, "ci_high"]
    trials = WORTH["tuning"].read(folder / "tuning.csv").query("arm == 'none' and steps == 960")
    errors = trials.set_index("learning_rate")["mse_validation"]
    assert f"is worth a factor of {errors[0.006] / errors[0.024]:.0f} in the error" in text


def test_what_of_a_mined_negative_matters(sections: dict[str, str]) -> None:
    text = " ".join(sections["What a negative is worth"].split())
    folder = Path(__file__).parents[2] / "results/shipped/small/causes"
    contrasts = TABLES["contrasts"].read(folder / "contrasts.csv").query("metric == 'mse_id'")
    rows = contrasts.set_index(["treatment", "baseline"])
    turned, mined = rows.loc[("turned", "mined_at_rate")], rows.loc[("mined_at_rate", "none_at_rate")]
    assert f"a random direction ends {percent(turned['relative_difference'])} higher" in text
    assert (turned["verdict"], mined["verdict"]) == ("worse", "undecided")
    errors = TABLES["runs"].read(folder / "runs.csv").groupby("variant")["mse_id"].apply(gmean)
    kinds = errors.index.drop("none_at_rate")
    assert len(kinds) == 20 and (errors[kinds] > errors["none_at_rate"]).all()
    half = TABLES["energy_profile"].read(folder / "energy_profile.csv").query("phase == 0.5")
    live = 1 - half.groupby("variant")["saturation_share"].mean()
    assert f"Spearman {spearmanr(live[kinds], errors[kinds]).statistic:.2f};" in text


def test_why_a_negative_is_worth_nothing(sections: dict[str, str]) -> None:
    text = " ".join(sections["What a negative is worth"].split())
    folder = Path(__file__).parents[2] / "results/shipped/small/tables"
    told = (
        TABLES["giveaways"]
        .read(folder / "strategies/giveaways.csv")
        .query("phase == 1 and variant == 'adversarial'")
    )
    auc = told.pivot_table(index="scalar", columns="t", values="auc")
    low, high = auc.loc["log10_cond", 0:8].min(), auc.loc["log10_cond", 0:8].max()
    assert f"an AUC of {low:.2f} to {high:.2f} at noise levels 0 to 8" in text
    assert (auc.loc["symmetry_defect"] > 0.995).all() and "1.00 at every level" in text
    shape = TABLES["energy_shape"].read(folder / "consistency/energy_shape.csv").query("phase == 1")
    scales = shape.pivot_table(index="variant", columns="t", values="scale")
    assert (scales.loc["near_truth", 3:7] - 1).to_numpy() == pytest.approx(
        0.06, abs=0.006
    ) and "6 % too steep" in text
    assert (scales.loc["semi_hard_sigma", 1:8] - 1).abs().max() < 0.005
    beyond = TABLES["beyond"].read(folder / "strategies/beyond.csv").query("variant == 'none'")
    sizes = beyond[beyond["kind"] == "size"].groupby("n")[["mse", "line_mse"]].mean()
    below = sizes.index[sizes["mse"] < sizes["line_mse"]]
    assert (below.min(), below.max()) == (5, 30) and "at n = 5 to 30" in text
    steps = beyond[beyond["kind"] == "steps"].groupby("steps")[["mse", "madds", "exact_madds"]].mean()
    assert steps.loc[1, "mse"] == pytest.approx(steps.loc[20, "mse"], rel=0.01)
    assert (
        steps.loc[1, "madds"] / steps.loc[1, "exact_madds"] == pytest.approx(477, abs=1) and "a 500th" in text
    )


def test_sizes_that_were_never_seen(sections: dict[str, str], repository: Path) -> None:
    folder = repository / "results/shipped/laptop/sizes"
    summary = TABLES["summary"].read(folder / "summary.csv").set_index(["variant", "metric"])
    means = summary["mean"]
    text = " ".join(sections["What a negative is worth"].split())
    assert f"in turn, it has an error of {means['none_at_6_to_14', 'mse_id']:.5f} at n = 20" in text
    assert means["none_at_10", "mse_id"] <= 0.002 and means["none_at_6_to_14", "mse_id"] <= 0.001
    page = (repository / "docs/network.md").read_text()
    for variant in ("none_at_20", "none_at_10", "none_at_6_to_14"):
        cells = []
        for metric in ("mse_id", "mse_ood"):
            mean, low, high = with_interval(*summary.loc[(variant, metric), ["mean", "ci_low", "ci_high"]])
            cells.append(f"{mean} [{low}, {high}]")
        assert f"| `{variant}` | {cells[0]} | {cells[1]} |" in page
    reference = TABLES["reference"].read(folder / "reference.csv")
    line = reference[reference["line"].astype(bool) & (reference["split"] == "id")]["mse"].iloc[0]
    times = [round(line / means[variant, "mse_id"]) for variant in ("none_at_10", "none_at_6_to_14")]
    assert "which are {} and {} times below the affine line".format(*times) in page


def test_bf16_ends_at_the_same_error(sections: dict[str, str], repository: Path) -> None:
    contrasts = TABLES["contrasts"].read(repository / "results/shipped/laptop_mlp/precision/contrasts.csv")
    rows = contrasts.query("metric == 'mse_id'").set_index("treatment")
    text = " ".join(sections["Speed"].split())
    said = []
    for name in ("none_bf16", "adversarial_bf16"):
        row = rows.loc[name]
        assert row["verdict"] == "equivalent" and row["n_pairs"] == 10
        low, high = (row[end] / row["baseline_mean"] for end in ("ci_low", "ci_high"))
        mean, low, high = (percent(value, signed=True) for value in (row["relative_difference"], low, high))
        said.append(f"{mean} ({low} to {high})")
    assert "{} without mining and {} with it".format(*said) in text
    assert (
        f"p of equivalence at most {rows['p_tost_holm'][['none_bf16', 'adversarial_bf16']].max():.5f}" in text
    )


def test_what_a_step_takes_on_a_processor(sections: dict[str, str], repository: Path) -> None:
    folder, section = repository / "benchmarks/measured/xeon_avx512", sections["Speed"]
    took = {size: pd.read_csv(folder / f"training_step_{size}.csv") for size in ("paper", "laptop_mlp")}
    rows = [
        *(("paper", way) for way in ("plain text", "engine", "engine, bf16")),
        *(("laptop_mlp", way) for way in ("plain text", "engine")),
    ]
    lines = [line for line in section.splitlines() if re.match(r"\| (n = |the same)", line)]
    for line, (size, way) in zip(lines, rows, strict=True):
        times = took[size].set_index(["way", "strategy"])["milliseconds"][way]
        shown = [float(cell) for cell in line.strip("| ").split(" | ")[1:]]
        assert shown == [float(f"{times[name]:.3g}") for name in ("none", "random", "adversarial")], line
    text, engine = " ".join(section.split()), {size: t[t["way"] == "engine"] for size, t in took.items()}
    gains = pd.concat([t["speedup_over_plain"] for t in engine.values()])
    assert f"The engine is {gains.min():.1f} to {gains.max():.1f} times as fast as the plain text" in text
    shares = 100 * engine["paper"]["share_of_matrix_product_rate"]
    assert f"at {shares.min():.0f} to {shares.max():.0f} % of the machine's matrix-product rate" in text
    rounded = took["paper"].set_index(["way", "strategy"])["speedup_over_float32"]["engine, bf16"]
    assert (
        f"is {rounded['none']:.2f} (none) to {rounded['adversarial']:.2f} times (adversarial) as fast" in text
    )
    rate = took["paper"]["matrix_product_gflops"].iloc[0] / took["paper"]["threads"].iloc[0]
    assert f"({rate:.0f} GFLOP/s a thread in matrix products;" in text


def test_what_an_accelerator_takes(sections: dict[str, str], repository: Path) -> None:
    folder = repository / "benchmarks/measured/h200"
    took = {
        name: pd.read_csv(folder / f"training_step_{name}.csv").set_index(["strategy", "way"])["milliseconds"]
        for name in ("paper", "equivariant_n20")
    }
    text = " ".join(" ".join(sections.values()).split())
    plain, rounded, packed = (
        took["paper"]["adversarial", way]
        for way in ("engine", "engine, tf32", "engine, tf32, 10 seeds packed")
    )
    assert f"takes {plain:.2f} ms in float32 and {rounded:.2f} ms with `precision: tf32`" in text
    assert f"100,000 steps take {plain * 100 / 60:.1f} and {rounded * 100 / 60:.1f} minutes" in text
    assert f"take {packed:.1f} ms with tf32, {packed / rounded:.1f} times one seed" in text
    whole = sum(took["paper"][s, "engine, tf32, 10 seeds packed"] for s in ("none", "random", "adversarial"))
    assert f"would take {whole * 100 / 60:.0f} minutes of the card" in text
    one, ten = (took["equivariant_n20"]["none", way] for way in ("engine", "engine, 10 seeds packed"))
    assert f"takes {one:.2f} ms for one seed and {ten:.2f} ms for ten" in text
    slurm = (repository / "docs/slurm.md").read_text()
    assert f"in {packed / rounded:.1f} times the time of one at the paper's scale" in slurm
    provenance = json.loads((folder / "provenance.json").read_text())
    release = ".".join(provenance["packages"]["torch"].split(".")[:2])
    assert f"On one {provenance['gpu']}, with torch {release} " in text
    shares = pd.read_csv(folder / "training_step_paper.csv").set_index("way")["share_of_matrix_product_rate"]
    beyond = shares.index.str.contains("tf32") & shares.index.str.contains("packed")
    assert ((shares > 1) == beyond).all()
    assert f"packs with tf32 go beyond it, to {shares.max():.1f}." in " ".join(provenance["notes"])


def test_every_experiment_has_its_question(sections: dict[str, str], repository: Path) -> None:
    asked = set(yaml.safe_load((repository / "config.yaml").read_text())["experiments"])
    rows = [line.split("|")[1] for line in sections["Experiments"].splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == asked


def test_ten_times_as_long(sections: dict[str, str], repository: Path) -> None:
    folder = repository / "results/shipped/workstation/mining"
    means = TABLES["summary"].read(folder / "summary.csv").set_index(["variant", "metric"])["mean"]
    text = " ".join(sections["The main result"].split())
    none = means["none", "mse_id"]
    assert f"`none` ends at {none:.7f} in distribution and {means['none', 'mse_ood']:.4f} out of it" in text
    assert none <= 0.0001 and means["none", "mse_ood"] <= 0.09
    rows = (
        TABLES["contrasts"].read(folder / "contrasts.csv").query("metric == 'mse_id'").set_index("treatment")
    )
    recipe = rows.loc["adversarial"]
    ends = (
        recipe["relative_difference"],
        *(recipe[c] / recipe["baseline_mean"] for c in ("ci_low", "ci_high")),
    )
    assert (
        "adversarial is at {} ({} to {}) of none".format(*(percent(end, signed=True) for end in ends)) in text
    )
    verdicts = rows["verdict"].to_dict()
    assert {verdicts[name] for name in ("adversarial", "deep", "near_truth")} == {"undecided"}
    assert {verdicts[name] for name in ("random", "semi_hard_sigma", "conditioning_aware")} == {"worse"}
    high = [means[name, "mse_id"] / none for name in ("random", "semi_hard_sigma", "conditioning_aware")]
    said = (
        "end {:.1f} times as high, displaced ones {:.1f} times (`semi_hard_sigma`) and, in ill-conditioned "
    )
    said += "directions, {:.1f} times"
    assert said.format(*high) in text
    training = ResolvedStudy(yaml.safe_load((repository / "config.yaml").read_text())).run_config(
        "workstation", "none", 0
    )
    assert f"{training.training.steps:,} steps" in text and set(rows["n_pairs"]) == {10}
