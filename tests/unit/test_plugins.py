"""Parts from a user's own modules: found, checked, part of a run's identity, and used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from factories import tiny_settings
from ired.base.errors import UserError
from ired.base.hashing import fingerprint
from ired.job.build import build_engine
from ired.study import plugins
from ired.study.plugins import load_plugins, plugged_parts
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig

EXAMPLE = Path(__file__).parents[1] / "plugins"


def forget() -> None:
    """What a new process would know of plugins: nothing."""
    for (key, name), _ in list(plugins.PROVIDERS.items()):
        registry = next(known for tag, _, known in plugins.KINDS if tag == key)
        registry.pop(name, None)
    plugins.PROVIDERS.clear()
    plugins._hashes.clear()
    for name in [m for m in sys.modules if m.split(".")[0] == "my_study"]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    forget()


def study(repository: Path, listed: list[str], **variants: Any) -> ResolvedStudy:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    values["variants"] |= variants
    return ResolvedStudy(values | {"plugins": listed})


MIRROR = {"negatives": {"strategy": "mirror", "scale": 0.5}, "contrast": {"loss": "nce", "weight": 0.5}}
MIXED = {"strategy": "mixed", "first": MIRROR["negatives"], "second": {"strategy": "random"}}


def test_a_strategy_from_a_module_trains_and_is_part_of_the_runs_identity(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my_study").symlink_to(EXAMPLE / "my_study")
    monkeypatch.chdir(tmp_path)  # found beside config.yaml, as `snakemake` looks for it
    before = study(repository, []).run_config("smoke", "adversarial", 0).fingerprint()
    mixed = MIRROR | {"negatives": MIXED}
    resolved = study(repository, ["my_study.negatives"], mirror=MIRROR, mixed_mirror=mixed)
    config = resolved.run_config("smoke", "mirror", 1)
    assert (
        set(config.plugins)
        == set(resolved.run_config("smoke", "mixed_mirror", 0).plugins)
        == {"my_study.negatives"}
    )
    assert resolved.run_config("smoke", "adversarial", 0).fingerprint() == before, (
        "others keep their identity"
    )

    text, mark = config.to_json(), config.fingerprint()
    forget()  # the job is another process
    read = RunConfig.from_json(text)
    assert read.to_json() == text and read.fingerprint() == mark == fingerprint(yaml.safe_load(text))
    engine = build_engine(read, (0, 1))
    seen = []
    propose = engine.strategy.propose
    engine.strategy.propose = lambda *a: seen.append((a[1], propose(*a))) or seen[-1][1]  # type: ignore[method-assign, func-returns-value]
    engine.advance()
    batch, proposal = seen[0]
    assert torch.allclose(proposal.solution, (-0.5 * batch.solution).clamp(-2, 2))


def test_a_changed_source_is_another_run_and_stops_a_job_planned_before(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "my_study/negatives.py"
    source.parent.mkdir()
    source.write_text((EXAMPLE / "my_study/negatives.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    first = study(repository, ["my_study.negatives"], mirror=MIRROR).run_config("smoke", "mirror", 0)
    forget()
    source.write_text(source.read_text() + "# a word more\n")
    with pytest.raises(UserError, match=r"plugin my_study\.negatives has changed since this run was planned"):
        RunConfig.from_json(first.to_json())
    forget()
    second = study(repository, ["my_study.negatives"], mirror=MIRROR).run_config("smoke", "mirror", 0)
    assert first.fingerprint() != second.fingerprint()


def test_a_task_and_a_network_of_ones_own_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    load_plugins(["my_study.parts"])
    settings = tiny_settings() | {
        "problem": {"task": "doubling", "n": 3},
        "network": {"kind": "narrow"},
        "negatives": {"strategy": "none"},
        "contrast": None,
    }
    engine = build_engine(RunConfig.model_validate(settings | {"plugins": plugged_parts(settings)}), (0,))
    for _ in range(3):
        engine.advance()
    assert type(engine.task).__name__ == "Doubling" and torch.isfinite(engine.flat).all()


@pytest.mark.parametrize(
    "source, said",
    [
        ("import nowhere_at_all", "cannot be imported: ModuleNotFoundError"),
        ("x = 1", "has no strategy, network or task"),
        ("TAKEN", "is called 'random', and so is another"),
        ("ABSTRACT", "does not define propose"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (EXAMPLE / "my_study/negatives.py").read_text()
    (tmp_path / "my_study").mkdir()
    texts = {
        "TAKEN": example.replace('"mirror"', '"random"'),
        "ABSTRACT": example.replace("def propose", "def suggest"),
    }
    (tmp_path / "my_study/negatives.py").write_text(texts.get(source, source))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=said) as refused:
        load_plugins(["my_study.negatives"])
    assert "\n" not in str(refused.value)


def test_a_misspelt_key_of_a_plugin_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    wrong = MIRROR | {"negatives": {"strategy": "mirror", "scael": 0.5}}
    with pytest.raises(UserError, match=r"unknown key 'negatives\.scael'.*Did you mean 'scale'"):
        study(repository, ["my_study.negatives"], mirror=wrong)


def test_one_value_is_overridden_everywhere_or_refused(repository: Path) -> None:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    # As Snakemake hands it over: numbers are words.
    resolved = ResolvedStudy(values | {"override": {"training.steps": "7", "optimiser.learning_rate": "0.5"}})
    for scale, variant in (("smoke", "none"), ("laptop", "none_equal_compute")):
        config = resolved.run_config(scale, variant, 0)
        assert (config.training.steps, config.optimiser.learning_rate) == (7, 0.5)
    with pytest.raises(UserError, match=r"unknown key 'training\.stps'.*Did you mean 'steps'"):
        ResolvedStudy(values | {"override": {"training.stps": "7"}})
