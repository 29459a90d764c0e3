"""Configure Sphinx: `python -m sphinx -W -b html docs OUT` builds the site (extra `docs`)."""

import os
import re
import sys
import tomllib
from pathlib import Path

from sklearn_toynn import __version__

os.environ.setdefault("MPLBACKEND", "Agg")

project = "sklearn-toynn"
copyright = "The sklearn-toynn developers"  # noqa: A001 (Sphinx's name)
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "jupyterlite_sphinx",
]
root_doc = "index"
exclude_patterns = [
    "_build",
    "paper/*",
    "examples/*",
    "guide/conftest.py",
    "auto_examples/*.ipynb",
]
templates_path = ["_templates"]
default_role = "py:obj"
highlight_language = "none"  # for blocks without a language, such as tables
toc_object_entries_show_parents = "hide"  # the page contents are too narrow

# ---- API pages

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings have the types
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_validation_checks = {
    "all",
    "GL01",  # the summary begins on the line of the quotes
    "GL08",  # scikit-learn documents its own methods
    "PR01",  # scikit-learn's searches document the parameters
    "RT02",  # return values have names, as in scikit-learn
    "RT03",  # numpydoc overlooks descriptions without a capital letter
    "SA01",  # methods need no See Also section
    "SA04",  # the names in See Also need no description
    "EX01",  # methods need no example
    "ES01",  # a complete summary needs no extended one
    "YD01",  # there are no generators
}
numpydoc_validation_exclude = {
    r"\.get_params$",
    r"\.set_params$",
    r"\.set_\w+_request$",
    r"\.get_metadata_routing$",
    r"\.score$",
}

# ---- guide and other pages

myst_heading_anchors = 4
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# ---- gallery

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"net_to_c\.py",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("sklearn_toynn",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"sklearn_toynn": None},
    "show_memory": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
    "min_reported_time": 10,
    "remove_config_comments": True,
    "capture_repr": (),  # the examples print or draw their results
    "jupyterlite": {
        "use_jupyter_lab": True,
        "notebook_modification_function": "jupyterlite_parts.add_install",
    },
}

# ---- notebooks in the browser

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from jupyterlite_parts import build_wheel

WHEELS, LITE = HERE / "generated" / "wheels", HERE / "generated" / "lite"
LITE.mkdir(parents=True, exist_ok=True)
jupyterlite_dir = str(LITE)
# the buttons link to a folder of this name
jupyterlite_contents = ["jupyterlite_contents/auto_examples"]
jupyterlite_bind_ipynb_suffix = False
jupyterlite_silence = True
jupyterlite_build_command_options = {"piplite-wheels": str(build_wheel(WHEELS))}

# ---- theme

PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
html_theme = "pydata_sphinx_theme"
html_title = "sklearn-toynn"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"benchmarks/*": []}  # the tables are wide
html_context = {"source_url": PROJECT["urls"].get("Source")}
html_theme_options = {
    "logo": {
        "text": "sklearn-toynn",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
    },
    "navbar_start": ["navbar-logo", "version"],
    "navbar_persistent": ["search-button"],
    "navbar_end": ["source-link", "theme-switcher"],
    "footer_end": [],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}


def widen_tables(app, pagename, *_):
    """Add the style sheet of the benchmark tables to their page."""
    if pagename == "benchmarks/README":
        app.add_css_file("tables.css")


def find_module(_app, _modname, fullname):
    """Return the module that defines an object; `__module__` is the public module."""
    definition = re.compile(rf"^(class|def) {fullname.split('.')[0]}\b", re.MULTILINE)
    for path in sorted((HERE.parent / "sklearn_toynn").rglob("*.py")):
        if definition.search(path.read_text()):
            return ".".join(path.relative_to(HERE.parent).with_suffix("").parts)
    return None


# ---- figures of the benchmarks

sys.path.insert(0, str(HERE / "benchmarks"))
from figures import draw


def draw_benchmarks(app):
    """Draw the figures of the benchmark page."""
    draw(Path(app.srcdir) / "generated" / "benchmarks")


def setup(app):
    """Connect the functions above to Sphinx."""
    app.connect("builder-inited", draw_benchmarks)
    app.connect("html-page-context", widen_tables)
    app.connect("viewcode-follow-imported", find_module)
