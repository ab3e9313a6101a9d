"""What negatives and energies look like: one trained run in, small tables out.

Must not import clusters or anything that reads tables.
"""
