"""Facts about one cluster, from profiles/slurm/site.yaml: the only place that knows them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from ired.base.errors import UserError
from ired.base.settings import Count, Strict, explain

SITE_FILE = Path("profiles/slurm/site.yaml")


class Site(Strict):
    """A cluster; profiles/slurm/site.yaml.example explains every key."""

    partition: str | None = None
    gpu_partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None
    constraint: str | None = None
    modules: list[str] = []
    modules_init: str = "/etc/profile.d/modules.sh"
    precommand: str | None = None
    exclude_nodes: list[str] = []
    preemptible: bool = False
    max_jobs: Count = 40
    max_gpus: Count = 32
    max_minutes: Annotated[int, Field(gt=0)] = 480
    max_mem_mb: Annotated[int, Field(gt=0)] = 96000

    def setup(self) -> str | None:
        """What each job runs first: `&&` all through, so that a module that does not load ends the job."""
        commands = [self.precommand] if self.precommand else []
        if self.modules:
            names = " ".join(shlex.quote(name) for name in self.modules)
            commands += [f". {shlex.quote(self.modules_init)}", f"module load {names}"]
        return " && ".join(commands) or None

    def job_resources(self) -> dict[str, str]:
        """Resources of every job."""
        named = {"slurm_partition": self.partition, "slurm_account": self.account}
        return {key: value for key, value in named.items() if value}

    def gpu_resources(self) -> dict[str, str | int]:
        """Resources of a job that wants an accelerator."""
        named = {"slurm_partition": self.gpu_partition, "constraint": self.constraint}
        # Some sites refuse --gpus and want the model: then gres, and never both.
        wanted: dict[str, str | int] = {"gres": self.gres} if self.gres else {"gpu": 1}
        return wanted | {key: value for key, value in named.items() if value}


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
