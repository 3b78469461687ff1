"""The API pages, made from the public names themselves, so that they cannot go stale."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import fairsk

# From what people look for first to what they look for last.
ORDER = (
    "notions",
    "metrics",
    "thresholding",
    "reweighting",
    "neural",
    "independence",
    "model_selection",
    "audit",
    "plotting",
    "datasets",
    "solvers",
    "curvature",
)
# Rooms of which only what fairsk exports is for its users.
INNER = ("utils",)
HEADER = """\
API reference
=============

What stands under ``fairsk.`` can be imported from ``fairsk`` and from its room; what stands under a
room, such as ``fairsk.metrics.``, from there.

.. toctree::
   :hidden:

{pages}

{tables}
"""


def rooms() -> list[str]:
    """All rooms with public names, those that ORDER does not know last."""
    known = [room for room in ORDER if room in fairsk._ROOMS]
    return known + [room for room in fairsk._ROOMS if room not in known]


def documented_names() -> dict[str, str]:
    """From every public name, by whatever path, to the one path that it is documented under."""
    paths: dict[str, str] = {}
    for room in rooms():
        module = importlib.import_module(f"fairsk.{room}")
        for name in dict.fromkeys([*fairsk._ROOMS[room], *module.__all__]):
            shown = f"fairsk.{name}" if name in fairsk._PUBLIC else f"fairsk.{room}.{name}"
            paths |= {name: shown, f"fairsk.{room}.{name}": shown, shown: shown}
    return paths


def room_names(room: str) -> tuple[list[str], list[str]]:
    """Names that ``fairsk`` exports, and the others of a room, by the path of their page."""
    module, paths = importlib.import_module(f"fairsk.{room}"), documented_names()
    own = list(fairsk._ROOMS[room])
    further = []
    if room not in INNER:
        further = sorted(n for n in module.__all__ if n not in own and _is_shown(module, n))
    return tuple([paths[f"fairsk.{room}.{n}"] for n in names] for names in (own, further))


def api_pages() -> dict[str, str]:
    """The pages as reStructuredText: an overview, and one for each room."""
    pages, tables = {}, []
    for room in rooms():
        title = f"fairsk.{room}"
        summary = inspect.getdoc(importlib.import_module(title)).partition("\n")[0]
        lists = [names for names in room_names(room) if names]
        parts = [f"{title}\n{'=' * len(title)}\n\n{summary}\n"]
        for names in lists:
            entries = "\n".join(f"   {name}" for name in names)
            parts.append(f".. autosummary::\n   :toctree: generated\n\n{entries}\n")
        pages[room] = "\n".join(parts)
        entries = "\n".join(f"   {name}" for name in (lists[0] if lists else []))
        tables.append(
            f"{title}\n{'-' * len(title)}\n\n{summary} :doc:`All of it <{room}>`.\n\n"
            f".. autosummary::\n\n{entries}\n"
        )
    listed = "\n".join(f"   {room}" for room in pages)
    return {"index": HEADER.format(pages=listed, tables="\n".join(tables)), **pages}


def skip_member(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Of a class show the methods that fairsk itself defines, inherited ones too.

    Attributes and properties stand in the class's own docstring.
    """
    if what != "class":
        return None
    function = getattr(obj, "__func__", obj)
    ours = getattr(function, "__module__", None) or ""
    return name.startswith("_") or not inspect.isfunction(function) or not ours.startswith("fairsk")


def _is_shown(module: Any, name: str) -> bool:
    """Constants and the checks that rooms share are for those who extend fairsk."""
    return callable(getattr(module, name)) and not name.startswith("check_")


def write_pages(app: Any, config: Any) -> None:
    """Write the pages into the source folder, where they are not there already and the same."""
    folder = app.srcdir / "api"
    folder.mkdir(exist_ok=True)
    for name, text in api_pages().items():
        target = folder / f"{name}.rst"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def resolve(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Find a public name by a path other than the one it is documented under."""
    path, _, member = node.get("reftarget", ""), "", ""
    paths = documented_names()
    if path not in paths:
        path, _, member = path.rpartition(".")
    if path not in paths:
        return None
    target = ".".join(part for part in (paths[path], member) if part)
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, "obj", target, node, contnode
    )


def setup(app: Any) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-skip-member", skip_member)
    # Before autosummary looks for the pages to make.
    app.connect("config-inited", write_pages)
    app.connect("missing-reference", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
