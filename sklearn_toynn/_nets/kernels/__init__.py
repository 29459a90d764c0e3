"""The arithmetic of a stack's batches: NumPy's as the reference, and a compiled twin."""
