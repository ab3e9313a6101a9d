"""The C files of the equivariant energy against the plain text differentiated by the library, in float64; how they
are compiled, kept and done without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from factories import disturbed, generator, tiny_config
from ired.base import native
from ired.base.errors import UserError
from ired.energy import Weights, equivariant_native, kernel_of
from ired.energy.equivariant import EquivariantEnergy, EquivariantNetwork
from ired.energy.equivariant_forms import FastEquivariantEnergy
from ired.job.build import build_engine

LEVELS = 10
SETTINGS = EquivariantNetwork(channels=3, blocks=2, head_channels=2)
CPU = torch.device("cpu")
SIZES = pytest.mark.parametrize("n", [2, 3, 6, 8, 20, 33])


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    if equivariant_native.kernel(CPU, torch.float32) is None:
        pytest.skip("no C compiler on this machine: the torch form is what runs")


def problem(
    n: int,
    batch: int = 11,
    seeds: int = 2,
    dtype: torch.dtype = torch.float64,
    settings: EquivariantNetwork = SETTINGS,
) -> tuple[list[EquivariantEnergy], Weights, Tensor, list[Tensor], Tensor]:
    """Plain text and fast form; weights away from the start; matrices, two points, levels. Eleven samples end within a
    group whatever the vectors' width."""
    forms = [form(settings, (n, n), (n, n), LEVELS) for form in (EquivariantEnergy, FastEquivariantEnergy)]
    g = generator(n)
    packs = [disturbed(forms[0].initial_weights(g), g) for _ in range(seeds)]
    weights = {name: torch.stack([w[name] for w in packs]).to(dtype) for name in packs[0]}
    condition, *points = (n * torch.randn(seeds, batch, n * n, generator=g, dtype=dtype) for _ in range(3))
    return (
        forms,
        weights,
        condition,
        [p / n for p in points],
        torch.randint(LEVELS, (seeds, batch), generator=g),
    )


def derivatives(
    form: EquivariantEnergy, weights: Weights, condition: Tensor, points: list[Tensor], t: Tensor, term: str
) -> list[Tensor]:
    """Of E, of <x, grad E> or of both by every weight, and before them what they are derivatives of."""
    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    prepared = form.prepare(leaves, condition, t)
    y, x = points
    if term == "energy":
        values = [prepared.energy(y)]
        total = (values[0] * x[..., 0]).sum()
    else:
        values = list(prepared.energy_and_gradient(y))
        total = (values[1] * x).sum() + (values[0].square().sum() if term == "both" else 0)
    return [*(v.detach() for v in values), *torch.autograd.grad(total, list(leaves.values()))]


def assert_close(ours: list[Tensor], expected: list[Tensor], relative: float) -> None:
    for mine, true in zip(ours, expected, strict=True):
        scale = true.abs().max().item()
        assert scale > 0
        torch.testing.assert_close(mine.double(), true.double(), rtol=relative, atol=relative * scale)


@SIZES
@pytest.mark.parametrize("term", ["energy", "gradient", "both"])
def test_every_weight_s_derivative(n: int, term: str) -> None:
    (plain, fast), *given = problem(n)
    assert isinstance(
        fast.prepare(given[0], given[1], given[3]), equivariant_native.NativePreparedEquivariant
    )
    assert_close(derivatives(fast, *given, term), derivatives(plain, *given, term), 1e-10)


@pytest.mark.parametrize("settings", [(1, 1, 1), (8, 5, 4), (13, 3, 7)])
def test_other_numbers_of_channels_and_blocks(settings: tuple[int, int, int]) -> None:
    channels, blocks, heads = settings
    size = EquivariantNetwork(channels=channels, blocks=blocks, head_channels=heads)
    (plain, fast), *given = problem(5, settings=size)
    assert_close(derivatives(fast, *given, "both"), derivatives(plain, *given, "both"), 1e-10)


@SIZES
def test_without_a_graph_and_at_other_levels(n: int) -> None:
    (plain, fast), weights, condition, (y, _), t = problem(n)
    other = (t + 3) % LEVELS
    expected = plain.prepare(weights, condition, other).energy_and_gradient(y)
    with torch.no_grad():
        prepared = fast.prepare(weights, condition, t).at_level(other)
        assert_close(list(prepared.energy_and_gradient(y)), list(expected), 1e-10)
        assert_close([prepared.energy(y)], [expected[0]], 1e-10)


def test_float32_is_close() -> None:
    forms, weights, condition, points, t = problem(20)
    single = {name: value.float() for name, value in weights.items()}
    ours = derivatives(forms[1], single, condition.float(), [p.float() for p in points], t, "both")
    assert ours[0].dtype == torch.float32
    assert_close(ours, derivatives(forms[0], weights, condition, points, t, "both"), 2e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_passes_through_and_stays_with_its_seed(bad: float) -> None:
    forms, weights, condition, points, t = problem(6, dtype=torch.float32)
    good = derivatives(forms[1], weights, condition, points, t, "both")
    weights["trunk.inner"][1, 0, -1, 0] = bad
    found = derivatives(forms[1], weights, condition, points, t, "both")
    for mine, before in zip(found, good, strict=True):
        assert torch.equal(mine[0], before[0]) and not mine[1].isfinite().all()


def test_saturated_swish_is_that_of_the_plain_text() -> None:
    """Far beyond where exp overflows."""
    (plain, fast), weights, condition, points, t = problem(3)
    weights["trunk.inner"] *= 1e5
    assert_close(
        derivatives(fast, weights, condition, points, t, "energy"),
        derivatives(plain, weights, condition, points, t, "energy"),
        1e-10,
    )


@pytest.mark.parametrize("n", [6, 20])
def test_equal_bytes_for_packs_and_threads(n: int) -> None:
    """At a size where the work is worth a second thread, and at one where it is not."""
    forms, weights, condition, points, t = problem(
        n, batch=40, seeds=3, dtype=torch.float32, settings=EquivariantNetwork()
    )
    together = derivatives(forms[1], weights, condition, points, t, "both")
    torch.set_num_threads(2)
    threads = derivatives(forms[1], weights, condition, points, t, "both")
    torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(together, threads, strict=True))
    for seed in range(3):
        part = slice(seed, seed + 1)
        one = {name: value[part] for name, value in weights.items()}
        alone = derivatives(forms[1], one, condition[part], [p[part] for p in points], t[part], "both")
        assert all(torch.equal(a[part], b) for a, b in zip(together, alone, strict=True))


