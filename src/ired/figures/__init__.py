"""Figures: tables in, pictures out. Nothing here trains, imports torch or computes a statistic.

registry   every figure by name: title, tables, caption, the experiments it says something about
output     tables -> PDF and PNG
captions   the words under a figure, with the numbers of its own tables
style      the visual language; labels, axes, rows, levels: what figures are built from

Planning asks the registry for names alone, so neither it nor this package imports pandas or matplotlib.
"""
