"""Checks that ask the scheduler."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from ired.cluster.checks import FAIL, OK, WARN, Check, Subject
from ired.job.slurm import Answer, ask, config_value, duration, queue

SAFE_AGE = 240  # the executor asks at least every 180 s
PREFIX = "ired"
RULES = ("train", "diagnose")  # what training asks for, and what every other job does


def reachable(subject: Subject) -> Iterator[Check]:
    """A controller that answers, and commands to ask it with."""
    missing = [name for name in ("sbatch", "squeue", "scancel", "scontrol") if shutil.which(name) is None]
    if missing:
        cure = "run this on a login node, or use profiles/local"
        yield Check("slurm", FAIL, f"not found: {', '.join(missing)}", cure)
        return
    answer = ask("scontrol", "ping")
    up = answer.ok and "UP" in answer.out
    said = " ".join((answer.out or answer.err).split())
    yield Check("slurm", OK if up else FAIL, said, "" if up else "wait, or ask the cluster's staff")
    if "SLURM_CONF" in os.environ and not Path("/etc/slurm/slurm.conf").exists():
        cure = "the step inside a job is started without SLURM_CONF and will not find the controller"
        yield Check("slurm", WARN, "SLURM_CONF is set and /etc/slurm/slurm.conf is missing", cure)


def scheduler_config(subject: Subject) -> Iterator[Check]:
    """How long ended jobs are remembered."""
    answer = ask("scontrol", "show", "config")
    if not answer.ok:
        return
    age = re.match(r"\d+", config_value(answer.out, "MinJobAge") or "")
    seconds = int(age.group()) if age else 0
    if seconds >= SAFE_AGE:
        yield Check("status command", OK, f"MinJobAge {seconds} s: squeue remembers ended jobs long enough")
    elif ask("sacct", "-X", "--noheader", "--starttime", "now").ok:
        fact = f"MinJobAge {seconds} s: what squeue forgets, accounting remembers"
        yield Check("status command", OK, fact)
    else:
        cure = "ask for a longer MinJobAge; until then watch `python -m ired status` for lost jobs"
        yield Check("status command", FAIL, f"MinJobAge {seconds} s is below {SAFE_AGE} s", cure)


def preemption(subject: Subject) -> Iterator[Check]:
    """Who starts a job again that the training job's partition took its node from."""
    name = subject.train(1).get("slurm_partition") or _default_partition()
    answer = ask("scontrol", "show", "partition", str(name))
    mode = re.search(r"\bPreemptMode=(\S+)", answer.out)
    if not answer.ok or mode is None:
        return
    requeues, wanted = "REQUEUE" in mode.group(1).upper(), subject.site.preemptible
    fact = f"PreemptMode of {name} is {mode.group(1)}, jobs say {'requeue' if wanted else 'no-requeue'}"
    if mode.group(1).upper() == "OFF" or (requeues and wanted):
        yield Check("preemption", OK, fact)
    elif requeues:
        cure = "set `preemptible: true` in site.yaml, or each preemption costs a run one of its attempts"
        yield Check("preemption", WARN, fact, cure)
    else:
        cure = "SLURM starts no preempted job again there: each costs a run an attempt, so add --retries 20"
        yield Check("preemption", WARN, fact, cure)


def _default_partition() -> str:
    names = ask("sinfo", "--noheader", "--format=%P").out.split()
    return next((name.rstrip("*") for name in names if name.endswith("*")), "")


def partition(subject: Subject) -> Iterator[Check]:
    """The partitions of training and of the other jobs: up, long enough, with the accelerators asked for."""
    for rule in RULES:
        yield from _partition(subject, rule)


def _partition(subject: Subject, rule: str) -> Iterator[Check]:
    first, last = subject.job(rule, 1), subject.job(rule, subject.attempts)
    name = last.get("slurm_partition")
    words = ["sinfo", "--noheader", "--format=%P|%a|%l|%G|%T|%D"]
    answer = ask(*words, *([f"--partition={name}"] if name else []))
    rows = [row for row in (line.split("|") for line in answer.out.splitlines()) if len(row) == 6]
    if not name:
        rows = [row for row in rows if row[0].endswith("*")]
    if not rows:
        known = ", ".join(sorted(set(ask("sinfo", "--noheader", "--format=%R").out.split())))
        key = "gpu_partition" if rule == "train" and subject.site.gpu_partition else "partition"
        cure = f"set `{key}` in site.yaml to one of: {known or '(sinfo lists none)'}"
        yield Check("partition", FAIL, f"{rule}: no partition {name or 'is the default one'}", cure)
        return
    title = rows[0][0].rstrip("*")
    if rows[0][1] != "up":
        yield Check("partition", FAIL, f"{rule}: {title} is {rows[0][1]}", "choose another, or wait")
    limit, wanted = duration(_colons(rows[0][2])), int(last.get("runtime", 0)) * 60
    if limit is not None and wanted > limit:
        cure = f"set `max_minutes: {int(limit // 60)}` in site.yaml"
        fact = f"{rule}: {title} allows {rows[0][2]}, the last attempt asks {wanted // 60} min"
        yield Check("partition", FAIL, fact, cure)
    gres = {row[3].split("(")[0] for row in rows} - {"", "(null)"}
    asked = str(first.get("gres") or ("gpu" if first.get("gpu") else ""))
    model = ":".join(asked.split(":")[:2]) if asked.count(":") > 1 else asked.split(":")[0]
    if asked and not any(offer.startswith(model) for each in gres for offer in each.split(",")):
        cure = "mend `gres` or `gpu_partition` in site.yaml"
        fact = f"{rule}: {asked} is not offered by {title} ({', '.join(gres) or 'no gres'})"
        yield Check("partition", FAIL, fact, cure)
    states = ", ".join(f"{row[5]} {row[4]}" for row in rows)
    fact = f"{rule}: {title}: {states}; time limit {rows[0][2]}; {', '.join(gres) or 'no gres'}"
    yield Check("partition", OK, fact)


