"""What negatives and energies look like: one trained run in, four small tables out."""
