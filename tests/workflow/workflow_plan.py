"""Reading a dry run."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable

Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def planned(done: subprocess.CompletedProcess[str]) -> Counter[str]:
    """Rule -> jobs, from a dry run."""
    assert done.returncode == 0, done.stdout
    table = done.stdout.split("Job stats:")
    if len(table) == 1:
        assert "Nothing to be done" in done.stdout
        return Counter()
    rows = re.findall(r"^(\w+) +(\d+)$", table[1].split("total")[0], re.MULTILINE)
    return Counter({rule: int(count) for rule, count in rows})
