"""Where a result comes from: commit, packages, machine, job. Everything here may differ between equal
results."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "scipy", "pandas", "snakemake", "ired")


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Commit, whether tracked files differ from it, and a digest of how; all None outside a checkout."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, timeout=30, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit, changes = ask("rev-parse", "HEAD"), ask("diff", "HEAD")
    digest = hashlib.sha256(changes.encode()).hexdigest()[:16] if changes else None
    return {"commit": commit, "dirty": None if changes is None else bool(changes), "diff": digest}


def packages() -> dict[str, str]:
    """Installed versions of what the numbers depend on."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def environment_digest() -> str:
    """A digest of every installed distribution and its version: equal environments have equal digests."""
    # Folders are named after name and version; reading each one's metadata would take a tenth of a second of every job.
    entries = (entry.name for path in sys.path if os.path.isdir(path) for entry in os.scandir(path))
    found = {name.lower() for name in entries if name.endswith((".dist-info", ".egg-info"))}
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]


def hardware(device: str) -> dict[str, Any]:
    """Processor, threads and accelerator."""
    import torch

    facts: dict[str, Any] = {
        "device": device,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "cpu": cpu_name(),
    }
    if device.startswith("cuda"):
        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["cuda"] = torch.version.cuda
        facts["driver"] = driver()
        facts["peak_gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(device) / 2**20)
    return facts


def driver() -> str | None:
    """The accelerator's driver, from the kernel: nvidia-smi need not be on a node."""
    try:
        first = Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except (OSError, IndexError):
        return None
    return first.removeprefix("NVRM version:").strip()


def cpu_name() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def job() -> dict[str, str]:
    """What the scheduler says of this job."""
    return {
        name: os.environ[name]
        for name in ("SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_RESTART_COUNT")
        if name in os.environ
    }


def snapshot(device: str) -> dict[str, Any]:
    """Everything at once, for provenance.json."""
    return {
        "argv": ["ired", *sys.argv[1:]],  # without the path of this machine
        "git": git_state(),
        "packages": packages(),
        "environment": environment_digest(),
        "hardware": hardware(device),
        "host": socket.gethostname(),
        "job": job(),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
