"""Scores of strategies side by side, structure by structure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.reports.figures.axis_titles import UNITS, region_title
from workbench.reports.palette import LineStyle, faint
from workbench.reports.theme import blank_figure, dress

__all__ = ["FEW", "structures_figure"]

#: Up to so many test cases each is a dot of its own, because a box of so few says little.
FEW = 10


def structures_figure(
    cases: pd.DataFrame, styles: Mapping[str, LineStyle], *, metric: str = "dice", title: str = ""
) -> go.Figure:
    """Draw a box for each strategy and structure, over the test cases.

    Parameters
    ----------
    cases : DataFrame
        ``label, case, region, value``: a test case's score, averaged over seeds.
    styles : mapping of str to LineStyle
        By label; the first is drawn uppermost.
    metric : str
        What `value` measures: ``"dice"``, ``"hd"`` or ``"hd95"``.
    title : str
        Heading of the figure.
    """
    cases = cases[np.isfinite(cases["value"].to_numpy(float))]
    if cases.empty:
        return blank_figure("Boxes appear here once a run has scored its test cases.")
    few = cases["case"].nunique() <= FEW
    regions = list(dict.fromkeys(cases["region"]))
    names = [name for name in styles if name in set(cases["label"])]
    regions.sort(key=lambda region: region != "mean")
    columns = 2 if len(regions) == 4 else min(3, len(regions))
    rows = -(-len(regions) // columns)
    above, between, below = (84 if title else 40), 72, 60
    inner = rows * (24 * len(names) + 20) + (rows - 1) * between
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes="all",
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=between / inner if rows > 1 else 0,
        subplot_titles=[region_title(each) for each in regions],
    )
    for index, region in enumerate(regions):
        for name in names:
            own = cases[(cases["region"] == region) & (cases["label"] == name)]
            figure.add_trace(
                go.Box(
                    x=own["value"].to_numpy(float),
                    y=[name] * len(own),
                    text=own["case"].astype(str).tolist(),
                    name=name,
                    meta={"label": name, "region": region},
                    orientation="h",
                    boxpoints="all" if few else "outliers",
                    pointpos=0,
                    jitter=0,
                    line={"color": styles[name].color, "width": 1.4},
                    fillcolor=faint(styles[name].color),
                    marker={"size": 5 if few else 3, "color": styles[name].color},
                    showlegend=False,
                    hovertemplate="%{text}: %{x:.3f}<extra>" + name + "</extra>",
                ),
                row=index // columns + 1,
                col=index % columns + 1,
            )
    dress(figure, title=title, height=above + inner + below)
    figure.update_annotations(font_size=12)
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], showgrid=False, automargin=True
    )
    figure.update_xaxes(nticks=6, showticklabels=True)
    for index in range(len(regions)):
        if index + columns >= len(regions):
            figure.update_xaxes(
                title_text=UNITS.get(metric, metric),
                row=index // columns + 1,
                col=index % columns + 1,
            )
    figure.update_layout(margin={"t": above, "b": below})
    return figure
