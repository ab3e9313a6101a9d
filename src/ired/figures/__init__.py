"""Figures: tables in, pictures out. Nothing here trains, imports torch or computes a statistic."""

from __future__ import annotations

from ired.figures.captions import caption
from ired.figures.output import draw_figures, read_table, read_tables, save
from ired.figures.registry import FIGURES, FigureSpec, draw, figure_spec

__all__ = [
    "FIGURES",
    "FigureSpec",
    "caption",
    "draw",
    "draw_figures",
    "figure_spec",
    "read_table",
    "read_tables",
    "save",
]
