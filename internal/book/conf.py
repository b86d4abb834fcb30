"""What Sphinx makes a book by that brings no conf.py."""
import importlib.util
import json
import pathlib

book = json.loads(pathlib.Path(__file__).with_name("book.json").read_text("utf-8"))


def has(module):
    return importlib.util.find_spec(module) is not None


project = book["project"]
author = book["author"]
copyright = author
root_doc = book["root"]
source_suffix = {".rst": "restructuredtext"}
exclude_patterns = ["_build", "**/.*", "**/.ipynb_checkpoints", "**/node_modules", "**/venv", "**/env"]
extensions = ["sphinx.ext.mathjax"]
html_theme = next((t for t in ("sphinx_book_theme", "sphinx_rtd_theme") if has(t)), "alabaster")
html_copy_source = False
html_show_sphinx = False
suppress_warnings = ["myst.header", "toc.excluded", "toc.not_readable"]

if has("myst_nb"):
    extensions.append("myst_nb")
    source_suffix.update({".ipynb": "myst-nb", ".md": "myst-nb"})
    nb_execution_mode = book["execute"]
    nb_execution_allow_errors = book["allowErrors"]
    nb_execution_raise_on_error = not book["allowErrors"]
    nb_execution_timeout = book["timeout"]
else:
    if has("myst_parser"):
        extensions.append("myst_parser")
        source_suffix[".md"] = "markdown"
        myst_enable_extensions = ["dollarmath", "colon_fence"]
        myst_heading_anchors = 3
    if has("nbsphinx"):
        extensions.append("nbsphinx")
        nbsphinx_execute = {"auto": "auto", "force": "always", "off": "never"}[book["execute"]]
        nbsphinx_allow_errors = book["allowErrors"]
        nbsphinx_timeout = book["timeout"]
