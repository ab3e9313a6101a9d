"""Controls for mined negatives: with their direction and a length that is chosen, or with their length and a random
direction. They tell apart what distance, direction and saturation of a mined negative each do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from ired.base.settings import Positive
from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.adversarial import AdversarialNegatives, AdversarialSettings
from ired.negatives.base import Positives, Proposal
from ired.negatives.semi_hard import displaced, unit

if TYPE_CHECKING:
    from torch import Tensor


class MatchedSettings(AdversarialSettings):
    """Mined as `adversarial` is, then changed. direction: the mined one, or a random one in its place. hardness: the
    length, as of `semi_hard`; None keeps the mined length."""

    strategy: Literal["matched"] = "matched"  # type: ignore[assignment]
    direction: Literal["mined", "random"] = "random"
    hardness: Positive | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> MatchedSettings:
        if self.direction == "mined" and self.hardness is None:
            raise ValueError(
                "a mined direction with its mined length is strategy adversarial; name a hardness or direction: random"
            )
        return self


class MatchedNegatives(AdversarialNegatives):
    """y- = y+ + delta: delta has the direction of the mined negative from its positive, or a uniform one, and its
    length, or that of a hardness mu, sigma_t sqrt(2 mu).

    A mined direction depends on the positive's noise, so its log density ratio is not N(mu, 2 mu) as that of
    `semi_hard` is; ||delta||^2 / (2 sigma_t^2) is mu all the same.
    """

    Settings = MatchedSettings
    settings: MatchedSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        proposal = super().propose(energy, batch, streams)
        delta: Tensor = proposal.negative - batch.positive
        way = delta
        if self.settings.direction == "random":
            way = streams.normal("matched", *batch.solution.shape[1:])
        if self.settings.hardness is not None:
            return displaced(batch, way, self.settings.hardness, self.schedule)
        delta = delta.norm(dim=-1, keepdim=True) * unit(way)
        return Proposal(
            batch.positive + delta, batch.solution + delta / self.schedule.sqrt_alpha_bar[batch.t, None]
        )
