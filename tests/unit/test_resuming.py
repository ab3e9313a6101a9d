"""Runs that are stopped, killed, resumed, asked for again, or given what they cannot use."""

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
from tiny_runs import StopAt, contents, run

from factories import tiny_config
from ired.base.errors import UserError
from ired.job.train import seed_folder
from ired.record.publish import is_finished, republished
from ired.study.run_config import RunConfig
from ired.training.stopping import Interrupted, Stopper


@pytest.mark.parametrize("step", [0, 1, 3, 4, 10, 13, 19])
def test_an_interrupted_run_resumes_to_the_same_bytes(sets: Path, tmp_path: Path, step: int) -> None:
    config = tiny_config(early_stopping={"patience": 1000})
    with pytest.raises(Interrupted, match=f"step {step} is saved"):
        run(config, sets, tmp_path / "cut", StopAt(step))
    assert not is_finished(seed_folder(tmp_path / "cut" / "state", config), config.fingerprint())
    assert contents(run(config, sets, tmp_path / "cut")) == contents(run(config, sets, tmp_path / "whole"))


def test_an_equivariant_run_resumes_to_the_same_bytes(sets: Path, tmp_path: Path) -> None:
    config = tiny_config(network={"kind": "equivariant"})
    with pytest.raises(Interrupted, match="step 7 is saved"):
        run(config, sets, tmp_path / "cut", StopAt(7))
    assert contents(run(config, sets, tmp_path / "cut")) == contents(run(config, sets, tmp_path / "whole"))


def test_a_finished_run_is_republished_without_training(sets: Path, tmp_path: Path) -> None:
    config = tiny_config()
    folder = run(config, sets, tmp_path)
    before = contents(folder)
    (folder / "metrics.json").unlink()
    assert contents(run(config, sets, tmp_path, StopAt(0))) == before


