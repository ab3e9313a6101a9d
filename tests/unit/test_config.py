"""Strict configuration: a mistake is one line that names the key, the value and the nearest valid name."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from factories import tiny_config, tiny_settings
from ired.base.errors import UserError
from ired.job.build import build_engine
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig, check_pack, merged


def put(values: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """A copy with one nested key set, without any merging."""
    result = copy.deepcopy(values)
    *path, last = dotted.split(".")
    target = result
    for key in path:
        target = target.setdefault(key, {})
    target[last] = value
    return result


@pytest.mark.parametrize(
    ("dotted", "value", "says"),
    [
        ("negatives.opt_step", 3, ["negatives.opt_step", "3", "'opt_steps'"]),
        ("negatives.strategy", "adversrial", ["'adversrial'", "'adversarial'"]),
        ("training.batch_size", -1, ["training.batch_size", "-1"]),
        ("training.steps", "many", ["training.steps", "'many'"]),
        ("training.steps", 1.5, ["training.steps", "1.5"]),
        ("problem.n", 1, ["problem.n", "1", "2"]),
        ("contrast.timestep_range", [0.2, 1.5], ["timestep_range", "1.5"]),
        ("optimizer", {}, ["'optimizer'", "'optimiser'"]),
        ("optimiser.adam_betas", [0.9], ["adam_betas"]),
        ("optimiser.learning_rate", float("nan"), ["learning_rate", "nan"]),
        ("training.snapshots", [], ["snapshots"]),
        ("network.kind", "mlpp", ["'mlpp'", "'mlp'"]),
        ("seed", -1, ["seed", "-1"]),
    ],
)
def test_a_mistake_in_a_run_is_one_line(dotted: str, value: Any, says: list[str]) -> None:
    settings = tiny_settings(contrast={})
    with pytest.raises(UserError) as caught:
        RunConfig.from_json(json.dumps(put(settings, dotted, value)))
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in says), message


@pytest.mark.parametrize(
    ("dotted", "value", "says"),
    [
        ("scale", "laptp", ["'laptp'", "'laptop'"]),
        ("scales.laptop.seeds", [], ["seeds"]),
        ("scales.laptop.seeds", [1, 1], ["twice"]),
        ("comparison.margin", 1.5, ["comparison.margin", "1.5"]),
        ("comparison.baseline", "nine", ["'nine'", "'none'"]),
        ("variants.adversarial.negatives.noise_scal", 1.0, ["noise_scal", "'noise_scale'", "adversarial"]),
        ("experiments.strategies.variants", ["none", "randm"], ["'randm'", "'random'"]),
        ("scales.paper.run.training.batchsize", 5, ["batchsize", "'batch_size'"]),
        ("scales.smoke.variants.cd_ful", {}, ["'cd_ful'", "'cd_full'"]),
        ("experiments.strategies.figures", None, ["experiments.strategies.figures", "list"]),
        ("verbosity", 3, ["verbosity"]),
        ("comparison.alpha", 0.01, ["comparison.alpha"]),
        ("experiments.strategies.comparisons", [["random", "random"]], ["random", "itself"]),
        ("experiments.strategies.comparisons", [["random", "none"]] * 2, ["stands twice"]),
        ("experiments.strategies.comparisons", [["mixed", "none"]], ["mixed", "not among its variants"]),
        # They are equal at the laptop scale, and compared there they would be one variant.
        (
            "experiments.strategies",
            {
                "title": "",
                "figures": [],
                "variants": ["none", "none_stabilised"],
                "comparisons": [["none_stabilised", "none"]],
            },
            ["strategies", "laptop", "equal there"],
        ),
        ("variants.random.held_out", {"test_matrices": 7}, ["'random'", "`held_out`", "share"]),
        ("scales.smoke.variants.random", {"problem": {"n": 4}}, ["'random'", "'smoke'", "`problem`"]),
        (
            "experiments.curves.sweeps",
            [{"base": "adversarial", "factor": "inference.opt_steps", "levels": [10]}],
            ["adversarial_opt_steps=10", "other settings"],
        ),
        (
            "experiments.curves.sweeps",
            [{"base": "adversarial", "factor": "contrast.weight.max_weight", "levels": [0.1]}],
            ["contrast.weight", "warmup_steps"],
        ),
        (
            "experiments.hardness.effects",
            [["semi_hard", "semihard"]],
            ["unknown sweep 'semihard'", "semi_hard"],
        ),
        ("experiments.hardness.effects", [["semi_hard", "semi_hard"]], ["which are one"]),
        (
            "experiments.hardness.sweeps",
            [
                {"base": "semi_hard", "factor": "negatives.hardness", "levels": [level]}
                for level in (1.0, 3.0)
            ],
            ["sweeps one variant twice"],
        ),
    ],
)
def test_a_mistake_in_the_study_is_one_line(
    study_values: dict[str, Any], dotted: str, value: Any, says: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        ResolvedStudy(put(study_values, dotted, value))
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in says), message


def test_contrast_and_negatives_need_each_other() -> None:
    for settings in (tiny_settings(contrast=None), tiny_settings(negatives={"strategy": "none"})):
        with pytest.raises(UserError, match="need each other"):
            RunConfig.from_json(json.dumps(settings))


def test_json_round_trip_and_fingerprint() -> None:
    config = tiny_config(contrast__timestep_range=[0.2, 0.8])
    again = RunConfig.from_json(config.to_json())
    assert again == config and again.fingerprint() == config.fingerprint()
    assert tiny_config(seed=1).fingerprint() != tiny_config().fingerprint()
    assert tiny_config(negatives__noise_scale=2.0).fingerprint() != tiny_config().fingerprint()


def test_merging_replaces_another_strategy_and_extends_the_same() -> None:
    below = {"negatives": {"strategy": "adversarial", "opt_steps": 5}, "a": {"b": 1}}
    assert merged(below, {"negatives": {"strategy": "random"}})["negatives"] == {"strategy": "random"}
    assert merged(below, {"negatives": {"opt_steps": 7}})["negatives"] == {
        "strategy": "adversarial",
        "opt_steps": 7,
    }
    assert merged(below, {"a": None})["a"] is None and below["a"] == {"b": 1}


def test_a_pack_differs_in_the_seed_alone() -> None:
    check_pack([tiny_config(seed=0), tiny_config(seed=1)])
    with pytest.raises(UserError, match="once"):
        check_pack([tiny_config(), tiny_config()])
    with pytest.raises(UserError, match="seed"):
        check_pack([tiny_config(), tiny_config(seed=1, problem__n=4)])


def test_a_sweep_shares_runs_that_are_equal_to_a_named_variant(study_values: dict[str, Any]) -> None:
    values = copy.deepcopy(study_values)
    values["experiments"]["sweep"] = {
        "title": "x",
        "figures": [],
        "variants": ["none"],
        "sweeps": [{"base": "adversarial", "factor": "negatives.opt_steps", "levels": [1, 2]}],
    }
    study = ResolvedStudy(values)
    members = study.experiments.members("laptop", "sweep")
    assert [(m.variant, m.level) for m in members] == [
        ("none", None),
        ("adversarial_opt_steps=1", 1),
        ("adversarial", 2),
    ]
    assert study.run_config("laptop", "adversarial_opt_steps=1", 0).negatives.opt_steps == 1  # type: ignore[attr-defined]
    assert study.experiments.comparisons("laptop", "sweep") == [
        ("adversarial_opt_steps=1", "none"),
        ("adversarial", "none"),
    ]


def test_the_baseline_may_be_called_after_a_variant_that_equals_it(study_values: dict[str, Any]) -> None:
    """At the scale laptop_mlp none_stabilised is none; what is compared with it is compared with none."""
    values = put(put(study_values, "comparison.baseline", "none_stabilised"), "scale", "laptop_mlp")
    values.pop("worth_scale")
    for scale in values["scales"].values():
        scale.pop("worth", None)  # its arms name the baseline
        scale.get("seeds_of", {}).pop("worth", None)
    study = ResolvedStudy(put(values, "experiments.mixing.variants", ["none_stabilised", "random", "mixed"]))
    assert study.experiments.comparisons("laptop_mlp", "mixing") == [("random", "none"), ("mixed", "none")]
    assert study.experiments.comparisons("paper", "mixing")[0] == ("random", "none_stabilised")


def test_a_scale_has_the_last_word_on_its_variants(study_values: dict[str, Any]) -> None:
    values = put(study_values, "scales.smoke.variants.none_early", {"early_stopping": {"patience": 7}})
    study = ResolvedStudy(values)
    patience = {
        scale: study.run_config(scale, "none_early", 0).early_stopping.patience  # type: ignore[union-attr]
        for scale in ("smoke", "paper")
    }
    assert patience == {"smoke": 7, "paper": 10_000}
    assert study.run_config("smoke", "none", 0).early_stopping is None


@pytest.mark.parametrize(
    "scale", ["smoke", "laptop", "workstation", "laptop_mlp", "workstation_mlp", "paper"]
)
def test_equal_compute_is_as_much_arithmetic_as_mining(study_values: dict[str, Any], scale: str) -> None:
    study = ResolvedStudy(study_values)
    longer, mined = (
        build_engine(run, (0,)).multiply_adds_per_step() * run.training.steps
        for run in (study.run_config(scale, v, 0) for v in ("none_equal_compute", "adversarial"))
    )
    assert longer == pytest.approx(mined, rel=0.005)


def test_the_paper_scale_is_the_published_recipe(study_values: dict[str, Any]) -> None:
    study = ResolvedStudy(study_values)
    config = study.run_config("paper", "adversarial", 9)
    assert (config.problem.n, config.network.hidden, config.held_out.test_matrices) == (20, 512, 100_000)  # type: ignore[union-attr]
    assert (config.training.batch_size, config.training.steps) == (2048, 100_000)
    assert (config.optimiser.learning_rate, config.optimiser.adam_betas) == (1e-4, [0.9, 0.99])
    assert (config.optimiser.ema.decay, config.optimiser.ema.every) == (0.995, 10)  # type: ignore[union-attr]
    assert study.scale("paper").seeds == list(range(10))
    assert config.negatives.model_dump() == {
        "strategy": "adversarial",
        "opt_steps": 2,
        "noise_scale": 3.0,
        "step_size": 1.0,
    }
    assert config.contrast is not None and config.contrast.weight == 0.5
