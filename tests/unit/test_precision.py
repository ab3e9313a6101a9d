"""Products of a training step in fewer bits: where they act, where they are refused, what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ired.base.errors import UserError
from ired.job.build import build_engine
from ired.study.run_config import RunConfig
from ired.training.precision import check_units, products

HAS_UNITS = torch.cpu.get_capabilities().get("avx512_bf16", False)
MLP = {"kind": "mlp", "hidden": 256, "time_features": 16}


def config(network: dict[str, Any] | None = None, precision: str = "bf16") -> RunConfig:
    return RunConfig.model_validate(
        {
            "protocol": 1,
            "seed": 0,
            "problem": {"task": "inversion", "n": 6},
            "network": network or MLP,
            "negatives": {"strategy": "random"},
            "contrast": {},
            "training": {"steps": 4, "batch_size": 16, "precision": precision},
        }
    )


def rounded(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """To bf16, nearest even, by the bits of float32."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return (
        ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000)
        .astype(np.uint32)
        .view(np.float32)
        .astype(np.float64)
    )


@pytest.mark.skipif(not HAS_UNITS, reason="this CPU has no bf16 units")
def test_bf16_rounds_the_factors_and_adds_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, 256, 256, generator=generator) for _ in range(2))
    with products("bf16"):
        product = torch.bmm(a, b)[0].double().numpy()
    expected = rounded(a[0].numpy()) @ rounded(b[0].numpy())
    assert np.abs(product - expected).max() < 1e-4
    assert np.abs(product - a[0].double().numpy() @ b[0].double().numpy()).max() > 1e-2


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_the_setting_ends_with_the_step(precision: Any) -> None:
    backends = torch.backends.mkldnn.matmul, torch.backends.cuda.matmul
    before = [backend.fp32_precision for backend in backends]
    with pytest.raises(RuntimeError), products(precision):
        assert precision in [backend.fp32_precision for backend in backends]
        raise RuntimeError
    assert [backend.fp32_precision for backend in backends] == before


def test_only_the_network_sees_it() -> None:
    """Matrices, solutions and answers before the first step are those of float32, bit for bit; weights stay float32."""
    seen: dict[str, list[torch.Tensor]] = {}
    for precision in ("float32", "bf16"):
        engine = build_engine(config(precision=precision), (0,))
        seen[precision] = []

        def watched(
            condition: Any, solution: Any, update: Any = engine.update, to: Any = seen[precision]
        ) -> Any:
            to.extend([condition, solution])
            return update(condition, solution)

        engine.update = watched  # type: ignore[method-assign]
        engine.advance()
        assert engine.flat.dtype == torch.float32
        seen[precision].append(engine.flat.detach())
    *problems, after = zip(*seen.values(), strict=True)
    assert all(torch.equal(*pair) for pair in problems)
    if HAS_UNITS:
        assert not torch.equal(*after)
        # Adam's first step has the length of the learning rate in every weight, whatever the gradient's.
        assert (after[0] - after[1]).abs().max() <= 2.1e-4


@pytest.mark.parametrize("network", [{"kind": "equivariant"}, {**MLP, "hidden": 128}])
def test_bf16_is_refused_where_it_would_be_slower(network: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bf16 would be slower"):
        config(network)


@pytest.mark.parametrize(
    ("precision", "device", "units", "refusal"),
    [
        ("bf16", "cpu", True, None),
        ("bf16", "cpu", False, "no units"),
        ("bf16", "cuda", True, "tf32 is for accelerators"),
        ("tf32", "cuda", False, None),
        ("tf32", "cpu", True, "tf32 would be no faster on cpu"),
        ("float32", "cpu", False, None),
    ],
)
def test_a_device_without_units_is_refused(
    precision: Any, device: str, units: bool, refusal: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": units})
    if refusal is None:
        check_units(precision, device)
    else:
        with pytest.raises(UserError, match=refusal):
            check_units(precision, device)
