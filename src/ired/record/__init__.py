"""What a run leaves behind and how it is read: the schema of every table, metrics, run folders, provenance.

Both halves of the package meet here: training writes it, tables and figures read it. Must not import torch or any
room but `base`.
"""
