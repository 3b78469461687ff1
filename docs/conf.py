"""Configuration of the documentation; ``make docs`` builds it."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# The base class of every page's module is looked at, and the examples are run, on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import fairsk  # noqa: E402

project = "fairsk"
author = "The fairsk developers"
copyright = author
version = release = fairsk.__version__

extensions = [
    "api_pages",
    "mathml",
    "myst_nb",
    "notebook_pages",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build", "_ext", "_templates", "auto_examples/**/*.ipynb"]
templates_path = ["_templates"]
default_role = "py:obj"
nitpicky = False
# Tables of figures are no code.
highlight_language = "none"
html_math_renderer = "mathml"

# ------------------------------------------------------------------- the API
autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# ---------------------------------------------------------------- the gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "doc_module": ("fairsk",),
    "backreferences_dir": "api/backreferences",
    "reference_url": {"fairsk": None},
    "show_memory": False,
    "download_all_examples": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
    "min_reported_time": 5,
    "remove_config_comments": True,
    "matplotlib_animations": False,
}

# --------------------------------------------------------------------- pages
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
# The tests run the notebooks; the pages show what they are stored with.
nb_execution_mode = "off"
# Headings of a table of benchmarks may skip a level.
suppress_warnings = ["myst.header"]

html_theme = "pydata_sphinx_theme"
html_title = "fairsk"
html_static_path = ["_static"]
html_css_files = ["fairsk.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
}
html_sidebars = {
    "index": [],
    "getting_started": [],
    "which_method": [],
    "benchmarks": [],
    "from_fairlearn": [],
    "changelog": [],
}
