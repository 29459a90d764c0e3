"""The loss, the gradient and the updates of a net: in NumPy, as the reference, and in C."""
