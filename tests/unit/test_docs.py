"""What the documentation shows is run, and what it names is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from leaves import leaves

from ired.energy.equivariant import EquivariantNetwork
from ired.record.schema import TABLES
from ired.study.run_config import RunConfig
from ired.study.schema import Experiment, Scale, Study
from ired.tasks import TASKS

SCRIPT = """
import json, sys
import torch
from ired.study.run_config import RunConfig
from ired.study.schema import Experiment, Scale, Study
from ired.job.build import build_engine
from ired.base.errors import UserError

from ired.study.plugins import load_plugins

settings = json.loads(sys.argv[1])
load_plugins(sys.argv[2:])
engine = build_engine(RunConfig.from_json(json.dumps(settings)), (0,))
proposals, propose = [], engine.strategy.propose


def watched(energy, batch, streams):
    proposals.append((batch, propose(energy, batch, streams)))
    return proposals[-1][1]


engine.strategy.propose = watched
for _ in range(settings["training"]["steps"]):
    engine.advance()
between = 0
for batch, proposal in proposals:
    pair = (proposal.solution.unflatten(-1, (3, 3)), batch.solution.unflatten(-1, (3, 3)))
    value, truth = map(torch.linalg.eigvalsh, pair)
    between += ((value < truth) & (1 / value - 1 / truth < 0.5 + 1e-3)).all().item()
plain = build_engine(RunConfig.from_json(json.dumps(settings | {"negatives": {"strategy": "random"}})), (0,))
for _ in range(settings["training"]["steps"]):
    plain.advance()
try:
    RunConfig.from_json(json.dumps(settings | {"negatives": {"strategy": "ridge", "lagrest": 1.0}}))
except UserError as error:
    refused = str(error)
print(json.dumps({"proposals": len(proposals), "right": between, "losses": engine.take_losses(),
                  "differs": not torch.equal(engine.flat, plain.flat), "refused": refused}))
"""


TASK_SCRIPT = """
import json, sys
from ired.base.errors import UserError
from ired.job.build import build_engine
from ired.study.run_config import RunConfig
from ired.tasks.held_out import draw_split
from ired.tasks.reference import measure, reference_table

settings = json.loads(sys.argv[1])
config = RunConfig.from_json(json.dumps(settings))
engine = build_engine(config, (0,))
sets = {split: draw_split(f"test_{split}", engine.task, config.held_out) for split in engine.task.splits}
table = reference_table(engine.task, measure(engine.task, sets["id"], sets))


def error():
    return engine.solver.evaluate(engine.weights(engine.average), sets["id"]).mse().item()


before = error()
for _ in range(settings["training"]["steps"]):
    engine.advance()
exact = engine.task.residual(sets["ood"].condition, sets["ood"].solution).max().item()
refused = []
for other in ({"problem": settings["problem"] | {"scale_odd": 1}}, {"network": {"kind": "equivariant"}}):
    try:
        RunConfig.from_json(json.dumps(settings | other))
    except UserError as error_:
        refused.append(str(error_))
print(json.dumps({"before": before, "after": error(), "exact": exact, "refused": refused,
                  "line": table.set_index("split")["mse"].to_dict(), "named": table["line"].all().item()}))
