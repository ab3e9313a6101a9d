"""The report: one self-contained page that opens with the answer. Nothing here computes or draws.

Must not import torch, training or tasks.
"""

from __future__ import annotations

from ired.report.build import build
from ired.report.render import Picture, Section, Table, render

__all__ = ["Picture", "Section", "Table", "build", "render"]
