"""A replay buffer of chains, bucketed by noise level, that keeps each chain's matrix and solution with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field, model_validator

from ired.base.settings import Count, Strict
from ired.base.streams import Streams
from ired.diffusion.schedule import NoiseSchedule
from ired.negatives.base import Positives

if TYPE_CHECKING:
    from torch import Tensor


class Replay(Strict):
    """size: places for chains, shared evenly by the buckets, of which those without a noise level stay empty
    (replay_buffer_size). buckets: of noise levels (replay_buffer_buckets).

    sample_prob: the share of chains that go on from the buffer instead of starting fresh
    (replay_sample_prob).
    """

    size: Count = 10_000
    buckets: Count = 16
    sample_prob: Annotated[float, Field(gt=0, le=1)] = 0.95

    @model_validator(mode="after")
    def _a_place_in_each_bucket(self) -> Replay:
        if self.size < self.buckets:
            raise ValueError("replay.size must be at least replay.buckets, one chain a bucket")
        return self


class ReplayBuffer:
    """First in, first out within each bucket. Tensors of fixed size, made when the first chains come.

    Entries lie flat, bucket after bucket, and one more row at the end takes what is not to be kept: a write
    is then the same operation for every sample, which an accelerator needs. With K buckets of M chains: condition
    (S, K M + 1, C); chain, solution (S, K M + 1, D); t (S, K M + 1); written (S, K).
    """

    FIELDS = ("chain", "condition", "solution", "t", "written")

    def __init__(self, settings: Replay, levels: int) -> None:
        self.settings, self.levels = settings, levels
        self.capacity = settings.size // settings.buckets
        self._tensors: dict[str, Tensor] = {}

    def bucket(self, t: Tensor) -> Tensor:
        """The bucket of each noise level: levels spread evenly over the buckets."""
        return t * self.settings.buckets // self.levels

    def push(self, batch: Positives, chain: Tensor) -> None:
        """Store chains (S, B, D) with the matrices, solutions and noise levels they belong to."""
        tensors = self._tensors or self._allocate(batch)
        bucket, capacity = self.bucket(batch.t), self.capacity
        member = torch.nn.functional.one_hot(bucket, self.settings.buckets)
        count = member.sum(1)
        # A sample's place among its bucket's of this batch: 0, 1, 2 ...
        rank = (member.cumsum(1) - 1).gather(2, bucket[..., None]).squeeze(2)
        slot = (tensors["written"].gather(1, bucket) + rank) % capacity
        # Of a batch larger than a bucket only the last `capacity` stay, as if they had come one by one.
        kept = count.gather(1, bucket) - rank <= capacity
        row = torch.where(kept, bucket * capacity + slot, self.settings.buckets * capacity)
        values = {"chain": chain, "condition": batch.condition, "solution": batch.solution}
        for name, value in values.items():
            tensors[name].scatter_(1, row[..., None].expand_as(value), value)
        tensors["t"].scatter_(1, row, batch.t)
        tensors["written"] += count

    def mix(
        self, batch: Positives, fresh: Tensor, schedule: NoiseSchedule, streams: Streams
    ) -> tuple[Positives, Tensor]:
        """For each sample: a stored chain of its bucket with probability `sample_prob`, else the fresh start
        (S, B, D).

        Returns the positives, those of a replayed chain at its own matrix and level with the given noise, and
        the starts. The draws are made for every sample, so that the random stream does not depend on the
        outcome.
        """
        decision = streams.uniform("replay_decision", batch.t.shape[1])
        choice = streams.uniform("replay_choice", batch.t.shape[1])
        if not self._tensors:
            return batch, fresh
        bucket = self.bucket(batch.t)
        filled = self._tensors["written"].clamp(max=self.capacity).gather(1, bucket)
        replayed = (decision < self.settings.sample_prob) & (filled > 0)
        # choice < 1 in float32 can still round up to `filled`: the clamp keeps it inside.
        slot = torch.minimum((choice * filled).long(), (filled - 1).clamp(min=0))
        row = bucket * self.capacity + slot
        stored = {name: self._taken(name, row) for name in ("chain", "condition", "solution")}
        t = self._tensors["t"].gather(1, row)
        positive = schedule.noised(stored["solution"], t, batch.noise)
        other = Positives(stored["condition"], stored["solution"], t, batch.noise, positive)
        return batch.replaced(replayed, other), torch.where(replayed[..., None], stored["chain"], fresh)

    def _taken(self, name: str, row: Tensor) -> Tensor:
        tensor = self._tensors[name]
        return tensor.gather(1, row[..., None].expand(-1, -1, tensor.shape[2]))

    def _allocate(self, batch: Positives) -> dict[str, Tensor]:
        seeds, rows = len(batch.condition), self.settings.buckets * self.capacity + 1
        stored = {"chain": batch.solution, "condition": batch.condition, "solution": batch.solution}
        self._tensors = {name: like.new_zeros(seeds, rows, like.shape[-1]) for name, like in stored.items()}
        self._tensors["t"] = batch.t.new_zeros(seeds, rows)
        self._tensors["written"] = batch.t.new_zeros(seeds, self.settings.buckets)
        return self._tensors

    def state(self) -> dict[str, Tensor]:
        """The buffer for a checkpoint; nothing before the first chains."""
        return dict(self._tensors)

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave; nothing is an empty buffer.

        Tensors that are there are written into, never replaced: a captured CUDA graph goes on with the very
        ones it was captured with.
        """
        if self._tensors and not state:
            self._tensors["written"].zero_()
        for name in self.FIELDS if state else ():
            if name in self._tensors:
                self._tensors[name].copy_(state[name])
            else:
                self._tensors[name] = state[name].clone()
