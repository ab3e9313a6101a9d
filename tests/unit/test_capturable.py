"""What an accelerator demands of a training step that is captured as a graph, shown without one: tensors of the `meta`
kind have shapes and no values, so a step that asks for a value (`.item()`, `if tensor:`) fails on them, and a
step that takes a tensor from the processor is seen to."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from factories import REPLAYED, SMALL_NETWORKS, tiny_config
from ired.base.streams import Streams
from ired.job.build import build_engine
from ired.negatives import STRATEGIES as REGISTERED
from ired.training.engine import Engine

NETWORKS: dict[str, dict[str, Any]] = {
    **{name: {"network": settings} for name, settings in SMALL_NETWORKS.items()},
    "row_column": {
        "problem": {"task": "completion", "n": 4, "rank": 1, "noise": 0.01, "observed": 0.6},
        "network": {"kind": "row_column"},
    },
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "none": {"negatives": {"strategy": "none"}, "contrast": None},
    "random": {"negatives": {"strategy": "random"}},
    "adversarial": {"negatives": {"strategy": "adversarial"}},
    "on policy": {"negatives": {"strategy": "adversarial"}, "contrast": {"loss": "regression"}},
    "filtered": {"contrast": {"filter": {"by": "residual", "quantile": 0.3}, "timestep_range": [0.2, 0.8]}},
    "mixed": {
        "negatives": {
            "strategy": "mixed",
            "fraction": 0.3,
            "first": {"strategy": "random"},
            "second": {"strategy": "adversarial"},
        }
    },
    "semi_hard": {"negatives": {"strategy": "semi_hard"}},
    "langevin": REPLAYED,
    "symmetric": {"negatives": {"strategy": "symmetric"}},
    "matched": {"negatives": {"strategy": "matched"}},
    "conditioning_aware": {"negatives": {"strategy": "conditioning_aware"}},
}


class ShapesAlone(Streams):
    """Draws without values: there are no generators of this kind of device."""

    def generators(self, name: str) -> list[torch.Generator]:
        self._current.add(name)
        return []

    def integers(self, name: str, high: int, *shape: int) -> Tensor:
        return torch.zeros((len(self.seeds), *shape), dtype=torch.int64, device=self.device)

    def _stack(self, draw: object, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros((len(self.seeds), *shape), dtype=dtype, device=self.device)


class FromTheProcessor(TorchDispatchMode):
    """Notes every operation that reads a tensor of the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        flat = torch.utils._pytree.tree_leaves((args, kwargs or {}))
        if any(isinstance(leaf, Tensor) and leaf.device.type == "cpu" for leaf in flat):
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def gradient_of_a_step(engine: Engine) -> Tensor:
    """What `Engine.update` does as far as the gradient, (S, P); Adam's kernel has no form without values."""
    size = engine.training.batch_size
    sets = [
        torch.zeros((2, size, *shape), device="meta").flatten(2)
        for shape in (engine.task.condition_shape, engine.task.solution_shape)
    ]
    weights = engine.layout.unflatten(engine.flat)
    terms = engine.objective(weights, *sets, engine.streams, engine.contrast_weight)
    return torch.autograd.grad(terms.total.sum(), engine.flat)[0]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_step_waits_for_nothing_and_takes_nothing_from_the_processor(network: str, strategy: str) -> None:
    if strategy in ("conditioning_aware", "symmetric") and network == "row_column":
        pytest.skip("this strategy is for inversion alone")
    engine = build_engine(tiny_config(**NETWORKS[network], **STRATEGIES[strategy]), (0, 1), "meta")
    engine.streams = ShapesAlone((0, 1), "meta")
    gradient_of_a_step(engine)  # as the capture's warm-up: what is brought over once may be brought here
    with FromTheProcessor() as watched:
        gradient = gradient_of_a_step(engine)
    assert watched.seen == []
    assert gradient.shape == engine.flat.shape


def test_every_strategy_is_among_them() -> None:
    assert set(REGISTERED) <= set(STRATEGIES)


def test_it_sees_what_is_forbidden() -> None:
    with FromTheProcessor() as watched:
        torch.ones(2).to("meta")
    assert watched.seen
    with pytest.raises(RuntimeError, match="meta"):
        torch.zeros((), device="meta").item()
