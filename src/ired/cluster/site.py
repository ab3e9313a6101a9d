"""Facts about one cluster, from profiles/slurm/site.yaml: the only place that knows them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from ired.base.errors import UserError
from ired.base.settings import Count, Strict, explain

SITE_FILE = Path("profiles/slurm/site.yaml")


Name = Annotated[str, Field(min_length=1)]
# In the environment of Snakemake and its jobs.
DEVICE, NEEDS, EVERY_JOB_NEEDS = "IRED_TRAIN_DEVICE", "IRED_TRAIN_NEEDS", "IRED_JOB_NEEDS"


class Site(Strict):
    """A cluster; profiles/slurm/site.yaml.example explains every key."""

    partition: Name | None = None
    gpu_partition: Name | None = None
    partition_config: Name | None = None
    account: Name | None = None
    gpu_account: Name | None = None
    qos: Name | None = None
    gpu_qos: Name | None = None
    device: Literal["cuda", "cpu"] = "cuda"
    gres: Name | None = None
    constraint: Name | None = None
    memory: bool = True
    sbatch_options: list[Name] = []
    modules: list[Name] = []
    modules_init: Name = "/etc/profile.d/modules.sh"
    precommand: Name | None = None
    exclude_nodes: list[Name] = []
    preemptible: bool = False
    max_jobs: Count = 40
    max_gpus: Count = 32
    max_minutes: Count = 480
    max_mem_mb: Count = 96000
    train_minutes: Count = 240
    train_mem_mb: Count = 16000
    diagnoses_per_job: Count = 1

    @field_validator("gres")
    @classmethod
    def _submittable(cls, gres: str | None) -> str | None:
        """The executor refuses some that SLURM takes, and only once each training is submitted."""
        if gres is not None:
            from snakemake_executor_plugin_slurm.utils import set_gres_string
            from snakemake_interface_common.exceptions import WorkflowError

            try:
                set_gres_string(SimpleNamespace(resources=_Resources(gres=gres)))
            except WorkflowError:
                raise ValueError(
                    "the executor takes name, name:number or name:type:number, and no hyphen in a type;"
                    " write `gres: gpu:1`, and the model as `constraint`"
                ) from None
        return gres

    @field_validator("sbatch_options")
    @classmethod
    def _additional(cls, options: list[str]) -> list[str]:
        from snakemake_executor_plugin_slurm.validation import validate_slurm_extra
        from snakemake_interface_common.exceptions import WorkflowError

        for option in options:
            try:
                validate_slurm_extra(SimpleNamespace(resources=_Resources(slurm_extra=f"{option} ")))
            except WorkflowError:
                raise ValueError(
                    f"{option} is set by the executor; use the key of this file that is meant for it"
                ) from None
        return options

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [
            name
            for name in ("gpu_partition", "gres", "constraint", "gpu_account", "gpu_qos")
            if getattr(self, name)
        ]
        if self.device == "cpu" and given:
            raise ValueError(f"`device: cpu` asks for no accelerator: remove {', '.join(given)}")
        if self.partition and self.partition_config:
            raise ValueError("`partition` and `partition_config` both choose the partition: remove one")
        if self.max_minutes < 10 * self.diagnoses_per_job > 10:
            raise ValueError("`diagnoses_per_job` needs ten minutes of `max_minutes` for each")
        return self

    def setup(self) -> str | None:
        """What each job runs first: `&&` all through, so that a module that does not load ends the job."""
        commands = [self.precommand] if self.precommand else []
        if self.modules:
            names = " ".join(shlex.quote(name) for name in self.modules)
            commands += [f". {shlex.quote(self.modules_init)}", f"module load {names}"]
        return " && ".join(commands) or None

    def job_resources(self) -> dict[str, str | int]:
        """Resources of every job: more at each attempt, for a job that ran out, and never more than the site has."""
        named = {"slurm_partition": self.partition, "slurm_account": self.account, "qos": self.qos}
        return {
            **self._grown(8000, 60),
            "slurm_extra": self._extra("--open-mode=append"),  # a requeued job keeps its first log
            **{key: value for key, value in named.items() if value},
        }

    def diagnose_resources(self) -> dict[str, str | int]:
        """What a diagnosis has of its own: in one job with others their times are added up."""
        together = self.diagnoses_per_job
        return {"runtime": f"min({60 if together == 1 else 10} * attempt, {self.max_minutes // together})"}

    def train_resources(self) -> dict[str, str | int]:
        """Resources of a training job."""
        # Beside the run's own deadline. A job of few minutes would be signalled as it starts.
        signal = ["--signal=TERM@120"] if self.train_minutes >= 5 else []
        wanted = self._grown(self.train_mem_mb, self.train_minutes)
        wanted |= {"slurm_extra": self._extra(*signal, "--open-mode=append")}
        if self.device == "cpu":
            return wanted
        # Some sites refuse --gpus and want the model: then gres, and never both. The limit counts `accelerators`.
        number = (self.gres or "").rpartition(":")[2]
        wanted |= {"gres": self.gres} if self.gres else {"gpu": 1}
        wanted |= {"accelerators": int(number) if number.isdigit() else 1}
        named = {
            "slurm_partition": self.gpu_partition,
            "slurm_account": self.gpu_account,
            "qos": self.gpu_qos,
            "constraint": self.constraint,
        }
        return wanted | {key: value for key, value in named.items() if value}

    def _grown(self, mem_mb: int, minutes: int) -> dict[str, str | int]:
        return {
            "mem_mb": f"min({mem_mb} * attempt, {self.max_mem_mb})"
            if self.memory
            else 0,  # 0: sbatch is told none
            "runtime": f"min({minutes} * attempt, {self.max_minutes})",
        }

    def _extra(self, *flags: str) -> str:
        """Quoted twice: for Snakemake, to which it is an expression, and for the shell that calls sbatch."""
        return repr(" ".join([*flags, *map(shlex.quote, self.sbatch_options)]))

    def announce(self) -> None:
        """Tell the workflow what training is meant to get, and the trainers on which device. The environment's own word
        on the device comes first: a test has no accelerator."""
        os.environ.setdefault(DEVICE, self.device)
        os.environ[NEEDS] = " ".join(self.train_resources())
        os.environ[EVERY_JOB_NEEDS] = " ".join(self.job_resources())


class _Resources(dict[str, str]):
    """A job's resources as the executor looks at them: keys and attributes."""

    __getattr__ = dict.__getitem__


