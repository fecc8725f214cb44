"""What a report is made of: sections of text, tables and figures.

The page and the notebook show the same parts, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import plotly.graph_objects as go

from workbench.reports.comparison.tables import Table

__all__ = ["Part", "Section", "Text"]


class Text(str):
    """Sentences in Markdown; names in them are escaped with `Text.plain`."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        """Show the sentences at the end of a notebook's cell."""
        return str(self)

    @staticmethod
    def plain(name: str) -> str:
        """Escape a name, so that Markdown takes none of its letters for a mark."""
        return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>#$|" else letter for letter in name)


#: What a section shows: sentences, a table or a figure.
Part: TypeAlias = Text | Table | go.Figure


@dataclass(frozen=True, eq=False)
class Section:
    """A part of a report with a heading.

    Parameters
    ----------
    name : str
        Its anchor on the page, one word.
    title : str
        Its heading.
    parts : tuple of Text, Table or plotly Figure
        What it shows, in order; a notebook shows them with ``display(*section.parts)``.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
