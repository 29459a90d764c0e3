"""Check that the project is ready for a release tag: `python .ci/check_release.py v0.3.0`."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def find_faults(tag):
    """Yield a message for each problem."""
    text = (ROOT / "sklearn_toynn" / "_version.py").read_text()
    version = re.search(r'__version__ = "(.+)"', text)[1]
    if tag != f"v{version}":
        yield f"the tag is {tag}, but __version__ is {version}"
    if not re.fullmatch(r"\d+(\.\d+)+", version):
        yield f"{version} is not the version of a release"
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    if not urls.get("Source"):
        yield "Source is missing in [project.urls] of pyproject.toml"
    if f"## {version} (unreleased)" in (ROOT / "docs" / "CHANGELOG.md").read_text():
        yield "docs/CHANGELOG.md has (unreleased) in place of a date"
    if "date-released:" not in (ROOT / "CITATION.cff").read_text():
        yield "CITATION.cff has no date-released"


if __name__ == "__main__":
    sys.exit("\n".join(find_faults(sys.argv[1])) or None)
