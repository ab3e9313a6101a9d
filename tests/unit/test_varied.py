"""Which of a run's random numbers follow its seed."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any, get_args

import pytest
import torch

from factories import tiny_config
from ired.base.errors import UserError
from ired.job.build import build_engine
from ired.study.run_config import RunConfig
from ired.training.settings import RandomSource

SOURCES = get_args(RandomSource)


def config(varied: list[str] | None) -> RunConfig:
    values = tiny_config().model_dump(mode="json")
    values["training"] |= {} if varied is None else {"varied": varied}
    return RunConfig.from_json(json.dumps(values), "config")


def drawn(varied: list[str] | None, seed: int) -> dict[str, torch.Tensor]:
    """What a run of this seed draws first of each source; and its weights after two steps."""
    engine = build_engine(config(varied), (seed,))
    found: dict[str, Any] = {"weights": engine.flat.detach().clone()}
    update, levels = engine.update, engine.streams.integers

    def watched(condition: torch.Tensor, solution: torch.Tensor) -> Any:
        found.setdefault("problems", condition.clone())
        return update(condition, solution)

    def noted(name: str, *rest: int) -> torch.Tensor:
        return found.setdefault("noise", levels(name, *rest))

    engine.update, engine.streams.integers = watched, noted  # type: ignore[method-assign]
    engine.advance()
    engine.advance()
    return found | {"end": engine.flat.detach().clone()}


@pytest.mark.parametrize("varied", [list(some) for k in (1, 2) for some in combinations(SOURCES, k)])
def test_what_is_not_named_is_that_of_seed_0(varied: list[str]) -> None:
    own, first, held = drawn(None, 4), drawn(None, 0), drawn(varied, 4)
    for source in SOURCES:
        assert torch.equal(held[source], (own if source in varied else first)[source])
    assert not torch.equal(held["end"], own["end"]) and not torch.equal(held["end"], first["end"])


def test_all_named_is_none_named_and_a_run_that_names_none_is_the_run_it_was() -> None:
    assert torch.equal(drawn(list(SOURCES), 4)["end"], drawn(None, 4)["end"])
    assert "varied" not in config(None).to_json() and "varied" in config(["noise"]).to_json()
    with pytest.raises(UserError, match="varied"):
        config([])
    with pytest.raises(UserError, match="'weights', 'problems' or 'noise'"):
        config(["initial"])
