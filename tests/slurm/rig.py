"""A SLURM cluster of two pretended nodes on this machine, for as long as the tests last.

munged, slurmctld and two slurmd run in the foreground as children of the test, so that each is stopped by its
own process id. The configuration has to lie in /etc/slurm: the job step inside a job is started without
SLURM_CONF.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ETC = Path("/etc/slurm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
MARK = "# written by this project's tests"
PORT = 16817
CONF = """{mark}
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
ReturnToService=1
KillWait=5
SlurmdTimeout=20
MinJobAge=600
SchedulerParameters=batch_sched_delay=0,sched_interval=2,defer
EnforcePartLimits=ALL
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
# Nodes may say they have more than the machine under them.
SlurmdParameters=config_overrides
GresTypes=gpu
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
NodeName=n1 NodeHostname=localhost Port=17001 CPUs=8 RealMemory=64000 Gres=gpu:1 State=UNKNOWN
NodeName=n2 NodeHostname=localhost Port=17002 CPUs=8 RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=gpu Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=short Nodes=n1,n2 MaxTime=1 State=UP PriorityTier=1
PartitionName=urgent Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=10
"""
# Any device file stands in for an accelerator; no test opens it.
GRES = "NodeName=n1 Name=gpu File=/dev/tty0\nNodeName=n2 Name=gpu File=/dev/tty1\n"


def why_not() -> str | None:
    """Why the cluster cannot be had on this machine, or None."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"{', '.join(missing)} not found (apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "needs root to pretend to be a cluster"
    conf = ETC / "slurm.conf"
    if conf.exists() and MARK not in conf.read_text():
        return f"{conf} is of a real cluster"
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            return f"port {PORT} is taken: are these tests running twice?"
    return None


def search_path() -> str:
    """PATH with the folders of daemons."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Poll until the condition holds.

    Raises:
        TimeoutError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.25)


class NoCluster(Exception):
    """Everything is installed, and yet it does not start here."""


class Rig:
    """The running cluster."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-rig-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Write the configuration and start everything."""
        (self.folder / "state").mkdir()
        ETC.mkdir(exist_ok=True)
        (ETC / "slurm.conf").write_text(CONF.format(mark=MARK, port=PORT, folder=self.folder))
        (ETC / "gres.conf").write_text(GRES)
        self._start_munge()
        self.launch("slurmctld", "slurmctld", "-D", "-c")
        for node in ("n1", "n2"):
            self.start_node(node)
        self._wait_up(lambda: self.nodes() == {"n1": "idle", "n2": "idle"}, 120, "two idle nodes")

    def _wait_up(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait while every daemon lives.

        Raises:
            NoCluster: one has ended, or it takes too long; its own last words.
        """

        def up() -> bool:
            for name, daemon in self.daemons.items():
                if daemon.poll() is not None:
                    raise NoCluster(
                        f"{name} ended with exit code {daemon.returncode}: {self._last_words(name)}"
                    )
            return bool(condition())

        try:
            wait_for(up, seconds, what)
        except TimeoutError as error:
            raise NoCluster(f"{error}: {self._last_words('slurmctld')}") from error

    def _last_words(self, name: str) -> str:
        out = self.folder / f"{name.replace(' ', '-')}.out"
        lines = out.read_text(errors="replace").splitlines() if out.exists() else []
        return " ".join(lines[-2:]) or "it said nothing"

    def _start_munge(self) -> None:
        key, private = self.folder / "munge.key", self.folder / "munge"
        private.mkdir(mode=0o755)
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        options = {
            "key-file": key,
            "socket": self.folder / "munge.socket",
            "pid-file": private / "munged.pid",
            "seed-file": private / "munged.seed",
            "log-file": private / "munged.log",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        self.launch("munged", "munged", "--foreground", "--force", *words)
        self._wait_up((self.folder / "munge.socket").exists, 30, "munged")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self.launch(f"slurmd {node}", "slurmd", "-D", "-N", node)

    def launch(self, name: str, *words: str) -> None:
        """Start a daemon in the foreground, its output beside its state."""
        with (self.folder / f"{name.replace(' ', '-')}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                words,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PATH": search_path()},
                start_new_session=True,
            )

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one daemon, by its process id."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        try:
            daemon.wait(15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def stop(self) -> None:
        """Cancel what runs, end the daemons, and remove the configuration."""
        try:
            if all(daemon.poll() is None for daemon in self.daemons.values()):
                self.clear()
        finally:
            for name in reversed(list(self.daemons)):
                self.end(name)
            for name in ("slurm.conf", "gres.conf"):
                (ETC / name).unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """No job is left, and both nodes are idle."""
        if not self.jobs():
            return
        self.ask("scancel", "--user=root")
        try:
            wait_for(lambda: not self.jobs(), 20, "jobs to end")
        except TimeoutError:
            self.ask("scancel", "--signal=KILL", "--full", "--user=root")
            wait_for(lambda: not self.jobs(), 30, "killed jobs to end")

    def ask(self, *words: str) -> str:
        """A command's standard output."""
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout.strip()

    def nodes(self) -> dict[str, str]:
        """Node -> its state."""
        lines = self.ask("sinfo", "--noheader", "-N", "--format=%N %t", "--partition=gpu").splitlines()
        return dict(line.split() for line in lines if len(line.split()) == 2)

    def jobs(self, states: str = "PD,R,CG,CF,S") -> list[dict[str, str]]:
        """Jobs in those states: id, state, node, comment."""
        lines = self.ask("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%N|%k").splitlines()
        return [dict(zip(("id", "state", "node", "comment"), line.split("|"), strict=True)) for line in lines]

    def wait_over(self, job: str, seconds: float = 90) -> None:
        """Wait until a job runs no more, or waits to run again."""
        live = lambda: {found["id"] for found in self.jobs("R,CG,CF,S")}  # noqa: E731
        wait_for(lambda: job not in live(), seconds, f"the end of job {job}")

    def waits(self, job: str) -> bool:
        """Whether a job is back in the queue, until a time to come."""
        return self.ask("squeue", "--noheader", f"--jobs={job}", "--format=%T %r") == "PENDING BeginTime"

    def release(self, job: str) -> None:
        """Start a job that waits for its time."""
        self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    def steps(self, node: str) -> list[int]:
        """Process ids of the step daemons whose job runs on a node."""
        ids = {job["id"] for job in self.jobs() if job["node"] == node}
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if words.startswith("slurmstepd: [") and words[13:].split(".")[0] in ids:
                found.append(int(path.parent.name))
        return found
