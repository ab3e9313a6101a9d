"""The tutorial does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_from_a_trained_energy_to_a_figure(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.png"
    done = subprocess.run(
        [sys.executable, "docs/tutorial/own_strategy.py", str(out)],
        cwd=repository,
        env=os.environ
        | {"PYTHONPATH": str(repository / "src"), "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.split(":")[0] for line in told] == ["solved (20, 20)", "none", "random", "mirrored"]
    assert out.read_bytes().startswith(b"\x89PNG") and out.stat().st_size > 5000
