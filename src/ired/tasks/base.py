"""What a task is: a class behind a name that draws problems with their solutions, and knows what answers cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ired.base.settings import Strict
from ired.base.streams import Streams

if TYPE_CHECKING:
    from torch import Tensor


class TaskSettings(Strict):
    """Base of a task's settings; a subclass narrows `task` to its own name. n: the size of its matrices."""

    task: str
    n: Annotated[int, Field(ge=2)]


@dataclass(frozen=True)
class ProblemSet:
    """N problems: what is given, (N, C), and what is asked for, (N, D); both float32, flattened."""

    condition: Tensor
    solution: Tensor

    def __len__(self) -> int:
        return len(self.condition)

    def first(self, count: int) -> ProblemSet:
        """The first `count` of them."""
        return ProblemSet(self.condition[:count], self.solution[:count])


@dataclass(frozen=True)
class Predictor:
    """A reference predictor: what an error means.

    coefficients: how many numbers were fitted. squared_error: the MSE's summands, per problem and element,
    (N,) float64. most: look at so many problems only (an expensive predictor); None: at all. label: what figures and
    sentences call it; "": it stands in the table alone.
    """

    name: str
    coefficients: int
    squared_error: Callable[[ProblemSet], NDArray[np.float64]]
    most: int | None = None
    label: str = ""


class Task(ABC):
    """Base of all tasks.

    splits: the kinds of problems, in (`id`) and out of (`ood`) distribution; training draws `id`. line: the
    reference predictor to beat.
    """

    Settings: ClassVar[type[TaskSettings]]
    splits: ClassVar[tuple[str, ...]] = ("id", "ood")
    line: ClassVar[str]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @property
    @abstractmethod
    def condition_shape(self) -> tuple[int, ...]:
        """The shape of what is given; problems hold it flattened, (..., C)."""

    @property
    @abstractmethod
    def solution_shape(self) -> tuple[int, ...]:
        """The shape of what is asked for; noise and answers take it, flattened to (..., D)."""

    @abstractmethod
    def draw(self, streams: Streams, count: int, split: str) -> tuple[Tensor, Tensor]:
        """`count` problems for each seed of a pack: (S, count, C) and (S, count, D), float32."""

    @abstractmethod
    def predictors(self, fit: ProblemSet) -> list[Predictor]:
        """The reference predictors, fitted on the `fit` set; `line` is the name of one of them."""

    @abstractmethod
    def residual(self, condition: Tensor, answer: Tensor) -> Tensor:
        """How badly answers contradict what is given: (..., C), (..., D) -> (...)."""

    def facts(self, problems: ProblemSet) -> dict[str, float]:
        """What a held-out set's sidecar says of its problems; nothing by default."""
        return {}
