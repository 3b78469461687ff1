"""Mathematics as MathML: browsers draw it themselves, without a script from elsewhere."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)
# Sizes of delimiters, which MathML chooses by itself.
SIZES = re.compile(r"\\[Bb]igg?[lrm]?(?![a-zA-Z])")


def _convert(node: nodes.Element, as_block: bool) -> str:
    formula = node.astext()
    try:
        return tex2mathml(SIZES.sub("", formula), as_block=as_block)
    except MathError as error:
        logger.warning("%s in the formula %s", error, formula, location=node)
        return f"<code>{escape(formula)}</code>"


def visit_math(self: Any, node: nodes.math) -> None:
    self.body.append(_convert(node, as_block=False))
    raise nodes.SkipNode


def visit_displaymath(self: Any, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math display"))
    self.body.append(_convert(node, as_block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
