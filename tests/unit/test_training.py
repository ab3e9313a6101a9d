"""Training: reproducible, resumable, and the same in a pack as alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from factories import tiny_config
from ired.config import RunConfig
from ired.engine import Engine
from ired.errors import UserError
from ired.held_out import SPLITS, write_split
from ired.matrices import draw_pairs
from ired.runs import RESULT_FILES, Execution, is_finished, seed_folder, train_and_publish
from ired.stopping import Interrupted, Stopper

NUMBERS = ("metrics.json", "history.csv", "model.safetensors", "snapshots.safetensors", "config.json")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    config = tiny_config()
    for split in SPLITS:
        write_split(split, config.problem, config.held_out, folder / f"{split}.npz")
    return folder


def run(
    config: RunConfig, data: Path, root: Path, stopper: Stopper | None = None, **execution: object
) -> Path:
    run_dir = root / "runs" / f"seed{config.seed}"
    train_and_publish([config], [run_dir], Execution(data, root / "state", **execution), stopper or Stopper())  # type: ignore[arg-type]
    return run_dir


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NUMBERS}


def test_the_same_seed_twice_is_byte_identical(data: Path, tmp_path: Path) -> None:
    first = contents(run(tiny_config(), data, tmp_path / "a"))
    assert first == contents(run(tiny_config(), data, tmp_path / "b"))
    assert first["metrics.json"] != contents(run(tiny_config(seed=1), data, tmp_path / "c"))["metrics.json"]


def test_results_are_complete_and_say_what_they_are(data: Path, tmp_path: Path) -> None:
    config = tiny_config()
    folder = run(config, data, tmp_path)
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
        Engine(tiny_config(negatives={"strategy": "none"}, contrast=None), (3,)),
        Engine(tiny_config(), (3,)),
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
    engine = Engine(config, (0, 1))
    weights, average = (
        engine.flat.detach().double().numpy().copy(),
        engine.flat.detach().double().numpy().copy(),
    )
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    clipped = 0
    for k in range(1, 9):
        twin = Engine(config, (0, 1))
        twin.load_state({**engine.state(), "flat": engine.flat.detach()}, engine.step, 0)
        twin.streams.at(twin.step)
        from ired.matrices import draw_pairs

        condition, solution = draw_pairs(twin.streams, 16, config.problem, 0.5)
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


def test_a_pack_trains_its_seeds_as_they_train_alone(data: Path, tmp_path: Path) -> None:
    configs = [tiny_config(seed=s) for s in (4, 2, 7)]
    dirs = [tmp_path / "packed" / str(c.seed) for c in configs]
    train_and_publish(configs, dirs, Execution(data, tmp_path / "state"), Stopper())
    for config, folder in zip(configs, dirs, strict=True):
        alone = run(config, data, tmp_path / "alone")
        ours, theirs = (json.loads((d / "metrics.json").read_text()) for d in (folder, alone))
        assert ours["test"]["id"]["mse"] == pytest.approx(theirs["test"]["id"]["mse"], rel=1e-4)
        assert {k: ours[k] for k in ("fingerprint", "seed", "steps", "parameters")} == {
            k: theirs[k] for k in ("fingerprint", "seed", "steps", "parameters")
        }
        a, b = (load_file(d / "model.safetensors") for d in (folder, alone))
        assert all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)


def test_a_diverging_seed_is_a_result_and_leaves_its_pack_alone() -> None:
    healthy, sick = Engine(tiny_config(), (0, 1)), Engine(tiny_config(), (0, 1))
    with torch.no_grad():
        sick.flat[1] *= 1e12
    for _ in range(5):
        healthy.advance()
        sick.advance()
    assert sick.diverged_at.tolist() == [-1, 1] and healthy.diverged_at.tolist() == [-1, -1]
    assert torch.equal(healthy.flat[0], sick.flat[0])


def test_a_diverged_run_is_published_with_its_step(data: Path, tmp_path: Path) -> None:
    folder = run(tiny_config(training__divergence_bound=1e-6), data, tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["status"], metrics["diverged_at"], metrics["test"], metrics["mse_validation"]) == (
        "diverged",
        1,
        None,
        None,
    )


def test_early_stopping_reports_the_best_validated_weights(data: Path, tmp_path: Path) -> None:
    """A learning rate that ruins the weights after a good start: the run stops and reports the start."""
    config = tiny_config(
        early_stopping={"patience": 10},
        optimiser__learning_rate=0.03,
        optimiser__ema=None,
        training__steps=400,
        training__validate_every=5,
    )
    folder = run(config, data, tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] < 400 and metrics["steps"] - metrics["best_step"] >= 10
    assert metrics["best_mse_validation"] <= metrics["mse_validation"]
    unstopped = json.loads(
        (
            run(config.model_copy(update={"early_stopping": None}), data, tmp_path / "b") / "metrics.json"
        ).read_text()
    )
    assert unstopped["steps"] == 400


class StopAt(Stopper):
    """Stops when asked for the k-th time."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.left = k

    def reason(self) -> str | None:
        self.left -= 1
        return "the test says so" if self.left < 0 else None


