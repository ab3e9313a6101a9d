"""Many run folders into the tables of an experiment (docs/tables.md), refusing what does not belong together.

Must not import torch, training or tasks: tables are made of what runs left behind.
"""
