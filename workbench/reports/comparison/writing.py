"""Write a comparison as one page that works offline, its tables in a folder beside it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from workbench.files import replace_file
from workbench.reports.comparison.parts import Part, Section, Text
from workbench.reports.comparison.tables import Table
from workbench.reports.page import figure_html, made_by, markdown_html, whole_page

__all__ = ["tables_folder", "write_comparison"]


def tables_folder(page: Path) -> Path:
    """Name the folder of the tables of a page: ``report.html`` has ``report-tables``."""
    return page.with_name(f"{page.stem}-tables")


def write_comparison(sections: Sequence[Section], page: Path, *, title: str, source: str) -> Path:
    """Write the page, and every table as CSV and LaTeX.

    Parameters
    ----------
    sections : sequence of Section
        What the page shows, in order.
    page : Path
        The HTML file that is made or replaced.
    title : str
        Its heading.
    source : str
        What it was made from, for its head.

    Returns
    -------
    Path
        The folder of the tables.
    """
    folder = tables_folder(page)
    for section in sections:
        for part in section.parts:
            if isinstance(part, Table):
                part.write(folder)
    contents = " · ".join(
        f'<a href="#{section.name}">{html.escape(section.title)}</a>' for section in sections
    )
    body = "\n".join(
        [
            f"<h1>{html.escape(title)}</h1>",
            f'<nav class="note">{contents}</nav>',
            *(_section(section) for section in sections),
        ]
    )
    about = made_by(source)
    content = whole_page(
        title,
        body,
        about=about,
        ending=f"{about}. The tables are in {folder.name}, as CSV with every digit and as LaTeX.",
    )
    replace_file(page, lambda temporary: temporary.write_text(content, encoding="utf-8"))
    return folder


def _section(section: Section) -> str:
    parts = "\n".join(_part(part) for part in section.parts)
    return f'<h2 id="{section.name}">{html.escape(section.title)}</h2>\n{parts}'


def _part(part: Part) -> str:
    if isinstance(part, Text):
        return markdown_html(part)
    if isinstance(part, Table):
        return part._repr_html_()
    return figure_html(part.to_plotly_json())
