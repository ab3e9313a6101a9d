"""How torch is set up for a process: threads, memory, small numbers, the device."""

from __future__ import annotations

import contextlib
import ctypes

import torch

from ired.base.errors import PassingError, UserError


def use_threads(threads: int | None) -> None:
    """Set the number of CPU threads, on which numbers depend in their last digits, before any is started.

    Keeps freed memory, and takes numbers below 1e-38 as zero: a trained network saturates, its activations
    fall that low, and a processor computes with such numbers in a slow way of its own, which can nearly
    double a step.
    """
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc's allocator keep what tensors free, where there is a glibc.

    By default it hands blocks of 128 KiB and more back to the system at once, and every step's tensors are
    then paged in anew: a quarter of a small network's step.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)


def pick_device(name: str) -> str:
    """`auto` is an accelerator where torch sees one. What torch sees decides, not the scheduler's variables.

    Raises:
        UserError: torch knows no such device.
        PassingError: cuda is asked for and torch sees none.
    """
    try:
        kind = "" if name == "auto" else torch.device(name).type
    except RuntimeError:
        kind = name
    if kind not in ("", "cpu", "cuda"):
        raise UserError(f"unknown device {name!r}; valid: auto, cpu, cuda, or one of several as cuda:1")
    available = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if name.startswith("cuda") and not available:
        raise PassingError(
            f"device {name} was asked for, but torch sees none; check driver and torch build, or ask for cpu"
        )
    return name
