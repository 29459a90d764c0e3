"""The version, which builds read and pickles keep."""

__version__ = "0.2.0"
