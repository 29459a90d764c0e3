"""Set-up that must come before scikit-learn or matplotlib is imported."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its array API checks
os.environ.setdefault("MPLBACKEND", "Agg")
