"""Bad input in one table: configuration, targets, files at every stage, environment. Each is one clear line that names
the thing; what raises `UserError` ends the command line with 78, `Interrupted` with 75."""

from __future__ import annotations

import copy
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
import yaml
from tiny_runs import run as train_tiny
from typer.testing import CliRunner

from factories import tiny_config
from ired.base.errors import UserError
from ired.base.yaml_file import read_yaml
from ired.cli import app
from ired.job.build import build_engine
from ired.job.events import Events, attempts
from ired.job.finished import open_run, read_snapshots, read_weights
from ired.job.lock import RunLock, read_lock
from ired.record.publish import publish, republished
from ired.record.schema import TABLES
from ired.record.whole import mark, read_whole, refuse_others
from ired.study.memory import refuse_what_cannot_fit
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig
from ired.tasks import build_task
from ired.tasks.held_out import read_split
from ired.trained import load
from ired.training.checkpoint import load_checkpoint, save_checkpoint
from ired.training.stopping import Interrupted
from live_bytes import LiveBytes
from synthetic_tables import make_tables, write_tables

BASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())


def small() -> dict[str, Any]:
    """config.yaml with one scale, three variants and one experiment: resolved in milliseconds."""
    values: dict[str, Any] = copy.deepcopy(BASE)
    values["scale"] = "smoke"
    values.pop("worth_scale", None)
    scale = values["scales"]["smoke"]
    scale |= {"variants": {}, "experiments": ["strategies"], "seeds_of": {}}
    scale.pop("worth", None)
    values["scales"] = {"smoke": scale}
    values["variants"] = {k: values["variants"][k] for k in ("none", "random", "adversarial")}
    values["experiments"] = {"strategies": values["experiments"]["strategies"]}
    return values


def refusal(act: Callable[[], object], *says: str) -> None:
    """What `act` raises is one line that says it."""
    with pytest.raises((UserError, Interrupted)) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in says), message


RUN, SCALE = "run.", "scales.smoke."
NAMES = ("my variant", "a/b", "..", "../../../../x", "ü", "a{b}", "a*b", "", "-rf", "a\nb", "x" * 300, "a';touch",
         "a|b", "none ", ".state", "[x]", "<b>", "a$b", "a\\b", "a:b")  # fmt: skip
EXPERIMENT_NAMES = ("all", "runs", "train", "publish", "figures", "tables", "experiments", "diagnostics", "worth",
                    "tune", "dataset", "reference", "diagnose", "aggregate", "report_page", "draw_x",
                    "..", "a/b")  # fmt: skip
