"""A panel for each strategy: its learning curve over the reference and the others in grey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.reports.figures.axis_titles import UNITS, brief_cost
from workbench.reports.palette import OKABE_ITO, OTHERS, LineStyle, faint
from workbench.reports.theme import blank_figure, dress, wrap

__all__ = ["each_strategy_figure"]


def each_strategy_figure(
    curves: pd.DataFrame,
    styles: Mapping[str, LineStyle],
    *,
    reference: str = "random",
    title: str = "",
) -> go.Figure:
    """Give every strategy a panel of its own: its mean Dice over the slices annotated.

    Parameters
    ----------
    curves, styles
        As for `strategy_curves.strategy_curves_figure`.
    reference : str
        The strategy that every panel shows beside its own, if there is one of that label.
    title : str
        Heading of the figure.
    """
    chosen = curves[(curves["metric"] == "dice") & (curves["region"] == "mean")]
    lines = {str(name): own.sort_values("round") for name, own in chosen.groupby("label")}
    names = [name for name in styles if name in lines and name != reference]
    if not names:
        return blank_figure("A panel for each strategy appears here once there are two of them.")
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    titles = [wrap(name, 24) for name in names]
    second = 14 if any("<br>" in each for each in titles) else 0  # room for a second line
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=min(0.3, (52 + second) / (190 * rows)),
        subplot_titles=titles,
    )
    told: set[str] = set()
    for index, name in enumerate(names):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        for other in [*names, *([reference] if reference in lines else [])]:
            if other not in (name, reference):
                _panel_line(figure, lines[other], other, "the others", told, place)
        if reference in lines:
            _panel_line(figure, lines[reference], reference, reference, told, place)
        own = lines[name]
        x, mean, sd = (own[key].to_numpy(float) for key in ("slices", "mean", "sd"))
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([mean + sd, (mean - sd)[::-1]]),
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=faint(OKABE_ITO["blue"]),
                showlegend=False,
                hoverinfo="skip",
                meta={"label": name, "part": "band"},
            ),
            **place,
        )
        _panel_line(figure, own, name, "the strategy named above, ± 1 sd", told, place)
    dress(figure, title=title, height=120 + (190 + second) * rows + (30 if title else 0))
    figure.update_xaxes(tickformat=",", nticks=5, rangemode="tozero")
    figure.update_annotations(font_size=12)
    for column in range(1, columns + 1):
        last = max(i // columns + 1 for i in range(len(names)) if i % columns + 1 == column)
        figure.update_xaxes(title_text=brief_cost("slices"), row=last, col=column)
        figure.update_xaxes(showticklabels=True, row=last, col=column)
    for row in range(1, rows + 1):
        figure.update_yaxes(title_text=UNITS["dice"], row=row, col=1)
    figure.update_layout(
        margin={"t": (84 if title else 40) + second},
        legend={"orientation": "h", "x": 0, "y": -70 / (190 * rows), "yanchor": "top"},
    )
    return figure


def _panel_line(
    figure: go.Figure,
    line: pd.DataFrame,
    label: str,
    part: str,
    told: set[str],
    place: Mapping[str, int],
) -> None:
    looks: dict[str, Any] = {"color": OKABE_ITO["blue"], "width": 2.4}
    if part == "the others":
        looks = {"color": OTHERS, "width": 1}
    elif part == label:
        looks = {"color": OKABE_ITO["black"], "width": 1.6, "dash": "dash"}
    figure.add_trace(
        go.Scatter(
            x=line["slices"].to_numpy(float),
            y=line["mean"].to_numpy(float),
            mode="lines",
            line=looks,
            name=part,
            legendgroup=part,
            showlegend=part not in told,
            meta={"label": label, "part": "mean"},
            hovertemplate=f"{label}: %{{y:.3f}}<extra></extra>",
        ),
        **place,
    )
    told.add(part)
