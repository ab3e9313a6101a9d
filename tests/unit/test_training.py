"""Training: reproducible, and the same in a pack as alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import contents, run

from factories import tiny_config
from ired.base.errors import PassingError
from ired.job import train
from ired.job.build import build_engine
from ired.job.train import Execution, seed_folder, train_and_publish
from ired.record.publish import RESULT_FILES
from ired.training.stopping import Stopper


def test_the_same_seed_twice_is_byte_identical(sets: Path, tmp_path: Path) -> None:
    first = contents(run(tiny_config(), sets, tmp_path / "a"))
    assert first == contents(run(tiny_config(), sets, tmp_path / "b"))
    assert first["metrics.json"] != contents(run(tiny_config(seed=1), sets, tmp_path / "c"))["metrics.json"]


def test_results_are_complete_and_say_what_they_are(sets: Path, tmp_path: Path) -> None:
    config = tiny_config()
    folder = run(config, sets, tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == sorted(RESULT_FILES)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (
        metrics["fingerprint"] == config.fingerprint()
        and metrics["status"] == "finished"
        and metrics["steps"] == 20
    )
    assert metrics["test"]["id"]["matrices"] == 128
    assert "seconds" not in (folder / "metrics.json").read_text()
    history = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    assert history["step"].tolist() == [4, 8, 10, 12, 16, 20]
    assert np.isfinite(history["mse_validation"]).tolist() == [False, False, True, False, False, True]
    assert sorted(load_file(folder / "snapshots.safetensors")) == ["step10", "step2", "step20"]


def test_variants_at_equal_seed_see_equal_matrices_noise_and_initial_weights() -> None:
    engines = [
        build_engine(tiny_config(negatives={"strategy": "none"}, contrast=None), (3,)),
        build_engine(tiny_config(), (3,)),
    ]
    assert torch.equal(engines[0].flat, engines[1].flat)
    seen = []
    for engine in engines:
        taken = {}
        objective = engine.objective

        def spy(weights, condition, solution, streams, weight, objective=objective, taken=taken):  # type: ignore[no-untyped-def]
            taken["condition"] = condition
            terms = objective(weights, condition, solution, streams, weight)
            taken["denoise"] = terms.denoise.detach()
            return terms

        engine.objective = spy  # type: ignore[assignment]
        engine.advance()
        seen.append(taken)
    assert torch.equal(seen[0]["condition"], seen[1]["condition"])
    assert torch.equal(seen[0]["denoise"], seen[1]["denoise"]), (
        "equal matrices, noise and weights give equal denoising losses"
    )


def test_adam_clipping_and_averaging_against_an_independent_loop() -> None:
    """The released recipe written out in numpy, fed with the engine's own gradients."""
    config = tiny_config(
        optimiser__gradient_clip=0.05, optimiser__decay="cosine", optimiser__ema={"decay": 0.9, "every": 2}
    )
    engine = build_engine(config, (0, 1))
    weights, average = (
        engine.flat.detach().double().numpy().copy(),
        engine.flat.detach().double().numpy().copy(),
    )
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    clipped = 0
    for k in range(1, 9):
        twin = build_engine(config, (0, 1))
        twin.load_state({**engine.state(), "flat": engine.flat.detach()}, engine.step, 0)
        twin.streams.at(twin.step)
        condition, solution = twin.task.draw(twin.streams, 16, "id")
        terms = twin.objective(twin.layout.unflatten(twin.flat), condition, solution, twin.streams, 0.5)
        terms.total.sum().backward()
        gradient = twin.flat.grad.double().numpy()  # type: ignore[union-attr]
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)
        clipped += (norm > 0.05).sum()
        gradient = gradient * np.minimum(1, 0.05 / (norm + 1e-6))
        m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient**2
        rate = 1e-3 * 0.5 * (1 + np.cos(np.pi * (k - 1) / 20))
        weights = weights - rate * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.99**k)) + 1e-8)
        if k % 2 == 0:
            decay = min(0.9, 1 - (1 + k // 2) ** (-2 / 3))
            average = decay * average + (1 - decay) * weights
        engine.advance()
        np.testing.assert_allclose(engine.flat.detach().numpy(), weights, atol=2e-6)
        np.testing.assert_allclose(engine.average.numpy(), average, atol=2e-6)
    assert clipped > 8


@pytest.mark.parametrize("kind", ["mlp", "equivariant"])
def test_a_pack_trains_its_seeds_as_they_train_alone(sets: Path, tmp_path: Path, kind: str) -> None:
    network = {"kind": "equivariant"} if kind == "equivariant" else tiny_config().network
    configs = [tiny_config(seed=s, network=network) for s in (4, 2, 7)]
    dirs = [tmp_path / "packed" / str(c.seed) for c in configs]
    train_and_publish(configs, dirs, Execution(sets, tmp_path / "state"), Stopper())
    for config, folder in zip(configs, dirs, strict=True):
        alone = run(config, sets, tmp_path / "alone")
        ours, theirs = (json.loads((d / "metrics.json").read_text()) for d in (folder, alone))
        assert ours["test"]["id"]["mse"] == pytest.approx(theirs["test"]["id"]["mse"], rel=1e-4)
        assert {k: ours[k] for k in ("fingerprint", "seed", "steps", "parameters")} == {
            k: theirs[k] for k in ("fingerprint", "seed", "steps", "parameters")
        }
        a, b = (load_file(d / "model.safetensors") for d in (folder, alone))
        assert all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)


def test_a_pack_cut_while_it_writes_its_results_is_not_trained_again(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [tiny_config(seed=s) for s in (4, 2, 7)]
    dirs = [tmp_path / str(c.seed) for c in configs]
    execution, written = Execution(sets, tmp_path / "state"), []
    write = train.write_json

    def until_the_disk_is_full(path: Path, value: object) -> None:
        if path.name == "metrics.json" and len(written) == 1:
            raise PassingError("no space left")
        written.extend([path] if path.name == "metrics.json" else [])
        write(path, value)

    monkeypatch.setattr(train, "write_json", until_the_disk_is_full)
    with pytest.raises(PassingError):
        train_and_publish(configs, dirs, execution, Stopper())
    first = seed_folder(execution.state, configs[0]) / "result"
    before = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
    monkeypatch.undo()
    train_and_publish(configs, dirs, execution, Stopper())
    assert f"resumed at step {configs[0].training.steps}" in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in first.iterdir()} == before
    steps = [json.loads((folder / "metrics.json").read_text())["steps"] for folder in dirs]
    assert steps == [configs[0].training.steps] * 3


def test_a_seed_that_stops_early_has_the_snapshots_it_has_alone(sets: Path, tmp_path: Path) -> None:
    training = {"steps": 60, "validate_every": 5, "snapshots": [0.1, 0.2, 0.4, 0.8, 1.0]}
    configs = [
        tiny_config(seed=s, early_stopping={"patience": 5}, training=training, optimiser__learning_rate=0.003)
        for s in range(4)
    ]
    dirs = [tmp_path / "packed" / str(c.seed) for c in configs]
    train_and_publish(configs, dirs, Execution(sets, tmp_path / "state"), Stopper())
    steps = [json.loads((folder / "metrics.json").read_text())["steps"] for folder in dirs]
    assert len(set(steps)) > 1, steps
    for config, folder in zip(configs, dirs, strict=True):
        alone = run(config, sets, tmp_path / "alone")
        packed, single = (set(load_file(d / "snapshots.safetensors")) for d in (folder, alone))
        assert packed == single


def test_a_diverging_seed_is_a_result_and_leaves_its_pack_alone() -> None:
    healthy, sick = build_engine(tiny_config(), (0, 1)), build_engine(tiny_config(), (0, 1))
    with torch.no_grad():
        sick.flat[1] *= 1e12
    for _ in range(5):
        healthy.advance()
        sick.advance()
    assert sick.diverged_at.tolist() == [-1, 1] and healthy.diverged_at.tolist() == [-1, -1]
    assert torch.equal(healthy.flat[0], sick.flat[0])


@pytest.mark.parametrize("seconds", [60.0, 0.0], ids=["quiet", "progress after every step"])
def test_a_diverged_run_is_published_with_its_step(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr("ired.training.progress.LOG_SECONDS", seconds)  # no loss yet to show
    folder = run(tiny_config(training__divergence_bound=1e-6), sets, tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["status"], metrics["diverged_at"], metrics["test"], metrics["mse_validation"]) == (
        "diverged",
        1,
        None,
        None,
    )


def test_early_stopping_reports_the_best_validated_weights(sets: Path, tmp_path: Path) -> None:
    """A learning rate that ruins the weights after a good start: the run stops and reports the start."""
    config = tiny_config(
        early_stopping={"patience": 10},
        optimiser__learning_rate=0.03,
        optimiser__ema=None,
        training__steps=400,
        training__validate_every=5,
    )
    folder = run(config, sets, tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] < 400 and metrics["steps"] - metrics["best_step"] >= 10
    assert metrics["best_mse_validation"] <= metrics["mse_validation"]
    unstopped = json.loads(
        (
            run(config.model_copy(update={"early_stopping": None}), sets, tmp_path / "b") / "metrics.json"
        ).read_text()
    )
    assert unstopped["steps"] == 400


def test_the_update_is_adam_with_clipping_as_the_librarys_class_does_it() -> None:
    """The engine calls Adam as a function; the class is the independent truth."""
    config = tiny_config(negatives={"strategy": "none"}, contrast=None)
    engine, other = build_engine(config, (0,)), build_engine(config, (0,))
    reference = other.flat
    optimiser = torch.optim.Adam([reference], lr=1.0, betas=config.optimiser.adam_betas)
    for _ in range(5):
        optimiser.param_groups[0]["lr"] = engine._learning_rate_now()
        other.streams.at(engine.step)
        matrix, solution = other.task.draw(other.streams, config.training.batch_size, "id")
        terms = other.objective(other.layout.unflatten(reference), matrix, solution, other.streams, 0.0)
        optimiser.zero_grad()
        terms.total.sum().backward()
        torch.nn.utils.clip_grad_norm_([reference], config.optimiser.gradient_clip)
        optimiser.step()
        engine.advance()
    torch.testing.assert_close(engine.flat, reference, rtol=1e-5, atol=1e-7)


def test_numbers_too_small_for_full_speed_are_taken_as_zero_in_every_thread() -> None:
    """In a process of its own: the setting is the processor's, and outlives a test."""
    program = (
        "import torch; from ired.training.torch_setup import use_threads; use_threads(2);"
        "tiny = torch.full((1 << 20,), 1e-20);"
        "print((tiny * tiny).count_nonzero().item(), (tiny[:4] * tiny[:4]).count_nonzero().item())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
