"""Tasks by name: what is given, what is asked for, and what an error means. A new one is a file beside these and a
line in TASKS.

Must not import networks, training or anything that reads tables.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, SerializeAsAny

from ired.base.settings import also_plugged
from ired.tasks.addition import Addition
from ired.tasks.base import Predictor, ProblemSet, Task, TaskSettings
from ired.tasks.completion import Completion
from ired.tasks.inversion import Inversion

TASKS: dict[str, type[Task]] = {
    "inversion": Inversion,
    "completion": Completion,
    "addition": Addition,
}

if TYPE_CHECKING:
    ProblemSettings = TaskSettings
else:
    # The settings of any task, told apart by their `task` key; built from the registry, so a checker cannot follow.
    ProblemSettings = Annotated[
        reduce(or_, (task.Settings for task in TASKS.values())),
        Field(discriminator="task"),
        also_plugged(TASKS, "task"),
        SerializeAsAny(),
    ]


def build_task(settings: TaskSettings) -> Task:
    """The task that settings name."""
    return TASKS[settings.task](settings)


__all__ = ["TASKS", "Predictor", "ProblemSet", "ProblemSettings", "Task", "TaskSettings", "build_task"]
