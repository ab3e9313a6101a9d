"""Training on several sizes: batches of each in turn, tests at the problem's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ired.base.streams import Streams
from ired.job.build import build_engine
from ired.study.run_config import RunConfig
from ired.tasks import build_task


def config(sizes: list[int] | None, n: int = 5, **changes: Any) -> RunConfig:
    return RunConfig.model_validate(
        {
            "protocol": 1,
            "seed": 0,
            "problem": {"task": "inversion", "n": n},
            "network": {"kind": "equivariant"},
            "negatives": {"strategy": "adversarial"},
            "contrast": {},
            "training": {"steps": 6, "batch_size": 4, **({} if sizes is None else {"sizes": sizes})},
            **changes,
        }
    )


def seen(engine: Any, steps: int) -> list[torch.Tensor]:
    """The matrices of so many steps."""
    result: list[torch.Tensor] = []
    update = engine.update

    def watched(condition: torch.Tensor, solution: torch.Tensor) -> Any:
        result.append(condition.clone())
        return update(condition, solution)

    engine.update = watched
    for _ in range(steps):
        engine.advance()
    return result


def test_batches_are_of_each_size_in_turn_and_those_of_a_task_of_that_size() -> None:
    engine = build_engine(config([3, 6]), (0,))
    problem = config(None).problem
    for step, condition in enumerate(seen(engine, 4)):
        task = build_task(problem.model_copy(update={"n": (3, 6)[step % 2]}))
        streams = Streams([0])
        streams.at(step)
        assert torch.equal(condition, task.draw(streams, 4, "id")[0])


def test_one_size_is_the_run_as_it_was() -> None:
    plain, one = (build_engine(config(sizes), (0,)) for sizes in (None, [5]))
    for engine in (plain, one):
        seen(engine, 3)
    assert torch.equal(plain.flat, one.flat)
    assert "sizes" not in config(None).to_json() and config(None).fingerprint() != config([5]).fingerprint()


def test_multiply_adds_are_the_mean_over_sizes() -> None:
    at_own_size = [build_engine(config(None, n), (0,)).multiply_adds_per_step() for n in (4, 9)]
    assert build_engine(config([4, 9]), (0,)).multiply_adds_per_step() == round(sum(at_own_size) / 2)


def test_a_resumed_run_goes_on_with_the_size_that_is_next() -> None:
    whole, first, second = (build_engine(config([3, 4, 6]), (0,)) for _ in range(3))
    expected = seen(whole, 4)
    seen(first, 2)
    second.load_state({name: value.clone() for name, value in first.state().items()}, 2, 2)
    rest = seen(second, 2)
    assert all(torch.equal(*pair) for pair in zip(expected[2:], rest, strict=True))
    assert torch.equal(whole.flat, second.flat)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"kind": "mlp", "hidden": 8, "time_features": 8}}, "`mlp` are for one size"),
        (
            {"negatives": {"strategy": "langevin", "replay": {}}, "contrast": {"loss": "cd"}},
            "replayed chains",
        ),
        ({"training": {"steps": 6, "batch_size": 4, "sizes": [1]}}, "greater than or equal to 2"),
        ({"training": {"steps": 6, "batch_size": 4, "sizes": []}}, "at least 1 item"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config([3, 6], **changes)
