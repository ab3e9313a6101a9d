"""Who may write a run: locks, and when one is taken over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm, held

from ired.job import lock
from ired.job.attempt import Job
from ired.job.lock import RunLock, process_start, read_lock, why_alive
from ired.training.stopping import Interrupted, Stopper


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "COMPLETING", "SUSPENDED"])
def test_a_live_job_keeps_its_lock(slurm: FakeSlurm, tmp_path: Path, state: str) -> None:
    slurm.state(state)
    held(tmp_path / "run", heartbeat=0)
    with pytest.raises(Interrupted, match=f"trained by job 41 on node7: SLURM says {state}"):
        RunLock(tmp_path / "run").acquire()


@pytest.mark.parametrize("state", ["NODE_FAIL", "CANCELLED", "COMPLETED", "unknown"])
def test_an_ended_job_loses_its_lock_at_once(slurm: FakeSlurm, tmp_path: Path, state: str) -> None:
    slurm.state(state)
    held(tmp_path / "run")
    mine = RunLock(tmp_path / "run")
    mine.acquire()
    assert mine.taken_from is not None and mine.taken_from["job"] == "41" and mine.ours()
    mine.release()
    assert [p.name for p in (tmp_path / "run").iterdir()] == [".lock.guard"], "the guard stays, the lock goes"


def test_without_an_answer_the_heartbeat_decides(slurm: FakeSlurm, tmp_path: Path) -> None:
    slurm.state("down")
    held(tmp_path / "run", heartbeat=time.time() - 100)
    with pytest.raises(Interrupted, match="heartbeat 100 s ago"):
        RunLock(tmp_path / "run").acquire()
    held(tmp_path / "run", heartbeat=time.time() - 601)
    RunLock(tmp_path / "run").acquire()


def test_a_requeued_job_takes_over_from_its_former_self(
    slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.state("RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    held(tmp_path / "run")
    RunLock(tmp_path / "run").acquire()


def test_a_local_process_that_died_loses_its_lock(slurm: FakeSlurm, tmp_path: Path) -> None:
    here = os.uname().nodename
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    held(tmp_path / "run", job=None, host=here, pid=os.getpid())
    with pytest.raises(Interrupted, match="its process exists"):
        RunLock(tmp_path / "run").acquire()
    held(tmp_path / "run", job=None, host=here, pid=dead.pid)
    RunLock(tmp_path / "run").acquire()


def test_a_number_that_another_process_was_given_keeps_no_lock(slurm: FakeSlurm, tmp_path: Path) -> None:
    """After a reboot process 1 exists, and is not the one that trained."""
    here, me = os.uname().nodename, os.getpid()
    held(tmp_path / "run", job=None, host=here, pid=me, process=process_start(me))
    with pytest.raises(Interrupted, match="its process exists"):
        RunLock(tmp_path / "run").acquire()
    held(tmp_path / "run", job=None, host=here, pid=1, process=process_start(me))
    mine = RunLock(tmp_path / "run")
    mine.acquire()
    assert why_alive(read_lock(tmp_path / "run" / "lock.json") or {}) == "its process exists"


def test_of_two_trainings_in_one_allocation_the_first_keeps_its_lock(
    slurm: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.state("RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    RunLock(tmp_path / "run").acquire()
    with pytest.raises(Interrupted, match="its process exists"):
        RunLock(tmp_path / "run").acquire()


def test_a_nameless_lock_has_a_minute(slurm: FakeSlurm, tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.touch()
    with pytest.raises(Interrupted):
        RunLock(tmp_path).acquire()
    os.utime(path, (time.time() - 61, time.time() - 61))
    RunLock(tmp_path).acquire()


def test_of_many_at_once_one_takes_a_stale_lock(slurm: FakeSlurm, tmp_path: Path) -> None:
    slurm.state("NODE_FAIL")
    for _ in range(5):
        held(tmp_path)
        won: list[RunLock] = []

        def take(won: list[RunLock] = won) -> None:
            mine = RunLock(tmp_path)
            try:
                mine.acquire()
                won.append(mine)
            except Interrupted:
                pass

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([mine for mine in won if mine.ours()]) == 1 and len(won) == 1
        won[0].release()


def test_a_heartbeat_renews_and_notices_a_loss(slurm: FakeSlurm, tmp_path: Path) -> None:
    mine = RunLock(tmp_path)
    mine.acquire()
    assert mine.beat(17)
    found = read_lock(tmp_path / "lock.json")
    assert found is not None and found["step"] == 17 and time.time() - found["heartbeat"] < 5
    held(tmp_path)
    assert not mine.beat(18) and read_lock(tmp_path / "lock.json")["token"] == "other"  # type: ignore[index]
    mine.release()
    assert (tmp_path / "lock.json").exists(), "another's lock is not ours to remove"


def test_all_locks_of_a_pack_are_given_back_where_one_is_held(slurm: FakeSlurm, tmp_path: Path) -> None:
    held(tmp_path / "b", job=None, host=os.uname().nodename, pid=os.getpid())
    job = Job([tmp_path / "a", tmp_path / "b"], Stopper())
    with pytest.raises(Interrupted), job.holding():
        pass
    assert not (tmp_path / "a" / "lock.json").exists()
    assert lock.STALE_SECONDS == 600