def _colons(text: str) -> str:
    """sinfo's limits may be minutes alone."""
    return text if ":" in text else f"{text}:00"


def accepted(subject: Subject) -> Iterator[Check]:
    """What sbatch itself says to a training job and to another one, at the first attempt and at the last."""
    for rule, attempt in product(RULES, sorted({1, subject.attempts})):
        wanted = subject.job(rule, attempt)
        answer = ask("sbatch", "--test-only", *sbatch_flags(subject, wanted), "--wrap", "true")
        said = last_of(answer)
        name = f"{rule}, attempt {attempt}: {wanted.get('mem_mb')} MB, {wanted.get('runtime')} min"
        if answer.ok:
            yield Check("sbatch", OK, f"{name}: accepted")
        else:
            yield Check("sbatch", FAIL, f"{name}: {said}", "mend site.yaml: account, partition, limits")


def sbatch_flags(subject: Subject, wanted: dict[str, Any]) -> list[str]:
    """The flags that the executor makes of these resources."""
    named = {
        "--partition": wanted.get("slurm_partition"),
        "--account": wanted.get("slurm_account"),
        "--qos": wanted.get("qos"),
        "--constraint": wanted.get("constraint"),
        "--mem": wanted.get("mem_mb"),
        "--time": wanted.get("runtime"),
        "--gpus": wanted.get("gpu") if not wanted.get("gres") else None,
        "--gres": wanted.get("gres"),
        "--exclude": subject.settings.get("slurm-exclude-failed-nodes"),
    }
    flags = [f"{flag}={value}" for flag, value in named.items() if value]
    return [*flags, *shlex.split(str(wanted.get("slurm_extra") or ""))]


def last_of(answer: Answer) -> str:
    """A command's last words without its name."""
    lines = [line for line in f"{answer.out}\n{answer.err}".splitlines() if line.strip()]
    return re.sub(r"^sbatch: (error: )?", "", lines[-1]) if lines else "no answer"


def limits(subject: Subject) -> Iterator[Check]:
    """Submission limits of the user's association and QOS, where accounting tells them."""
    words = ("sacctmgr", "--noheader", "--parsable2", "show")
    assoc = ask(*words, "assoc", f"user={getpass.getuser()}", "format=MaxSubmitJobs,GrpSubmitJobs")
    names = ",".join(filter(None, {subject.site.qos or "normal", subject.site.gpu_qos}))
    qos = ask(*words, "qos", f"name={names}", "format=MaxSubmitJobsPU,GrpSubmit")
    found = [int(n) for n in re.findall(r"\d+", f"{assoc.out} {qos.out}")] if assoc.ok or qos.ok else []
    mine = [job for job in queue("") or [] if job.live]
    jobs = int(subject.settings.get("jobs", 1))
    if not (assoc.ok or qos.ok):
        fact = "submission limits are unknown (sacctmgr does not answer)"
        yield Check("limits", WARN, fact, "ask for MaxSubmitJobs and keep `max_jobs` below it")
    elif found and jobs > min(found) - len(mine):
        cure = f"set `max_jobs: {max(min(found) - len(mine), 1)}` in site.yaml"
        yield Check("limits", FAIL, f"jobs {jobs} > {min(found)} - {len(mine)} of yours", cure)
    else:
        limit = str(min(found)) if found else "none"
        yield Check("limits", OK, f"jobs {jobs}, limit {limit}, yours now {len(mine)}")


def orphans(subject: Subject) -> Iterator[Check]:
    """Jobs of an earlier call of Snakemake: a second copy of them would meet their locks."""
    known = queue(PREFIX)
    live = [job for job in known or [] if job.live and job.here]
    if known is None:
        cure = "ask again before you start Snakemake: jobs of an earlier call may still run"
        yield Check("orphans", WARN, "squeue does not answer", cure)
    elif live:
        shown = "; ".join(f"{job.job} {job.state} {job.comment}" for job in live[:5])
        more = f" and {len(live) - 5} more" if len(live) > 5 else ""
        cure = "let them end (they publish their results), or scancel them, before you start Snakemake"
        yield Check("orphans", FAIL, f"jobs of another call: {shown}{more}", cure)
    else:
        yield Check("orphans", OK, "no job of an earlier call")
    locks = list((subject.root / ".snakemake" / "locks").glob("*"))
    if locks:
        cure = "if no Snakemake is running here: snakemake --unlock"
        yield Check("orphans", WARN, ".snakemake/locks is not empty", cure)
