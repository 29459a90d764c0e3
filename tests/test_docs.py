"""Nothing public is missing from the site, and no page is left out of it."""

import re
from pathlib import Path

import pytest

import sklearn_toynn
from sklearn_toynn import datasets, inspection, model_selection

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("module", [sklearn_toynn, datasets, inspection, model_selection])
def test_every_public_name_has_a_page(module):
    listed = re.findall(r"^   (\w+)$", (DOCS / "api.rst").read_text(), flags=re.MULTILINE)
    assert set(module.__all__) <= set(listed)


def test_every_page_of_the_guide_is_in_its_table():
    table = re.findall(r"^   (\w+)$", (DOCS / "guide" / "index.rst").read_text(), re.MULTILINE)
    pages = {path.stem for path in (DOCS / "guide").glob("*.rst")} - {"index"}
    assert sorted(table) == sorted(pages)


def test_the_gallery_has_its_examples():
    assert len(EXAMPLES) >= 12


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_title_and_sections(path):
    text = path.read_text()
    assert re.match(r'r?"""\n[=\n]*.+\n=+\n', text)
    assert text.count("\n# %%\n") >= 2
