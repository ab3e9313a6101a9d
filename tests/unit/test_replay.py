"""The replay buffer against a plain one of deques, its state, and runs that are resumed with it."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest
import torch
from tiny_runs import StopAt, contents, run
from torch import Tensor

from closed_forms import SCHEDULE
from factories import generator, tiny_config
from ired.base.streams import Streams
from ired.job.build import build_engine
from ired.negatives import Positives
from ired.negatives.replay import Replay, ReplayBuffer
from ired.study.run_config import RunConfig
from ired.tasks import build_task
from ired.tasks.held_out import SPLITS, write_split
from ired.training.stopping import Interrupted

SEEDS, D = (0, 1), 4


def numbered(first: int, batch: int, levels: Tensor) -> tuple[Positives, Tensor]:
    """Samples that carry their number everywhere: chain k, condition 1000 + k, solution 0.001 k."""
    number = torch.arange(first, first + len(SEEDS) * batch).reshape(len(SEEDS), batch, 1)
    wide = number.expand(-1, -1, D).double()
    solution = wide * 0.001
    noise = torch.zeros_like(wide)
    return Positives(1000 + wide, solution, levels, noise, SCHEDULE.noised(solution, levels, noise)), wide


def everything_in(buffer: ReplayBuffer, level: int) -> list[set[int]]:
    """By seed, the numbers of all chains that a sample of this level can be given, each checked."""
    batch, _ = numbered(10**6, 3000, torch.full((len(SEEDS), 3000), level))
    fresh = torch.full((len(SEEDS), 3000, D), -1.0, dtype=torch.float64)
    found, start = buffer.mix(batch, fresh, SCHEDULE, Streams(SEEDS, step=0))
    numbers = start[..., 0].long()
    replayed = numbers >= 0
    for name, expected in (("condition", 1000 + start), ("solution", 0.001 * start)):
        torch.testing.assert_close(getattr(found, name)[replayed], expected[replayed])
    torch.testing.assert_close(
        found.positive[replayed], SCHEDULE.noised(found.solution, found.t, found.noise)[replayed]
    )
    assert torch.equal(buffer.bucket(found.t), buffer.bucket(batch.t))
    assert torch.equal(found.condition[~replayed], batch.condition[~replayed])
    return [set(numbers[s][replayed[s]].tolist()) for s in range(len(SEEDS))]


@pytest.mark.parametrize(("size", "buckets"), [(30, 10), (30, 5), (45, 16), (7, 1)])
def test_the_buffer_is_a_deque_for_each_bucket_and_seed(size: int, buckets: int) -> None:
    """Several pushes, some larger than a bucket, against collections.deque."""
    settings = Replay(size=size, buckets=buckets, sample_prob=1.0)
    buffer, g = ReplayBuffer(settings, 10), generator()
    capacity = size // buckets
    plain = [[deque[int](maxlen=capacity) for _ in range(buckets)] for _ in SEEDS]
    level_of: dict[int, int] = {}
    first = 0
    for batch_size in (3, 1, 40, 5, 12):
        levels = torch.randint(10, (len(SEEDS), batch_size), generator=g)
        batch, chain = numbered(first, batch_size, levels)
        first += len(SEEDS) * batch_size
        buffer.push(batch, chain)
        for s in range(len(SEEDS)):
            for number, level in zip(chain[s, :, 0].long().tolist(), levels[s].tolist(), strict=True):
                plain[s][level * buckets // 10].append(number)
                level_of[number] = level
        for level in range(10):
            expected = [set(plain[s][level * buckets // 10]) for s in range(len(SEEDS))]
            assert everything_in(buffer, level) == expected, (batch_size, level)
    batch, _ = numbered(10**6, 200, torch.randint(10, (2, 200), generator=g))
    found, start = buffer.mix(batch, torch.full_like(batch.condition, -1.0), SCHEDULE, Streams(SEEDS, step=1))
    replayed = start[..., 0] >= 0
    pairs = zip(start[..., 0][replayed].long().tolist(), found.t[replayed].tolist(), strict=True)
    assert replayed.sum() > 300 and all(level_of[number] == t for number, t in pairs)


def test_a_chain_is_replayed_with_the_probability_asked_for() -> None:
    buffer = ReplayBuffer(Replay(size=10, buckets=1, sample_prob=0.7), 10)
    levels = torch.zeros(2, 5000, dtype=torch.int64)
    buffer.push(*numbered(0, 10, levels[:, :10]))
    batch, _ = numbered(10**6, 5000, levels)
    _, start = buffer.mix(batch, torch.full_like(batch.condition, -1.0), SCHEDULE, Streams(SEEDS, step=0))
    share = (start[..., 0] >= 0).double().mean(1)
    assert (share - 0.7).abs().max() < 4 * (0.7 * 0.3 / 5000) ** 0.5
    counts = torch.bincount(start[0, :, 0][start[0, :, 0] >= 0].long(), minlength=10).double()
    assert (counts / counts.sum() - 0.1).abs().max() < 4 * (0.09 / counts.sum()).sqrt(), (
        "all are equally likely"
    )


def test_an_empty_buffer_gives_back_what_it_was_given() -> None:
    buffer = ReplayBuffer(Replay(size=10, buckets=10, sample_prob=1.0), 10)
    batch, chain = numbered(0, 10, torch.arange(10).expand(2, 10))
    found, start = buffer.mix(batch, chain, SCHEDULE, Streams(SEEDS, step=0))
    assert found is batch and start is chain and buffer.state() == {}
    # A level whose bucket is empty starts fresh although others are filled.
    buffer.push(*numbered(0, 5, torch.full((2, 5), 3)))
    _, start = buffer.mix(batch, chain - 100, SCHEDULE, Streams(SEEDS, step=0))
    assert (start[..., 0] >= 0).tolist() == [[t == 3 for t in range(10)]] * 2


def test_a_state_that_is_loaded_goes_on_as_the_one_that_was_saved() -> None:
    g = generator()
    buffer, other = (ReplayBuffer(Replay(size=20, buckets=5, sample_prob=0.5), 10) for _ in range(2))
    for first in (0, 100):
        buffer.push(*numbered(first, 30, torch.randint(10, (2, 30), generator=g)))
    other.load_state(buffer.state())
    more = numbered(200, 30, torch.randint(10, (2, 30), generator=g))
    for each in (buffer, other):
        each.push(*more)
    assert all(torch.equal(value, other.state()[name]) for name, value in buffer.state().items())
    assert other.state()["chain"].data_ptr() != buffer.state()["chain"].data_ptr()


def test_loading_writes_into_the_tensors_that_are_there() -> None:
    """A captured CUDA graph holds these very tensors: replacing them would leave it writing into freed
    memory."""
    buffer = ReplayBuffer(Replay(size=20, buckets=5), 10)
    levels = torch.zeros(2, 6, dtype=torch.int64)
    buffer.push(*numbered(0, 6, levels))
    before = {name: value.clone() for name, value in buffer.state().items()}
    held = {name: value.data_ptr() for name, value in buffer.state().items()}
    buffer.push(*numbered(50, 6, levels))
    buffer.load_state(before)
    assert {name: value.data_ptr() for name, value in buffer.state().items()} == held
    assert all(torch.equal(value, before[name]) for name, value in buffer.state().items())
    buffer.load_state({})
    assert {name: value.data_ptr() for name, value in buffer.state().items()} == held
    assert everything_in(buffer, 0) == [set(), set()]


REPLAYED = {"strategy": "langevin", "opt_steps": 2, "replay": {"size": 48, "buckets": 16, "sample_prob": 0.8}}
NEGATIVES = {
    "replay": REPLAYED,
    "mixed": {
        "strategy": "mixed",
        "first": REPLAYED,
        "second": {**REPLAYED, "noise_scale": 3.0},
        "fraction": 0.6,
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, config = tmp_path_factory.mktemp("data"), tiny_config()
    for split in SPLITS:
        write_split(split, build_task(config.problem), config.held_out, folder / f"{split}.npz")
    return folder


def replaying(name: str) -> RunConfig:
    return tiny_config(negatives=NEGATIVES[name], contrast={"loss": "cd", "weight": 0.05})


@pytest.mark.parametrize("name", NEGATIVES)
def test_an_interrupted_run_with_replay_equals_the_uninterrupted_one(
    name: str, data: Path, tmp_path: Path
) -> None:
    whole = contents(run(replaying(name), data, tmp_path / "whole"))
    for stop in (1, 9):
        with pytest.raises(Interrupted):
            run(replaying(name), data, tmp_path / "cut", StopAt(stop))
    assert contents(run(replaying(name), data, tmp_path / "cut")) == whole


def test_a_pack_replays_what_its_seeds_replay_alone() -> None:
    packed = build_engine(replaying("replay"), (4, 2))
    alone = build_engine(replaying("replay"), (2,))
    for _ in range(6):
        packed.advance()
        alone.advance()
    ours, theirs = packed.state(), alone.state()
    for name in ("strategy.t", "strategy.written", "strategy.condition", "strategy.chain"):
        torch.testing.assert_close(ours[name][1:], theirs[name], atol=1e-4, rtol=1e-4)
    assert (ours["strategy.written"][0] != ours["strategy.written"][1]).any()
