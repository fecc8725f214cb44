"""The white look that every still figure shares.

A report is read on paper and on screens: dark text on white, axes that say what
they measure and in which unit, thousands separators, margins that grow with
their labels so that nothing is clipped.
"""

from __future__ import annotations

import textwrap

import plotly.graph_objects as go

from workbench.reports.palette import LINES

__all__ = ["FONT", "blank_figure", "dress", "powers", "thousands", "wrap"]

#: Fonts of a report; the first that the reader's machine has.
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

INK = "#1f2328"
FAINT = "#e6e8eb"
QUIET = "#57606a"


def dress(figure: go.Figure, *, title: str = "", height: int = 420) -> go.Figure:
    """Give a figure the report's look and return it.

    Parameters
    ----------
    figure : plotly Figure
        Changed in place.
    title : str
        What the figure says, in a sentence; drawn at the top left.
    height : int
        Height in pixels; the width follows the page.
    """
    figure.update_layout(
        template="none",
        paper_bgcolor="white",
        plot_bgcolor="white",
        colorway=list(LINES),
        font={"family": FONT, "size": 13, "color": INK},
        separators=".,",
        hovermode="closest",
        hoverlabel={"font": {"family": FONT, "size": 12}, "bgcolor": "white"},
        height=height,
        autosize=True,
        margin={"l": 64, "r": 24, "t": 56 if title else 28, "b": 56},
        legend={"font": {"size": 12}, "itemsizing": "trace", "bgcolor": "rgba(255,255,255,0.8)"},
    )
    if title:
        figure.update_layout(
            title={
                "text": title,
                "font": {"size": 15, "color": INK},
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "pad": {"l": 0, "b": 8},
            }
        )
    axis = {
        "automargin": True,
        "gridcolor": FAINT,
        "linecolor": QUIET,
        "tickcolor": QUIET,
        "ticks": "outside",
        "ticklen": 4,
        "zeroline": False,
        "showline": True,
        "title": {"standoff": 8, "font": {"size": 13}},
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def blank_figure(sentence: str, *, height: int = 160) -> go.Figure:
    """Say in place of a picture why there is none yet, and what leads to it.

    Parameters
    ----------
    sentence : str
        What will be shown here, and what to do to get it.
    height : int
        Height in pixels.
    """
    figure = dress(go.Figure(), height=height)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=wrap(sentence, 90),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": 14, "color": QUIET},
    )
    return figure


def thousands(number: int) -> str:
    """Write a count as a person reads it: ``1440`` as ``1,440``."""
    return f"{number:,}"


def powers(number: float) -> str:
    """Write a number briefly, as a person does: ``5e-07`` as ``5·10⁻⁷``, ``0.02`` as it is."""
    plain = f"{number:.2g}"
    if "e" not in plain:
        return plain
    digits, exponent = plain.split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{raised}"


def wrap(text: str, width: int) -> str:
    """Break a sentence into lines of at most `width` characters for a figure."""
    return "<br>".join(textwrap.wrap(text, width))
