"""Lay out a notebook that has run as one page of HTML.

The page holds everything: styles, plotly.js, pictures, formulas. Code is folded
away under each result, because a report is read for its results.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import workbench
from workbench.reports.theme import FONT

__all__ = ["write_page"]

_PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"

_LIVE_NOTE = (
    "Live in JupyterLab: here the application answers to mouse and keyboard. "
    "Its still pictures are further down."
)

_STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1f2328; font: 15px/1.55 %(font)s; }
main, header, footer { max-width: 980px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 20px; color: #57606a; font-size: 13px; }
footer { padding: 24px; color: #57606a; font-size: 13px; }
footer { border-top: 1px solid #d0d7de; margin-top: 40px; }
h1 { font-size: 27px; line-height: 1.25; margin: 18px 0 10px; }
h2 { font-size: 20px; margin: 38px 0 8px; padding-top: 14px; border-top: 1px solid #d0d7de; }
h3 { font-size: 16px; margin: 26px 0 6px; }
p, ul, ol { max-width: 46em; }
a { color: #0072B2; }
a.anchor-link { display: none; }
code, pre, .highlight pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font-size: 0.88em; background: #f6f8fa; padding: 1px 4px; border-radius: 4px; }
pre, .highlight pre { font-size: 12.5px; line-height: 1.45; background: #f6f8fa; }
pre { padding: 10px 14px; border-radius: 6px; margin: 6px 0; white-space: pre-wrap; }
pre code { background: none; padding: 0; }
pre.said { background: none; border-left: 3px solid #d0d7de; border-radius: 0; padding: 4px 14px; }
pre.aside { color: #57606a; }
details { margin: 6px 0; color: #57606a; font-size: 13px; }
summary { cursor: pointer; }
summary:focus-visible { outline: 2px solid #0072B2; }
.live { border: 1px dashed #afb8c1; border-radius: 6px; color: #57606a; padding: 10px 14px; }
.figure { margin: 10px 0; }
img { max-width: 100%%; }
table { border-collapse: collapse; font-size: 14px; }
th, td { border: 1px solid #d8dee4; padding: 4px 10px; text-align: left; }
msup > mo:last-child, msubsup > mo:last-child { font-size: 1.35em; }
math[display="block"] { margin: 14px 0; font-size: 1.15em; }
@media print { details { display: none; } .figure { break-inside: avoid; } }
"""


def write_page(notebook: Any, *, name: str, parameters: Mapping[str, Any]) -> str:
    """Return the HTML of a notebook that has run.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        With outputs; figures as their plotly description.
    name : str
        File name of the notebook, for the head of the page.
    parameters : mapping of str to object
        Values it was run with, where they differ from its own.
    """
    from nbconvert.filters import Highlight2HTML
    from plotly.offline import get_plotlyjs
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    highlight = Highlight2HTML(pygments_lexer="ipython3")  # type: ignore[no-untyped-call]
    body = "\n".join(_cell(cell, highlight) for cell in notebook.cells)
    given = ", ".join(f"{key} = {value!r}" for key, value in parameters.items())
    made = datetime.now().strftime("%d %B %Y, %H:%M").lstrip("0")
    about = f"Made by suggestive-workbench {workbench.__version__} from {name} on {made}"
    style = _STYLE % {"font": FONT} + HtmlFormatter().get_style_defs(".highlight")
    script = f"<script>{get_plotlyjs()}</script>" if _PLOTLY_MARK in body else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(_title(notebook, name))}</title>\n"
        f"<style>{style}</style>\n{script}\n</head>\n<body>\n"
        f"<header>{html.escape(about)}</header>\n<main>\n{body}\n</main>\n"
        f"<footer>{html.escape('Run with ' + given + '.' if given else about + '.')}</footer>\n"
        "</body>\n</html>\n"
    )


_PLOTLY_MARK = 'class="figure"'


def _title(notebook: Any, name: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return str(line[2:].strip())
    return name


def _cell(cell: Any, highlight: Any) -> str:
    if cell.cell_type == "markdown":
        return _markdown(cell.source)
    if cell.cell_type != "code" or not cell.source.strip():
        return ""
    code = f"<details><summary>code</summary>{highlight(cell.source)}</details>"
    return "\n".join([*map(_output, cell.outputs), code])


def _output(output: Any) -> str:
    """One output of a cell, by the richest form that a page can show."""
    if output.output_type == "stream" and not output.text.strip():
        return ""
    if output.output_type == "stream":
        kind = "said" if output.name == "stdout" else "said aside"
        return f'<pre class="{kind}">{_terminal(output.text)}</pre>'
    if output.output_type == "error":
        return f'<pre class="said">{html.escape(f"{output.ename}: {output.evalue}")}</pre>'
    data = output.data
    if _PLOTLY in data:
        return _figure(data[_PLOTLY])
    if _WIDGET in data:
        return f'<p class="live">{_LIVE_NOTE}</p>'
    if "text/html" in data:
        return str(data["text/html"])
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f'<img alt="picture" src="data:{kind};base64,{data[kind].strip()}">'
    if "image/svg+xml" in data:
        return str(data["image/svg+xml"])
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return f'<pre class="said">{_terminal(data.get("text/plain", ""))}</pre>'


def _figure(described: Mapping[str, Any]) -> str:
    import plotly.io

    drawn = plotly.io.to_html(
        {"data": described.get("data", []), "layout": described.get("layout", {})},
        config={"responsive": True, "displaylogo": False},
        include_plotlyjs=False,
        include_mathjax=False,
        full_html=False,
        validate=False,
    )
    return f'<div class="figure">{drawn}</div>'


def _terminal(text: str) -> str:
    from nbconvert.filters import ansi2html

    last = "\n".join(line.rsplit("\r", 1)[-1] for line in text.rstrip("\n").split("\n"))
    return str(ansi2html(last))  # type: ignore[no-untyped-call]


_FORMULA = re.compile(
    r"(`+)(?:.*?)\1|\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?!\w)", re.S
)


def _markdown(text: str) -> str:
    """Turn Markdown into HTML, formulas into MathML, which browsers draw without a script."""
    from nbconvert.filters import markdown2html

    formulas: list[str] = []

    def keep(found: re.Match[str]) -> str:
        latex = found["block"] or found["inline"]
        if latex is None:
            return found[0]  # code, in which a dollar is a dollar
        formulas.append(_formula(latex.strip(), block=found["block"] is not None))
        return f"@@formula{len(formulas) - 1}@@"

    page = str(markdown2html(_FORMULA.sub(keep, text)))
    return re.sub(r"@@formula(\d+)@@", lambda found: formulas[int(found[1])], page)


def _formula(latex: str, *, block: bool) -> str:
    from latex2mathml.converter import convert

    return str(convert(latex, display="block" if block else "inline"))
