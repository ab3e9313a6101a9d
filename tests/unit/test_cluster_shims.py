"""The scheduler's commands as the executor calls them: a patient sbatch and scancel, states from squeue and from
accounting."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm

REFUSED = """echo call >> "$0.calls"
[ $(wc -l < "$0.calls") -gt {times} ] && {{ echo 77; exit 0; }}
echo "sbatch: error: {text}" >&2; exit 1"""


@pytest.mark.parametrize(
    ("text", "times", "calls", "code"),
    [
        ("QOSMaxSubmitJobPerUserLimit", 2, 3, 0),
        ("Batch job submission failed: Socket timed out on send/recv operation", 1, 2, 0),
        ("Batch job submission failed: Zero Bytes were transmitted or received", 1, 2, 0),
        ("Batch job submission failed: Slurm backup controller in standby mode", 1, 2, 0),
        ("slurm_persist_conn_open_without_init: failed to open: Connection refused", 1, 2, 0),
        ("Batch job submission failed: Protocol authentication error", 1, 2, 0),
        ("Batch job submission failed: Communication connection failure", 1, 2, 0),
        ("invalid partition specified: x", 9, 1, 1),
        ("Batch job submission failed: Invalid account", 9, 1, 1),
        ("AssocMaxSubmitJobLimit", 99, 4, 1),
    ],
)
def test_the_patient_sbatch(
    repository: Path, tmp_path: Path, slurm: FakeSlurm, text: str, times: int, calls: int, code: int
) -> None:
    slurm.says("sbatch", REFUSED.format(text=text, times=times))
    shutil.copytree(repository / "profiles/slurm/bin", tmp_path / "patient")
    path = f"{tmp_path / 'patient'}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "IRED_SBATCH_PAUSE": "1", "IRED_SBATCH_PATIENCE": "6"}
    done = subprocess.run(
        ["sbatch", "--comment", "a b"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code and done.stdout == ("77\n" if code == 0 else "")
    assert text in done.stderr
    assert len((slurm.folder / "sbatch.calls").read_text().splitlines()) == calls


def test_jobs_are_cancelled_once_the_scheduler_is_back(
    repository: Path, tmp_path: Path, slurm: FakeSlurm
) -> None:
    away = '[ ! -e "$0.away" ] || { echo "error: Unable to contact slurm controller"; exit 1; }'
    away = f'echo "$*" >> "$0.calls"; {away}'
    slurm.says("scancel", away)
    shutil.copytree(repository / "profiles/slurm/bin", tmp_path / "patient")
    environment = os.environ | {
        "PATH": f"{tmp_path / 'patient'}:{os.environ['PATH']}",
        "IRED_SCANCEL_PAUSE": "0.1",
    }

    def cancel() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["scancel", "7", "8"], env=environment, capture_output=True, text=True, check=False
        )

    assert cancel().returncode == 0
    calls, flag = slurm.folder / "scancel.calls", slurm.folder / "scancel.away"
    flag.touch()
    told = cancel()
    assert (
        told.returncode == 1
        and "cancels the jobs when it does" in told.stderr
        and "scancel 7 8" in told.stderr
    )
    flag.unlink()
    process = int(told.stderr.split("process ")[1].split()[0])
    deadline = time.monotonic() + 20
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(calls.read_text().splitlines()) == {"7 8"} and len(calls.read_text().splitlines()) >= 3
    slurm.says("scancel", "echo 'error: Invalid job id 7' >&2; exit 1")
    assert (cancel().returncode, cancel().stderr) == (1, "error: Invalid job id 7\n"), "refused for good"


def test_states_come_from_squeue_whatever_the_executor_asks(
    repository: Path, tmp_path: Path, slurm: FakeSlurm
) -> None:
    shutil.copytree(repository / "profiles/slurm/bin", tmp_path / "patient")
    environment = os.environ | {"PATH": f"{tmp_path / 'patient'}:{os.environ['PATH']}"}

    def say(*words: str) -> str:
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    slurm.says("squeue", 'printf "7|PREEMPTED\\n8|RUNNING\\n"')
    slurm.says("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    states = "7|CANCELLED\n8|RUNNING\n"
    assert say("squeue", "--format=%i|%T", "--states=all", "--noheader", "--name", "ired_1") == states
    assert say("sacct", "-X", "--name", "ired_1") == states
    assert say("squeue", "--me") == "7|PREEMPTED\n8|RUNNING\n", "status is told the truth"
    slurm.state("down")
    for asked in ("squeue", "sacct"):
        down = subprocess.run([asked, "--name", "x"], env=environment, capture_output=True, text=True)
        assert (down.returncode, down.stdout) == (1, ""), "no answer is not an empty one"

    slurm.says("squeue", 'echo "$*" > "$0.asked"')
    slurm.says("sacct", 'echo "sacct $*"')
    query = ("sacct", "-X", "--parsable2", "--format=JobIdRaw,State", "--endtime", "now", "--name", "ired_1")
    say(*query)
    asked = (slurm.folder / "squeue.asked").read_text()
    assert asked == "--noheader --states=all --format=%i|%T --name ired_1\n"
    assert say("sacct", "-j", "7.0", "--format=Reason") == "sacct -j 7.0 --format=Reason\n"


def test_accounting_adds_what_squeue_has_forgotten(
    repository: Path, tmp_path: Path, slurm: FakeSlurm
) -> None:
    """A job that ended more than MinJobAge ago is not in squeue; what squeue lists is believed before accounting."""
    slurm.says("squeue", 'printf "8|PENDING\\n9|RUNNING\\n"')
    slurm.says(
        "sacct",
        'echo "$*" > "$0.asked"; printf "6|COMPLETED\\n7|CANCELLED by 1000\\n8|PREEMPTED\\n10|PREEMPTED\\n"',
    )
    shutil.copytree(repository / "profiles/slurm/bin", tmp_path / "patient")
    environment = os.environ | {"PATH": f"{tmp_path / 'patient'}:{os.environ['PATH']}"}
    query = ("squeue", "--format=%i|%T", "--states=all", "--noheader", "--name", "ired_1")
    said = subprocess.run(query, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["8|PENDING", "9|RUNNING", "6|COMPLETED", "7|CANCELLED", "10|CANCELLED"]
    asked = (slurm.folder / "sacct.asked").read_text().split()
    assert asked[-2:] == ["--name", "ired_1"] and "--format=JobIdRaw,State" in asked and "-X" in asked
