"""What negatives and energies look like: one trained run in, three small tables out."""
