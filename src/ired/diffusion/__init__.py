"""The diffusion around an energy: noise schedule, descent with rejection, annealed inference.

Must not import negatives, training, or anything that reads tables.
"""
