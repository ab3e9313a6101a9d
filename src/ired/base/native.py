"""C files of this package, compiled on the user's machine when first asked for.

A library is kept in a folder and found again by what it was made of: sources, compiler, flags and processor, since a
cluster has unlike nodes and one home. Its name ends with a digest of its own bytes, and a file that does not match is
passed over and made anew: nothing torn or altered is loaded. Whoever cannot compile gets None, and does without.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = "IRED_KERNEL_FOLDER"  # environment variable: where compiled libraries are kept
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = (
    *("-O3", "-std=gnu11", "-fPIC", "-shared", "-pthread", "-ffp-contract=fast"),
    *("-fno-math-errno", "-fno-trapping-math"),  # NaN and inf stay what they are
)
_NATIVE = ("-march=native", "-mcpu=native")  # the first that the compiler takes
_PATIENCE = 120  # seconds for one compilation, on a machine that has much else to do


def load(sources: Path, *defines: str) -> ctypes.CDLL | None:
    """The library of a folder's C files, compiled if need be; None where there is no compiler or it fails."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        return None
    flags = (*_FLAGS, *(f"-D{name}" for name in defines))
    try:
        key = _key(sources, compiler, flags)
        for folder in _folders():
            with contextlib.suppress(OSError):  # not writable, full, or mounted so that nothing in it may run
                return ctypes.CDLL(
                    str(_find(folder, key) or _compiled(sources, compiler, flags, folder, key))
                )
    except (OSError, subprocess.SubprocessError):
        pass
    return None


def _key(sources: Path, compiler: str, flags: tuple[str, ...]) -> str:
    asked = subprocess.run([compiler, "--version"], capture_output=True, timeout=_PATIENCE, check=True)
    texts = [path.read_bytes() for path in sorted(sources.glob("*.[ch]"))]
    parts = [*texts, asked.stdout, " ".join((*flags, *_NATIVE)).encode(), _processor().encode()]
    made_of = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts))
    return f"{sources.name}-{made_of.hexdigest()[:16]}"


def _processor() -> str:
    """What `-march=native` depends on: the processor's model and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    telling = ("vendor_id", "model", "flags", "Features", "CPU implementer", "CPU part", "stepping")
    return platform.machine() + "".join(line for line in lines if line.startswith(telling))


def _folders() -> Iterator[Path]:
    """Where libraries may be kept, the best place first: folders of this user that no one else can write to."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    usual = os.environ.get(FOLDER) or f"{cache}/ired"
    for folder in (Path(usual), Path(tempfile.gettempdir(), f"ired-{os.getuid()}")):
        with contextlib.suppress(OSError, RuntimeError):  # who has no home has no ~
            folder = folder.expanduser()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                yield folder


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _find(folder: Path, key: str) -> Path | None:
    """A library that is there and whole."""
    found = sorted(folder.glob(f"{key}-*.so"))
    return next((path for path in found if path.stem == f"{key}-{_digest(path)}"), None)


def _compiled(sources: Path, compiler: str, flags: tuple[str, ...], folder: Path, key: str) -> Path:
    """Compile under a temporary name, and rename when the file is whole.

    Raises:
        SubprocessError: the compiler fails.
        OSError: the folder cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as workplace:
        made = Path(workplace, "library.so")
        for number, native in enumerate(_NATIVE, 1):
            texts = [str(path.resolve()) for path in sorted(sources.glob("*.c"))]
            words = [compiler, *flags, native, *texts, "-o", str(made)]
            done = subprocess.run(words, capture_output=True, timeout=_PATIENCE, cwd=workplace)
            if done.returncode == 0:
                break
            if number == len(_NATIVE):
                done.check_returncode()
        target = folder / f"{key}-{_digest(made)}.so"
        with made.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(made, target)
    return target
