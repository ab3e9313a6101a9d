"""What an energy network's evaluations cost."""

from __future__ import annotations

from typing import NamedTuple


class MultiplyAdds(NamedTuple):
    """Multiply-adds of one sample, matrix products only.

    shared: what `prepare` does once for all evaluations at a batch. energy: one energy. gradient: its
    gradient by y, beyond the energy.
    """

    shared: int
    energy: int
    gradient: int
