"""The passes of a net over its rows: in NumPy, as the reference, and in C."""
