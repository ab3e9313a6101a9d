"""Bad input: values, names and texts of a configuration. Each is one clear line that names the thing, and ends the
command line with 78."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ired.base.errors import UserError
from ired.base.yaml_file import read_yaml
from ired.job.build import build_engine
from ired.record.whole import mark
from ired.study.memory import refuse_what_cannot_fit
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig
from ired.training.stopping import Interrupted
from live_bytes import LiveBytes

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


def test_the_marks_of_a_study_are_those_of_its_runs() -> None:
    study = ResolvedStudy(small())
    found = study.experiments.marks("smoke", "strategies")
    config = study.run_config("smoke", "random", 0)
    pairs = [(s, RunConfig.model_validate(config.model_dump() | {"seed": s}).fingerprint()) for s in (1, 0)]
    assert found["random"] == mark(pairs) and set(found) == {"none", "random", "adversarial"}
