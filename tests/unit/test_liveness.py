"""Every key of a run's configuration acts: a second value shows where its table entry says, and nowhere
before."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any

import pytest
from leaves import leaves
from liveness_table import TABLE, Change
from traces import Trace, first_difference, trace

from factories import tiny_settings
from ired.base.errors import UserError
from ired.study.run_config import RunConfig

# `plugins` is written by the study and changes no number by itself; tests/unit/test_plugins.py has it.
LEAVES = [leaf for leaf in leaves(RunConfig) if leaf != "plugins"]
SMALL = {
    "held_out": {"fit_matrices": 20, "validation_matrices": 16, "test_matrices": 16},
    "optimiser": {"learning_rate": 1e-3, "ema": {"every": 1}},
    "training": {"steps": 6, "batch_size": 8, "history_every": 2, "validate_every": 6},
    "inference": {"steps": 2},
    "schedule": {"timesteps": 6},
}


def with_leaf(settings: dict[str, Any], leaf: str, change: Change) -> dict[str, Any]:
    """A copy of the settings with one leaf set; a tag brings its whole section."""
    path: list[Any] = re.sub(r"\[\w+\]", "", leaf).split(".")
    if path[-1] in ("strategy", "kind", "task"):
        path.pop()
    result = copy.deepcopy(settings) | change.also
    target = result
    for key in path[:-1]:
        target = target.setdefault(key, {})
    key = int(path[-1]) if path[-1].isdigit() else path[-1]
    target[key] = change.value
    return result


@cache
def cached_trace(settings: str) -> Trace:
    return trace(RunConfig.from_json(settings))


@pytest.mark.parametrize("leaf", sorted({*LEAVES, *TABLE}))
def test_every_key_acts(leaf: str) -> None:
    assert leaf in TABLE, (
        f"{leaf} has no entry in liveness_table: give it a second value and say where it shows"
    )
    assert leaf in LEAVES, f"{leaf} has an entry in liveness_table and is no key of the configuration"
    change = TABLE[leaf]
    base = tiny_settings(**{**SMALL, **change.base})
    before = cached_trace(json.dumps(base))
    after = cached_trace(json.dumps(with_leaf(base, leaf, change)))
    seen = first_difference(before, after)
    assert seen, f"{leaf} changes nothing"
    assert change.shows[0] in seen, f"{leaf} shows first in {seen}"
    dead = [label for label in change.shows if before.of(label) == after.of(label)]
    assert not dead, f"{leaf} does not reach {dead}"


def test_equal_configurations_have_equal_traces() -> None:
    """Otherwise every key would seem to act."""
    config = RunConfig.model_validate(tiny_settings(**SMALL))
    assert not first_difference(trace(config), trace(config))


REPLAYED = {"strategy": "langevin", "replay": {"sample_prob": 0.5}}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"negatives": {"strategy": "langevin", "sample_prob": 0.5}}, "unknown key 'negatives.sample_prob'"),
        ({"negatives": {**REPLAYED, "strategy": "adversarial"}}, "unknown key 'negatives.replay'"),
        (
            {"negatives": {"strategy": "random", "opt_steps": 3}},
            "opt_steps' (value 3). It belongs to another section",
        ),
        ({"negatives": {"strategy": "adversarial", "sigma_multiplier": 1.0}}, "'negatives.sigma_multiplier'"),
        ({"negatives": {"strategy": "mixed", "fraction": 0.5}}, "'negatives.first' is missing"),
        ({"negatives": {"strategy": "none"}, "contrast": {"weight": 0.1}}, "need each other"),
        ({"contrast": None}, "need each other"),
        ({"contrast": {"weight": {"warmup_steps": 5}}}, "'contrast.weight.max_weight' is missing"),
        ({"contrast": {"warmup_steps": 5}}, "unknown key 'contrast.warmup_steps'"),
        ({"contrast": {"regulariser": {"weight": 0.1}}}, "'contrast.regulariser.of' is missing"),
        ({"contrast": {"filter": {"quantile": 0.3}}}, "'contrast.filter.by' is missing"),
        ({"contrast": {"timestep_range": [0.01, 0.1]}}, "holds none of the 10 noise levels"),
        ({"contrast": {"timestep_range": [0.2, None]}}, "'contrast.timestep_range.1' is None"),
        ({"network": {"kind": "mlp", "hidden": 8, "channels": 4}}, "unknown key 'network.channels'"),
    ],
)
def test_a_key_that_needs_company_is_refused_alone(settings: dict[str, Any], says: str) -> None:
    """A key that would do nothing where it stands is one line that names it, before anything is trained."""
    with pytest.raises(UserError) as caught:
        RunConfig.from_json(json.dumps(tiny_settings() | settings))
    assert says in str(caught.value) and "\n" not in str(caught.value)
