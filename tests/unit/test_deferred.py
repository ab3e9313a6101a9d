"""A plan of the workflow reads settings, and loads torch no more than it has to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def python(program: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_study_is_read_without_torch_which_still_works_when_used(repository: Path) -> None:
    printed = python(
        "import sys, yaml\n"
        "from ired.base.lazy import defer\n"
        "defer('torch')\n"
        "from ired.study.resolve import ResolvedStudy\n"
        "study = ResolvedStudy(yaml.safe_load(open('config.yaml')))\n"
        "study.run_config('laptop', 'adversarial', 0).to_json(), study.experiments.figures('strategies')\n"
        "print('torch._C' in sys.modules)\n"
        "import torch\n"
        "print(torch.ones(2).sum().item(), 'torch._C' in sys.modules)\n",
        repository,
    )
    assert printed.split() == ["False", "2.0", "True"]


def test_what_is_loaded_or_missing_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("print('run')\nvalue = 1\n")
    program = (
        "import sys; from ired.base.lazy import defer\n"
        "defer('no_such_package'); assert 'no_such_package' not in sys.modules\n"
        "defer('package'); import package; import package as again; print('imported')\n"
        "assert again.value == 1 and package.value == 1\n"
        "defer('package'); assert sys.modules['package'] is package\n"
    )
    assert python(program, tmp_path).split() == ["imported", "run"]
