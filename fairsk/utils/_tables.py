"""Tables of text cells, for the terminal and for Jupyter; laid out here, once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of an aligned table: the header, a rule, and a line a row.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequence of str
        As many cells as the header has.

    Returns
    -------
    list of str

    Examples
    --------
    >>> print("\\n".join(text_table(["group", "rate"], [["a", "0.5"], ["others", "0.25"]])))
    group   rate
    ------------
    a       0.5
    others  0.25
    """
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    rule = "-" * max(len(line) for line in lines)
    return [lines[0], rule, *lines[1:]]


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same as an HTML table; every text is escaped.

    Examples
    --------
    >>> html_table("Rates", ["group"], [["<a>"]])
    '<table><caption>Rates</caption>...<tr><td>&lt;a&gt;</td></tr></tbody></table>'
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return (
        f"<table><caption>{escape(caption)}</caption><thead>{line(header, 'th')}</thead>"
        f"<tbody>{''.join(line(cells, 'td') for cells in rows)}</tbody></table>"
    )
