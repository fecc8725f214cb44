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

__all__ = ["figure_html", "made_by", "markdown_html", "whole_page", "write_page"]

_PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"

_LIVE_NOTE = (
    "Live in JupyterLab: here the application answers to mouse and keyboard. "
    "Its still pictures are further down."
)

_LIGHT = {
    "paper": "#ffffff",
    "ink": "#1f2328",
    "quiet": "#57606a",
    "edge": "#d0d7de",
    "faint": "#f6f8fa",
    "link": "#0072b2",
    "shade": "#b0b5ba",
}
_DARK = {
    "paper": "#0d1117",
    "ink": "#e6edf3",
    "quiet": "#9198a1",
    "edge": "#3d444d",
    "faint": "#161b22",
    "link": "#56b4e9",
    "shade": "#59616b",
}

_STYLE = """
:root { color-scheme: light dark; %(light)s }
@media (prefers-color-scheme: dark) { :root { %(dark)s } }
@media print { :root { %(light)s } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 %(font)s; }
main, header, footer { max-width: 980px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 20px; color: var(--quiet); font-size: 13px; }
footer { padding: 24px; color: var(--quiet); font-size: 13px; }
footer { border-top: 1px solid var(--edge); margin-top: 40px; }
h1 { font-size: 27px; line-height: 1.25; margin: 18px 0 10px; }
h2 { font-size: 20px; margin: 38px 0 8px; padding-top: 14px; border-top: 1px solid var(--edge); }
h3 { font-size: 16px; margin: 26px 0 6px; }
p, ul, ol { max-width: 46em; }
a { color: var(--link); }
a.anchor-link { display: none; }
code, pre, .highlight pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font-size: 0.88em; background: var(--faint); padding: 1px 4px; border-radius: 4px; }
pre, .highlight pre { font-size: 12.5px; line-height: 1.45; background: var(--faint); }
pre { padding: 10px 14px; border-radius: 6px; margin: 6px 0; white-space: pre-wrap; }
pre code { background: none; padding: 0; }
pre.said { background: none; border-left: 3px solid var(--edge); border-radius: 0; }
pre.said { padding: 4px 14px; }
pre.aside { color: var(--quiet); }
details { margin: 6px 0; color: var(--quiet); font-size: 13px; }
summary { cursor: pointer; }
summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); }
.live { border: 1px dashed var(--quiet); border-radius: 6px; color: var(--quiet); }
.live { padding: 10px 14px; }
.figure { margin: 10px 0; }
img { max-width: 100%%; }
table { border-collapse: collapse; font-size: 14px; }
th, td { border: 1px solid var(--edge); padding: 4px 10px; text-align: left; }
.scroll { overflow-x: auto; margin: 4px 0 14px; background-repeat: no-repeat; }
/* A shade at each edge behind which a table goes on; it moves away with the table's end. */
.scroll { background-image:
  linear-gradient(to right, var(--paper) 60%%, transparent),
  linear-gradient(to left, var(--paper) 60%%, transparent),
  linear-gradient(to right, var(--shade), transparent),
  linear-gradient(to left, var(--shade), transparent); }
.scroll { background-position: 0 0, 100%% 0, 0 0, 100%% 0; }
.scroll { background-size: 36px 100%%, 36px 100%%, 14px 100%%, 14px 100%%; }
.scroll { background-attachment: local, local, scroll, scroll; }
.scroll table { font-size: 13px; font-variant-numeric: tabular-nums; }
.scroll th, .scroll td { border-width: 0 0 1px; padding: 3px 10px 3px 4px; }
.scroll thead th { vertical-align: bottom; border-bottom-color: var(--quiet); }
.scroll td.number, .scroll th.number { text-align: right; }
.scroll td { white-space: nowrap; }
.scroll td.long { white-space: normal; min-width: 18em; }
details.table { color: inherit; }
details.table > summary { font-size: 15px; font-weight: 600; margin: 22px 0 2px; }
.caption { font-weight: 600; margin: 22px 0 2px; }
.note { color: var(--quiet); font-size: 13px; margin: 2px 0 14px; }
msup > mo:last-child, msubsup > mo:last-child { font-size: 1.35em; }
math[display="block"] { margin: 14px 0; font-size: 1.15em; }
@media screen and (prefers-color-scheme: dark) {
  .updatemenu-item-rect[style*="244, 250, 255"] { fill: #1f3347 !important; }
}
@media print { .scroll { overflow: visible; background: none; } }
@media print { .scroll table { font-size: 10px; } .scroll td { white-space: normal; } }
@media print { details:not(.table) { display: none; } .figure, tr { break-inside: avoid; } }
"""