@pytest.mark.parametrize("step", [0, 1, 3, 4, 10, 13, 19])
def test_an_interrupted_run_resumes_to_the_same_bytes(data: Path, tmp_path: Path, step: int) -> None:
    config = tiny_config(early_stopping={"patience": 1000})
    with pytest.raises(Interrupted, match=f"step {step} is saved"):
        run(config, data, tmp_path / "cut", StopAt(step))
    assert not is_finished(tmp_path / "cut" / "state", config)
    assert contents(run(config, data, tmp_path / "cut")) == contents(run(config, data, tmp_path / "whole"))


def test_a_finished_run_is_republished_without_training(data: Path, tmp_path: Path) -> None:
    config = tiny_config()
    folder = run(config, data, tmp_path)
    before = contents(folder)
    (folder / "metrics.json").unlink()
    assert contents(run(config, data, tmp_path, StopAt(0))) == before


def test_torn_and_foreign_checkpoints_are_refused_and_the_one_before_is_used(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config()
    with pytest.raises(Interrupted):
        run(config, data, tmp_path / "cut", StopAt(15), checkpoint_steps=5)
    folder = seed_folder(tmp_path / "cut" / "state", config) / "checkpoints"
    names = sorted(p.name for p in folder.iterdir())
    assert names == [
        "step000000010.json",
        "step000000010.safetensors",
        "step000000015.json",
        "step000000015.safetensors",
    ]
    newest = folder / "step000000015.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    resumed = contents(run(config, data, tmp_path / "cut"))
    said = capsys.readouterr().err
    assert "refusing checkpoint step000000015" in said and "torn" in said and "resumed at step 10" in said
    assert resumed == contents(run(config, data, tmp_path / "whole"))

    other = tiny_config(seed=8)
    with pytest.raises(Interrupted):
        run(config, data, tmp_path / "x", StopAt(6))
    seed_folder(tmp_path / "x" / "state", config).rename(seed_folder(tmp_path / "x" / "state", other))
    assert contents(run(other, data, tmp_path / "x")) == contents(run(other, data, tmp_path / "y"))
    assert "belongs to another configuration" in capsys.readouterr().err


def test_a_deadline_stops_at_the_next_step() -> None:
    assert Stopper(max_minutes=0).reason() == "the deadline is reached"
    assert Stopper(max_minutes=10).reason() is None and Stopper().reason() is None


def command(config: RunConfig, data: Path, root: Path, *more: str) -> list[str]:
    arguments = [
        "--config",
        config.to_json(),
        "--run-dir",
        str(root / "runs"),
        "--data",
        str(data),
        "--state",
        str(root / "state"),
    ]
    return [sys.executable, "-m", "ired", "train", *arguments, "--threads", "1", "--device", "cpu", *more]


def test_sigterm_ends_with_a_checkpoint_and_75_and_the_run_resumes(data: Path, tmp_path: Path) -> None:
    config = tiny_config(training__steps=200_000, training__validate_every=200_000)
    with subprocess.Popen(
        command(config, data, tmp_path, "--checkpoint-steps", "50"), stderr=subprocess.PIPE
    ) as process:
        folder = seed_folder(tmp_path / "state", config) / "checkpoints"
        deadline = time.monotonic() + 60
        while not list(folder.glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 75 and "received SIGTERM" in said
    assert not (tmp_path / "runs" / "metrics.json").exists()


def test_twenty_sigkills_at_random_points_give_the_bytes_of_an_uninterrupted_run(
    data: Path, tmp_path: Path
) -> None:
    """Kills fall anywhere, checkpoint writes included: a checkpoint is written every other step."""
    config = tiny_config(training__steps=600, training__validate_every=150, training__history_every=25)
    whole = contents(run(config, data, tmp_path / "whole"))
    rng = np.random.default_rng(0)
    folder = seed_folder(tmp_path / "state", config) / "checkpoints"
    # Forked, not started anew: an import of torch takes a hundred times as long as these steps.
    fork = multiprocessing.get_context("fork")
    arguments = (config, data, tmp_path)
    steps, torn = [], []
    for kill in range(20):
        before = newest_step(folder)
        # Every fourth dies half way through writing a checkpoint, the others wherever the clock finds them.
        torn_write = kill % 4 == 3
        child = fork.Process(target=run_to_a_torn_write if torn_write else run_often_saved, args=arguments)
        child.start()
        if not torn_write:
            # Wait until it has made progress of its own, then for a moment of random length.
            while newest_step(folder) <= before and child.is_alive():
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.03))
            child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL, (
            "the run ended before it could be killed: give it more steps"
        )
        steps.append(newest_step(folder))
        if torn_write:
            torn.append(len(list(folder.glob(".*.tmp"))))
    assert len(set(steps)) == 20 and all(torn), (steps, torn)
    assert contents(run(config, data, tmp_path)) == whole
    assert not list(tmp_path.glob("runs/**/.*.tmp"))


