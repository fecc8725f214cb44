"""Which arithmetic resolves the papers' step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from workbench.reports.palette import line_color
from workbench.reports.theme import dress

__all__ = ["cosines", "rounding_figure"]

_SYMBOLS = ("x-thin-open", "circle", "square", "diamond")


def cosines(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Compare directions row by row.

    Parameters
    ----------
    first, second : ndarray, shape (m, d)
        Vectors of any length, however short.

    Returns
    -------
    ndarray, shape (m,)
        From -1 (opposite) to 1 (the same direction); 0 where a vector is zero:
        then there is no direction at all.
    """
    a, b = (_unit(np.asarray(each, dtype=np.float64)) for each in (first, second))
    found: NDArray[np.float64] = np.clip((a * b).sum(axis=1), -1.0, 1.0)
    return found


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(
        vectors, length, out=np.zeros_like(vectors), where=length > 0
    )
    return unit


def rounding_figure(
    steps: Mapping[str, NDArray[Any]], truth: NDArray[Any], *, title: str = ""
) -> go.Figure:
    """Show, source by source, whether z' − z keeps its direction.

    Parameters
    ----------
    steps : mapping of str to ndarray, shape (m, d)
        z' − z by the arithmetic that it was computed in.
    truth : ndarray, shape (m, d)
        The direction that is right.
    title : str
        Heading of the figure.
    """
    figure = go.Figure()
    for index, (name, step) in enumerate(steps.items()):
        found = cosines(step, truth)
        figure.add_trace(
            go.Scatter(
                x=np.arange(1, len(found) + 1),
                y=found,
                mode="markers",
                name=f"{name}, median {np.median(found):.2f}",
                meta=name,
                marker={
                    "color": line_color(1 - index if index < 2 else index),
                    "symbol": _SYMBOLS[index % len(_SYMBOLS)],
                    "size": 9,
                    "line": {"width": 2},
                },
                hovertemplate="source %{x}<br>cosine %{y:.6f}<extra>" + name + "</extra>",
            )
        )
    dress(figure, title=title, height=340)
    figure.update_xaxes(title_text="source", tickformat=",d", nticks=12)
    figure.update_yaxes(
        title_text="cosine with the true direction<br>(1 = right, 0 = none)",
        range=[-1.08, 1.08],
        dtick=0.5,
    )
    return figure