def test_the_command_publishes_what_is_finished_before_it_loads_torch(sets: Path, tmp_path: Path) -> None:
    config = tiny_config()
    before = contents(run(config, sets, tmp_path))
    program = (
        "import sys; from ired.cli import app\n"
        f"sys.argv = {['ired', *command(config, sets, tmp_path)[3:]]!r}\n"
        "try: app()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert contents(tmp_path / "runs") == before


def test_only_what_is_finished_and_asked_for_rightly_is_republished(sets: Path, tmp_path: Path) -> None:
    config, other = tiny_config(), tiny_config(seed=1)
    folder = run(config, sets, tmp_path)
    state, there = tmp_path / "state", tmp_path / "there"
    assert not republished([config.to_json(), other.to_json()], state, [there, there])
    assert not republished([config.to_json()], state, [])
    assert not republished(["{"], state, [there]) and not republished(["[]"], state, [there])
    assert not republished([json.dumps(config.model_dump() | {"protocol": 99})], state, [there])
    assert not there.exists()
    assert republished([config.to_json()], state, [there])
    assert contents(there) == contents(folder)


def test_torn_and_foreign_checkpoints_are_refused_and_the_one_before_is_used(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config()
    with pytest.raises(Interrupted):
        run(config, sets, tmp_path / "cut", StopAt(15), checkpoint_steps=5)
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
    resumed = contents(run(config, sets, tmp_path / "cut"))
    said = capsys.readouterr().err
    assert "refusing checkpoint step000000015" in said and "torn" in said and "resumed at step 10" in said
    assert resumed == contents(run(config, sets, tmp_path / "whole"))

    # Both torn: the run begins anew, and its early checkpoints must not fall to those of later steps.
    with pytest.raises(Interrupted):
        run(config, sets, tmp_path / "torn", StopAt(15), checkpoint_steps=5)
    folder = seed_folder(tmp_path / "torn" / "state", config) / "checkpoints"
    for path in folder.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(Interrupted):
        run(config, sets, tmp_path / "torn", StopAt(3), checkpoint_steps=1)
    kept = sorted(p.name for p in folder.glob("*.json"))
    assert kept == ["step000000002.json", "step000000003.json"]
    assert contents(run(config, sets, tmp_path / "torn")) == resumed

    other = tiny_config(seed=8)
    with pytest.raises(Interrupted):
        run(config, sets, tmp_path / "x", StopAt(6))
    seed_folder(tmp_path / "x" / "state", config).rename(seed_folder(tmp_path / "x" / "state", other))
    assert contents(run(other, sets, tmp_path / "x")) == contents(run(other, sets, tmp_path / "y"))
    assert "belongs to another configuration" in capsys.readouterr().err


def test_a_checkpoint_of_another_kind_of_device_is_refused(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """cpu and cuda draw different random numbers, so the rest of the run would be of other matrices."""
    config = tiny_config()
    with pytest.raises(Interrupted):
        run(config, sets, tmp_path, StopAt(15))
    manifests = list((seed_folder(tmp_path / "state", config) / "checkpoints").glob("*.json"))
    for manifest in manifests:
        assert " on cpu" in manifest.read_text()
        manifest.write_text(manifest.read_text().replace(" on cpu", " on cuda"))
    assert contents(run(config, sets, tmp_path)) == contents(run(config, sets, tmp_path / "whole"))
    said = capsys.readouterr().err
    assert "kind of device" in said and "resumed" not in said


def test_a_result_that_lost_a_file_is_named(sets: Path, tmp_path: Path) -> None:
    config = tiny_config()
    run(config, sets, tmp_path)
    lost = seed_folder(tmp_path / "state", config) / "result" / "history.csv"
    lost.unlink()
    with pytest.raises(UserError, match=r"history.csv is missing; delete .* and ask for the run again"):
        run(config, sets, tmp_path)


def test_a_deadline_stops_at_the_next_step() -> None:
    assert Stopper(max_minutes=0).reason() == "the deadline is reached"
    assert Stopper(max_minutes=10).reason() is None and Stopper().reason() is None


def command(config: RunConfig, sets: Path, root: Path, *more: str) -> list[str]:
    arguments = [
        "--config",
        config.to_json(),
        "--run-dir",
        str(root / "runs"),
        "--data",
        str(sets),
        "--state",
        str(root / "state"),
    ]
    return [sys.executable, "-m", "ired", "train", *arguments, "--threads", "1", "--device", "cpu", *more]


def test_sigterm_ends_with_a_checkpoint_and_75_and_the_run_resumes(sets: Path, tmp_path: Path) -> None:
    config = tiny_config(training__steps=200_000, training__validate_every=200_000)
    with subprocess.Popen(
        command(config, sets, tmp_path, "--checkpoint-steps", "50"), stderr=subprocess.PIPE
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
    sets: Path, tmp_path: Path
) -> None:
    """Kills fall anywhere, checkpoint writes included: a checkpoint is written every other step."""
    config = tiny_config(training__steps=600, training__validate_every=150, training__history_every=25)
    whole = contents(run(config, sets, tmp_path / "whole"))
    rng = np.random.default_rng(0)
    folder = seed_folder(tmp_path / "state", config) / "checkpoints"
    # Forked, not started anew: an import of torch takes a hundred times as long as these steps.
    fork = multiprocessing.get_context("fork")
    arguments = (config, sets, tmp_path)
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
    assert contents(run(config, sets, tmp_path)) == whole
    assert not list(tmp_path.glob("runs/**/.*.tmp"))


def run_often_saved(config: RunConfig, sets: Path, root: Path) -> None:
    run(config, sets, root, checkpoint_steps=2)


def run_to_a_torn_write(config: RunConfig, sets: Path, root: Path) -> None:
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
    run_often_saved(config, sets, root)


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint manifest; -1 where there is none."""
    return max((int(p.stem[4:]) for p in folder.glob("step*.json")), default=-1) if folder.is_dir() else -1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "{"], "not valid JSON"),
        (["--config", "{}"], "missing"),
        (["--device", "cuda"], "torch sees none"),
        (["--device", "gpu"], "unknown device 'gpu'; valid: auto, cpu, cuda"),
    ],
)
def test_bad_input_is_one_line_and_78(sets: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    if arguments[0] == "--device" and torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    words = command(tiny_config(), sets, tmp_path)
    words[words.index(arguments[0]) + 1] = arguments[1]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 78 and says in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser may write anywhere")
def test_a_read_only_results_folder_is_named(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot write"):
        run(tiny_config(), sets, tmp_path)


def test_results_in_the_way_of_a_folder_are_named(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot write"):
        run(tiny_config(), sets, tmp_path)
    state = seed_folder(tmp_path / "state", tiny_config())
    assert is_finished(state, tiny_config().fingerprint()), "the finished result is kept"
