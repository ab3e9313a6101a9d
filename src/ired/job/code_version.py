"""Whether the checkout is still what it was when the jobs were planned.

A job reads the code when it starts, which may be hours after it was submitted. Snakemake's controller puts
what it saw into the environment, which SLURM carries to the job; the job refuses to run anything else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from typing import Any

from ired.base.errors import UserError
from ired.job.slurm import ask, job_id

# Files whose change may change a result or a job; a commit to the documentation stops nobody.
CODE = ("src", "workflow", "Snakefile")
EXPECT_SHA, EXPECT_CONFIG, RUN_ID = "IRED_EXPECT_SHA", "IRED_EXPECT_CONFIG", "IRED_RUN_ID"


def code_identity(base: str = "HEAD") -> str | None:
    """`commit`, or `commit+digest` where the code on disk differs from it; None outside a checkout."""
    commit = ask("git", "rev-parse", base)
    if not commit.ok:
        return None
    changes = ask("git", "diff", commit.out, "--", *CODE)
    digest = hashlib.sha256(changes.out.encode()).hexdigest()[:8]
    return f"{commit.out}+{digest}" if changes.out else commit.out


def plan(config: dict[str, Any]) -> None:
    """Called where the workflow is read: note what is planned, or in a job compare the configuration.

    Raises:
        UserError: this is a job, and its configuration is no longer the one it was submitted with.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:16]
    if os.environ.setdefault(EXPECT_CONFIG, digest) != digest:
        raise UserError(
            "config.yaml changed after this job was submitted; cancel what is queued and call Snakemake again"
        )
    os.environ.setdefault(RUN_ID, uuid.uuid4().hex)
    identity = code_identity() if EXPECT_SHA not in os.environ else None
    if identity:
        os.environ[EXPECT_SHA] = identity


def refuse_drift() -> None:
    """In a scheduler's job, compare the code on disk with what was planned.

    Raises:
        UserError: they differ; both commits are named.
    """
    expected = os.environ.get(EXPECT_SHA)
    if expected is None or job_id() is None:
        return
    if ask("git", "--version").code is None:
        print("this node has no git: whether the checkout has changed is not checked", file=sys.stderr)
        return
    found = code_identity(expected.partition("+")[0])
    if found == expected:
        return
    current = code_identity() or "no git checkout"
    raise UserError(
        f"this job was submitted from {expected} but finds {current};"
        " check that commit out again, or cancel what is queued and call Snakemake again"
    )
