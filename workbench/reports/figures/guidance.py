"""Pictures of where loss gradients lead, and of what the composition of a choice decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.reports.palette import OKABE_ITO
from workbench.reports.theme import dress

__all__ = ["compositions_figure", "directions_figure"]

#: What is drawn of the choices, and how it is called.
PANELS = {
    "hardness": "1 − Dice of what is picked",
    "foreground": "foreground pixels of a pick",
    "to_labeled": "to the nearest labeled (u)",
}
WAYS = {
    "gradient": ("blue", "circle"),
    "reversed": ("vermilion", "square"),
    "any direction": ("grey", "diamond"),
}


def directions_figure(choices: pd.DataFrame, *, max_angle: float = 60.0) -> go.Figure:
    """Draw what is picked along the gradient, against it and anywhere, by displacement.

    Parameters
    ----------
    choices : DataFrame
        Of `workbench.experiments.guidance.replay_choices`; drawn are means over runs and
        rounds, with one standard error of the mean.
    max_angle : float
        Half-angle of the cones that is drawn, degrees.
    """
    figure = make_subplots(
        cols=len(PANELS), subplot_titles=list(PANELS.values()), horizontal_spacing=0.06
    )
    random = choices[choices["choice"] == "random"]
    for column, measure in enumerate(PANELS, 1):
        for way, (color, symbol) in WAYS.items():
            own = choices[(choices["choice"] == way) & (choices["max_angle"] == max_angle)]
            told = own.groupby("displacement")[measure].agg(["mean", "sem"])
            figure.add_trace(
                go.Scatter(
                    x=told.index.to_numpy(float),
                    y=told["mean"].to_numpy(float),
                    error_y={"array": told["sem"].fillna(0).to_numpy(float), "thickness": 1},
                    mode="lines+markers",
                    name={"gradient": "along the gradient", "reversed": "against it"}.get(way, way),
                    line={"color": OKABE_ITO[color]},
                    marker={"symbol": symbol, "size": 8},
                    legendgroup=way,
                    showlegend=column == 1,
                ),
                row=1,
                col=column,
            )
        ends = np.array(sorted(choices["displacement"].dropna().unique()), float)[[0, -1]]
        figure.add_trace(
            go.Scatter(
                x=ends,
                y=np.full(2, random[measure].mean()),
                mode="lines",
                name="random",
                line={"color": OKABE_ITO["black"], "dash": "dash"},
                legendgroup="random",
                showlegend=column == 1,
            ),
            row=1,
            col=column,
        )
    dress(figure, height=360)
    ticks = sorted(choices["displacement"].dropna().unique())
    figure.update_xaxes(type="log", tickvals=ticks, title_text="displacement (u)")
    figure.update_layout(margin={"t": 48}, legend={"orientation": "h", "y": -0.24})
    return figure


def compositions_figure(table: pd.DataFrame) -> go.Figure:
    """Draw how much foreground suggestions had: what it came from and what it led to.

    Parameters
    ----------
    table : DataFrame
        Of `workbench.experiments.guidance.compositions`.
    """
    figure = make_subplots(
        cols=2,
        subplot_titles=["what was labeled before → suggestions", "first suggestions → Dice"],
        horizontal_spacing=0.1,
    )
    family = np.where(
        table["label"].str.startswith("gradient-guided"),
        "gradient-guided, all settings",
        np.where(table["label"] == "random", "random", "other strategies"),
    )
    looks = {
        "other strategies": ("grey", "diamond-open"),
        "gradient-guided, all settings": ("blue", "circle"),
        "random": ("vermilion", "square"),
    }
    for name, (color, symbol) in looks.items():
        own = table[family == name]
        for column, (x, y) in enumerate((("initial", "all"), ("first", "late")), 1):
            if column == 1 and name == "other strategies":
                continue  # they do not start from what is labeled
            figure.add_trace(
                go.Scatter(
                    x=own[x],
                    y=own[y],
                    mode="markers",
                    name=name,
                    marker={"color": OKABE_ITO[color], "symbol": symbol, "size": 9},
                    text=own["label"] + ", seed " + own["seed"].astype(str),
                    legendgroup=name,
                    showlegend=column == 2,
                ),
                row=1,
                col=column,
            )
    low, high = table["initial"].min(), table["initial"].max()
    figure.add_trace(
        go.Scatter(
            x=[low, high],
            y=[low, high],
            mode="lines",
            name="the same",
            line={"color": OKABE_ITO["black"], "dash": "dot", "width": 1},
        ),
        row=1,
        col=1,
    )
    dress(figure, height=400)
    figure.update_xaxes(title_text="foreground pixels of an initial slice", row=1, col=1)
    figure.update_yaxes(title_text="… of a suggestion of any round", row=1, col=1)
    figure.update_xaxes(title_text="foreground pixels of a first suggestion", row=1, col=2)
    figure.update_yaxes(title_text="mean Dice of the last three rounds", row=1, col=2)
    figure.update_layout(margin={"t": 48}, legend={"orientation": "h", "y": -0.22})
    return figure