#: Draws every figure of the page in the reader's color scheme, again when that changes.
#: Backgrounds are told from white marks by their key: letters on a picture stay white.
_SCRIPT = """
const DARK = {
  "#1f2328": "#e6edf3", "#57606a": "#9198a1", "#e6e8eb": "#272e37", "#d0d7de": "#3d444d",
  "#000000": "#ffffff", "rgba(0,0,0,0.15)": "rgba(255,255,255,0.18)", "#b0b5ba": "#59616b",
  "#0072b2": "#3a9bdc", "rgba(0,114,178,0.15)": "rgba(58,155,220,0.2)",
};
const BACKGROUNDS = new Set(["paper_bgcolor", "plot_bgcolor", "bgcolor", "fill_color"]);
const shade = (value, key, above) => {
  if (typeof value === "string") {
    const behind = BACKGROUNDS.has(key) || above === "fill";
    if (behind && /^(white|rgba\\(255, ?255, ?255)/.test(value)) return "#0d1117";
    return (/color$/i.test(key) && DARK[value.toLowerCase()]) || value;
  }
  if (Array.isArray(value)) return value.map((each) => shade(each, key, above));
  if (value && typeof value === "object") {
    const pairs = Object.entries(value);
    return Object.fromEntries(pairs.map(([name, each]) => [name, shade(each, name, key)]));
  }
  return value;
};
const scheme = matchMedia("(prefers-color-scheme: dark)");
const draw = (dark) => document.querySelectorAll(".figure").forEach((box) => {
  const told = JSON.parse(box.querySelector("script").textContent);
  const shown = dark ? shade(told, "", "") : told;
  Plotly.react(box.querySelector("div"), shown.data, shown.layout,
    { responsive: true, displaylogo: false });
});
draw(scheme.matches);
scheme.addEventListener("change", () => draw(scheme.matches));
addEventListener("beforeprint", () => draw(false));
addEventListener("afterprint", () => draw(scheme.matches));
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

    highlight = Highlight2HTML(pygments_lexer="ipython3")  # type: ignore[no-untyped-call]
    body = "\n".join(_cell(cell, highlight) for cell in notebook.cells)
    given = ", ".join(f"{key} = {value!r}" for key, value in parameters.items())
    about = made_by(name)
    ending = f"Run with {given}." if given else f"{about}."
    return whole_page(_title(notebook, name), body, about=about, ending=ending)


def made_by(source: str) -> str:
    """Say which version made a page, from what, and when."""
    made = datetime.now().strftime("%d %B %Y, %H:%M").lstrip("0")
    return f"Made by suggestive-workbench {workbench.__version__} from {source} on {made}"


def whole_page(title: str, body: str, *, about: str, ending: str) -> str:
    """Return a page that holds everything it needs, plotly.js included, and fetches nothing.

    Parameters
    ----------
    title : str
        Title of the window.
    body : str
        HTML; figures as `figure_html` gives them.
    about, ending : str
        Plain text above and below.
    """
    from plotly.offline import get_plotlyjs

    drawn = _FIGURE in body
    library = f"<script>{get_plotlyjs()}</script>" if drawn else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        f"<style>{_style()}</style>\n{library}\n</head>\n<body>\n"
        f"<header>{html.escape(about)}</header>\n<main>\n{body}\n</main>\n"
        f"<footer>{html.escape(ending)}</footer>\n"
        f"{f'<script>{_SCRIPT}</script>' if drawn else ''}\n</body>\n</html>\n"
    )


_FIGURE = 'class="figure"'


def _style() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    light, dark = (
        " ".join(f"--{name}: {color};" for name, color in colors.items())
        for colors in (_LIGHT, _DARK)
    )
    code = HtmlFormatter().get_style_defs(".highlight")
    at_night = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return (
        _STYLE % {"font": FONT, "light": light, "dark": dark}
        + f"{code}\n@media screen and (prefers-color-scheme: dark) {{ {at_night} }}"
    )


def _title(notebook: Any, name: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return str(line[2:].strip())
    return name


def _cell(cell: Any, highlight: Any) -> str:
    if cell.cell_type == "markdown":
        return markdown_html(cell.source)
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
        return figure_html(data[_PLOTLY])
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
        return markdown_html(data["text/markdown"])
    return f'<pre class="said">{_terminal(data.get("text/plain", ""))}</pre>'


def figure_html(described: Mapping[str, Any]) -> str:
    """Return the place of a figure in a page, from its plotly description."""
    import json

    from plotly.utils import PlotlyJSONEncoder

    told = json.dumps(
        {"data": described.get("data", []), "layout": described.get("layout", {})},
        cls=PlotlyJSONEncoder,
    ).replace("<", "\\u003c")  # no markup inside a script element
    return f'<div {_FIGURE}><div></div><script type="application/json">{told}</script></div>'


def _terminal(text: str) -> str:
    from nbconvert.filters import ansi2html

    last = "\n".join(line.rsplit("\r", 1)[-1] for line in text.rstrip("\n").split("\n"))
    return str(ansi2html(last))  # type: ignore[no-untyped-call]


_FORMULA = re.compile(
    r"(`+)(?:.*?)\1|\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?!\w)", re.S
)


def markdown_html(text: str) -> str:
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
