"""Training one pack of seeds: the objective, the engine that takes a step, the loop around it, checkpoints.

Must not import the study, jobs, or anything that reads tables: it trains what it is given.
"""
