"""Pages of the notebooks, copied to where Sphinx looks, with their stored outputs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "notebooks"


def copy_notebooks(app: Any) -> None:
    """Bring the copies up to date; those whose notebook is gone go too."""
    copies = Path(app.srcdir) / "notebooks"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    for notebook in sorted(SOURCE.glob("*.ipynb")):
        # With its date, by which Sphinx tells what has changed.
        shutil.copy2(notebook, copies)


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", copy_notebooks)
    return {"parallel_read_safe": True}
