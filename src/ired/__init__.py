"""IRED on matrix inversion: negatives, energies, diagnostics and the numbers about them."""