BAD_RATES = (float("nan"), float("inf"), -1.0, 0.0, 1e300, 1e30, True, None)
SWEEP: dict[str, Any] = {"base": "adversarial", "factor": "negatives.opt_steps", "levels": [1]}
CONFIGURATION: list[tuple[str, Any, tuple[str, ...]]] = [
    ("scalee", 1, ("'scalee'", "'scale'")),
    (RUN + "optimiser.learning_rat", 1, ("`run`", "'learning_rate'")),
    (RUN + "optimizer", {}, ("`run`", "'optimiser'")),
    (SCALE + "run.optimiser.learning_rate", "fast", ("`scales.smoke.run`", "valid number")),
    (SCALE + "run.optimiser.learning_rate", "6e-3", ("write 6.0e-3",)),
    (SCALE + "run.optimiser.learning_rate", "1.5e6", ("write 1.5e+6",)),
    (SCALE + "run.optimiser.learning_rate", "0.1", ("write 0.1 without quotes",)),
    *((SCALE + "run.optimiser.learning_rate", bad, ("learning_rate",)) for bad in BAD_RATES),
    *((SCALE + "run.training.steps", bad, ("training.steps",)) for bad in (0, -5, 1200.5, True, "1200", 10**30, None)),
    *((SCALE + "run.training.batch_size", bad, ("training.batch_size",)) for bad in (0, "x", 10**30)),
    *((SCALE + "run.network.hidden", bad, ("network.hidden",)) for bad in (0, -3, 10**30, 1.5)),
    *((SCALE + "run.network.time_features", bad, ("time_features",)) for bad in (31, 0)),
    (SCALE + "run.network.kind", "mlpp", ("'mlpp'", "Did you mean 'mlp'?")),
    *((SCALE + "run.problem.n", bad, ("problem.n",)) for bad in (1, None, "3")),
    (RUN + "problem.diagonal_id", 0.0, ("diagonal_id", "`run`")),
    (RUN + "problem.gram_scale", float("nan"), ("gram_scale",)),
    *((SCALE + "seeds", bad, ("scales.smoke.seeds",)) for bad in ("0", 5, [], [-1], [0.0], [True], [10**30], ["0"])),
    (SCALE + "seeds", [0, 1, 1], ("scale 'smoke'", "twice")),
    (SCALE + "run.held_out.test_matrices", 1, ("test_matrices", "2")),
    (SCALE + "diagnostic_matrices", 1, ("scales.smoke.diagnostic_matrices", "2")),
    *(("comparison.margin", bad, ("comparison.margin",)) for bad in (0.0, 2.0, float("nan"), "0.9")),
    ("comparison.baseline", "nnone", ("'nnone'", "'none'")),
    *(("protocol", bad, ("protocol",)) for bad in (0, "one")),
    *(("seeds_per_job", bad, ("seeds_per_job",)) for bad in (0, -1, "x", 1.5)),
    *(("scale", bad, ("scale",)) for bad in ("laptopp", "SMOKE", "", None)),
    ("scales", {}, ("unknown scale",)),
    (SCALE + "experiments", [], ("scales.smoke.experiments",)),
    (SCALE + "experiments", ["nothing"], ("'nothing'",)),
    ("variants.adversarial.negatives.opt_step", 2, ("`variants.adversarial`", "'opt_steps'")),
    ("variants.x", None, ("variants.x",)),
    *((RUN + "training.snapshots", bad, ("snapshots",)) for bad in ([], [2.0], [-0.1, 1.0])),
    *((RUN + "training.snapshots", bad, ("rise from above 0 to 1",))
      for bad in ([0.1], [0.0, 1.0], [0.5, 0.1, 1.0], [0.1, 0.1, 1.0])),
    (RUN + "schedule.beta_max", 2.0, ("beta_max",)),
    (RUN + "optimiser.adam_betas", [0.9, 1.0], ("adam_betas",)),
    ("experiments.strategies.comparisons", [["random", "random"]], ("itself",)),
    ("experiments.strategies.comparisons", [["random", "nobody"]], ("'nobody'",)),
    ("experiments.strategies.sweeps", [SWEEP | {"factor": "negatives.opt_step"}], ("adversarial_opt_step=1",)),
    ("experiments.strategies.sweeps", [SWEEP | {"levels": ["a/b"]}], ("a/b", "cannot name a folder")),
]  # fmt: skip


def changed(dotted: str, value: Any) -> dict[str, Any]:
    values = small()
    *path, last = dotted.split(".")
    section = values
    for key in path:
        section = section.setdefault(key, {})
    section[last] = value
    return values


@pytest.mark.parametrize(("dotted", "value", "says"), CONFIGURATION)
def test_a_value(dotted: str, value: Any, says: tuple[str, ...]) -> None:
    refusal(lambda: ResolvedStudy(changed(dotted, value)), "config.yaml", *says)


