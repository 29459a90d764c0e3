"""The version, which builds read and pickles keep."""

__version__ = "0.1.0"