def refuse_lost_resources(train: Mapping[str, object], every_job: Collection[str]) -> None:
    """`--set-resources` and `--default-resources` on the command line replace the profile's whole, and not the one
    resource that they name.

    train: what the training job has set now. every_job: the names of the resources of every job. Does nothing where the
    profile is not the cluster's.

    Raises:
        UserError: what jobs would lose, and how to say it.
    """
    for option, whose, needs, given, keys in (
        ("--set-resources", "`train`", NEEDS, train, "train_minutes, train_mem_mb"),
        ("--default-resources", "every job", EVERY_JOB_NEEDS, every_job, "max_minutes, max_mem_mb"),
    ):
        lost = [name for name in os.environ.get(needs, "").split() if name not in given]
        if lost:
            raise UserError(
                f"{option} takes {', '.join(lost)} from {whose}: it replaces the whole set of the profile; write "
                f"{keys} or another key into {SITE_FILE} instead"
            )


def put_shims_first(folder: Path = SITE_FILE.parent / "bin") -> None:
    """Put the scheduler's commands as the executor needs them first in this process's PATH."""
    first = str(folder.resolve())
    if first not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([first, os.environ["PATH"]])


def read_site(path: Path = SITE_FILE) -> Site:
    """The site's facts; those of no site in particular where there is no file.

    Raises:
        UserError: the file is not as it should be, in one line that names the key.
    """
    if not path.exists():
        return Site()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Site.model_validate(values)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise UserError(explain(error, str(path))) from error
