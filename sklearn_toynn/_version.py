"""The version. The build reads it, and saved models store it."""

__version__ = "0.3.0.dev0"