def run_often_saved(config: RunConfig, data: Path, root: Path) -> None:
    run(config, data, root, checkpoint_steps=2)


def run_to_a_torn_write(config: RunConfig, data: Path, root: Path) -> None:
    """Dies by SIGKILL with half of its fifth checkpoint written."""
    rename, weights_written = os.replace, 0

    def torn(source: Path, target: Path) -> None:
        nonlocal weights_written
        if target.parent.name == "checkpoints" and target.suffix == ".safetensors":
            weights_written += 1
            if weights_written == 5:
                os.truncate(source, source.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    os.replace = torn  # type: ignore[assignment]  # this process is a fork that is about to die
    run_often_saved(config, data, root)


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint manifest; -1 where there is none."""
    return max((int(p.stem[4:]) for p in folder.glob("step*.json")), default=-1) if folder.is_dir() else -1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "{"], "not valid JSON"),
        (["--config", "{}"], "missing"),
        (["--device", "cuda"], "torch sees none"),
    ],
)
def test_bad_input_is_one_line_and_78(data: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    if arguments[0] == "--device" and torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    words = command(tiny_config(), data, tmp_path)
    words[words.index(arguments[0]) + 1] = arguments[1]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 78 and says in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser may write anywhere")
def test_a_read_only_results_folder_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot write"):
        run(tiny_config(), data, tmp_path)


def test_results_in_the_way_of_a_folder_are_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot write"):
        run(tiny_config(), data, tmp_path)
    assert is_finished(tmp_path / "state", tiny_config()), "the finished result is kept"


def test_the_update_is_adam_with_clipping_as_the_librarys_class_does_it() -> None:
    """The engine calls Adam as a function; the class is the independent truth."""
    config = tiny_config(negatives={"strategy": "none"}, contrast=None)
    engine, other = Engine(config, (0,)), Engine(config, (0,))
    reference = other.flat
    optimiser = torch.optim.Adam([reference], lr=1.0, betas=config.optimiser.adam_betas)
    for _ in range(5):
        optimiser.param_groups[0]["lr"] = engine._learning_rate_now()
        other.streams.at(engine.step)
        matrix, solution = draw_pairs(
            other.streams, config.training.batch_size, config.problem, config.problem.diagonal_id
        )
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
        "import torch; from ired.training import use_threads; use_threads(2);"
        "tiny = torch.full((1 << 20,), 1e-20);"
        "print((tiny * tiny).count_nonzero().item(), (tiny[:4] * tiny[:4]).count_nonzero().item())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