def test_a_sample_does_not_depend_on_its_batch() -> None:
    forms, weights, condition, (y, _), t = problem(6, dtype=torch.float32)
    with torch.no_grad():
        whole = forms[1].prepare(weights, condition, t).energy_and_gradient(y)
        part = forms[1].prepare(weights, condition[:, 9:], t[:, 9:]).energy_and_gradient(y[:, 9:])
    assert all(torch.equal(a[:, 9:], b) for a, b in zip(whole, part, strict=True))


def test_what_would_be_misread_is_refused() -> None:
    forms, weights, condition, (y, _), t = problem(3)
    prepared = forms[1].prepare(weights, condition, t)
    for wrong in (y.float(), y[:, :-1], y[..., :-1]):
        with pytest.raises(ValueError, match="is needed"):
            prepared.energy(wrong)
    with pytest.raises(ValueError, match="is needed"):
        forms[1].prepare({name: value.float() for name, value in weights.items()}, condition, t)


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    network = FastEquivariantEnergy(SETTINGS, (3, 3), (3, 3), LEVELS)
    assert kernel_of(network, "cpu") == "native" and kernel_of(network, "cuda") == "torch"
    monkeypatch.setenv(equivariant_native.CHOICE, "torch")
    assert kernel_of(network, "cpu") == "torch"
    monkeypatch.setenv(equivariant_native.CHOICE, "c")
    with pytest.raises(UserError, match="IRED_KERNEL=c: must be native or torch"):
        kernel_of(network, "cpu")


def test_without_a_compiler_the_torch_form_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(network={"kind": "equivariant"}, problem__n=6)
    monkeypatch.setattr(equivariant_native, "_kernel", equivariant_native._kernel.__wrapped__)
    engines = []
    for path in (os.environ["PATH"], str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        engine = build_engine(config, (0,))
        engines.append((kernel_of(engine.network, "cpu"), engine))
        for _ in range(3):
            engine.advance()
    assert [kernel for kernel, _ in engines] == ["native", "torch"]
    torch.testing.assert_close(engines[0][1].flat, engines[1][1].flat, rtol=1e-3, atol=1e-5)


SMALL = "int answer(void) { return 42; }\n"


def sources(tmp_path: Path, text: str = SMALL) -> Path:
    folder = tmp_path / "c"
    folder.mkdir(exist_ok=True)
    (folder / "small.c").write_text(text)
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(native.FOLDER, str(tmp_path / "kept"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    return tmp_path / "kept"


def test_a_library_is_compiled_once_for_its_text(tmp_path: Path, kept: Path) -> None:
    assert native.load(sources(tmp_path)).answer() == 42  # type: ignore[union-attr]
    (first,) = kept.iterdir()
    before = first.stat().st_mtime_ns
    assert native.load(sources(tmp_path)) is not None and first.stat().st_mtime_ns == before
    assert native.load(sources(tmp_path, SMALL.replace("42", "43"))).answer() == 43  # type: ignore[union-attr]
    assert native.load(sources(tmp_path), "DOUBLE") is not None
    assert len(list(kept.iterdir())) == 3


def test_a_damaged_library_is_made_anew_and_never_loaded(tmp_path: Path, kept: Path) -> None:
    assert native.load(sources(tmp_path)) is not None
    (path,) = kept.iterdir()
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:-1] + b"\x01"):
        path.unlink()  # not in place: this process has the file mapped
        path.write_bytes(damaged)
        assert native._find(kept, path.stem.rpartition("-")[0]) is None
        assert native.load(sources(tmp_path)).answer() == 42  # type: ignore[union-attr]
        assert path.read_bytes() == whole


def test_a_compiler_that_fails_leaves_nothing(tmp_path: Path, kept: Path) -> None:
    assert native.load(sources(tmp_path, "this is no C")) is None
    assert list(kept.iterdir()) == []


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, kept: Path) -> None:
    kept.mkdir()
    kept.chmod(0o777)
    assert native.load(sources(tmp_path)).answer() == 42  # type: ignore[union-attr]
    assert list(kept.iterdir()) == [] and len(list((tmp_path / "nowhere").rglob("*.so"))) == 1


def test_processes_that_compile_at_once(tmp_path: Path, kept: Path) -> None:
    code = "import sys; from pathlib import Path; from ired.base.native import load; "
    code += "assert load(Path(sys.argv[1])).answer() == 42"
    words = [sys.executable, "-c", code, str(sources(tmp_path))]
    running = [subprocess.Popen(words) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert all(path.suffix == ".so" for path in kept.iterdir())