"""


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_example_strategy_is_one_file_and_touches_none(repository: Path, tmp_path: Path) -> None:
    """Put beside the configuration as the page says, it trains, its negatives are used, and they are what
    it says: eigenvalues 1 / (lambda + r) with 0 < r < 0.5."""
    page = repository / "docs/adding_a_strategy.md"
    (file,) = blocks(page, "python")
    listed, variants = (yaml.safe_load(text) for text in blocks(page, "yaml"))
    (variant,) = variants.values()
    assert listed == {"plugins": ["my_study.negatives"]}
    (tmp_path / "my_study").mkdir()
    (tmp_path / "my_study/negatives.py").write_text(file)
    settings = {
        "protocol": 1,
        "seed": 0,
        "problem": {"task": "inversion", "n": 3},
        "network": {"kind": "mlp", "hidden": 8, "time_features": 8},
        "training": {"steps": 5, "batch_size": 16},
        **variant,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(settings), *listed["plugins"]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["proposals"] == result["right"] == 5 and result["differs"]
    assert all(value > 0 for loss in result["losses"] for value in loss)
    assert "unknown key 'negatives.lagrest'" in result["refused"] and "'largest'" in result["refused"]


def test_the_example_task_is_one_file_and_one_registry_line(repository: Path, tmp_path: Path) -> None:
    """Added to a copy of the package as the page says, it is drawn, trained with mining, answered and measured. An
    entry of A A is a sum of n products of variance scale^4 / n^2; one on the diagonal has a square in it, whose mean
    square is 3 times that."""
    page = repository / "docs/adding_a_task.md"
    file, import_line, registry_line = blocks(page, "python")
    run = yaml.safe_load(blocks(page, "yaml")[0])["run"]
    package = tmp_path / "ired"
    shutil.copytree(repository / "src/ired", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "tasks/squaring.py").write_text(file)
    registry = package / "tasks/__init__.py"
    text, before = registry.read_text(), "from ired.tasks.inversion import"
    opening = "TASKS: dict[str, type[Task]] = {\n"
    assert text.count(before) == text.count(opening) == 1
    registry.write_text(text.replace(before, import_line + before).replace(opening, opening + registry_line))
    settings = {
        "protocol": 1, "seed": 0, **run,
        "held_out": {"test_matrices": 4000},
        "optimiser": {"learning_rate": 1e-2, "ema": None, "decay": "cosine"},
        "training": {"steps": 400, "batch_size": 64},
        "negatives": {"strategy": "adversarial"}, "contrast": {},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", TASK_SCRIPT, json.dumps(settings)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["named"] and result["exact"] < 1e-5
    expected = (6 * 3 + 3 * (3 + 2)) / 9**2  # six off the diagonal with three products each; three on it
    for split, scale in (("id", 1.0), ("ood", 2.0)):
        assert abs(result["line"][split] / scale**4 / expected - 1) < 0.1, (split, result["line"])
    assert result["after"] < 0.8 * min(result["before"], result["line"]["id"]), result
    assert "'problem.scale_odd'" in result["refused"][0] and "'scale_ood'" in result["refused"][0]
    assert "`equivariant` is for inversion alone, and the task is squaring" in result["refused"][1]


def every_key() -> set[str]:
    """The keys of a run, and those of config.yaml around it."""
    keys = {re.sub(r"\[\w+\]|\.\d+$", "", leaf) for leaf in leaves(RunConfig)} | set(leaves(Study))
    keys |= {f"scales.*.{leaf}" for leaf in leaves(Scale)}
    keys |= {f"experiments.*.{leaf}" for leaf in leaves(Experiment)}
    # A part of a mixture is a strategy with its own keys; a run's seed comes from around it.
    return {key for key in keys if not re.match(r"negatives\.(first|second)\.|seed$", key)}


def test_every_key_is_explained_and_every_explained_key_exists(repository: Path) -> None:
    """And every name of the record's list has a row."""
    page = (repository / "docs/parameters.md").read_text()
    valid = every_key() | {"optimiser.ema"}
    sections = {
        "scales",
        "experiments",
        "contrast",
        "contrast.regulariser",
        "early_stopping",
    }
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", page, re.MULTILINE)
    assert len(rows) == 22
    second = page[page.index("## What the record did not have") :]
    named = [
        key
        for cell in re.findall(r"^\| (`.*?`) \|", second, re.MULTILINE)
        for key in re.findall(r"`([\w.*]+)`", cell)
    ]
    named += [key for _, key in rows]
    assert set(named) | sections == valid | sections


