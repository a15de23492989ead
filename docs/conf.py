import shutil
from importlib.metadata import version as installed_version
from pathlib import Path

project = "nahas"
author = "The nahas contributors"
project_copyright = "The nahas contributors, Apache-2.0"
version = release = installed_version("nahas")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]

html_theme = "furo"
html_title = f"nahas {version}"

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3

# A docstring's single backticks are code; a link is asked for by a role.
default_role = "code"
# Pages of the Python interface are written anew, so that none outlives its module.
shutil.rmtree(Path(__file__).parent / "_api", ignore_errors=True)
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# Attributes are documented with their class, once.
napoleon_use_ivar = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# The docs are built without a network, hence without other projects' inventories: a reference
# to one of our own names must resolve, any other name is text.
nitpick_ignore_regex = [
    (r"py:.*", r"^(?!nahas\.).*"),
    (r"py:.*", r"^nahas(\.\w+)*\.[A-Z]$"),  # type variables
]
# Several fields documented in one line are looked up as if they were types; a field's name that
# two classes have is then told as ambiguous, though nobody refers to it.
suppress_warnings = ["ref.python"]


def skip_fields_of_tuples(_app, _what, _name, obj, skip, _options):
    """Documented with their class; autodoc would add "Alias for field number 3" of each."""
    return skip or type(obj).__name__ == "_tuplegetter"


def setup(app):
    app.connect("autodoc-skip-member", skip_fields_of_tuples)
