"""Bad files at every stage: weights, run folders, held-out sets, checkpoints, tables, events, locks. Each is one clear
line that names the file; what raises `UserError` ends the command line with 78, `Interrupted` with 75."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import run as train_tiny
from typer.testing import CliRunner

from factories import tiny_config
from ired.base.errors import UserError
from ired.cli import app
from ired.job.events import Events, attempts
from ired.job.finished import open_run, read_snapshots, read_weights
from ired.job.lock import RunLock, read_lock
from ired.record.publish import publish, republished
from ired.record.schema import TABLES
from ired.record.whole import mark, read_whole, refuse_others
from ired.tasks import build_task
from ired.tasks.held_out import read_split
from ired.trained import load
from ired.training.checkpoint import load_checkpoint, save_checkpoint
from ired.training.stopping import Interrupted
from synthetic_tables import make_tables, write_tables


def refusal(act: Callable[[], object], *says: str) -> None:
    """What `act` raises is one line that says it."""
    with pytest.raises((UserError, Interrupted)) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in says), message


@pytest.fixture(scope="module")
def trained(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    train_tiny(tiny_config(), sets, root)
    return root


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A finished run to damage."""
    return Path(shutil.copytree(trained / "runs/seed0", tmp_path / "seed0"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def listed(path: Path) -> None:
    path.write_text("[]")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize("damage", [cut, flipped, emptied, garbled, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "snapshots.safetensors"])
def test_weights(run: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(run / name)
    read = (
        (lambda: load(run)) if name.startswith("model") else (lambda: read_snapshots(run, open_run(run)[1]))
    )
    refusal(read, str(run / name))


def test_weights_of_another_run_of_the_same_shape(run: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = run / "model.safetensors"
    save_file({name: value + 1 for name, value in load_file(path).items()}, path)
    refusal(lambda: read_weights(run, path.name, open_run(run)[1]), "another run's")


@pytest.mark.parametrize("damage", [cut, emptied, listed, garbled, Path.unlink])
@pytest.mark.parametrize("name", ["metrics.json", "config.json"])
def test_a_run_folder(run: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(run / name)
    refusal(lambda: load(run), name)


def test_a_result_that_was_cut_is_not_published(trained: Path, tmp_path: Path) -> None:
    (folder,) = (trained / "state").glob("seed0-*")
    state = tmp_path / "state" / folder.name
    shutil.copytree(folder, state)
    cut(state / "result/model.safetensors")
    refusal(lambda: publish(state, tmp_path / "out"), "model.safetensors", "ask for the run again")
    listed(state / "result/metrics.json")
    text = tiny_config().to_json()
    refusal(lambda: republished([text], tmp_path / "state", [tmp_path / "out"]), "metrics.json")


@pytest.mark.parametrize("damage", [cut, emptied, garbled, Path.unlink])
@pytest.mark.parametrize("name", ["validation.npz", "test_ood.npz"])
def test_a_held_out_set(sets: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    config, data = tiny_config(), Path(shutil.copytree(sets, tmp_path / "data"))
    damage(data / name)
    refusal(lambda: read_split(data / name, build_task(config.problem), config.held_out), name)


def test_a_held_out_set_of_foreign_arrays_with_the_right_checksum(sets: Path, tmp_path: Path) -> None:
    config, data = tiny_config(), Path(shutil.copytree(sets, tmp_path / "data"))
    path, task = data / "validation.npz", build_task(config.problem)
    with np.load(path) as arrays:
        good = dict(arrays)
    nowhere = good | {"solution": np.full_like(good["solution"], np.nan)}
    for arrays, says in (
        ({"x": good["solution"]}, "no arrays"),
        (nowhere, "not finite"),
        (None, "no arrays"),
    ):
        path.write_bytes(b"a pickle") if arrays is None else np.savez(path, **arrays)
        sidecar = json.loads(path.with_suffix(".json").read_text())
        sidecar["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_suffix(".json").write_text(json.dumps(sidecar))
        refusal(lambda: read_split(path, task, config.held_out), "validation.npz", says, "delete it")


@pytest.mark.parametrize("content", ["[]", "{}", '{"sha256": 1}', "null"])
def test_a_checkpoint_that_is_none_is_refused_and_the_one_before_is_taken(
    content: str, tmp_path: Path
) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, "run", step, {"x": torch.ones(2)}, {})
    newest = tmp_path / "step000000002.json"
    good, said = newest.read_text(), []
    newest.write_text(content)
    found = load_checkpoint(tmp_path, "run", said.append)
    assert found is not None and found[0] == 1 and "refusing checkpoint step000000002" in said[0]
    newest.write_text(good.replace(json.loads(good)["sha256"], hashlib.sha256(b"garbage").hexdigest()))
    newest.with_suffix(".safetensors").write_bytes(b"garbage")
    found = load_checkpoint(tmp_path, "run", said.append)
    assert found is not None and found[0] == 1


def test_one_run_twice_in_one_call(sets: Path, tmp_path: Path) -> None:
    from ired.job.deadline import stopper_for
    from ired.job.train import Execution, train_and_publish

    execution = Execution(sets, tmp_path / "state", torch.device("cpu"), 5.0, None)
    runs, folders = [tiny_config()] * 2, [tmp_path / "a", tmp_path / "b"]
    refusal(lambda: train_and_publish(runs, folders, execution, stopper_for(None)), "twice in one call")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--threads", "100000"), "less than or equal to 1024"),
        (("--threads", "0"), "greater than or equal to 1"),
        (("--max-minutes", "nan"), "no number of minutes"),
        (("--max-minutes", "-1"), "no number of minutes"),
        (("--checkpoint-steps", "0"), "greater than or equal to 1"),
    ],
)
def test_an_option_of_the_training_command(words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(app, ["train", "--config", "{}", "--data", "d", "--state", "s", *words])
    assert done.exit_code == 2 and says in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("damage", [emptied, listed, garbled, Path.unlink])
def test_a_sidecar(sets: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    config, data = tiny_config(), Path(shutil.copytree(sets, tmp_path / "data"))
    damage(data / "validation.json")
    task = build_task(config.problem)
    refusal(lambda: read_split(data / "validation.npz", task, config.held_out), "validation.json")


def first_line_lost(path: Path) -> None:
    head, *rows = path.read_text().splitlines(keepends=True)
    variant = rows[0].split(",")[1 if head.startswith("experiment") else 0]
    path.write_text(head + "".join(row for row in rows if variant not in row.split(",")[:2]))


@pytest.mark.parametrize("damage", [cut, emptied, garbled, Path.unlink, first_line_lost])
@pytest.mark.parametrize("name", ["summary", "learning_curves", "energy_profile"])
def test_a_table(name: str, damage: Callable[[Path], None], tmp_path: Path) -> None:
    folder = write_tables(make_tables(), tmp_path, "laptop", "strategies")
    damage(folder / f"{name}.csv")
    refusal(lambda: read_whole(TABLES, folder), f"{name}.csv")


def test_a_ladder_without_the_line(tmp_path: Path) -> None:
    tables = make_tables()
    reference = tables["reference"]
    tables["reference"] = reference[~((reference["split"] == "ood") & reference["line"].astype(bool))]
    folder = write_tables(tables, tmp_path, "laptop", "strategies")
    refusal(lambda: read_whole(["reference"], folder), "reference.csv", "predictor to beat on test set ood")


def test_a_blank_mean(tmp_path: Path) -> None:
    tables = make_tables()
    tables["summary"].loc[0, "mean"] = float("nan")
    folder = write_tables(tables, tmp_path, "laptop", "strategies")
    refusal(lambda: read_whole(TABLES, folder), "summary.csv", "blank mean")


def test_tables_of_another_configuration(tmp_path: Path) -> None:
    runs = make_tables()["runs"]
    groups = runs.groupby("variant", sort=False)
    marks = {str(v): mark(zip(g["seed"], g["fingerprint"], strict=True)) for v, g in groups}
    refuse_others(runs, marks, tmp_path / "runs.csv")
    first = next(iter(marks))
    refusal(
        lambda: refuse_others(runs, marks | {first: "other"}, tmp_path / "runs.csv"), first, "config.yaml"
    )
    refusal(lambda: refuse_others(runs[runs["variant"] != first], marks, tmp_path / "runs.csv"), first)
    refusal(
        lambda: refuse_others(runs, {k: v for k, v in marks.items() if k != first}, tmp_path / "runs.csv"),
        first,
    )


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"{}\n", b"[]\n", b"7\n", b"{\n"])
def test_a_bad_line_of_events_stops_nobody(line: bytes, tmp_path: Path) -> None:
    events = Events(tmp_path)
    events.note("started", seeds=[0])
    with events.path.open("ab") as file:
        file.write(line)
    events.note("ended", why="finished")
    assert [a["end"] for a in attempts(events.read())] == ["finished"]


@pytest.mark.parametrize(
    "holder",
    [{"heartbeat": "x"}, {"heartbeat": None}, {"pid": 0}, {"pid": -1}, {"pid": 10**30}, {"pid": "7"}, [], 5],
)
def test_a_lock_that_nobody_wrote_is_taken_over(holder: Any, tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    values = {"host": "elsewhere", "heartbeat": 0.0} | holder if isinstance(holder, dict) else holder
    path.write_text(json.dumps(values))
    os.utime(path, (0, 0))
    RunLock(tmp_path).acquire()


def test_the_clock_of_another_host_blocks_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text(json.dumps({"host": "elsewhere", "heartbeat": time.time() + 1e7}))
    refusal(lambda: RunLock(tmp_path).acquire(), "heartbeat")  # written just now, as its file says
    for age in (-1e7, 700):
        path.write_text(json.dumps({"host": "elsewhere", "heartbeat": time.time() + 1e7}))
        os.utime(path, (time.time() - age,) * 2)
        holder = read_lock(path)
        assert holder is not None and holder["heartbeat"] <= time.time()
        lock = RunLock(tmp_path)
        lock.acquire()
        assert lock.taken_from is not None
        lock.release()


def test_a_lock_that_links_to_nowhere_is_removed(tmp_path: Path) -> None:
    (tmp_path / "lock.json").symlink_to(tmp_path / "nowhere")
    lock = RunLock(tmp_path)
    lock.acquire()
    assert lock.ours()