def test_defaults_in_the_table_of_parameters_are_the_defaults(repository: Path) -> None:
    from ired.negatives import STRATEGIES
    from ired.negatives.replay import Replay
    from ired.training.objective import Contrast

    page = (repository / "docs/parameters.md").read_text()
    cells = re.findall(r"^\| `\w+` \| `([\w.]+)` \| ([^|]+?) \|", page, re.MULTILINE)
    for key, shown in cells:
        section, name = key.rpartition(".")[::2]
        if section == "negatives" and name not in ("strategy", "replay"):
            classes = [s.Settings for s in STRATEGIES.values() if name in s.Settings.model_fields]
        else:
            classes = {"negatives.replay": [Replay], "contrast": [Contrast]}.get(section, [])
        defaults = dict.fromkeys(str(c.model_fields[name].default) for c in classes)
        assert not classes or ", ".join(defaults).replace("None", "null") == shown, key


def test_defaults_of_the_other_keys_are_the_defaults(repository: Path) -> None:
    page = (repository / "docs/parameters.md").read_text()
    section = page.split("## The other keys of a run")[1].split("\n## ")[0]
    least = {
        "protocol": 1,
        "seed": 0,
        "problem": {"task": "inversion", "n": 3},
        "network": {"kind": "mlp"},
        "early_stopping": {},
    }
    least |= {"negatives": {"strategy": "none"}, "training": {"steps": 1, "batch_size": 1}}
    defaults = RunConfig.model_validate(least).model_dump(mode="json")
    for task in TASKS.values():
        defaults["problem"] |= task.Settings(n=3).model_dump(exclude={"task", "n"})
    defaults["network"] |= EquivariantNetwork().model_dump(exclude={"kind"})
    rows = re.findall(r"^\| (`.*?`) \| ([^|]+?) \|", section, re.MULTILINE)
    checked = 0
    for names, shown in rows:
        keys = re.findall(r"`([\w.]+)`", names)
        values = [shown] if shown.startswith("[") else shown.split(", ")
        for key, text in zip(keys, values, strict=True):
            found = defaults
            for part in key.split("."):
                found = found[part]
            if text not in ("constant", "float32", "on"):
                text = json.loads(text) if text != "2/3" else 2 / 3
            assert found == text or (text == "on" and found is not None), key
            checked += 1
    assert checked == 39


def test_every_row_of_the_ledger_names_a_test_that_exists(repository: Path) -> None:
    page = (repository / "docs/ledger.md").read_text()
    written = "".join(path.read_text() for path in sorted((repository / "tests").rglob("test_*.py")))
    defined = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named <= defined, named - defined
    ledger = "".join(path.read_text() for path in sorted((repository / "tests/ledger").glob("*.py")))
    for row in (
        "issue_12",
        *(f"cd_{k:03}" for k in range(1, 11)),
        "lit_1",
        "lit_2",
        *(f"u{k}" for k in range(1, 7)),
    ):
        proofs = [t for t in re.findall(r"^def (test_\w+)", ledger, re.MULTILINE) if f"{row}_" in t]
        assert proofs and any(t in named for t in proofs), row


def test_false_negatives_without_the_doubled_step_are_as_the_ledger_says(repository: Path) -> None:
    text = " ".join((repository / "docs/ledger.md").read_text().split())
    rates = {}
    for scale in ("laptop_mlp", "laptop"):
        folder = repository / f"results/shipped/{scale}/tables/strategies"
        table = TABLES["energy_profile"].read(folder / "energy_profile.csv").query("variant == 'adversarial'")
        last = table[table["phase"] == table["phase"].max()]
        rates[scale] = last.groupby("t")["false_negative_rate"].mean()
    mlp, inverts = rates["laptop_mlp"], rates["laptop"]
    assert (
        f"{mlp[7]:.0%} of the mined".replace("%", " %") in text
        and f"{mlp[8]:.0%} at level 8".replace("%", " %") in text
    )
    assert f"{mlp.mean():.0%} over all levels".replace("%", " %") in text
    assert inverts.loc[1:8].max() == 0 and f"and {inverts.mean():.0%} over all".replace("%", " %") in text