@pytest.mark.parametrize(
    ("dotted", "value", "gib", "lower"),
    [
        ("run.held_out.test_matrices", 10**10, 10**10 * 2 * 9 * 4 / 2**30, "test_matrices"),
        ("run.problem.n", 10**6, 500 * 2 * 10**12 * 4 / 2**30, "problem.n"),
        ("run.training.batch_size", 10**10, None, "training.batch_size"),
        ("run.network.hidden", 10**7, None, "network's size"),
    ],
)
def test_a_size_that_cannot_fit(dotted: str, value: int, gib: float | None, lower: str) -> None:
    study = ResolvedStudy(changed("scales.smoke." + dotted, value))
    estimate = [] if gib is None else [f"at least {gib:,.0f} GiB"]
    refusal(
        lambda: refuse_what_cannot_fit(study, "smoke", 24 * 2**30), "config.yaml", "lower", lower, *estimate
    )


def test_no_scale_of_the_project_is_refused_on_a_small_machine() -> None:
    study = ResolvedStudy(copy.deepcopy(BASE))
    for scale in study.study.scales:
        refuse_what_cannot_fit(study, scale, 8 * 2**30)


def test_what_a_step_keeps_at_least_is_less_than_what_it_keeps(study_values: dict[str, Any]) -> None:
    """Against the tensors alive at the peak of a real training step."""
    study = ResolvedStudy(study_values)
    for scale in ("laptop", "laptop_mlp", "completion"):
        run = study.run_config(scale, "none", 0)
        engine = build_engine(run, (0,))
        with LiveBytes() as kept:
            engine.advance()
        least = 4 * run.network.least_floats(run.problem.n, run.training.batch_size)
        assert 0.05 * kept.peak < least < kept.peak + 16 * engine.layout.parameters


def test_the_small_study_itself_is_fine() -> None:
    ResolvedStudy(small())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("variants", name) for name in NAMES),
        *(("scales", name) for name in (*NAMES, "shipped", "published", "shipped/laptop")),
        *(("experiments", name) for name in EXPERIMENT_NAMES),
    ],
)
def test_a_name(kind: str, name: str) -> None:
    values = small()
    values[kind][name] = next(iter(values[kind].values()))
    refusal(lambda: ResolvedStudy(values), f"{kind[:-1]} name", repr(name[:20])[:-1])


def test_every_rule_of_the_workflow_is_reserved(repository: Path) -> None:
    import re

    from ired.study.names import RESERVED

    rules = [p.read_text() for p in (repository / "workflow/rules").glob("*.smk")]
    named = {n for text in rules for n in re.findall(r"^ *(?:rule|checkpoint) (\w+):", text, re.M)} - {
        "draw_worth"
    }
    assert named | {"all", "publish"} <= RESERVED["experiment"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: 1\nb: 2\na: 3\n", ("line 3", "'a'", "line 1")),
        (b"run:\n  training: {}\n  x: 1\n  training: {}\n", ("line 4", "'training'")),
        (b"a:\n\tb: 1\n", ("line 2",)),
        (b"a: [1\nb: 2\n", ("line 2",)),
        (b"a: *nowhere\n", ("line 1",)),
        (b"a: !!python/object:os.system {}\n", ("line 1",)),
        (b"\xff\xfea\x00", ("UTF-8",)),
        (b"a: \x00\n", ("not valid YAML",)),
        (b"a: 1\n---\nb: 1\n", ("line 2",)),
    ],
)
def test_text_that_is_no_configuration(content: bytes, says: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    refusal(lambda: ResolvedStudy(read_yaml(path), str(path)), str(path), *says)


def test_no_configuration_at_all(tmp_path: Path) -> None:
    refusal(lambda: read_yaml(tmp_path / "config.yaml"), "missing here")
    refusal(lambda: read_yaml(tmp_path), "cannot be read")


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


def test_the_marks_of_a_study_are_those_of_its_runs() -> None:
    study = ResolvedStudy(small())
    found = study.experiments.marks("smoke", "strategies")
    config = study.run_config("smoke", "random", 0)
    pairs = [(s, RunConfig.model_validate(config.model_dump() | {"seed": s}).fingerprint()) for s in (1, 0)]
    assert found["random"] == mark(pairs) and set(found) == {"none", "random", "adversarial"}


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
